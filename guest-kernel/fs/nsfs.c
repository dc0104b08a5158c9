// SPDX-License-Identifier: Apache-2.0
/*
 * The file system of namespaces: a regular file for each that is looked at, named "kind:[number]". It is mounted nowhere,
 * but its files can be bound to a place, and hold the namespace as long as somebody holds them.
 *
 * Each look makes an inode of its own; st_dev and st_ino tell whether two files are of one namespace, as on Linux.
 */
#include "fs/nsfs.h"

#include <linux/magic.h>
#include <linux/nsfs.h>

#include "fs/mount.h"
#include "fs/namei.h"
#include "fs/pseudo.h"
#include "lib/string.h"
#include "task/task.h"
#include "task/user_ns.h"

static struct {
	struct mutex lock; /* of the creation of the rest */
	struct super_block *sb;
	struct mount mount;
} nsfs = {.lock = MUTEX_INIT(nsfs.lock)};

static void nsfs_evict(struct inode *inode)
{
	ns_put(inode->private);
	inode->private = NULL;
}

static const struct super_ops nsfs_sops = {.evict_inode = nsfs_evict, .statfs = pseudo_statfs};
static const struct fs_type nsfs_type = {.name = "nsfs", .nodev = true};

static int nsfs_build(void)
{
	struct super_block *sb = super_alloc(&nsfs_type, &nsfs_sops, NSFS_MAGIC);
	struct inode *root = sb ? inode_alloc(sb) : NULL;

	if (root) {
		root->mode = S_IFDIR | 0755;
		root->ino = ino_alloc();
		sb->root = dentry_make_root(root);
		if (!sb->root)
			inode_put(root);
	}
	if (!sb || !sb->root) {
		super_put(sb);
		return -ENOMEM;
	}
	ref_init(&nsfs.mount.refs);
	mount_init_links(&nsfs.mount);
	nsfs.mount.root = sb->root;
	nsfs.mount.sb = sb;
	nsfs.mount.source = "nsfs";
	nsfs.sb = sb;
	return 0;
}

static int nsfs_get(void)
{
	int r = 0;

	mutex_lock(&nsfs.lock);
	if (!nsfs.sb)
		r = nsfs_build();
	mutex_unlock(&nsfs.lock);
	return r;
}

/* ---- ioctl_ns(2) ---- */
static int64_t open_namespace(struct ns_common *ns)
{
	struct path p;

	ns_get(ns);
	int64_t r = nsfs_path(ns, &p);
	if (r)
		return r;
	struct file *f = vfs_open_path(&p, O_RDONLY);
	path_put(&p);
	return IS_ERR(f) ? PTR_ERR(f) : fd_publish(f, true);
}

/* Only what is ours or below it may be looked at. */
static int64_t open_owner(const struct ns_common *ns)
{
	struct user_ns *owner = ns->user_ns;

	return owner && user_ns_contains(current->cred->user_ns, owner) ? open_namespace(&owner->ns) : -EPERM;
}

static int64_t open_parent(struct ns_common *ns)
{
	if (ns->kind == NS_USER)
		return open_owner(ns);
	if (ns->kind != NS_PID)
		return -EINVAL;
	struct pid_ns *parent = container_of(ns, struct pid_ns, ns)->parent;
	return parent && pid_ns_contains(current->proc->pid_ns, parent) ? open_namespace(&parent->ns) : -EPERM;
}

static int64_t owner_uid(const struct ns_common *ns, uva_t out)
{
	if (ns->kind != NS_USER)
		return -EINVAL;
	uint32_t uid = kuid_out(container_of(ns, struct user_ns, ns)->owner);
	return copy_out_struct(out, &uid);
}

static int64_t nsfs_ioctl(struct file *f, uint32_t cmd, uint64_t arg)
{
	struct ns_common *ns = f->inode->private;

	switch (cmd) {
	case NS_GET_USERNS:
		return open_owner(ns);
	case NS_GET_PARENT:
		return open_parent(ns);
	case NS_GET_NSTYPE:
		return ns_flag(ns->kind);
	case NS_GET_OWNER_UID:
		return owner_uid(ns, uva(arg));
	}
	return -ENOTTY;
}

static const struct file_ops nsfs_fops = {.ioctl = nsfs_ioctl};
static const struct inode_ops nsfs_iops = {0};

/* ---- paths ---- */
int nsfs_path(struct ns_common *ns, struct path *out)
{
	char name[16];
	struct inode *inode = nsfs_get() == 0 ? inode_alloc(nsfs.sb) : NULL;

	snprintf(name, sizeof(name), "%s:", ns_name(ns->kind));
	struct dentry *d = inode ? dentry_alloc(NULL, name, strlen(name)) : NULL;
	if (!d) {
		if (inode)
			inode_put(inode);
		ns_put(ns);
		return -ENOMEM;
	}
	inode->private = ns;
	inode->ino = ns->inum;
	inode->mode = S_IFREG | 0444;
	inode->nlink = 1;
	inode->ops = &nsfs_iops;
	inode->fops = &nsfs_fops;
	inode->atime = inode->mtime = inode->ctime = time_now();
	d->sb = nsfs.sb;
	d->flags = DENTRY_ANON | DENTRY_NSFS;
	d->inode = inode;
	spin_lock(&inode->spin);
	list_add(&d->alias_link, &inode->aliases);
	spin_unlock(&inode->spin);
	mount_get(&nsfs.mount);
	*out = (struct path){&nsfs.mount, d};
	return 0;
}

struct ns_common *nsfs_namespace(const struct file *f)
{
	return f->path.dentry ? nsfs_of_dentry(f->path.dentry) : NULL;
}
