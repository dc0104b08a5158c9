// SPDX-License-Identifier: Apache-2.0
/*
 * Unmounting, with its propagation (mount_namespaces(7)), and pivot_root(2).
 *
 * What leaves is marked first, wherever it is, and then taken off all trees at once. A mount that propagation had put
 * somewhere stays there if something else is mounted in it or over it.
 */
#include "fs/mount.h"

#include "fs/namei.h"

/* ---- unmounting; mount_lock held ---- */
static void mark_below(struct mount *top)
{
	struct mount *m;

	list_for_each_entry(m, &top->ns->mounts, link)
		if (mount_is_below(m, top))
			m->leaving = true;
}

static bool has_staying_child(const struct mount *m)
{
	const struct mount *c;

	list_for_each_entry(c, &m->ns->mounts, link)
		if (c->parent == m && !c->leaving)
			return true;
	return false;
}

/* What propagation had put where m is, at all that receive what happens at m's parent: leaves too, unless something else
 * is mounted in it, or it is locked to its place. Trees attached nowhere that something leaves go onto trees. */
static void mark_received(struct mount *m, struct list_node *trees)
{
	for (struct mount *r = mount_next_receiver(m->parent, m->parent); r; r = mount_next_receiver(r, m->parent)) {
		struct mount *c = mount_find_at(r, m->mountpoint);
		if (!c || c->leaving || (c->locked && !r->leaving) || has_staying_child(c))
			continue;
		c->leaving = true;
		if (!c->ns->ns.inum && list_empty(&c->ns->all))
			list_add_tail(&c->ns->all, trees);
	}
}

/* A copy elsewhere that is in use keeps m from being unmounted. */
static bool received_is_busy(const struct mount *m)
{
	for (struct mount *r = mount_next_receiver(m->parent, m->parent); r; r = mount_next_receiver(r, m->parent)) {
		struct mount *c = mount_find_at(r, m->mountpoint);
		if (c && c != m && !has_staying_child(c) && atomic_load(&c->refs.n) > 1)
			return true;
	}
	return false;
}

/* What was marked goes onto out. */
static void take_leaving(struct mnt_ns *ns, struct list_node *out)
{
	struct mount *m, *tmp;
	bool any = false;

	list_for_each_entry_safe(m, tmp, &ns->mounts, link) {
		if (!m->leaving)
			continue;
		mount_to_list(m, out);
		any = true;
	}
	if (any)
		mount_changed(ns);
}

static void unmount_tree(struct mount *top, struct list_node *out)
{
	struct mnt_ns *own = top->ns, *ns;
	struct list_node trees = LIST_INIT(trees);

	mark_below(top);
	/* children first: their copies leave before what they are mounted on is asked */
	for (struct list_node *n = own->mounts.prev; n != &own->mounts; n = n->prev) {
		struct mount *m = list_entry(n, struct mount, link);
		if (m->leaving && m->parent)
			mark_received(m, &trees);
	}
	list_for_each_entry(ns, &mnt_namespaces, all)
		take_leaving(ns, out);
	while (!list_empty(&trees)) {
		ns = list_first(&trees, struct mnt_ns, all);
		list_del(&ns->all);
		take_leaving(ns, out);
	}
	if (!own->ns.inum)
		take_leaving(own, out);
}

int mount_detach(struct mount *m, bool detach, uint32_t held)
{
	struct list_node out = LIST_INIT(out);
	int r = 0;

	spin_lock(&mount_lock);
	if (!m->parent || m->locked)
		r = -EINVAL;
	else if (!detach && (has_staying_child(m) || atomic_load(&m->refs.n) > 1 + held || received_is_busy(m)))
		r = -EBUSY;
	if (r == 0)
		unmount_tree(m, &out);
	spin_unlock(&mount_lock);
	mount_release_list(&out);
	return r;
}

/* ---- pivot_root(2) ---- */
static int check_pivot(const struct path *new, const struct path *put, const struct path *root)
{
	struct mount *nm = new->mnt, *rm = root->mnt;

	if (mount_is_shared(put->mnt) || (nm->parent && mount_is_shared(nm->parent)) ||
	    (rm->parent && mount_is_shared(rm->parent)))
		return -EINVAL;
	if (!mount_is_ours(rm) || !mount_is_ours(nm) || nm->locked)
		return -EINVAL;
	if (new->dentry->flags & DENTRY_DELETED)
		return -ENOENT;
	if (nm == rm || put->mnt == rm)
		return -EBUSY;
	if (root->dentry != rm->root || new->dentry != nm->root || !nm->parent)
		return -EINVAL;
	if (put->mnt == nm ? !dentry_is_ancestor(new->dentry, put->dentry) : !mount_is_below(put->mnt, nm))
		return -EINVAL;
	return mount_is_below(nm, rm) ? 0 : -EINVAL;
}

int mount_pivot(const struct path *new, const struct path *put, const struct path *root)
{
	struct mount *nm = new->mnt, *rm = root->mnt;
	struct dentry *drop[2] = {NULL, NULL};

	spin_lock(&mount_lock);
	int r = check_pivot(new, put, root);
	if (r == 0) {
		struct mount *above = rm->parent;
		struct dentry *mp = rm->mountpoint;
		nm->locked = rm->locked;
		rm->locked = false;
		if (mp)
			dentry_get(mp);
		drop[0] = mount_unlink(nm);
		drop[1] = mount_unlink(rm);
		if (above) {
			mount_link(nm, above, mp);
			dentry_put(mp); /* mount_link has its own: never the last */
		} else {
			nm->ns->root = nm;
		}
		mount_link(rm, put->mnt, put->dentry);
		/* parents first again: the new root, its mounts, then the old root and what is below */
		mount_relist(nm);
		mount_relist(rm);
		mount_changed(nm->ns);
	}
	spin_unlock(&mount_lock);
	for (int i = 0; i < 2; i++)
		if (drop[i])
			dentry_put(drop[i]);
	return r;
}
