// SPDX-License-Identifier: Apache-2.0
/*
 * Sending signals: queues, the choice of a thread, and what must happen at once (SIGKILL, SIGCONT, stops; signal(7)).
 * A signal that certainly kills ends the whole process here, so that no thread has to be found that would take it.
 */
#include "signal/sigqueue.h"

#include <linux/eventpoll.h>

#include "lib/string.h"
#include "time/posix_timer.h"
#include "task/container.h"
#include "task/user_ns.h"

/* ---- siginfo ---- */

void siginfo_kernel(siginfo_t *si, int signo)
{
	memset(si, 0, sizeof(*si));
	si->si_signo = signo;
	si->si_code = SI_KERNEL;
}

void siginfo_user(siginfo_t *si, int signo, int code)
{
	memset(si, 0, sizeof(*si));
	si->si_signo = signo;
	si->si_code = code;
	si->si_pid = current->proc->vpid;
	si->si_uid = kuid_out(current->cred->uid);
}

void signal_flush(struct process *p, ksigset_t mask)
{
	struct task *t;

	sigqueue_flush(&p->sig.shared, mask);
	list_for_each_entry(t, &p->threads, thread_link)
		sigqueue_flush(&t->sig.pending, mask);
}

/* ---- who takes what ---- */

void signal_recompute(struct task *t)
{
	ksigset_t pending = t->sig.pending.set | t->proc->sig.shared.set;
	bool something = t->sig.kill_pending || t->sig.stop_pending || t->ptrace.interrupt || t->ptrace.notify || (pending & ~t->sig.blocked);

	WRITE_ONCE(t->sig.flag_pending, something);
}

void signal_wake(struct task *t, bool fatal)
{
	uint32_t states = 1u << TASK_INTERRUPTIBLE;

	if (fatal)
		states |= 1u << TASK_STOPPED | 1u << TASK_TRACED;
	atomic_store(&t->sig.flag_pending, 1u);
	if (!task_wake_state(t, states))
		task_kick(t);
}

bool signal_unkillable(struct process *p)
{
	return p->vpid == 1 && !p->sig.unkillable_cleared;
}

static bool handler_ignores(const struct k_sigaction *a, int signo)
{
	return a->handler == (uint64_t)SIG_IGN || (a->handler == (uint64_t)SIG_DFL && (SIG_IGNORE_SET & SIGBIT(signo)));
}

bool signal_is_ignored(struct process *p, int signo) { return handler_ignores(&p->sig.action[signo - 1], signo); }

/* Would the signal be dropped when it arrived at t? Blocked signals are kept: the handler may change. */
static bool signal_dropped(struct process *p, struct task *t, int signo, bool force)
{
	const struct k_sigaction *a = &p->sig.action[signo - 1];

	if (t && ((t->sig.blocked | t->sig.real_blocked) & SIGBIT(signo)))
		return false;
	if (t && t->ptrace.tracer && signo != SIGKILL)
		return false; /* the tracer sees it first */
	if (signal_unkillable(p) && a->handler == (uint64_t)SIG_DFL && !(force && (SIG_KERNEL_ONLY & SIGBIT(signo))))
		return true;
	return handler_ignores(a, signo);
}

/* From the kernel or from outside the container: may kill init, as signals from an outer pid namespace may. *si is made
 * to show the sender as p sees it. */
static bool signal_forced(struct process *p, siginfo_t *si)
{
	if (si->si_code > 0 || (current->proc == &kernel_process && si->si_pid == 0))
		return true;
	if (si->si_code == SI_USER || si->si_code == SI_TKILL)
		si->si_uid = process_kuid_out(p, current->cred->uid);
	if (likely(current->proc->pid_ns == p->pid_ns))
		return false;
	int nr = pid_nr_ns(current->proc->pid, p->pid_ns);
	if (!nr || si->si_code == SI_USER || si->si_code == SI_TKILL || si->si_code == SI_MESGQ)
		si->si_pid = nr;
	return !nr;
}

/* Threads that stopped for their tracer on their way out. */
static void end_last_stops(struct process *p)
{
	struct task *t;

	list_for_each_entry(t, &p->threads, thread_link) {
		t->sig.kill_pending = true;
		task_wake_state(t, 1u << TASK_TRACED);
	}
}

/* Effects that a signal has even when it is blocked or ignored. False: nothing more to do. Sets *notify to a CLD_ code for
 * the parent. Caller holds tasklist_lock and sig.lock. */
static bool prepare_signal(struct process *p, struct task *target, int signo, bool force, int *notify)
{
	struct task *t;

	if (p->sig.group_exit) {
		if (signo == SIGKILL)
			end_last_stops(p);
		return false;
	}
	if (SIG_STOP_SET & SIGBIT(signo)) {
		signal_flush(p, SIGBIT(SIGCONT));
	} else if (signo == SIGCONT) {
		signal_flush(p, SIG_STOP_SET);
		list_for_each_entry(t, &p->threads, thread_link) {
			t->sig.stop_pending = false;
			t->sig.stop_dequeued = false;
			task_wake_state(t, 1u << TASK_STOPPED);
			if (t->ptrace.seized) {
				t->ptrace.notify = true;
				signal_wake(t, false);
				if (t->ptrace.listening)
					task_wake_state(t, 1u << TASK_TRACED);
			}
		}
		if (p->sig.group_stop)
			*notify = p->sig.group_stop_left ? CLD_STOPPED : CLD_CONTINUED;
		p->sig.group_stop = false;
		p->sig.group_stop_left = 0;
	}
	return !signal_dropped(p, target ? target : p->leader, signo, force);
}

static bool wants_signal(struct task *t, int signo, bool idle)
{
	if ((t->sig.blocked & SIGBIT(signo)) || t->sig.exiting)
		return false;
	if (signo == SIGKILL)
		return true;
	uint32_t state = atomic_load(&t->sched.state);
	if (state == TASK_STOPPED || state == TASK_TRACED)
		return false;
	return !idle || !signal_pending(t);
}

/* Every thread leaves as soon as it can. Caller holds tasklist_lock and sig.lock. */
static void kill_all_threads(struct process *p, int status)
{
	struct task *t;

	p->sig.group_exit = true;
	p->sig.group_exit_status = status;
	p->sig.group_stop = false;
	p->sig.group_stop_left = 0;
	list_for_each_entry(t, &p->threads, thread_link) {
		t->sig.stop_pending = false;
		t->sig.stop_dequeued = false;
		if (t->sig.exiting)
			continue;
		t->sig.kill_pending = true;
		signal_wake(t, true);
	}
}

static bool signal_kills(struct process *p, struct task *t, int signo)
{
	if (p->sig.action[signo - 1].handler != (uint64_t)SIG_DFL || (t->sig.real_blocked & SIGBIT(signo)))
		return false;
	if (signo == SIGKILL)
		return true;
	if (t->ptrace.tracer)
		return false;
	/* A core dump is decided by the thread that takes the signal. */
	return !((SIG_IGNORE_SET | SIG_STOP_SET | SIG_CORE_SET) & SIGBIT(signo)) && !signal_unkillable(p);
}

/* Finds a thread for a signal that is now pending and wakes it. Caller holds tasklist_lock and sig.lock. */
static void complete_signal(struct process *p, struct task *target, int signo)
{
	struct task *t = target ? target : p->leader, *found = NULL;

	if (t && wants_signal(t, signo, false) && (target || wants_signal(t, signo, true))) {
		found = t;
	} else if (!target) {
		for (int idle = 1; idle >= 0 && !found; idle--) {
			list_for_each_entry(t, &p->threads, thread_link) {
				if (wants_signal(t, signo, idle)) {
					found = t;
					break;
				}
			}
		}
	}
	if (!found)
		return; /* whoever unblocks it will look */
	if (signal_kills(p, found, signo))
		kill_all_threads(p, signo);
	else
		signal_wake(found, false);
}

static void notify_continued(struct process *p, int code)
{
	p->stop_code = 0;
	p->continued = code == CLD_CONTINUED;
	process_notify_parent(p, code, SIGCONT);
}

/* Caller holds tasklist_lock. */
static int send_locked(struct process *p, struct task *target, const siginfo_t *from)
{
	siginfo_t own = *from, *si = &own;
	int signo = si->si_signo, notify = 0, err = 0;
	struct sig_pending *pend = target ? &target->sig.pending : &p->sig.shared;
	struct sigqueue *q = NULL;

	if (p->zombie || (target && target->sig.exiting))
		return 0;
	spin_lock(&p->sig.lock);
	if (!prepare_signal(p, target, signo, signal_forced(p, si), &notify))
		goto out;
	if (signo < SIGRTMIN_ && (pend->set & SIGBIT(signo)))
		goto out; /* classic signals do not queue */
	if (signo != SIGKILL) {
		q = sigqueue_alloc(p, si, signo < SIGRTMIN_ && si->si_code >= 0);
		if (q) {
			list_add_tail(&q->link, &pend->queue);
		} else if (signo >= SIGRTMIN_ && si->si_code != SI_USER) {
			err = -EAGAIN;
			goto out;
		}
	}
	pend->set |= SIGBIT(signo);
	wake_up_poll(&p->sig.signalfd_wait, EPOLLIN);
	complete_signal(p, target, signo);
out:
	spin_unlock(&p->sig.lock);
	if (notify)
		notify_continued(p, notify);
	return err;
}

int signal_send_task_locked(struct task *t, const siginfo_t *si) { return send_locked(t->proc, t, si); }
int signal_send_process_locked(struct process *p, const siginfo_t *si) { return send_locked(p, NULL, si); }

int signal_send_pgrp_locked(int pgid, const siginfo_t *si)
{
	struct process *p;
	int n = 0;

	list_for_each_entry(p, &process_list, all_link) {
		if (p->pgid != pgid)
			continue;
		n++;
		(void)send_locked(p, NULL, si);
	}
	return n;
}

int signal_send_task(struct task *t, const siginfo_t *si)
{
	spin_lock(&tasklist_lock);
	int r = send_locked(t->proc, t, si);
	spin_unlock(&tasklist_lock);
	return r;
}

int signal_send_process(struct process *p, const siginfo_t *si)
{
	spin_lock(&tasklist_lock);
	int r = send_locked(p, NULL, si);
	spin_unlock(&tasklist_lock);
	return r;
}

int signal_send_pgrp(int pgid, const siginfo_t *si)
{
	spin_lock(&tasklist_lock);
	int r = signal_send_pgrp_locked(pgid, si);
	spin_unlock(&tasklist_lock);
	return r;
}

bool signal_send_timer(struct process *p, struct task *target, struct sigqueue *q, bool *again)
{
	int signo = q->info.si_signo, notify = 0;
	struct sig_pending *pend = target ? &target->sig.pending : &p->sig.shared;
	bool sent = false;

	*again = false;
	spin_lock(&tasklist_lock);
	spin_lock(&p->sig.lock);
	if (p->zombie || (target && target->sig.exiting))
		goto out;
	if (!prepare_signal(p, target, signo, true, &notify))
		goto out;
	sent = true;
	if (!list_empty(&q->link)) {
		*again = true;
		goto out;
	}
	list_add_tail(&q->link, &pend->queue);
	pend->set |= SIGBIT(signo);
	wake_up_poll(&p->sig.signalfd_wait, EPOLLIN);
	complete_signal(p, target, signo);
out:
	spin_unlock(&p->sig.lock);
	if (notify)
		notify_continued(p, notify);
	spin_unlock(&tasklist_lock);
	return sent;
}

/* ---- permission ---- */

int signal_permitted_locked(struct process *p, int signo)
{
	const struct cred *me = current->cred;
	struct task *leader = p->leader;
	bool ok = false;

	if (p == current->proc)
		return 0;
	if (signo == SIGCONT && p->sid == current->proc->sid)
		return 0;
	if (!leader)
		return -EPERM;
	spin_lock(&leader->lock);
	if (leader->cred) {
		uint32_t uid = leader->cred->uid, suid = leader->cred->suid;

		ok = me->euid == uid || me->euid == suid || me->uid == uid || me->uid == suid ||
		     ns_capable(leader->cred->user_ns, CAP_KILL);
	}
	spin_unlock(&leader->lock);
	return ok ? 0 : -EPERM;
}

int signal_permitted(struct process *p, int signo)
{
	spin_lock(&tasklist_lock);
	int r = signal_permitted_locked(p, signo);
	spin_unlock(&tasklist_lock);
	return r;
}

int signal_send_from_host(struct process *p, const siginfo_t *si)
{
	int signo = si->si_signo;

	if (!container_is_mortal(p))
		return signal_send_process(p, si);
	spin_lock(&p->sig.lock);
	if (p->sig.action[signo - 1].handler == (uint64_t)SIG_DFL && !((SIG_IGNORE_SET | SIG_STOP_SET) & SIGBIT(signo)))
		p->sig.unkillable_cleared = true;
	spin_unlock(&p->sig.lock);
	return signal_send_process(p, si);
}
