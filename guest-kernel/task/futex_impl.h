/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the futex code. Waiters stand in hash buckets by key. A waiter's queue entry lives on its stack; whoever wakes
 * it does all of that under the bucket's lock, and the waiter passes through that lock before it leaves.
 *
 * Locks: bucket (two in address order) > pi_lock.
 */
#ifndef TASK_FUTEX_IMPL_H
#define TASK_FUTEX_IMPL_H

#include <linux/futex.h>

#include "mm/mm.h"
#include "task/futex.h"

struct futex_bucket {
	spinlock_t lock;
	struct list_node waiters; /* struct futex_q, in order of arrival */
};

/* An owned PI futex that has waiters. */
struct pi_state {
	uint32_t waiters;            /* references; lock of the key's bucket */
	struct futex_key key;        /* immutable */
	struct task *owner;          /* pi_lock; leaves through futex_exit before it dies */
	struct list_node owner_link; /* owner->pi_held; pi_lock */
};

/* All fields: lock of bucket. */
struct futex_q {
	struct list_node link;       /* empty: woken */
	struct futex_bucket *bucket; /* where it stands or last stood */
	struct futex_key key;
	struct task *task;
	uint32_t bitset;
	struct pi_state *pi;         /* waits for a PI futex */
	bool requeue_pi;             /* FUTEX_WAIT_REQUEUE_PI: to go to key2 */
	struct futex_key key2;
	bool owned;                  /* the PI futex was handed to us */
	bool fixup;                  /* and the word does not say so yet: the old owner died */
};

struct futex_word {
	uva_t addr;
	bool shared;
	struct futex_key key;
	struct futex_bucket *bucket;
};

static inline bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->object == b->object && a->offset == b->offset;
}

/* Checks alignment, finds key and bucket. 0, -EINVAL, -EFAULT. */
int futex_word_init(struct futex_word *w, uva_t addr, bool shared, bool write) MUST_CHECK;
void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b);
void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b);
void futex_q_init(struct futex_q *q, uint32_t bitset);
/* Under the bucket's lock. */
void futex_enqueue(struct futex_q *q, const struct futex_word *w);
void futex_wake_q(struct futex_q *q);
void futex_move(struct futex_q *q, const struct futex_word *to);
/* Locks the bucket that q stands in. */
void futex_q_lock(struct futex_q *q);
/* Sleeps until woken or handed the lock: 0, -ETIMEDOUT, -ERESTARTSYS; the caller then passes through futex_q_lock. */
int futex_sleep(struct futex_q *q, uint64_t deadline);
/* Queues on w if its value is val, holding no lock afterwards. 0, -EWOULDBLOCK, -EFAULT, -EINVAL. */
int futex_wait_setup(struct futex_q *q, struct futex_word *w, uint32_t val) MUST_CHECK;

int futex_wait(uva_t addr, bool shared, uint32_t val, uint64_t deadline, uint32_t bitset);
int futex_wake(uva_t addr, bool shared, int nr, uint32_t bitset);
int futex_requeue(uva_t addr1, uva_t addr2, bool shared, int nr_wake, int nr_requeue, const uint32_t *cmpval);
int futex_wake_op(uva_t addr1, uva_t addr2, bool shared, int nr_wake, int nr_wake2, uint32_t op);

int futex_lock_pi(uva_t addr, bool shared, uint64_t deadline, bool trylock);
int futex_unlock_pi(uva_t addr, bool shared);
int futex_wait_requeue_pi(uva_t addr1, bool shared, uint32_t val, uint64_t deadline, uint32_t bitset, uva_t addr2);
int futex_cmp_requeue_pi(uva_t addr1, uva_t addr2, bool shared, int nr_wake, int nr_requeue, uint32_t cmpval);
/* Hands every PI futex of the current task to its first waiter; none can be added afterwards. */
void futex_pi_exit(struct task *t);
void futex_pi_revive(struct task *t); /* after exec */
struct futex_bucket *futex_bucket_of(const struct futex_key *k);

#endif
