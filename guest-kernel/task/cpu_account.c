/* SPDX-License-Identifier: Apache-2.0 */
/* User and system time; see cpu_account.h. */
#include "task/cpu_account.h"

uint16_t quick_ns[SYSCALL_MAX] = {[0 ... SYSCALL_MAX - 1] = UINT16_MAX};

void cpu_account_span(struct task *t, uint64_t now)
{
	struct task_sched *s = &t->sched;
	uint64_t passed = now > s->last_stamp ? now - s->last_stamp : 0, sys = passed;

	if (!s->stamped) {
		sys = MIN(passed, (uint64_t)s->skipped_ns);
		s->skipped_ns = 0;
	}
	s->last_stamp = now;
	s->stamped = true;
	s->stime_ns += sys;
	s->acct_sys += sys;
	s->utime_ns += passed - sys;
	s->acct_user += passed - sys;
}

void cpu_account_sync(void)
{
	if (!current->is_kthread)
		cpu_account_span(current, clock_sched());
}

void cpu_account_enter_slow(struct task *t, uint64_t syscall_nr)
{
	cpu_account_span(t, clock_sched());
	t->sched.measured_nr = syscall_nr < SYSCALL_MAX ? (int32_t)syscall_nr : -1;
}

static void learn(int32_t nr, uint64_t ns)
{
	uint64_t old = quick_ns[nr];

	ns = MAX(MIN(ns, (uint64_t)UINT16_MAX - 1), (uint64_t)QUICK_MIN);
	quick_ns[nr] = (uint16_t)(old == UINT16_MAX ? ns : (old * 7 + ns) / 8);
}

void cpu_account_leave_slow(struct task *t)
{
	struct task_sched *s = &t->sched;
	uint64_t before = s->stime_ns;

	cpu_account_span(t, clock_sched());
	if (s->measured_nr >= 0)
		learn(s->measured_nr, s->stime_ns - before);
	s->measured_nr = -1;
	s->stamped = false;
}
