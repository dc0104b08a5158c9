/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ring 0 of the virtual machine: guest placement (abi/guest.h). Private to arch/; the rest of the Sentry only sees the
 * pointers hostcall, run_user and fpu_save of struct vcpu.
 *
 * Interrupts are off in ring 0, always. What arrives here is a trap of ring 3, a fault in a fault-tolerant routine
 * (struct ex_entry), or the end: a panic.
 *
 * Non-goals: 32-bit code, debug registers, performance counters, machine-check recovery.
 */
#ifndef ARCH_RING0_H
#define ARCH_RING0_H

#include "abi/guest.h"

/* Offsets into struct ring0_cpu. */
#define R0_KRSP       0
#define R0_USER_RSP   8
#define R0_UC         16
#define R0_BOOT_STACK 24
#define R0_VCPU       32

/* Of struct vcpu and struct user_context. */
#define VCPU_GUEST_MODE 44
#define UC_TRAP_KIND    240
#define UC_TRAP_SYSCALL 1

/* Offsets into struct user_context. */
#define UC_R15 0
#define UC_R14 8
#define UC_R13 16
#define UC_R12 24
#define UC_RBP 32
#define UC_RBX 40
#define UC_R11 48
#define UC_R10 56
#define UC_R9  64
#define UC_R8  72
#define UC_RAX 80
#define UC_RCX 88
#define UC_RDX 96
#define UC_RSI 104
#define UC_RDI 112
#define UC_ORIG_RAX 120
#define UC_RIP 128
#define UC_CS  136
#define UC_RFLAGS 144
#define UC_RSP 152
#define UC_SS  160
#define UC_FS_BASE 168
#define UC_TRAP_ERROR 248

/* What ring0_trap gets besides exception vectors. */
#define R0_BAD_IRET 256

#define R0_VECTORS 34 /* 32 exceptions, GUEST_VECTOR_KICK, GUEST_VECTOR_EFAULT */
#define R0_VECTOR_STRIDE 16

/* Interrupt stack table. */
#define IST_DB  1
#define IST_NMI 2
#define IST_DF  3
#define IST_MC  4

#ifndef __ASSEMBLER__
#include "abi/boot.h"
#include "abi/hostcall.h"
#include "lib/types.h"

#define PTE_TABLE_KERNEL 0x63UL  /* P W A D, supervisor */
#define PTE_KERNEL_RO    0x121UL /* P A G */
#define PTE_KERNEL_RW    0x163UL /* P W A D G */
#define PTE_NX_BIT       (1UL << 63)

/* Requests to a vCPU, in flush_req; it looks before it enters ring 3 and after every hostcall. */
#define FLUSH_TLB  1u /* forget what the TLB holds of the root */
#define FLUSH_DROP 2u /* leave the root: it is about to be freed */

#define PCID_SLOTS 6

struct pcid_slot {
	uint64_t root;  /* whose translations may be cached under this PCID; own vCPU writes */
	uint32_t stale; /* set by others: flush before use */
};

/* One page per vCPU. The exception stubs find it from the stack pointer, since the stacks at its end lie in it; the
 * system-call stub finds it RIP-relative, since it is mapped a second time behind a page of that code (ENTRY_BASE). */
struct ring0_cpu {
	uint64_t krsp;           /* where the frame of ring0_sysret or ring0_iret is while ring 3 runs */
	uint64_t user_rsp;       /* scratch of the system-call stub */
	struct user_context *uc; /* whose registers a trap stores; and whose FPU state and segments are in the registers, if its
	                            fpu_cpu names this vCPU (else it may be gone) */
	uint64_t boot_stack;     /* for the last words of a vCPU whose stack is gone */

	struct vcpu *v;          /* immutable */
	uint32_t id;             /* immutable */
	uint32_t online;         /* set once, released */
	bool has_xsave, has_fsgsbase, has_pcid;
	bool keeps_fip; /* XRSTOR may leave the last x87 instruction and operand of another task */

	/* Which root is loaded: root_next is stored before CR3, root after it; a root that is neither cannot be in use. */
	uint64_t root, root_next;
	uint32_t flush_req;      /* FLUSH_*; set by others, taken by this vCPU */
	struct pcid_slot pcid[PCID_SLOTS];
	uint32_t next_pcid;      /* own vCPU only */

	/* clock.c; own vCPU only */
	uint64_t clock_host, clock_tsc, clock_last;

	uint64_t gdt[10] __attribute__((aligned(16)));
	uint32_t tss[26] __attribute__((aligned(16)));

	uint8_t stacks[5][320] __attribute__((aligned(64))); /* traps of ring 3, then IST_* */
} __attribute__((aligned(4096)));
_Static_assert(sizeof(struct ring0_cpu) == PAGE_SIZE, "one page");

extern struct ring0_cpu ring0_cpus[BOOT_VCPU_MAX];
extern uint64_t ring0_kernel_root; /* the window alone; immutable after the first vCPU's start */

static inline struct ring0_cpu *ring0_cpu(const struct vcpu *v) { return (struct ring0_cpu *)v->sentry_data; }
static inline uint64_t image_pa(const void *p) { return IMAGE_PA + ((uint64_t)p - IMAGE_BASE); }

/* One entry of the exception table: a fault at the instruction between labels 1 and 2 continues at 2. */
#define EX_SKIP ".pushsection .ex_table, \"a\"\n.balign 8\n.quad 1b, 2b, 2b\n.popsection\n"

/* ---- init.c ---- */
void ring0_vcpu_init(struct vcpu *v);
void ring0_boot_init(void);

/* ---- entry.S ---- */
/* Enter ring 3 with uc's registers, and return at the next trap with the registers in uc, as run_user does. sysret makes rcx
 * and r11 of rip and rflags. */
int64_t ring0_sysret(struct ring0_cpu *cpu, struct user_context *uc);
int64_t ring0_iret(struct ring0_cpu *cpu, struct user_context *uc);
extern const char ring0_entry_page[], ring0_entry_bad32[], ring0_vectors[], ring0_iretq[], ring0_bad_iret[];

/* What the stubs leave on the stack of an exception in ring 0. */
struct fault_frame {
	uint64_t r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

/* ---- fault.c ---- */
void ring0_kernel_fault(struct fault_frame *f);
NORETURN void ring0_fatal(const uint64_t *frame, uint64_t vector);

/* ---- run_user.c, fpu.c, hostcall.c, clock.c ---- */
int64_t ring0_run_user(struct vcpu *v, struct user_context *uc);
/* What follows an exception of ring 3: its result is that of run_user. trap_error is stored, CR2 still holds the address.
 * R0_BAD_IRET: iret refused. */
int64_t ring0_trap(struct ring0_cpu *cpu, uint32_t vector);
int ring0_fpu_switch(struct ring0_cpu *cpu, struct user_context *uc);
int64_t ring0_fpu_save(struct vcpu *v, struct user_context *uc);
int64_t ring0_hostcall(struct vcpu *v, uint64_t nr, const uint64_t args[6]);
/* Without the care that ring0_hostcall takes of flush requests. */
int64_t ring0_out(uint64_t nr, const uint64_t args[6]);

uint64_t ring0_clock(struct ring0_cpu *cpu);

/* ---- segments.c ---- */
void ring0_segments_load(const struct ring0_cpu *cpu, const struct user_regs *r);
void ring0_segments_save(const struct ring0_cpu *cpu, struct user_regs *r);

/* ---- flush.c ---- */
/* Loads a root unless it is loaded. */
void ring0_use_root(struct ring0_cpu *cpu, uint64_t root);
/* Carries out what flush_req asks for. */
void ring0_flush_pending(struct ring0_cpu *cpu);
int64_t ring0_as_create(uint64_t root);
int64_t ring0_as_destroy(struct ring0_cpu *cpu, uint64_t root);
int64_t ring0_as_purge(struct ring0_cpu *cpu);
int64_t ring0_as_flush(struct ring0_cpu *cpu, uint64_t root, const struct hc_flush *f);

/* ---- stack_guard.c ---- */
int64_t ring0_stack_guard(uint64_t page, bool on);

#endif
#endif
