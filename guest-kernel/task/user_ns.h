/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User namespaces (user_namespaces(7)): maps between the ids that an application sees and those of the Sentry.
 *
 * Inside the Sentry (credentials, inodes, IPC objects) a user, group or project id is one of the initial namespace, as
 * Linux's kuid_t. Whatever comes from or goes to an application is translated at that border: kuid_in and kuid_out
 * for the current namespace. NO_ID is the id that is mapped to nothing.
 *
 * A map is written once, whole, and never changes afterwards; `lock` orders the writers. Readers see count last.
 */
#ifndef TASK_USER_NS_H
#define TASK_USER_NS_H

#include "task/lock.h"
#include "task/namespace.h"

#define NO_ID        UINT32_MAX
#define OVERFLOW_ID  65534u /* what unmapped ids look like */
#define ID_MAP_MAX   340u
#define USER_NS_LEVELS 32

enum id_kind { ID_USER, ID_GROUP, ID_PROJECT, ID_KINDS };

struct id_extent {
	uint32_t inside, lower, count; /* lower: of the initial namespace */
};

struct id_map {
	uint32_t count;             /* 0: not written yet; released after the extents */
	struct id_extent *extents;  /* in order of inside */
};

struct user_ns {
	struct ns_common ns;        /* user_ns: the parent */
	int level;
	uint32_t owner, group;      /* effective ids of the creator; immutable */
	struct id_map map[ID_KINDS];
	uint32_t max[NS_KINDS];     /* namespaces that it and those below it may own; read racily */
	uint32_t count[NS_KINDS];   /* that they do; atomic */
	bool setgroups_denied;      /* lock; never cleared */
	bool parent_setfcap;        /* the creator had CAP_SETFCAP: immutable */
	struct mutex lock;
};
extern struct user_ns init_user_ns;

static inline struct user_ns *user_ns_get(struct user_ns *ns)
{
	ns_get(&ns->ns);
	return ns;
}
static inline void user_ns_put(struct user_ns *ns)
{
	if (ns)
		ns_put(&ns->ns);
}
static inline struct user_ns *user_ns_parent(const struct user_ns *ns) { return ns->ns.user_ns; }
void user_ns_free(struct user_ns *ns);
/* One more namespace of a kind that ns owns: -ENOSPC where ns or one above has its limit; and one less. */
int user_ns_charge(struct user_ns *ns, enum ns_kind kind) MUST_CHECK;
void user_ns_uncharge(struct user_ns *ns, enum ns_kind kind);
/* Is inner ns itself or below it? */
bool user_ns_contains(const struct user_ns *ns, const struct user_ns *inner);
/* A child of c's namespace, owned by its effective ids; c, a private copy, becomes its first member with all
 * capabilities. 0, -ENOMEM, -ENOSPC (too deep), -EPERM (ids without a name in the parent, or a changed root). */
int user_ns_create(struct cred *c) MUST_CHECK;

/* The id of the initial namespace that id means in ns, or NO_ID; and back. */
uint32_t id_make(const struct user_ns *ns, enum id_kind kind, uint32_t id);
uint32_t id_from(const struct user_ns *ns, enum id_kind kind, uint32_t kid);
/* Ids at the border of the current task: in may be NO_ID, out is OVERFLOW_ID where there is no name. */
uint32_t kuid_in(uint32_t uid);
uint32_t kgid_in(uint32_t gid);
uint32_t kuid_out(uint32_t kuid);
uint32_t kgid_out(uint32_t kgid);
/* The same for another namespace, munged. */
uint32_t kuid_out_ns(const struct user_ns *ns, uint32_t kuid);
uint32_t kgid_out_ns(const struct user_ns *ns, uint32_t kgid);
/* Is the id root in the user namespace of the current task or in one above? */
bool user_ns_root_owns(uint32_t kuid);
/* May setgroups(2) be called in ns? */
bool user_ns_may_setgroups(const struct user_ns *ns);

/* Has c the capability in ns: as a member, or in an ancestor, or as the owner of a namespace on the way? */
bool cred_ns_capable(const struct cred *c, const struct user_ns *ns, int cap);
bool ns_capable(const struct user_ns *ns, int cap); /* of the current task */
/* The real user of any task; its credentials may be replaced meanwhile. 0: it has none any more. */
uint32_t task_kuid(struct task *t);
/* Has the current task the capability over what t may do? */
bool task_capable_over(struct task *t, int cap);
/* What a process that cannot be reaped now (tasklist_lock held, or the current one) calls a user; munged. */
struct process;
uint32_t process_kuid_out(struct process *p, uint32_t kuid);

#endif
