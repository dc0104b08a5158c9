// SPDX-License-Identifier: Apache-2.0
/*
 * futex(2): wait, wake, requeue, wake_op. The value is read under the bucket's lock, without faulting; when the page is
 * not there the lock is dropped, the page brought in, and the attempt repeated. So a waker that changes the word first
 * either finds the waiter queued or the waiter sees the new value.
 */
#include "task/futex_impl.h"

#include "lib/string.h"

#define FUTEX_BUCKETS 256 /* power of two */

static struct futex_bucket buckets[FUTEX_BUCKETS];

struct futex_bucket *futex_bucket_of(const struct futex_key *k)
{
	uint64_t h = (k->object ^ (k->offset >> 2)) * 0x9e3779b97f4a7c15UL;

	h ^= k->offset * 0xc2b2ae3d27d4eb4fUL;
	return &buckets[(h >> 40) % FUTEX_BUCKETS];
}

/* Buckets start as zeros: their lists are made under the lock on first use. */
static void bucket_lock(struct futex_bucket *b)
{
	spin_lock(&b->lock);
	if (unlikely(!b->waiters.next))
		list_init(&b->waiters);
}

int futex_word_init(struct futex_word *w, uva_t addr, bool shared, bool write)
{
	int err;

	if (addr.v % sizeof(uint32_t))
		return -EINVAL;
	if (addr.v >= USER_MAX)
		return -EFAULT;
	w->addr = addr;
	w->shared = shared;
	err = mm_futex_key(addr, shared, write, &w->key);
	if (!err)
		w->bucket = futex_bucket_of(&w->key);
	return err;
}

void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	bucket_lock(a < b ? a : b);
	if (a != b)
		bucket_lock(a < b ? b : a);
}

void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

void futex_q_init(struct futex_q *q, uint32_t bitset)
{
	memset(q, 0, sizeof(*q));
	list_init(&q->link);
	q->task = current;
	q->bitset = bitset;
}

void futex_enqueue(struct futex_q *q, const struct futex_word *w)
{
	q->key = w->key;
	q->bucket = w->bucket;
	list_add_tail(&q->link, &w->bucket->waiters);
}

void futex_wake_q(struct futex_q *q)
{
	list_del(&q->link);
	task_wake(q->task);
}

void futex_move(struct futex_q *q, const struct futex_word *to)
{
	list_del(&q->link);
	q->key = to->key;
	WRITE_ONCE(q->bucket, to->bucket);
	list_add_tail(&q->link, &to->bucket->waiters);
}

void futex_q_lock(struct futex_q *q)
{
	for (;;) {
		struct futex_bucket *b = READ_ONCE(q->bucket);

		bucket_lock(b);
		if (q->bucket == b)
			return;
		spin_unlock(&b->lock);
	}
}

int futex_sleep(struct futex_q *q, uint64_t deadline)
{
	int r = 0;

	while (!r) {
		task_prepare_wait(true);
		if (READ_ONCE(q->link.next) == &q->link || READ_ONCE(q->owned))
			break;
		r = task_sleep(deadline);
	}
	task_finish_wait();
	return r;
}

int futex_wait_setup(struct futex_q *q, struct futex_word *w, uint32_t val)
{
	uint32_t now;

	bucket_lock(w->bucket);
	while (user_load32_nofault(w->addr, &now)) {
		spin_unlock(&w->bucket->lock);
		int err = mm_fault_in(current->mm, w->addr.v, false);

		/* A page that was replaced may have another key. */
		if (!err)
			err = futex_word_init(w, w->addr, w->shared, false);
		if (err)
			return err;
		bucket_lock(w->bucket);
	}
	if (now == val)
		futex_enqueue(q, w);
	spin_unlock(&w->bucket->lock);
	return now == val ? 0 : -EWOULDBLOCK;
}

/* Leaves the queue. True if someone woke us. */
static bool leave(struct futex_q *q)
{
	bool woken;

	futex_q_lock(q);
	woken = list_empty(&q->link);
	list_del(&q->link);
	spin_unlock(&q->bucket->lock);
	return woken;
}

int futex_wait(uva_t addr, bool shared, uint32_t val, uint64_t deadline, uint32_t bitset)
{
	struct futex_word w;
	struct futex_q q;
	int r;

	if (!bitset)
		return -EINVAL;
	r = futex_word_init(&w, addr, shared, false);
	if (r)
		return r;
	futex_q_init(&q, bitset);
	r = futex_wait_setup(&q, &w, val);
	if (r)
		return r;
	r = futex_sleep(&q, deadline);
	return leave(&q) ? 0 : r;
}

static bool matches(const struct futex_q *q, const struct futex_key *k) { return futex_key_equal(&q->key, k); }

/* Wakes up to nr waiters of w. Number or -EINVAL (PI waiters). Caller holds the bucket's lock. */
static int wake_locked(const struct futex_word *w, int nr, uint32_t bitset)
{
	struct futex_q *q, *tmp;
	int n = 0;

	list_for_each_entry_safe(q, tmp, &w->bucket->waiters, link) {
		if (!matches(q, &w->key))
			continue;
		if (q->pi || q->requeue_pi)
			return -EINVAL;
		if (!(q->bitset & bitset))
			continue;
		futex_wake_q(q);
		if (++n >= nr)
			break;
	}
	return n;
}

int futex_wake(uva_t addr, bool shared, int nr, uint32_t bitset)
{
	struct futex_word w;
	int r;

	if (!bitset)
		return -EINVAL;
	r = futex_word_init(&w, addr, shared, false);
	if (r)
		return r;
	bucket_lock(w.bucket);
	r = wake_locked(&w, nr, bitset);
	spin_unlock(&w.bucket->lock);
	return r;
}

int futex_wake_user(uva_t addr, bool shared, int nr) { return futex_wake(addr, shared, nr, FUTEX_BITSET_MATCH_ANY); }

/* Both keys, and both locks with the value of addr1 in *val when wanted. */
static int lock_words(struct futex_word *a, struct futex_word *b, uint32_t *val)
{
	for (;;) {
		int err;

		futex_lock_two(a->bucket, b->bucket);
		if (!val || !user_load32_nofault(a->addr, val))
			return 0;
		futex_unlock_two(a->bucket, b->bucket);
		err = mm_fault_in(current->mm, a->addr.v, false);
		if (!err)
			err = futex_word_init(a, a->addr, a->shared, false);
		if (err)
			return err;
	}
}

int futex_requeue(uva_t addr1, uva_t addr2, bool shared, int nr_wake, int nr_requeue, const uint32_t *cmpval)
{
	struct futex_word from, to;
	struct futex_q *q, *tmp;
	uint32_t val;
	int r, n = 0;

	if (nr_wake < 0 || nr_requeue < 0)
		return -EINVAL;
	r = futex_word_init(&from, addr1, shared, false);
	if (!r)
		r = futex_word_init(&to, addr2, shared, false);
	if (!r)
		r = lock_words(&from, &to, cmpval ? &val : NULL);
	if (r)
		return r;
	if (cmpval && val != *cmpval) {
		r = -EAGAIN;
		goto out;
	}
	list_for_each_entry_safe(q, tmp, &from.bucket->waiters, link) {
		if (n - nr_wake >= nr_requeue)
			break;
		if (!matches(q, &from.key))
			continue;
		if (q->pi || q->requeue_pi) {
			r = -EINVAL;
			break;
		}
		if (++n <= nr_wake)
			futex_wake_q(q);
		else if (!futex_key_equal(&from.key, &to.key))
			futex_move(q, &to);
	}
out:
	futex_unlock_two(from.bucket, to.bucket);
	return r ? r : n;
}

static int op_result(uint32_t encoded, uint32_t old, uint32_t *new)
{
	uint32_t op = encoded >> 28 & 7;
	int32_t arg = (int32_t)(encoded << 8) >> 20;

	if (encoded >> 28 & FUTEX_OP_OPARG_SHIFT)
		arg = (int32_t)(1u << (arg & 31));
	switch (op) {
	case FUTEX_OP_SET:
		*new = (uint32_t)arg;
		return 0;
	case FUTEX_OP_ADD:
		*new = old + (uint32_t)arg;
		return 0;
	case FUTEX_OP_OR:
		*new = old | (uint32_t)arg;
		return 0;
	case FUTEX_OP_ANDN:
		*new = old & ~(uint32_t)arg;
		return 0;
	case FUTEX_OP_XOR:
		*new = old ^ (uint32_t)arg;
		return 0;
	default:
		return -ENOSYS;
	}
}

/* 0 or 1, or -ENOSYS. */
static int op_compare(uint32_t encoded, uint32_t old)
{
	int32_t arg = (int32_t)(encoded << 20) >> 20, v = (int32_t)old;

	switch (encoded >> 24 & 15) {
	case FUTEX_OP_CMP_EQ:
		return v == arg;
	case FUTEX_OP_CMP_NE:
		return v != arg;
	case FUTEX_OP_CMP_LT:
		return v < arg;
	case FUTEX_OP_CMP_GE:
		return v >= arg;
	case FUTEX_OP_CMP_LE:
		return v <= arg;
	case FUTEX_OP_CMP_GT:
		return v > arg;
	default:
		return -ENOSYS;
	}
}

/* The read-modify-write of wake_op with locks held: 0 with the old value, -EFAULT, -ENOSYS. */
static int apply_op(uva_t addr, uint32_t encoded, uint32_t *old)
{
	uint32_t expect, new;
	int err;

	if (user_load32_nofault(addr, &expect))
		return -EFAULT;
	for (;;) {
		err = op_result(encoded, expect, &new);
		if (err)
			return err;
		if (user_cmpxchg32_nofault(addr, expect, new, old))
			return -EFAULT;
		if (*old == expect)
			return 0;
		expect = *old;
	}
}

int futex_wake_op(uva_t addr1, uva_t addr2, bool shared, int nr_wake, int nr_wake2, uint32_t op)
{
	struct futex_word w1, w2;
	uint32_t old;
	int r, n;

	for (;;) {
		r = futex_word_init(&w1, addr1, shared, false);
		if (!r)
			r = futex_word_init(&w2, addr2, shared, true);
		if (r)
			return r;
		futex_lock_two(w1.bucket, w2.bucket);
		r = apply_op(addr2, op, &old);
		if (r != -EFAULT)
			break;
		futex_unlock_two(w1.bucket, w2.bucket);
		r = mm_fault_in(current->mm, addr2.v, true);
		if (r)
			return r;
	}
	if (!r)
		r = op_compare(op, old);
	if (r < 0)
		goto out;
	n = wake_locked(&w1, nr_wake, FUTEX_BITSET_MATCH_ANY);
	if (n >= 0 && r) {
		r = wake_locked(&w2, nr_wake2, FUTEX_BITSET_MATCH_ANY);
		n = r < 0 ? r : n + r;
	}
	r = n;
out:
	futex_unlock_two(w1.bucket, w2.bucket);
	return r;
}
