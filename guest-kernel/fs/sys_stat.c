// SPDX-License-Identifier: Apache-2.0
/* stat(2), statx(2), statfs(2) and their relatives. */
#include "fs/vfs.h"

#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/magic.h>
#include <linux/mount.h>

#include "fs/namei.h"
#include "lib/string.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"

static int vfs_getattr(const struct path *p, struct kstat *st)
{
	struct inode *i = p->dentry->inode;
	int r = 0;
	if (i->ops && i->ops->getattr) {
		memset(st, 0, sizeof(*st));
		r = i->ops->getattr(i, st);
	} else {
		inode_fill_stat(i, st);
	}
	st->mnt_id = p->mnt->id;
	return r;
}

static int put_stat(uva_t out, const struct kstat *st)
{
	struct stat s;
	memset(&s, 0, sizeof(s));
	s.st_dev = dev_encode(st->dev);
	s.st_ino = st->ino;
	s.st_nlink = st->nlink;
	s.st_mode = st->mode;
	s.st_uid = kuid_out(st->uid);
	s.st_gid = kgid_out(st->gid);
	s.st_rdev = dev_encode(st->rdev);
	s.st_size = st->size;
	s.st_blksize = st->blksize;
	s.st_blocks = st->blocks;
	s.st_atime = st->atime.tv_sec;
	s.st_atime_nsec = st->atime.tv_nsec;
	s.st_mtime = st->mtime.tv_sec;
	s.st_mtime_nsec = st->mtime.tv_nsec;
	s.st_ctime = st->ctime.tv_sec;
	s.st_ctime_nsec = st->ctime.tv_nsec;
	return copy_out_struct(out, &s);
}

static int stat_path(int dfd, uva_t name, uint32_t lookup, struct kstat *st)
{
	struct path p;
	int r = path_lookup_user(dfd, name, lookup, &p);
	if (r)
		return r;
	r = vfs_getattr(&p, st);
	path_put(&p);
	return r;
}

static int stat_fd(int fd, struct kstat *st)
{
	struct fdref f = fdref_get_path(fd);
	if (!f.file)
		return -EBADF;
	int r = vfs_getattr(&f.file->path, st);
	fdref_put(f);
	return r;
}

/* fstatat with AT_EMPTY_PATH and "" (or NULL) is fstat: what libc does for every fstat. */
static bool empty_path(uva_t name, uint32_t flags)
{
	char c;
	if (!(flags & AT_EMPTY_PATH))
		return false;
	return name.v == 0 || (copy_in(&c, name, 1) == 0 && c == 0);
}

static int stat_at(int dfd, uva_t name, uint32_t flags, struct kstat *st)
{
	if (dfd >= 0 && empty_path(name, flags))
		return stat_fd(dfd, st);
	uint32_t lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	if (flags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	if (flags & AT_NO_AUTOMOUNT)
		lookup |= LOOKUP_NO_AUTOMOUNT;
	return stat_path(dfd, name, lookup, st);
}

int64_t sys_stat(const struct sysargs *a)
{
	struct kstat st;
	int r = stat_path(AT_FDCWD, arg_uva(a, 0), LOOKUP_FOLLOW, &st);
	return r ? r : put_stat(arg_uva(a, 1), &st);
}

int64_t sys_lstat(const struct sysargs *a)
{
	struct kstat st;
	int r = stat_path(AT_FDCWD, arg_uva(a, 0), 0, &st);
	return r ? r : put_stat(arg_uva(a, 1), &st);
}

int64_t sys_fstat(const struct sysargs *a)
{
	struct kstat st;
	int r = stat_fd(arg_int(a, 0), &st);
	return r ? r : put_stat(arg_uva(a, 1), &st);
}

int64_t sys_newfstatat(const struct sysargs *a)
{
	struct kstat st;
	uint32_t flags = arg_u32(a, 3);
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	int r = stat_at(arg_int(a, 0), arg_uva(a, 1), flags, &st);
	return r ? r : put_stat(arg_uva(a, 2), &st);
}

static struct statx_timestamp to_statx_time(struct timespec64 t)
{
	return (struct statx_timestamp){.tv_sec = t.tv_sec, .tv_nsec = t.tv_nsec};
}

int64_t sys_statx(const struct sysargs *a)
{
	uint32_t flags = arg_u32(a, 2), mask = arg_u32(a, 3);
	struct kstat st;
	struct statx x;
	if (mask & STATX__RESERVED)
		return -EINVAL;
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	int r = stat_at(arg_int(a, 0), arg_uva(a, 1), flags, &st);
	if (r)
		return r;
	memset(&x, 0, sizeof(x));
	x.stx_mask = STATX_BASIC_STATS | STATX_MNT_ID | (st.has_btime ? STATX_BTIME : 0);
	x.stx_blksize = st.blksize;
	x.stx_attributes = st.attributes;
	x.stx_attributes_mask = st.attributes_mask;
	x.stx_nlink = st.nlink;
	x.stx_uid = kuid_out(st.uid);
	x.stx_gid = kgid_out(st.gid);
	x.stx_mode = st.mode;
	x.stx_ino = st.ino;
	x.stx_size = st.size;
	x.stx_blocks = st.blocks;
	x.stx_atime = to_statx_time(st.atime);
	x.stx_mtime = to_statx_time(st.mtime);
	x.stx_ctime = to_statx_time(st.ctime);
	x.stx_btime = to_statx_time(st.btime);
	x.stx_rdev_major = DEV_MAJOR(st.rdev);
	x.stx_rdev_minor = DEV_MINOR(st.rdev);
	x.stx_dev_major = DEV_MAJOR(st.dev);
	x.stx_dev_minor = DEV_MINOR(st.dev);
	x.stx_mnt_id = st.mnt_id;
	return copy_out_struct(arg_uva(a, 4), &x);
}

/* f_flags of struct statfs: ST_* values of statvfs(3), with ST_VALID. */
static uint64_t statfs_flags(const struct path *p)
{
	uint32_t m = p->mnt->flags, s = p->mnt->sb->flags;
	uint64_t f = 0x20;
	f |= (m | s) & MS_RDONLY ? 1 : 0;
	f |= m & MS_NOSUID ? 2 : 0;
	f |= m & MS_NODEV ? 4 : 0;
	f |= m & MS_NOEXEC ? 8 : 0;
	f |= m & MS_NOATIME ? 0x400 : 0;
	f |= m & MS_NODIRATIME ? 0x800 : 0;
	f |= m & (MS_NOATIME | MS_STRICTATIME) ? 0 : 0x1000;
	return f;
}

/* Pipes and sockets have file systems of their own on Linux. */
static uint64_t anon_magic(const struct inode *i, uint64_t other)
{
	uint32_t type = i->mode & S_IFMT;
	return type == S_IFIFO ? PIPEFS_MAGIC : type == S_IFSOCK ? SOCKFS_MAGIC : other;
}

static int do_statfs(const struct path *p, uva_t out)
{
	struct super_block *sb = p->dentry->sb;
	struct hc_statfs st = {.type = sb->magic, .bsize = sb->blocksize, .frsize = sb->blocksize, .namelen = 255};
	if (sb->ops && sb->ops->statfs) {
		int r = sb->ops->statfs(sb, &st);
		if (r)
			return r;
	}
	if ((p->dentry->flags & (DENTRY_ANON | DENTRY_NSFS)) == DENTRY_ANON)
		st.type = anon_magic(p->dentry->inode, st.type);
	struct statfs s;
	memset(&s, 0, sizeof(s));
	s.f_type = st.type;
	s.f_bsize = st.bsize;
	s.f_blocks = st.blocks;
	s.f_bfree = st.bfree;
	s.f_bavail = st.bavail;
	s.f_files = st.files;
	s.f_ffree = st.ffree;
	s.f_fsid.val[0] = (int)dev_encode(sb->dev);
	s.f_namelen = st.namelen;
	s.f_frsize = st.frsize;
	s.f_flags = statfs_flags(p);
	return copy_out_struct(out, &s);
}

int64_t sys_statfs(const struct sysargs *a)
{
	struct path p;
	int r = path_lookup_user(AT_FDCWD, arg_uva(a, 0), LOOKUP_FOLLOW, &p);
	if (r)
		return r;
	r = do_statfs(&p, arg_uva(a, 1));
	path_put(&p);
	return r;
}

int64_t sys_fstatfs(const struct sysargs *a)
{
	struct fdref f = fdref_get_path(arg_int(a, 0));
	if (!f.file)
		return -EBADF;
	int r = do_statfs(&f.file->path, arg_uva(a, 1));
	fdref_put(f);
	return r;
}
