// SPDX-License-Identifier: Apache-2.0
/* Mount namespaces (mount_namespaces(7)): life, copies, and what a less privileged one may not undo. */
#include "fs/mount.h"

#include <linux/mount.h>

#include "fs/namei.h"
#include "lib/string.h"
#include "task/task.h"
#include "task/user_ns.h"

struct mnt_ns mnt_ns0 = {.ns = NS_STATIC(NS_MNT, 0xf0000001u, &init_user_ns),
	.mounts = LIST_INIT(mnt_ns0.mounts), .wait = WAIT_QUEUE_INIT(mnt_ns0.wait), .all = LIST_INIT(mnt_ns0.all)};
struct mnt_ns mnt_ns_none = {.ns = NS_STATIC(NS_MNT, 0, &init_user_ns), .mounts = LIST_INIT(mnt_ns_none.mounts),
	.wait = WAIT_QUEUE_INIT(mnt_ns_none.wait)};
struct list_node mnt_namespaces = LIST_INIT(mnt_namespaces);

struct mnt_ns *mount_tree_alloc(void)
{
	struct mnt_ns *tree = kzalloc(sizeof(*tree));

	if (!tree)
		return NULL;
	ref_init(&tree->ns.refs);
	list_init(&tree->all);
	list_init(&tree->mounts);
	wait_queue_init(&tree->wait);
	return tree;
}

void mount_tree_free(struct mnt_ns *tree)
{
	kfree(tree);
}

struct mnt_ns *mnt_ns_create(struct user_ns *owner)
{
	struct mnt_ns *ns = mount_tree_alloc();

	if (!ns)
		return ERR_PTR(-ENOMEM);
	int err = ns_init(&ns->ns, NS_MNT, owner);
	if (err) {
		kfree(ns);
		return ERR_PTR(err);
	}
	spin_lock(&mount_lock);
	list_add_tail(&ns->all, &mnt_namespaces);
	spin_unlock(&mount_lock);
	return ns;
}

void mnt_ns_free(struct mnt_ns *ns)
{
	struct list_node out = LIST_INIT(out);

	spin_lock(&mount_lock);
	list_del(&ns->all);
	mount_strip_tree(ns, &out);
	spin_unlock(&mount_lock);
	mount_release_list(&out);
	mount_tree_free(ns);
}

void mount_lock_tree(struct mount *top)
{
	struct mount *m;

	list_for_each_entry(m, &top->ns->mounts, link) {
		if (!mount_is_below(m, top))
			continue;
		m->locked_flags |= (m->flags & (MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC)) | MS_RELATIME;
		if (m != top)
			m->locked = true;
	}
}

/* Where a path of the old namespace is in the new one; mount_lock held. True: *p is changed, *old to be put. */
static bool move_path(struct path *p, struct path *old)
{
	if (!p->mnt || !p->mnt->copy)
		return false;
	*old = *p;
	p->mnt = p->mnt->copy;
	path_get(p);
	return true;
}

struct mnt_ns *mnt_ns_copy(struct mnt_ns *from, struct user_ns *owner, struct fs_context *fs)
{
	struct mnt_ns *ns = mnt_ns_create(owner);
	struct path old[2] = {{0}, {0}};
	bool less = owner != from->ns.user_ns;
	struct mount *m;

	if (IS_ERR(ns))
		return ns;
	spin_lock(&mount_lock);
	int err = from->root ? mount_copy_tree(from->root, from->root->root, true,
	                                       COPY_UNBINDABLE | (less ? COPY_SHARED_SLAVE : 0), ns)
	                     : -EINVAL;
	if (!err && less)
		mount_lock_tree(ns->root);
	if (!err && fs) {
		spin_lock(&fs->lock);
		(void)move_path(&fs->root, &old[0]);
		(void)move_path(&fs->cwd, &old[1]);
		spin_unlock(&fs->lock);
	}
	list_for_each_entry(m, &from->mounts, link)
		m->copy = NULL;
	spin_unlock(&mount_lock);
	path_put(&old[0]);
	path_put(&old[1]);
	if (err) {
		ns_put(&ns->ns);
		return ERR_PTR(err);
	}
	return ns;
}

/* ---- what a user namespace may see ---- */
/* Does m hide something that cannot be uncovered, or forbid what flags allow? mount_lock held. */
static bool shows_all(const struct mount *m, uint32_t flags)
{
	uint32_t must = m->locked_flags & (MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC);
	const struct mount *c;

	if (m->root != m->sb->root || (must & ~flags))
		return false;
	list_for_each_entry(c, &m->ns->mounts, link)
		if (c->parent == m && c->locked)
			return false;
	return true;
}

bool mount_fully_visible(const struct fs_type *type, uint32_t flags)
{
	const struct mount *m;
	bool found = false;

	spin_lock(&mount_lock);
	list_for_each_entry(m, &current->nsproxy->mnt->mounts, link)
		found |= m->sb->type == type && shows_all(m, flags);
	spin_unlock(&mount_lock);
	return found;
}

/* ---- names that go while others have something mounted there ---- */
bool mount_is_local(const struct dentry *d)
{
	const struct mount *m;
	bool found = false;

	if (likely(!atomic_load(&d->mounted)))
		return false;
	spin_lock(&mount_lock);
	list_for_each_entry(m, &current->nsproxy->mnt->mounts, link)
		found |= m->mountpoint == d;
	spin_unlock(&mount_lock);
	return found;
}

static struct mount *some_mount_at(const struct dentry *d)
{
	struct mnt_ns *ns;
	struct mount *m;

	list_for_each_entry(ns, &mnt_namespaces, all)
		list_for_each_entry(m, &ns->mounts, link)
			if (m->mountpoint == d)
				return m;
	return NULL;
}

void mount_drop_at(struct dentry *d)
{
	while (unlikely(atomic_load(&d->mounted))) {
		spin_lock(&mount_lock);
		struct mount *m = some_mount_at(d);
		if (m) {
			mount_get(m);
			m->locked = false;
		}
		spin_unlock(&mount_lock);
		if (!m)
			return; /* of a tree that is attached nowhere */
		int err = mount_detach(m, true, 1);
		mount_put(m);
		if (err)
			return; /* it went by itself */
	}
}
