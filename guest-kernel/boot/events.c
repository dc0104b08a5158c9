/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event ring. The host writes events and moves head; whoever holds event_lock takes them and moves tail. What the
 * host wrote is copied before it is looked at. A consumer that finds the lock taken leaves: the holder looks again
 * after it let go.
 */
#include "boot/events.h"

#include "boot/boot.h"
#include "fs/container_fs.h"
#include "lib/log.h"
#include "net/host_sock.h"
#include "task/container.h"
#include "task/wait_queue.h"

#define ASYNC_SLOTS 64

enum { ASYNC_FREE, ASYNC_PENDING, ASYNC_DONE };

static struct {
	spinlock_t lock; /* event_lock: consumer of the ring */
	spinlock_t async_lock;
	struct {
		uint32_t state, generation;
		int64_t result;
	} async[ASYNC_SLOTS]; /* async_lock */
	struct wait_queue async_wait;
	bool net_watched; /* only ever set */
} events;

void events_init(void)
{
	wait_queue_init(&events.async_wait);
}

static uint32_t token_of(uint32_t slot)
{
	return (events.async[slot].generation << 8 | slot) + 1;
}

/* The slot of a token in the wanted state, or -1. async_lock held. */
static int slot_of(uint32_t token, uint32_t state)
{
	uint32_t slot = (token - 1) & 0xff;

	if (!token || slot >= ASYNC_SLOTS || events.async[slot].state != state || token_of(slot) != token)
		return -1;
	return (int)slot;
}

uint32_t async_token(void)
{
	uint32_t token = 0;

	spin_lock(&events.async_lock);
	for (uint32_t i = 0; i < ASYNC_SLOTS && !token; i++) {
		if (events.async[i].state != ASYNC_FREE)
			continue;
		events.async[i].state = ASYNC_PENDING;
		events.async[i].generation = (events.async[i].generation + 1) & 0xfffff;
		token = token_of(i);
	}
	spin_unlock(&events.async_lock);
	return token;
}

static void async_complete(uint32_t token, int64_t result)
{
	spin_lock(&events.async_lock);
	int slot = slot_of(token, ASYNC_PENDING);
	if (slot >= 0) {
		events.async[slot].result = result;
		events.async[slot].state = ASYNC_DONE;
	}
	spin_unlock(&events.async_lock);
	if (slot >= 0)
		wake_up_all(&events.async_wait);
}

static bool async_take(uint32_t token, int64_t *result)
{
	spin_lock(&events.async_lock);
	int slot = slot_of(token, ASYNC_DONE);
	if (slot >= 0) {
		*result = events.async[slot].result;
		events.async[slot].state = ASYNC_FREE;
	}
	spin_unlock(&events.async_lock);
	return slot >= 0;
}

int64_t async_wait(uint32_t token)
{
	int64_t result = 0;

	wait_event(&events.async_wait, async_take(token, &result));
	return result;
}

void async_cancel(uint32_t token)
{
	spin_lock(&events.async_lock);
	int slot = slot_of(token, ASYNC_PENDING);
	if (slot >= 0)
		events.async[slot].state = ASYNC_FREE;
	spin_unlock(&events.async_lock);
}

static void handle(const struct event *e)
{
	switch (e->type) {
	case EV_IO:
		host_io_event(e->id, (uint32_t)e->arg);
		break;
	case EV_NET:
		host_sock_event(e->id, (uint32_t)e->arg);
		break;
	case EV_CONTROL:
		control_wake();
		break;
	case EV_SIGNAL:
		container_host_signal((int)e->id);
		break;
	case EV_DONE:
		async_complete(e->id, e->arg);
		break;
	default:
		pr_debug("unknown event %u from the host", e->type);
	}
}

static bool ring_empty(struct event_ring *r)
{
	return atomic_load(&r->head) == READ_ONCE(r->tail);
}

/* As events_drain, but nothing is under way elsewhere on return. */
static void settle(void)
{
	events_drain();
	/* Whoever had the lock meanwhile has taken the rest, and handles it before it lets go. */
	spin_lock(&events.lock);
	spin_unlock(&events.lock);
}

void events_net_watched(void)
{
	WRITE_ONCE(events.net_watched, true);
	settle();
}

void events_refresh(void)
{
	if (!READ_ONCE(events.net_watched))
		return;
	hostcall0(HC_NET_EVENTS);
	settle();
}

void events_drain(void)
{
	struct event_ring *r = &boot_shared()->events;

	while (!ring_empty(r)) {
		if (!spin_trylock(&events.lock))
			return;
		while (!ring_empty(r)) {
			struct event e = r->ev[r->tail % EVENT_RING_SIZE];
			atomic_store(&r->tail, r->tail + 1);
			handle(&e);
		}
		spin_unlock(&events.lock);
		/* Whoever found the lock taken relies on the look at the ring after it was given up. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
}
