/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces: what they have in common, and the sets that tasks are in (see namespace.h). */
#include "task/namespace.h"

#include "fs/mount.h"
#include "ipc/ipc_ns.h"
#include "mm/page.h"
#include "net/net_ns.h"
#include "task/task.h"
#include "task/user_ns.h"

/* Numbers as a container's on Linux: of namespaces of its own, not the machine's first ones, but user and time. */
static struct uts_ns init_uts_ns = {.ns = NS_STATIC(NS_UTS, 0xf0000095u, &init_user_ns), .domainname = "(none)"};
static struct cgroup_ns init_cgroup_ns = {.ns = NS_STATIC(NS_CGROUP, 0xf0000096u, &init_user_ns)};
static struct time_ns init_time_ns = {.ns = NS_STATIC(NS_TIME, 0xeffffffau, &init_user_ns)};
struct nsproxy init_nsproxy = {
	.refs = {1u << 30}, .uts = &init_uts_ns, .ipc = &init_ipc_ns, .mnt = &mnt_ns0, .pid_for_children = &root_pid_ns,
	.net = &init_net_ns, .cgroup = &init_cgroup_ns,
};

static uint32_t next_inum = 0xf0000100u;

static const struct {
	const char *name;
	uint32_t flag;
} kinds[NS_KINDS] = {
	[NS_CGROUP] = {"cgroup", CLONE_NEWCGROUP}, [NS_IPC] = {"ipc", CLONE_NEWIPC}, [NS_MNT] = {"mnt", CLONE_NEWNS},
	[NS_NET] = {"net", CLONE_NEWNET}, [NS_PID] = {"pid", CLONE_NEWPID}, [NS_TIME] = {"time", CLONE_NEWTIME},
	[NS_USER] = {"user", CLONE_NEWUSER}, [NS_UTS] = {"uts", CLONE_NEWUTS},
};

uint32_t ns_flag(enum ns_kind kind) { return kinds[kind].flag; }
const char *ns_name(enum ns_kind kind) { return kinds[kind].name; }

int ns_init(struct ns_common *ns, enum ns_kind kind, struct user_ns *owner)
{
	int err = user_ns_charge(owner, kind);

	if (err)
		return err;
	ref_init(&ns->refs);
	ns->kind = kind;
	ns->inum = atomic_add(&next_inum, 1);
	ns->user_ns = user_ns_get(owner);
	return 0;
}

void ns_put(struct ns_common *ns)
{
	if (!ns || !ref_put(&ns->refs))
		return;
	struct user_ns *owner = ns->user_ns;
	user_ns_uncharge(owner, ns->kind);
	switch (ns->kind) {
	case NS_IPC:
		ipc_ns_free(container_of(ns, struct ipc_ns, ns));
		break;
	case NS_MNT:
		mnt_ns_free(container_of(ns, struct mnt_ns, ns));
		break;
	case NS_NET:
		net_ns_free(container_of(ns, struct net_ns, ns));
		break;
	case NS_PID:
		pid_ns_free(container_of(ns, struct pid_ns, ns));
		break;
	case NS_USER:
		user_ns_free(container_of(ns, struct user_ns, ns));
		break;
	case NS_UTS:
		kfree(container_of(ns, struct uts_ns, ns));
		break;
	default:
		kfree(container_of(ns, struct cgroup_ns, ns));
		break;
	}
	user_ns_put(owner);
}

struct user_ns *ns_owner_current(void) { return current->cred->user_ns; }
struct user_ns *ns_owner_pid(void) { return current->proc->pid_ns->ns.user_ns; }
struct user_ns *ns_owner_net(void) { return current->nsproxy->net->ns.user_ns; }
struct user_ns *ns_owner_ipc(void) { return current->nsproxy->ipc->ns.user_ns; }
struct user_ns *ns_owner_cgroup(void) { return current->nsproxy->cgroup->ns.user_ns; }

/* ---- sets ---- */
void nsproxy_put(struct nsproxy *p)
{
	if (!p || !ref_put(&p->refs))
		return;
	if (p->uts)
		ns_put(&p->uts->ns);
	if (p->ipc)
		ns_put(&p->ipc->ns);
	if (p->mnt)
		ns_put(&p->mnt->ns);
	pid_ns_put(p->pid_for_children);
	net_ns_put(p->net);
	if (p->cgroup)
		ns_put(&p->cgroup->ns);
	kfree(p);
}

static struct uts_ns *uts_copy(const struct uts_ns *from, struct user_ns *owner)
{
	struct uts_ns *n = kmalloc(sizeof(*n));

	if (!n)
		return ERR_PTR(-ENOMEM);
	*n = *from;
	int err = ns_init(&n->ns, NS_UTS, owner);
	if (err) {
		kfree(n);
		return ERR_PTR(err);
	}
	return n;
}

static struct cgroup_ns *cgroup_create(struct user_ns *owner)
{
	struct cgroup_ns *n = kmalloc(sizeof(*n));

	if (!n)
		return ERR_PTR(-ENOMEM);
	int err = ns_init(&n->ns, NS_CGROUP, owner);
	if (err) {
		kfree(n);
		return ERR_PTR(err);
	}
	return n;
}

/* A member of the new set: made, or shared with the old one. On failure the member is NULL and *err is set. */
#define MEMBER(member, flag, make) do { \
	if (!err && (flags & (flag))) { \
		n->member = (make); \
		if (IS_ERR(n->member)) { \
			err = PTR_ERR(n->member); \
			n->member = NULL; \
		} \
	} else if (!err) { \
		n->member = from->member; \
		ns_get(&n->member->ns); \
	} \
} while (0)

static struct nsproxy *build(struct nsproxy *from, uint32_t flags, struct user_ns *owner, struct fs_context *fs,
                             struct pid_ns *pid_parent, bool empty_mounts)
{
	struct nsproxy *n = kzalloc(sizeof(*n));
	int err = 0;

	if (!n)
		return ERR_PTR(-ENOMEM);
	ref_init(&n->refs);
	MEMBER(uts, CLONE_NEWUTS, uts_copy(from->uts, owner));
	MEMBER(ipc, CLONE_NEWIPC, ipc_ns_create(owner));
	MEMBER(pid_for_children, CLONE_NEWPID, pid_ns_create(pid_parent, owner));
	MEMBER(net, CLONE_NEWNET, net_ns_create(owner));
	MEMBER(cgroup, CLONE_NEWCGROUP, cgroup_create(owner));
	/* last, since it moves fs */
	MEMBER(mnt, CLONE_NEWNS, empty_mounts ? mnt_ns_create(owner) : mnt_ns_copy(from->mnt, owner, fs));
	if (err) {
		nsproxy_put(n);
		return ERR_PTR(err);
	}
	return n;
}

struct nsproxy *nsproxy_copy(struct nsproxy *from, uint32_t flags, struct user_ns *owner, struct fs_context *fs)
{
	if (flags & CLONE_NEWTIME)
		return ERR_PTR(-EINVAL);
	/* Whose children go elsewhere already cannot send them to yet another place. */
	if ((flags & CLONE_NEWPID) && from->pid_for_children != current->proc->pid_ns)
		return ERR_PTR(-EINVAL);
	return build(from, flags, owner, fs, from->pid_for_children, false);
}

struct nsproxy *nsproxy_container(struct nsproxy *with, uint32_t flags)
{
	return build(with, flags, &init_user_ns, NULL, &root_pid_ns, true);
}

void nsproxy_switch(struct nsproxy *p)
{
	struct task *t = current;

	spin_lock(&t->lock);
	struct nsproxy *old = t->nsproxy;
	t->nsproxy = p;
	spin_unlock(&t->lock);
	nsproxy_put(old);
}

struct nsproxy *task_nsproxy(struct task *t)
{
	spin_lock(&t->lock);
	struct nsproxy *p = t->nsproxy ? nsproxy_get(t->nsproxy) : NULL;
	spin_unlock(&t->lock);
	return p;
}

static struct ns_common *member(struct nsproxy *p, enum ns_kind kind)
{
	switch (kind) {
	case NS_CGROUP:
		return &p->cgroup->ns;
	case NS_IPC:
		return &p->ipc->ns;
	case NS_MNT:
		return &p->mnt->ns;
	case NS_NET:
		return &p->net->ns;
	case NS_PID:
		return &p->pid_for_children->ns;
	case NS_TIME:
		return &init_time_ns.ns;
	case NS_UTS:
		return &p->uts->ns;
	default:
		return NULL;
	}
}

struct ns_common *task_namespace(struct task *t, enum ns_kind kind, bool children)
{
	struct ns_common *ns = NULL;

	spin_lock(&t->lock);
	if (kind == NS_USER)
		ns = t->cred ? &t->cred->user_ns->ns : NULL;
	else if (kind == NS_PID && !children)
		ns = t->proc->pid_ns ? &t->proc->pid_ns->ns : NULL;
	else if (t->nsproxy)
		ns = member(t->nsproxy, kind);
	if (ns)
		ns_get(ns);
	spin_unlock(&t->lock);
	return ns;
}
