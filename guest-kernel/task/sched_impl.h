/* SPDX-License-Identifier: Apache-2.0 */
/* Run queues: shared by sched*.c and user_loop.c only. */
#ifndef TASK_SCHED_IMPL_H
#define TASK_SCHED_IMPL_H

#include "boot/boot.h"
#include "task/task.h"

#define SLICE_NS        4000000UL /* longest time slice of a normal task while others wait */
#define SLICE_MIN_NS    1000000UL
#define RR_SLICE_NS     100000000UL
#define WAKEUP_GRAN_NS  1000000UL /* a woken task preempts one that is ahead by more */
#define SLEEPER_CREDIT  3000000UL
#define SHORT_BURST_NS  500000UL  /* tasks that sleep again so soon share their vCPU with whom they wake */
#define LOAD_PERIOD_NS  5000000000UL

/* Stored with full barriers, so that a kicker either sees IDLE or is seen by kick_pending. */
enum rq_mode { RQ_BUSY, RQ_IDLE };

struct rq {
	spinlock_t lock;
	uint32_t cpu;            /* immutable */
	struct vcpu *vcpu;       /* immutable */
	struct task *idle;       /* immutable */
	struct list_node rt;     /* by falling priority; lock */
	struct list_node fair;   /* by rising vruntime; lock */
	uint32_t nr_queued;      /* lock; read racily */
	bool resched;            /* lock; read racily: something better than the current task waits */
	struct task *curr;       /* lock */
	struct task *prev;       /* during a switch: who left; lock */
	uint64_t min_vruntime;   /* lock; read racily */
	uint32_t mode;           /* enum rq_mode; atomic */
	uint32_t passages;       /* sched_passages(); this vCPU writes */
	/* This vCPU only: */
	uint64_t promise;        /* timer deadline that this vCPU looks after */
	uint64_t armed;          /* deadline given to HC_TIMER, for timers; when tasks wait, struct vcpu's preempt_at says so */
	struct task *fpu_task;   /* whose FPU state may be live here; compared, never dereferenced unless it is current */
	bool reclaimed;
	uint64_t idle_ns, idle_since, switches; /* read racily for statistics */
};

struct sched_global {
	struct rq *rq[BOOT_VCPU_MAX];        /* NULL until the vCPU is started */
	uint64_t idle_mask[BOOT_VCPU_MAX / 64]; /* idle vCPUs that nobody has claimed; atomic */
	uint32_t nr_cpus;                    /* immutable after sched_init */
	uint32_t nr_online;                  /* started in order 0, 1, 2, ...; atomic */
	uint32_t starting;                   /* one vCPU is being started; atomic flag */
	uint64_t timer_guard;                /* earliest promise of any vCPU, ns; atomic */
	uint32_t nr_running;                 /* user tasks that run or wait to; atomic */
	uint64_t next_load;                  /* when the load averages are due; atomic */
	uint64_t load[3];
};
extern struct sched_global sched;

/* Is there nothing to do before ring 3? For what sched_before_user does, told at a glance. */
static inline bool sched_is_ready(const struct rq *rq, const struct task *t)
{
	return rq->fpu_task == t && !t->sched.migrate && !READ_ONCE(rq->nr_queued) &&
	       timers_next() >= atomic_load(&sched.timer_guard) && rq->promise >= rq->armed;
}

static inline struct rq *this_rq(void) { return sched.rq[current->sched.cpu]; }
static inline bool cpu_allowed(const struct task *t, uint32_t cpu) { return t->sched.affinity[cpu / 64] >> (cpu % 64) & 1; }
static inline bool sched_is_rt(const struct task *t) { return t->sched.policy == 1 || t->sched.policy == 2; }

/* May another vCPU take a queued task? Its FPU state must be in memory. */
static inline bool task_is_movable(const struct task *t, uint32_t cpu)
{
	return __atomic_load_n(&t->uc.fpu_cpu, __ATOMIC_ACQUIRE) < 0 && cpu_allowed(t, cpu);
}

void rq_enqueue(struct rq *rq, struct task *t);  /* lock held */
void rq_dequeue(struct rq *rq, struct task *t);  /* lock held */
/* Makes the vCPU look at its queue, its events and its timers soon. */
void rq_kick(struct rq *rq);
/* Locks the run queue that t belongs to. */
struct rq *task_rq_lock(struct task *t);
/* Claims an idle vCPU that t may run on: its number, or -1. */
int sched_claim_idle(const struct task *t, int prefer);
/* Starts vCPUs until one of the mask is there; false: none of them can be had. Without locks. */
bool sched_ensure_online(const uint64_t mask[4]);
/* Idle vCPUs take over queued tasks: wakes one, or starts a new one. */
void sched_share(struct rq *rq);
/* The deadline this vCPU must wake up for, after timers that are due have run. */
uint64_t sched_timer_promise(struct rq *rq);
/* Events, due timers. Clears kick_pending. */
void sched_handle_kick(struct rq *rq);
void sched_load_update(uint64_t now);

#endif
