// SPDX-License-Identifier: Apache-2.0
/*
 * User and group ids, supplementary groups, capabilities, process groups and sessions (credentials(7), capabilities(7)).
 *
 * Credentials belong to a thread, as in Linux; libc makes a change reach every thread. A change of the process's
 * ownership makes its memory undumpable.
 */
#include <linux/prctl.h>
#include <linux/securebits.h>

#include "lib/string.h"
#include "mm/mm.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"

#define KEEP ((uint32_t)-1)
#define NGROUPS_MAX_ 65536

#define FS_CAPS (1ULL << CAP_CHOWN | 1ULL << CAP_MKNOD | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_DAC_READ_SEARCH | \
	1ULL << CAP_FOWNER | 1ULL << CAP_FSETID | 1ULL << CAP_LINUX_IMMUTABLE | 1ULL << CAP_MAC_OVERRIDE)

/* Effect of a change of user ids on capabilities (capabilities(7), "Effect of user ID changes on capabilities"). */
static void fix_caps(struct cred *c, const struct cred *old)
{
	if (c->securebits & 1u << SECURE_NO_SETUID_FIXUP)
		return;
	uint32_t root = id_make(c->user_ns, ID_USER, 0);
	bool was = old->uid == root || old->euid == root || old->suid == root;
	bool is = c->uid == root || c->euid == root || c->suid == root;
	if (was && !is && !(c->securebits & 1u << SECURE_KEEP_CAPS)) {
		c->cap_permitted = c->cap_effective = 0;
	}
	if (was && !is)
		c->cap_ambient = 0;
	if (old->euid == root && c->euid != root)
		c->cap_effective = 0;
	else if (old->euid != root && c->euid == root)
		c->cap_effective = c->cap_permitted;
	if (old->fsuid == c->fsuid)
		return;
	if (old->fsuid == root && c->fsuid != root)
		c->cap_effective &= ~FS_CAPS;
	else if (old->fsuid != root && c->fsuid == root)
		c->cap_effective |= c->cap_permitted & FS_CAPS;
}

/* Publishes new ids: capabilities follow; memory of a process that changed its identity is not to be dumped, and the death
 * of its parent no longer signals it. */
static int64_t commit(struct cred *c)
{
	const struct cred *old = current->cred;
	fix_caps(c, old);
	bool changed = c->euid != old->euid || c->egid != old->egid || c->fsuid != old->fsuid || c->fsgid != old->fsgid ||
	               c->cap_permitted & ~old->cap_permitted;
	if (changed) {
		if (current->mm)
			current->mm->dumpable = false;
		current->pdeath_signal = 0;
	}
	cred_commit(c);
	return 0;
}

/* A copy of the current credentials to edit; the caller commits or puts it. */
static struct cred *edit(void)
{
	return cred_copy(current->cred);
}

static int64_t refuse(struct cred *c, int64_t err)
{
	cred_put(c);
	return err;
}

/* Ids of the initial user namespace for the arguments of setre[su]id and setre[su]gid; KEEP stays. third may be NULL.
 * False: one of them means nothing here. */
static bool ids_in(const struct sysargs *a, enum id_kind kind, uint32_t *first, uint32_t *second, uint32_t *third)
{
	uint32_t *out[] = {first, second, third};

	for (unsigned i = 0; i < 3 && out[i]; i++) {
		uint32_t id = arg_u32(a, i);
		*out[i] = id == KEEP ? KEEP : id_make(current->cred->user_ns, kind, id);
		if (id != KEEP && *out[i] == NO_ID)
			return false;
	}
	return true;
}

int64_t sys_getuid(const struct sysargs *a)
{
	return kuid_out(current->cred->uid);
}

int64_t sys_geteuid(const struct sysargs *a)
{
	return kuid_out(current->cred->euid);
}

int64_t sys_getgid(const struct sysargs *a)
{
	return kgid_out(current->cred->gid);
}

int64_t sys_getegid(const struct sysargs *a)
{
	return kgid_out(current->cred->egid);
}

int64_t sys_setuid(const struct sysargs *a)
{
	uint32_t uid = kuid_in(arg_u32(a, 0));
	if (uid == NO_ID)
		return -EINVAL;
	struct cred *c = edit();
	if (!c)
		return -ENOMEM;
	if (cred_own_capable(c, CAP_SETUID))
		c->uid = c->suid = uid;
	else if (uid != c->uid && uid != c->suid)
		return refuse(c, -EPERM);
	c->euid = c->fsuid = uid;
	return commit(c);
}

int64_t sys_setgid(const struct sysargs *a)
{
	uint32_t gid = kgid_in(arg_u32(a, 0));
	if (gid == NO_ID)
		return -EINVAL;
	struct cred *c = edit();
	if (!c)
		return -ENOMEM;
	if (cred_own_capable(c, CAP_SETGID))
		c->gid = c->sgid = gid;
	else if (gid != c->gid && gid != c->sgid)
		return refuse(c, -EPERM);
	c->egid = c->fsgid = gid;
	return commit(c);
}

int64_t sys_setreuid(const struct sysargs *a)
{
	uint32_t ruid, euid;
	if (!ids_in(a, ID_USER, &ruid, &euid, NULL))
		return -EINVAL;
	struct cred *c = edit();
	if (!c)
		return -ENOMEM;
	const struct cred *old = current->cred;
	bool cap = cred_own_capable(c, CAP_SETUID);
	if (ruid != KEEP) {
		if (!cap && ruid != old->uid && ruid != old->euid)
			return refuse(c, -EPERM);
		c->uid = ruid;
	}
	if (euid != KEEP) {
		if (!cap && euid != old->uid && euid != old->euid && euid != old->suid)
			return refuse(c, -EPERM);
		c->euid = euid;
	}
	if (ruid != KEEP || (euid != KEEP && euid != old->uid))
		c->suid = c->euid;
	c->fsuid = c->euid;
	return commit(c);
}

int64_t sys_setregid(const struct sysargs *a)
{
	uint32_t rgid, egid;
	if (!ids_in(a, ID_GROUP, &rgid, &egid, NULL))
		return -EINVAL;
	struct cred *c = edit();
	if (!c)
		return -ENOMEM;
	const struct cred *old = current->cred;
	bool cap = cred_own_capable(c, CAP_SETGID);
	if (rgid != KEEP) {
		if (!cap && rgid != old->gid && rgid != old->egid)
			return refuse(c, -EPERM);
		c->gid = rgid;
	}
	if (egid != KEEP) {
		if (!cap && egid != old->gid && egid != old->egid && egid != old->sgid)
			return refuse(c, -EPERM);
		c->egid = egid;
	}
	if (rgid != KEEP || (egid != KEEP && egid != old->gid))
		c->sgid = c->egid;
	c->fsgid = c->egid;
	return commit(c);
}

static bool one_of(uint32_t id, uint32_t x, uint32_t y, uint32_t z)
{
	return id == KEEP || id == x || id == y || id == z;
}

int64_t sys_setresuid(const struct sysargs *a)
{
	uint32_t r, e, s;
	if (!ids_in(a, ID_USER, &r, &e, &s))
		return -EINVAL;
	struct cred *c = edit();
	if (!c)
		return -ENOMEM;
	const struct cred *o = current->cred;
	if (!cred_own_capable(c, CAP_SETUID) && (!one_of(r, o->uid, o->euid, o->suid) || !one_of(e, o->uid, o->euid, o->suid) ||
	                                     !one_of(s, o->uid, o->euid, o->suid)))
		return refuse(c, -EPERM);
	c->uid = r == KEEP ? c->uid : r;
	c->euid = e == KEEP ? c->euid : e;
	c->suid = s == KEEP ? c->suid : s;
	c->fsuid = c->euid;
	return commit(c);
}

int64_t sys_setresgid(const struct sysargs *a)
{
	uint32_t r, e, s;
	if (!ids_in(a, ID_GROUP, &r, &e, &s))
		return -EINVAL;
	struct cred *c = edit();
	if (!c)
		return -ENOMEM;
	const struct cred *o = current->cred;
	if (!cred_own_capable(c, CAP_SETGID) && (!one_of(r, o->gid, o->egid, o->sgid) || !one_of(e, o->gid, o->egid, o->sgid) ||
	                                     !one_of(s, o->gid, o->egid, o->sgid)))
		return refuse(c, -EPERM);
	c->gid = r == KEEP ? c->gid : r;
	c->egid = e == KEEP ? c->egid : e;
	c->sgid = s == KEEP ? c->sgid : s;
	c->fsgid = c->egid;
	return commit(c);
}

static int64_t put_three(const struct sysargs *a, uint32_t x, uint32_t y, uint32_t z)
{
	if (copy_out_struct(arg_uva(a, 0), &x) || copy_out_struct(arg_uva(a, 1), &y) || copy_out_struct(arg_uva(a, 2), &z))
		return -EFAULT;
	return 0;
}

int64_t sys_getresuid(const struct sysargs *a)
{
	return put_three(a, kuid_out(current->cred->uid), kuid_out(current->cred->euid), kuid_out(current->cred->suid));
}

int64_t sys_getresgid(const struct sysargs *a)
{
	return put_three(a, kgid_out(current->cred->gid), kgid_out(current->cred->egid), kgid_out(current->cred->sgid));
}

/* setfsuid(2) and setfsgid(2) return the previous value whatever happens. */
int64_t sys_setfsuid(const struct sysargs *a)
{
	uint32_t id = kuid_in(arg_u32(a, 0)), old = kuid_out(current->cred->fsuid);
	struct cred *c = edit();
	if (!c)
		return old;
	if (id == NO_ID || (!cred_own_capable(c, CAP_SETUID) && id != c->uid && id != c->euid && id != c->suid && id != c->fsuid))
		return refuse(c, old);
	c->fsuid = id;
	commit(c);
	return old;
}

int64_t sys_setfsgid(const struct sysargs *a)
{
	uint32_t id = kgid_in(arg_u32(a, 0)), old = kgid_out(current->cred->fsgid);
	struct cred *c = edit();
	if (!c)
		return old;
	if (id == NO_ID || (!cred_own_capable(c, CAP_SETGID) && id != c->gid && id != c->egid && id != c->sgid && id != c->fsgid))
		return refuse(c, old);
	c->fsgid = id;
	commit(c);
	return old;
}

/* ---- supplementary groups ---- */

static void sort_groups(uint32_t *g, uint32_t n)
{
	for (uint32_t gap = n / 2; gap; gap /= 2) {
		for (uint32_t i = gap; i < n; i++) {
			uint32_t v = g[i], k = i;
			for (; k >= gap && g[k - gap] > v; k -= gap)
				g[k] = g[k - gap];
			g[k] = v;
		}
	}
}

int64_t sys_getgroups(const struct sysargs *a)
{
	int size = arg_int(a, 0);
	const struct cred *c = current->cred;
	if (size < 0)
		return -EINVAL;
	if (!size)
		return c->ngroups;
	if ((uint32_t)size < c->ngroups)
		return -EINVAL;
	for (uint32_t i = 0; i < c->ngroups; i++) {
		uint32_t gid = kgid_out(c->groups[i]);
		if (copy_out_struct(uva_add(arg_uva(a, 1), i * sizeof(gid)), &gid))
			return -EFAULT;
	}
	return c->ngroups;
}

int64_t sys_setgroups(const struct sysargs *a)
{
	uint64_t n = arg_u64(a, 0);
	if (!cred_own_capable(current->cred, CAP_SETGID) || !user_ns_may_setgroups(current->cred->user_ns))
		return -EPERM;
	if (n > NGROUPS_MAX_)
		return -EINVAL;
	uint32_t *groups = n ? kmalloc(n * sizeof(uint32_t)) : NULL;
	if (n && !groups)
		return -ENOMEM;
	struct cred *c = NULL;
	int64_t err = n ? copy_in(groups, arg_uva(a, 1), n * sizeof(uint32_t)) : 0;
	for (uint64_t i = 0; i < n && !err; i++) {
		groups[i] = kgid_in(groups[i]);
		err = groups[i] == NO_ID ? -EINVAL : 0;
	}
	if (!err)
		err = (c = edit()) ? 0 : -ENOMEM;
	if (err) {
		kfree(groups);
		return err;
	}
	sort_groups(groups, (uint32_t)n);
	kfree(c->groups);
	c->groups = groups;
	c->ngroups = (uint32_t)n;
	cred_commit(c);
	return 0;
}

/* ---- capabilities (capget(2)) ---- */

/* Number of 32-bit words of a header version, or 0 after writing the preferred one. */
static int cap_words(uva_t header, struct __user_cap_header_struct *h, int64_t *err)
{
	*err = copy_in_struct(h, header);
	if (*err)
		return 0;
	if (h->version == _LINUX_CAPABILITY_VERSION_1)
		return 1;
	if (h->version == _LINUX_CAPABILITY_VERSION_2 || h->version == _LINUX_CAPABILITY_VERSION_3)
		return 2;
	uint32_t preferred = _LINUX_CAPABILITY_VERSION_3;
	*err = copy_out(header, &preferred, sizeof(preferred)) ? -EFAULT : -EINVAL;
	return 0;
}

int64_t sys_capget(const struct sysargs *a)
{
	struct __user_cap_header_struct h;
	int64_t err;
	int words = cap_words(arg_uva(a, 0), &h, &err);
	if (!words)
		return err == -EINVAL && !arg_u64(a, 1) ? 0 : err;
	if (h.pid < 0)
		return -EINVAL;
	struct task *t = h.pid ? task_find_user(h.pid) : current;
	if (!t)
		return -ESRCH;
	spin_lock(&t->lock);
	const struct cred *c = t->cred ? cred_get(t->cred) : NULL;
	spin_unlock(&t->lock);
	if (t != current)
		task_put(t);
	if (!c)
		return -ESRCH;
	struct __user_cap_data_struct d[2] = {
		{(uint32_t)c->cap_effective, (uint32_t)c->cap_permitted, (uint32_t)c->cap_inheritable},
		{(uint32_t)(c->cap_effective >> 32), (uint32_t)(c->cap_permitted >> 32), (uint32_t)(c->cap_inheritable >> 32)}};
	cred_put(c);
	return arg_u64(a, 1) && copy_out(arg_uva(a, 1), d, (size_t)words * sizeof(d[0])) ? -EFAULT : 0;
}

int64_t sys_capset(const struct sysargs *a)
{
	struct __user_cap_header_struct h;
	struct __user_cap_data_struct d[2] = {0};
	int64_t err;
	int words = cap_words(arg_uva(a, 0), &h, &err);
	if (!words)
		return err;
	if (h.pid && h.pid != current->vtid)
		return -EPERM;
	if (copy_in(d, arg_uva(a, 1), (size_t)words * sizeof(d[0])))
		return -EFAULT;
	uint64_t eff = (d[0].effective | (uint64_t)d[1].effective << 32) & CAP_ALL;
	uint64_t perm = (d[0].permitted | (uint64_t)d[1].permitted << 32) & CAP_ALL;
	uint64_t inh = (d[0].inheritable | (uint64_t)d[1].inheritable << 32) & CAP_ALL;
	struct cred *c = edit();
	if (!c)
		return -ENOMEM;
	const struct cred *o = current->cred;
	bool may_raise = cred_own_capable(o, CAP_SETPCAP);
	if ((inh & ~(o->cap_inheritable | o->cap_permitted) && !may_raise) ||
	    inh & ~(o->cap_inheritable | o->cap_bounding) || perm & ~o->cap_permitted || eff & ~perm)
		return refuse(c, -EPERM);
	c->cap_effective = eff;
	c->cap_permitted = perm;
	c->cap_inheritable = inh;
	c->cap_ambient &= perm & inh;
	cred_commit(c);
	return 0;
}

/* ---- process groups and sessions (setpgid(2), setsid(2)) ---- */

int64_t sys_getpid(const struct sysargs *a)
{
	return current->proc->vpid;
}

int64_t sys_gettid(const struct sysargs *a)
{
	return current->vtid;
}

int64_t sys_getppid(const struct sysargs *a)
{
	return READ_ONCE(current->proc->parent_vpid);
}

static int64_t group_of(int pid, bool session)
{
	int64_t r = -ESRCH;
	spin_lock(&tasklist_lock);
	struct task *t = pid ? task_lookup_user(pid) : current;
	if (t)
		r = pid_vnr(session ? t->proc->sid : t->proc->pgid);
	spin_unlock(&tasklist_lock);
	return r;
}

int64_t sys_getpgid(const struct sysargs *a)
{
	return group_of(arg_int(a, 0), false);
}

int64_t sys_getpgrp(const struct sysargs *a)
{
	return group_of(0, false);
}

int64_t sys_getsid(const struct sysargs *a)
{
	return group_of(arg_int(a, 0), true);
}

static void process_set_pgid(struct process *p, int pgid)
{
	pid_ref(pgid);
	pid_unref(p->pgid);
	p->pgid = pgid;
}

/* Is there a group pgid within the session sid? tasklist_lock held. */
static bool group_in_session(int pgid, int sid)
{
	struct process *p;
	list_for_each_entry(p, &process_list, all_link) {
		if (p->pgid == pgid && p->sid == sid)
			return true;
	}
	return false;
}

int64_t sys_setpgid(const struct sysargs *a)
{
	int pid = arg_int(a, 0), pgid = arg_int(a, 1);
	struct process *me = current->proc;
	if (pgid < 0)
		return -EINVAL;
	pid = pid ? pid_from_user(pid) : me->pid;
	pgid = pgid ? pid_from_user(pgid) : pid;
	spin_lock(&tasklist_lock);
	struct task *t = task_lookup(pid);
	struct process *p = t ? t->proc : NULL;
	int64_t err = 0;
	if (p && p->pid != pid)
		err = -EINVAL; /* a thread */
	else if (!p || (p != me && p->parent != me))
		err = -ESRCH;
	else if (p != me && p->sid != me->sid)
		err = -EPERM;
	else if (p != me && p->did_exec)
		err = -EACCES;
	else if (p->session_leader)
		err = -EPERM;
	else if (pgid != pid && !group_in_session(pgid, me->sid))
		err = -EPERM;
	if (!err && p->pgid != pgid)
		process_set_pgid(p, pgid);
	spin_unlock(&tasklist_lock);
	return err;
}

int64_t sys_setsid(const struct sysargs *a)
{
	struct process *p = current->proc;
	int64_t r = p->vpid;
	spin_lock(&tasklist_lock);
	if (p->session_leader || pgrp_exists(p->pid)) {
		r = -EPERM;
	} else {
		process_set_pgid(p, p->pid);
		pid_ref(p->pid);
		pid_unref(p->sid);
		p->sid = p->pid;
		p->session_leader = true;
		p->tty = NULL;
	}
	spin_unlock(&tasklist_lock);
	return r;
}
