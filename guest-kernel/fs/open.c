// SPDX-License-Identifier: Apache-2.0
/*
 * open(2), openat2(2), creat(2) and the open of an object for the kernel's own use.
 *
 * The flags are checked first; then the path is walked to the last component, which may be created under its
 * directory's lock; then permission is checked and the object's open operation runs.
 */
#include <linux/mount.h>
#include <linux/openat2.h>

#include "fs/namei.h"
#include "fs/proc/proc.h"
#include "lib/string.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"

#define OPEN_FLAGS (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | FASYNC | \
                    O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE)
/* What stays in file->flags. */
#define STATUS_FLAGS (O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_DIRECT | O_LARGEFILE | O_NOATIME | \
                      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_TMPFILE)

static int open_mask(uint32_t flags)
{
	if (flags & O_FOR_EXEC)
		return MAY_EXEC;
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return flags & O_TRUNC ? MAY_READ | MAY_WRITE : MAY_READ;
	case O_WRONLY:
		return MAY_WRITE;
	default:
		return MAY_READ | MAY_WRITE;
	}
}

static uint32_t open_fmode(uint32_t flags)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return FMODE_READ;
	case O_WRONLY:
		return FMODE_WRITE;
	case O_RDWR:
		return FMODE_READ | FMODE_WRITE;
	default:
		return 0; /* 3: ioctl only */
	}
}

/* May the current task open the existing object like this? */
static int may_open(const struct path *p, uint32_t flags)
{
	struct inode *i = p->dentry->inode;
	int mask = open_mask(flags);
	switch (i->mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		if (mask & MAY_WRITE)
			return -EISDIR;
		break;
	case S_IFBLK:
	case S_IFCHR:
		/* Devices are not what a user namespace could give. */
		if ((p->mnt->flags & MS_NODEV) || p->mnt->sb->user_ns != &init_user_ns)
			return -EACCES;
		break;
	}
	int r = path_permission(p, mask);
	if (r)
		return r;
	if ((flags & O_NOATIME) && !inode_owner_or_capable(i))
		return -EPERM;
	return 0;
}

static int truncate_at_open(struct file *f)
{
	struct iattr attr = {.valid = ATTR_SIZE | ATTR_MTIME | ATTR_CTIME | ATTR_FORCE, .size = 0, .mtime = time_now()};
	if ((f->inode->mode & S_IFMT) != S_IFREG)
		return 0;
	attr.file = f->mode & FMODE_WRITE ? f : NULL;
	return vfs_setattr(&f->path, &attr);
}

static int get_write_access(struct file *f)
{
	int32_t n = READ_ONCE(f->inode->write_count);
	for (;; n = READ_ONCE(f->inode->write_count)) {
		if (n < 0)
			return -ETXTBSY;
		if (atomic_cas(&f->inode->write_count, n, n + 1))
			break;
	}
	f->mode |= FMODE_WRITER;
	return 0;
}

/* f was made by file_new; runs the open operation. The caller puts f on failure. */
static int do_open(struct file *f, uint32_t flags)
{
	struct inode *i = f->inode;
	uint32_t type = i->mode & S_IFMT;
	int r = 0;
	f->mode |= open_fmode(flags);
	if (type == S_IFREG && (f->mode & FMODE_WRITE)) {
		r = get_write_access(f);
		if (r)
			return r;
	}
	if ((flags & O_DIRECT) && (type == S_IFDIR || type == S_IFCHR))
		return -EINVAL;
	const struct file_ops *ops = f->ops;
	f->ops = NULL; /* no release before open has succeeded */
	switch (type) {
	case S_IFSOCK:
		if (!ops || !ops->open)
			return -ENXIO;
		break;
	case S_IFIFO:
		if (!ops || !ops->open)
			return fifo_open(i, f);
		break;
	case S_IFCHR:
	case S_IFBLK:
		if (!ops || !ops->open) {
			r = chrdev_open(i, f);
			goto opened;
		}
		break;
	}
	if (!ops)
		return -ENXIO;
	f->ops = ops;
	if (ops->open)
		r = ops->open(i, f);
opened:
	if (r) {
		f->ops = NULL;
		return r;
	}
	if (f->ops && f->ops->no_seek)
		f->mode |= FMODE_STREAM;
	return 0;
}

/* Finishes an open of p: permission (unless just created), open, truncation, notification. */
static struct file *finish_open(const struct path *p, uint32_t flags, bool created)
{
	uint32_t type = p->dentry->inode->mode & S_IFMT;
	if ((flags & O_DIRECTORY) && type != S_IFDIR && !created)
		return ERR_PTR(-ENOTDIR);
	if ((flags & O_CREAT) && type == S_IFDIR)
		return ERR_PTR(-EISDIR);
	int r = created ? 0 : may_open(p, flags);
	if (r)
		return ERR_PTR(r);
	struct file *f = file_new(p, flags & STATUS_FLAGS);
	if (!f)
		return ERR_PTR(-ENOMEM);
	/* Only the open operation gets to see these. */
	f->flags |= flags & (O_NOCTTY | O_TRUNC);
	r = do_open(f, flags);
	atomic_and(&f->flags, ~(uint32_t)(O_NOCTTY | O_TRUNC));
	if (r == 0)
		notify_dentry(p->dentry, 0x20 /* IN_OPEN */);
	if (r == 0 && (flags & O_TRUNC) && !created)
		r = truncate_at_open(f);
	if (r) {
		file_put(f);
		return ERR_PTR(r);
	}
	return f;
}

static struct file *open_o_path(const struct path *p, uint32_t flags)
{
	if ((flags & O_DIRECTORY) && (p->dentry->inode->mode & S_IFMT) != S_IFDIR)
		return ERR_PTR(-ENOTDIR);
	struct file *f = file_new(p, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW));
	if (!f)
		return ERR_PTR(-ENOMEM);
	f->ops = NULL;
	f->mode = FMODE_PATH;
	return f;
}

struct file *vfs_open_path(const struct path *p, uint32_t flags)
{
	return flags & O_PATH ? open_o_path(p, flags) : finish_open(p, flags & ~(O_CREAT | O_EXCL), false);
}

/* Creates dentry in dir (locked) and opens it. */
static struct file *create_and_open(const struct path *dir, struct dentry *d, uint32_t flags, uint32_t mode)
{
	struct inode *di = dir->dentry->inode;
	int r = may_create(dir);
	if (r)
		return ERR_PTR(r);
	mode = S_IFREG | create_mode(di, mode & 07777);
	struct path p = {dir->mnt, d};
	if (di->ops->create_open) {
		struct file *f = file_alloc();
		if (!f)
			return ERR_PTR(-ENOMEM);
		f->flags = flags & STATUS_FLAGS;
		f->mode = open_fmode(flags);
		f->cred = cred_get(current->cred);
		f->path = p;
		path_get(&f->path);
		r = di->ops->create_open(di, d, mode, f);
		if (r) {
			f->ops = NULL;
			file_put(f);
			return ERR_PTR(r);
		}
		if (!f->inode)
			f->inode = d->inode;
		if (!f->ops)
			f->ops = d->inode->fops;
		if ((f->mode & FMODE_WRITE) && !(f->mode & FMODE_WRITER) && get_write_access(f)) {
			file_put(f);
			return ERR_PTR(-ETXTBSY);
		}
		return f;
	}
	if (!di->ops->create)
		return ERR_PTR(-EACCES);
	r = di->ops->create(di, d, mode);
	return r ? ERR_PTR(r) : NULL; /* NULL: created, now to be opened */
}

/* /proc/sys/fs/protected_fifos and protected_regular: O_CREAT does not open what others put into a sticky directory
 * that everybody (2: or its group) may write to, unless its owner did. */
static int may_create_in_sticky(const struct inode *dir, const struct inode *i)
{
	uint32_t type = i->mode & S_IFMT;
	if (!(dir->mode & S_ISVTX) || !(dir->mode & (S_IWGRP | S_IWOTH)) || (type != S_IFREG && type != S_IFIFO))
		return 0;
	if (i->uid == dir->uid || current->cred->fsuid == i->uid)
		return 0;
	uint64_t level = proc_sys_value(type == S_IFIFO ? "protected_fifos" : "protected_regular");
	return level && ((dir->mode & S_IWOTH) || level >= 2) ? -EACCES : 0;
}

/* Opens the existing child d of nd->path (consumes the reference). NULL: it was a symlink, walk on. */
static struct file *open_existing(struct nameidata *nd, struct dentry *d, uint32_t flags)
{
	struct inode *i = d->inode;
	if (flags & O_EXCL) {
		dentry_put(d);
		return ERR_PTR(-EEXIST);
	}
	if ((i->mode & S_IFMT) == S_IFLNK) {
		int r = flags & O_NOFOLLOW ? -ELOOP : nd_follow_last(nd, d);
		dentry_put(d);
		return r ? ERR_PTR(r) : NULL;
	}
	int r = may_create_in_sticky(nd->path.dentry->inode, i);
	if (r) {
		dentry_put(d);
		return ERR_PTR(r);
	}
	struct path p = {nd->path.mnt, d};
	mount_get(p.mnt);
	r = nd_cross_mounts(nd, &p);
	struct file *f = r ? ERR_PTR(r) : finish_open(&p, flags, false);
	path_put(&p);
	return f;
}

/* The last component of an open with O_CREAT: the file, an error, or NULL when a symlink was followed. */
static struct file *open_last_create(struct nameidata *nd, uint32_t flags, uint32_t mode)
{
	if (nd->last_type != LAST_NORM) {
		int r = nd_enter_last(nd);
		if (r == 0 && (flags & O_EXCL))
			r = -EEXIST;
		return r ? ERR_PTR(r) : finish_open(&nd->path, flags, false);
	}
	if (nd->trailing)
		return ERR_PTR(-EISDIR);
	struct dentry *dir = nd->path.dentry;
	struct inode *di = dir->inode;
	/* a name that exists needs no directory lock */
	struct dentry *d = dentry_lookup(dir, nd->last, nd->last_len);
	if (IS_ERR(d))
		return (struct file *)d;
	if (d->inode)
		return open_existing(nd, d, flags);
	dentry_put(d);
	mutex_lock(&di->lock);
	d = dentry_lookup_locked(dir, nd->last, nd->last_len);
	if (IS_ERR(d) || d->inode) {
		mutex_unlock(&di->lock);
		return IS_ERR(d) ? (struct file *)d : open_existing(nd, d, flags);
	}
	struct file *f = create_and_open(&nd->path, d, flags, mode);
	mutex_unlock(&di->lock);
	if (!IS_ERR(f))
		notify_dentry(d, 0x100 /* IN_CREATE */);
	if (f == NULL)
		f = finish_open(&(struct path){nd->path.mnt, d}, flags, true);
	else if (!IS_ERR(f))
		notify_dentry(d, 0x20 /* IN_OPEN */);
	dentry_put(d);
	return f;
}

static struct file *open_tmpfile(struct nameidata *nd, uint32_t flags, uint32_t mode)
{
	struct inode *di = nd->path.dentry->inode;
	if (!di->ops->tmpfile)
		return ERR_PTR(-EOPNOTSUPP);
	char name[24];
	int n = snprintf(name, sizeof(name), "#%lu", (unsigned long)ino_alloc());
	struct dentry *d = dentry_alloc(nd->path.dentry, name, n);
	if (!d)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&di->lock);
	int r = may_create(&nd->path);
	if (r == 0)
		r = di->ops->tmpfile(di, d, S_IFREG | create_mode(di, mode & 07777));
	mutex_unlock(&di->lock);
	struct file *f;
	if (r) {
		f = ERR_PTR(r);
	} else {
		dentry_delete(d);
		if (!(flags & O_EXCL))
			d->inode->iflags |= INODE_LINKABLE;
		f = finish_open(&(struct path){nd->path.mnt, d}, flags & ~(O_TMPFILE | O_EXCL | O_CREAT), true);
		if (!IS_ERR(f))
			f->flags |= flags & O_TMPFILE;
	}
	dentry_put(d);
	return f;
}

static struct file *open_existing_path(int dfd, const char *name, uint32_t flags, uint32_t mode, uint32_t lookup)
{
	struct nameidata nd;
	bool tmpfile = flags & __O_TMPFILE;
	if (!(flags & O_NOFOLLOW))
		lookup |= LOOKUP_FOLLOW;
	if (flags & O_DIRECTORY)
		lookup |= LOOKUP_DIRECTORY;
	int r = nd_start(&nd, dfd, name, lookup);
	if (r == 0)
		r = nd_walk(&nd);
	if (r == 0)
		r = nd_check_result(&nd);
	struct file *f;
	if (r)
		f = ERR_PTR(r);
	else if (flags & O_PATH)
		f = open_o_path(&nd.path, flags);
	else if (tmpfile)
		f = open_tmpfile(&nd, flags, mode);
	else
		f = finish_open(&nd.path, flags, false);
	nd_done(&nd);
	return f;
}

struct file *vfs_open(int dfd, const char *name, uint32_t flags, uint32_t mode, uint32_t lookup_flags)
{
	if ((flags & O_PATH) || !(flags & O_CREAT))
		return open_existing_path(dfd, name, flags, mode, lookup_flags);
	struct nameidata nd;
	struct file *f = NULL;
	int r = nd_start(&nd, dfd, name, lookup_flags | LOOKUP_PARENT);
	while (r == 0 && !f) {
		r = nd_walk(&nd);
		if (r == 0)
			r = nd_check_result(&nd);
		if (r == 0)
			f = open_last_create(&nd, flags, mode);
	}
	nd_done(&nd);
	return r ? ERR_PTR(r) : f;
}

/* The checks of build_open_flags(): strict for openat2, forgiving for its elders. */
static int check_flags(uint64_t *flags, uint64_t *mode, bool strict)
{
	uint64_t f = *flags;
	if (strict && (f & ~(uint64_t)OPEN_FLAGS))
		return -EINVAL;
	f &= OPEN_FLAGS;
	if (!strict && (f & O_PATH))
		f &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC; /* it beats everything else */
	if (f & (O_CREAT | __O_TMPFILE)) {
		if (strict && (*mode & ~07777UL))
			return -EINVAL;
		*mode &= 07777;
	} else {
		if (strict && *mode)
			return -EINVAL;
		*mode = 0;
	}
	if ((f & (O_DIRECTORY | O_CREAT)) == (O_DIRECTORY | O_CREAT))
		return -EINVAL;
	if (f & __O_TMPFILE) {
		if (!(f & O_DIRECTORY))
			return -EINVAL;
		if (!(f & (O_WRONLY | O_RDWR)))
			return -EINVAL;
	}
	if (f & O_PATH) {
		uint64_t kept = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
		if (strict && (f & ~kept))
			return -EINVAL;
		f &= kept;
	} else {
		f |= O_LARGEFILE;
	}
	*flags = f;
	return 0;
}

static int64_t do_sys_open(int dfd, uva_t path, uint64_t flags, uint64_t mode, uint32_t lookup, bool strict)
{
	int r = check_flags(&flags, &mode, strict);
	if (r)
		return r;
	char *name = copy_in_path(path);
	if (IS_ERR(name))
		return PTR_ERR(name);
	int fd = fd_reserve(0);
	if (fd >= 0) {
		struct file *f = vfs_open(dfd, name, flags, mode, lookup);
		if (IS_ERR(f)) {
			fd_release(fd);
			fd = PTR_ERR(f);
		} else {
			fd_install(fd, f, flags & O_CLOEXEC);
		}
	}
	kfree(name);
	return fd;
}

int64_t sys_open(const struct sysargs *a)
{
	return do_sys_open(AT_FDCWD, arg_uva(a, 0), arg_u32(a, 1), arg_u32(a, 2) & 0xffff, 0, false);
}

int64_t sys_openat(const struct sysargs *a)
{
	return do_sys_open(arg_int(a, 0), arg_uva(a, 1), arg_u32(a, 2), arg_u32(a, 3) & 0xffff, 0, false);
}

int64_t sys_creat(const struct sysargs *a)
{
	return do_sys_open(AT_FDCWD, arg_uva(a, 0), O_CREAT | O_WRONLY | O_TRUNC, arg_u32(a, 1) & 0xffff, 0, false);
}

int64_t sys_openat2(const struct sysargs *a)
{
	int dfd = arg_int(a, 0);
	uva_t name = arg_uva(a, 1), uhow = arg_uva(a, 2);
	uint64_t size = arg_u64(a, 3);
	struct open_how how = {0};
	if (size < sizeof(how))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	int r = copy_in(&how, uhow, sizeof(how));
	if (r)
		return r;
	/* a larger structure is understood when what we do not know is zero */
	for (uint64_t off = sizeof(how); off < size;) {
		uint8_t tail[64];
		uint64_t n = MIN(size - off, (uint64_t)sizeof(tail));
		r = copy_in(tail, uva_add(uhow, off), n);
		if (r)
			return r;
		for (uint64_t i = 0; i < n; i++)
			if (tail[i])
				return -E2BIG;
		off += n;
	}
	if (how.resolve & ~(uint64_t)(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH |
	                              RESOLVE_IN_ROOT | RESOLVE_CACHED))
		return -EINVAL;
	if ((how.resolve & RESOLVE_BENEATH) && (how.resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if (how.resolve & RESOLVE_CACHED)
		return -EAGAIN; /* allowed at any time: the caller then asks again without it */
	uint32_t lookup = 0;
	lookup |= how.resolve & RESOLVE_NO_XDEV ? LOOKUP_NO_XDEV : 0;
	lookup |= how.resolve & RESOLVE_NO_MAGICLINKS ? LOOKUP_NO_MAGICLINKS : 0;
	lookup |= how.resolve & RESOLVE_NO_SYMLINKS ? LOOKUP_NO_SYMLINKS : 0;
	lookup |= how.resolve & RESOLVE_BENEATH ? LOOKUP_BENEATH : 0;
	lookup |= how.resolve & RESOLVE_IN_ROOT ? LOOKUP_IN_ROOT : 0;
	return do_sys_open(dfd, name, how.flags, how.mode, lookup, true);
}
