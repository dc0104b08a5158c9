// SPDX-License-Identifier: Apache-2.0
/*
 * Queued signals: their records, taking the next one, and the signal state of tasks and processes from birth to death.
 * Records are counted per process against RLIMIT_SIGPENDING (Linux counts per user).
 */
#include "signal/sigqueue.h"

#include "lib/string.h"
#include "mm/page.h"
#include "time/posix_timer.h"

/* ---- records ---- */

struct sigqueue *sigqueue_alloc(struct process *p, const siginfo_t *si, bool over)
{
	uint64_t limit = READ_ONCE(p->rlim[RLIMIT_SIGPENDING].rlim_cur);
	struct sigqueue *q;

	if (atomic_add(&p->sig.nr_queued, 1) > limit && !over)
		goto fail;
	q = kmalloc(sizeof(*q));
	if (!q)
		goto fail;
	q->info = *si;
	q->counted = p;
	q->timer = NULL;
	list_init(&q->link);
	return q;
fail:
	atomic_sub(&p->sig.nr_queued, 1);
	return NULL;
}

/* Takes it off its queue and frees it. */
static void sigqueue_free(struct sigqueue *q)
{
	list_del(&q->link);
	if (q->timer) {
		posix_timer_put(q->timer); /* the record is part of it */
		return;
	}
	atomic_sub(&q->counted->sig.nr_queued, 1);
	kfree(q);
}

void sigqueue_flush(struct sig_pending *pend, ksigset_t mask)
{
	struct sigqueue *q, *tmp;

	if (!(pend->set & mask))
		return;
	pend->set &= ~mask;
	list_for_each_entry_safe(q, tmp, &pend->queue, link)
		if (mask & SIGBIT(q->info.si_signo))
			sigqueue_free(q);
}

/* ---- taking ---- */

static int next_signal(const struct sig_pending *pend, ksigset_t allowed)
{
	ksigset_t set = pend->set & allowed;

	if (set & SIG_SYNC_SET)
		set &= SIG_SYNC_SET;
	return set ? __builtin_ctzll(set) + 1 : 0;
}

/* Removes signo from pend. The record is left to the caller in *taken (NULL: there was none). */
static void collect_signal(struct sig_pending *pend, int signo, siginfo_t *si, struct sigqueue **taken)
{
	struct sigqueue *q, *first = NULL;
	bool more = false;

	list_for_each_entry(q, &pend->queue, link) {
		if (q->info.si_signo != signo)
			continue;
		if (first) {
			more = true;
			break;
		}
		first = q;
	}
	if (!more)
		pend->set &= ~SIGBIT(signo);
	*taken = first;
	if (first) {
		*si = first->info;
		list_del(&first->link);
	} else {
		memset(si, 0, sizeof(*si));
		si->si_signo = signo;
		si->si_code = SI_USER;
	}
}

int signal_take(ksigset_t allowed, siginfo_t *si)
{
	struct task *t = current;
	struct process *p = t->proc;
	struct sigqueue *q = NULL;
	bool shared = false;
	int signo;

	spin_lock(&p->sig.lock);
	signo = next_signal(&t->sig.pending, allowed);
	if (signo) {
		collect_signal(&t->sig.pending, signo, si, &q);
	} else {
		signo = next_signal(&p->sig.shared, allowed);
		shared = true;
		if (signo)
			collect_signal(&p->sig.shared, signo, si, &q);
	}
	if (signo && (SIG_STOP_SET & SIGBIT(signo)))
		t->sig.stop_dequeued = true;
	signal_recompute(t);
	spin_unlock(&p->sig.lock);
	if (q && q->timer)
		posix_timer_dequeued(q->timer, si); /* drops the queue's reference */
	else if (q)
		sigqueue_free(q);
	if (signo == SIGALRM && shared)
		itimer_real_dequeued(p);
	return signo;
}

/* ---- life of the state ---- */

void signal_altstack_reset(struct task *t)
{
	t->sig.altstack_sp = t->sig.altstack_size = 0;
	t->sig.altstack_flags = SS_DISABLE;
}

void task_signal_init(struct task *t)
{
	struct task *parent = current;

	memset(&t->sig, 0, sizeof(t->sig));
	list_init(&t->sig.pending.queue);
	signal_altstack_reset(t);
	if (!parent || parent == t || parent->is_kthread)
		return;
	t->sig.blocked = parent->sig.restore_mask ? parent->sig.saved_mask : parent->sig.blocked;
	t->sig.altstack_sp = parent->sig.altstack_sp;
	t->sig.altstack_size = parent->sig.altstack_size;
	t->sig.altstack_flags = parent->sig.altstack_flags;
}

bool signal_task_exiting(void)
{
	struct task *t = current, *other;
	struct process *p = t->proc;
	bool stopped = false, last = true;
	ksigset_t orphaned;

	spin_lock(&tasklist_lock);
	spin_lock(&p->sig.lock);
	t->sig.exiting = true;
	orphaned = p->sig.shared.set & ~t->sig.blocked;
	list_for_each_entry(other, &p->threads, thread_link) {
		if (other == t || other->sig.exiting)
			continue;
		last = false;
		if (!(orphaned & ~other->sig.blocked))
			continue;
		signal_wake(other, false);
		orphaned &= other->sig.blocked;
	}
	if (t->sig.stop_pending) {
		t->sig.stop_pending = false;
		stopped = --p->sig.group_stop_left == 0 && !last;
	}
	spin_unlock(&p->sig.lock);
	if (stopped) {
		p->stop_code = p->sig.group_stop_signo;
		p->continued = false;
		process_notify_parent(p, CLD_STOPPED, p->sig.group_stop_signo);
	}
	if (last)
		p->exiting = true;
	spin_unlock(&tasklist_lock);
	return last;
}

void task_signal_destroy(struct task *t)
{
	spin_lock(&t->proc->sig.lock);
	sigqueue_flush(&t->sig.pending, ~0ULL);
	spin_unlock(&t->proc->sig.lock);
}

int process_signal_init(struct process *p, const struct process *parent)
{
	memset(&p->sig, 0, sizeof(p->sig));
	list_init(&p->sig.shared.queue);
	wait_queue_init(&p->sig.signalfd_wait);
	if (parent)
		memcpy(p->sig.action, parent->sig.action, sizeof(p->sig.action));
	return 0;
}

void process_signal_destroy(struct process *p)
{
	spin_lock(&p->sig.lock);
	sigqueue_flush(&p->sig.shared, ~0ULL);
	spin_unlock(&p->sig.lock);
}

void process_signal_exec(struct process *p)
{
	spin_lock(&p->sig.lock);
	for (int i = 0; i < NSIG_; i++) {
		struct k_sigaction *a = &p->sig.action[i];

		if (a->handler != (uint64_t)SIG_IGN)
			a->handler = (uint64_t)SIG_DFL;
		a->flags = a->restorer = a->mask = 0;
	}
	spin_unlock(&p->sig.lock);
	signal_altstack_reset(current);
	current->restart_fn = NULL;
}
