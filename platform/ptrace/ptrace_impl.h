/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the ptrace platform.
 *
 * One stub process per address space (cr3), whose memory mirrors the page tables in guest RAM by shared mappings of the
 * RAM memfd and of host files. One stub thread per (address space, vCPU), made when that vCPU first runs the space, and
 * traced by that vCPU's host thread for life, since ptrace is bound to the tracing thread. The leader of each stub process
 * never runs application code: it is parked, untraced, and whoever needs a thread seizes it, makes it clone (the child is
 * attached to the same tracer by PTRACE_O_TRACECLONE), and lets it go. The template, from which processes are cloned, is
 * such a parked leader with an empty address space.
 *
 * The mirror is a cache of the page tables. What may be mapped is always read from the page tables themselves, under the
 * address space's lock; AS_FLUSH takes the same lock after the tables were edited, so no mapping outlives its flush.
 *
 * Locks, outermost first: address_space.lock, ptrace_platform.table_lock, ptrace_platform.stub_lock.
 */
#ifndef PLATFORM_PTRACE_IMPL_H
#define PLATFORM_PTRACE_IMPL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <sched.h>
#include <sys/types.h>
#include <sys/user.h>
#include <time.h>
#undef PAGE_SIZE /* abi/window.h has its own */
#undef PAGE_SHIFT

#include "platform.h"
#include "ptrace/stub_layout.h"

/* One system call for a stub to make; the array lies in the stub's data page, read-only there. */
struct stub_call {
	uint64_t nr, arg[6], _pad;
};
_Static_assert(sizeof(struct stub_call) == STUB_CALL_SIZE, "stub_entry.S");
_Static_assert(STUB_CALL_SIZE * STUB_CALL_MAX <= PAGE_SIZE, "the data page");

#define STUB_CPU_INHERITED 0x10000 /* bound to wherever its leader was when it was cloned */

struct stub_thread {
	pid_t tid;
	struct stub_proc *proc;          /* immutable while not dead */
	struct stub_thread *next;        /* platform_vcpu.threads; the vCPU's thread only */
	struct user_context *fpu_owner;  /* whose FPU state is in the registers, or NULL; atomic: the vCPU's thread, and
	                                    pt_as_destroy when no vCPU runs the space */
	int cpu;                         /* host CPU it is bound to, -1, or STUB_CPU_INHERITED */
	bool dead;                       /* killed; with proc == NULL nobody else refers to it; atomic */
};

struct stub_proc {
	pid_t pid;                       /* the parked leader */
	uint32_t slot;                   /* index of its data page */
	struct stub_call *calls;         /* that page, writable here */
	struct stub_proc *next;          /* pool */
	bool dead;                       /* a thread of it was found dead; atomic */
	struct stub_thread *thread[];    /* by vCPU; written under address_space.lock by that vCPU's thread */
};

#define PENDING_MAX 16

struct user_range {
	uint64_t start, end;
};

struct address_space {
	uint64_t cr3;                       /* immutable */
	struct address_space *next;         /* hash chain; table_lock */
	pthread_mutex_t lock;               /* everything below */
	struct stub_proc *proc;             /* NULL until first needed */
	unsigned active;                    /* stub threads that may be executing application code */
	bool drop_all;                      /* the whole mirror must go before the application runs again */
	unsigned nr_unmap, nr_map;
	struct user_range unmap[PENDING_MAX]; /* must go before the application runs again */
	struct user_range map[PENDING_MAX];   /* hints: worth mapping */
	uint64_t touched[16];               /* bit per hash of a 2 MiB region: something may be mapped there */
	uint64_t file_touched[16];          /* the same for 64 KiB pieces of file windows; set under lock, read without */
};

struct platform_vcpu {
	unsigned id;
	struct vcpu *v;
	struct address_space *as;        /* last looked up, valid while as_epoch is current */
	uint64_t as_epoch;
	struct stub_thread *threads;     /* all that this thread traces */
	uint8_t *xstate;                 /* pt.xstate_size bytes, if that is more than a task's area */
	uint64_t running;                /* tgid << 32 | tid of the thread in ring 3, or 0; atomic, read by kickers */
	uint32_t kick_sent;              /* a signal was sent to it since it was set; atomic */
	int cpu;                         /* host CPU this vCPU thread is bound to, or -1 */
	bool long_run;                   /* the last visit to ring 3 was a long one */
	uint64_t placed_at;              /* TSC when the CPU was chosen */
	/* These by the vCPU's thread and its signal handler: */
	volatile uint64_t entered_at, left_at; /* TSC at the last visit to ring 3 */
	struct stub_thread *volatile in_ring3;
	volatile bool ticking;           /* the timer runs */
	bool have_timer;
	timer_t timer;
	uint64_t retry_addr;             /* the last fault that was resolved here, and how often in a row */
	unsigned retries;
};

struct ptrace_platform {
	unsigned nr_vcpus;
	uint32_t fpu_size;               /* of a task's XSAVE area */
	uint32_t xstate_size;            /* of what PTRACE_SETREGSET takes; more where Linux has states that the Sentry has not */
	bool stopping;                   /* atomic */
	uint64_t ram_end;                /* atomic; grows */
	cpu_set_t cpus;                  /* that we may use; immutable */
	uint64_t tsc_per_ms;             /* immutable */

	pthread_mutex_t table_lock;      /* the hash table of address spaces */
	struct address_space *table[256];
	uint64_t as_epoch;               /* atomic; grows when an address space goes away */

	pthread_mutex_t stub_lock;       /* the template, the pool and the data pages */
	pid_t template_pid;
	struct stub_proc *pool;
	unsigned nr_pool;
	int data_fd;
	uint8_t *data;                   /* all data pages, mapped here */
	uint32_t next_slot, *free_slots, nr_free_slots;
	pthread_mutex_t vcpu_lock;       /* vcpu[] */
	struct platform_vcpu *vcpu[BOOT_VCPU_MAX];
};

extern struct ptrace_platform pt;

/* ---- stub.c: processes and threads. 0 or -errno. ---- */
int pt_stub_init(void);
void pt_stub_exit(void);
/* A process for an address space, from the pool (then *used is set: unmap what it has) or new. Has a thread of pv if new. */
int pt_stub_proc_get(struct platform_vcpu *pv, struct stub_proc **out, bool *used);
/* No vCPU runs it any more: keep it for later or kill it. */
void pt_stub_proc_put(struct stub_proc *p);
/* A thread in p traced by the calling vCPU's thread. The address space's lock is held. */
int pt_stub_thread_make(struct platform_vcpu *pv, struct stub_proc *p, struct stub_thread **out);
/* Makes the first n calls of the process's list. Result: how many succeeded; *err is the failure of the next one or 0. */
int pt_stub_run_list(struct stub_thread *t, unsigned n, int *err);
/* Waits for the next stop; -ESRCH if the thread died. */
int pt_stub_wait(pid_t tid, int *status);

/* ---- stub_template.c ---- */
extern const uint8_t pt_stub_code_begin[], pt_stub_code_end[], pt_stub_call_entry[], pt_stub_list_entry[], pt_stub_birth_entry[],
    pt_stub_park_entry[];
static inline uint64_t pt_stub_address(const uint8_t *entry) { return STUB_CODE + (uint64_t)(entry - pt_stub_code_begin); }
/* Starts the template: parked, untraced. *xstate_size: size of the XSAVE area that ptrace moves. */
int pt_stub_template_start(int data_fd, pid_t *out, uint32_t *xstate_size);

/* ---- address_space.c ---- */
int pt_as_create(uint64_t cr3);
int pt_as_destroy(struct platform_vcpu *pv, uint64_t cr3);
int pt_as_map(struct platform_vcpu *pv, uint64_t cr3, const struct hc_map *maps, unsigned n);
int pt_as_flush(struct platform_vcpu *pv, uint64_t cr3, const struct hc_flush *flush);
void pt_as_memory_changed(uint64_t pa, uint64_t len);
struct address_space *pt_as_find(struct platform_vcpu *pv, uint64_t cr3);
/* A thread turned out to have been killed from outside: its process is replaced when nobody runs in it. */
void pt_stub_died(struct stub_thread *t);
/* Before application code runs: brings the mirror up to date and counts the thread as active. */
int pt_as_enter(struct platform_vcpu *pv, struct address_space *as, struct stub_thread **out);
void pt_as_leave(struct address_space *as);
/* A fault at addr. 1: the page tables allow more than the mirror had, and that has been mapped now (try again). 0: they do
 * not, and *pte is the leaf entry (0: not present). was_mapped: the mirror has the page without the right that was needed,
 * which is execution (fetch) or writing. */
int pt_as_resolve(struct address_space *as, struct stub_thread *t, uint64_t addr, bool was_mapped, bool fetch,
    uint64_t *pte);
/* Kills the stubs of all address spaces; the sandbox ends. */
void pt_as_kill_all(void);

/* ---- vcpu.c ---- */
int pt_vcpu_init(unsigned id, struct vcpu *v, struct platform_vcpu **out);
int pt_vcpu_run_user(struct platform_vcpu *pv, struct user_context *uc);
void pt_vcpu_kick(struct platform_vcpu *pv);
void pt_vcpu_signal(struct platform_vcpu *pv);
/* Every thread in ring 3 comes back and looks at the pending work of its address space. */
void pt_vcpu_kick_running(void);

/* ---- page_walk.c ---- */
#define PT_P    1UL
#define PT_W    2UL
#define PT_U    4UL
#define PT_PS   128UL
#define PT_NX   (1UL << 63)
#define PT_ADDR 0x000ffffffffff000UL
/* Leaf entry of addr with the permissions of all levels folded in and the address of the 4 KiB frame, or 0. Sets *skip to
 * the first address after addr that might have an entry. */
uint64_t pt_page_walk(uint64_t cr3, uint64_t addr, uint64_t *skip);
/* The bytes behind a user address, at most up to the end of its page: a pointer and their number, or NULL. */
const uint8_t *pt_page_peek(uint64_t cr3, uint64_t addr, unsigned *len);

/* ---- trap.c ---- */
/* Describes a stop in uc. 1: a trap for the Sentry; 0: nothing to tell, resume; -errno. */
int pt_trap_decode(struct platform_vcpu *pv, struct address_space *as, struct stub_thread *t, struct user_context *uc,
    int status);
void pt_trap_exception(struct user_context *uc, uint32_t vector, uint64_t error);
/* insn.c: does the instruction in these bytes write the memory at its operand? 1, 0, or -1 for unknown. */
int pt_insn_writes_memory(const uint8_t *code, unsigned len);

/* ---- fpu.c ---- */
/* 0, or -EINVAL when the state in memory is not loadable (it has been reset). */
int pt_fpu_load(struct platform_vcpu *pv, struct stub_thread *t, struct user_context *uc);
int pt_fpu_save(struct platform_vcpu *pv, struct user_context *uc);

/* ---- affinity.c ---- */
void pt_affinity_init(void);
void pt_affinity_enter(struct platform_vcpu *pv, struct stub_thread *t);
void pt_affinity_leave(struct platform_vcpu *pv);
void pt_affinity_tick(struct platform_vcpu *pv);

#endif
