/* SPDX-License-Identifier: Apache-2.0 */
/* Wait queues and the steps of a sleep (wait_queue.h). */
#include "task/wait_queue.h"

#include "lib/log.h"
#include "signal/signal.h"
#include "task/task.h"
#include "time/timer.h"

void wait_queue_init(struct wait_queue *q)
{
	spin_init(&q->lock);
	list_init(&q->waiters);
}

static bool waiter_wake_task(struct waiter *w, uint32_t events)
{
	return task_wake(w->task);
}

void waiter_init(struct waiter *w)
{
	list_init(&w->link);
	w->fn = waiter_wake_task;
	w->task = current;
	w->exclusive = false;
}

/* Exclusive waiters go behind the others, so that a wake-up reaches every non-exclusive one first. */
void wait_queue_add(struct wait_queue *q, struct waiter *w)
{
	spin_lock(&q->lock);
	if (w->exclusive)
		list_add_tail(&w->link, &q->waiters);
	else
		list_add(&w->link, &q->waiters);
	spin_unlock(&q->lock);
}

void wait_queue_remove(struct wait_queue *q, struct waiter *w)
{
	spin_lock(&q->lock);
	list_del(&w->link);
	spin_unlock(&q->lock);
}

void wake_up_nr(struct wait_queue *q, int nr, uint32_t events)
{
	struct waiter *w, *next;

	/* A task registers first and looks at its condition then; the change was made before this call. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (list_empty(&q->waiters))
		return;
	spin_lock(&q->lock);
	list_for_each_entry_safe(w, next, &q->waiters, link) {
		bool exclusive = w->exclusive;
		if (exclusive && nr <= 0)
			break;
		if (w->fn(w, events) && exclusive)
			nr--;
	}
	spin_unlock(&q->lock);
}

static void set_state(uint32_t state, bool killable)
{
	struct task *t = current;

	t->sched.killable = killable;
	/* A full barrier: the condition is read after the state is visible to wakers. */
	(void)atomic_xchg(&t->sched.state, state);
}

void task_prepare_wait(bool interruptible)
{
	set_state(interruptible ? TASK_INTERRUPTIBLE : TASK_UNINTERRUPTIBLE, false);
}

void task_prepare_wait_killable(void)
{
	set_state(TASK_UNINTERRUPTIBLE, true);
}

void task_finish_wait(void)
{
	set_state(TASK_RUNNING, false);
}

struct sleep_timer {
	struct ktimer timer;
	struct task *task;
	bool fired;
};

static void sleep_timer_fn(struct ktimer *k)
{
	struct sleep_timer *s = container_of(k, struct sleep_timer, timer);

	atomic_store(&s->fired, true);
	task_wake(s->task);
}

static bool sleep_interrupted(struct task *t)
{
	if (READ_ONCE(t->sched.state) == TASK_INTERRUPTIBLE)
		return signal_pending(t);
	return t->sched.killable && fatal_signal_pending(t);
}

int task_sleep(uint64_t deadline)
{
	struct task *t = current;
	struct sleep_timer s = {.task = t};

	if (sleep_interrupted(t)) {
		task_finish_wait();
		return -ERESTARTSYS;
	}
	if (READ_ONCE(t->sched.state) == TASK_RUNNING)
		return 0; /* woken between prepare and here */
	if (deadline == DEADLINE_NEVER) {
		schedule();
		return 0;
	}
	if (clock_monotonic() >= deadline) {
		task_finish_wait();
		return -ETIMEDOUT;
	}
	timer_init(&s.timer, sleep_timer_fn);
	timer_arm(&s.timer, deadline);
	schedule();
	timer_cancel(&s.timer);
	return atomic_load(&s.fired) ? -ETIMEDOUT : 0;
}
