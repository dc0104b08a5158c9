// SPDX-License-Identifier: Apache-2.0
/*
 * New and removed names in an overlay. A name of the lower layer is hidden by a whiteout (a character device 0:0 in
 * the upper directory); a new directory in the place of a lower one is opaque. The VFS holds the overlay directory's
 * lock; the upper directory's is taken here.
 */
#include "fs/overlay.h"

#include <linux/mount.h>

#include "lib/string.h"

struct dentry *ovl_clear_whiteout(struct dentry *udir, const char *name, size_t len)
{
	struct inode *dir = udir->inode;
	struct dentry *ud = dentry_lookup_locked(udir, name, len);
	if (IS_ERR(ud) || !ovl_is_whiteout(ud->inode))
		return ud;
	mutex_lock(&ud->inode->lock);
	int r = dir->ops->unlink(dir, ud);
	mutex_unlock(&ud->inode->lock);
	if (!r)
		dentry_delete(ud);
	dentry_put(ud);
	return r ? ERR_PTR(r) : dentry_lookup_locked(udir, name, len);
}

int ovl_make_whiteout(struct dentry *udir, const char *name, size_t len)
{
	struct dentry *ud = dentry_lookup_locked(udir, name, len);
	if (IS_ERR(ud))
		return PTR_ERR(ud);
	int r = ud->inode ? -EEXIST : udir->inode->ops->mknod(udir->inode, ud, S_IFCHR, MKDEV(0, 0));
	dentry_put(ud);
	return r;
}

/* What is to be created. */
struct new_object {
	uint32_t mode;
	uint64_t dev;
	const char *target; /* of a symlink */
	struct dentry *link_to; /* upper dentry of the file that gets another name */
};

static int make(struct dentry *udir, struct dentry *ud, const struct new_object *n)
{
	struct inode *dir = udir->inode;
	if (n->link_to) {
		struct inode *i = n->link_to->inode;
		mutex_lock(&i->lock);
		int r = dir->ops->link(n->link_to, dir, ud);
		mutex_unlock(&i->lock);
		return r;
	}
	if (n->target)
		return dir->ops->symlink(dir, ud, n->target);
	if (S_ISDIR(n->mode))
		return dir->ops->mkdir(dir, ud, n->mode);
	if (S_ISREG(n->mode))
		return dir->ops->create(dir, ud, n->mode);
	return dir->ops->mknod(dir, ud, n->mode, n->dev);
}

/* Creates the upper object. Its dentry with a reference, or ERR_PTR. */
static struct dentry *create_upper(struct inode *dir, struct dentry *dentry, const struct new_object *n)
{
	struct ovl_inode *od = ovl_i(dir);
	int r = ovl_copy_up(dentry->parent, UINT64_MAX);
	if (r)
		return ERR_PTR(r);
	struct dentry *udir = ovl_upper(od);
	mutex_lock(&udir->inode->lock);
	struct dentry *ud = ovl_clear_whiteout(udir, dentry->name, dentry->name_len);
	if (!IS_ERR(ud)) {
		r = ud->inode ? -EEXIST : make(udir, ud, n);
		/* The lower layer may have a directory of this name that was removed. */
		if (!r && S_ISDIR(n->mode) && od->lower && !od->opaque)
			r = ovl_real_setxattr(ud->inode, OVL_XATTR_OPAQUE, "y", 1);
	}
	mutex_unlock(&udir->inode->lock);
	if (IS_ERR(ud))
		return ud;
	if (r) {
		dentry_put(ud);
		return ERR_PTR(r);
	}
	ovl_copy_attr(dir);
	return ud;
}

static int create(struct inode *dir, struct dentry *dentry, const struct new_object *n)
{
	struct dentry *ud = create_upper(dir, dentry, n);
	if (IS_ERR(ud))
		return PTR_ERR(ud);
	struct inode *inode = ovl_iget(dir->sb, ud, NULL);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	dentry_instantiate(dentry, inode);
	return 0;
}

int ovl_create(struct inode *dir, struct dentry *dentry, uint32_t mode)
{
	return create(dir, dentry, &(struct new_object){.mode = S_IFREG | (mode & 07777)});
}

int ovl_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode)
{
	return create(dir, dentry, &(struct new_object){.mode = S_IFDIR | (mode & 07777)});
}

int ovl_mknod(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t dev)
{
	if (S_ISCHR(mode) && !dev)
		return -EPERM; /* it would be a whiteout */
	return create(dir, dentry, &(struct new_object){.mode = mode, .dev = dev});
}

int ovl_symlink(struct inode *dir, struct dentry *dentry, const char *target)
{
	return create(dir, dentry, &(struct new_object){.mode = S_IFLNK | 0777, .target = target});
}

int ovl_tmpfile(struct inode *dir, struct dentry *dentry, uint32_t mode)
{
	int r = ovl_copy_up(dentry->parent, UINT64_MAX);
	if (r)
		return r;
	struct dentry *udir = ovl_upper(ovl_i(dir));
	if (!udir->inode->ops->tmpfile)
		return -EOPNOTSUPP;
	struct dentry *ud = dentry_alloc(udir, "#tmpfile", 8);
	if (!ud)
		return -ENOMEM;
	mutex_lock(&udir->inode->lock);
	r = udir->inode->ops->tmpfile(udir->inode, ud, mode);
	mutex_unlock(&udir->inode->lock);
	if (r) {
		dentry_put(ud);
		return r;
	}
	dentry_delete(ud);
	struct inode *inode = ovl_iget(dir->sb, ud, NULL);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	inode->nlink = 0;
	dentry_instantiate(dentry, inode);
	return 0;
}

int ovl_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = old->inode;
	int r = ovl_copy_up(old, UINT64_MAX);
	if (r)
		return r;
	struct dentry *ud = create_upper(dir, dentry, &(struct new_object){.link_to = ovl_upper(ovl_i(inode))});
	if (IS_ERR(ud))
		return PTR_ERR(ud);
	dentry_put(ud);
	if (ovl_i(inode)->pinned)
		inode->nlink++;
	ovl_copy_attr(inode);
	inode_get(inode);
	dentry_instantiate(dentry, inode);
	return 0;
}

/* Takes the upper name away, if there is one, and hides the lower one. */
static int remove_name(struct inode *dir, struct dentry *dentry, bool is_dir)
{
	struct ovl_inode *od = ovl_i(dir);
	int r = ovl_copy_up(dentry->parent, UINT64_MAX);
	if (r)
		return r;
	struct dentry *lower = ovl_lower_lookup(od, dentry->name, dentry->name_len);
	if (IS_ERR(lower))
		return PTR_ERR(lower);
	struct dentry *udir = ovl_upper(od);
	struct inode *ui = udir->inode;
	mutex_lock(&ui->lock);
	struct dentry *ud = dentry_lookup_locked(udir, dentry->name, dentry->name_len);
	r = IS_ERR(ud) ? PTR_ERR(ud) : 0;
	if (!r && ud->inode) {
		mutex_lock(&ud->inode->lock);
		r = is_dir ? ui->ops->rmdir(ui, ud) : ui->ops->unlink(ui, ud);
		mutex_unlock(&ud->inode->lock);
		if (!r)
			dentry_delete(ud);
	}
	if (!r && lower)
		r = ovl_make_whiteout(udir, dentry->name, dentry->name_len);
	mutex_unlock(&ui->lock);
	if (!IS_ERR(ud))
		dentry_put(ud);
	dentry_put(lower);
	ovl_copy_attr(dir);
	return r;
}

int ovl_unlink(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = dentry->inode;
	int r = remove_name(dir, dentry, false);
	if (r)
		return r;
	ovl_name_gone(inode);
	inode_touch(inode, ATTR_CTIME);
	return 0;
}

int ovl_rmdir(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = dentry->inode;
	int r = ovl_dir_is_empty(inode);
	if (r <= 0)
		return r ? r : -ENOTEMPTY;
	if (ovl_upper(ovl_i(inode)))
		r = ovl_clear_dir(ovl_upper(ovl_i(inode)));
	else
		r = 0;
	if (r >= 0)
		r = remove_name(dir, dentry, true);
	if (!r)
		inode->nlink = 0;
	return r;
}
