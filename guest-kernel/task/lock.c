/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slow paths of the locks. Sleeping locks hand over: the one who releases gives the lock to the first waiter, which
 * then owns it when it wakes. Before it sleeps a mutex waiter spins for a moment, since waking a task on another vCPU
 * costs far more than most critical sections last.
 */
#include "task/lock.h"

#include "arch/cpu.h"
#include "lib/log.h"
#include "signal/signal.h"
#include "task/task.h"

#define SPIN_BOUND   2000 /* rounds before a spinlock waiter yields the host CPU */
#define MUTEX_SPINS  500

void spin_lock_slow(spinlock_t *l)
{
	for (unsigned n = 1;; n++) {
		if (!READ_ONCE(l->locked) && spin_trylock(l))
			return;
		cpu_relax();
		if (n % SPIN_BOUND == 0)
			(void)hostcall0(HC_YIELD);
	}
}

/* ---- mutex ---- */
struct lock_waiter {
	struct list_node link;
	struct task *task;
	bool writer;
	bool granted; /* the lock is ours; protected by the lock's spinlock, read by the waiter */
};

void mutex_init(struct mutex *m)
{
	spin_init(&m->lock);
	m->owner = NULL;
	list_init(&m->waiters);
}

bool mutex_trylock(struct mutex *m)
{
	bool got = false;

	spin_lock(&m->lock);
	if (!m->owner) {
		m->owner = current;
		got = true;
	}
	spin_unlock(&m->lock);
	return got;
}

static bool mutex_spin(struct mutex *m)
{
	for (int i = 0; i < MUTEX_SPINS && list_empty(&m->waiters); i++) {
		if (!READ_ONCE(m->owner) && mutex_trylock(m))
			return true;
		cpu_relax();
	}
	return false;
}

static int mutex_lock_common(struct mutex *m, bool interruptible)
{
	struct lock_waiter w = {.task = current};

	BUG_ON(READ_ONCE(m->owner) == current);
	if (mutex_trylock(m) || mutex_spin(m))
		return 0;
	spin_lock(&m->lock);
	if (!m->owner) {
		m->owner = current;
		spin_unlock(&m->lock);
		return 0;
	}
	list_add_tail(&w.link, &m->waiters);
	spin_unlock(&m->lock);
	for (;;) {
		task_prepare_wait(interruptible);
		if (atomic_load(&w.granted))
			break;
		if (task_sleep(DEADLINE_NEVER) == 0)
			continue;
		spin_lock(&m->lock);
		if (w.granted) {
			spin_unlock(&m->lock);
			break;
		}
		list_del(&w.link);
		spin_unlock(&m->lock);
		task_finish_wait();
		return -EINTR;
	}
	task_finish_wait();
	return 0;
}

void mutex_lock(struct mutex *m)
{
	(void)mutex_lock_common(m, false);
}

int mutex_lock_interruptible(struct mutex *m)
{
	return mutex_lock_common(m, true);
}

void mutex_unlock(struct mutex *m)
{
	struct task *next = NULL;

	spin_lock(&m->lock);
	BUG_ON(m->owner != current);
	if (!list_empty(&m->waiters)) {
		struct lock_waiter *w = list_first(&m->waiters, struct lock_waiter, link);
		list_del(&w->link);
		next = w->task;
		task_get(next); /* w is gone once granted is seen */
		m->owner = next;
		atomic_store(&w->granted, true);
	} else {
		m->owner = NULL;
	}
	spin_unlock(&m->lock);
	if (next) {
		task_wake(next);
		task_put(next);
	}
}

/* ---- rwsem ---- */
void rwsem_init(struct rwsem *s)
{
	spin_init(&s->lock);
	s->count = 0;
	list_init(&s->waiters);
}

static bool rwsem_may_enter(const struct rwsem *s, bool writer)
{
	return writer ? s->count == 0 : s->count >= 0;
}

static void rwsem_lock(struct rwsem *s, bool writer)
{
	struct lock_waiter w = {.task = current, .writer = writer};

	spin_lock(&s->lock);
	if (list_empty(&s->waiters) && rwsem_may_enter(s, writer)) {
		s->count += writer ? -1 : 1;
		spin_unlock(&s->lock);
		return;
	}
	list_add_tail(&w.link, &s->waiters);
	spin_unlock(&s->lock);
	for (;;) {
		task_prepare_wait(false);
		if (atomic_load(&w.granted))
			break;
		(void)task_sleep(DEADLINE_NEVER);
	}
	task_finish_wait();
}

/* Grants the lock to the waiters at the head that may hold it together. */
static void rwsem_unlock(struct rwsem *s, bool writer)
{
	spin_lock(&s->lock);
	BUG_ON(writer ? s->count != -1 : s->count <= 0);
	s->count += writer ? 1 : -1;
	while (!list_empty(&s->waiters)) {
		struct lock_waiter *w = list_first(&s->waiters, struct lock_waiter, link);
		struct task *t = w->task;
		if (!rwsem_may_enter(s, w->writer))
			break;
		s->count += w->writer ? -1 : 1;
		list_del(&w->link);
		task_get(t);
		atomic_store(&w->granted, true);
		task_wake(t);
		task_put(t);
	}
	spin_unlock(&s->lock);
}

void rwsem_read_lock(struct rwsem *s)
{
	rwsem_lock(s, false);
}

void rwsem_read_unlock(struct rwsem *s)
{
	rwsem_unlock(s, false);
}

void rwsem_write_lock(struct rwsem *s)
{
	rwsem_lock(s, true);
}

void rwsem_write_unlock(struct rwsem *s)
{
	rwsem_unlock(s, true);
}
