/* SPDX-License-Identifier: Apache-2.0 */
/* CPU-time clocks of processes and threads, and timers on them (clock_getcpuclockid(3)). */
#ifndef TIME_CPU_CLOCK_H
#define TIME_CPU_CLOCK_H

#include "task/task.h"

enum cpu_clock_kind { CPU_CLOCK_PROF, CPU_CLOCK_VIRT, CPU_CLOCK_SCHED };

struct cpu_clock {
	struct process *proc; /* a reference */
	int tid;              /* 0: the whole process */
	int kind;             /* enum cpu_clock_kind */
};

/* CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID or an encoded pid. Takes a reference on *out->proc. 0 or -EINVAL. */
int cpu_clock_open(int clockid, bool reading, struct cpu_clock *out) MUST_CHECK;
static inline bool is_cpu_clock(int clockid) { return clockid < 0 || clockid == 2 || clockid == 3; }
/* ns, or 0 when the thread is gone. */
uint64_t cpu_clock_read(const struct cpu_clock *c);
void process_cpu_times(struct process *p, uint64_t *user, uint64_t *sys);

/* Fires in process_timers_account of the process whose time it counts. */
struct cpu_timer {
	struct list_node link;  /* proc->timers.cpu_timers; timers.lock */
	struct cpu_clock clock; /* immutable; the reference is the owner's */
	uint64_t expires;       /* timers.lock */
	bool running;           /* timers.lock */
	void (*fn)(struct cpu_timer *t); /* no locks held; must not sleep */
};
void cpu_timer_init(struct cpu_timer *t, const struct cpu_clock *c, void (*fn)(struct cpu_timer *));
void cpu_timer_arm(struct cpu_timer *t, uint64_t expires);
/* Takes it off without waiting for a running fn. */
void cpu_timer_disarm(struct cpu_timer *t);
/* Afterwards fn does not run. Not from fn. */
void cpu_timer_cancel(struct cpu_timer *t);
/* Some CPU-time limit of p was set: make its threads account, if it has any still. Takes p->timers.lock. */
void cpu_timers_activate(struct process *p);

#endif
