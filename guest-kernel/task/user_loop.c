/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main loop of every application task: enter ring 3, handle the trap, look at signals and the scheduler, again.
 * A trap is a return of run_user, in both placements.
 */
#include "arch/umip.h"
#include "boot/boot.h"
#include "lib/log.h"
#include "mm/mm.h"
#include "signal/signal.h"
#include "syscall/dispatch.h"
#include "task/cpu_account.h"
#include "task/rseq.h"
#include "task/sched_impl.h"
#include "task/task.h"

/* Linux's signals and codes of exceptions (arch/x86/kernel/traps.c). */
struct exception_signal {
	uint8_t signo;
	int16_t code; /* SI_KERNEL is 128 */
	bool addr_is_rip;
};

static const struct exception_signal exception_signals[32] = {
	[0] = {SIGFPE, FPE_INTDIV, true},     /* #DE */
	[1] = {SIGTRAP, TRAP_TRACE, true},    /* #DB */
	[3] = {SIGTRAP, SI_KERNEL, false},    /* #BP */
	[4] = {SIGSEGV, SI_KERNEL, false},    /* #OF */
	[5] = {SIGSEGV, SI_KERNEL, false},    /* #BR */
	[6] = {SIGILL, ILL_ILLOPN, true},     /* #UD */
	[7] = {SIGSEGV, SI_KERNEL, false},    /* #NM */
	[9] = {SIGFPE, SI_KERNEL, false},
	[10] = {SIGSEGV, SI_KERNEL, false},   /* #TS */
	[11] = {SIGBUS, SI_KERNEL, false},    /* #NP */
	[12] = {SIGBUS, SI_KERNEL, false},    /* #SS */
	[13] = {SIGSEGV, SI_KERNEL, false},   /* #GP */
	[16] = {SIGFPE, 0, true},             /* #MF */
	[17] = {SIGBUS, BUS_ADRALN, false},   /* #AC */
	[19] = {SIGFPE, 0, true},             /* #XM */
};

/* Which floating-point exception: unmasked status bits (SDM vol. 1, 8.1.3 and 10.2.3). */
static int fpe_code(const struct task *t, unsigned vector)
{
	const uint8_t *area = (const uint8_t *)t->uc.fpu;
	unsigned err;

	if (vector == 16) {
		uint16_t cwd = *(const uint16_t *)area, swd = *(const uint16_t *)(area + 2);
		err = swd & ~cwd & 0x3f;
	} else {
		uint32_t mxcsr = *(const uint32_t *)(area + 24);
		err = ~(mxcsr >> 7) & mxcsr & 0x3f;
	}
	if (err & 1)
		return FPE_FLTINV;
	if (err & 4)
		return FPE_FLTDIV;
	if (err & 8)
		return FPE_FLTOVF;
	if (err & (2 | 16))
		return FPE_FLTUND;
	if (err & 32)
		return FPE_FLTRES;
	return 0;
}

/* What Linux takes from the debug status: a step, unless the instruction before was INT1. (TF of now says little: the step
 * may have been a POPF that cleared it.) */
static int debug_code(const struct task *t)
{
	uint8_t before = 0, at = 0; /* a software KVM stops before it */

	if (t->uc.regs.rflags & 0x100)
		return TRAP_TRACE;
	(void)copy_in_partial(&before, uva(t->uc.regs.rip - 1), 1);
	(void)copy_in_partial(&at, uva(t->uc.regs.rip), 1);
	return before == 0xf1 || at == 0xf1 ? TRAP_BRKPT : TRAP_TRACE;
}

/* A software KVM has no INT n: it raises #UD where the CPU finds that the gate is not for ring 3. */
static void undefined_int(struct task *t)
{
	uint8_t code[2];

	if (copy_in(code, uva(t->uc.regs.rip), sizeof(code)) || code[0] != 0xcd)
		return;
	t->uc.trap_vector = 13;
	t->uc.trap_error = code[1] * 8U + 2;
}

static void handle_exception(struct task *t)
{
	if (t->uc.trap_vector == 6)
		undefined_int(t);
	unsigned vector = t->uc.trap_vector;

	if (vector == 13 && !t->uc.trap_error && umip_emulate(t))
		return;
	if (vector >= ARRAY_SIZE(exception_signals) || !exception_signals[vector].signo) {
		signal_fault(SIGSEGV, SI_KERNEL, 0, (int)vector, t->uc.trap_error);
		return;
	}
	struct exception_signal e = exception_signals[vector];
	int code = e.code;
	if (vector == 16 || vector == 19) {
		task_fpu_save();
		code = fpe_code(t, vector);
		if (!code)
			return; /* a spurious one, as Linux says */
	}
	if (vector == 1)
		code = debug_code(t);
	signal_fault(e.signo, code, e.addr_is_rip ? t->uc.regs.rip : 0, (int)vector, t->uc.trap_error);
}

static void handle_other_trap(struct task *t)
{
	switch (t->uc.trap_kind) {
	case TRAP_PAGE_FAULT:
		mm_handle_fault(t->uc.trap_addr, t->uc.trap_error);
		break;
	case TRAP_EXCEPTION:
		handle_exception(t);
		break;
	case TRAP_KICK:
		break;
	case TRAP_WINDOW_EFAULT:
		mm_handle_window_efault();
		break;
	case TRAP_STOPPED:
		for (;;)
			(void)hostcall1(HC_IDLE, UINT64_MAX);
	default:
		panic("unknown trap %u", t->uc.trap_kind);
	}
}

#define ACCOUNT_STEP_NS 1000000UL

static void account_timers(struct task *t, bool kicked)
{
	if (!kicked && t->sched.acct_user + t->sched.acct_sys < ACCOUNT_STEP_NS)
		return;
	uint64_t user = t->sched.acct_user, sys = t->sched.acct_sys;
	t->sched.acct_user = t->sched.acct_sys = 0;
	process_timers_account(user, sys);
}

/* A result of a system call, or the like of it, that never reaches ring 3. */
static inline bool is_restart(uint64_t rax) { return rax - (uint64_t)-ERESTART_RESTARTBLOCK <= ERESTART_RESTARTBLOCK - ERESTARTSYS; }

/* The long way to ring 3: everything that must be done before, until nothing is left to do. */
static NOINLINE HOT_PATH void prepare_user(struct task *t)
{
	account_timers(t, false);
	for (;;) {
		if (signal_pending(t) || t->sig.restore_mask || (t->syscall_nr >= 0 && is_restart(t->uc.regs.rax)))
			signal_deliver();
		t->syscall_nr = -1;
		if (t->rseq_event)
			rseq_update(t);
		if (unlikely(READ_ONCE(t->proc->container->frozen)))
			container_wait_thawed();
		else if (!signal_pending(t) && sched_before_user())
			break;
	}
	cpu_account_leave(t);
}

/* Needs the task not go the long way? It does after each switch of tasks and each kick, which stamp the clock: what is set
 * together with a kick, as the freezing of a container, is not looked at here. */
static inline bool is_ready(struct task *t, const struct rq *rq)
{
	return !signal_pending(t) && !t->sig.restore_mask && !is_restart(t->uc.regs.rax) && !t->rseq_event &&
	       !t->sched.stamped && sched_is_ready(rq, t);
}

static NOINLINE HOT_PATH void other_trap(struct task *t, int64_t err)
{
	bool kicked = !err && t->uc.trap_kind == TRAP_KICK;

	t->syscall_nr = -1;
	cpu_account_enter(t, UINT64_MAX);
	if (unlikely(err)) {
		pr_warn("%s[%d]: the platform could not run it (error %ld) at rip %lx", t->comm, t->vtid, -err, t->uc.regs.rip);
		signal_fault(SIGSEGV, SI_KERNEL, 0, 0, 0);
		return;
	}
	if (kicked)
		sched_handle_kick(this_rq());
	handle_other_trap(t);
	if (kicked)
		account_timers(t, true);
}

HOT_PATH NORETURN void task_user_loop(void *task)
{
	struct task *t = task;

	t->sched.last_stamp = clock_sched();
	t->sched.stamped = true;
	t->sched.measured_nr = -1;
	for (;;) {
		if (unlikely(!is_ready(t, sched.rq[t->sched.cpu])))
			prepare_user(t);
		struct rq *rq = sched.rq[t->sched.cpu];
		/* run_user's barrier follows; the release is for what ring 3 stored (sched_passages). */
		WRITE_ONCE(rq->passages, rq->passages + 1);
		int64_t err = rq->vcpu->run_user(rq->vcpu, &t->uc);
		atomic_store(&rq->passages, rq->passages + 1);
		if (unlikely(err || t->uc.trap_kind != TRAP_SYSCALL)) {
			other_trap(t, err);
			continue;
		}
		cpu_account_enter(t, (uint32_t)t->uc.regs.orig_rax);
		syscall_dispatch(t);
	}
}
