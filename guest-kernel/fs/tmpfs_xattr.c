// SPDX-License-Identifier: Apache-2.0
/*
 * tmpfs: extended attributes (user., trusted., security.), a list per inode under inode->lock. They take of the space that
 * the file system has for inodes, as on Linux since 6.6; where that has no limit (memfd, nr_inodes=0) they are kernel memory
 * of the container like all other.
 */
#include <linux/xattr.h>

#include "fs/tmpfs.h"
#include "lib/string.h"
#include "task/cred.h"

#define XATTR_BYTES_MAX (128u << 10) /* of one inode, names and values */

static struct tmpfs_xattr *find(struct tmpfs_node *n, const char *name)
{
	struct tmpfs_xattr *x;
	list_for_each_entry(x, &n->xattrs, link)
		if (!strcmp(x->name, name))
			return x;
	return NULL;
}

static uint64_t space(const char *name, size_t size) { return 40 + strlen(name) + size; }

static void drop(struct inode *i, struct tmpfs_xattr *x)
{
	tmpfs_uncharge(tmpfs_sb(i), space(x->name, x->size));
	tmpfs_node(i)->xattr_bytes -= x->size + strlen(x->name) + 1;
	list_del(&x->link);
	kfree(x->value);
	kfree(x);
}

void tmpfs_xattr_free(struct inode *i)
{
	struct tmpfs_node *n = tmpfs_node(i);
	while (!list_empty(&n->xattrs))
		drop(i, list_first(&n->xattrs, struct tmpfs_xattr, link));
}

void tmpfs_drop_capabilities(struct inode *i)
{
	struct tmpfs_node *n = tmpfs_node(i);
	if (list_empty(&n->xattrs) || (i->mode & S_IFMT) == S_IFDIR)
		return;
	struct tmpfs_xattr *x = find(n, XATTR_NAME_CAPS);
	if (x)
		drop(i, x);
}

ssize_t_ tmpfs_getxattr(struct inode *i, const char *name, void *value, size_t size)
{
	mutex_lock(&i->lock);
	struct tmpfs_xattr *x = find(tmpfs_node(i), name);
	ssize_t_ r = x ? (ssize_t_)x->size : -ENODATA;
	if (x && size) {
		if (size < x->size)
			r = -ERANGE;
		else
			memcpy(value, x->value, x->size);
	}
	mutex_unlock(&i->lock);
	return r;
}

static struct tmpfs_xattr *make(const char *name, const void *value, size_t size)
{
	size_t len = strlen(name) + 1;
	struct tmpfs_xattr *x = kzalloc(sizeof(*x) + len);
	char *v = kmalloc(size ? size : 1);
	if (!x || !v) {
		kfree(x);
		kfree(v);
		return NULL;
	}
	memcpy(x->name, name, len);
	memcpy(v, value, size);
	x->value = v;
	x->size = size;
	return x;
}

/* inode->lock held by the VFS. */
int tmpfs_setxattr(struct inode *i, const char *name, const void *value, size_t size, int flags)
{
	struct tmpfs_node *n = tmpfs_node(i);
	struct tmpfs_xattr *old = find(n, name);
	if (old && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!old && (flags & XATTR_REPLACE))
		return -ENODATA;
	if (n->xattr_bytes + size + strlen(name) + 1 > XATTR_BYTES_MAX)
		return -ENOSPC;
	int r = tmpfs_charge(tmpfs_sb(i), space(name, size));
	if (r)
		return r;
	struct tmpfs_xattr *x = make(name, value, size);
	if (!x) {
		tmpfs_uncharge(tmpfs_sb(i), space(name, size));
		return -ENOMEM;
	}
	if (old)
		drop(i, old);
	list_add_tail(&x->link, &n->xattrs);
	n->xattr_bytes += size + strlen(name) + 1;
	inode_touch(i, ATTR_CTIME);
	return 0;
}

ssize_t_ tmpfs_listxattr(struct inode *i, char *list, size_t size)
{
	struct tmpfs_xattr *x;
	size_t total = 0;
	ssize_t_ r = 0;
	mutex_lock(&i->lock);
	list_for_each_entry(x, &tmpfs_node(i)->xattrs, link) {
		size_t len = strlen(x->name) + 1;
		if (!strncmp(x->name, "trusted.", 8) && !capable(CAP_SYS_ADMIN))
			continue;
		if (size) {
			if (total + len > size) {
				r = -ERANGE;
				break;
			}
			memcpy(list + total, x->name, len);
		}
		total += len;
	}
	mutex_unlock(&i->lock);
	return r ? r : (ssize_t_)total;
}

/* inode->lock held by the VFS. */
int tmpfs_removexattr(struct inode *i, const char *name)
{
	struct tmpfs_xattr *x = find(tmpfs_node(i), name);
	if (!x)
		return -ENODATA;
	drop(i, x);
	inode_touch(i, ATTR_CTIME);
	return 0;
}
