/* SPDX-License-Identifier: Apache-2.0 */
/* getrusage(2), times(2). */
#include <linux/times.h>

#include "lib/string.h"
#include "mm/mm.h"
#include "syscall/syscall.h"
#include "task/rusage.h"
#include "task/cpu_account.h"

#define CLOCK_TICK_NS 10000000UL

void rusage_fill(struct rusage *ru, const struct rusage_acc *u)
{
	memset(ru, 0, sizeof(*ru));
	ru->ru_utime.tv_sec = (long)(u->utime_ns / 1000000000);
	ru->ru_utime.tv_usec = (long)(u->utime_ns % 1000000000 / 1000);
	ru->ru_stime.tv_sec = (long)(u->stime_ns / 1000000000);
	ru->ru_stime.tv_usec = (long)(u->stime_ns % 1000000000 / 1000);
	ru->ru_maxrss = (long)u->maxrss_kib;
	ru->ru_minflt = (long)u->min_flt;
	ru->ru_majflt = (long)u->maj_flt;
	ru->ru_inblock = (long)u->inblock;
	ru->ru_oublock = (long)u->oublock;
	ru->ru_nvcsw = (long)u->nvcsw;
	ru->ru_nivcsw = (long)u->nivcsw;
}

static void thread_usage(struct rusage_acc *u)
{
	const struct task *t = current;

	cpu_account_sync();
	*u = (struct rusage_acc){.utime_ns = t->sched.utime_ns, .stime_ns = t->sched.stime_ns, .min_flt = t->min_flt,
		.maj_flt = t->maj_flt, .nvcsw = t->sched.nvcsw, .nivcsw = t->sched.nivcsw};
}

/* The largest resident set so far: of finished memory, or of the present one. */
static uint64_t peak_rss_kib(const struct process *p)
{
	uint64_t now = (uint64_t)MAX(current->mm->peak_rss, (int64_t)0) * (PAGE_SIZE / 1024);

	return MAX(now, p->self.maxrss_kib);
}

int64_t sys_getrusage(const struct sysargs *a)
{
	int who = arg_int(a, 0);
	struct process *p = current->proc;
	struct rusage_acc u;
	struct rusage ru;

	switch (who) {
	case RUSAGE_SELF:
	case RUSAGE_CHILDREN:
		spin_lock(&tasklist_lock);
		if (who == RUSAGE_SELF)
			process_usage(p, &u);
		else
			u = p->children_acc;
		spin_unlock(&tasklist_lock);
		break;
	case RUSAGE_THREAD:
		thread_usage(&u);
		break;
	default:
		return -EINVAL;
	}
	if (who != RUSAGE_CHILDREN)
		u.maxrss_kib = peak_rss_kib(p);
	rusage_fill(&ru, &u);
	return copy_out_struct(arg_uva(a, 1), &ru);
}

int64_t sys_times(const struct sysargs *a)
{
	struct process *p = current->proc;
	struct rusage_acc self, children;

	spin_lock(&tasklist_lock);
	process_usage(p, &self);
	children = p->children_acc;
	spin_unlock(&tasklist_lock);
	if (arg_u64(a, 0)) {
		int64_t t[4] = {(int64_t)(self.utime_ns / CLOCK_TICK_NS), (int64_t)(self.stime_ns / CLOCK_TICK_NS),
			(int64_t)(children.utime_ns / CLOCK_TICK_NS), (int64_t)(children.stime_ns / CLOCK_TICK_NS)};
		if (copy_out(arg_uva(a, 0), t, sizeof(t)))
			return -EFAULT;
	}
	return (int64_t)(clock_boottime() / CLOCK_TICK_NS);
}
