/* SPDX-License-Identifier: Apache-2.0 */
/* Inside signal/ (and signalfd, POSIX timers): queued siginfo records, taking signals, sets of signals. */
#ifndef SIGNAL_SIGQUEUE_H
#define SIGNAL_SIGQUEUE_H

#include <linux/signal.h>

#include "signal/signal.h"

struct posix_timer;

struct sigqueue {
	struct list_node link;     /* on a sig_pending queue; sig.lock */
	siginfo_t info;
	struct process *counted;   /* whose nr_queued counts it; NULL for a timer's own record */
	struct posix_timer *timer; /* a reference while queued, or NULL */
};

/* A record counted for p, or NULL. over: beyond the limit, too, as for a plain kill of a classic signal. */
struct sigqueue *sigqueue_alloc(struct process *p, const siginfo_t *si, bool over);
/* Drops what is queued of mask. Caller holds sig.lock. */
void sigqueue_flush(struct sig_pending *pend, ksigset_t mask);

/* The C library's view starts real-time signals later; the kernel's first one is 32. */
#define SIGRTMIN_ 32

#define SIG_KERNEL_ONLY (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define SIG_STOP_SET    (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define SIG_IGNORE_SET  (SIGBIT(SIGCONT) | SIGBIT(SIGCHLD) | SIGBIT(SIGWINCH) | SIGBIT(SIGURG))
#define SIG_CORE_SET \
	(SIGBIT(SIGQUIT) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGABRT) | SIGBIT(SIGFPE) | SIGBIT(SIGSEGV) | \
	 SIGBIT(SIGBUS) | SIGBIT(SIGSYS) | SIGBIT(SIGXCPU) | SIGBIT(SIGXFSZ))
#define SIG_SYNC_SET \
	(SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGFPE) | SIGBIT(SIGSYS))

static inline bool signo_valid(int signo) { return signo >= 1 && signo <= NSIG_; }

/* Takes the next signal of the current task that is in allowed, its own before the process's; 0 if there is none. Takes
 * sig.lock; re-arms the timer that sent it. */
int signal_take(ksigset_t allowed, siginfo_t *si);
/* Pending for the current task, own and shared. Takes no lock: a hint. */
static inline ksigset_t signal_pending_set(struct task *t)
{
	return READ_ONCE(t->sig.pending.set) | READ_ONCE(t->proc->sig.shared.set);
}
/* Drops queued signals of mask everywhere in p. Caller holds tasklist_lock and sig.lock. */
void signal_flush(struct process *p, ksigset_t mask);
/* Is p the init of the container, which only takes signals that it handles (pid_namespaces(7))? */
bool signal_unkillable(struct process *p);
/* A timer fires: queues its record for a task (target) or the process. Returns false if the signal is ignored or cannot
 * be delivered, so that no one will take it. q->timer's reference passes to the queue when true. Still queued from
 * before: true, and *again is set. */
bool signal_send_timer(struct process *p, struct task *target, struct sigqueue *q, bool *again);
/* kill(2) rules for a caller that holds tasklist_lock. */
int signal_permitted_locked(struct process *p, int signo);
/* As signal_fault, with a siginfo; and the SIGSEGV for a frame that cannot be built or restored. */
void signal_force(const siginfo_t *si);
void signal_force_segv(int while_delivering);

/* frame.c: builds the handler's frame and points the registers at it. 0 or -EFAULT. */
struct ksignal {
	int signo;
	siginfo_t info;
	struct k_sigaction action;
};
int signal_build_frame(const struct ksignal *k, ksigset_t saved_mask) MUST_CHECK;

/* The frame on the application's stack (arch/x86/include/asm/sigframe.h of Linux). */
struct sig_context {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
};

struct user_stack {
	uint64_t sp;
	int32_t flags, _pad;
	uint64_t size;
};

struct user_ucontext {
	uint64_t flags, link;
	struct user_stack stack;
	struct sig_context mc;
	ksigset_t mask;
};

struct rt_sigframe {
	uint64_t pretcode;
	struct user_ucontext uc;
	siginfo_t info;
};
_Static_assert(sizeof(struct sig_context) == 256, "struct sigcontext of x86-64");
_Static_assert(offsetof(struct rt_sigframe, uc) == 8 && sizeof(siginfo_t) == 128, "rt_sigframe of x86-64");
_Static_assert(sizeof(struct user_ucontext) == 304, "struct ucontext of x86-64");

#define UC_FP_XSTATE_         1u
#define UC_SIGCONTEXT_SS_     2u
#define UC_STRICT_RESTORE_SS_ 4u

/* Software bytes at offset 464 of the FXSAVE image. */
struct fpx_sw_bytes {
	uint32_t magic1, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size, padding[7];
};
#define FP_XSTATE_MAGIC1_ 0x46505853u
#define FP_XSTATE_MAGIC2_ 0x46505845u
#define FPX_SW_OFFSET 464

#define USER_CS_ 0x33
#define USER_SS_ 0x2b

#define X86_EFLAGS_TF_ 0x100u
#define X86_EFLAGS_DF_ 0x400u
#define X86_EFLAGS_RF_ 0x10000u
/* What sigreturn may change: AC RF OF DF TF SF ZF AF PF CF. */
#define X86_EFLAGS_USER 0x50dd5u

/* fpstate.c: the XSAVE area of a task, standard format. */
uint64_t fpstate_features(void);
/* Stores live registers to memory and fills in what init-optimised saving left out. */
void fpstate_sync(struct task *t);
/* The state a program starts with. */
void fpstate_reset(struct task *t);
/* Checks an image from the application in buf (fpu_size bytes) and makes it the task's. 0 or -EINVAL. */
int fpstate_load(struct task *t, uint8_t *buf, bool extended) MUST_CHECK;

/* The alternate stack as sigaltstack(2) shows it for a stack pointer: SS_DISABLE, SS_ONSTACK or 0. */
int altstack_flags(struct task *t, uint64_t sp);
int altstack_set(const struct user_stack *ss, uint64_t sp);

#endif
