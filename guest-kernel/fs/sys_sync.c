// SPDX-License-Identifier: Apache-2.0
/* sync(2), fsync(2) and hints about future access. */
#include "fs/vfs.h"

#include <linux/fadvise.h>
#include <linux/fs.h>

#include "fs/namei.h"
#include "syscall/syscall.h"
#include "task/task.h"

static int64_t do_fsync(int fd, bool datasync)
{
	struct fdref f = fdref_get(fd);
	if (!f.file)
		return -EBADF;
	uint32_t type = f.file->inode->mode & S_IFMT;
	int r;
	if (f.file->ops && f.file->ops->fsync)
		r = f.file->ops->fsync(f.file, datasync);
	else
		r = type == S_IFREG || type == S_IFDIR ? 0 : -EINVAL;
	fdref_put(f);
	return r;
}

int64_t sys_fsync(const struct sysargs *a) { return do_fsync(arg_int(a, 0), false); }
int64_t sys_fdatasync(const struct sysargs *a) { return do_fsync(arg_int(a, 0), true); }

int64_t sys_syncfs(const struct sysargs *a)
{
	struct fdref f = fdref_get(arg_int(a, 0));
	if (!f.file)
		return -EBADF;
	struct super_block *sb = f.file->path.dentry->sb;
	int r = sb && sb->ops && sb->ops->sync ? sb->ops->sync(sb) : 0;
	fdref_put(f);
	return r;
}

int64_t sys_sync(const struct sysargs *a)
{
	/* by position in the list: it may change while a sync sleeps, and then some are synced twice or were new */
	for (uint32_t i = 0;; i++) {
		struct mount *m = NULL;
		uint32_t n = 0;
		spin_lock(&mount_lock);
		struct mount *c;
		list_for_each_entry(c, &current->nsproxy->mnt->mounts, link) {
			if (n++ == i) {
				m = c;
				mount_get(m);
				break;
			}
		}
		spin_unlock(&mount_lock);
		if (!m)
			return 0;
		if (m->sb->ops && m->sb->ops->sync)
			(void)m->sb->ops->sync(m->sb);
		mount_put(m);
	}
}

int64_t sys_sync_file_range(const struct sysargs *a)
{
	int64_t off = arg_i64(a, 1), len = arg_i64(a, 2), end;
	if (arg_u32(a, 3) & ~7u)
		return -EINVAL;
	if (off < 0 || len < 0 || __builtin_add_overflow(off, len, &end))
		return -EINVAL;
	struct fdref f = fdref_get(arg_int(a, 0));
	if (!f.file)
		return -EBADF;
	uint32_t type = f.file->inode->mode & S_IFMT;
	int r = 0;
	if (type != S_IFREG && type != S_IFBLK && type != S_IFDIR && type != S_IFLNK)
		r = -ESPIPE;
	else if (f.file->ops && f.file->ops->fsync)
		r = f.file->ops->fsync(f.file, true);
	fdref_put(f);
	return r;
}

/* The host's page cache reads ahead on its own: hints are checked and accepted. */
int64_t sys_fadvise64(const struct sysargs *a)
{
	struct fdref f = fdref_get(arg_int(a, 0));
	int advice = arg_int(a, 3);
	if (!f.file)
		return -EBADF;
	int r = 0;
	if ((f.file->inode->mode & S_IFMT) == S_IFIFO)
		r = -ESPIPE;
	else if (arg_i64(a, 2) < 0 || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE)
		r = -EINVAL;
	fdref_put(f);
	return r;
}

int64_t sys_readahead(const struct sysargs *a)
{
	struct fdref f = fdref_get(arg_int(a, 0));
	if (!f.file)
		return -EBADF;
	uint32_t type = f.file->inode->mode & S_IFMT;
	int r = 0;
	if (!(f.file->mode & FMODE_READ))
		r = -EBADF;
	else if (type != S_IFREG && type != S_IFBLK)
		r = -EINVAL;
	fdref_put(f);
	return r;
}
