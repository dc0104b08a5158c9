// SPDX-License-Identifier: Apache-2.0
/* setitimer(2), getitimer(2), alarm(2). ITIMER_REAL is a kernel timer; the other two count CPU time (cpu_clock.c). */
#include "time/cpu_clock.h"

#include "mm/mm.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "time/posix_timer.h"
#include "time/timespec.h"

struct itimer_ns {
	uint64_t value, interval;
};

void itimer_real_fn(struct ktimer *k)
{
	struct process *p = container_of(k, struct process, timers.real);
	siginfo_t si;

	/* The next period starts when the signal is taken: a short interval cannot flood us. */
	siginfo_kernel(&si, SIGALRM);
	(void)signal_send_process(p, &si);
}

void itimer_real_dequeued(struct process *p)
{
	struct process_timers *pt = &p->timers;
	uint64_t now, next;

	if (!READ_ONCE(pt->real_interval))
		return;
	spin_lock(&pt->lock);
	if (pt->real_interval && !pt->real.armed) {
		now = clock_monotonic();
		next = pt->real.deadline;
		if (next <= now)
			next += ((now - next) / pt->real_interval + 1) * pt->real_interval;
		timer_arm(&pt->real, next);
	}
	spin_unlock(&pt->lock);
}

static void read_real(struct process_timers *pt, struct itimer_ns *out)
{
	uint64_t now = clock_monotonic();

	out->interval = pt->real_interval;
	/* Due but not yet delivered still counts as running. */
	out->value = !pt->real.armed ? 0 : pt->real.deadline > now ? pt->real.deadline - now : NSEC_PER_USEC;
}

static void swap_real(struct process *p, const struct itimer_ns *new, struct itimer_ns *old)
{
	struct process_timers *pt = &p->timers;

	spin_lock(&pt->lock);
	read_real(pt, old);
	if (new) {
		pt->real_interval = new->value ? new->interval : 0;
		timer_arm(&pt->real, new->value ? deadline_after(new->value) : DEADLINE_NEVER);
	}
	spin_unlock(&pt->lock);
}

static void swap_cpu(struct process *p, int which, const struct itimer_ns *new, struct itimer_ns *old)
{
	struct process_timers *pt = &p->timers;
	uint64_t user, sys, now, *expires, *interval;

	process_cpu_times(p, &user, &sys);
	now = which == ITIMER_VIRTUAL ? user : user + sys;
	expires = which == ITIMER_VIRTUAL ? &pt->virt.expires : &pt->prof.expires;
	interval = which == ITIMER_VIRTUAL ? &pt->virt.interval : &pt->prof.interval;
	spin_lock(&pt->lock);
	old->interval = *interval;
	old->value = !*expires ? 0 : *expires > now ? *expires - now : NSEC_PER_USEC;
	if (new) {
		*expires = new->value ? time_add(now, new->value) : 0;
		*interval = new->interval;
	}
	spin_unlock(&pt->lock);
	if (new && new->value)
		cpu_timers_activate(p);
}

static int itimer_swap(int which, const struct itimer_ns *new, struct itimer_ns *old)
{
	switch (which) {
	case ITIMER_REAL:
		swap_real(current->proc, new, old);
		return 0;
	case ITIMER_VIRTUAL:
	case ITIMER_PROF:
		swap_cpu(current->proc, which, new, old);
		return 0;
	default:
		return -EINVAL;
	}
}

static int itimer_out(uva_t p, const struct itimer_ns *it)
{
	if (timeval_out(p, it->interval) || timeval_out(uva_add(p, sizeof(struct __kernel_old_timeval)), it->value))
		return -EFAULT;
	return 0;
}

int64_t sys_getitimer(const struct sysargs *a)
{
	struct itimer_ns old;
	int err = itimer_swap(arg_int(a, 0), NULL, &old);

	return err ? err : itimer_out(arg_uva(a, 1), &old);
}

int64_t sys_setitimer(const struct sysargs *a)
{
	uva_t unew = arg_uva(a, 1), uold = arg_uva(a, 2);
	struct itimer_ns new = {0}, old;
	int err;

	/* A null new value clears the timer: old Linux behaviour that programs lean on. */
	if (unew.v) {
		err = timeval_in(unew, &new.interval);
		if (!err)
			err = timeval_in(uva_add(unew, sizeof(struct __kernel_old_timeval)), &new.value);
		if (err)
			return err;
	}
	err = itimer_swap(arg_int(a, 0), &new, &old);
	if (err)
		return err;
	return uold.v ? itimer_out(uold, &old) : 0;
}

int64_t sys_alarm(const struct sysargs *a)
{
	struct itimer_ns new = {.value = arg_u32(a, 0) * NSEC_PER_SEC}, old;
	uint64_t seconds, rest;

	swap_real(current->proc, &new, &old);
	seconds = old.value / NSEC_PER_SEC;
	rest = old.value % NSEC_PER_SEC;
	/* Never 0 for an alarm that is still to come. */
	if ((!seconds && rest) || rest >= NSEC_PER_SEC / 2)
		seconds++;
	return (int64_t)seconds;
}

void process_timers_exec(struct process *p) { posix_timers_delete_all(p); }

void process_timers_exit(struct process *p)
{
	struct process_timers *pt = &p->timers;

	posix_timers_delete_all(p);
	spin_lock(&pt->lock);
	pt->ended = true;
	pt->real_interval = 0;
	pt->virt.expires = pt->prof.expires = 0;
	spin_unlock(&pt->lock);
	atomic_store(&pt->cpu_active, 0u);
	timer_cancel(&pt->real);
	timer_cancel(&pt->cpu_tick);
}
