/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler's core: queues, schedule(), wake-ups.
 *
 * A task belongs to the run queue of its sched.cpu. That queue's lock protects its state transitions: it is held
 * through a context switch and released by whoever runs next, so with the lock held and on_rq false the task is off its
 * stack. A waker turns the state into TASK_RUNNING under the lock; the one who did so enqueues it.
 *
 * Where a woken task runs: waking a sleeping host thread costs far more than most system calls, so a waker that itself
 * sleeps again soon (avg_burst), or is ending, keeps the woken task on its own vCPU; otherwise an idle vCPU is woken. A
 * child starts on its parent's vCPU if the parent waits as a rule soon after it has forked (fork_gap). A vCPU that
 * returns to ring 3 and leaves tasks waiting lets idle vCPUs steal them (sched_share), or states by when it is to be interrupted to
 * look again (set_preemption). A task whose FPU state is live in
 * a vCPU's registers stays there until another one ran there.
 */
#include "task/sched_impl.h"

#include "task/cpu_account.h"

#include "lib/log.h"
#include "signal/signal.h"
#include "time/timer.h"

struct sched_global sched = {.timer_guard = DEADLINE_NEVER};

/* Linux's weights: each step of nice is worth about 10% of CPU time (sched(7)). */
static const int32_t nice_weight[40] = {88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620,
	6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56,
	45, 36, 29, 23, 18, 15};

static int32_t sched_weight(const struct task *t)
{
	if (t->sched.policy == 5) /* SCHED_IDLE */
		return 3;
	return nice_weight[t->sched.nice + 20];
}

/* ---- queues; lock held ---- */
void rq_enqueue(struct rq *rq, struct task *t)
{
	struct list_node *pos;

	if (sched_is_rt(t)) {
		for (pos = rq->rt.next; pos != &rq->rt; pos = pos->next)
			if (list_entry(pos, struct task, sched.rq_link)->sched.rt_priority < t->sched.rt_priority)
				break;
	} else {
		/* Walk from the tail: most tasks join there. */
		for (pos = rq->fair.prev; pos != &rq->fair; pos = pos->prev)
			if ((int64_t)(list_entry(pos, struct task, sched.rq_link)->sched.vruntime - t->sched.vruntime) <= 0)
				break;
		pos = pos->next;
	}
	list_insert_between(&t->sched.rq_link, pos->prev, pos);
	rq->nr_queued++;
}

void rq_dequeue(struct rq *rq, struct task *t)
{
	list_del(&t->sched.rq_link);
	rq->nr_queued--;
}

static struct task *rq_first(struct rq *rq)
{
	struct list_node *q = !list_empty(&rq->rt) ? &rq->rt : &rq->fair;

	return list_empty(q) ? NULL : list_first(q, struct task, sched.rq_link);
}

static void update_vruntime(struct rq *rq, struct task *t, uint64_t now)
{
	if (t == rq->idle)
		return;
	uint64_t delta = now > t->sched.exec_start ? now - t->sched.exec_start : 0;
	t->sched.exec_start = now;
	if (sched_is_rt(t))
		return;
	t->sched.vruntime += delta * 1024 / (uint64_t)sched_weight(t);
	uint64_t least = t->sched.vruntime;
	if (!list_empty(&rq->fair)) {
		uint64_t head = list_first(&rq->fair, struct task, sched.rq_link)->sched.vruntime;
		if ((int64_t)(head - least) < 0)
			least = head;
	}
	if ((int64_t)(least - rq->min_vruntime) > 0)
		rq->min_vruntime = least;
}

/* Should t, newly queued, run before the current task? */
static bool should_preempt(struct rq *rq, const struct task *t)
{
	const struct task *curr = rq->curr;

	if (curr == rq->idle)
		return true;
	if (sched_is_rt(t))
		return !sched_is_rt(curr) || t->sched.rt_priority > curr->sched.rt_priority;
	if (sched_is_rt(curr) || t->sched.policy == 5)
		return false;
	if (curr->sched.policy == 5)
		return true;
	return (int64_t)(curr->sched.vruntime - t->sched.vruntime) > (int64_t)WAKEUP_GRAN_NS;
}

struct rq *task_rq_lock(struct task *t)
{
	for (;;) {
		struct rq *rq = sched.rq[READ_ONCE(t->sched.cpu)];
		spin_lock(&rq->lock);
		if (rq == sched.rq[t->sched.cpu])
			return rq;
		spin_unlock(&rq->lock);
	}
}

/* ---- switching ---- */
/* Runs first on the stack that was switched to. */
static void finish_switch(void)
{
	struct rq *rq = this_rq();
	struct task *prev = rq->prev;
	bool dead = prev->sched.state >= TASK_ZOMBIE;
	bool moving = prev->sched.migrate && prev->sched.state == TASK_RUNNING && !prev->sched.on_rq;

	rq->prev = NULL;
	spin_unlock(&rq->lock);
	if (dead)
		task_put(prev);
	else if (unlikely(moving))
		task_start(prev);
}

void sched_first_switch(void)
{
	finish_switch();
}

static uint64_t slice_of(struct rq *rq, struct task *t)
{
	if (t->sched.policy == 1) /* SCHED_FIFO */
		return DEADLINE_NEVER / 2;
	if (t->sched.policy == 2) /* SCHED_RR */
		return RR_SLICE_NS;
	return MAX(SLICE_NS / (rq->nr_queued + 1), SLICE_MIN_NS);
}

/* How long t ran on after its last fork, at most that which counts as long. */
static void note_fork_gap(struct task *t, uint64_t gap)
{
	t->sched.fork_gap = (t->sched.fork_gap * 3 + MIN(gap, 2 * SHORT_BURST_NS)) / 4;
	t->sched.forked_at = 0;
}

static void account_leave(struct rq *rq, struct task *t, uint64_t now)
{
	if (t == rq->idle)
		return;
	cpu_account_span(t, now);
	update_vruntime(rq, t, now);
	if (t->sched.state != TASK_RUNNING) {
		/* Bounded: a burst that the host prolonged, by running something else, is not to count for long. */
		t->sched.avg_burst = (t->sched.avg_burst * 3 + MIN(MAX(now, t->sched.burst_start) - t->sched.burst_start, 2 * SHORT_BURST_NS)) / 4;
		if (t->sched.forked_at)
			note_fork_gap(t, MAX(now, t->sched.forked_at) - t->sched.forked_at);
		t->sched.nvcsw++;
	} else {
		t->sched.nivcsw++;
	}
}

void schedule(void)
{
	struct task *prev = current;
	struct rq *rq = this_rq();
	uint64_t now = clock_sched();

	sched_load_update(now);
	if (rq->fpu_task == prev && prev->uc.fpu_cpu < 0)
		rq->fpu_task = NULL; /* saved already: prev may end elsewhere */
	spin_lock(&rq->lock);
	account_leave(rq, prev, now);
	bool sleeps = prev->sched.state != TASK_RUNNING;
	if (prev != rq->idle) {
		if (sleeps || prev->sched.migrate) {
			prev->sched.on_rq = false;
			if (!prev->is_kthread)
				atomic_sub(&sched.nr_running, 1);
		} else {
			rq_enqueue(rq, prev);
		}
	}
	struct task *next = rq_first(rq);
	if (next)
		rq_dequeue(rq, next);
	else
		next = rq->idle;
	rq->resched = false;
	next->sched.last_stamp = next->sched.exec_start = now;
	next->sched.stamped = true;
	next->sched.slice_end = now + slice_of(rq, next);
	if (next == prev) {
		spin_unlock(&rq->lock);
		return;
	}
	/* Of a system call made inside a critical section rseq(2) promises nothing: who sleeps in one is outside. */
	if (prev->uc.trap_kind != TRAP_SYSCALL)
		prev->rseq_event = true;
	rq->curr = next;
	rq->prev = prev;
	rq->switches++;
	arch_switch_context(&prev->sched.ksp, next->sched.ksp);
	finish_switch();
	if (sleeps) /* after the switch: may be another vCPU, but the task is ours */
		prev->sched.burst_start = prev->sched.last_stamp;
}

NORETURN void sched_exit(void)
{
	struct task *t = current;

	task_fpu_drop(); /* the host forgets the area before it is freed */
	atomic_store(&t->sched.state, TASK_DEAD);
	schedule();
	panic("a dead task runs");
}

/* ---- wake-ups ---- */
static uint32_t least_loaded(const struct task *t, uint32_t fallback)
{
	uint32_t best = fallback, best_load = UINT32_MAX;

	for (uint32_t i = 0; i < atomic_load(&sched.nr_online); i++) {
		struct rq *rq = sched.rq[i];
		uint32_t load = READ_ONCE(rq->nr_queued) + (READ_ONCE(rq->curr) != rq->idle);
		if (cpu_allowed(t, i) && load < best_load) {
			best = i;
			best_load = load;
		}
	}
	return best;
}

static uint32_t select_cpu(struct task *t)
{
	struct task *waker = current;
	uint32_t here = (uint32_t)waker->sched.cpu;
	int32_t pinned = t->uc.fpu_cpu;
	int idle;

	if (pinned >= 0)
		return (uint32_t)pinned;
	if (!cpu_allowed(t, here)) {
		idle = sched_claim_idle(t, t->sched.cpu);
		return idle >= 0 ? (uint32_t)idle : least_loaded(t, 0);
	}
	if (waker == sched.rq[here]->idle)
		return here;
	if (waker->sched.avg_burst < SHORT_BURST_NS || waker == t || waker->sig.exiting)
		return here;
	idle = sched_claim_idle(t, t->sched.cpu);
	if (idle >= 0)
		return (uint32_t)idle;
	return READ_ONCE(sched.rq[here]->nr_queued) ? least_loaded(t, here) : here;
}

/* t is RUNNING, off its stack, on no queue, and ours alone. */
static void activate(struct task *t, uint32_t cpu, bool woken)
{
	uint32_t old = (uint32_t)t->sched.cpu;
	struct rq *rq = sched.rq[cpu];

	spin_lock(&rq->lock);
	if (cpu != old) {
		t->sched.vruntime += rq->min_vruntime - READ_ONCE(sched.rq[old]->min_vruntime);
		t->rseq_event = true;
	}
	if (woken && (int64_t)(t->sched.vruntime - (rq->min_vruntime - SLEEPER_CREDIT)) < 0)
		t->sched.vruntime = rq->min_vruntime - SLEEPER_CREDIT;
	atomic_store(&t->sched.cpu, (int32_t)cpu);
	t->sched.migrate = !cpu_allowed(t, cpu);
	t->sched.on_rq = true;
	if (!t->is_kthread)
		atomic_add(&sched.nr_running, 1);
	rq_enqueue(rq, t);
	if (should_preempt(rq, t))
		rq->resched = true;
	spin_unlock(&rq->lock);
	if (cpu != (uint32_t)current->sched.cpu)
		rq_kick(rq);
}

bool task_wake_state(struct task *t, uint32_t mask)
{
	uint32_t state = atomic_load(&t->sched.state);

	if (state == TASK_UNINTERRUPTIBLE && READ_ONCE(t->sched.killable) && fatal_signal_pending(t))
		mask |= 1u << TASK_UNINTERRUPTIBLE;
	if (!(mask >> state & 1))
		return false;
	struct rq *rq = task_rq_lock(t);
	state = t->sched.state;
	if (!(mask >> state & 1) || state == TASK_RUNNING) {
		spin_unlock(&rq->lock);
		return false;
	}
	bool queued = t->sched.on_rq; /* still on its way to sleep: it will notice in schedule() */
	atomic_store(&t->sched.state, TASK_RUNNING);
	spin_unlock(&rq->lock);
	if (!queued)
		activate(t, select_cpu(t), true);
	return true;
}

/* Has t forked just now, to wait for the child or for something else soon, as far as one can tell? */
static bool forked_to_wait(const struct task *t)
{
	return t->sched.forked_at && t->sched.fork_gap < SHORT_BURST_NS;
}

void task_start(struct task *t)
{
	activate(t, select_cpu(t), false);
}

void task_start_child(struct task *t)
{
	struct task *me = current;
	struct rq *rq = this_rq();

	if (me->sched.forked_at)
		note_fork_gap(me, UINT64_MAX); /* it did not sleep since the last time */
	me->sched.forked_at = clock_sched();
	bool waits = t->vfork_parent == me || (forked_to_wait(me) && !READ_ONCE(rq->nr_queued));
	activate(t, waits && cpu_allowed(t, rq->cpu) ? rq->cpu : select_cpu(t), false);
}

void task_kick(struct task *t)
{
	if (t == current)
		return;
	if (READ_ONCE(t->sched.state) == TASK_UNINTERRUPTIBLE && task_wake_state(t, 0))
		return;
	/* What t must see was written before; whether it runs is read after. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	struct rq *rq = sched.rq[READ_ONCE(t->sched.cpu)];
	if (READ_ONCE(rq->curr) == t)
		rq_kick(rq);
}

void rq_kick(struct rq *rq)
{
	if (atomic_xchg(&rq->vcpu->kick_pending, 1))
		return; /* whoever set it kicks */
	if ((atomic_load(&rq->passages) & 1) || atomic_load(&rq->mode) == RQ_IDLE)
		(void)hostcall1(HC_KICK, rq->cpu);
}

uint32_t sched_passages(unsigned cpu)
{
	const struct rq *rq = sched.rq[cpu];

	return rq ? atomic_load(&rq->passages) : 0;
}

void sched_kick_all(void)
{
	for (unsigned cpu = 0; cpu < sched.nr_cpus; cpu++)
		if (sched.rq[cpu])
			rq_kick(sched.rq[cpu]);
}

/* ---- leaving and entering ring 3 ---- */
static bool slice_over(struct rq *rq)
{
	return READ_ONCE(rq->resched) || clock_sched() >= current->sched.slice_end;
}

void cond_resched(void)
{
	struct rq *rq = this_rq();

	if (READ_ONCE(rq->nr_queued) && slice_over(rq))
		schedule();
}

void sched_yield_current(void)
{
	struct task *t = current;
	struct rq *rq = this_rq();

	if (!READ_ONCE(rq->nr_queued))
		return;
	spin_lock(&rq->lock);
	update_vruntime(rq, t, clock_sched());
	if (!list_empty(&rq->fair)) {
		uint64_t last = list_entry(rq->fair.prev, struct task, sched.rq_link)->sched.vruntime;
		if ((int64_t)(last - t->sched.vruntime) > 0)
			t->sched.vruntime = last;
	}
	spin_unlock(&rq->lock);
	schedule();
}

static bool any_idle(void)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(sched.idle_mask); i++)
		if (atomic_load(&sched.idle_mask[i]))
			return true;
	return false;
}

static void arm_timer(struct rq *rq, uint64_t at)
{
	if (at >= rq->armed)
		return;
	rq->armed = at;
	(void)hostcall1(HC_TIMER, at);
}

/* The VMM is to kick this vCPU at that time, a little later at most. It looks by itself as long as such deadlines come. */
static void set_preemption(struct rq *rq, uint64_t at)
{
	struct vcpu *v = rq->vcpu;

	if (READ_ONCE(v->preempt_at) == at)
		return;
	if (at == DEADLINE_NEVER) {
		WRITE_ONCE(v->preempt_at, at);
		return;
	}
	WRITE_ONCE(v->preempt_uses, v->preempt_uses + 1);
	(void)atomic_xchg(&v->preempt_at, at); /* before the look at watch_at */
	uint64_t next = READ_ONCE(v->watch_at);
	if (unlikely(next > at && next - at > PREEMPT_SLACK_NS) && hostcall0(HC_WATCH) < 0)
		arm_timer(rq, at);
}

bool sched_before_user(void)
{
	struct task *t = current;
	struct rq *rq = this_rq();
	uint64_t preempt = DEADLINE_NEVER;

	if (unlikely(t->sched.migrate)) {
		task_fpu_save();
		schedule();
		return false;
	}
	if (unlikely(READ_ONCE(rq->vcpu->kick_pending))) {
		sched_handle_kick(rq);
		return false;
	}
	if (READ_ONCE(rq->nr_queued)) {
		if (slice_over(rq)) {
			schedule();
			return false;
		}
		preempt = t->sched.slice_end;
		/* Who has forked to wait for the child does so before its slice is over. */
		bool forked = forked_to_wait(t);
		uint64_t look = (forked ? t->sched.forked_at : t->sched.burst_start) + SHORT_BURST_NS;

		if ((!forked && t->sched.avg_burst >= SHORT_BURST_NS) || clock_sched() >= look)
			sched_share(rq);
		else if (!forked && (any_idle() || atomic_load(&sched.nr_online) < sched.nr_cpus))
			preempt = MIN(preempt, look); /* then it is decided again whether to share */
	}
	set_preemption(rq, preempt);
	/* As a rule the earliest timer is looked after already. */
	arm_timer(rq, timers_next() >= atomic_load(&sched.timer_guard) ? rq->promise : sched_timer_promise(rq));
	rq->fpu_task = t;
	return true;
}

void task_fpu_drop(void)
{
	struct task *t = current;
	struct vcpu *v = this_vcpu();
	bool live = t->uc.fpu_cpu >= 0;

	t->uc.fpu_cpu = -1;
	if (live)
		(void)v->fpu_save(v, &t->uc);
	if (this_rq()->fpu_task == t)
		this_rq()->fpu_task = NULL;
}

void task_fpu_save(void)
{
	struct task *t = current;
	struct vcpu *v = this_vcpu();

	if (t->uc.fpu_cpu >= 0)
		(void)v->fpu_save(v, &t->uc);
	if (this_rq()->fpu_task == t)
		this_rq()->fpu_task = NULL;
}
