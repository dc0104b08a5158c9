// SPDX-License-Identifier: Apache-2.0
/*
 * Before the return to ring 3: stops, default actions, handlers, and the restart of interrupted system calls
 * (signal(7), "Interruption of system calls"). A core dump is only a status: no file is written; the bit is set where
 * Linux would have written one.
 */
#include "signal/sigqueue.h"

#include <asm/unistd.h>

#include "lib/log.h"
#include "mm/mm.h"
#include "task/rseq.h"

void signal_set_blocked(ksigset_t set)
{
	struct task *t = current;
	struct process *p = t->proc;
	ksigset_t newly;

	set &= ~SIG_KERNEL_ONLY;
	spin_lock(&tasklist_lock);
	spin_lock(&p->sig.lock);
	newly = set & ~t->sig.blocked & p->sig.shared.set;
	t->sig.blocked = set;
	signal_recompute(t);
	if (newly) {
		/* A signal for the process may have been meant for us; another thread takes it now. */
		struct task *other;

		list_for_each_entry(other, &p->threads, thread_link) {
			if (other == t || other->sig.exiting || !(newly & ~other->sig.blocked))
				continue;
			signal_wake(other, false);
			newly &= other->sig.blocked;
		}
	}
	spin_unlock(&p->sig.lock);
	spin_unlock(&tasklist_lock);
}

void signal_set_temporary(ksigset_t set)
{
	struct task *t = current;

	t->sig.saved_mask = t->sig.blocked;
	t->sig.restore_mask = true;
	signal_set_blocked(set);
}

static void restore_saved_mask(struct task *t)
{
	t->sig.restore_mask = false;
	signal_set_blocked(t->sig.saved_mask);
}

/* ---- stops ---- */

/* Is p's process group orphaned (setpgid(2))? Terminal stops are not for those. Takes tasklist_lock. */
static bool signal_is_stopping_orphan(struct process *p)
{
	spin_lock(&tasklist_lock);
	bool r = pgrp_is_orphaned(p->pgid, NULL);
	spin_unlock(&tasklist_lock);
	return r;
}

/* The current task took a stop signal with the default action: every thread is to stop. */
static void start_group_stop(int signo)
{
	struct task *t = current, *other;
	struct process *p = t->proc;

	spin_lock(&tasklist_lock);
	spin_lock(&p->sig.lock);
	/* A SIGCONT or SIGKILL since it was dequeued wins. */
	if (t->sig.stop_dequeued && !p->sig.group_exit && !t->sig.kill_pending) {
		p->sig.group_stop = true;
		p->sig.group_stop_signo = signo;
		p->sig.group_stop_left = 0;
		list_for_each_entry(other, &p->threads, thread_link) {
			if (other->sig.exiting || atomic_load(&other->sched.state) == TASK_STOPPED)
				continue;
			other->sig.stop_pending = true;
			p->sig.group_stop_left++;
			if (other != t)
				signal_wake(other, false);
		}
	}
	spin_unlock(&p->sig.lock);
	spin_unlock(&tasklist_lock);
}

/* Takes part in a group stop; returns when continued or killed. */
static void stop_here(void)
{
	struct task *t = current;
	struct process *p = t->proc;
	bool last;

	spin_lock(&tasklist_lock);
	spin_lock(&p->sig.lock);
	if (!t->sig.stop_pending || t->sig.kill_pending || t->ptrace.tracer) {
		bool traced = t->sig.stop_pending && !t->sig.kill_pending;
		spin_unlock(&p->sig.lock);
		spin_unlock(&tasklist_lock);
		if (traced)
			ptrace_group_stop();
		return;
	}
	t->sig.stop_pending = false;
	last = p->sig.group_stop_left && --p->sig.group_stop_left == 0;
	/* From here a SIGCONT finds us stopped, and the wake-up before schedule() is not lost. */
	atomic_store(&t->sched.state, (uint32_t)TASK_STOPPED);
	spin_unlock(&p->sig.lock);
	if (last) {
		p->stop_code = p->sig.group_stop_signo;
		p->continued = false;
		process_notify_parent(p, CLD_STOPPED, p->sig.group_stop_signo);
	}
	spin_unlock(&tasklist_lock);
	schedule();
}

/* ---- ends ---- */

static NORETURN void die_now(struct process *p)
{
	if (p->sig.group_exit)
		task_exit_group(p->sig.group_exit_status);
	task_exit(READ_ONCE(p->exec_task) ? 0 : SIGKILL); /* another thread's exec ends us without a reason */
}

static NORETURN void die_of(struct task *t, int signo)
{
	int status = signo;

	if ((SIG_CORE_SET & SIGBIT(signo)) && rlimit_cur(RLIMIT_CORE) >= PAGE_SIZE && t->mm && t->mm->dumpable)
		status |= 0x80;
	pr_debug("%s[%d]: killed by signal %d, rip %lx, trap %lu, address %lx", t->comm, t->vtid, signo, t->uc.regs.rip,
	         t->sig.trapno, t->sig.trap_addr);
	task_exit_group(status);
}

/* ---- the loop ---- */

/* The next signal that needs a handler; false: none is left. Default actions happen here. */
static bool get_signal(struct ksignal *k)
{
	struct task *t = current;
	struct process *p = t->proc;

	for (;;) {
		struct k_sigaction *a;

		if (READ_ONCE(t->sig.kill_pending))
			die_now(p);
		if (READ_ONCE(t->sig.stop_pending)) {
			stop_here();
			continue;
		}
		if (unlikely(READ_ONCE(t->ptrace.interrupt) || READ_ONCE(t->ptrace.notify))) {
			ptrace_interrupt_stop();
			continue;
		}
		k->signo = signal_take(~t->sig.blocked, &k->info);
		if (!k->signo)
			return false;
		if (unlikely(t->ptrace.tracer)) {
			k->signo = ptrace_signal(k->signo, &k->info);
			if (!k->signo)
				continue;
		}
		a = &p->sig.action[k->signo - 1];
		spin_lock(&p->sig.lock);
		k->action = *a;
		if (a->handler != (uint64_t)SIG_IGN && a->handler != (uint64_t)SIG_DFL && (a->flags & SA_RESETHAND))
			a->handler = (uint64_t)SIG_DFL;
		spin_unlock(&p->sig.lock);
		if (k->action.handler == (uint64_t)SIG_IGN)
			continue;
		if (k->action.handler != (uint64_t)SIG_DFL)
			return true;
		if (SIG_IGNORE_SET & SIGBIT(k->signo))
			continue;
		if (signal_unkillable(p) && !(SIG_KERNEL_ONLY & SIGBIT(k->signo)))
			continue;
		if (SIG_STOP_SET & SIGBIT(k->signo)) {
			if (k->signo == SIGSTOP || !signal_is_stopping_orphan(p))
				start_group_stop(k->signo);
			continue;
		}
		die_of(t, k->signo);
	}
}

static void restart_syscall(struct user_regs *r, uint64_t nr)
{
	r->rax = nr;
	r->rip -= 2; /* the length of syscall */
}

/* What an interrupted system call becomes when a handler runs first. */
static void restart_with_handler(struct user_regs *r, uint64_t flags)
{
	switch (-(int64_t)r->rax) {
	case ERESTART_RESTARTBLOCK:
	case ERESTARTNOHAND:
		r->rax = (uint64_t)-EINTR;
		break;
	case ERESTARTSYS:
		if (!(flags & SA_RESTART)) {
			r->rax = (uint64_t)-EINTR;
			break;
		}
		/* fall through */
	case ERESTARTNOINTR:
		restart_syscall(r, r->orig_rax);
		break;
	}
}

static void restart_without_handler(struct user_regs *r)
{
	switch (-(int64_t)r->rax) {
	case ERESTARTSYS:
	case ERESTARTNOHAND:
	case ERESTARTNOINTR:
		restart_syscall(r, r->orig_rax);
		break;
	case ERESTART_RESTARTBLOCK:
		restart_syscall(r, __NR_restart_syscall);
		break;
	}
}

static bool is_restart(int64_t result)
{
	return result == -ERESTARTSYS || result == -ERESTARTNOINTR || result == -ERESTARTNOHAND ||
	       result == -ERESTART_RESTARTBLOCK;
}

static void run_handler(struct task *t, struct ksignal *k)
{
	ksigset_t saved = t->sig.restore_mask ? t->sig.saved_mask : t->sig.blocked, mask = t->sig.blocked;

	if (t->rseq_addr)
		rseq_signal(t);
	bool stepping = unlikely(t->ptrace.step) && ptrace_handler_begins(t);
	if (signal_build_frame(k, saved)) {
		signal_force_segv(k->signo);
		return;
	}
	/* The frame holds the mask to return to. */
	t->sig.restore_mask = false;
	mask |= k->action.mask;
	if (!(k->action.flags & SA_NODEFER))
		mask |= SIGBIT(k->signo);
	signal_set_blocked(mask);
	if (stepping)
		ptrace_handler_ready(t);
}

static void deliver(struct task *t, bool in_syscall)
{
	struct user_regs *r = &t->uc.regs;
	struct ksignal k;

	/* ppoll and others: the temporary mask matters for delivery only if the call was interrupted. */
	if (t->sig.restore_mask && in_syscall && (int64_t)r->rax != -EINTR && !is_restart((int64_t)r->rax))
		restore_saved_mask(t);
	while (signal_pending(t) && get_signal(&k)) {
		in_syscall = in_syscall && r->orig_rax != UINT64_MAX; /* a tracer may have changed the registers */
		if (in_syscall) {
			restart_with_handler(r, k.action.flags);
			r->orig_rax = UINT64_MAX;
			in_syscall = false;
		}
		run_handler(t, &k);
	}
	if (in_syscall && r->orig_rax != UINT64_MAX) {
		bool again = is_restart((int64_t)r->rax);

		restart_without_handler(r);
		if (again)
			r->orig_rax = UINT64_MAX;
	}
	if (t->sig.restore_mask)
		restore_saved_mask(t);
}

void signal_deliver(void)
{
	struct task *t = current;
	struct user_regs *r = &t->uc.regs;
	bool in_syscall = t->uc.trap_kind == TRAP_SYSCALL && r->orig_rax != UINT64_MAX;

	if (likely(!signal_pending(t) && !t->sig.restore_mask && !(in_syscall && is_restart((int64_t)r->rax))))
		return;
	/* Again as long as the mask that came back lets something in that was pending all along. */
	do {
		deliver(t, t->uc.trap_kind == TRAP_SYSCALL && r->orig_rax != UINT64_MAX);
	} while (signal_pending(t));
}
