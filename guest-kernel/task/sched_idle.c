/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vCPUs: start, idle, stealing, and who looks after the next timer.
 *
 * Timers are global, host timers are per vCPU. The vCPU that first finds the earliest deadline unguarded promises to
 * wake up for it (timer_guard is the earliest promise of all): by HC_TIMER while it runs ring 3, by the deadline of
 * HC_IDLE while idle. A promise outlives the task it was made under. Promises may be too early, never too late.
 * timer_guard is NEVER or a promise that some vCPU still has to keep: a guard that nobody answers for would hide every
 * later timer.
 */
#include "boot/events.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/page.h"
#include "task/sched_impl.h"
#include "time/timer.h"

#define RECLAIM_DELAY_NS 50000000UL
#define TIMER_EARLY_NS   100000UL

static struct task boot_idle_task;
static struct rq boot_rq;

static void idle_task_init(struct task *t, uint32_t cpu)
{
	ref_init(&t->refs);
	spin_init(&t->lock);
	t->is_kthread = true;
	t->uc.fpu_cpu = -1;
	t->syscall_nr = -1;
	t->sched.cpu = (int32_t)cpu;
	t->sched.state = TASK_RUNNING;
	t->kstack = (void *)(DIRECT_BASE + BOOT_STACK_PA + cpu * KSTACK_SIZE);
	t->proc = &kernel_process;
	t->cred = &kernel_cred;
	list_init(&t->thread_link);
	list_init(&t->sched.rq_link);
	list_init(&t->pi_held);
	snprintf(t->comm, sizeof(t->comm), "swapper/%u", cpu);
}

static void rq_init(struct rq *rq, struct task *idle, uint32_t cpu)
{
	spin_init(&rq->lock);
	rq->cpu = cpu;
	rq->vcpu = boot_vcpu(cpu);
	rq->idle = rq->curr = idle;
	list_init(&rq->rt);
	list_init(&rq->fair);
	rq->promise = rq->armed = DEADLINE_NEVER;
	sched.rq[cpu] = rq;
}

struct task *sched_boot_idle(uint32_t cpu)
{
	if (cpu == 0) {
		idle_task_init(&boot_idle_task, 0);
		return &boot_idle_task;
	}
	return sched.rq[cpu]->idle;
}

void sched_init(void)
{
	sched.nr_cpus = MIN(MAX(boot.nr_cpus, 1u), (uint32_t)BOOT_VCPU_MAX);
	rq_init(&boot_rq, &boot_idle_task, 0);
	sched.nr_online = 1;
	sched.next_load = clock_sched() + LOAD_PERIOD_NS;
}

unsigned sched_nr_cpus(void)
{
	return sched.nr_cpus;
}

void sched_cpu_mask(uint64_t mask[4])
{
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t n = sched.nr_cpus > i * 64 ? sched.nr_cpus - i * 64 : 0;
		mask[i] = n >= 64 ? ~0UL : (1UL << n) - 1;
	}
}

/* ---- idle vCPUs ---- */
static void sched_mark_idle(uint32_t cpu, bool idle)
{
	if (idle)
		atomic_or(&sched.idle_mask[cpu / 64], 1UL << (cpu % 64));
	else
		atomic_and(&sched.idle_mask[cpu / 64], ~(1UL << (cpu % 64)));
}

static bool claim(uint32_t cpu)
{
	uint64_t bit = 1UL << (cpu % 64);

	return atomic_and(&sched.idle_mask[cpu / 64], ~bit) & bit;
}

int sched_claim_idle(const struct task *t, int prefer)
{
	if (prefer >= 0 && cpu_allowed(t, (uint32_t)prefer) &&
	    (atomic_load(&sched.idle_mask[prefer / 64]) >> (prefer % 64) & 1) && claim((uint32_t)prefer))
		return prefer;
	for (uint32_t w = 0; w < ARRAY_SIZE(sched.idle_mask); w++) {
		uint64_t m = atomic_load(&sched.idle_mask[w]) & t->sched.affinity[w];
		while (m) {
			uint32_t cpu = w * 64 + (uint32_t)__builtin_ctzl(m);
			if (claim(cpu))
				return (int)cpu;
			m &= m - 1;
		}
	}
	return -1;
}

/* Starts the next vCPU, which will steal. It counts as online, and so gets tasks queued, only once it runs. */
static void start_vcpu(void)
{
	if (atomic_load(&sched.nr_online) >= sched.nr_cpus || atomic_xchg(&sched.starting, 1))
		return;
	uint32_t cpu = sched.nr_online;
	struct rq *rq = cpu < sched.nr_cpus ? kzalloc(sizeof(*rq)) : NULL;
	struct task *idle = rq ? kzalloc(sizeof(*idle)) : NULL;
	if (idle) {
		idle_task_init(idle, cpu);
		rq_init(rq, idle, cpu);
		int64_t r = hostcall1(HC_VCPU_START, cpu);
		if (r == 0) {
			atomic_store(&sched.nr_online, cpu + 1);
		} else {
			pr_warn("vCPU %u did not start (error %ld); running on %u", cpu, -r, cpu);
			sched.nr_cpus = cpu;
			sched.rq[cpu] = NULL;
			kfree(idle);
			idle = NULL;
		}
	}
	if (!idle)
		kfree(rq);
	atomic_store(&sched.starting, 0);
}

bool sched_ensure_online(const uint64_t mask[4])
{
	for (;;) {
		uint32_t online = atomic_load(&sched.nr_online);

		for (uint32_t i = 0; i < online; i++)
			if (mask[i / 64] >> (i % 64) & 1)
				return true;
		if (online >= sched.nr_cpus)
			return false;
		start_vcpu();
		if (atomic_load(&sched.nr_online) == online)
			(void)hostcall0(HC_YIELD); /* another vCPU is starting one */
	}
}

void sched_share(struct rq *rq)
{
	struct task *t;
	int cpu = -1;
	bool waiting = false;

	spin_lock(&rq->lock);
	for (int pass = 0; pass < 2 && cpu < 0; pass++) {
		list_for_each_entry(t, pass ? &rq->fair : &rq->rt, sched.rq_link) {
			/* FPU state that is live here is saved as soon as the current task enters ring 3. */
			waiting = true;
			cpu = sched_claim_idle(t, -1);
			if (cpu >= 0)
				break;
		}
	}
	spin_unlock(&rq->lock);
	if (cpu >= 0)
		rq_kick(sched.rq[cpu]);
	else if (waiting && atomic_load(&sched.nr_online) < sched.nr_cpus)
		start_vcpu();
}

/* Takes one waiting task from the longest queue. */
static bool steal(struct rq *rq)
{
	struct rq *victim = NULL;
	uint32_t longest = 0;

	for (uint32_t i = 0; i < atomic_load(&sched.nr_online); i++) {
		struct rq *r = sched.rq[i];
		if (r != rq && READ_ONCE(r->nr_queued) > longest) {
			longest = r->nr_queued;
			victim = r;
		}
	}
	if (!victim)
		return false;
	struct task *t, *found = NULL;
	spin_lock(&victim->lock);
	for (int pass = 0; pass < 2 && !found; pass++) {
		list_for_each_entry(t, pass ? &victim->fair : &victim->rt, sched.rq_link) {
			if (!task_is_movable(t, rq->cpu))
				continue;
			found = t;
			break;
		}
	}
	if (found) {
		rq_dequeue(victim, found);
		found->sched.vruntime += READ_ONCE(rq->min_vruntime) - victim->min_vruntime;
		found->rseq_event = true;
		atomic_store(&found->sched.cpu, (int32_t)rq->cpu);
	}
	bool more = victim->nr_queued > 0;
	spin_unlock(&victim->lock);
	if (!found)
		return false;
	spin_lock(&rq->lock);
	rq_enqueue(rq, found);
	spin_unlock(&rq->lock);
	if (more)
		sched_share(victim);
	return true;
}

/* ---- timers ---- */
uint64_t sched_timer_promise(struct rq *rq)
{
	for (;;) {
		uint64_t next = timers_next(), guard = atomic_load(&sched.timer_guard);
		if (next >= guard)
			return rq->promise;
		/* An own promise may be earlier still, for a timer that was cancelled: it is what will be taken back. */
		uint64_t mine = MIN(rq->promise, next);
		if (atomic_cas(&sched.timer_guard, guard, mine)) {
			rq->promise = mine;
			return mine;
		}
	}
}

void sched_handle_kick(struct rq *rq)
{
	(void)atomic_xchg(&rq->vcpu->kick_pending, 0);
	events_drain();
	if (rq->promise == DEADLINE_NEVER && rq->armed == DEADLINE_NEVER)
		return;
	uint64_t now = clock_sched();
	if (now + TIMER_EARLY_NS >= rq->armed)
		rq->armed = DEADLINE_NEVER; /* it fired, perhaps a little early; arming it again is harmless */
	if (now < rq->promise)
		return;
	uint64_t kept = rq->promise;
	rq->promise = DEADLINE_NEVER;
	(void)atomic_cas(&sched.timer_guard, kept, DEADLINE_NEVER);
	(void)timers_run();
}

/* ---- the idle loop ---- */
/* A task that sleeps with its FPU state here could be woken only here. fpu_task is alive: whoever saves a state clears
 * it, and a task with a live state neither moves nor ends. */
static void save_idle_fpu(struct rq *rq)
{
	struct task *t = rq->fpu_task;

	if (!t || atomic_load(&sched.nr_online) == 1)
		return;
	rq->fpu_task = NULL;
	if (t->uc.fpu_cpu == (int32_t)rq->cpu)
		(void)rq->vcpu->fpu_save(rq->vcpu, &t->uc);
}

static void idle_wait(struct rq *rq)
{
	uint64_t deadline = sched_timer_promise(rq);
	uint64_t start = clock_sched();
	bool reclaim = !rq->reclaimed;

	if (reclaim)
		deadline = MIN(deadline, start + RECLAIM_DELAY_NS);
	WRITE_ONCE(rq->vcpu->preempt_at, DEADLINE_NEVER);
	rq->idle_since = start;
	(void)hostcall1(HC_IDLE, deadline);
	uint64_t now = clock_sched();
	rq->idle_since = 0;
	rq->idle_ns += now - start;
	if (reclaim && now >= start + RECLAIM_DELAY_NS && !READ_ONCE(rq->nr_queued)) {
		rq->reclaimed = true;
		(void)page_reclaim_idle();
	}
}

NORETURN void sched_idle_loop(void)
{
	struct rq *rq = this_rq();

	for (;;) {
		sched_handle_kick(rq);
		if (READ_ONCE(rq->nr_queued) || steal(rq)) {
			rq->reclaimed = false;
			schedule();
			continue;
		}
		if (page_reclaim_is_due())
			(void)page_reclaim_idle();
		save_idle_fpu(rq);
		sched_mark_idle(rq->cpu, true);
		(void)atomic_xchg(&rq->mode, RQ_IDLE);
		/* Announced: a task queued elsewhere from now on finds this vCPU idle; one queued before is stolen here. */
		if (!READ_ONCE(rq->nr_queued) && !steal(rq) && !READ_ONCE(rq->vcpu->kick_pending))
			idle_wait(rq);
		(void)atomic_xchg(&rq->mode, RQ_BUSY);
		sched_mark_idle(rq->cpu, false);
	}
}
