/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wait queues. A waiter is either a sleeping task (wait_event and friends) or a callback (poll, epoll).
 * Callbacks run under the queue's spinlock and must not sleep or wake the same queue.
 */
#ifndef TASK_WAIT_QUEUE_H
#define TASK_WAIT_QUEUE_H

#include "task/lock.h"

struct waiter;
/* Called under the queue's lock. Returns true if it "used up" a wake-one (exclusive) wake-up. */
typedef bool (*waiter_fn)(struct waiter *w, uint32_t events);

struct waiter {
	struct list_node link;
	waiter_fn fn;
	struct task *task;      /* for sleeping tasks */
	bool exclusive;
};

struct wait_queue {
	spinlock_t lock;
	struct list_node waiters; /* protected by lock */
};

#define WAIT_QUEUE_INIT(q) { SPINLOCK_INIT, LIST_INIT((q).waiters) }

void wait_queue_init(struct wait_queue *q);
/* waiter with the default callback: wakes the current task. */
void waiter_init(struct waiter *w);
void wait_queue_add(struct wait_queue *q, struct waiter *w);
void wait_queue_remove(struct wait_queue *q, struct waiter *w);
/* Wakes every non-exclusive waiter and up to nr exclusive ones. events: EPOLL* bits passed to callbacks (0: all). */
void wake_up_nr(struct wait_queue *q, int nr, uint32_t events);
static inline void wake_up_all(struct wait_queue *q) { wake_up_nr(q, 0x7fffffff, 0); }
static inline void wake_up_one(struct wait_queue *q) { wake_up_nr(q, 1, 0); }
static inline void wake_up_poll(struct wait_queue *q, uint32_t events) { wake_up_nr(q, 0x7fffffff, events); }

/* One step of a sleep: see the macros. task_prepare_wait sets the state; task_sleep schedules away unless woken or
 * (interruptible) a signal is pending. Result of task_sleep: 0 woken, -ETIMEDOUT, -ERESTARTSYS.
 * deadline: CLOCK_MONOTONIC ns, DEADLINE_NEVER for none. */
#define DEADLINE_NEVER UINT64_MAX
void task_prepare_wait(bool interruptible);
void task_prepare_wait_killable(void); /* only fatal signals end the sleep, with -ERESTARTSYS */
int task_sleep(uint64_t deadline);
void task_finish_wait(void);

#define wait_event_common(q, cond, interruptible, deadline) ({ \
	int _r = 0; \
	if (!(cond)) { \
		struct waiter _w; \
		waiter_init(&_w); \
		wait_queue_add((q), &_w); \
		for (;;) { \
			task_prepare_wait(interruptible); \
			if (cond) { _r = 0; break; } \
			if (_r) break; \
			_r = task_sleep(deadline); \
		} \
		task_finish_wait(); \
		wait_queue_remove((q), &_w); \
	} \
	_r; })

/* 0, or -ERESTARTSYS when the task is being killed. */
#define wait_event_killable(q, cond) ({ \
	int _r = 0; \
	if (!(cond)) { \
		struct waiter _w; \
		waiter_init(&_w); \
		wait_queue_add((q), &_w); \
		for (;;) { \
			task_prepare_wait_killable(); \
			if (cond) { _r = 0; break; } \
			if (_r) break; \
			_r = task_sleep(DEADLINE_NEVER); \
		} \
		task_finish_wait(); \
		wait_queue_remove((q), &_w); \
	} \
	_r; })

/* Uninterruptible. */
#define wait_event(q, cond) ((void)wait_event_common(q, cond, false, DEADLINE_NEVER))
/* 0 or -ERESTARTSYS. */
#define wait_event_interruptible(q, cond) wait_event_common(q, cond, true, DEADLINE_NEVER)
/* 0, -ETIMEDOUT or -ERESTARTSYS. */
#define wait_event_interruptible_deadline(q, cond, deadline) wait_event_common(q, cond, true, deadline)

#endif
