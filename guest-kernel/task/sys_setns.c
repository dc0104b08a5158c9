/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setns(2): by the file of a namespace, or by a pidfd several namespaces of a process at once. All checks come first;
 * then nothing can be refused.
 */
#include "fs/nsfs.h"
#include "fs/pidfd.h"
#include "fs/vfs.h"
#include "ipc/ipc.h"
#include "ipc/ipc_ns.h"
#include "net/net_ns.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"

/* What to enter: references, NULL for what stays. */
struct entry {
	struct ns_common *ns[NS_KINDS];
	struct user_ns *user; /* whose member the task will be: no reference */
};

static void entry_put(struct entry *e)
{
	for (int i = 0; i < NS_KINDS; i++)
		ns_put(e->ns[i]);
}

/* ---- checks ---- */
static int check_user(struct user_ns *ns)
{
	const struct task *t = current;

	if (ns == t->cred->user_ns || READ_ONCE(t->proc->nr_threads) > 1 || atomic_load(&t->fs->refs.n) > 1)
		return -EINVAL;
	return ns_capable(ns, CAP_SYS_ADMIN) ? 0 : -EPERM;
}

/* Only the own pid namespace and those below it; the caller itself stays where it is. */
static int check_pid(const struct pid_ns *ns)
{
	return pid_ns_contains(current->proc->pid_ns, ns) ? 0 : -EINVAL;
}

static int check_one(const struct entry *e, struct ns_common *ns)
{
	if (ns->kind == NS_USER)
		return check_user(container_of(ns, struct user_ns, ns));
	if (!ns_capable(ns->user_ns, CAP_SYS_ADMIN) || !ns_capable(e->user, CAP_SYS_ADMIN))
		return -EPERM;
	if (ns->kind == NS_PID)
		return check_pid(container_of(ns, struct pid_ns, ns));
	if (ns->kind == NS_TIME)
		return READ_ONCE(current->proc->nr_threads) > 1 ? -EINVAL : 0;
	if (ns->kind != NS_MNT)
		return 0;
	if (!ns_capable(e->user, CAP_SYS_CHROOT))
		return -EPERM;
	return atomic_load(&current->fs->refs.n) > 1 ? -EINVAL : 0;
}

static int check(struct entry *e)
{
	struct ns_common *user = e->ns[NS_USER];

	e->user = user ? container_of(user, struct user_ns, ns) : current->cred->user_ns;
	int err = user ? check_one(e, user) : 0;
	for (int i = 0; i < NS_KINDS && !err; i++)
		if (e->ns[i] && i != NS_USER)
			err = check_one(e, e->ns[i]);
	return err;
}

/* ---- entering ---- */
#define REPLACE(member, type, kind) do { \
	if (e->ns[kind]) { \
		ns_put(&n->member->ns); \
		n->member = container_of(e->ns[kind], struct type, ns); \
		ns_get(&n->member->ns); \
	} \
} while (0)

static struct nsproxy *make_set(const struct entry *e)
{
	struct nsproxy *n = nsproxy_copy(current->nsproxy, 0, NULL, NULL);

	if (IS_ERR(n))
		return n;
	REPLACE(uts, uts_ns, NS_UTS);
	REPLACE(ipc, ipc_ns, NS_IPC);
	REPLACE(mnt, mnt_ns, NS_MNT);
	REPLACE(pid_for_children, pid_ns, NS_PID);
	REPLACE(net, net_ns, NS_NET);
	REPLACE(cgroup, cgroup_ns, NS_CGROUP);
	return n;
}

static int enter(const struct entry *e)
{
	struct nsproxy *n = make_set(e);
	struct cred *c = NULL;

	if (IS_ERR(n))
		return PTR_ERR(n);
	if (e->ns[NS_USER] && !(c = cred_copy(current->cred))) {
		nsproxy_put(n);
		return -ENOMEM;
	}
	if (e->ns[NS_IPC])
		sem_exit();
	nsproxy_switch(n);
	if (e->ns[NS_MNT])
		fs_enter_ns_root(current->fs);
	if (c) {
		cred_enter_user_ns(c, e->user);
		cred_commit(c);
	}
	return 0;
}

/* ---- which ---- */
static int from_task(struct entry *e, struct task *t, uint32_t flags)
{
	if (!flags || (flags & ~(uint32_t)CLONE_NAMESPACES))
		return -EINVAL;
	int err = ptrace_may_access(t) ? 0 : -EPERM;
	for (int i = 0; i < NS_KINDS && !err; i++) {
		if (!(flags & ns_flag((enum ns_kind)i)))
			continue;
		e->ns[i] = task_namespace(t, (enum ns_kind)i, false);
		if (!e->ns[i] || t->exited)
			err = -ESRCH;
	}
	return err;
}

static int from_file(struct entry *e, struct ns_common *ns, uint32_t want)
{
	if (want && want != ns_flag(ns->kind))
		return -EINVAL;
	ns_get(ns);
	e->ns[ns->kind] = ns;
	return 0;
}

int64_t sys_setns(const struct sysargs *a)
{
	int fd = arg_int(a, 0);
	uint32_t flags = arg_u32(a, 1);
	struct entry e = {0};
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	struct ns_common *ns = nsfs_namespace(f);
	struct task *t = ns ? NULL : pidfd_get_task(fd);
	int err = 0;
	if (ns)
		err = from_file(&e, ns, flags);
	else if (IS_ERR(t))
		err = PTR_ERR(t) == -ESRCH && flags ? -ESRCH : -EINVAL;
	else
		err = from_task(&e, t, flags);
	if (!err)
		err = check(&e);
	if (!err)
		err = enter(&e);
	entry_put(&e);
	if (t && !IS_ERR(t))
		task_put(t);
	file_put(f);
	return err;
}
