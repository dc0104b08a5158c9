// SPDX-License-Identifier: Apache-2.0
/*
 * Attributes of overlay inodes: read from the real inode, changed on the upper one (after copy-up), and copied into the
 * overlay inode, where the VFS looks for permissions and sizes.
 */
#include "fs/overlay.h"

#include "fs/posix_acl.h"
#include "lib/string.h"

int ovl_real_getattr(struct inode *real, struct kstat *st)
{
	if (real->ops && real->ops->getattr)
		return real->ops->getattr(real, st);
	inode_fill_stat(real, st);
	return 0;
}

int ovl_real_setattr(struct inode *real, struct iattr *attr)
{
	int r = 0;
	mutex_lock(&real->lock);
	if (real->ops && real->ops->setattr)
		r = real->ops->setattr(real, attr);
	else if (attr->valid & ATTR_SIZE)
		r = -EINVAL;
	else
		inode_setattr_copy(real, attr);
	mutex_unlock(&real->lock);
	return r;
}

int ovl_real_setxattr(struct inode *real, const char *name, const void *value, size_t size)
{
	if (!real->ops->setxattr)
		return -EOPNOTSUPP;
	mutex_lock(&real->lock);
	int r = real->ops->setxattr(real, name, value, size, 0);
	mutex_unlock(&real->lock);
	return r;
}

void ovl_copy_attr(struct inode *inode)
{
	struct ovl_inode *oi = ovl_i(inode);
	struct inode *real = ovl_real(oi);
	inode->mode = real->mode;
	inode->uid = real->uid;
	inode->gid = real->gid;
	inode->rdev = real->rdev;
	WRITE_ONCE(inode->size, real->size);
	inode->blocks = real->blocks;
	inode->atime = real->atime;
	inode->mtime = real->mtime;
	inode->ctime = real->ctime;
	inode->btime = real->btime;
	acl_share(inode, real);
	/* A hard link of the lower layer has names that the upper inode does not count. */
	if (!oi->pinned)
		inode->nlink = real->nlink;
}

static int ovl_getattr(struct inode *inode, struct kstat *st)
{
	struct ovl_inode *oi = ovl_i(inode);
	int r = ovl_real_getattr(ovl_real(oi), st);
	if (r)
		return r;
	st->ino = oi->ino;
	st->dev = inode->sb->dev;
	if (oi->pinned)
		st->nlink = inode->nlink;
	/* The number of subdirectories of a merged directory is not known; 1 tells find(1) so. */
	if (S_ISDIR(st->mode) && ovl_upper(oi) && oi->lower && !oi->opaque)
		st->nlink = 1;
	return 0;
}

static int ovl_setattr(struct inode *inode, struct iattr *attr)
{
	int r = ovl_copy_up_inode(inode, attr->valid & ATTR_SIZE ? attr->size : UINT64_MAX);
	if (r)
		return r;
	struct iattr a = *attr;
	a.file = NULL;
	r = ovl_real_setattr(ovl_real(ovl_i(inode)), &a);
	ovl_copy_attr(inode);
	return r;
}

static bool is_private(const char *name)
{
	return !strncmp(name, OVL_XATTR_PREFIX, sizeof(OVL_XATTR_PREFIX) - 1);
}

static ssize_t_ ovl_getxattr(struct inode *inode, const char *name, void *value, size_t size)
{
	struct inode *real = ovl_real(ovl_i(inode));
	if (is_private(name))
		return -ENODATA;
	return real->ops->getxattr ? real->ops->getxattr(real, name, value, size) : -EOPNOTSUPP;
}

static int ovl_setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
	if (is_private(name))
		return -EPERM;
	int r = ovl_copy_up_inode(inode, UINT64_MAX);
	if (r)
		return r;
	struct inode *real = ovl_real(ovl_i(inode));
	if (!real->ops->setxattr)
		return -EOPNOTSUPP;
	mutex_lock(&real->lock);
	r = real->ops->setxattr(real, name, value, size, flags);
	mutex_unlock(&real->lock);
	ovl_copy_attr(inode);
	return r;
}

/* Takes our own names out of a list; returns its new length. */
static size_t filter_list(char *list, size_t len)
{
	size_t out = 0;
	for (size_t i = 0; i < len;) {
		size_t n = strnlen(list + i, len - i) + 1;
		if (!is_private(list + i)) {
			memmove(list + out, list + i, n);
			out += n;
		}
		i += n;
	}
	return out;
}

static ssize_t_ ovl_listxattr(struct inode *inode, char *list, size_t size)
{
	struct inode *real = ovl_real(ovl_i(inode));
	if (!real->ops->listxattr)
		return -EOPNOTSUPP;
	ssize_t_ n = real->ops->listxattr(real, NULL, 0);
	if (n <= 0)
		return n;
	char *all = kmalloc(n + 256);
	if (!all)
		return -ENOMEM;
	n = real->ops->listxattr(real, all, n + 256);
	if (n > 0) {
		n = (ssize_t_)filter_list(all, n);
		if (size && (size_t)n > size)
			n = -ERANGE;
		else if (size)
			memcpy(list, all, n);
	}
	kfree(all);
	return n;
}

static int ovl_removexattr(struct inode *inode, const char *name)
{
	if (is_private(name))
		return -ENODATA;
	int r = ovl_copy_up_inode(inode, UINT64_MAX);
	if (r)
		return r;
	struct inode *real = ovl_real(ovl_i(inode));
	if (!real->ops->removexattr)
		return -EOPNOTSUPP;
	mutex_lock(&real->lock);
	r = real->ops->removexattr(real, name);
	mutex_unlock(&real->lock);
	ovl_copy_attr(inode);
	return r;
}

static int ovl_set_acl(struct inode *inode, unsigned type, struct posix_acl *acl)
{
	/* nothing to remove is no reason to copy */
	if (!acl && !ovl_upper(ovl_i(inode)) && !(type == ACL_ACCESS ? inode->acl : inode->default_acl))
		return -ENODATA;
	int r = ovl_copy_up_inode(inode, UINT64_MAX);
	if (r)
		return r;
	struct inode *real = ovl_real(ovl_i(inode));
	if (!real->ops->set_acl)
		return -EOPNOTSUPP;
	mutex_lock(&real->lock);
	r = real->ops->set_acl(real, type, acl);
	mutex_unlock(&real->lock);
	ovl_copy_attr(inode);
	return r;
}

static char *ovl_readlink(struct inode *inode)
{
	struct inode *real = ovl_real(ovl_i(inode));
	if (!real->ops->readlink)
		return ERR_PTR(-EINVAL);
	char *s = real->ops->readlink(real);
	/* The real inode lives as long as ours does. */
	if (!IS_ERR(s) && real->link)
		WRITE_ONCE(inode->link, real->link);
	return s;
}

/* The lower layer is never written, not even its times. */
static struct inode *ovl_atime_inode(struct inode *inode)
{
	struct dentry *u = ovl_upper(ovl_i(inode));
	return u ? u->inode : NULL;
}

const struct inode_ops ovl_file_iops = {
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.set_acl = ovl_set_acl,
};

const struct inode_ops ovl_symlink_iops = {
	.readlink = ovl_readlink,
	.atime_inode = ovl_atime_inode,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
};

const struct inode_ops ovl_dir_iops = {
	.lookup = ovl_lookup,
	.create = ovl_create,
	.mkdir = ovl_mkdir,
	.mknod = ovl_mknod,
	.symlink = ovl_symlink,
	.link = ovl_link,
	.unlink = ovl_unlink,
	.rmdir = ovl_rmdir,
	.rename = ovl_rename,
	.tmpfile = ovl_tmpfile,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.set_acl = ovl_set_acl,
};
