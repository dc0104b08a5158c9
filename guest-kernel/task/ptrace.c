// SPDX-License-Identifier: Apache-2.0
/*
 * ptrace(2), the tracee's side: stops, what the tracer is told, and the ends of both. A tracee that is no child of its
 * tracer's process leaves a notice for the tracer when it ends and does not keep its parent waiting, where Linux has the
 * tracer wait for it first.
 */
#include "task/ptrace.h"

#include <linux/ptrace.h>
#include <linux/sched.h>

#include "lib/string.h"
#include "mm/page.h"
#include "signal/sigqueue.h"
#include "task/task.h"

#define EFLAGS_TF 0x100UL

void ptrace_task_init(struct task *t)
{
	list_init(&t->ptrace.link);
	list_init(&t->ptrace.tracees);
}

/* ---- telling the tracer; tasklist_lock held ---- */
static void tell(struct process *to, int code, int tid, uint32_t uid, int status)
{
	siginfo_t si;

	if (!signal_is_ignored(to, SIGCHLD) && !(code == CLD_TRAPPED && (to->sig.action[SIGCHLD - 1].flags & SA_NOCLDSTOP))) {
		memset(&si, 0, sizeof(si));
		si.si_signo = SIGCHLD;
		si.si_code = code;
		si.si_pid = tid;
		si.si_uid = uid;
		si.si_status = status;
		(void)signal_send_process_locked(to, &si);
	}
	wake_up_all(&to->child_wait);
}

/* ---- stops ---- */
/* Stops with code and returns the signal that the tracer goes on with. fallback: what to return when there is no tracer
 * any more. */
static int stop(int code, siginfo_t *info, int fallback)
{
	struct task *t = current;
	struct process *p = t->proc;

	fpstate_sync(t);
	spin_lock(&tasklist_lock);
	if (t->ptrace.step) {
		t->ptrace.step = false;
		t->uc.regs.rflags &= ~EFLAGS_TF;
	}
	t->ptrace.syscalls = false;
	spin_lock(&p->sig.lock);
	if (!t->ptrace.tracer || t->sig.kill_pending) {
		spin_unlock(&p->sig.lock);
		spin_unlock(&tasklist_lock);
		return fallback;
	}
	t->ptrace.code = t->ptrace.stop_code = code;
	t->ptrace.data = 0;
	t->ptrace.info = info;
	/* From here a SIGKILL finds us stopped, and a wake-up before schedule() is not lost. */
	atomic_store(&t->sched.state, (uint32_t)TASK_TRACED);
	spin_unlock(&p->sig.lock);
	tell(t->ptrace.tracer->proc, CLD_TRAPPED, t->tid, t->cred->uid, code & 0x7f);
	spin_unlock(&tasklist_lock);
	schedule();
	spin_lock(&tasklist_lock);
	t->ptrace.code = t->ptrace.stop_code = 0;
	t->ptrace.info = NULL;
	t->ptrace.listening = false;
	int data = t->ptrace.data;
	spin_unlock(&tasklist_lock);
	return data;
}

static void trap_info(siginfo_t *si, int code)
{
	memset(si, 0, sizeof(*si));
	si->si_signo = SIGTRAP;
	si->si_code = code;
	si->si_pid = current->tid;
	si->si_uid = current->cred->uid;
}

int ptrace_signal(int signo, siginfo_t *info)
{
	struct task *t = current;
	int data = stop(signo, info, signo);

	if (!data || data == signo)
		return data;
	siginfo_kernel(info, data);
	info->si_code = SI_USER;
	/* A signal that is blocked waits like any other. */
	if (t->sig.blocked & SIGBIT(data)) {
		(void)signal_send_task(t, info);
		return 0;
	}
	if (SIG_STOP_SET & SIGBIT(data))
		t->sig.stop_dequeued = true;
	return data;
}

static void event_stop(int signo, int event)
{
	siginfo_t si;

	trap_info(&si, signo | event << 8);
	int data = stop(signo | event << 8, &si, 0);
	if (data && data != SIGTRAP) {
		siginfo_kernel(&si, data);
		(void)signal_send_task(current, &si);
	}
}

void ptrace_event(int event, uint64_t message)
{
	if (!ptrace_wants(&current->ptrace, event))
		return;
	current->ptrace.message = message;
	event_stop(SIGTRAP, event);
}

void ptrace_group_stop(int signo)
{
	if (current->ptrace.seized)
		event_stop(signo, PTRACE_EVENT_STOP);
	else
		(void)stop(signo, NULL, 0);
}

void ptrace_trap(void)
{
	struct task *t = current;
	struct process *p = t->proc;

	spin_lock(&p->sig.lock);
	bool group = t->ptrace.trap == PTRACE_TRAP_GROUP || p->sig.group_stop;
	int signo = group && p->sig.group_stop_signo ? p->sig.group_stop_signo : SIGTRAP;
	t->ptrace.trap = PTRACE_TRAP_NONE;
	signal_recompute(t);
	spin_unlock(&p->sig.lock);
	if (!t->ptrace.seized && signo == SIGTRAP)
		signo = SIGSTOP;
	ptrace_group_stop(signo);
}

void ptrace_syscall_stop(bool entry)
{
	struct task *t = current;
	int code = SIGTRAP | (t->ptrace.options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0);
	siginfo_t si;

	trap_info(&si, code);
	t->ptrace.entry = entry;
	t->ptrace.message = entry ? PTRACE_EVENTMSG_SYSCALL_ENTRY : PTRACE_EVENTMSG_SYSCALL_EXIT;
	int data = stop(code, &si, 0);
	if (data) {
		siginfo_kernel(&si, data);
		(void)signal_send_task(t, &si);
	}
}

void ptrace_exec(int old_tid)
{
	struct task_ptrace *p = &current->ptrace;
	siginfo_t si;

	if (!p->tracer)
		return;
	if (p->options & PTRACE_O_TRACEEXEC) {
		ptrace_event(PTRACE_EVENT_EXEC, (uint64_t)old_tid);
	} else if (!p->seized) {
		siginfo_kernel(&si, SIGTRAP);
		si.si_code = SI_USER;
		(void)signal_send_task(current, &si);
	}
}

/* ---- new tasks ---- */
int ptrace_clone_event(uint64_t flags, int exit_signal)
{
	const struct task_ptrace *p = &current->ptrace;
	int event = flags & CLONE_VFORK ? PTRACE_EVENT_VFORK : exit_signal == SIGCHLD && !(flags & CLONE_THREAD) ?
	            PTRACE_EVENT_FORK : PTRACE_EVENT_CLONE;

	return !(flags & CLONE_UNTRACED) && ptrace_wants(p, event) ? event : 0;
}

void ptrace_link_child(struct task *child)
{
	struct task *me = current;

	if (!me->ptrace.tracer)
		return;
	child->ptrace.tracer = me->ptrace.tracer;
	child->ptrace.options = me->ptrace.options;
	child->ptrace.seized = me->ptrace.seized;
	list_add_tail(&child->ptrace.link, &me->ptrace.tracer->ptrace.tracees);
	if (child->ptrace.seized)
		child->ptrace.trap = PTRACE_TRAP_STOP;
	else
		child->sig.pending.set |= SIGBIT(SIGSTOP);
	atomic_store(&child->sig.flag_pending, 1u);
}

/* ---- ends ---- */
void ptrace_continued(struct task *t)
{
	if (!t->ptrace.seized)
		return;
	t->ptrace.trap = PTRACE_TRAP_STOP;
	signal_wake(t, false);
	if (t->ptrace.listening) {
		t->ptrace.listening = false;
		task_wake_state(t, 1u << TASK_TRACED);
	}
}

void ptrace_unlink(struct task *t)
{
	list_del(&t->ptrace.link);
	list_init(&t->ptrace.link);
	t->ptrace.tracer = NULL;
	t->ptrace.options = 0;
	t->ptrace.seized = t->ptrace.syscalls = t->ptrace.listening = false;
	t->ptrace.code = 0;
}

static void free_tracees(struct task *tracer)
{
	struct task *t, *next;
	siginfo_t si;

	list_for_each_entry_safe(t, next, &tracer->ptrace.tracees, ptrace.link) {
		bool kill = t->ptrace.options & PTRACE_O_EXITKILL;

		ptrace_unlink(t);
		if (kill) {
			siginfo_kernel(&si, SIGKILL);
			(void)signal_send_task_locked(t, &si);
		}
		t->ptrace.data = t->ptrace.stop_code < NSIG_ && t->ptrace.info ? t->ptrace.stop_code : 0;
		task_wake_state(t, 1u << TASK_TRACED);
	}
}

static void leave_notice(struct task *t, int tid, int status)
{
	struct process *to = t->ptrace.tracer->proc;
	struct ptrace_notice *n = kmalloc(sizeof(*n));

	if (n) {
		n->tid = tid;
		n->status = status;
		n->uid = t->cred ? t->cred->uid : 0;
		list_add_tail(&n->link, &to->ptrace_notices);
	}
	tell(to, status & 0x7f ? CLD_KILLED : CLD_EXITED, tid, t->cred ? t->cred->uid : 0,
	     status & 0x7f ? status & 0x7f : status >> 8 & 0xff);
}

void ptrace_exit(struct task *t, bool last, int status)
{
	struct process *p = t->proc;
	struct task *leader = p->leader;

	free_tracees(t);
	if (t->ptrace.tracer && t != leader) {
		leave_notice(t, t->tid, status);
		ptrace_unlink(t);
	}
	/* The leader's end is that of the process. */
	if (last && leader->ptrace.tracer) {
		if (leader->ptrace.tracer->proc != p->parent)
			leave_notice(leader, p->pid, p->exit_status);
		ptrace_unlink(leader);
	}
}

void ptrace_drop_notices(struct process *p)
{
	struct ptrace_notice *n, *next;

	list_for_each_entry_safe(n, next, &p->ptrace_notices, link) {
		list_del(&n->link);
		kfree(n);
	}
}
