/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks and kernel timers. Times are nanoseconds in uint64_t. Timer callbacks run in task or idle context without
 * locks of the timer code held; they must not sleep.
 */
#ifndef TIME_TIMER_H
#define TIME_TIMER_H

#include "lib/list.h"
#include "lib/rbtree.h"
#include "task/lock.h"

/* clock_monotonic for the scheduler's accounts: cheap everywhere, but two vCPUs may see it differ a little. */
uint64_t clock_sched(void);
uint64_t clock_monotonic(void); /* ns since host boot, as CLOCK_MONOTONIC */
uint64_t clock_realtime(void);  /* ns since the epoch */
uint64_t clock_boottime(void);
uint64_t clock_since_start(void); /* ns since this sandbox started: what uptime shows */

struct ktimer {
	struct rb_node node;       /* protected by the timer lock */
	uint64_t deadline;         /* CLOCK_MONOTONIC ns; protected by the timer lock */
	bool armed;                /* protected by the timer lock */
	bool running;              /* fn is being called; protected by the timer lock */
	void (*fn)(struct ktimer *t);
};

void timer_init(struct ktimer *t, void (*fn)(struct ktimer *));
/* (Re)arms. */
void timer_arm(struct ktimer *t, uint64_t deadline);
/* True if it was armed. Afterwards fn does not run (waits for a running one; not from inside fn, and not under a lock
 * that fn takes). fn may re-arm its timer, but not free it. */
bool timer_cancel(struct ktimer *t);
/* Runs what is due; called by the scheduler when a vCPU enters the kernel for a kick, and from idle.
 * Returns the next deadline (DEADLINE_NEVER if none). */
uint64_t timers_run(void);
extern uint64_t timers_earliest; /* deadline; written under the timer lock, read by anyone through: */
static inline uint64_t timers_next(void) { return __atomic_load_n(&timers_earliest, __ATOMIC_ACQUIRE); }
void clock_init(void);

/* Itimers and POSIX timers of a process (time/itimer.c, time/posix_timer.c, time/cpu_clock.c). lock is innermost but
 * for the timer lock: no signal is sent and no timer cancelled under it. */
struct process_timers {
	spinlock_t lock;
	struct ktimer real;               /* ITIMER_REAL */
	uint64_t real_interval;           /* lock */
	struct {
		uint64_t expires, interval; /* in the process's own CPU time, ns; 0: off; lock */
	} virt, prof;
	uint64_t cpu_xlimit;              /* CPU seconds at which RLIMIT_CPU sends its next SIGXCPU; lock */
	struct list_node cpu_timers;      /* struct cpu_timer (time/cpu_clock.h); lock */
	uint32_t cpu_active;              /* something counts CPU time; atomic hint */
	struct ktimer cpu_tick;           /* makes running threads account while cpu_active */
	bool ended;                       /* no thread is left, although others may hold the process: nothing is armed; lock */
	struct posix_timer **posix;       /* table by timer id; lock */
	uint32_t nr_posix;
};
struct process;
int process_timers_init(struct process *p);
/* RLIMIT_CPU may have been set: CPU time counts from now on. Without locks. */
void process_timers_limit(struct process *p);
void process_timers_exit(struct process *p); /* at exit, without locks; idempotent */
void process_timers_exec(struct process *p); /* POSIX timers are deleted, itimers live on */
/* Called without locks each time user/system time is added to the current task (sched.utime_ns, stime_ns): CPU clocks,
 * ITIMER_VIRTUAL/PROF, CPU timers and RLIMIT_CPU. */
void process_timers_account(uint64_t user_ns, uint64_t sys_ns);

#endif
