// SPDX-License-Identifier: Apache-2.0
/*
 * Preemption: a thread that looks at the deadlines which vCPUs state in shared memory (abi/boot.h, preempt_at), and kicks
 * those that are overdue.
 *
 * As a rule the running task sleeps long before its deadline, and the next one states another: with a timer of its own each
 * vCPU would leave the guest to set it, and again when it fires for nothing. A look from here disturbs nobody. The thread
 * starts with the first WATCH, looks while deadlines are stated, and sleeps when there was none for a while: an idle
 * sandbox does not wake up for it.
 */
#define _GNU_SOURCE
#include "vmm/preempt.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmm/clock.h"
#include "vmm/thread.h"
#include "vmm/vcpu.h"
#include "vmm/vmm_impl.h"

#define THREAD_STACK (64 << 10)
#define LOOK_MIN_NS  500000UL /* between two looks at least so much; */
#define LOOK_MAX_NS  PREEMPT_SLACK_NS
#define QUIET_LOOKS  8        /* and so many looks without a new deadline end it */

static struct {
	pthread_mutex_t lock;
	bool started;       /* protected by lock */
	uint32_t calls;     /* of WATCH; atomic, a futex */
} watch = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* What is known of a vCPU; the thread's own. */
struct watched {
	uint32_t uses;
	unsigned quiet; /* looks since a deadline was stated */
};

/* Kicks the vCPU if it is due. When it wants to be looked at again. */
static uint64_t look_at(const struct vmm_vcpu *vv, struct watched *w, uint64_t now)
{
	struct vcpu *v = vv->shared;
	uint64_t at = __atomic_load_n(&v->preempt_at, __ATOMIC_SEQ_CST), next = ~0UL;
	uint32_t uses = __atomic_load_n(&v->preempt_uses, __ATOMIC_RELAXED);

	w->quiet = uses != w->uses || at <= now ? 0 : w->quiet + 1;
	w->uses = uses;
	/* Without a TSC the Sentry's scheduler learns the time when the vCPU enters the guest, or from here. */
	if (vmm.info.guest && !vmm.info.tsc_ok)
		__atomic_store_n(&v->host_ns, now, __ATOMIC_RELAXED);
	if (at > now)
		next = at;
	else if (__atomic_compare_exchange_n(&v->preempt_at, &at, ~0UL, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		vcpu_kick(vv->id); /* once; the Sentry states a new deadline if others wait still */
	if (w->quiet < QUIET_LOOKS && next > now + LOOK_MAX_NS)
		next = now + LOOK_MAX_NS;
	return next;
}

/* Looks at all; when to look again. */
static uint64_t look(struct watched *all)
{
	uint64_t now = (uint64_t)clock_read(CLOCK_MONOTONIC), next = ~0UL;

	clock_refresh();
	for (unsigned i = 0; i < vmm.cfg.nr_cpus; i++) {
		const struct vmm_vcpu *vv = vcpu_get(i);
		uint64_t n = vv ? look_at(vv, &all[i], now) : ~0UL;

		if (n < next)
			next = n;
	}
	return next != ~0UL && next < now + LOOK_MIN_NS ? now + LOOK_MIN_NS : next;
}

/* Tells the vCPUs when the next look is. False if one has stated a deadline before it could see that: a vCPU states its deadline,
 * then looks at watch_at. */
static bool publish(uint64_t next)
{
	bool ok = true;

	for (unsigned i = 0; i < vmm.cfg.nr_cpus; i++) {
		const struct vmm_vcpu *vv = vcpu_get(i);
		uint64_t at;

		if (!vv)
			continue;
		__atomic_exchange_n(&vv->shared->watch_at, next, __ATOMIC_SEQ_CST);
		at = __atomic_load_n(&vv->shared->preempt_at, __ATOMIC_SEQ_CST);
		if (at < next && next - at > PREEMPT_SLACK_NS)
			ok = false;
	}
	return ok;
}

static void *watcher(void *arg)
{
	static struct watched all[BOOT_VCPU_MAX];

	for (;;) {
		uint32_t calls = __atomic_load_n(&watch.calls, __ATOMIC_SEQ_CST);
		uint64_t next = look(all);
		struct timespec ts = { .tv_sec = next / 1000000000, .tv_nsec = next % 1000000000 };

		if (!publish(next))
			continue;
		syscall(SYS_futex, &watch.calls, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, calls, next == ~0UL ? NULL : &ts, NULL,
			FUTEX_BITSET_MATCH_ANY);
	}
	return NULL;
}

int preempt_watch(void)
{
	sigset_t all;
	int err = 0;

	sigfillset(&all); /* kicks are for vCPU threads */
	pthread_mutex_lock(&watch.lock);
	if (!watch.started) {
		err = thread_start(watcher, NULL, THREAD_STACK, &all);
		watch.started = !err;
	}
	pthread_mutex_unlock(&watch.lock);
	__atomic_add_fetch(&watch.calls, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &watch.calls, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
	return err;
}
