/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User and system time of tasks.
 *
 * Reading a clock twice per system call would cost more than a short system call itself. So calls that are known to be short
 * (measured: quick_ns) pass without a look at the clock, up to SKIP_NS in a row; the next look divides what passed: their
 * usual duration is system time, the rest is user time. Anything else, and every switch of tasks, is measured exactly, and so
 * is the sum of both. Whoever reads the times of the current task calls cpu_account_sync() first.
 */
#ifndef TASK_CPU_ACCOUNT_H
#define TASK_CPU_ACCOUNT_H

#include "syscall/table_impl.h"
#include "task/task.h"

#define SKIP_NS     16000
#define QUICK_MIN   64 /* no call counts as shorter: what bounds the number of calls in a row */

extern uint16_t quick_ns[SYSCALL_MAX]; /* usual system time of each call, UINT16_MAX: not known; racy, a guess in any case */

/* What passed since the last look belongs to the current task t; from now on it is in the Sentry. */
void cpu_account_span(struct task *t, uint64_t now);
/* The same, now. */
void cpu_account_sync(void);
void cpu_account_enter_slow(struct task *t, uint64_t syscall_nr);
void cpu_account_leave_slow(struct task *t);

/* Back from ring 3. syscall_nr: of a plain system call, or anything else above the last one. */
static inline void cpu_account_enter(struct task *t, uint64_t syscall_nr)
{
	if (likely(syscall_nr < SYSCALL_MAX)) {
		uint32_t ns = t->sched.skipped_ns + quick_ns[syscall_nr];

		if (likely(ns < SKIP_NS)) {
			t->sched.skipped_ns = ns;
			return;
		}
	}
	cpu_account_enter_slow(t, syscall_nr);
}

/* About to enter ring 3. */
static inline void cpu_account_leave(struct task *t)
{
	if (t->sched.stamped)
		cpu_account_leave_slow(t);
}

#endif
