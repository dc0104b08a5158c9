/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks. Ring 0 is never preempted by the Sentry itself, so a spinlock needs no interrupt masking; the host may
 * preempt the vCPU that holds one, so a waiter spins a bounded number of times and then yields by hostcall.
 * A task that holds a spinlock must not sleep, fault on user memory, or make a hostcall that blocks.
 *
 * Global order, outermost first (a subsystem's own order is stated in its header):
 *   file position mutex > pipe mutex > rename lock > inode mutex (parent before child) > mm->lock (rwsem) >
 *   tasklist lock > signal lock > inode/dentry/page-cache spinlocks > page-table spinlock > wait-queue lock >
 *   run-queue lock > page allocator, slab > log
 */
#ifndef TASK_LOCK_H
#define TASK_LOCK_H

#include "lib/atomic.h"
#include "lib/list.h"

typedef struct {
	uint32_t locked;
} spinlock_t;

#define SPINLOCK_INIT {0}

void spin_lock_slow(spinlock_t *l);
static inline void spin_init(spinlock_t *l) { l->locked = 0; }
static inline bool spin_trylock(spinlock_t *l) { return !__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE); }
static inline void spin_lock(spinlock_t *l)
{
	if (unlikely(!spin_trylock(l)))
		spin_lock_slow(l);
}
static inline void spin_unlock(spinlock_t *l) { __atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE); }

struct task;

/* Sleeping mutex, FIFO hand-over. Not recursive. Uninterruptible unless said. */
struct mutex {
	spinlock_t lock;
	struct task *owner;        /* protected by lock */
	struct list_node waiters;  /* protected by lock */
};

#define MUTEX_INIT(m) { SPINLOCK_INIT, NULL, LIST_INIT((m).waiters) }

void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
/* 0 or -EINTR when a signal is pending. */
int mutex_lock_interruptible(struct mutex *m) MUST_CHECK;
void mutex_unlock(struct mutex *m);

/* Sleeping reader-writer lock; a waiting writer holds new readers back. Not recursive. */
struct rwsem {
	spinlock_t lock;
	int32_t count;             /* readers, or -1 for a writer; protected by lock */
	struct list_node waiters;  /* protected by lock */
};

#define RWSEM_INIT(s) { SPINLOCK_INIT, 0, LIST_INIT((s).waiters) }

void rwsem_init(struct rwsem *s);
void rwsem_read_lock(struct rwsem *s);
void rwsem_read_unlock(struct rwsem *s);
void rwsem_write_lock(struct rwsem *s);
void rwsem_write_unlock(struct rwsem *s);

#endif
