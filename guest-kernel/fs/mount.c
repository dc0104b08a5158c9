// SPDX-License-Identifier: Apache-2.0
/*
 * One mount: life, lookup by (parent mount, mountpoint dentry) in a small hash table, linking; roots and working
 * directories of tasks. See mount.h for the rest.
 *
 * A mount in a tree holds one reference on itself, on its root dentry, its mountpoint dentry and its super block;
 * children do not hold their parent, a parent with children cannot be unmounted (and MNT_DETACH takes the children along).
 */
#include "fs/mount.h"

#include <linux/mount.h>

#include "fs/namei.h"
#include "lib/string.h"
#include "task/task.h"
#include "task/user_ns.h"

#define MOUNT_HASH 64

spinlock_t mount_lock = SPINLOCK_INIT;
static struct mount *mount_hash[MOUNT_HASH]; /* mount_lock */
static int next_mount_id = 20;

static struct mount **hash_slot(const struct mount *parent, const struct dentry *d)
{
	uint64_t k = ((uint64_t)parent >> 5) ^ ((uint64_t)d >> 6);
	return &mount_hash[(k * 0x9e3779b97f4a7c15UL) >> 58];
}

void mount_init(void)
{
	list_add(&mnt_ns0.all, &mnt_namespaces);
}

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

void mount_init_links(struct mount *m)
{
	list_init(&m->link);
	list_init(&m->peers);
	list_init(&m->slaves);
	list_init(&m->slave_link);
	m->ns = &mnt_ns_none;
}

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
	mount_init_links(m);
	return m;
}

struct mount *mount_find_at(const struct mount *parent, const struct dentry *d)
{
	struct mount *m = *hash_slot(parent, d);
	while (m && (m->parent != parent || m->mountpoint != d))
		m = m->hash_next;
	return m;
}

struct mount *mount_lookup(struct mount *parent, struct dentry *d)
{
	spin_lock(&mount_lock);
	struct mount *m = mount_find_at(parent, d);
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

bool mount_is_ours(const struct mount *m)
{
	return current->nsproxy && m->ns == current->nsproxy->mnt;
}

bool mount_may_suid(const struct mount *m)
{
	spin_lock(&mount_lock);
	bool ok = mount_is_ours(m) || !m->ns->ns.inum;
	spin_unlock(&mount_lock);
	return ok && user_ns_contains(m->sb->user_ns, current->cred->user_ns);
}

/* What is mounted last on the root of ns; the root itself at least. mount_lock held. */
static struct mount *ns_root_top(const struct mnt_ns *ns)
{
	struct mount *top = ns->root ? ns->root : &anon_mount, *over;

	while ((over = mount_find_at(top, top->root)))
		top = over;
	return top;
}

bool mount_is_ns_root(const struct path *p)
{
	spin_lock(&mount_lock);
	const struct mount *top = ns_root_top(current->nsproxy->mnt);
	spin_unlock(&mount_lock);
	return p->mnt == top && p->dentry == top->root;
}

void mount_enter_ns(struct mount *m, struct mnt_ns *ns)
{
	list_add_tail(&m->link, &ns->mounts);
	ns->nr_mounts++;
	m->ns = ns;
}

void mount_leave_ns(struct mount *m)
{
	list_del(&m->link);
	if (m->ns != &mnt_ns_none)
		m->ns->nr_mounts--;
	m->ns = &mnt_ns_none;
}

/* The reference that the tree holds is m's initial one. */
void mount_link(struct mount *m, struct mount *parent, struct dentry *mountpoint)
{
	m->parent = parent;
	m->mountpoint = mountpoint;
	dentry_get(mountpoint);
	atomic_add(&mountpoint->mounted, 1);
	struct mount **slot = hash_slot(parent, mountpoint);
	m->hash_next = *slot;
	*slot = m;
}

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

bool mount_is_below(const struct mount *m, const struct mount *top)
{
	for (; m; m = m->parent)
		if (m == top)
			return true;
	return false;
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

void fs_enter_ns_root(struct fs_context *fs)
{
	struct path root, old[2];

	spin_lock(&mount_lock);
	struct mount *top = ns_root_top(current->nsproxy->mnt);
	root = (struct path){top, top->root};
	path_get(&root);
	path_get(&root);
	spin_unlock(&mount_lock);
	spin_lock(&fs->lock);
	old[0] = fs->root;
	old[1] = fs->cwd;
	fs->root = fs->cwd = root;
	spin_unlock(&fs->lock);
	path_put(&old[0]);
	path_put(&old[1]);
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
