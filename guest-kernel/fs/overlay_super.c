// SPDX-License-Identifier: Apache-2.0
/*
 * Overlay super blocks and the identity of overlay inodes.
 *
 * One overlay inode per real inode, found by the upper inode or the lower one. A lower file with several names that
 * was copied up stays in the cache ("pinned") until its last name or the file system goes, so that its other names lead to
 * the copy and hard links hold. Inode numbers: those of the lower file system where an object comes from there (also after copy-up, by an attribute of
 * the upper file), else the upper number with a high bit.
 */
#include "fs/overlay.h"

#include <linux/mount.h>

#include "fs/container_fs.h"
#include "fs/gofer.h"
#include "lib/log.h"
#include "lib/string.h"

#define OVERLAY_MAGIC 0x794c7630
#define UPPER_INO_BIT (1UL << 48)

static struct list_node *bucket(struct list_node *table, const struct inode *real)
{
	return &table[((uint64_t)real * 0x9e3779b97f4a7c15UL) >> 54 & (OVL_HASH - 1)];
}

uint64_t ovl_upper_ino(struct inode *real)
{
	uint64_t origin;
	if (real->ops && real->ops->getxattr &&
	    real->ops->getxattr(real, OVL_XATTR_ORIGIN, &origin, sizeof(origin)) == sizeof(origin))
		return origin;
	return real->ino | UPPER_INO_BIT;
}

/* Objects of other host file systems below the lower root must not share numbers with its own. */
static uint64_t lower_ino(struct inode *real)
{
	struct kstat st;
	if (!real->ops || !real->ops->getattr || real->ops->getattr(real, &st) || st.dev == real->sb->dev)
		return real->ino;
	return real->ino ^ (st.dev * 0x9e3779b97f4a7c15UL >> 50 << 49);
}

static struct inode *find(struct ovl_sb *os, struct dentry *upper, struct dentry *lower)
{
	struct ovl_inode *oi;
	if (upper) {
		list_for_each_entry(oi, bucket(os->by_upper, upper->inode), upper_link)
			if (oi->upper->inode == upper->inode && ref_get_unless_zero(&oi->inode->refs))
				return oi->inode;
		return NULL;
	}
	list_for_each_entry(oi, bucket(os->by_lower, lower->inode), lower_link)
		if (oi->lower->inode == lower->inode && ref_get_unless_zero(&oi->inode->refs))
			return oi->inode;
	return NULL;
}

void ovl_hash_upper(struct ovl_inode *oi)
{
	struct ovl_sb *os = ovl_s(oi->inode->sb);
	spin_lock(&os->lock);
	if (list_empty(&oi->upper_link))
		list_add(&oi->upper_link, bucket(os->by_upper, oi->upper->inode));
	spin_unlock(&os->lock);
}

void ovl_pin(struct ovl_inode *oi)
{
	struct ovl_sb *os = ovl_s(oi->inode->sb);
	spin_lock(&os->lock);
	bool first = !oi->pinned;
	oi->pinned = true;
	spin_unlock(&os->lock);
	if (first)
		inode_get(oi->inode);
}

static void unpin(struct ovl_inode *oi)
{
	struct ovl_sb *os = ovl_s(oi->inode->sb);
	spin_lock(&os->lock);
	bool last = oi->pinned;
	oi->pinned = false;
	spin_unlock(&os->lock);
	if (last)
		inode_put(oi->inode);
}

void ovl_name_gone(struct inode *inode)
{
	struct ovl_inode *oi = ovl_i(inode);
	bool none = false;
	mutex_lock(&oi->copy_lock); /* a copy-up looks at the number of names and pins */
	if (!oi->pinned && ovl_upper(oi))
		inode->nlink = ovl_real(oi)->nlink;
	else if (inode->nlink)
		none = !--inode->nlink;
	mutex_unlock(&oi->copy_lock);
	if (none)
		unpin(oi);
}

/* The last mount is gone: nobody asks for names any more. */
static void ovl_kill_super(struct super_block *sb)
{
	struct ovl_sb *os = ovl_s(sb);
	for (int b = 0; b < OVL_HASH; b++) {
		struct ovl_inode *oi;
		do {
			struct ovl_inode *found = NULL;
			spin_lock(&os->lock);
			list_for_each_entry(oi, &os->by_lower[b], lower_link)
				if (oi->pinned && !found)
					found = oi;
			spin_unlock(&os->lock);
			oi = found;
			if (oi)
				unpin(oi);
		} while (oi);
	}
}

static bool is_opaque(struct inode *real)
{
	char c = 0;
	return real->ops && real->ops->getxattr && real->ops->getxattr(real, OVL_XATTR_OPAQUE, &c, 1) == 1 && c == 'y';
}

static void set_ops(struct inode *inode)
{
	switch (inode->mode & S_IFMT) {
	case S_IFDIR:
		inode->ops = &ovl_dir_iops;
		inode->fops = &ovl_dir_fops;
		break;
	case S_IFREG:
		inode->ops = &ovl_file_iops;
		inode->fops = &ovl_file_fops;
		break;
	case S_IFLNK:
		inode->ops = &ovl_symlink_iops;
		break;
	default: /* pipes, sockets and devices are opened by the VFS and need no copy-up for that */
		inode->ops = &ovl_file_iops;
	}
}

static struct ovl_inode *oi_alloc(struct super_block *sb, struct dentry *upper, struct dentry *lower)
{
	struct ovl_inode *oi = kzalloc(sizeof(*oi));
	struct inode *inode = oi ? inode_alloc(sb) : NULL;
	if (!inode) {
		kfree(oi);
		return NULL;
	}
	oi->inode = inode;
	oi->upper = upper;
	oi->lower = lower;
	mutex_init(&oi->copy_lock);
	list_init(&oi->upper_link);
	list_init(&oi->lower_link);
	inode->private = oi;
	struct inode *real = ovl_real(oi);
	oi->ino = lower ? lower_ino(lower->inode) : ovl_upper_ino(real);
	oi->opaque = upper && S_ISDIR(real->mode) && is_opaque(real);
	inode->ino = oi->ino;
	inode->mode = real->mode;
	inode->nlink = real->nlink;
	inode->link = real->link;
	ovl_copy_attr(inode);
	set_ops(inode);
	return oi;
}

struct inode *ovl_iget(struct super_block *sb, struct dentry *upper, struct dentry *lower)
{
	struct ovl_sb *os = ovl_s(sb);
	spin_lock(&os->lock);
	struct inode *old = find(os, upper, lower);
	spin_unlock(&os->lock);
	struct ovl_inode *oi = NULL;
	if (!old) {
		oi = oi_alloc(sb, upper, lower);
		if (!oi)
			old = ERR_PTR(-ENOMEM);
	}
	if (oi) {
		spin_lock(&os->lock);
		old = find(os, upper, lower);
		if (!old && upper)
			list_add(&oi->upper_link, bucket(os->by_upper, upper->inode));
		if (!old && lower)
			list_add(&oi->lower_link, bucket(os->by_lower, lower->inode));
		spin_unlock(&os->lock);
		if (!old)
			return oi->inode;
		inode_put(oi->inode); /* and with it the dentries */
		return old;
	}
	dentry_put(upper);
	dentry_put(lower);
	return old;
}

static void ovl_evict_inode(struct inode *inode)
{
	struct ovl_inode *oi = ovl_i(inode);
	if (!oi)
		return;
	struct ovl_sb *os = ovl_s(inode->sb);
	spin_lock(&os->lock);
	list_del(&oi->upper_link);
	list_del(&oi->lower_link);
	spin_unlock(&os->lock);
	dentry_put(oi->upper);
	dentry_put(oi->lower);
	inode->private = NULL;
	inode->link = NULL;
	kfree(oi);
}

/* ---- lookup ---- */
struct dentry *ovl_real_lookup(struct dentry *dir, const char *name, size_t len)
{
	struct dentry *d = dentry_lookup(dir, name, len);
	if (IS_ERR(d))
		return PTR_ERR(d) == -ENOENT ? NULL : d;
	if (d->inode)
		return d;
	dentry_put(d);
	return NULL;
}

struct dentry *ovl_lower_lookup(struct ovl_inode *od, const char *name, size_t len)
{
	if (!od->lower || od->opaque)
		return NULL;
	return ovl_real_lookup(od->lower, name, len);
}

int ovl_lookup(struct inode *dir, struct dentry *dentry)
{
	struct ovl_inode *od = ovl_i(dir);
	struct dentry *udir = ovl_upper(od), *upper = NULL, *lower = NULL;
	if (udir)
		upper = ovl_real_lookup(udir, dentry->name, dentry->name_len);
	if (IS_ERR(upper))
		return PTR_ERR(upper);
	if (upper && ovl_is_whiteout(upper->inode)) {
		dentry_put(upper);
		return 0;
	}
	if (!upper || (S_ISDIR(upper->inode->mode) && !is_opaque(upper->inode)))
		lower = ovl_lower_lookup(od, dentry->name, dentry->name_len);
	if (IS_ERR(lower)) {
		dentry_put(upper);
		return PTR_ERR(lower);
	}
	if (upper && lower && !S_ISDIR(lower->inode->mode)) {
		dentry_put(lower);
		lower = NULL;
	}
	if (!upper && !lower)
		return 0;
	struct inode *inode = ovl_iget(dir->sb, upper, lower);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	dentry_instantiate(dentry, inode);
	return 0;
}

/* ---- super block ---- */
static int ovl_statfs(struct super_block *sb, struct hc_statfs *st)
{
	struct super_block *upper = ovl_s(sb)->upper.dentry->sb;
	int r = upper->ops && upper->ops->statfs ? upper->ops->statfs(upper, st) : -ENOSYS;
	st->type = OVERLAY_MAGIC;
	return r;
}

/* A lower file system that others change: is what the name meant still there? */
static int ovl_revalidate(struct dentry *dentry)
{
	if (!ovl_s(dentry->sb)->lower_revalidates || dentry->parent == dentry)
		return 1;
	spin_lock(&dentry->lock);
	struct inode *inode = dentry->inode;
	if (inode)
		inode_get(inode);
	spin_unlock(&dentry->lock);
	if (!inode)
		return 0;
	struct ovl_inode *oi = ovl_i(inode);
	int r = 1;
	if (oi->lower && !ovl_upper(oi)) {
		r = oi->lower->sb->ops->revalidate(oi->lower);
		if (!r)
			dentry_drop(oi->lower);
		else if (r > 0)
			ovl_copy_attr(inode);
	}
	inode_put(inode);
	return r;
}

static void ovl_put_super(struct super_block *sb)
{
	struct ovl_sb *os = ovl_s(sb);
	path_put(&os->upper);
	path_put(&os->lower);
	kfree(os);
}

static int ovl_show_options(struct super_block *sb, char *buf, size_t size)
{
	return snprintf(buf, size, ",lowerdir=/,upperdir=/,workdir=/");
}

static const struct super_ops ovl_super_ops = {
	.evict_inode = ovl_evict_inode,
	.statfs = ovl_statfs,
	.revalidate = ovl_revalidate,
	.kill_super = ovl_kill_super,
	.put_super = ovl_put_super,
	.show_options = ovl_show_options,
};

/* The upper root starts with the lower root's owner and mode. */
static int copy_root_attr(const struct path *lower, const struct path *upper)
{
	struct kstat st;
	int r = ovl_real_getattr(lower->dentry->inode, &st);
	if (r)
		return r;
	struct iattr a = {.valid = ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_FORCE, .mode = st.mode & 07777, .uid = st.uid,
	                  .gid = st.gid};
	return ovl_real_setattr(upper->dentry->inode, &a);
}

struct super_block *overlay_mount(const struct path *lower, const struct path *upper)
{
	if (!S_ISDIR(lower->dentry->inode->mode) || !S_ISDIR(upper->dentry->inode->mode))
		return ERR_PTR(-ENOTDIR);
	int r = copy_root_attr(lower, upper);
	if (r)
		return ERR_PTR(r);
	struct ovl_sb *os = kzalloc(sizeof(*os));
	struct super_block *sb = os ? super_alloc(&overlay_type, &ovl_super_ops, OVERLAY_MAGIC) : NULL;
	if (!sb) {
		kfree(os);
		return ERR_PTR(-ENOMEM);
	}
	spin_init(&os->lock);
	for (int i = 0; i < OVL_HASH; i++) {
		list_init(&os->by_upper[i]);
		list_init(&os->by_lower[i]);
	}
	os->upper = *upper;
	os->lower = *lower;
	path_get(upper);
	path_get(lower);
	const struct super_ops *lo = lower->dentry->sb->ops;
	/* Exclusive gofer mounts have the operation too, but it answers at once. */
	os->lower_revalidates = lo && lo->revalidate && (!gofer_is_super(lower->dentry->sb) ||
	                                                 gofer_s(lower->dentry->sb)->shared);
	sb->private = os;
	dentry_get(upper->dentry);
	dentry_get(lower->dentry);
	struct inode *root = ovl_iget(sb, upper->dentry, lower->dentry);
	if (!IS_ERR(root))
		sb->root = dentry_make_root(root);
	if (IS_ERR(root) || !sb->root) {
		super_put(sb);
		return ERR_PTR(-ENOMEM);
	}
	return sb;
}

/* ---- mount(2): one lower directory, one upper ---- */
struct mount_names {
	char *lower, *upper;
};

static int parse_options(char *data, struct mount_names *n)
{
	for (char *p = data; p && *p;) {
		char *next = strchr(p, ',');
		if (next)
			*next++ = 0;
		if (!strncmp(p, "lowerdir=", 9))
			n->lower = p + 9;
		else if (!strncmp(p, "upperdir=", 9))
			n->upper = p + 9;
		else if (*p && strncmp(p, "workdir=", 8) && strncmp(p, "index=", 6) && strncmp(p, "xino=", 5) &&
		         strncmp(p, "metacopy=", 9) && strcmp(p, "redirect_dir=off") && strcmp(p, "userxattr"))
			return -EINVAL;
		p = next;
	}
	/* Several lower directories and read-only overlays are not supported. */
	return n->lower && n->upper && !strchr(n->lower, ':') ? 0 : -EINVAL;
}

static struct super_block *overlay_type_mount(const struct fs_type *type, const char *source, const char *data,
                                              uint32_t flags)
{
	struct mount_names n = {NULL, NULL};
	struct path lower, upper;
	char *copy = kstrdup(data ? data : "");
	if (!copy)
		return ERR_PTR(-ENOMEM);
	int r = parse_options(copy, &n);
	if (!r)
		r = path_lookup(AT_FDCWD, n.lower, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &lower);
	if (!r) {
		r = path_lookup(AT_FDCWD, n.upper, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &upper);
		if (r)
			path_put(&lower);
	}
	kfree(copy);
	if (r)
		return ERR_PTR(r);
	struct inode *ui = upper.dentry->inode;
	struct super_block *sb;
	if (mount_writable(upper.mnt) || !ui->ops->setxattr || !ui->ops->mknod)
		sb = ERR_PTR(-EINVAL); /* the upper layer must take whiteouts and attributes */
	else
		sb = overlay_mount(&lower, &upper);
	path_put(&lower);
	path_put(&upper);
	return sb;
}

const struct fs_type overlay_type = {.name = "overlay", .nodev = true, .owner = ns_owner_current,
	.mount = overlay_type_mount};
