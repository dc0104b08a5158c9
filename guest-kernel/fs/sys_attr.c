// SPDX-License-Identifier: Apache-2.0
/*
 * Changing attributes: chmod, chown, utimes, truncate, fallocate; access(2); sync and hints.
 *
 * vfs_setattr() holds the rules: who may change what (chmod(2), chown(2), utimensat(2)), and which changes clear
 * set-id bits.
 */
#include "fs/vfs.h"

#include <linux/falloc.h>
#include <linux/mount.h>
#include <linux/securebits.h>
#include <linux/time.h>

#include "fs/namei.h"
#include "lib/string.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"

#define UTIME_NOW_  ((1l << 30) - 1l)
#define UTIME_OMIT_ ((1l << 30) - 2l)

static int setattr_permitted(struct inode *i, struct iattr *attr)
{
	const struct cred *c = current->cred;
	uint32_t v = attr->valid;
	if ((v & ATTR_UID) && !((c->fsuid == i->uid && attr->uid == i->uid) || inode_capable(i, CAP_CHOWN)))
		return -EPERM;
	if ((v & ATTR_GID) &&
	    !((c->fsuid == i->uid && (attr->gid == i->gid || cred_in_group(c, attr->gid))) || inode_capable(i, CAP_CHOWN)))
		return -EPERM;
	if (v & ATTR_MODE) {
		if (!inode_owner_or_capable(i))
			return -EPERM;
		uint32_t gid = v & ATTR_GID ? attr->gid : i->gid;
		if ((attr->mode & S_ISGID) && !cred_in_group(c, gid) && !inode_capable(i, CAP_FSETID))
			attr->mode &= ~S_ISGID;
	}
	if ((v & (ATTR_ATIME_SET | ATTR_MTIME_SET)) && !inode_owner_or_capable(i))
		return -EPERM;
	return 0;
}

/* chown and truncation drop set-id bits of files. */
static void add_kill_suid(struct inode *i, struct iattr *attr)
{
	uint32_t mode;
	if (attr->valid & ATTR_MODE)
		return;
	bool chown = attr->valid & (ATTR_UID | ATTR_GID);
	bool size = (attr->valid & ATTR_SIZE) && !capable(CAP_FSETID);
	if ((chown || size) && mode_kill_suid(i, &mode) > 0) {
		attr->valid |= ATTR_MODE;
		attr->mode = mode;
	}
}

/* What watchers hear of a change, as Linux puts it (fsnotify_change). One time alone is like the access that sets it. */
static uint32_t change_events(uint32_t valid)
{
	uint32_t events = 0, times = valid & (ATTR_ATIME | ATTR_MTIME);
	if (valid & (ATTR_UID | ATTR_GID | ATTR_MODE) || times == (ATTR_ATIME | ATTR_MTIME))
		events |= 0x4; /* IN_ATTRIB */
	if (valid & ATTR_SIZE || times == ATTR_MTIME)
		events |= 0x2; /* IN_MODIFY */
	if (times == ATTR_ATIME)
		events |= 0x1; /* IN_ACCESS */
	return events;
}

int vfs_setattr(const struct path *p, struct iattr *attr)
{
	struct inode *i = p->dentry->inode;
	int r = mount_writable(p->mnt);
	if (r && !(attr->file && (attr->file->mode & FMODE_WRITER)))
		return r;
	mutex_lock(&i->lock);
	r = attr->valid & ATTR_FORCE ? 0 : setattr_permitted(i, attr);
	if (r == 0) {
		struct timespec64 now = time_now();
		add_kill_suid(i, attr);
		if ((attr->valid & (ATTR_ATIME | ATTR_ATIME_SET)) == ATTR_ATIME)
			attr->atime = now;
		if ((attr->valid & (ATTR_MTIME | ATTR_MTIME_SET)) == ATTR_MTIME)
			attr->mtime = now;
		attr->valid |= ATTR_CTIME;
		if (i->ops && i->ops->setattr)
			r = i->ops->setattr(i, attr);
		else if (attr->valid & ATTR_SIZE)
			r = -EINVAL;
		else
			inode_setattr_copy(i, attr);
	}
	mutex_unlock(&i->lock);
	if (r == 0)
		notify_dentry(p->dentry, change_events(attr->valid));
	return r;
}

/* ---- chmod, chown ---- */
static int chmod_path(const struct path *p, uint32_t mode)
{
	struct iattr attr = {.valid = ATTR_MODE, .mode = mode & 07777};
	if ((p->dentry->inode->mode & S_IFMT) == S_IFLNK)
		return -EOPNOTSUPP;
	return vfs_setattr(p, &attr);
}

static int64_t chmod_at(int dfd, uva_t name, uint32_t mode, uint32_t lookup)
{
	struct path p;
	int r = path_lookup_user(dfd, name, lookup, &p);
	if (r)
		return r;
	r = chmod_path(&p, mode);
	path_put(&p);
	return r;
}

int64_t sys_chmod(const struct sysargs *a) { return chmod_at(AT_FDCWD, arg_uva(a, 0), arg_u32(a, 1), LOOKUP_FOLLOW); }
int64_t sys_fchmodat(const struct sysargs *a)
{
	return chmod_at(arg_int(a, 0), arg_uva(a, 1), arg_u32(a, 2), LOOKUP_FOLLOW);
}

int64_t sys_fchmod(const struct sysargs *a)
{
	struct fdref f = fdref_get(arg_int(a, 0));
	if (!f.file)
		return -EBADF;
	int r = chmod_path(&f.file->path, arg_u32(a, 1));
	fdref_put(f);
	return r;
}

static int chown_path(const struct path *p, uint32_t uid, uint32_t gid)
{
	struct iattr attr = {.uid = kuid_in(uid), .gid = kgid_in(gid)};
	if ((uid != UINT32_MAX && attr.uid == NO_ID) || (gid != UINT32_MAX && attr.gid == NO_ID))
		return -EINVAL;
	if (uid != UINT32_MAX)
		attr.valid |= ATTR_UID;
	if (gid != UINT32_MAX)
		attr.valid |= ATTR_GID;
	return vfs_setattr(p, &attr);
}

static int64_t chown_at(int dfd, uva_t name, uint32_t uid, uint32_t gid, uint32_t lookup)
{
	struct path p;
	int r = path_lookup_user(dfd, name, lookup, &p);
	if (r)
		return r;
	r = chown_path(&p, uid, gid);
	path_put(&p);
	return r;
}

int64_t sys_chown(const struct sysargs *a)
{
	return chown_at(AT_FDCWD, arg_uva(a, 0), arg_u32(a, 1), arg_u32(a, 2), LOOKUP_FOLLOW);
}
int64_t sys_lchown(const struct sysargs *a) { return chown_at(AT_FDCWD, arg_uva(a, 0), arg_u32(a, 1), arg_u32(a, 2), 0); }
int64_t sys_fchownat(const struct sysargs *a)
{
	uint32_t flags = arg_u32(a, 4);
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return chown_at(arg_int(a, 0), arg_uva(a, 1), arg_u32(a, 2), arg_u32(a, 3),
	                (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0));
}

int64_t sys_fchown(const struct sysargs *a)
{
	struct fdref f = fdref_get(arg_int(a, 0));
	if (!f.file)
		return -EBADF;
	int r = chown_path(&f.file->path, arg_u32(a, 1), arg_u32(a, 2));
	fdref_put(f);
	return r;
}

/* ---- times ---- */
/* t[0] atime, t[1] mtime; NULL: both now. */
static int utimes_path(const struct path *p, const struct __kernel_timespec *t)
{
	struct iattr attr = {.valid = ATTR_ATIME | ATTR_MTIME};
	bool now = !t || (t[0].tv_nsec == UTIME_NOW_ && t[1].tv_nsec == UTIME_NOW_);
	if (now) {
		int r = mount_writable(p->mnt);
		if (r)
			return r;
		if (!inode_owner_or_capable(p->dentry->inode)) {
			r = inode_permission(p->dentry->inode, MAY_WRITE);
			if (r)
				return r;
		}
		return vfs_setattr(p, &attr);
	}
	for (int i = 0; i < 2; i++) {
		uint32_t bit = i ? ATTR_MTIME : ATTR_ATIME, set = i ? ATTR_MTIME_SET : ATTR_ATIME_SET;
		struct timespec64 *out = i ? &attr.mtime : &attr.atime;
		if (t[i].tv_nsec == UTIME_OMIT_) {
			attr.valid &= ~bit;
		} else if (t[i].tv_nsec != UTIME_NOW_) {
			attr.valid |= set;
			*out = (struct timespec64){.tv_sec = t[i].tv_sec, .tv_nsec = t[i].tv_nsec};
		}
	}
	/* one of the two now, the other left or set: the owner's right, as for setting */
	if (!inode_owner_or_capable(p->dentry->inode))
		return -EPERM;
	return vfs_setattr(p, &attr);
}

static bool nsec_valid(int64_t n) { return n == UTIME_NOW_ || n == UTIME_OMIT_ || (n >= 0 && n < 1000000000); }

static int64_t do_utimensat(int dfd, uva_t name, const struct __kernel_timespec *t, uint32_t flags)
{
	if (t) {
		if (!nsec_valid(t[0].tv_nsec) || !nsec_valid(t[1].tv_nsec))
			return -EINVAL;
		if (t[0].tv_nsec == UTIME_OMIT_ && t[1].tv_nsec == UTIME_OMIT_)
			return 0;
	}
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (name.v == 0 && dfd != AT_FDCWD) {
		if (flags)
			return -EINVAL;
		struct fdref f = fdref_get(dfd);
		if (!f.file)
			return -EBADF;
		int r = utimes_path(&f.file->path, t);
		fdref_put(f);
		return r;
	}
	struct path p;
	int r = path_lookup_user(
		dfd, name, (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), &p);
	if (r)
		return r;
	r = utimes_path(&p, t);
	path_put(&p);
	return r;
}

int64_t sys_utimensat(const struct sysargs *a)
{
	struct __kernel_timespec t[2];
	uva_t ut = arg_uva(a, 2);
	if (ut.v && copy_in(t, ut, sizeof(t)))
		return -EFAULT;
	return do_utimensat(arg_int(a, 0), arg_uva(a, 1), ut.v ? t : NULL, arg_u32(a, 3));
}

struct timeval64 {
	int64_t tv_sec, tv_usec;
};

static int64_t do_futimesat(int dfd, uva_t name, uva_t ut)
{
	struct timeval64 tv[2];
	struct __kernel_timespec t[2];
	if (ut.v) {
		if (copy_in(tv, ut, sizeof(tv)))
			return -EFAULT;
		for (int i = 0; i < 2; i++) {
			if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
				return -EINVAL;
			t[i] = (struct __kernel_timespec){.tv_sec = tv[i].tv_sec, .tv_nsec = tv[i].tv_usec * 1000};
		}
	}
	return do_utimensat(dfd, name, ut.v ? t : NULL, 0);
}

int64_t sys_futimesat(const struct sysargs *a) { return do_futimesat(arg_int(a, 0), arg_uva(a, 1), arg_uva(a, 2)); }
int64_t sys_utimes(const struct sysargs *a) { return do_futimesat(AT_FDCWD, arg_uva(a, 0), arg_uva(a, 1)); }

int64_t sys_utime(const struct sysargs *a)
{
	int64_t sec[2];
	struct __kernel_timespec t[2];
	uva_t ut = arg_uva(a, 1);
	if (ut.v) {
		if (copy_in(sec, ut, sizeof(sec)))
			return -EFAULT;
		for (int i = 0; i < 2; i++)
			t[i] = (struct __kernel_timespec){.tv_sec = sec[i]};
	}
	return do_utimensat(AT_FDCWD, arg_uva(a, 0), ut.v ? t : NULL, 0);
}

/* ---- sizes ---- */
static int size_limit(struct inode *i, uint64_t size)
{
	if (size > i->sb->max_bytes)
		return -EFBIG;
	uint64_t limit = rlimit_cur(RLIMIT_FSIZE);
	if (limit != RLIM64_INFINITY && size > limit && size > i->size) {
		siginfo_t si;
		siginfo_user(&si, SIGXFSZ, SI_USER);
		(void)signal_send_task(current, &si);
		return -EFBIG;
	}
	return 0;
}

static int truncate_path(const struct path *p, uint64_t size, struct file *file)
{
	struct iattr attr = {.valid = ATTR_SIZE | ATTR_MTIME | ATTR_CTIME, .size = size, .file = file};
	int r = size_limit(p->dentry->inode, size);
	return r ? r : vfs_setattr(p, &attr);
}

int64_t sys_truncate(const struct sysargs *a)
{
	int64_t size = arg_i64(a, 1);
	struct path p;
	if (size < 0)
		return -EINVAL;
	int r = path_lookup_user(AT_FDCWD, arg_uva(a, 0), LOOKUP_FOLLOW, &p);
	if (r)
		return r;
	uint32_t type = p.dentry->inode->mode & S_IFMT;
	if (type == S_IFDIR)
		r = -EISDIR;
	else if (type != S_IFREG)
		r = -EINVAL;
	else
		r = path_permission(&p, MAY_WRITE);
	if (r == 0 && READ_ONCE(p.dentry->inode->write_count) < 0)
		r = -ETXTBSY;
	if (r == 0)
		r = truncate_path(&p, size, NULL);
	path_put(&p);
	return r;
}

int64_t sys_ftruncate(const struct sysargs *a)
{
	int64_t size = arg_i64(a, 1);
	if (size < 0)
		return -EINVAL;
	struct fdref f = fdref_get(arg_int(a, 0));
	if (!f.file)
		return -EBADF;
	int r = -EINVAL;
	if ((f.file->mode & FMODE_WRITE) && (f.file->inode->mode & S_IFMT) == S_IFREG)
		r = truncate_path(&f.file->path, size, f.file);
	fdref_put(f);
	return r;
}

static int fallocate_mode(uint32_t mode)
{
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_ZERO_RANGE |
	             FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE))
		return -EOPNOTSUPP;
	if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_COLLAPSE_RANGE) && (mode & ~FALLOC_FL_COLLAPSE_RANGE))
		return -EINVAL;
	if ((mode & FALLOC_FL_INSERT_RANGE) && (mode & ~FALLOC_FL_INSERT_RANGE))
		return -EINVAL;
	return 0;
}

static int do_fallocate(struct file *f, uint32_t mode, int64_t off, int64_t len)
{
	int64_t end;
	if (off < 0 || len <= 0)
		return -EINVAL;
	int r = fallocate_mode(mode);
	if (r)
		return r;
	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	switch (f->inode->mode & S_IFMT) {
	case S_IFIFO:
		return -ESPIPE;
	case S_IFDIR:
		return -EISDIR;
	case S_IFREG:
	case S_IFBLK:
		break;
	default:
		return -ENODEV;
	}
	if (__builtin_add_overflow(off, len, &end) || (uint64_t)end > f->inode->sb->max_bytes)
		return -EFBIG;
	if (!f->ops || !f->ops->fallocate)
		return -EOPNOTSUPP;
	if (!(mode & (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)))
		r = size_limit(f->inode, end);
	if (r == 0)
		r = f->ops->fallocate(f, mode, off, len);
	if (r == 0) {
		file_kill_suid(f);
		notify_file(f, 0x2 /* IN_MODIFY */);
	}
	return r;
}

int64_t sys_fallocate(const struct sysargs *a)
{
	struct fdref r = fdref_get(arg_int(a, 0));
	if (!r.file)
		return -EBADF;
	int e = do_fallocate(r.file, arg_u32(a, 1), arg_i64(a, 2), arg_i64(a, 3));
	fdref_put(r);
	return e;
}

/* ---- access(2) ---- */
/* Credentials that access(2) judges by: the real ids as file system ids, and their capabilities. NULL: the current
 * ones say the same. */
static int access_cred(struct cred **out)
{
	const struct cred *c = current->cred;
	*out = NULL;
	uint64_t caps = c->cap_effective;
	if (!(c->securebits & SECBIT_NO_SETUID_FIXUP))
		caps = c->uid == id_make(c->user_ns, ID_USER, 0) ? c->cap_permitted : 0;
	if (c->fsuid == c->uid && c->fsgid == c->gid && caps == c->cap_effective)
		return 0;
	struct cred *n = cred_copy(c);
	if (!n)
		return -ENOMEM;
	n->fsuid = c->uid;
	n->fsgid = c->gid;
	n->cap_effective = caps;
	*out = n;
	return 0;
}

static const struct cred *swap_cred(const struct cred *c)
{
	struct task *t = current;
	spin_lock(&t->lock);
	const struct cred *old = t->cred;
	t->cred = c;
	spin_unlock(&t->lock);
	return old;
}

static int64_t do_access(int dfd, uva_t name, uint32_t mode, uint32_t flags)
{
	if (mode & ~7u)
		return -EINVAL;
	if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	struct cred *temp = NULL;
	const struct cred *saved = NULL;
	int r = flags & AT_EACCESS ? 0 : access_cred(&temp);
	if (r)
		return r;
	if (temp)
		saved = swap_cred(temp);
	struct path p;
	r = path_lookup_user(
		dfd, name, (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), &p);
	if (r == 0) {
		struct inode *i = p.dentry->inode;
		uint32_t type = i->mode & S_IFMT;
		if ((mode & MAY_EXEC) && type == S_IFREG && (p.mnt->flags & MS_NOEXEC))
			r = -EACCES;
		else
			r = inode_permission(i, mode);
		if (r == 0 && (mode & MAY_WRITE) && (type == S_IFREG || type == S_IFDIR || type == S_IFLNK))
			r = mount_writable(p.mnt);
		path_put(&p);
	}
	if (temp) {
		swap_cred(saved);
		cred_put(temp);
	}
	return r;
}

int64_t sys_access(const struct sysargs *a) { return do_access(AT_FDCWD, arg_uva(a, 0), arg_u32(a, 1), 0); }
int64_t sys_faccessat(const struct sysargs *a) { return do_access(arg_int(a, 0), arg_uva(a, 1), arg_u32(a, 2), 0); }
int64_t sys_faccessat2(const struct sysargs *a)
{
	return do_access(arg_int(a, 0), arg_uva(a, 1), arg_u32(a, 2), arg_u32(a, 3));
}
