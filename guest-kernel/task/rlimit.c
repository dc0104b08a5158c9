// SPDX-License-Identifier: Apache-2.0
/* Resource limits (getrlimit(2)). */
#include "mm/mm.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"

/* Reads and optionally replaces one limit of p, atomically. */
static int64_t do_prlimit(struct process *p, uint32_t res, const struct rlimit64 *set, struct rlimit64 *old)
{
	if (res >= RLIM_NLIMITS)
		return -EINVAL;
	if (set && set->rlim_cur > set->rlim_max)
		return -EINVAL;
	if (set && res == RLIMIT_NOFILE && set->rlim_max > 1048576)
		return -EPERM; /* fs.nr_open */
	int64_t err = 0;
	spin_lock(&tasklist_lock);
	struct rlimit64 *r = &p->rlim[res];
	if (old)
		*old = *r;
	if (set && set->rlim_max > r->rlim_max && !capable(CAP_SYS_RESOURCE))
		err = -EPERM;
	else if (set)
		*r = *set;
	spin_unlock(&tasklist_lock);
	if (!err && set && res == RLIMIT_CPU)
		process_timers_limit(p);
	return err;
}

int64_t sys_getrlimit(const struct sysargs *a)
{
	struct rlimit64 r;
	int64_t err = do_prlimit(current->proc, arg_u32(a, 0), NULL, &r);
	return err ? err : copy_out_struct(arg_uva(a, 1), &r);
}

int64_t sys_setrlimit(const struct sysargs *a)
{
	struct rlimit64 r;
	if (copy_in_struct(&r, arg_uva(a, 1)))
		return -EFAULT;
	return do_prlimit(current->proc, arg_u32(a, 0), &r, NULL);
}

/* prlimit(2): the caller's real ids must match all of the target's, or CAP_SYS_RESOURCE. */
static int64_t prlimit_permission(struct process *p)
{
	if (p == current->proc)
		return 0;
	const struct cred *me = current->cred;
	bool ok = false;
	spin_lock(&tasklist_lock);
	struct task *t = p->leader; /* NULL once it is reaped */
	if (t) {
		spin_lock(&t->lock);
		const struct cred *c = t->cred;
		ok = c && me->uid == c->euid && me->uid == c->suid && me->uid == c->uid && me->gid == c->egid &&
		     me->gid == c->sgid && me->gid == c->gid;
		ok = ok || (c && ns_capable(c->user_ns, CAP_SYS_RESOURCE));
		spin_unlock(&t->lock);
	}
	spin_unlock(&tasklist_lock);
	return ok ? 0 : -EPERM;
}

int64_t sys_prlimit64(const struct sysargs *a)
{
	int pid = arg_int(a, 0);
	uva_t in = arg_uva(a, 2), out = arg_uva(a, 3);
	struct rlimit64 set, old;
	if (in.v && copy_in_struct(&set, in))
		return -EFAULT;
	struct process *p = pid ? process_find_user(pid) : current->proc;
	if (!p)
		return -ESRCH;
	int64_t err = prlimit_permission(p);
	if (!err)
		err = do_prlimit(p, arg_u32(a, 1), in.v ? &set : NULL, &old);
	if (pid)
		process_put(p);
	if (!err && out.v)
		err = copy_out_struct(out, &old);
	return err;
}
