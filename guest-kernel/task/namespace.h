/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces of the application (namespaces(7)): what they have in common, and the set that a task is in.
 *
 * A namespace is freed when its last reference goes: those of tasks (struct nsproxy, struct cred for user namespaces,
 * the numbers of a pid namespace), of open files and bind mounts of /proc/PID/ns/..., of child namespaces, and of what
 * lives in it (sockets, super blocks). Freeing an ipc or mount namespace may sleep; so may nsproxy_put.
 *
 * A nsproxy is immutable once a task points to it, but for its count; other tasks read t->nsproxy under task_lock and
 * take a reference there. The user namespace is the credentials'; the pid namespace that a process is in itself is that
 * of its number (process.pid_ns). There is one time namespace: CLONE_NEWTIME is refused as by a kernel without them.
 */
#ifndef TASK_NAMESPACE_H
#define TASK_NAMESPACE_H

#include <linux/sched.h>

#include "lib/atomic.h"
#include "lib/types.h"

enum ns_kind { NS_CGROUP, NS_IPC, NS_MNT, NS_NET, NS_PID, NS_TIME, NS_USER, NS_UTS, NS_KINDS };

#define CLONE_NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
                          CLONE_NEWNET | CLONE_NEWTIME)

struct user_ns;
struct task;
struct file;
struct cred;
struct fs_context;

struct ns_common {
	ref_t refs;
	uint32_t inum;            /* inode number of its file; immutable, never used again */
	enum ns_kind kind;        /* immutable */
	struct user_ns *user_ns;  /* who owns it, a reference (a user namespace: its parent; NULL: the initial one); immutable */
};

/* The initial namespaces live for ever; their inode numbers are those of Linux. */
#define NS_STATIC(k, number, owner) {.refs = {1u << 30}, .inum = (number), .kind = (k), .user_ns = (owner)}

struct uts_ns {
	struct ns_common ns;
	char nodename[65], domainname[65]; /* uts_lock, sys_info.c */
};

/* The root of what the task sees of the control groups; there is one group, so it is always "/". */
struct cgroup_ns {
	struct ns_common ns;
};

/* Offsets of clocks would be here: there is only the initial one. */
struct time_ns {
	struct ns_common ns;
};

struct nsproxy {
	ref_t refs;
	struct uts_ns *uts;
	struct ipc_ns *ipc;
	struct mnt_ns *mnt;
	struct pid_ns *pid_for_children;
	struct net_ns *net;
	struct cgroup_ns *cgroup;
};

extern struct nsproxy init_nsproxy; /* of kernel tasks: the initial ones, and the sandbox's own pid namespace */

/* For fs_type.owner: the user namespace of the current task, and those that own namespaces of it. */
struct user_ns *ns_owner_current(void);
struct user_ns *ns_owner_pid(void);
struct user_ns *ns_owner_net(void);
struct user_ns *ns_owner_ipc(void);
struct user_ns *ns_owner_cgroup(void);
/* Fills in a new namespace: one reference, a number of its own, a reference on its owner. -ENOSPC: the owner has its
 * limit of /proc/sys/user; then there is nothing to put. */
int ns_init(struct ns_common *ns, enum ns_kind kind, struct user_ns *owner) MUST_CHECK;
static inline void ns_get(struct ns_common *ns) { ref_get(&ns->refs); }
void ns_put(struct ns_common *ns); /* may sleep for ipc and mount namespaces; NULL is none */
/* CLONE_NEW* of a kind, and its name in /proc/PID/ns. */
uint32_t ns_flag(enum ns_kind kind);
const char *ns_name(enum ns_kind kind);

static inline struct nsproxy *nsproxy_get(struct nsproxy *p)
{
	ref_get(&p->refs);
	return p;
}
void nsproxy_put(struct nsproxy *p); /* may sleep; NULL is none */
/* A set like from, with fresh namespaces for the CLONE_NEW* flags (not CLONE_NEWUSER), owned by owner. The new mount
 * namespace is a copy; fs, the context of who enters it, is moved over to the copy. Without flags a plain copy to edit.
 * ERR_PTR: ENOMEM, ENOSPC, EINVAL. */
struct nsproxy *nsproxy_copy(struct nsproxy *from, uint32_t flags, struct user_ns *owner, struct fs_context *fs);
/* A set for another container of the sandbox: flags (CLONE_NEWPID, CLONE_NEWNS, ...) say which namespaces are its
 * own, the rest is shared with `with`. The mount namespace is empty: the first mount_attach without a place, by a task
 * in it, makes its root; the pid namespace is a child of the sandbox's own, and the first process in it its init. */
struct nsproxy *nsproxy_container(struct nsproxy *with, uint32_t flags);
/* Publishes p, a reference taken over, as the current task's. */
void nsproxy_switch(struct nsproxy *p);
/* Of another task, with a reference; NULL when it has left. */
struct nsproxy *task_nsproxy(struct task *t);
/* The namespace of a kind that t is in, with a reference, or NULL. children: the pid namespace of its children. */
struct ns_common *task_namespace(struct task *t, enum ns_kind kind, bool children);

#endif
