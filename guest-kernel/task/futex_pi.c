// SPDX-License-Identifier: Apache-2.0
/*
 * Priority-inheritance futexes: the word holds the owner's tid, and unlock hands the lock to the waiter of the highest
 * real-time priority. There is no preemption of the Sentry to invert, so the owner's priority is not raised; all
 * the rest (hand-over, death of the owner, deadlock of one, requeue from a condition variable) is as in Linux.
 *
 * A pi_state exists while a futex has waiters. When an owner dies the first waiter becomes owner and corrects the word
 * in its own address space before it leaves the queue, so that others meanwhile find the state and not a dead tid.
 */
#include "task/futex_impl.h"

#include "mm/page.h"
#include "signal/signal.h"

static spinlock_t pi_lock;

/* task->futex_state of a task that exits: owners are no longer accepted; and when it has handed everything over. */
#define STATE_OK      NULL
#define STATE_EXITING ((void *)1)
#define STATE_DEAD    ((void *)2)

void futex_task_init(struct task *t)
{
	t->futex_state = STATE_OK;
	list_init(&t->pi_held);
	t->robust_list = t->robust_list_len = 0;
}

/* ---- states; the bucket's lock is held ---- */

static void state_put(struct pi_state *s)
{
	if (--s->waiters)
		return;
	spin_lock(&pi_lock);
	list_del(&s->owner_link);
	spin_unlock(&pi_lock);
	kfree(s);
}

static void state_set_owner(struct pi_state *s, struct task *owner)
{
	spin_lock(&pi_lock);
	list_del(&s->owner_link);
	s->owner = owner;
	list_add_tail(&s->owner_link, &owner->pi_held);
	spin_unlock(&pi_lock);
}

static void q_leave(struct futex_q *q)
{
	struct pi_state *s = q->pi;

	list_del(&q->link);
	q->pi = NULL;
	if (s)
		state_put(s);
}

/* The waiter to get the lock next, or NULL. */
static struct futex_q *top_waiter(const struct futex_word *w)
{
	struct futex_q *q, *best = NULL;

	list_for_each_entry(q, &w->bucket->waiters, link) {
		if (!futex_key_equal(&q->key, &w->key) || q->owned)
			continue;
		if (!best || q->task->sched.rt_priority > best->task->sched.rt_priority)
			best = q;
	}
	return best;
}

/* Any waiter of the word, to find the state by. */
static struct futex_q *any_waiter(const struct futex_word *w)
{
	struct futex_q *q;

	list_for_each_entry(q, &w->bucket->waiters, link)
		if (futex_key_equal(&q->key, &w->key))
			return q;
	return NULL;
}

/* ---- acquiring ---- */

enum { ACQUIRED = 1 };

/* One attempt under the bucket's lock for task t: ACQUIRED; 0 with the state to wait in; -EFAULT (fault the word in),
 * -EAGAIN (the owner is exiting: yield), -EDEADLK, -ESRCH, -EINVAL, -EPERM, -EWOULDBLOCK (trylock). *spare: a state to use. */
static int try_acquire(const struct futex_word *w, struct task *t, bool trylock, bool set_waiters,
                       struct pi_state **spare, struct pi_state **out)
{
	struct futex_q *waiter;
	struct task *owner;
	uint32_t cur, seen, new;
	void *state;

	if (user_load32_nofault(w->addr, &cur))
		return -EFAULT;
again:
	if ((cur & FUTEX_TID_MASK) == (uint32_t)t->vtid)
		return -EDEADLK;
	waiter = any_waiter(w);
	if (waiter) {
		if (!waiter->pi)
			return -EINVAL; /* someone waits with plain futex calls */
		if (waiter->pi->owner == t)
			return -EDEADLK;
		if (trylock)
			return -EWOULDBLOCK;
		*out = waiter->pi;
		return 0;
	}
	if (!(cur & FUTEX_TID_MASK)) {
		new = (cur & FUTEX_OWNER_DIED) | (uint32_t)t->vtid | (set_waiters ? FUTEX_WAITERS : 0);
		if (user_cmpxchg32_nofault(w->addr, cur, new, &seen))
			return -EFAULT;
		if (seen == cur)
			return ACQUIRED;
		cur = seen;
		goto again;
	}
	if (trylock)
		return -EWOULDBLOCK;
	/* From now on the owner's unlock comes to the kernel. */
	if (user_cmpxchg32_nofault(w->addr, cur, cur | FUTEX_WAITERS, &seen))
		return -EFAULT;
	if (seen != cur) {
		cur = seen;
		goto again;
	}
	owner = task_find_user((int)(cur & FUTEX_TID_MASK));
	if (!owner)
		return -ESRCH;
	if (owner->is_kthread) {
		task_put(owner);
		return -EPERM;
	}
	spin_lock(&pi_lock);
	state = owner->futex_state;
	if (state == STATE_OK) {
		struct pi_state *s = *spare;

		*spare = NULL;
		s->waiters = 0;
		s->key = w->key;
		s->owner = owner;
		list_add_tail(&s->owner_link, &owner->pi_held);
		*out = s;
	}
	spin_unlock(&pi_lock);
	task_put(owner); /* while a state is on pi_held the owner is alive: it takes them off when it exits */
	return state == STATE_OK ? 0 : state == STATE_EXITING ? -EAGAIN : -ESRCH;
}

/* After a failed attempt, without locks: 0 to try again, or the error. */
static int recover(struct futex_word *w, int err)
{
	if (err == -EAGAIN) {
		sched_yield_current();
		return signal_pending(current) ? -ERESTARTNOINTR : 0;
	}
	if (err != -EFAULT)
		return err;
	err = mm_fault_in(current->mm, w->addr.v, true);
	return err ? err : futex_word_init(w, w->addr, w->shared, true);
}

/* The owner before us died and we were made owner: the word must say so. */
static int fix_word(uva_t addr)
{
	uint32_t cur, seen;

	if (user_load32(addr, &cur))
		return -EFAULT;
	for (;;) {
		uint32_t new = (cur & FUTEX_OWNER_DIED) | FUTEX_WAITERS | (uint32_t)current->vtid;

		if (user_cmpxchg32(addr, cur, new, &seen))
			return -EFAULT;
		if (seen == cur)
			return 0;
		cur = seen;
	}
}

/* Sleeps as a PI waiter. 0: owned; else -ETIMEDOUT or -ERESTARTSYS. */
static int wait_for_lock(struct futex_q *q, uva_t addr, uint64_t deadline)
{
	int r = futex_sleep(q, deadline);
	bool owned, fixup;

	futex_q_lock(q);
	owned = q->owned;
	fixup = q->fixup;
	if (!owned)
		q_leave(q);
	else if (!fixup)
		r = 0;
	spin_unlock(&q->bucket->lock);
	if (!fixup)
		return r;
	r = fix_word(addr);
	futex_q_lock(q);
	q_leave(q);
	spin_unlock(&q->bucket->lock);
	return r;
}

int futex_lock_pi(uva_t addr, bool shared, uint64_t deadline, bool trylock)
{
	struct pi_state *spare = NULL, *state = NULL;
	struct futex_word w;
	struct futex_q q;
	int r = futex_word_init(&w, addr, shared, true);

	if (r)
		return r;
	futex_q_init(&q, FUTEX_BITSET_MATCH_ANY);
	for (;;) {
		if (!spare && !(spare = kzalloc(sizeof(*spare))))
			return -ENOMEM;
		list_init(&spare->owner_link);
		futex_lock_two(w.bucket, w.bucket);
		r = try_acquire(&w, current, trylock, false, &spare, &state);
		if (r >= 0)
			break;
		spin_unlock(&w.bucket->lock);
		/* EWOULDBLOCK, which is EAGAIN, is trylock's answer, no owner that is exiting. */
		if (!trylock || r != -EWOULDBLOCK)
			r = recover(&w, r);
		if (r)
			goto out;
	}
	if (r == ACQUIRED) {
		spin_unlock(&w.bucket->lock);
		r = 0;
		goto out;
	}
	state->waiters++;
	q.pi = state;
	futex_enqueue(&q, &w);
	spin_unlock(&w.bucket->lock);
	r = wait_for_lock(&q, addr, deadline);
	if (r == -ERESTARTSYS)
		r = -ERESTARTNOINTR;
out:
	kfree(spare);
	return r;
}

/* ---- handing over ---- */

/* q becomes the owner. With the word already saying so it leaves the queue; else it corrects the word itself. */
static void hand_over(struct futex_q *q, bool fixup)
{
	struct pi_state *s = q->pi;

	if (fixup) {
		q->fixup = true;
		state_set_owner(s, q->task);
		WRITE_ONCE(q->owned, true);
		task_wake(q->task);
		return;
	}
	q->pi = NULL;
	if (s->waiters > 1)
		state_set_owner(s, q->task);
	WRITE_ONCE(q->owned, true);
	futex_wake_q(q);
	state_put(s);
}

int futex_unlock_pi(uva_t addr, bool shared)
{
	struct futex_word w;
	struct futex_q *top;
	uint32_t cur, new, seen;
	int r;

	for (;;) {
		if (user_load32(addr, &cur))
			return -EFAULT;
		if ((cur & FUTEX_TID_MASK) != (uint32_t)current->vtid)
			return -EPERM;
		r = futex_word_init(&w, addr, shared, true);
		if (r)
			return r;
		futex_lock_two(w.bucket, w.bucket);
		top = top_waiter(&w);
		if (top && (!top->pi || top->pi->owner != current)) {
			spin_unlock(&w.bucket->lock);
			return -EINVAL;
		}
		new = top ? FUTEX_WAITERS | (uint32_t)top->task->vtid : 0;
		r = user_cmpxchg32_nofault(addr, cur, new, &seen);
		if (!r && seen == cur && top)
			hand_over(top, false);
		spin_unlock(&w.bucket->lock);
		if (!r && seen == cur)
			return 0;
		if (r && (r = mm_fault_in(current->mm, addr.v, true)))
			return r;
	}
}

void futex_pi_exit(struct task *t)
{
	spin_lock(&pi_lock);
	t->futex_state = STATE_EXITING;
	for (;;) {
		struct futex_word w = {0};
		struct pi_state *s;
		struct futex_q *q;

		if (list_empty(&t->pi_held))
			break;
		s = list_first(&t->pi_held, struct pi_state, owner_link);
		w.key = s->key;
		spin_unlock(&pi_lock);
		/* The state may go before the bucket is locked: only the key is used, and the owner checked again. */
		w.bucket = futex_bucket_of(&w.key);
		futex_lock_two(w.bucket, w.bucket);
		q = top_waiter(&w);
		if (q && q->pi && q->pi->owner == t)
			hand_over(q, true);
		spin_unlock(&w.bucket->lock);
		cpu_relax(); /* a last waiter that timed out may be on its way to drop the state */
		spin_lock(&pi_lock);
	}
	t->futex_state = STATE_DEAD;
	spin_unlock(&pi_lock);
}

void futex_pi_revive(struct task *t)
{
	spin_lock(&pi_lock);
	t->futex_state = STATE_OK;
	spin_unlock(&pi_lock);
}

/* ---- requeue from a condition variable ---- */

int futex_wait_requeue_pi(uva_t addr1, bool shared, uint32_t val, uint64_t deadline, uint32_t bitset, uva_t addr2)
{
	struct futex_word w1, w2;
	struct futex_q q;
	bool moved, owned;
	int r;

	if (!bitset || addr1.v == addr2.v)
		return -EINVAL;
	r = futex_word_init(&w1, addr1, shared, false);
	if (!r)
		r = futex_word_init(&w2, addr2, shared, true);
	if (r)
		return r;
	if (futex_key_equal(&w1.key, &w2.key))
		return -EINVAL;
	futex_q_init(&q, bitset);
	q.requeue_pi = true;
	q.key2 = w2.key;
	r = futex_wait_setup(&q, &w1, val);
	if (r)
		return r;
	r = futex_sleep(&q, deadline);
	futex_q_lock(&q);
	moved = q.pi != NULL;
	owned = q.owned;
	if (!moved)
		list_del(&q.link);
	spin_unlock(&q.bucket->lock);
	if (owned && !moved)
		return 0;
	if (!moved)
		return r == -ERESTARTSYS ? -ERESTARTNOINTR : r ? r : -EAGAIN;
	if (r && !owned)
		deadline = 0; /* interrupted after the move: take the lock only if it is ours by now */
	r = wait_for_lock(&q, addr2, deadline);
	return r == -ERESTARTSYS ? -EWOULDBLOCK : r;
}

/* Moves the waiters after the first. Both buckets are locked. */
static int move_waiters(const struct futex_word *from, const struct futex_word *to, struct pi_state *state, int max)
{
	struct futex_q *q, *tmp;
	int n = 0;

	list_for_each_entry_safe(q, tmp, &from->bucket->waiters, link) {
		if (n >= max)
			break;
		if (!futex_key_equal(&q->key, &from->key))
			continue;
		if (!q->requeue_pi || q->pi || !futex_key_equal(&q->key2, &to->key))
			return n ? n : -EINVAL;
		state->waiters++;
		q->pi = state;
		futex_move(q, to);
		n++;
	}
	return n;
}

int futex_cmp_requeue_pi(uva_t addr1, uva_t addr2, bool shared, int nr_wake, int nr_requeue, uint32_t cmpval)
{
	struct pi_state *spare = NULL, *state;
	struct futex_word from, to;
	struct futex_q *top;
	uint32_t val;
	int r, n;

	if (nr_wake != 1 || nr_requeue < 0 || addr1.v == addr2.v)
		return -EINVAL;
again:
	n = 0;
	state = NULL;
	r = futex_word_init(&from, addr1, shared, false);
	if (!r)
		r = futex_word_init(&to, addr2, shared, true);
	if (!r && futex_key_equal(&from.key, &to.key))
		r = -EINVAL;
	if (!r && !spare && !(spare = kzalloc(sizeof(*spare))))
		r = -ENOMEM;
	if (r)
		goto out;
	list_init(&spare->owner_link);
	futex_lock_two(from.bucket, to.bucket);
	if (user_load32_nofault(addr1, &val)) {
		futex_unlock_two(from.bucket, to.bucket);
		r = mm_fault_in(current->mm, addr1.v, false);
		if (r)
			goto out;
		goto again;
	}
	if (val != cmpval) {
		r = -EAGAIN;
		goto unlock;
	}
	top = top_waiter(&from);
	if (!top)
		goto unlock;
	if (!top->requeue_pi || top->pi || !futex_key_equal(&top->key2, &to.key)) {
		r = -EINVAL;
		goto unlock;
	}
	r = try_acquire(&to, top->task, false, nr_requeue > 0, &spare, &state);
	if (r == -EFAULT || r == -EAGAIN) {
		futex_unlock_two(from.bucket, to.bucket);
		r = recover(&to, r);
		if (r)
			goto out;
		goto again;
	}
	if (r == ACQUIRED) {
		WRITE_ONCE(top->owned, true);
		futex_wake_q(top);
		n = 1;
		r = 0;
		if (!nr_requeue || !any_waiter(&from))
			goto unlock;
		/* The rest waits for the one that has just become owner. */
		r = try_acquire(&to, current, false, false, &spare, &state);
		if (r)
			goto unlock;
	}
	if (r < 0)
		goto unlock;
	state->waiters++; /* ours, while we move */
	r = move_waiters(&from, &to, state, nr_requeue + (n ? 0 : 1));
	state_put(state);
	if (r >= 0) {
		n += r;
		r = 0;
	}
unlock:
	futex_unlock_two(from.bucket, to.bucket);
out:
	kfree(spare);
	return r ? (n && r != -EFAULT ? n : r) : n;
}
