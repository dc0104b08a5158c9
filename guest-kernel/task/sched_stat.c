/* SPDX-License-Identifier: Apache-2.0 */
/* Scheduler statistics (load averages, idle time) and changes of policy, nice value and affinity. */
#include "lib/string.h"
#include "task/sched_impl.h"
#include "time/timer.h"

/* Load averages as Linux computes them: fixed point << 11, sampled every five seconds. */
#define FIXED_1 (1UL << 11)
static const uint64_t load_exp[3] = {1884, 2014, 2037}; /* exp(-5s/1min), 5min, 15min */

static void load_sample(uint64_t active)
{
	for (int i = 0; i < 3; i++) {
		uint64_t v = sched.load[i] * load_exp[i] + active * (FIXED_1 - load_exp[i]);
		if (active >= sched.load[i])
			v += FIXED_1 - 1;
		sched.load[i] = v / FIXED_1;
	}
}

void sched_load_update(uint64_t now)
{
	uint64_t due = atomic_load(&sched.next_load);

	if (now < due)
		return;
	uint64_t periods = (now - due) / LOAD_PERIOD_NS + 1;
	if (!atomic_cas(&sched.next_load, due, due + periods * LOAD_PERIOD_NS))
		return;
	uint64_t active = atomic_load(&sched.nr_running) * FIXED_1;
	for (uint64_t i = 0; i < MIN(periods, 720UL); i++)
		load_sample(i + 1 < periods ? 0 : active); /* nobody switched in between: it was idle */
}

void sched_loadavg(uint64_t avg[3])
{
	sched_load_update(clock_sched());
	for (int i = 0; i < 3; i++)
		avg[i] = sched.load[i];
}

uint64_t sched_nr_running(void)
{
	return atomic_load(&sched.nr_running);
}

uint64_t sched_idle_ns(unsigned cpu)
{
	if (cpu >= sched.nr_cpus)
		return 0;
	const struct rq *rq = sched.rq[cpu];
	if (!rq)
		return clock_since_start();
	uint64_t since = READ_ONCE(rq->idle_since), now = clock_sched();
	return rq->idle_ns + (since && now > since ? now - since : 0);
}

uint64_t sched_context_switches(void)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < atomic_load(&sched.nr_online); i++)
		n += sched.rq[i]->switches;
	return n;
}

void sched_fork(struct task *child, const struct task *parent)
{
	struct task_sched *c = &child->sched;
	const struct task_sched *p = &parent->sched;

	list_init(&c->rq_link);
	c->state = TASK_RUNNING;
	c->cpu = p->cpu;
	c->policy = p->policy;
	c->nice = p->nice;
	c->rt_priority = p->rt_priority;
	c->reset_on_fork = false;
	memcpy(c->affinity, p->affinity, sizeof(c->affinity));
	c->vruntime = p->vruntime;
	c->avg_burst = p->avg_burst;
	c->fork_gap = p->fork_gap;
	c->burst_start = clock_sched();
	if (p->reset_on_fork) {
		c->policy = 0;
		c->rt_priority = 0;
		c->nice = MAX(c->nice, 0);
	}
}

/* Changes scheduling fields with the task off its queue, and lets its vCPU choose again. */
struct change {
	int policy, rt_priority, nice;
	bool reset_on_fork;
};

static void apply_change(struct task *t, const struct change *c)
{
	struct rq *rq = task_rq_lock(t);
	bool queued = t->sched.on_rq && !list_empty(&t->sched.rq_link);

	if (queued)
		rq_dequeue(rq, t);
	t->sched.policy = c->policy;
	t->sched.rt_priority = c->rt_priority;
	t->sched.nice = c->nice;
	t->sched.reset_on_fork = c->reset_on_fork;
	if (queued)
		rq_enqueue(rq, t);
	rq->resched = true;
	spin_unlock(&rq->lock);
	if (rq->cpu != (uint32_t)current->sched.cpu && (t->sched.on_rq || rq->nr_queued))
		rq_kick(rq);
}

void sched_set_policy(struct task *t, int policy, int rt_priority, bool reset_on_fork)
{
	apply_change(t, &(struct change){policy, rt_priority, t->sched.nice, reset_on_fork});
}

void sched_set_nice(struct task *t, int nice)
{
	apply_change(t, &(struct change){t->sched.policy, t->sched.rt_priority, nice, t->sched.reset_on_fork});
}

void sched_set_affinity(struct task *t, const uint64_t mask[4])
{
	/* A vCPU that was never needed does not run yet; where it will not, the task stays where it can run. */
	if (!sched_ensure_online(mask))
		return;
	struct rq *rq = task_rq_lock(t);

	memcpy(t->sched.affinity, mask, sizeof(t->sched.affinity));
	bool moves = !cpu_allowed(t, rq->cpu);
	bool running = rq->curr == t;
	if (moves)
		WRITE_ONCE(t->sched.migrate, true); /* it leaves before it enters ring 3 again */
	spin_unlock(&rq->lock);
	if (moves && running && t != current)
		rq_kick(rq);
}

uint64_t sched_rr_interval(const struct task *t)
{
	switch (t->sched.policy) {
	case 1: return 0;
	case 2: return RR_SLICE_NS;
	default: return SLICE_NS;
	}
}
