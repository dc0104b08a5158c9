// SPDX-License-Identifier: Apache-2.0
/*
 * Trees of mounts: copying, attaching, moving, each with its propagation (mount_namespaces(7)).
 *
 * An operation decides and acts in one section of mount_lock. Copies that propagation makes are trees of their own until
 * everything is there; then all of them are attached, which cannot fail.
 */
#include "fs/mount.h"

#include <linux/mount.h>

#include "fs/namei.h"
#include "fs/nsfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "task/task.h"
#include "task/user_ns.h"

/* ---- lists ---- */
void mount_relist(struct mount *top)
{
	struct list_node moved = LIST_INIT(moved);
	struct mount *m, *tmp;

	list_for_each_entry_safe(m, tmp, &top->ns->mounts, link)
		if (mount_is_below(m, top))
			list_move_tail(&m->link, &moved);
	while (!list_empty(&moved))
		list_move_tail(moved.next, &top->ns->mounts);
}

static void move_all(struct mnt_ns *from, struct mnt_ns *to)
{
	while (!list_empty(&from->mounts)) {
		struct mount *m = list_first(&from->mounts, struct mount, link);
		mount_leave_ns(m);
		mount_enter_ns(m, to);
	}
	from->root = NULL;
}

static uint32_t count_below(const struct mount *top)
{
	const struct mount *m;
	uint32_t n = 0;

	list_for_each_entry(m, &top->ns->mounts, link)
		n += mount_is_below(m, top);
	return n;
}

static void clear_copies(const struct mnt_ns *ns)
{
	struct mount *m;

	list_for_each_entry(m, &ns->mounts, link)
		m->copy = NULL;
}

void mount_to_list(struct mount *m, struct list_node *out)
{
	mount_set_type(m, MS_PRIVATE);
	m->mountpoint = mount_unlink(m);
	mount_leave_ns(m);
	m->leaving = m->locked = false;
	list_add_tail(&m->link, out);
}

void mount_strip_tree(struct mnt_ns *tree, struct list_node *out)
{
	tree->root = NULL;
	while (!list_empty(&tree->mounts))
		mount_to_list(list_first(&tree->mounts, struct mount, link), out);
}

/* Children, which come later on the list, go first: their mount points hold on to the super block below. */
void mount_release_list(struct list_node *out)
{
	while (!list_empty(out)) {
		struct mount *m = list_entry(out->prev, struct mount, link);
		list_del(&m->link);
		if (m->mountpoint)
			dentry_put(m->mountpoint);
		m->mountpoint = NULL;
		mount_put(m);
	}
}

static void release_tree(struct mnt_ns *tree)
{
	struct list_node out = LIST_INIT(out);

	spin_lock(&mount_lock);
	mount_strip_tree(tree, &out);
	spin_unlock(&mount_lock);
	mount_release_list(&out);
	mount_tree_free(tree);
}

/* ---- copies ---- */
static struct mount *clone_mount(struct mount *old, struct dentry *root, uint32_t flags)
{
	super_get(old->sb);
	struct mount *c = mount_alloc(old->sb, root, old->flags, old->source);

	if (!c)
		return NULL;
	c->unbindable = old->unbindable;
	c->locked = old->locked;
	c->locked_flags = old->locked_flags;
	mount_join_groups(c, old, (flags & COPY_SLAVE) || ((flags & COPY_SHARED_SLAVE) && mount_is_shared(old)));
	if ((flags & COPY_SHARED) && !c->unbindable)
		mount_set_type(c, MS_SHARED);
	old->copy = c;
	return c;
}

static bool is_mount_ns_file(const struct dentry *d)
{
	const struct ns_common *ns = nsfs_of_dentry(d);

	return ns && ns->kind == NS_MNT;
}

/* A mount namespace may hold only younger ones: no two hold each other. */
static bool would_loop(const struct dentry *d)
{
	return is_mount_ns_file(d) && nsfs_of_dentry(d)->inum <= current->nsproxy->mnt->ns.inum;
}

/* Mounts that the tree below root of top has at all. */
static bool is_part(const struct mount *m, const struct mount *top, struct dentry *root)
{
	return m != top && m->parent && m->parent->copy && (m->parent != top || dentry_is_ancestor(root, m->mountpoint));
}

int mount_copy_tree(struct mount *top, struct dentry *root, bool recursive, uint32_t flags, struct mnt_ns *into)
{
	struct mount *m, *c = clone_mount(top, root, flags);

	if (!c)
		return -ENOMEM;
	into->root = c;
	mount_enter_ns(c, into);
	if (!recursive)
		return 0;
	list_for_each_entry(m, &top->ns->mounts, link) {
		if (!is_part(m, top, root) || (is_mount_ns_file(m->root) && !(flags & COPY_NS_FILES)))
			continue;
		if (m->unbindable && !(flags & COPY_UNBINDABLE)) {
			if (m->locked)
				return -EPERM;
			continue;
		}
		if (into->nr_mounts >= MOUNTS_MAX)
			return -ENOSPC;
		c = clone_mount(m, m->root, flags);
		if (!c)
			return -ENOMEM;
		mount_enter_ns(c, into);
		mount_link(c, m->parent->copy, m->mountpoint);
	}
	return 0;
}

struct mount *mount_alloc_tree(struct super_block *sb, struct dentry *root, uint32_t flags, const char *source)
{
	struct mnt_ns *tree = mount_tree_alloc();
	struct mount *m = mount_alloc(sb, root, flags, source);

	if (!tree || !m) {
		kfree(tree);
		mount_put(m);
		return ERR_PTR(-ENOMEM);
	}
	spin_lock(&mount_lock);
	tree->root = m;
	mount_enter_ns(m, tree);
	spin_unlock(&mount_lock);
	return m;
}

/* Is something locked below root of m, which a copy without it would show? */
static bool hides_locked(const struct mount *m, struct dentry *root)
{
	const struct mount *c;

	list_for_each_entry(c, &m->ns->mounts, link)
		if (c->parent == m && c->locked && dentry_is_ancestor(root, c->mountpoint))
			return true;
	return false;
}

struct mount *mount_clone_tree(const struct path *from, bool recursive)
{
	struct mnt_ns *tree = mount_tree_alloc();
	struct mount *old = from->mnt;
	int err = -EINVAL;

	if (!tree)
		return ERR_PTR(-ENOMEM);
	spin_lock(&mount_lock);
	/* Namespaces' own files (nsfs) are bound from where they are, which is in no tree. */
	bool there = mount_in_tree(old) && (mount_is_ours(old) || !old->ns->ns.inum);
	if ((there || (from->dentry->flags & DENTRY_NSFS)) && !old->unbindable && !would_loop(from->dentry) &&
	    (recursive || !hides_locked(old, from->dentry)))
		err = mount_copy_tree(old, from->dentry, recursive && there, COPY_NS_FILES, tree);
	clear_copies(old->ns);
	old->copy = NULL;
	struct mount *m = tree->root;
	if (m)
		m->locked = false;
	spin_unlock(&mount_lock);
	if (err) {
		release_tree(tree);
		return ERR_PTR(err);
	}
	return m;
}

void mount_dissolve(struct mount *m)
{
	struct mnt_ns *tree = NULL;

	spin_lock(&mount_lock);
	if (m->ns->root == m && !m->ns->ns.inum && m->ns != &mnt_ns_none)
		tree = m->ns;
	spin_unlock(&mount_lock);
	if (tree)
		release_tree(tree);
}

/* ---- attaching ---- */
struct reach {
	struct receiver *list;
	uint32_t n, max;
};

static int reach_add(struct reach *r, struct mount *at, struct mount *copy)
{
	if (r->n == r->max) {
		uint32_t max = r->max ? 2 * r->max : 8;
		struct receiver *more = kmalloc(max * sizeof(*more));
		if (!more)
			return -ENOMEM;
		if (r->n)
			memcpy(more, r->list, r->n * sizeof(*more));
		kfree(r->list);
		r->list = more;
		r->max = max;
	}
	r->list[r->n++] = (struct receiver){at, copy};
	return 0;
}

/* Has ns no place for another copy, with those that are already to come? top: what the origin gets. */
static bool is_full(const struct mnt_ns *ns, const struct mnt_ns *top, const struct reach *r, uint32_t count)
{
	uint64_t n = ns->nr_mounts + count;

	for (uint32_t i = 0; i < r->n; i++)
		if (r->list[i].at->ns == ns && (i > 0 || top != ns))
			n += count;
	return n > MOUNTS_MAX;
}

static int copy_for(struct mount *m, struct reach *r, uint32_t count)
{
	bool slave;

	if (is_full(m->ns, r->list[0].copy->ns, r, count))
		return -ENOSPC;
	struct mount *source = mount_source_for(m, r->list, r->n, &slave);
	struct mnt_ns *tree = mount_tree_alloc();
	int err = tree ? reach_add(r, m, NULL) : -ENOMEM;

	if (err) {
		kfree(tree);
		return err;
	}
	uint32_t how = slave ? COPY_SLAVE | (mount_is_shared(m) ? COPY_SHARED : 0) : COPY_SHARED;
	err = mount_copy_tree(source, source->root, true, how | COPY_UNBINDABLE | COPY_NS_FILES, tree);
	clear_copies(source->ns);
	/* It stays on the list even if it failed, to be released with the others. */
	r->list[r->n - 1].copy = tree->root;
	if (!tree->root) {
		r->n--;
		kfree(tree);
	}
	return err;
}

/* Does m take a copy of top at mp? A tree that is attached nowhere does not: among those are the copies made so far, which
 * the walk meets where top or something in it is a peer of the place it goes to. */
static bool takes_copy(const struct mount *m, const struct mount *top, struct dentry *mp)
{
	return m->ns->ns.inum && mount_in_tree(m) && !mount_is_below(m, top) && dentry_is_ancestor(m->root, mp);
}

/* Copies of top for all that receive what happens at mp of dest: r->list[0] is dest itself. */
static int make_copies(struct mount *top, struct mount *dest, struct dentry *mp, struct reach *r)
{
	uint32_t count = count_below(top);
	int err = reach_add(r, dest, top);

	if (!err && dest->ns != top->ns && dest->ns->nr_mounts + count > MOUNTS_MAX)
		err = -ENOSPC;
	if (err || !mount_is_shared(dest))
		return err;
	struct mount *m;
	list_for_each_entry(m, &top->ns->mounts, link)
		if (mount_is_below(m, top) && !m->unbindable)
			mount_set_type(m, MS_SHARED);
	for (m = mount_next_receiver(dest, dest); m && !err; m = mount_next_receiver(m, dest))
		if (takes_copy(m, top, mp))
			err = copy_for(m, r, count);
	return err;
}

/* Puts top and what is below it, a tree of its own or a moved part of at's, at mp; what is there already comes on top. */
static void place(struct mount *top, struct mount *at, struct dentry *mp)
{
	struct mnt_ns *tree = top->ns;
	struct mount *over = mount_find_at(at, mp);

	if (tree != at->ns) {
		move_all(tree, at->ns);
		mount_tree_free(tree);
	}
	struct dentry *old = over ? mount_unlink(over) : NULL;
	mount_link(top, at, mp);
	if (over) {
		mount_link(over, top, top->root);
		dentry_put(old); /* top is mounted there: never the last */
	}
	mount_relist(top);
	struct user_ns *owner = at->ns->ns.user_ns;
	if (owner && owner != current->nsproxy->mnt->ns.user_ns)
		mount_lock_tree(top);
	mount_changed(at->ns);
}

/* mount_lock held. finish_attach follows when it is released, whatever came out. *left: where top was. */
static int attach(struct mount *top, struct mount *dest, struct dentry *mp, struct reach *r, struct dentry **left)
{
	int err = make_copies(top, dest, mp, r);

	*left = NULL;
	if (err)
		return err;
	*left = mount_unlink(top);
	for (uint32_t i = 0; i < r->n; i++)
		place(r->list[i].copy, r->list[i].at, mp);
	return 0;
}

static void finish_attach(struct reach *r, int err, struct dentry *left)
{
	for (uint32_t i = 1; err && i < r->n; i++)
		release_tree(r->list[i].copy->ns);
	kfree(r->list);
	if (left)
		dentry_put(left);
}

/* What can be mounted on d? inode->lock held. */
static int check_place(const struct mount *m, const struct dentry *d)
{
	if (S_ISDIR(d->inode->mode) != S_ISDIR(m->root->inode->mode))
		return -ENOTDIR;
	return (d->inode->iflags & INODE_DEAD) || (d->flags & DENTRY_DELETED) ? -ENOENT : 0;
}

int mount_graft(struct mount *m, const struct path *at)
{
	struct path p = *at;
	struct nameidata none = {0};
	struct reach r = {0};
	struct dentry *left = NULL;

	path_get(&p);
	int err = nd_cross_mounts(&none, &p);
	if (err == 0) {
		mutex_lock(&p.dentry->inode->lock);
		err = check_place(m, p.dentry);
		spin_lock(&mount_lock);
		if (err == 0 && !mount_in_tree(p.mnt))
			err = -EINVAL; /* detached meanwhile */
		if (err == 0)
			err = attach(m, p.mnt, p.dentry, &r, &left);
		spin_unlock(&mount_lock);
		mutex_unlock(&p.dentry->inode->lock);
		finish_attach(&r, err, left);
	}
	path_put(&p);
	return err;
}

static bool has_unbindable(const struct mount *top)
{
	const struct mount *m;

	list_for_each_entry(m, &top->ns->mounts, link)
		if (m->unbindable && mount_is_below(m, top))
			return true;
	return false;
}

static int check_move(const struct mount *m, const struct path *at)
{
	bool attached = m->parent != NULL;

	if (!mount_in_tree(at->mnt) || !mount_in_tree(m) || S_ISDIR(m->root->inode->mode) != S_ISDIR(at->dentry->inode->mode))
		return -EINVAL;
	if ((at->dentry->flags & DENTRY_DELETED) || (at->dentry->inode->iflags & INODE_DEAD))
		return -ENOENT;
	/* From a namespace any mount of ours but its root; from a tree of its own only the root. */
	if (attached ? !mount_is_ours(m) || !mount_is_ours(at->mnt) || m->locked : m->ns->ns.inum != 0)
		return -EINVAL;
	if ((attached && mount_is_shared(m->parent)) || (mount_is_shared(at->mnt) && has_unbindable(m)))
		return -EINVAL;
	return mount_is_below(at->mnt, m) ? -ELOOP : 0;
}

int mount_move(const struct path *from, const struct path *at)
{
	struct mount *m = from->dentry == from->mnt->root ? from->mnt : NULL;
	struct reach r = {0};
	struct dentry *left = NULL;

	if (!m)
		return -EINVAL;
	spin_lock(&mount_lock);
	struct mnt_ns *before = m->ns;
	int err = check_move(m, at);
	if (err == 0)
		err = attach(m, at->mnt, at->dentry, &r, &left);
	if (err == 0 && left)
		mount_changed(before);
	spin_unlock(&mount_lock);
	finish_attach(&r, err, left);
	return err;
}

int mount_attach(struct super_block *sb, const struct path *at, uint32_t flags, const char *source)
{
	if (at) {
		struct mount *m = mount_alloc_tree(sb, sb->root, flags, source);
		if (IS_ERR(m))
			return PTR_ERR(m);
		int err = mount_graft(m, at);
		if (err)
			mount_dissolve(m);
		return err;
	}
	struct mount *m = mount_alloc(sb, sb->root, flags, source);
	if (!m)
		return -ENOMEM;
	struct mnt_ns *ns = current->nsproxy->mnt;
	spin_lock(&mount_lock);
	BUG_ON(ns->root); /* one container_mount_all per namespace */
	ns->root = m;
	mount_enter_ns(m, ns);
	mount_changed(ns);
	spin_unlock(&mount_lock);
	return 0;
}
