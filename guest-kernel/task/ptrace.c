/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tracing: the tracee's side. A stop saves the FPU state, takes the state TASK_TRACED under sig.lock, tells the tracer by
 * SIGCHLD and child_wait, and sleeps until the tracer resumes it, leaves, or SIGKILL comes. A thread that ends while it is
 * traced stays on the tracer's list, and keeps its number, until it was waited for.
 */
#include "task/ptrace.h"

#include <linux/ptrace.h>
#include <linux/sched.h>

#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "signal/sigqueue.h"
#include "signal/signal.h"
#include "task/task.h"
#include "task/user_ns.h"

#define TRAP_FLAG 0x100UL

void ptrace_init_task(struct task *t)
{
	list_init(&t->ptrace.link);
	list_init(&t->ptrace.tracees);
}

/* ---- access ---- */
/* t->lock held. */
static bool may_access_locked(struct task *t, bool fs)
{
	const struct cred *me = current->cred, *c = t->cred;
	uint32_t uid = fs ? me->fsuid : me->uid, gid = fs ? me->fsgid : me->gid;

	if (t->proc == current->proc)
		return true;
	bool same = c && uid == c->euid && uid == c->suid && uid == c->uid && gid == c->egid && gid == c->sgid &&
	            gid == c->gid && c->user_ns == me->user_ns && !(c->cap_permitted & ~me->cap_permitted);
	bool dumpable = !t->mm || t->mm->dumpable;
	return (same && dumpable) || (c && ns_capable(c->user_ns, CAP_SYS_PTRACE));
}

static bool may_access(struct task *t, bool fs)
{
	spin_lock(&t->lock);
	bool ok = may_access_locked(t, fs);
	spin_unlock(&t->lock);
	return ok;
}

bool ptrace_may_access(struct task *t) { return may_access(t, false); }
bool ptrace_may_access_fs(struct task *t) { return may_access(t, true); }

struct mm *ptrace_get_mm(struct task *t, bool fs)
{
	spin_lock(&t->lock);
	struct mm *mm = may_access_locked(t, fs) ? t->mm : ERR_PTR(-EPERM);
	if (mm && !IS_ERR(mm))
		mm_get(mm);
	spin_unlock(&t->lock);
	return mm;
}

struct files *ptrace_get_files(struct task *t, bool fs)
{
	spin_lock(&t->lock);
	struct files *f = may_access_locked(t, fs) ? t->files : ERR_PTR(-EPERM);
	if (f && !IS_ERR(f))
		files_get(f);
	spin_unlock(&t->lock);
	return f;
}

bool ptrace_blocks_rights(const struct task *t)
{
	spin_lock(&tasklist_lock);
	bool r = t->ptrace.tracer && !t->ptrace.privileged;
	spin_unlock(&tasklist_lock);
	return r;
}

/* ---- stops ---- */
static void notify_tracer(struct task *t, int code, int status)
{
	struct process *to = t->ptrace.tracer->proc;
	siginfo_t si;

	if (!(to->sig.action[SIGCHLD - 1].flags & SA_NOCLDSTOP) && !signal_is_ignored(to, SIGCHLD)) {
		siginfo_kernel(&si, SIGCHLD);
		si.si_code = code;
		si.si_pid = pid_nr_ns(t->tid, to->pid_ns);
		si.si_uid = process_kuid_out(to, task_kuid(t));
		si.si_status = status & 0x7f;
		(void)signal_send_process_locked(to, &si);
	}
	wake_up_all(&to->child_wait);
}

/* Where the tracer sent it: an address that cannot be is a fault before the CPU sees it. */
static void check_registers(struct task *t)
{
	if (unlikely(t->uc.regs.rip >= USER_MAX))
		signal_force_segv(0);
}

/* Stops until resumed. Returns the signal to inject; -1 if it is not traced or dying. */
static int stop(int code, siginfo_t *si, bool group)
{
	struct task *t = current;
	struct process *p = t->proc;
	bool last = false;

	fpstate_sync(t);
	spin_lock(&tasklist_lock);
	spin_lock(&p->sig.lock);
	if (!t->ptrace.tracer || t->sig.kill_pending) {
		spin_unlock(&p->sig.lock);
		spin_unlock(&tasklist_lock);
		return -1;
	}
	if (t->sig.stop_pending) {
		t->sig.stop_pending = false;
		last = p->sig.group_stop_left && --p->sig.group_stop_left == 0;
	}
	if (code >> 8 == PTRACE_EVENT_STOP) {
		/* What it says holds now: a SIGCONT after this is told by another one. */
		si->si_signo = p->sig.group_stop ? p->sig.group_stop_signo : SIGTRAP;
		si->si_code = code = si->si_signo | PTRACE_EVENT_STOP << 8;
		t->ptrace.notify = false;
	}
	t->ptrace.has_info = si;
	if (si)
		t->ptrace.info = *si;
	t->ptrace.stopped = true;
	t->ptrace.report = code;
	t->ptrace.inject = 0;
	t->ptrace.interrupt = false;
	atomic_store(&t->sched.state, (uint32_t)TASK_TRACED);
	spin_unlock(&p->sig.lock);
	if (last && p->parent && p->parent != t->ptrace.tracer->proc) {
		p->stop_code = p->sig.group_stop_signo;
		p->continued = false;
		process_notify_parent(p, CLD_STOPPED, p->sig.group_stop_signo);
	}
	notify_tracer(t, group ? CLD_STOPPED : CLD_TRAPPED, code);
	spin_unlock(&tasklist_lock);
	schedule();
	spin_lock(&tasklist_lock);
	spin_lock(&p->sig.lock);
	int signo = t->ptrace.inject;
	t->ptrace.stopped = t->ptrace.listening = false;
	t->ptrace.inject = t->ptrace.report = 0;
	signal_recompute(t);
	spin_unlock(&p->sig.lock);
	spin_unlock(&tasklist_lock);
	check_registers(t);
	return signo;
}

static int trap(int code)
{
	siginfo_t si;

	siginfo_user(&si, SIGTRAP, code);
	si.si_pid = current->vtid;
	return stop(code, &si, false);
}

void ptrace_event(unsigned event, uint64_t message)
{
	struct task *t = current;

	if (!ptrace_wants(&t->ptrace, event))
		return;
	if (event == PTRACE_EVENT_EXIT) {
		/* What ends the task was seen; only another SIGKILL cuts this last stop short. */
		spin_lock(&t->proc->sig.lock);
		t->sig.kill_pending = false;
		spin_unlock(&t->proc->sig.lock);
	}
	t->ptrace.message = message;
	(void)trap(SIGTRAP | (int)event << 8);
}

void ptrace_group_stop(void)
{
	struct task *t = current;

	if (t->ptrace.seized)
		(void)trap(PTRACE_EVENT_STOP << 8);
	else
		(void)stop(t->proc->sig.group_stop_signo, NULL, true);
}

void ptrace_interrupt_stop(void)
{
	struct task *t = current;
	struct process *p = t->proc;

	spin_lock(&p->sig.lock);
	bool wanted = t->ptrace.interrupt || t->ptrace.notify;
	t->ptrace.interrupt = t->ptrace.notify = false;
	signal_recompute(t);
	spin_unlock(&p->sig.lock);
	if (wanted && t->ptrace.tracer)
		(void)trap(PTRACE_EVENT_STOP << 8);
}

int ptrace_signal(int signo, siginfo_t *si)
{
	struct task *t = current;

	t->sig.stop_dequeued = true; /* the tracer may make a stop signal of it; a SIGCONT meanwhile wins */
	int now = stop(signo, si, false);
	if (now < 0)
		return signo;
	if (!now)
		return 0;
	*si = t->ptrace.info;
	if (now != si->si_signo) {
		siginfo_user(si, now, SI_USER);
		spin_lock(&tasklist_lock);
		if (t->ptrace.tracer)
			si->si_pid = pid_vnr(t->ptrace.tracer->proc->pid);
		spin_unlock(&tasklist_lock);
	}
	if (t->sig.blocked & SIGBIT(now)) { /* the tracer changed the mask, or the signal */
		(void)signal_send_task(t, si);
		return 0;
	}
	return now;
}

/* ---- system calls and steps ---- */
static void syscall_stop(struct task *t, uint64_t which)
{
	t->ptrace.message = which;
	int signo = trap(t->ptrace.options & PTRACE_O_TRACESYSGOOD ? SIGTRAP | 0x80 : SIGTRAP);
	if (signo > 0) {
		siginfo_t si;
		siginfo_user(&si, signo, SI_USER);
		(void)signal_send_task(t, &si);
	}
}

bool ptrace_syscall_enter(struct task *t)
{
	bool emulate = t->ptrace.mode == PTRACE_RUN_SYSEMU;

	if (t->ptrace.mode == PTRACE_RUN)
		return true;
	syscall_stop(t, PTRACE_EVENTMSG_SYSCALL_ENTRY);
	return !emulate && !fatal_signal_pending(t);
}

void ptrace_syscall_exit(struct task *t)
{
	if (t->ptrace.mode == PTRACE_RUN_SYSCALL)
		syscall_stop(t, PTRACE_EVENTMSG_SYSCALL_EXIT);
	else if (t->ptrace.step)
		signal_fault(SIGTRAP, TRAP_TRACE, t->uc.regs.rip, 1, 0);
}

bool ptrace_seccomp(uint16_t data)
{
	if (!ptrace_wants(&current->ptrace, PTRACE_EVENT_SECCOMP))
		return false;
	ptrace_event(PTRACE_EVENT_SECCOMP, data);
	return true;
}

bool ptrace_handler_begins(struct task *t)
{
	if (t->ptrace.step_flag)
		t->uc.regs.rflags &= ~TRAP_FLAG;
	t->ptrace.step_flag = false;
	return t->ptrace.step;
}

void ptrace_handler_ready(struct task *t)
{
	t->ptrace.step = false;
	int signo = trap(SIGTRAP);
	if (signo > 0) {
		siginfo_t si;
		siginfo_user(&si, signo, SI_USER);
		(void)signal_send_task(t, &si);
	}
}

void ptrace_exec(int old_tid)
{
	struct task *t = current;

	t->ptrace.step_flag = false;
	if (!t->ptrace.tracer)
		return;
	if (t->ptrace.options & PTRACE_O_TRACEEXEC) {
		ptrace_event(PTRACE_EVENT_EXEC, (uint64_t)old_tid);
	} else if (!t->ptrace.seized) {
		siginfo_t si;
		siginfo_user(&si, SIGTRAP, SI_USER);
		(void)signal_send_task(t, &si);
	}
}

/* ---- birth and end ---- */
unsigned ptrace_clone_event(uint64_t flags, int exit_signal)
{
	unsigned event = flags & CLONE_VFORK ? PTRACE_EVENT_VFORK : exit_signal != SIGCHLD ? PTRACE_EVENT_CLONE
	                                                                                  : PTRACE_EVENT_FORK;

	return !(flags & CLONE_UNTRACED) && ptrace_wants(&current->ptrace, event) ? event : 0;
}

void ptrace_fork(struct task *child, uint64_t flags, unsigned event)
{
	struct task *me = current, *tracer = me->ptrace.tracer;
	siginfo_t si;

	if (!tracer || !(event || (flags & CLONE_PTRACE)))
		return;
	child->ptrace.tracer = tracer;
	child->ptrace.options = me->ptrace.options;
	child->ptrace.seized = me->ptrace.seized;
	child->ptrace.privileged = me->ptrace.privileged;
	task_get(child);
	list_add_tail(&child->ptrace.link, &tracer->ptrace.tracees);
	if (child->ptrace.seized) {
		child->ptrace.interrupt = true;
		atomic_store(&child->sig.flag_pending, 1u);
	} else {
		siginfo_kernel(&si, SIGSTOP);
		(void)signal_send_task_locked(child, &si);
	}
}

struct task *ptrace_unlink(struct task *t)
{
	if (!t->ptrace.tracer)
		return NULL;
	list_del(&t->ptrace.link);
	list_init(&t->ptrace.link);
	t->ptrace.tracer = NULL;
	t->ptrace.options = 0;
	t->ptrace.mode = PTRACE_RUN;
	t->ptrace.interrupt = t->ptrace.notify = t->ptrace.seized = t->ptrace.step = false;
	if (t->ptrace.ended) {
		t->ptrace.ended = false;
		pid_unref(t->tid);
	}
	if (t->ptrace.stopped && t->ptrace.step_flag) {
		t->uc.regs.rflags &= ~TRAP_FLAG;
		t->ptrace.step_flag = false;
	}
	return t;
}

void ptrace_release_all(struct task *tracer, struct list_node *drop)
{
	struct task *t, *next;
	siginfo_t si;

	list_for_each_entry_safe(t, next, &tracer->ptrace.tracees, ptrace.link) {
		bool kill = t->ptrace.options & PTRACE_O_EXITKILL, stopped = t->ptrace.stopped;
		struct process *p = t->proc;

		(void)ptrace_unlink(t);
		list_add_tail(&t->ptrace.link, drop);
		if (kill && !p->zombie) {
			siginfo_kernel(&si, SIGKILL);
			(void)signal_send_process_locked(p, &si);
		}
		spin_lock(&p->sig.lock);
		if (stopped && p->sig.group_stop && !t->sig.exiting)
			t->sig.stop_pending = true; /* goes on as an ordinary job-control stop */
		spin_unlock(&p->sig.lock);
		task_wake_state(t, 1u << TASK_TRACED);
	}
}

void ptrace_put_dropped(struct list_node *drop)
{
	while (!list_empty(drop)) {
		struct task *t = list_first(drop, struct task, ptrace.link);
		list_del(&t->ptrace.link);
		list_init(&t->ptrace.link);
		task_put(t);
	}
}

void ptrace_notify_ended(struct task *t, int status)
{
	struct process *to = t->ptrace.tracer->proc;
	siginfo_t si;

	siginfo_kernel(&si, SIGCHLD);
	si.si_code = status & 0x7f ? (status & 0x80 ? CLD_DUMPED : CLD_KILLED) : CLD_EXITED;
	si.si_pid = pid_nr_ns(t->tid, to->pid_ns);
	si.si_uid = process_kuid_out(to, task_kuid(t));
	si.si_status = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
	(void)signal_send_process_locked(to, &si);
	wake_up_all(&to->child_wait);
}
