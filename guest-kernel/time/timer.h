/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks and kernel timers. Times are nanoseconds in uint64_t. Timer callbacks run in task or idle context without
 * locks of the timer code held; they must not sleep.
 */
#ifndef TIME_TIMER_H
#define TIME_TIMER_H

#include "lib/rbtree.h"
#include "task/lock.h"

uint64_t clock_monotonic(void); /* ns since host boot, as CLOCK_MONOTONIC */
uint64_t clock_realtime(void);  /* ns since the epoch */
uint64_t clock_boottime(void);
uint64_t clock_since_start(void); /* ns since this sandbox started: what uptime shows */
/* CLOCK_REALTIME deadline to CLOCK_MONOTONIC, saturating. */
uint64_t clock_real_to_mono(uint64_t real_ns);

struct ktimer {
	struct rb_node node;       /* protected by the timer lock */
	uint64_t deadline;         /* CLOCK_MONOTONIC ns; protected by the timer lock */
	bool armed;                /* protected by the timer lock */
	bool running;
	void (*fn)(struct ktimer *t);
};

void timer_init(struct ktimer *t, void (*fn)(struct ktimer *));
/* (Re)arms. */
void timer_arm(struct ktimer *t, uint64_t deadline);
/* True if it was armed. Afterwards fn does not run (waits for a running one; not from inside fn). */
bool timer_cancel(struct ktimer *t);
/* Runs what is due; called by the scheduler when a vCPU enters the kernel for a kick, and from idle.
 * Returns the next deadline (DEADLINE_NEVER if none). */
uint64_t timers_run(void);
uint64_t timers_next(void);
void clock_init(void);

/* Itimers and POSIX timers of a process (time/posix_timer.c). */
struct process_timers {
	spinlock_t lock;
	struct ktimer real;               /* ITIMER_REAL */
	uint64_t real_interval;
	uint64_t virt_left, virt_interval; /* ITIMER_VIRTUAL, ns of user time */
	uint64_t prof_left, prof_interval; /* ITIMER_PROF */
	void *posix;                      /* table of timers */
};
struct process;
int process_timers_init(struct process *p);
void process_timers_exit(struct process *p); /* at exit and exec */
/* Called when the current task has consumed user/system time, for ITIMER_VIRTUAL/PROF and RLIMIT_CPU. */
void process_timers_account(uint64_t user_ns, uint64_t sys_ns);

#endif
