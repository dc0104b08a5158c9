/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scheduler: kernel stacks over vCPUs. One run queue per vCPU, its own spinlock; an idle vCPU steals. Ring 0 is
 * never preempted: a task leaves the CPU in schedule(), or when run_user returns and its time slice is over.
 */
#ifndef TASK_SCHED_H
#define TASK_SCHED_H

#include "arch/cpu.h"
#include "lib/list.h"

struct task;

enum task_state {
	TASK_RUNNING,         /* running or on a run queue */
	TASK_INTERRUPTIBLE,   /* sleeping; a signal wakes it */
	TASK_UNINTERRUPTIBLE, /* sleeping; only its event wakes it */
	TASK_STOPPED,         /* job-control stop */
	TASK_TRACED,          /* stopped for its tracer */
	TASK_ZOMBIE,          /* exited, waiting to be reaped */
	TASK_DEAD,
};

/* Per-task scheduling state; protected by the lock of the run queue named by cpu, unless said otherwise. */
struct task_sched {
	struct list_node rq_link;
	uint64_t ksp;          /* saved kernel stack pointer while switched out */
	uint32_t state;        /* enum task_state; atomics */
	int32_t cpu;           /* last vCPU */
	bool on_rq;            /* running or queued */
	bool killable;         /* own task: a fatal signal ends this uninterruptible sleep */
	bool reset_on_fork;
	bool migrate;          /* own task: leave this vCPU (affinity) */
	int32_t policy, nice, rt_priority;
	uint64_t affinity[4];  /* CPU mask, 256 vCPUs */
	uint64_t slice_end;    /* ns */
	uint64_t vruntime;
	uint64_t burst_start;  /* when it was last switched in after a sleep */
	uint64_t avg_burst;    /* ns it usually runs between two sleeps */
	uint64_t forked_at;    /* when it made a task, if it did not sleep since; else 0 */
	uint64_t fork_gap;     /* ns from there to its next sleep, as a rule */
	uint64_t utime_ns, stime_ns; /* own task only writes */
	uint64_t nvcsw, nivcsw;
	uint64_t last_stamp;   /* up to where user and system time are accounted (task/cpu_account.h) */
	bool stamped;          /* last_stamp was taken in the Sentry: what passed since is system time */
	uint32_t skipped_ns;   /* how long the short system calls since last_stamp take as a rule */
	int32_t measured_nr;   /* the system call that is being measured, or -1 */
	uint64_t exec_start;   /* up to where vruntime is accounted */
	uint64_t acct_user, acct_sys; /* not yet told to process_timers_account */
};

/* Gives the CPU to another task. Returns when this one runs again. */
void schedule(void);
/* Voluntary yield when the slice is over; called from long loops. Must not hold spinlocks. */
void cond_resched(void);
void sched_yield_current(void);
/* Makes a sleeping task runnable if its state is in mask (bit per task_state); true if it did. Any context. */
bool task_wake_state(struct task *t, uint32_t mask);
static inline bool task_wake(struct task *t) { return task_wake_state(t, 1u << TASK_INTERRUPTIBLE | 1u << TASK_UNINTERRUPTIBLE); }
/* Makes t leave ring 3 soon if it is running there, so that it sees pending signals. */
void task_kick(struct task *t);
/* Puts a newly created task on a run queue; one that the current task has forked. */
void task_start(struct task *t);
void task_start_child(struct task *t);
/* First code of a new task: ends the switch that led here, then runs fn(arg) given by arch_new_context. */
void sched_first_switch(void);
/* Current task is about to exit for good: no more schedule() returns. The reference of the running task is dropped on
 * the next stack. */
NORETURN void sched_exit(void);
/* Everything to do between the last look at signals and run_user: preemption, timers, waking idle vCPUs. Returns
 * false when it slept or switched, so signals must be looked at again. */
bool sched_before_user(void);
/* What a container's description asks for, checked as sched_setscheduler(2) and setpriority(2) would; sys_sched.c. */
int sched_set_for_container(struct task *t, int policy, int priority, int nice);
/* Policy, priority or affinity changed by another task: requeue, move, preempt. */
void sched_set_policy(struct task *t, int policy, int rt_priority, bool reset_on_fork);
void sched_set_nice(struct task *t, int nice);
void sched_set_affinity(struct task *t, const uint64_t mask[4]);
void sched_fork(struct task *child, const struct task *parent);
uint64_t sched_rr_interval(const struct task *t); /* ns */
/* vCPUs that exist: bit mask. */
void sched_cpu_mask(uint64_t mask[4]);

/* Counted up by the user loop at each way of a vCPU into ring 3 and back: odd while ring 3 may run. Behind the step to odd
 * run_user has a full memory barrier and looks at kick_pending, then; the step to even is a release. So whoever stores
 * something, kicks, and finds an even number, knows that the vCPU sees it before it is in ring 3 again. */
uint32_t sched_passages(unsigned cpu);
/* Kicks every vCPU: each handles its work, and its task takes the long way, before it enters ring 3. */
void sched_kick_all(void);
/* The main loop of every application task: run_user, handle the trap, deliver signals. Never returns. */
NORETURN void task_user_loop(void *task);

/* Creates a kernel task (no mm), e.g. for the event drain or writeback. Runs fn(arg). */
struct task *kthread_create(const char *name, void (*fn)(void *), void *arg);

unsigned sched_nr_cpus(void);
void sched_init(void);                       /* on the boot vCPU */
/* The idle task of a vCPU, to be stored on its boot stack. */
struct task *sched_boot_idle(uint32_t cpu);
NORETURN void sched_idle_loop(void);         /* on each vCPU's boot stack */
/* Loads for /proc/loadavg, fixed point << 11 as in Linux. */
void sched_loadavg(uint64_t avg[3]);
uint64_t sched_nr_running(void);
/* Idle time of a vCPU since boot, ns, for /proc/stat and uptime. */
uint64_t sched_idle_ns(unsigned cpu);
uint64_t sched_context_switches(void);

#endif
