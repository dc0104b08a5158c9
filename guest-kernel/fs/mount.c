// SPDX-License-Identifier: Apache-2.0
/*
 * The mount tree. One namespace; mounts are found by (parent mount, mountpoint dentry) in a small hash table. Trees that
 * are not attached anywhere (fsmount(2), open_tree(2), a recursive bind being made) have a struct mnt_ns of their own.
 *
 * mount_lock protects the tree. A mount in the tree holds one reference on itself, on its root dentry, its mountpoint
 * dentry and its super block; children do not hold their parent, a parent with children cannot be unmounted (and
 * MNT_DETACH takes the children along). Propagation types are recorded and shown, but nothing propagates: there is
 * one namespace.
 */
#include "fs/vfs.h"

#include <linux/mount.h>

#include "fs/mount.h"
#include "fs/namei.h"
#include "lib/string.h"
#include "task/task.h"
#include "task/user_ns.h"

#define MOUNT_HASH 64

spinlock_t mount_lock = SPINLOCK_INIT;
struct mnt_ns mnt_ns0 = {.ns = NS_STATIC(NS_MNT, 0xf0000001u, &init_user_ns),
	.mounts = LIST_INIT(mnt_ns0.mounts), .wait = WAIT_QUEUE_INIT(mnt_ns0.wait)};
static struct mount *mount_hash[MOUNT_HASH]; /* mount_lock */
static int next_mount_id = 20;

static struct mount **hash_slot(const struct mount *parent, const struct dentry *d)
{
	uint64_t k = ((uint64_t)parent >> 5) ^ ((uint64_t)d >> 6);
	return &mount_hash[(k * 0x9e3779b97f4a7c15UL) >> 58];
}

void mount_init(void) {}

void mount_get(struct mount *m) { ref_get(&m->refs); }

void mount_put(struct mount *m)
{
	if (!m || !ref_put(&m->refs))
		return;
	dentry_put(m->root);
	super_put(m->sb);
	kfree(m->source);
	kfree(m);
}

/* Takes over a reference on sb (also on failure). */
struct mount *mount_alloc(struct super_block *sb, struct dentry *root, uint32_t flags, const char *source)
{
	struct mount *m = kzalloc(sizeof(*m));
	char *src = kstrdup(source ? source : "none");
	if (!m || !src) {
		kfree(m);
		kfree(src);
		super_put(sb);
		return NULL;
	}
	ref_init(&m->refs);
	m->id = atomic_add(&next_mount_id, 1);
	dentry_get(root);
	m->root = root;
	m->sb = sb;
	m->flags = flags;
	m->source = src;
	list_init(&m->link);
	m->ns = &mnt_ns0;
	return m;
}

struct mount *mount_lookup(struct mount *parent, struct dentry *d)
{
	spin_lock(&mount_lock);
	struct mount *m = *hash_slot(parent, d);
	while (m && (m->parent != parent || m->mountpoint != d))
		m = m->hash_next;
	if (m)
		mount_get(m);
	spin_unlock(&mount_lock);
	return m;
}

bool mount_parent_of(struct path *p)
{
	spin_lock(&mount_lock);
	struct mount *parent = p->mnt->parent;
	struct dentry *mp = p->mnt->mountpoint;
	if (parent) {
		mount_get(parent);
		dentry_get(mp);
	}
	spin_unlock(&mount_lock);
	if (!parent)
		return false;
	path_put(p);
	p->mnt = parent;
	p->dentry = mp;
	return true;
}

void mount_changed(struct mnt_ns *ns)
{
	atomic_add(&ns->seq, 1);
	wake_up_poll(&ns->wait, 0);
}

/* mount_lock held. The reference that the tree holds is m's initial one. */
void mount_link(struct mount *m, struct mount *parent, struct dentry *mountpoint)
{
	m->parent = parent;
	m->mountpoint = mountpoint;
	dentry_get(mountpoint);
	atomic_add(&mountpoint->mounted, 1);
	struct mount **slot = hash_slot(parent, mountpoint);
	m->hash_next = *slot;
	*slot = m;
	if (list_empty(&m->link))
		list_add_tail(&m->link, &m->ns->mounts);
}

/* mount_lock held. Returns the mountpoint, whose reference the caller puts after unlocking. */
struct dentry *mount_unlink(struct mount *m)
{
	struct dentry *mp = m->mountpoint;
	if (!mp)
		return NULL;
	struct mount **p = hash_slot(m->parent, mp);
	while (*p != m)
		p = &(*p)->hash_next;
	*p = m->hash_next;
	m->hash_next = NULL;
	m->parent = NULL;
	m->mountpoint = NULL;
	atomic_sub(&mp->mounted, 1);
	return mp;
}

/* Is m at or below top? mount_lock held. */
bool mount_is_below(const struct mount *m, const struct mount *top)
{
	for (; m; m = m->parent)
		if (m == top)
			return true;
	return false;
}

struct mount *mount_alloc_tree(struct super_block *sb, struct dentry *root, uint32_t flags, const char *source)
{
	struct mnt_ns *ns = kzalloc(sizeof(*ns));
	struct mount *m = mount_alloc(sb, root, flags, source);
	if (!ns || !m) {
		kfree(ns);
		mount_put(m);
		return ERR_PTR(-ENOMEM);
	}
	ref_init(&ns->ns.refs);
	list_init(&ns->mounts);
	wait_queue_init(&ns->wait);
	ns->root = m;
	m->ns = ns;
	list_add(&m->link, &ns->mounts);
	return m;
}

struct mnt_ns *mount_enter(struct mount *m, struct mnt_ns *ns)
{
	struct mnt_ns *own = m->ns;
	if (list_empty(&m->link)) {
		m->ns = ns;
		list_add_tail(&m->link, &ns->mounts);
		return NULL;
	}
	if (own == ns)
		return NULL;
	while (!list_empty(&own->mounts)) {
		struct mount *c = list_first(&own->mounts, struct mount, link);
		c->ns = ns;
		list_move_tail(&c->link, &ns->mounts);
	}
	return own;
}

/* Puts m on top of at (after stepping over what is mounted there already). Consumes m's reference on success. */
int mount_graft(struct mount *m, const struct path *at)
{
	struct path p = *at;
	path_get(&p);
	struct nameidata none = {0};
	struct mnt_ns *own = NULL;
	int r = nd_cross_mounts(&none, &p);
	if (r == 0) {
		bool target_dir = (p.dentry->inode->mode & S_IFMT) == S_IFDIR;
		bool root_dir = (m->root->inode->mode & S_IFMT) == S_IFDIR;
		mutex_lock(&p.dentry->inode->lock);
		if (target_dir != root_dir)
			r = -ENOTDIR;
		else if ((p.dentry->inode->iflags & INODE_DEAD) || (p.dentry->flags & DENTRY_DELETED))
			r = -ENOENT;
		spin_lock(&mount_lock);
		if (r == 0 && !mount_in_tree(p.mnt))
			r = -EINVAL; /* detached meanwhile */
		if (r == 0) {
			own = mount_enter(m, p.mnt->ns);
			mount_link(m, p.mnt, p.dentry);
		}
		spin_unlock(&mount_lock);
		mutex_unlock(&p.dentry->inode->lock);
	}
	path_put(&p);
	kfree(own);
	if (r == 0)
		mount_changed(m->ns);
	return r;
}

int mount_attach(struct super_block *sb, const struct path *at, uint32_t flags, const char *source)
{
	struct mount *m = mount_alloc(sb, sb->root, flags, source);
	if (!m)
		return -ENOMEM;
	if (at) {
		int r = mount_graft(m, at);
		if (r)
			mount_put(m);
		return r;
	}
	struct mnt_ns *ns = current->nsproxy->mnt;
	spin_lock(&mount_lock);
	struct mount *old = ns->root;
	ns->root = m;
	m->ns = ns;
	list_add(&m->link, &ns->mounts);
	spin_unlock(&mount_lock);
	if (old)
		mount_put(old);
	mount_changed(ns);
	return 0;
}

int vfs_mount(const char *source, const struct path *at, const char *type, uint32_t flags, const char *data)
{
	const struct fs_type *t = fs_type_find(type);
	if (!t)
		return -ENODEV;
	struct super_block *sb = t->mount(t, source, data, flags & MS_RDONLY);
	if (IS_ERR(sb))
		return PTR_ERR(sb);
	return mount_attach(sb, at, flags, source);
}

/* mount_lock held: moves m and everything below it from the tree to the list. */
static void collect(struct mount *top, struct list_node *out)
{
	list_del(&top->link);
	list_add_tail(&top->link, out);
	/* the list of all mounts has parents before children, so one pass finds whole subtrees */
	struct mount *m, *tmp;
	list_for_each_entry_safe(m, tmp, &top->ns->mounts, link) {
		struct mount *o;
		list_for_each_entry(o, out, link) {
			if (m->parent == o) {
				list_del(&m->link);
				list_add_tail(&m->link, out);
				break;
			}
		}
	}
}

/* What collect() found leaves the tree for good. */
static void release_all(struct list_node *out)
{
	while (!list_empty(out)) {
		struct mount *o = list_first(out, struct mount, link);
		spin_lock(&mount_lock);
		list_del(&o->link);
		o->ns = &mnt_ns0;
		struct dentry *mp = mount_unlink(o);
		spin_unlock(&mount_lock);
		dentry_put(mp);
		mount_put(o);
	}
}

struct mnt_ns *mnt_ns_create(struct user_ns *owner)
{
	struct mnt_ns *ns = kzalloc(sizeof(*ns));
	if (!ns)
		return ERR_PTR(-ENOMEM);
	ns_init(&ns->ns, NS_MNT, owner);
	list_init(&ns->mounts);
	wait_queue_init(&ns->wait);
	return ns;
}

void mnt_ns_free(struct mnt_ns *ns)
{
	struct list_node out;
	list_init(&out);
	spin_lock(&mount_lock);
	struct mount *root = ns->root;
	ns->root = NULL;
	if (root)
		collect(root, &out);
	spin_unlock(&mount_lock);
	release_all(&out);
	kfree(ns);
}

bool mount_is_ns_root(const struct path *p)
{
	return p->mnt->root == p->dentry && p->mnt == current->nsproxy->mnt->root;
}

void mount_dissolve(struct mount *m)
{
	struct list_node out;
	struct mnt_ns *own = NULL;
	list_init(&out);
	spin_lock(&mount_lock);
	if (m->ns != &mnt_ns0 && m->ns->root == m) {
		own = m->ns;
		own->root = NULL;
		collect(m, &out);
	}
	spin_unlock(&mount_lock);
	release_all(&out);
	kfree(own);
}

/* Takes m (and, when detach, its subtree) out of the tree. held: references of the caller that do not count as use. */
int mount_detach(struct mount *m, bool detach, uint32_t held)
{
	struct list_node out;
	list_init(&out);
	spin_lock(&mount_lock);
	int r = 0;
	if (!m->parent)
		r = -EINVAL;
	if (r == 0 && !detach) {
		struct mount *c;
		list_for_each_entry(c, &m->ns->mounts, link)
			if (c->parent == m)
				r = -EBUSY;
		if (atomic_load(&m->refs.n) > 1 + held)
			r = -EBUSY;
	}
	if (r == 0)
		collect(m, &out);
	spin_unlock(&mount_lock);
	if (r)
		return r;
	struct mnt_ns *ns = m->ns;
	release_all(&out);
	mount_changed(ns);
	return 0;
}

const struct fs_type *fs_type_find(const char *name)
{
	for (int i = 0; fs_types[i]; i++)
		if (!strcmp(fs_types[i]->name, name))
			return fs_types[i];
	return NULL;
}

/* ---- per-task root, cwd, umask ---- */
struct fs_context *fs_context_create(void)
{
	return fs_context_create_in(current->nsproxy->mnt);
}

struct fs_context *fs_context_create_in(struct mnt_ns *ns)
{
	struct fs_context *fs = kzalloc(sizeof(*fs));
	if (!fs)
		return NULL;
	ref_init(&fs->refs);
	spin_init(&fs->lock);
	fs->umask = 022;
	spin_lock(&mount_lock);
	struct mount *m = ns->root;
	if (m) {
		fs->root = fs->cwd = (struct path){m, m->root};
		path_get(&fs->root);
		path_get(&fs->cwd);
	}
	spin_unlock(&mount_lock);
	return fs;
}

struct fs_context *fs_context_copy(struct fs_context *old)
{
	struct fs_context *fs = kzalloc(sizeof(*fs));
	if (!fs)
		return NULL;
	ref_init(&fs->refs);
	spin_init(&fs->lock);
	spin_lock(&old->lock);
	fs->root = old->root;
	fs->cwd = old->cwd;
	if (fs->root.mnt)
		path_get(&fs->root);
	if (fs->cwd.mnt)
		path_get(&fs->cwd);
	fs->umask = old->umask;
	spin_unlock(&old->lock);
	return fs;
}

void fs_context_put(struct fs_context *fs)
{
	if (!fs || !ref_put(&fs->refs))
		return;
	path_put(&fs->root);
	path_put(&fs->cwd);
	kfree(fs);
}

/* A task without a context, or one from before the root was mounted, sees the namespace's root. */
static void get_ns_root(struct path *out)
{
	spin_lock(&mount_lock);
	struct mnt_ns *ns = current->nsproxy ? current->nsproxy->mnt : &mnt_ns0;
	struct mount *m = ns->root ? ns->root : &anon_mount;
	*out = (struct path){m, m->root};
	path_get(out);
	spin_unlock(&mount_lock);
}

void fs_get_root(struct path *out)
{
	struct fs_context *fs = current->fs;
	out->mnt = NULL;
	if (fs) {
		spin_lock(&fs->lock);
		*out = fs->root;
		if (out->mnt)
			path_get(out);
		spin_unlock(&fs->lock);
	}
	if (!out->mnt)
		get_ns_root(out);
}

void fs_get_cwd(struct path *out)
{
	struct fs_context *fs = current->fs;
	out->mnt = NULL;
	if (fs) {
		spin_lock(&fs->lock);
		*out = fs->cwd;
		if (out->mnt)
			path_get(out);
		spin_unlock(&fs->lock);
	}
	if (!out->mnt)
		get_ns_root(out);
}
