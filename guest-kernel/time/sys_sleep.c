// SPDX-License-Identifier: Apache-2.0
/*
 * nanosleep(2), clock_nanosleep(2). A sleep that a stop and continue interrupts goes on until its deadline. A deadline on
 * CLOCK_REALTIME is turned into CLOCK_MONOTONIC once: a step of the host's clock during the sleep is not seen.
 */
#include "mm/mm.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "time/cpu_clock.h"
#include "time/timespec.h"

/* restart_data: clock id, deadline on CLOCK_MONOTONIC or the CPU clock, where to store the rest. */
enum { RD_CLOCK, RD_DEADLINE, RD_RMTP };

static int sleep_until(uint64_t deadline)
{
	int r;

	if (deadline <= clock_monotonic())
		return 0;
	do {
		task_prepare_wait(true);
		r = task_sleep(deadline);
	} while (!r);
	task_finish_wait();
	return r == -ETIMEDOUT ? 0 : r;
}

struct cpu_sleep {
	struct cpu_timer timer;
	struct task *task;
	bool fired;
};

static void cpu_sleep_fired(struct cpu_timer *ct)
{
	struct cpu_sleep *s = container_of(ct, struct cpu_sleep, timer);

	atomic_store(&s->fired, true);
	task_wake(s->task);
}

static int cpu_sleep_until(const struct cpu_clock *c, uint64_t deadline)
{
	struct cpu_sleep s = {.task = current};
	int r = 0;

	if (cpu_clock_read(c) >= deadline)
		return 0;
	cpu_timer_init(&s.timer, c, cpu_sleep_fired);
	cpu_timer_arm(&s.timer, deadline);
	while (!atomic_load(&s.fired) && !r) {
		task_prepare_wait(true);
		if (!atomic_load(&s.fired))
			r = task_sleep(DEADLINE_NEVER);
	}
	task_finish_wait();
	cpu_timer_cancel(&s.timer);
	return atomic_load(&s.fired) ? 0 : r;
}

/* Sleeps; interrupted, stores what is left (relative sleeps) and asks for a restart. rmtp NULL: nowhere to store. */
static int64_t sleep_restartable(int clockid, uint64_t deadline, uva_t rmtp)
{
	struct task *t = current;
	struct cpu_clock c;
	uint64_t now;
	int r;

	if (is_cpu_clock(clockid)) {
		r = cpu_clock_open(clockid, false, &c);
		if (r)
			return r;
		r = cpu_sleep_until(&c, deadline);
		now = cpu_clock_read(&c);
		process_put(c.proc);
	} else {
		r = sleep_until(deadline);
		now = clock_monotonic();
	}
	if (!r)
		return 0;
	if (now >= deadline)
		return 0;
	if (rmtp.v && timespec_out(rmtp, deadline - now))
		return -EFAULT;
	t->restart_data[RD_CLOCK] = (uint64_t)(int64_t)clockid;
	t->restart_data[RD_DEADLINE] = deadline;
	t->restart_data[RD_RMTP] = rmtp.v;
	return -ERESTART_RESTARTBLOCK;
}

static int64_t sleep_restart(struct task *t)
{
	int64_t r = sleep_restartable((int)t->restart_data[RD_CLOCK], t->restart_data[RD_DEADLINE],
	                              uva(t->restart_data[RD_RMTP]));

	if (r == -ERESTART_RESTARTBLOCK)
		t->restart_fn = sleep_restart;
	return r;
}

static int64_t sleep_relative(int clockid, uint64_t deadline, uva_t rmtp)
{
	int64_t r = sleep_restartable(clockid, deadline, rmtp);

	if (r == -ERESTART_RESTARTBLOCK)
		current->restart_fn = sleep_restart;
	return r;
}

int64_t sys_nanosleep(const struct sysargs *a)
{
	uint64_t ns;
	int err = timespec_in(arg_uva(a, 0), &ns);

	return err ? err : sleep_relative(CLOCK_MONOTONIC, deadline_after(ns), arg_uva(a, 1));
}

static int check_clock(int clockid)
{
	if (is_cpu_clock(clockid)) {
		if (clockid == CLOCK_THREAD_CPUTIME_ID)
			return -EOPNOTSUPP;
		/* One cannot wait for one's own CPU time to pass. */
		return clockid < 0 && (clockid & 4) && (~(clockid >> 3) == 0 || ~(clockid >> 3) == current->vtid) ? -EINVAL
		                                                                                               : 0;
	}
	return clock_check_wait(clockid);
}

int64_t sys_clock_nanosleep(const struct sysargs *a)
{
	int clockid = arg_int(a, 0), flags = arg_int(a, 1), err = check_clock(clockid);
	struct cpu_clock c;
	uint64_t ns, deadline;
	int64_t r;

	if (err)
		return err;
	err = timespec_in(arg_uva(a, 2), &ns);
	if (err)
		return err;
	if (is_cpu_clock(clockid)) {
		err = cpu_clock_open(clockid, false, &c);
		if (err)
			return err;
		deadline = flags & TIMER_ABSTIME ? ns : time_add(cpu_clock_read(&c), ns);
		process_put(c.proc);
	} else {
		deadline = flags & TIMER_ABSTIME ? deadline_of_clock(clockid, ns) : deadline_after(ns);
	}
	if (!(flags & TIMER_ABSTIME))
		return sleep_relative(clockid, deadline, arg_uva(a, 3));
	/* The same call with the same deadline is its own restart. */
	r = sleep_restartable(clockid, deadline, UVA_NULL);
	return r == -ERESTART_RESTARTBLOCK ? -ERESTARTNOHAND : r;
}
