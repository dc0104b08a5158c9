// SPDX-License-Identifier: Apache-2.0
/* ioctl(2): the requests that every file knows; the rest is the file's own. */
#include "fs/vfs.h"

#include <asm/ioctls.h>
#include <linux/fs.h>

#include "fs/namei.h"
#include "syscall/syscall.h"
#include "task/task.h"

static int64_t set_flag(struct file *f, int fd, uint32_t flag, uva_t arg)
{
	int on;
	if (copy_in_struct(&on, arg))
		return -EFAULT;
	if (flag == FASYNC) {
		if (!on == !(f->flags & FASYNC))
			return 0;
		int r = fasync_set(f, fd, on);
		if (r)
			return r;
	}
	if (on)
		atomic_or(&f->flags, flag);
	else
		atomic_and(&f->flags, ~flag);
	return 0;
}

static int64_t readable_bytes(struct file *f, uva_t arg)
{
	int64_t left = (int64_t)READ_ONCE(f->inode->size) - (int64_t)f->pos;
	int n = left > INT32_MAX ? INT32_MAX : left;
	return copy_out_struct(arg, &n);
}

static int64_t do_ioctl(struct file *f, int fd, uint32_t cmd, uint64_t arg)
{
	bool regular = (f->inode->mode & S_IFMT) == S_IFREG;
	switch (cmd) {
	case FIOCLEX:
		return fd_set_cloexec(fd, true);
	case FIONCLEX:
		return fd_set_cloexec(fd, false);
	case FIONBIO:
		return set_flag(f, fd, O_NONBLOCK, uva(arg));
	case FIOASYNC:
		return set_flag(f, fd, FASYNC, uva(arg));
	case FIOQSIZE: {
		int64_t size = f->inode->size;
		uint32_t type = f->inode->mode & S_IFMT;
		if (type != S_IFREG && type != S_IFDIR && type != S_IFLNK)
			return -ENOTTY;
		return copy_out_struct(uva(arg), &size);
	}
	case FIGETBSZ: {
		int size = f->inode->sb->blocksize;
		return size ? copy_out_struct(uva(arg), &size) : -EINVAL;
	}
	case FIONREAD:
		if (regular)
			return readable_bytes(f, uva(arg));
		break;
	}
	int64_t r = f->ops && f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
	return r == -ENOIOCTLCMD ? -ENOTTY : r;
}

int64_t sys_ioctl(const struct sysargs *a)
{
	int fd = arg_int(a, 0);
	struct fdref r = fdref_get(fd);
	if (!r.file)
		return -EBADF;
	int64_t n = do_ioctl(r.file, fd, arg_u32(a, 1), arg_u64(a, 2));
	fdref_put(r);
	return n;
}
