// SPDX-License-Identifier: Apache-2.0
/*
 * Calls that add, remove and move names: mkdir, mknod, symlink, link, unlink, rmdir, rename.
 *
 * Each resolves the parent, locks it, looks the last component up under the lock, checks permission, and only then
 * asks the file system. A victim's inode is locked too, so that its link count changes in one place at a time.
 */
#include "fs/vfs.h"

#include <linux/fs.h>
#include <linux/mount.h>

#include "fs/mount.h"
#include "fs/namei.h"
#include "fs/proc/proc.h"
#include "lib/string.h"
#include "syscall/syscall.h"
#include "task/task.h"

#define IN_ATTRIB_ 0x4u
#define IN_CREATE_ 0x100u

/* A parent (referenced; its inode locked between start_* and finish) and the dentry of the last component. */
struct name_op {
	struct nameidata nd;
	struct dentry *d;
	bool locked;
};

static int op_parent(struct name_op *op, int dfd, const char *name)
{
	op->d = NULL;
	op->locked = false;
	int r = nd_start(&op->nd, dfd, name, LOOKUP_PARENT);
	return r ? r : nd_walk(&op->nd);
}

static void op_unlock(struct name_op *op)
{
	if (op->locked)
		mutex_unlock(&op->nd.path.dentry->inode->lock);
	op->locked = false;
}

static void op_finish(struct name_op *op)
{
	op_unlock(op);
	if (op->d)
		dentry_put(op->d);
	nd_done(&op->nd);
}

static int op_lookup(struct name_op *op)
{
	struct dentry *d = dentry_lookup_locked(op->nd.path.dentry, op->nd.last, op->nd.last_len);
	if (IS_ERR(d))
		return PTR_ERR(d);
	op->d = d;
	return 0;
}

/* Parent locked, op->d negative, creation permitted. */
static int start_create(struct name_op *op, int dfd, const char *name, bool dir)
{
	int r = op_parent(op, dfd, name);
	if (r)
		return r;
	if (op->nd.last_type != LAST_NORM)
		return -EEXIST;
	mutex_lock(&op->nd.path.dentry->inode->lock);
	op->locked = true;
	r = op_lookup(op);
	if (r)
		return r;
	if (op->d->inode)
		return -EEXIST;
	if (op->nd.trailing && !dir)
		return -ENOENT;
	return may_create(&op->nd.path);
}

static struct inode *op_dir(struct name_op *op) { return op->nd.path.dentry->inode; }

int vfs_mkdir(int dfd, const char *name, uint32_t mode)
{
	struct name_op op;
	int r = start_create(&op, dfd, name, true);
	if (r == 0)
		r = op_dir(&op)->ops->mkdir
		        ? op_dir(&op)->ops->mkdir(op_dir(&op), op.d, S_IFDIR | create_mode(op_dir(&op), mode & 01777))
		        : -EPERM;
	op_unlock(&op);
	if (r == 0)
		notify_dentry(op.d, IN_CREATE_);
	op_finish(&op);
	return r;
}

int vfs_mknod(int dfd, const char *name, uint32_t mode, uint64_t dev, struct path *out)
{
	struct name_op op;
	uint32_t type = mode & S_IFMT;
	if (type == S_IFDIR)
		return -EPERM;
	if (type == 0)
		type = S_IFREG;
	if (type != S_IFREG && type != S_IFCHR && type != S_IFBLK && type != S_IFIFO && type != S_IFSOCK)
		return -EINVAL;
	int r = start_create(&op, dfd, name, false);
	if (r == 0 && (type == S_IFCHR || type == S_IFBLK) && !(type == S_IFCHR && dev == 0) && !capable(CAP_MKNOD))
		r = -EPERM;
	if (r == 0) {
		struct inode *dir = op_dir(&op);
		mode = type | create_mode(dir, mode & 07777);
		if (type == S_IFREG)
			r = dir->ops->create ? dir->ops->create(dir, op.d, mode) : -EPERM;
		else
			r = dir->ops->mknod ? dir->ops->mknod(dir, op.d, mode, dev) : -EPERM;
	}
	op_unlock(&op);
	if (r == 0) {
		notify_dentry(op.d, IN_CREATE_);
		if (out) {
			*out = (struct path){op.nd.path.mnt, op.d};
			path_get(out);
		}
	}
	op_finish(&op);
	return r;
}

static int vfs_symlink(const char *target, int dfd, const char *name)
{
	struct name_op op;
	int r = start_create(&op, dfd, name, false);
	if (r == 0)
		r = op_dir(&op)->ops->symlink ? op_dir(&op)->ops->symlink(op_dir(&op), op.d, target) : -EPERM;
	op_unlock(&op);
	if (r == 0)
		notify_dentry(op.d, IN_CREATE_);
	op_finish(&op);
	return r;
}

static int remove_locked(struct name_op *op, bool isdir)
{
	struct inode *dir = op_dir(op), *victim = op->d->inode;
	int r = may_delete(&op->nd.path, op->d, isdir);
	if (r)
		return r;
	if (isdir ? !dir->ops->rmdir : !dir->ops->unlink)
		return -EPERM;
	if (mount_is_local(op->d))
		return -EBUSY;
	mutex_lock(&victim->lock);
	r = isdir ? dir->ops->rmdir(dir, op->d) : dir->ops->unlink(dir, op->d);
	if (r == 0 && isdir)
		victim->iflags |= INODE_DEAD;
	mutex_unlock(&victim->lock);
	return r;
}

static int vfs_unlink(int dfd, const char *name)
{
	struct name_op op;
	int r = op_parent(&op, dfd, name);
	if (r == 0 && op.nd.last_type != LAST_NORM)
		r = -EISDIR;
	if (r)
		goto out;
	mutex_lock(&op_dir(&op)->lock);
	op.locked = true;
	r = op_lookup(&op);
	if (r == 0 && !op.d->inode)
		r = -ENOENT;
	if (r == 0 && op.nd.trailing)
		r = (op.d->inode->mode & S_IFMT) == S_IFDIR ? -EISDIR : -ENOTDIR;
	if (r == 0)
		r = remove_locked(&op, false);
	if (r == 0) {
		dentry_delete(op.d);
		op_unlock(&op);
		mount_drop_at(op.d);
		notify_inode(op.d->inode, IN_ATTRIB_);
		notify_deleted(op.d);
	}
out:
	op_finish(&op);
	return r;
}

static int vfs_rmdir(int dfd, const char *name)
{
	struct name_op op;
	int r = op_parent(&op, dfd, name);
	if (r == 0)
		r = op.nd.last_type == LAST_NORM     ? 0
		    : op.nd.last_type == LAST_DOTDOT ? -ENOTEMPTY
		    : op.nd.last_type == LAST_DOT    ? -EINVAL
		                                     : -EBUSY;
	if (r)
		goto out;
	mutex_lock(&op_dir(&op)->lock);
	op.locked = true;
	r = op_lookup(&op);
	if (r == 0 && !op.d->inode)
		r = -ENOENT;
	if (r == 0)
		r = remove_locked(&op, true);
	if (r == 0) {
		dentry_delete(op.d);
		op_unlock(&op);
		mount_drop_at(op.d);
		notify_deleted(op.d);
	}
out:
	op_finish(&op);
	return r;
}

/* /proc/sys/fs/protected_hardlinks: others' files can be linked only if they are regular, without set-id bits,
 * and may be read and written. */
static int may_link(struct inode *i)
{
	if (inode_owner_or_capable(i))
		return 0;
	bool safe = (i->mode & S_IFMT) == S_IFREG && !(i->mode & S_ISUID) &&
	            (i->mode & (S_ISGID | S_IXGRP)) != (S_ISGID | S_IXGRP) && inode_permission(i, MAY_READ | MAY_WRITE) == 0;
	return safe || !proc_sys_value("protected_hardlinks") ? 0 : -EPERM;
}

static int do_link(int odfd, const char *oname, int ndfd, const char *nname, uint32_t flags)
{
	struct name_op op;
	struct path old;
	uint32_t lookup = flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0;
	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH) {
		if (!capable(CAP_DAC_READ_SEARCH))
			return -ENOENT;
		lookup |= LOOKUP_EMPTY;
	}
	int r = path_lookup(odfd, oname, lookup, &old);
	if (r)
		return r;
	r = start_create(&op, ndfd, nname, false);
	struct inode *i = old.dentry->inode;
	/* what open(O_TMPFILE) made lives on the same mount but was never attached anywhere */
	if (r == 0 && old.mnt != op.nd.path.mnt)
		r = -EXDEV;
	if (r == 0 && (i->mode & S_IFMT) == S_IFDIR)
		r = -EPERM;
	if (r == 0)
		r = may_link(i);
	if (r == 0 && !op_dir(&op)->ops->link)
		r = -EPERM;
	if (r == 0) {
		mutex_lock(&i->lock);
		if (i->nlink == 0 && !(i->iflags & INODE_LINKABLE))
			r = -ENOENT;
		else
			r = op_dir(&op)->ops->link(old.dentry, op_dir(&op), op.d);
		if (r == 0)
			i->iflags &= ~INODE_LINKABLE;
		mutex_unlock(&i->lock);
	}
	op_unlock(&op);
	if (r == 0) {
		notify_inode(i, IN_ATTRIB_);
		notify_dentry(op.d, IN_CREATE_);
	}
	op_finish(&op);
	path_put(&old);
	return r;
}

/* ---- rename ---- */
struct rename_op {
	struct nameidata from, to;
	struct dentry *old, *new;
	uint32_t flags;
};

static bool is_dir(const struct dentry *d) { return d->inode && (d->inode->mode & S_IFMT) == S_IFDIR; }

/* The names against each other: existence, trailing slashes, loops. */
static int rename_check(struct rename_op *op)
{
	if (!op->old->inode)
		return -ENOENT;
	if (op->new->inode && (op->flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (op->flags & RENAME_EXCHANGE) {
		if (!op->new->inode)
			return -ENOENT;
		if (!is_dir(op->new) && op->to.trailing)
			return -ENOTDIR;
	}
	if (!is_dir(op->old)) {
		if (op->from.trailing)
			return -ENOTDIR;
		if (!(op->flags & RENAME_EXCHANGE) && op->to.trailing)
			return -ENOTDIR;
	}
	/* The inodes too: of a directory that the host moved there may be two dentries. */
	struct inode *from = op->from.path.dentry->inode, *to = op->to.path.dentry->inode;
	if (dentry_is_ancestor(op->old, op->to.path.dentry) || op->old->inode == to || op->old->inode == from)
		return -EINVAL;
	if (op->new->inode && (dentry_is_ancestor(op->new, op->from.path.dentry) || op->new->inode == from || op->new->inode == to))
		return op->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static int rename_permitted(struct rename_op *op)
{
	bool dir = is_dir(op->old), exchange = op->flags & RENAME_EXCHANGE;
	bool across = op->from.path.dentry != op->to.path.dentry;
	int r = may_delete(&op->from.path, op->old, dir);
	if (r == 0)
		r = !op->new->inode ? may_create(&op->to.path) : may_delete(&op->to.path, op->new, exchange ? is_dir(op->new) : dir);
	/* a directory that changes parents has its ".." written */
	if (r == 0 && across && dir)
		r = inode_permission(op->old->inode, MAY_WRITE);
	if (r == 0 && across && exchange && is_dir(op->new))
		r = inode_permission(op->new->inode, MAY_WRITE);
	return r;
}

static int rename_commit(struct rename_op *op)
{
	struct inode *from = op->from.path.dentry->inode, *to = op->to.path.dentry->inode;
	struct inode *moved = op->old->inode, *target = op->new->inode;
	bool exchange = op->flags & RENAME_EXCHANGE;
	if (!from->ops->rename)
		return -EPERM;
	if (mount_is_local(op->old) || mount_is_local(op->new))
		return -EBUSY;
	/* only a directory that is to vanish needs its lock (nothing may be created in it meanwhile); files need it
	 * for their link counts */
	struct inode *a = is_dir(op->old) ? NULL : moved;
	struct inode *b = is_dir(op->old) && exchange ? NULL : target;
	if (b && is_dir(op->new)) {
		mutex_lock(&b->lock);
		if (a)
			mutex_lock(&a->lock);
	} else {
		inode_lock_two(a, b);
	}
	int r = from->ops->rename(from, op->old, to, op->new, op->flags);
	if (r == 0 && !exchange && target && is_dir(op->new))
		target->iflags |= INODE_DEAD;
	inode_unlock_two(a, b);
	if (r)
		return r;
	if (exchange)
		dentry_exchange(op->old, op->new);
	else
		dentry_move(op->old, op->new);
	return 0;
}

static int rename_locked(struct rename_op *op)
{
	struct dentry *d = dentry_lookup_locked(op->from.path.dentry, op->from.last, op->from.last_len);
	if (IS_ERR(d))
		return PTR_ERR(d);
	op->old = d;
	d = dentry_lookup_locked(op->to.path.dentry, op->to.last, op->to.last_len);
	if (IS_ERR(d))
		return PTR_ERR(d);
	op->new = d;
	int r = rename_check(op);
	if (r)
		return r;
	if (op->old->inode == op->new->inode)
		return 1; /* two names of one file: nothing to do, nothing to tell */
	r = rename_permitted(op);
	return r ? r : rename_commit(op);
}

static int do_rename(int odfd, const char *oname, int ndfd, const char *nname, uint32_t flags)
{
	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if ((flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) && (flags & RENAME_EXCHANGE))
		return -EINVAL;
	if (flags & RENAME_WHITEOUT)
		return capable(CAP_MKNOD) ? -EINVAL : -EPERM;
	struct rename_op *op = kzalloc(sizeof(*op)); /* two walks are too large for one frame */
	if (!op)
		return -ENOMEM;
	op->flags = flags;
	int r = nd_start(&op->from, odfd, oname, LOOKUP_PARENT);
	if (r == 0)
		r = nd_walk(&op->from);
	if (r)
		goto out_from;
	r = nd_start(&op->to, ndfd, nname, LOOKUP_PARENT);
	if (r == 0)
		r = nd_walk(&op->to);
	if (r)
		goto out;
	r = -EXDEV;
	if (op->from.path.mnt != op->to.path.mnt)
		goto out;
	r = -EBUSY;
	if (op->from.last_type != LAST_NORM)
		goto out;
	if (op->to.last_type != LAST_NORM) {
		r = flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
		goto out;
	}
	char *old_name = kmemdup_str(op->from.last, op->from.last_len);
	char *new_name = kmemdup_str(op->to.last, op->to.last_len);
	r = -ENOMEM;
	if (old_name && new_name) {
		lock_rename(op->from.path.dentry, op->to.path.dentry);
		r = rename_locked(op);
		unlock_rename(op->from.path.dentry, op->to.path.dentry);
	}
	if (r == 0) {
		if (!(flags & RENAME_EXCHANGE))
			mount_drop_at(op->new);
		struct inode *from = op->from.path.dentry->inode, *to = op->to.path.dentry->inode;
		notify_move(from, old_name, to, new_name, op->old->inode);
		if (flags & RENAME_EXCHANGE)
			notify_move(to, new_name, from, old_name, op->new->inode);
		else if (op->new->inode)
			notify_inode(op->new->inode, IN_ATTRIB_);
	}
	if (r == 1)
		r = 0;
	kfree(old_name);
	kfree(new_name);
out:
	if (op->old)
		dentry_put(op->old);
	if (op->new)
		dentry_put(op->new);
	nd_done(&op->to);
out_from:
	nd_done(&op->from);
	kfree(op);
	return r;
}

/* ---- system calls: copy the names, do the work ---- */
static int64_t with_name(int (*fn)(int, const char *, uint64_t, uint64_t), int dfd, uva_t uname, uint64_t x, uint64_t y)
{
	char *name = copy_in_path(uname);
	if (IS_ERR(name))
		return PTR_ERR(name);
	int r = fn(dfd, name, x, y);
	kfree(name);
	return r;
}

static int fn_mkdir(int dfd, const char *name, uint64_t mode, uint64_t y) { return vfs_mkdir(dfd, name, mode); }
static int fn_rmdir(int dfd, const char *name, uint64_t x, uint64_t y) { return vfs_rmdir(dfd, name); }
static int fn_unlink(int dfd, const char *name, uint64_t x, uint64_t y) { return vfs_unlink(dfd, name); }
static int fn_mknod(int dfd, const char *name, uint64_t mode, uint64_t dev)
{
	return vfs_mknod(dfd, name, mode, dev_decode((uint32_t)dev), NULL);
}

int64_t sys_mkdir(const struct sysargs *a) { return with_name(fn_mkdir, AT_FDCWD, arg_uva(a, 0), arg_u32(a, 1), 0); }
int64_t sys_mkdirat(const struct sysargs *a)
{
	return with_name(fn_mkdir, arg_int(a, 0), arg_uva(a, 1), arg_u32(a, 2), 0);
}
int64_t sys_rmdir(const struct sysargs *a) { return with_name(fn_rmdir, AT_FDCWD, arg_uva(a, 0), 0, 0); }
int64_t sys_unlink(const struct sysargs *a) { return with_name(fn_unlink, AT_FDCWD, arg_uva(a, 0), 0, 0); }
int64_t sys_unlinkat(const struct sysargs *a)
{
	uint32_t flags = arg_u32(a, 2);
	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	return with_name(flags & AT_REMOVEDIR ? fn_rmdir : fn_unlink, arg_int(a, 0), arg_uva(a, 1), 0, 0);
}
int64_t sys_mknod(const struct sysargs *a)
{
	return with_name(fn_mknod, AT_FDCWD, arg_uva(a, 0), arg_u32(a, 1) & 0xffff, arg_u64(a, 2));
}
int64_t sys_mknodat(const struct sysargs *a)
{
	return with_name(fn_mknod, arg_int(a, 0), arg_uva(a, 1), arg_u32(a, 2) & 0xffff, arg_u64(a, 3));
}

static int64_t symlink_user(uva_t utarget, int dfd, uva_t uname)
{
	char *target = copy_in_path(utarget);
	if (IS_ERR(target))
		return PTR_ERR(target);
	char *name = copy_in_path_maybe_empty(uname);
	int r = IS_ERR(name) ? PTR_ERR(name) : vfs_symlink(target, dfd, name);
	if (!IS_ERR(name))
		kfree(name);
	kfree(target);
	return r;
}

int64_t sys_symlink(const struct sysargs *a) { return symlink_user(arg_uva(a, 0), AT_FDCWD, arg_uva(a, 1)); }
int64_t sys_symlinkat(const struct sysargs *a) { return symlink_user(arg_uva(a, 0), arg_int(a, 1), arg_uva(a, 2)); }

static int64_t with_names(int (*fn)(int, const char *, int, const char *, uint32_t), int odfd, uva_t uold, int ndfd,
                          uva_t unew, uint32_t flags)
{
	/* an empty name is refused when its turn comes: errors of the old name are told first */
	char *old = copy_in_path_maybe_empty(uold);
	if (IS_ERR(old))
		return PTR_ERR(old);
	char *new = copy_in_path_maybe_empty(unew);
	int r = IS_ERR(new) ? PTR_ERR(new) : fn(odfd, old, ndfd, new, flags);
	if (!IS_ERR(new))
		kfree(new);
	kfree(old);
	return r;
}

int64_t sys_link(const struct sysargs *a)
{
	return with_names(do_link, AT_FDCWD, arg_uva(a, 0), AT_FDCWD, arg_uva(a, 1), 0);
}
int64_t sys_linkat(const struct sysargs *a)
{
	return with_names(do_link, arg_int(a, 0), arg_uva(a, 1), arg_int(a, 2), arg_uva(a, 3), arg_u32(a, 4));
}
int64_t sys_rename(const struct sysargs *a)
{
	return with_names(do_rename, AT_FDCWD, arg_uva(a, 0), AT_FDCWD, arg_uva(a, 1), 0);
}
int64_t sys_renameat(const struct sysargs *a)
{
	return with_names(do_rename, arg_int(a, 0), arg_uva(a, 1), arg_int(a, 2), arg_uva(a, 3), 0);
}
int64_t sys_renameat2(const struct sysargs *a)
{
	return with_names(do_rename, arg_int(a, 0), arg_uva(a, 1), arg_int(a, 2), arg_uva(a, 3), arg_u32(a, 4));
}
