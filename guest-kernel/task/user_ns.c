/* SPDX-License-Identifier: Apache-2.0 */
/* User namespaces: life, maps, capabilities (see user_ns.h). Writing maps is in fs/proc/proc_idmap.c. */
#include "task/user_ns.h"

#include "fs/vfs.h"
#include "mm/page.h"
#include "task/task.h"

static struct id_extent all_ids = {0, 0, UINT32_MAX};

struct user_ns init_user_ns = {
	.ns = NS_STATIC(NS_USER, 0xeffffffdu, NULL),
	.map = {[0 ... ID_KINDS - 1] = {1, &all_ids}},
	.lock = MUTEX_INIT(init_user_ns.lock),
	.parent_setfcap = true,
	.max = {[0 ... NS_KINDS - 1] = PID_MAX / 2},
};

void user_ns_uncharge(struct user_ns *ns, enum ns_kind kind)
{
	for (; ns; ns = user_ns_parent(ns))
		atomic_sub(&ns->count[kind], 1);
}

int user_ns_charge(struct user_ns *ns, enum ns_kind kind)
{
	for (struct user_ns *up = ns; up; up = user_ns_parent(up)) {
		if (atomic_add(&up->count[kind], 1) <= READ_ONCE(up->max[kind]))
			continue;
		/* back to where it began */
		for (struct user_ns *u = ns; u != up; u = user_ns_parent(u))
			atomic_sub(&u->count[kind], 1);
		atomic_sub(&up->count[kind], 1);
		return -ENOSPC;
	}
	return 0;
}

bool user_ns_contains(const struct user_ns *ns, const struct user_ns *inner)
{
	while (inner && inner->level > ns->level)
		inner = user_ns_parent(inner);
	return inner == ns;
}

int user_ns_create(struct cred *c)
{
	struct user_ns *parent = c->user_ns;
	struct path root;

	if (parent->level > USER_NS_LEVELS)
		return -ENOSPC;
	/* Whoever is in a chroot could leave it by the rights in a new namespace. */
	fs_get_root(&root);
	bool changed = !mount_is_ns_root(&root);
	path_put(&root);
	if (changed)
		return -EPERM;
	if (id_from(parent, ID_USER, c->euid) == NO_ID || id_from(parent, ID_GROUP, c->egid) == NO_ID)
		return -EPERM;
	struct user_ns *ns = kzalloc(sizeof(*ns));
	if (!ns)
		return -ENOMEM;
	int err = ns_init(&ns->ns, NS_USER, parent);
	if (err) {
		kfree(ns);
		return err;
	}
	for (int i = 0; i < NS_KINDS; i++)
		ns->max[i] = INT32_MAX;
	mutex_init(&ns->lock);
	ns->level = parent->level + 1;
	ns->owner = c->euid;
	ns->group = c->egid;
	ns->setgroups_denied = READ_ONCE(parent->setgroups_denied);
	ns->parent_setfcap = cred_ns_capable(c, parent, CAP_SETFCAP);
	cred_enter_user_ns(c, ns);
	user_ns_put(ns); /* c has its own */
	return 0;
}

void user_ns_free(struct user_ns *ns)
{
	for (int i = 0; i < ID_KINDS; i++)
		kfree(ns->map[i].extents);
	kfree(ns);
}

/* ---- maps ---- */
uint32_t id_make(const struct user_ns *ns, enum id_kind kind, uint32_t id)
{
	const struct id_map *m = &ns->map[kind];
	uint32_t n = __atomic_load_n(&m->count, __ATOMIC_ACQUIRE), lo = 0;

	if (likely(ns == &init_user_ns))
		return id;
	while (lo < n) {
		uint32_t mid = lo + (n - lo) / 2;
		const struct id_extent *e = &m->extents[mid];
		if (id < e->inside)
			n = mid;
		else if (id - e->inside >= e->count)
			lo = mid + 1;
		else
			return e->lower + (id - e->inside);
	}
	return NO_ID;
}

uint32_t id_from(const struct user_ns *ns, enum id_kind kind, uint32_t kid)
{
	const struct id_map *m = &ns->map[kind];
	uint32_t n = __atomic_load_n(&m->count, __ATOMIC_ACQUIRE);

	if (likely(ns == &init_user_ns))
		return kid;
	for (uint32_t i = 0; i < n; i++)
		if (kid >= m->extents[i].lower && kid - m->extents[i].lower < m->extents[i].count)
			return m->extents[i].inside + (kid - m->extents[i].lower);
	return NO_ID;
}

static uint32_t munge(uint32_t id) { return id == NO_ID ? OVERFLOW_ID : id; }

uint32_t kuid_out_ns(const struct user_ns *ns, uint32_t kuid) { return munge(id_from(ns, ID_USER, kuid)); }
uint32_t kgid_out_ns(const struct user_ns *ns, uint32_t kgid) { return munge(id_from(ns, ID_GROUP, kgid)); }
uint32_t kuid_in(uint32_t uid) { return id_make(current->cred->user_ns, ID_USER, uid); }
uint32_t kgid_in(uint32_t gid) { return id_make(current->cred->user_ns, ID_GROUP, gid); }
uint32_t kuid_out(uint32_t kuid) { return kuid_out_ns(current->cred->user_ns, kuid); }
uint32_t kgid_out(uint32_t kgid) { return kgid_out_ns(current->cred->user_ns, kgid); }

bool user_ns_root_owns(uint32_t kuid)
{
	for (const struct user_ns *ns = current->cred->user_ns; ns; ns = user_ns_parent(ns))
		if (id_make(ns, ID_USER, 0) == kuid)
			return true;
	return false;
}

bool user_ns_may_setgroups(const struct user_ns *ns)
{
	return !READ_ONCE(ns->setgroups_denied) && __atomic_load_n(&ns->map[ID_GROUP].count, __ATOMIC_ACQUIRE);
}

/* ---- capabilities ---- */
bool cred_ns_capable(const struct cred *c, const struct user_ns *ns, int cap)
{
	for (;; ns = user_ns_parent(ns)) {
		if (ns == c->user_ns)
			return c->cap_effective >> cap & 1;
		/* A namespace at or above our own level, that is not ours, is none of ours. */
		if (ns->level <= c->user_ns->level)
			return false;
		if (user_ns_parent(ns) == c->user_ns && ns->owner == c->euid)
			return true;
	}
}

uint32_t task_kuid(struct task *t)
{
	spin_lock(&t->lock);
	uint32_t uid = t->cred ? t->cred->uid : 0;
	spin_unlock(&t->lock);
	return uid;
}

bool task_capable_over(struct task *t, int cap)
{
	spin_lock(&t->lock);
	bool r = t->cred && ns_capable(t->cred->user_ns, cap);
	spin_unlock(&t->lock);
	return r;
}

uint32_t process_kuid_out(struct process *p, uint32_t kuid)
{
	struct task *t = p->leader;

	if (!t)
		return munge(kuid);
	spin_lock(&t->lock);
	uint32_t uid = kuid_out_ns(t->cred ? t->cred->user_ns : &init_user_ns, kuid);
	spin_unlock(&t->lock);
	return uid;
}

bool ns_capable(const struct user_ns *ns, int cap)
{
	return cred_ns_capable(current->cred, ns, cap);
}
