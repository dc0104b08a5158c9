/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the VMM and the Sentry share in memory: the image header, the per-vCPU structure, the register state of
 * ring 3 as a trap leaves it, clock parameters and the event ring.
 *
 * The VMM treats every byte of these that the Sentry can write as hostile: it reads a field once, checks it, and
 * keeps its own copy of what it must rely on.
 */
#ifndef ABI_BOOT_H
#define ABI_BOOT_H

#include <stdint.h>

#include "abi/window.h"

/* ---- image header, first bytes of the image ---------------------------------------------------------- */
#define SENTRY_MAGIC   0x31595254544e4553UL
#define SENTRY_VERSION 1

struct vcpu;

/* A load or store between start and end that faults (SIGBUS in host placement, EFAULT or #PF at CPL 0 in guest
 * placement) continues at fixup. */
struct ex_entry {
	uint64_t start, end, fixup;
};

struct sentry_header {
	uint64_t magic;
	uint64_t version;
	uint64_t entry;              /* void entry(struct vcpu *): every vCPU starts here on its boot stack */
	uint64_t ex_start, ex_end;   /* struct ex_entry table */
	uint64_t text_end;           /* [IMAGE_BASE, text_end) is executable, [text_end, rodata_end) read-only */
	uint64_t rodata_end;
	uint64_t image_end;          /* end of bss */
};

/* ---- ring-3 state ------------------------------------------------------------------------------------- */
/* General registers in the order of Linux's struct user_regs_struct, so that ptrace platforms copy it whole. */
struct user_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, rflags,
	    rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};

enum trap_kind {
	TRAP_SYSCALL = 1,   /* orig_rax = number; rip after the instruction; rcx and r11 as the CPU left them */
	TRAP_PAGE_FAULT,    /* trap_addr, trap_error = x86 page-fault error code (PF_*) */
	TRAP_EXCEPTION,     /* trap_vector, trap_error */
	TRAP_KICK,          /* interrupted by a kick or the vCPU's timer; nothing to handle */
	TRAP_WINDOW_EFAULT, /* ring 3 touched a file window beyond the end of its host file */
	TRAP_STOPPED,       /* the sandbox is being torn down: never return to ring 3 */
};

/* Page-fault error code bits (SDM vol. 3, 4.7). PF_UNKNOWN: the platform cannot tell whether it was a write. */
#define PF_PRESENT 1u
#define PF_WRITE   2u
#define PF_USER    4u
#define PF_RSVD    8u
#define PF_INSTR   16u
#define PF_UNKNOWN (1u << 30)

struct user_context {
	struct user_regs regs;
	uint64_t cr3;         /* guest-physical address of the PML4; also names the address space to platforms */
	uint64_t fpu;         /* window address of this task's XSAVE area (standard format), 64-byte aligned */
	uint32_t fpu_size;    /* bytes of it that are valid, fixed for the life of the sandbox (see /cpus in the FDT) */
	int32_t fpu_cpu;      /* vCPU in whose registers the FPU state is live, or -1: memory is authoritative.
	                         Set by run_user, cleared by fpu_save. A task with fpu_cpu >= 0 runs only there. In guest
	                         placement the same goes for fs_base, gs_base, ds, es, fs and gs of regs. */
	/* Result of run_user: */
	uint32_t trap_kind;
	uint32_t trap_vector;
	uint64_t trap_error;
	uint64_t trap_addr;
};

/* ---- per-vCPU structure --------------------------------------------------------------------------------- */
/* hostcall: result >= 0 or -errno; args is an array of six in window memory. Runs on the host thread's own stack in
 * host placement. */
typedef int64_t (*hostcall_fn)(struct vcpu *v, uint64_t nr, const uint64_t args[6]);
/* run_user: enter ring 3 with uc and return at the next trap, described in uc. Before ring 3 it has a full memory barrier and
 * looks at kick_pending after it. Saves the FPU state of whatever other context was live on this vCPU and loads uc's when
 * uc->fpu_cpu != v->id. Returns 0 or -errno (the platform failed: the task is killed with SIGSEGV and the reason logged). */
typedef int64_t (*run_user_fn)(struct vcpu *v, struct user_context *uc);
/* fpu_save: if the FPU state of the context uc is live on this vCPU, store it into uc->fpu (and what goes with it) and set
 * fpu_cpu = -1. Where fpu_cpu is -1 already, the host only forgets the context: what its registers hold of it is not wanted.
 * Called by the owner's vCPU only. */
typedef int64_t (*fpu_save_fn)(struct vcpu *v, struct user_context *uc);

/* A deadline is kept at most so much later than stated. Only one that is earlier than watch_at by more needs WATCH. */
#define PREEMPT_SLACK_NS 1000000UL

struct vcpu {
	uint32_t id;          /* 0 .. nr_vcpus-1; immutable */
	uint32_t nr_vcpus;    /* immutable */
	uint64_t stack_top;   /* initial stack pointer; immutable */
	hostcall_fn hostcall; /* these three: set by the VMM, or in guest placement by the Sentry itself; immutable */
	run_user_fn run_user;
	fpu_save_fn fpu_save;
	uint32_t kick_pending; /* set by the VMM or another vCPU before it kicks; cleared by the Sentry when it looks
	                          at its work (atomic exchange); run_user and IDLE return at once while it is set */
	uint32_t guest_mode;   /* guest placement: GUEST_MODE_* of abi/guest.h */
	uint64_t host_ns;      /* guest placement without a usable TSC: CLOCK_MONOTONIC when the vCPU last entered the guest */
	/* CLOCK_MONOTONIC ns at which the vCPU is to be kicked because tasks wait for it, ~0: none do. The Sentry states it whenever
	   it enters ring 3; the VMM takes it back when it kicks. */
	uint64_t preempt_at;
	uint64_t watch_at;     /* when the VMM looks at that next, ~0: not before WATCH; the VMM's */
	uint32_t preempt_uses; /* how many deadlines the Sentry has stated: whether there is anything to look at */
	uint64_t sentry_data;  /* the Sentry's own per-CPU pointer */
	uint64_t host_data;    /* the VMM's own; never trusted by it */
};

/* ---- clock parameters ------------------------------------------------------------------------------------ */
/* ns = base_ns + ((tsc - tsc_base) * mult >> 32), valid while seq is even and unchanged around the read.
 * When tsc_ok is 0 the TSC is not usable and HC_CLOCK must be called instead. */
struct clock_params {
	uint32_t seq;
	uint32_t tsc_ok;
	uint64_t tsc_base;
	uint64_t mult;
	uint64_t mono_ns;       /* CLOCK_MONOTONIC at tsc_base */
	uint64_t real_ns;       /* CLOCK_REALTIME at tsc_base */
	uint64_t boot_ns;       /* CLOCK_BOOTTIME at tsc_base */
	uint64_t tsc_khz;
};

/* ---- event ring: host -> Sentry --------------------------------------------------------------------------- */
enum event_type {
	EV_NONE,
	EV_IO,        /* id = io number, arg = EPOLL* events that are ready; the watch is one-shot */
	EV_CONTROL,   /* a control message waits: call HC_CTL_NEXT */
	EV_DONE,      /* id = token of an asynchronous hostcall, arg = its result */
	EV_SIGNAL,    /* id = number of a signal that the sandbox process got: it is meant for the container's init */
	EV_NET,       /* id = number of a watched host socket, arg = EPOLL* events; told at each change (edge-triggered) */
};

struct event {
	uint32_t type;
	uint32_t id;
	int64_t arg;
};

#define EVENT_RING_SIZE 1024 /* power of two */

/* Single producer (the VMM, under its own lock), single consumer (the Sentry, under its event lock). head and tail
 * only grow; the VMM holds back events while the ring is full. */
struct event_ring {
	uint32_t head; /* next to write, by the VMM, release */
	uint32_t tail; /* next to read, by the Sentry, release */
	struct event ev[EVENT_RING_SIZE];
};

struct boot_shared {
	struct clock_params clock;
	uint8_t _pad[4096 - sizeof(struct clock_params)]; /* the first page alone is shown to ring 3 (vvar) */
	struct event_ring events;
};

_Static_assert(sizeof(struct boot_shared) <= BOOT_SHARED_MAX, "boot_shared outgrew its place");
_Static_assert(sizeof(struct vcpu) <= PAGE_SIZE, "one page per vCPU");

#endif
