// SPDX-License-Identifier: Apache-2.0
/*
 * Extended attributes (xattr(7)): who may touch which name space, and the twelve system calls. Of system.* there are
 * POSIX ACLs (fs/posix_acl.c).
 */
#include "fs/xattr_caps.h"
#include "fs/vfs.h"

#include <linux/limits.h>
#include <linux/xattr.h>

#include "fs/namei.h"
#include "fs/posix_acl.h"
#include "lib/string.h"
#include "syscall/syscall.h"
#include "task/task.h"

static bool has_prefix(const char *s, const char *p) { return !strncmp(s, p, strlen(p)); }

/* May the current task use the name on the inode? */
static int xattr_permission(const struct path *p, const char *name, bool write)
{
	struct inode *i = p->dentry->inode;
	uint32_t type = i->mode & S_IFMT;
	if (write) {
		int r = mount_writable(p->mnt);
		if (r)
			return r;
	}
	if (has_prefix(name, XATTR_SECURITY_PREFIX)) {
		if (!write)
			return 0;
		return (caps_xattr_name(name) ? inode_capable(i, CAP_SETFCAP) : capable(CAP_SYS_ADMIN)) ? 0 : -EPERM;
	}
	if (has_prefix(name, XATTR_TRUSTED_PREFIX))
		return capable(CAP_SYS_ADMIN) ? 0 : write ? -EPERM : -ENODATA;
	if (!has_prefix(name, XATTR_USER_PREFIX))
		return -EOPNOTSUPP;
	if (type != S_IFREG && type != S_IFDIR)
		return write ? -EPERM : -ENODATA;
	if (write && type == S_IFDIR && (i->mode & S_ISVTX) && !inode_owner_or_capable(i))
		return -EPERM;
	return inode_permission(i, write ? MAY_WRITE : MAY_READ);
}

static int copy_name(char name[256], uva_t uname)
{
	ssize_t_ n = copy_in_string(name, uname, 256);
	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	return n < 0 ? (int)n : 0;
}

static int64_t do_set(const struct path *p, uva_t uname, uva_t uvalue, uint64_t size, int flags)
{
	char name[256];
	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	int r = copy_name(name, uname);
	if (r)
		return r;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	void *value = kmalloc(MAX(size, (uint64_t)CAPS_XATTR_MAX));
	if (!value)
		return -ENOMEM;
	struct inode *i = p->dentry->inode;
	enum acl_type acl;
	r = copy_in(value, uvalue, size);
	if (r == 0 && acl_xattr_name(name, &acl)) {
		r = acl_xattr_set(p, acl, value, size);
		goto done;
	}
	if (r == 0)
		r = xattr_permission(p, name, true);
	if (r == 0 && !(i->ops && i->ops->setxattr))
		r = -EOPNOTSUPP;
	size_t stored = size;
	if (r == 0 && caps_xattr_name(name))
		r = caps_xattr_in(i, value, &stored);
	if (r == 0) {
		mutex_lock(&i->lock);
		r = i->ops->setxattr(i, name, value, stored, flags);
		mutex_unlock(&i->lock);
	}
done:
	if (r == 0)
		notify_dentry(p->dentry, 0x4 /* IN_ATTRIB */);
	kfree(value);
	return r;
}

static int64_t get_caps(struct inode *i, uva_t uvalue, uint64_t size)
{
	uint8_t value[CAPS_XATTR_MAX];
	ssize_t_ n = i->ops->getxattr(i, XATTR_NAME_CAPS, value, sizeof(value));

	if (n >= 0)
		n = caps_xattr_out(value, (size_t)n);
	if (n < 0 || !size)
		return n;
	if ((uint64_t)n > size)
		return -ERANGE;
	return copy_out(uvalue, value, (size_t)n) ? -EFAULT : n;
}

static int64_t do_get(const struct path *p, uva_t uname, uva_t uvalue, uint64_t size)
{
	char name[256];
	struct inode *i = p->dentry->inode;
	int64_t r = copy_name(name, uname);
	if (r)
		return r;
	enum acl_type acl;
	bool is_acl = acl_xattr_name(name, &acl);
	r = is_acl ? 0 : xattr_permission(p, name, false);
	if (r)
		return r;
	if (!is_acl && (!i->ops || !i->ops->getxattr))
		return -EOPNOTSUPP;
	size = MIN(size, (uint64_t)XATTR_SIZE_MAX);
	if (caps_xattr_name(name))
		return get_caps(i, uvalue, size);
	void *value = size ? kmalloc(size) : NULL;
	if (size && !value)
		return -ENOMEM;
	r = is_acl ? acl_xattr_get(i, acl, value, size) : i->ops->getxattr(i, name, value, size);
	if (r > 0 && size && copy_out(uvalue, value, r))
		r = -EFAULT;
	kfree(value);
	return r;
}

static int64_t do_list(const struct path *p, uva_t ulist, uint64_t size)
{
	struct inode *i = p->dentry->inode;
	if (!i->ops || !i->ops->listxattr)
		return 0;
	size = MIN(size, (uint64_t)XATTR_LIST_MAX);
	char *list = size ? kmalloc(size) : NULL;
	if (size && !list)
		return -ENOMEM;
	int64_t r = i->ops->listxattr(i, list, size);
	if (r >= 0)
		r = acl_xattr_list(i, list, r, size);
	if (r > 0 && size && copy_out(ulist, list, r))
		r = -EFAULT;
	kfree(list);
	return r;
}

static int64_t do_remove(const struct path *p, uva_t uname)
{
	char name[256];
	struct inode *i = p->dentry->inode;
	enum acl_type acl;
	int r = copy_name(name, uname);
	if (r == 0 && acl_xattr_name(name, &acl)) {
		r = acl_xattr_set(p, acl, NULL, 0);
		goto done;
	}
	if (r == 0)
		r = xattr_permission(p, name, true);
	if (r == 0 && !(i->ops && i->ops->removexattr))
		r = -EOPNOTSUPP;
	if (r == 0) {
		mutex_lock(&i->lock);
		r = i->ops->removexattr(i, name);
		mutex_unlock(&i->lock);
	}
done:
	if (r == 0)
		notify_dentry(p->dentry, 0x4 /* IN_ATTRIB */);
	return r;
}

enum xattr_op { OP_SET, OP_GET, OP_LIST, OP_REMOVE };

static int64_t run(enum xattr_op op, const struct path *p, const struct sysargs *a)
{
	switch (op) {
	case OP_SET:
		return do_set(p, arg_uva(a, 1), arg_uva(a, 2), arg_u64(a, 3), arg_int(a, 4));
	case OP_GET:
		return do_get(p, arg_uva(a, 1), arg_uva(a, 2), arg_u64(a, 3));
	case OP_LIST:
		return do_list(p, arg_uva(a, 1), arg_u64(a, 2));
	default:
		return do_remove(p, arg_uva(a, 1));
	}
}

static int64_t by_path(enum xattr_op op, const struct sysargs *a, uint32_t lookup)
{
	struct path p;
	int64_t r = path_lookup_user(AT_FDCWD, arg_uva(a, 0), lookup, &p);
	if (r)
		return r;
	r = run(op, &p, a);
	path_put(&p);
	return r;
}

static int64_t by_fd(enum xattr_op op, const struct sysargs *a)
{
	struct fdref f = fdref_get(arg_int(a, 0));
	if (!f.file)
		return -EBADF;
	int64_t r = run(op, &f.file->path, a);
	fdref_put(f);
	return r;
}

int64_t sys_setxattr(const struct sysargs *a) { return by_path(OP_SET, a, LOOKUP_FOLLOW); }
int64_t sys_lsetxattr(const struct sysargs *a) { return by_path(OP_SET, a, 0); }
int64_t sys_fsetxattr(const struct sysargs *a) { return by_fd(OP_SET, a); }
int64_t sys_getxattr(const struct sysargs *a) { return by_path(OP_GET, a, LOOKUP_FOLLOW); }
int64_t sys_lgetxattr(const struct sysargs *a) { return by_path(OP_GET, a, 0); }
int64_t sys_fgetxattr(const struct sysargs *a) { return by_fd(OP_GET, a); }
int64_t sys_listxattr(const struct sysargs *a) { return by_path(OP_LIST, a, LOOKUP_FOLLOW); }
int64_t sys_llistxattr(const struct sysargs *a) { return by_path(OP_LIST, a, 0); }
int64_t sys_flistxattr(const struct sysargs *a) { return by_fd(OP_LIST, a); }
int64_t sys_removexattr(const struct sysargs *a) { return by_path(OP_REMOVE, a, LOOKUP_FOLLOW); }
int64_t sys_lremovexattr(const struct sysargs *a) { return by_path(OP_REMOVE, a, 0); }
int64_t sys_fremovexattr(const struct sysargs *a) { return by_fd(OP_REMOVE, a); }
