// SPDX-License-Identifier: Apache-2.0
/* Scheduling policy, priority and affinity (sched(7)). Deadline scheduling is not offered (EPERM, as without rights). */
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/time_types.h>

#include "lib/string.h"
#include "mm/mm.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"

#define RT_PRIO_MAX 99

/* The task of a number (0: current) with a reference, or NULL. */
static struct task *target(int pid)
{
	if (pid)
		return task_find_user(pid);
	task_get(current);
	return current;
}

/* May the current task change how t is scheduled? */
static bool may_control(struct task *t)
{
	spin_lock(&t->lock);
	bool same = t->cred && (current->cred->euid == t->cred->euid || current->cred->euid == t->cred->uid);
	spin_unlock(&t->lock);
	return same || task_capable_over(t, CAP_SYS_NICE);
}

static bool is_rt(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool policy_known(int policy)
{
	return is_rt(policy) || policy == SCHED_NORMAL || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

static int64_t set_policy(struct task *t, int policy, int prio, bool reset)
{
	if (!policy_known(policy))
		return policy == SCHED_DEADLINE ? -EPERM : -EINVAL;
	if (is_rt(policy) ? prio < 1 || prio > RT_PRIO_MAX : prio != 0)
		return -EINVAL;
	if (!capable(CAP_SYS_NICE)) {
		uint64_t limit = t->proc->rlim[RLIMIT_RTPRIO].rlim_cur;
		if (!may_control(t))
			return -EPERM;
		if (is_rt(policy) && (!limit || ((uint64_t)prio > limit && prio > t->sched.rt_priority)) &&
		    !(policy == t->sched.policy && prio <= t->sched.rt_priority))
			return -EPERM;
		if (t->sched.reset_on_fork && !reset)
			return -EPERM;
	}
	sched_set_policy(t, policy, prio, reset);
	return 0;
}

static int64_t setscheduler(int pid, int policy, uva_t param, bool keep_policy)
{
	int prio;
	if (pid < 0 || !param.v || (!keep_policy && policy < 0))
		return -EINVAL;
	if (copy_in(&prio, param, sizeof(prio)))
		return -EFAULT;
	struct task *t = target(pid);
	if (!t)
		return -ESRCH;
	bool reset = keep_policy ? t->sched.reset_on_fork : (policy & SCHED_RESET_ON_FORK) != 0;
	policy = keep_policy ? t->sched.policy : policy & ~SCHED_RESET_ON_FORK;
	int64_t r = set_policy(t, policy, prio, reset);
	task_put(t);
	return r;
}

int64_t sys_sched_setscheduler(const struct sysargs *a)
{
	return setscheduler(arg_int(a, 0), arg_int(a, 1), arg_uva(a, 2), false);
}

int64_t sys_sched_setparam(const struct sysargs *a)
{
	return setscheduler(arg_int(a, 0), 0, arg_uva(a, 1), true);
}

int64_t sys_sched_getscheduler(const struct sysargs *a)
{
	if (arg_int(a, 0) < 0)
		return -EINVAL;
	struct task *t = target(arg_int(a, 0));
	if (!t)
		return -ESRCH;
	int r = t->sched.policy | (t->sched.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
	task_put(t);
	return r;
}

int64_t sys_sched_getparam(const struct sysargs *a)
{
	if (arg_int(a, 0) < 0 || !arg_u64(a, 1))
		return -EINVAL;
	struct task *t = target(arg_int(a, 0));
	if (!t)
		return -ESRCH;
	int prio = is_rt(t->sched.policy) ? t->sched.rt_priority : 0;
	task_put(t);
	return copy_out(arg_uva(a, 1), &prio, sizeof(prio));
}

int64_t sys_sched_get_priority_max(const struct sysargs *a)
{
	int p = arg_int(a, 0);
	return is_rt(p) ? RT_PRIO_MAX : policy_known(p) || p == SCHED_DEADLINE ? 0 : -EINVAL;
}

int64_t sys_sched_get_priority_min(const struct sysargs *a)
{
	int p = arg_int(a, 0);
	return is_rt(p) ? 1 : policy_known(p) || p == SCHED_DEADLINE ? 0 : -EINVAL;
}

int64_t sys_sched_rr_get_interval(const struct sysargs *a)
{
	if (arg_int(a, 0) < 0)
		return -EINVAL;
	struct task *t = target(arg_int(a, 0));
	if (!t)
		return -ESRCH;
	uint64_t ns = t->sched.policy == SCHED_FIFO ? 0 : sched_rr_interval(t);
	task_put(t);
	struct __kernel_timespec ts = {(int64_t)(ns / 1000000000), (int64_t)(ns % 1000000000)};
	return copy_out_struct(arg_uva(a, 1), &ts);
}

int64_t sys_sched_yield(const struct sysargs *a)
{
	sched_yield_current();
	return 0;
}

/* ---- affinity ---- */

int64_t sys_sched_setaffinity(const struct sysargs *a)
{
	uint64_t mask[4] = {0}, all[4];
	size_t len = MIN((size_t)arg_u32(a, 1), sizeof(mask));
	if (len && copy_in(mask, arg_uva(a, 2), len))
		return -EFAULT;
	struct task *t = target(arg_int(a, 0));
	if (!t)
		return -ESRCH;
	sched_cpu_mask(all);
	uint64_t any = 0;
	for (int i = 0; i < 4; i++)
		any |= mask[i] &= all[i];
	int64_t r = !may_control(t) ? -EPERM : !any ? -EINVAL : 0;
	if (!r)
		sched_set_affinity(t, mask);
	task_put(t);
	return r;
}

int64_t sys_sched_getaffinity(const struct sysargs *a)
{
	uint32_t len = arg_u32(a, 1);
	uint64_t all[4], mask[4];
	size_t bytes = ROUND_UP((sched_nr_cpus() + 7) / 8, 8u);
	if (len < bytes || len & 7)
		return -EINVAL;
	struct task *t = target(arg_int(a, 0));
	if (!t)
		return -ESRCH;
	sched_cpu_mask(all);
	for (int i = 0; i < 4; i++)
		mask[i] = t->sched.affinity[i] & all[i];
	task_put(t);
	size_t n = MIN((size_t)len, bytes);
	return copy_out(arg_uva(a, 2), mask, n) ? -EFAULT : (int64_t)n;
}

int64_t sys_getcpu(const struct sysargs *a)
{
	uint32_t cpu = this_vcpu()->id, node = 0;
	if (arg_u64(a, 0) && copy_out_struct(arg_uva(a, 0), &cpu))
		return -EFAULT;
	if (arg_u64(a, 1) && copy_out_struct(arg_uva(a, 1), &node))
		return -EFAULT;
	return 0;
}

/* ---- sched_setattr(2) ---- */

/* What a newer program passes and we do not know: 1 all zero, 0 not, -EFAULT. */
static int tail_is_zero(uva_t at, size_t n)
{
	uint8_t b[64];

	for (size_t step; n; n -= step, at = uva_add(at, step)) {
		step = MIN(n, sizeof(b));
		if (copy_in(b, at, step))
			return -EFAULT;
		for (size_t i = 0; i < step; i++)
			if (b[i])
				return 0;
	}
	return 1;
}

/* sched(7), SCHED_DEADLINE: runtime <= deadline <= period, a period of 0 is the deadline. */
static bool deadline_is_valid(const struct sched_attr *attr)
{
	uint64_t period = attr->sched_period ? attr->sched_period : attr->sched_deadline;

	return attr->sched_deadline && attr->sched_runtime >= 1024 && !((attr->sched_deadline | period) >> 63) &&
	       attr->sched_runtime <= attr->sched_deadline && attr->sched_deadline <= period;
}

int64_t sys_sched_setattr(const struct sysargs *a)
{
	struct sched_attr attr = {0};
	uint32_t size;
	uva_t p = arg_uva(a, 1);
	if (!p.v || arg_int(a, 0) < 0 || arg_u32(a, 2))
		return -EINVAL;
	if (copy_in(&size, p, sizeof(size)))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE) {
		uint32_t want = sizeof(attr);
		return copy_out(p, &want, sizeof(want)) ? -EFAULT : -E2BIG;
	}
	if (copy_in(&attr, p, MIN((size_t)size, sizeof(attr))))
		return -EFAULT;
	if (size > sizeof(attr)) {
		int tail = tail_is_zero(uva_add(p, sizeof(attr)), size - sizeof(attr));
		if (tail < 0)
			return tail;
		if (!tail) {
			uint32_t want = sizeof(attr);
			return copy_out(p, &want, sizeof(want)) ? -EFAULT : -E2BIG;
		}
	}
	if (attr.sched_flags & ~(uint64_t)SCHED_FLAG_ALL)
		return -EINVAL;
	if (!(attr.sched_flags & SCHED_FLAG_KEEP_POLICY) && attr.sched_policy == SCHED_DEADLINE && !deadline_is_valid(&attr))
		return -EINVAL;
	struct task *t = target(arg_int(a, 0));
	if (!t)
		return -ESRCH;
	int policy = attr.sched_flags & SCHED_FLAG_KEEP_POLICY ? t->sched.policy : (int)attr.sched_policy;
	bool reset = attr.sched_flags & SCHED_FLAG_RESET_ON_FORK;
	int64_t r = set_policy(t, policy, (int)attr.sched_priority, reset);
	if (!r && !is_rt(policy)) {
		int nice = MAX(-20, MIN(19, attr.sched_nice));
		if (nice < t->sched.nice && !capable(CAP_SYS_NICE))
			r = -EPERM;
		else
			sched_set_nice(t, nice);
	}
	task_put(t);
	return r;
}

int64_t sys_sched_getattr(const struct sysargs *a)
{
	uint32_t size = arg_u32(a, 2);
	if (!arg_u64(a, 1) || arg_int(a, 0) < 0 || size > PAGE_SIZE || size < SCHED_ATTR_SIZE_VER0 || arg_u32(a, 3))
		return -EINVAL;
	struct task *t = target(arg_int(a, 0));
	if (!t)
		return -ESRCH;
	struct sched_attr attr = {.size = MIN(size, (uint32_t)sizeof(attr)), .sched_policy = (uint32_t)t->sched.policy,
	                          .sched_flags = t->sched.reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0,
	                          .sched_nice = is_rt(t->sched.policy) ? 0 : t->sched.nice,
	                          .sched_priority = is_rt(t->sched.policy) ? (uint32_t)t->sched.rt_priority : 0,
	                          .sched_util_max = 1024};
	task_put(t);
	return copy_out(arg_uva(a, 1), &attr, attr.size);
}

/* ---- nice values (getpriority(2)) ---- */

#define PRIO_PROCESS_ 0
#define PRIO_PGRP_    1
#define PRIO_USER_    2

static bool prio_matches(int which, int who, struct process *p)
{
	if (which == PRIO_PGRP_)
		return p->pgid == who;
	struct task *t = p->leader;
	spin_lock(&t->lock);
	bool r = t->cred && t->cred->uid == (uint32_t)who;
	spin_unlock(&t->lock);
	return r;
}

/* Sets the nice value of one task: -EACCES when it would rise without the right to. */
static int64_t set_nice(struct task *t, int nice)
{
	uint64_t limit = t->proc->rlim[RLIMIT_NICE].rlim_cur;
	if (!may_control(t))
		return -EPERM;
	if (nice < t->sched.nice && !capable(CAP_SYS_NICE) && (uint64_t)(20 - nice) > limit)
		return -EACCES;
	sched_set_nice(t, nice);
	return 0;
}

int sched_set_for_container(struct task *t, int policy, int priority, int nice)
{
	int err = (int)set_policy(t, policy, priority, false);

	return err ? err : (int)set_nice(t, nice);
}

/* Calls for each task that (which, who) names; the tasks are collected first, sched_set_nice must not run under the
 * tasklist lock. */
#define PRIO_BATCH 256

static int64_t priority(int which, int who, const int *set)
{
	if (which < PRIO_PROCESS_ || which > PRIO_USER_)
		return -EINVAL;
	if (which == PRIO_PROCESS_) {
		struct task *t = target(who);
		if (!t)
			return -ESRCH;
		int64_t r = set ? set_nice(t, *set) : 20 - t->sched.nice;
		task_put(t);
		return r;
	}
	struct task **list = kmalloc(PRIO_BATCH * sizeof(*list));
	if (!list)
		return -ENOMEM;
	int n = 0;
	if (which == PRIO_USER_)
		who = who ? (int)kuid_in((uint32_t)who) : (int)current->cred->uid;
	else
		who = who ? pid_from_user(who) : current->proc->pgid;
	struct process *p;
	struct task *t;
	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &process_list, all_link) {
		if (!prio_matches(which, who, p))
			continue;
		list_for_each_entry(t, &p->threads, thread_link) {
			if (n < PRIO_BATCH) {
				task_get(t);
				list[n++] = t;
			}
		}
	}
	spin_unlock(&tasklist_lock);
	int64_t r = -ESRCH;
	for (int i = 0; i < n; i++) {
		int64_t one = set ? set_nice(list[i], *set) : 20 - list[i]->sched.nice;
		if (set)
			r = r == -ESRCH || one ? one : r;
		else
			r = MAX(r, one);
		task_put(list[i]);
	}
	kfree(list);
	return r;
}

int64_t sys_getpriority(const struct sysargs *a)
{
	return priority(arg_int(a, 0), arg_int(a, 1), NULL);
}

int64_t sys_setpriority(const struct sysargs *a)
{
	int nice = MAX(-20, MIN(19, arg_int(a, 2)));
	return priority(arg_int(a, 0), arg_int(a, 1), &nice);
}

/* ---- I/O priorities (ioprio_set(2)): accepted and kept per task; the host schedules I/O ---- */

#define IOPRIO_CLASS(v) ((v) >> 13)

int64_t sys_ioprio_set(const struct sysargs *a)
{
	int value = arg_int(a, 2);
	if (arg_int(a, 0) < 1 || arg_int(a, 0) > 3 || IOPRIO_CLASS(value) > 3 || value < 0)
		return -EINVAL;
	if (IOPRIO_CLASS(value) == 0 && value)
		return -EINVAL; /* no class, no level */
	if (IOPRIO_CLASS(value) == 1 && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	struct task *t = target(arg_int(a, 0) == 1 ? arg_int(a, 1) : 0);
	if (!t)
		return -ESRCH;
	t->ioprio = value;
	task_put(t);
	return 0;
}

int64_t sys_ioprio_get(const struct sysargs *a)
{
	if (arg_int(a, 0) < 1 || arg_int(a, 0) > 3)
		return -EINVAL;
	struct task *t = target(arg_int(a, 0) == 1 ? arg_int(a, 1) : 0);
	if (!t)
		return -ESRCH;
	int r = t->ioprio;
	task_put(t);
	return r;
}
