// SPDX-License-Identifier: Apache-2.0
/*
 * Kernel timers: a red-black tree by deadline under one spinlock. Each vCPU asks for the next deadline when it goes to
 * ring 3 or idle, so a timer armed on one vCPU needs no message to another. Callbacks run one at a time per timer,
 * without the lock.
 */
#include "time/timer.h"

#include "arch/cpu.h"
#include "task/wait_queue.h"

static struct {
	spinlock_t lock;
	struct rb_root root;   /* lock */
} timers;
uint64_t timers_earliest = DEADLINE_NEVER;

void timer_init(struct ktimer *t, void (*fn)(struct ktimer *))
{
	*t = (struct ktimer){.fn = fn};
}

/* Caller holds timers.lock. */
static void update_next(void)
{
	struct rb_node *first = rb_first(&timers.root);

	atomic_store(&timers_earliest, first ? rb_entry(first, struct ktimer, node)->deadline : DEADLINE_NEVER);
}

/* Caller holds timers.lock. */
static void unlink_timer(struct ktimer *t)
{
	rb_erase(&timers.root, &t->node);
	t->armed = false;
}

void timer_arm(struct ktimer *t, uint64_t deadline)
{
	struct rb_node **link = &timers.root.node, *parent = NULL;

	spin_lock(&timers.lock);
	if (t->armed)
		unlink_timer(t);
	t->deadline = deadline;
	if (deadline != DEADLINE_NEVER) {
		while (*link) {
			parent = *link;
			link = deadline < rb_entry(parent, struct ktimer, node)->deadline ? &parent->left : &parent->right;
		}
		rb_link(&t->node, parent, link);
		rb_insert_fixup(&timers.root, &t->node);
		t->armed = true;
	}
	update_next();
	spin_unlock(&timers.lock);
}

bool timer_cancel(struct ktimer *t)
{
	bool was = false;

	spin_lock(&timers.lock);
	for (unsigned spins = 1;; spins++) {
		if (t->armed) {
			unlink_timer(t);
			update_next();
			was = true;
		}
		/* A running callback may re-arm: look again once it is done. */
		if (!t->running)
			break;
		spin_unlock(&timers.lock);
		cpu_relax();
		if (spins % 256 == 0)
			hostcall0(HC_YIELD);
		spin_lock(&timers.lock);
	}
	spin_unlock(&timers.lock);
	return was;
}

uint64_t timers_run(void)
{
	uint64_t now;

	if (timers_next() == DEADLINE_NEVER)
		return DEADLINE_NEVER;
	now = clock_monotonic();
	if (timers_next() > now)
		return timers_next();
	spin_lock(&timers.lock);
	for (struct rb_node *n = rb_first(&timers.root); n; n = rb_first(&timers.root)) {
		struct ktimer *t = rb_entry(n, struct ktimer, node);

		/* now is not read again: a callback that re-arms for a moment ago cannot hold this vCPU for ever. */
		if (t->deadline > now)
			break;
		if (t->running) /* re-armed for the past while another vCPU is still in it: that one will look again */
			break;
		unlink_timer(t);
		t->running = true;
		update_next();
		spin_unlock(&timers.lock);
		t->fn(t);
		spin_lock(&timers.lock);
		t->running = false;
	}
	spin_unlock(&timers.lock);
	return timers_next();
}
