// SPDX-License-Identifier: Apache-2.0
/* fcntl(2): descriptor and status flags, signal owner, pipe capacity, seals. Record locks are in locks.c. */
#include "fs/vfs.h"

#include <linux/fcntl.h>
#include <linux/memfd.h>

#include "fs/locks.h"
#include "fs/namei.h"
#include "fs/tmpfs.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"

#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC)

static int set_flags(struct file *f, int fd, uint32_t arg)
{
	/* O_APPEND of an append-only file cannot be cleared: there are none here */
	if ((arg & O_NOATIME) && !(f->flags & O_NOATIME) && !inode_owner_or_capable(f->inode))
		return -EPERM;
	if (arg & ~f->flags & O_DIRECT) {
		uint32_t type = f->inode->mode & S_IFMT;
		if (type != S_IFREG && type != S_IFBLK && type != S_IFIFO)
			return -EINVAL;
	}
	if ((arg ^ f->flags) & FASYNC) {
		int r = fasync_set(f, fd, arg & FASYNC);
		if (r)
			return r;
	}
	uint32_t old = READ_ONCE(f->flags);
	while (!atomic_cas(&f->flags, old, (old & ~SETFL_MASK) | (arg & SETFL_MASK)))
		old = READ_ONCE(f->flags);
	return 0;
}

static bool owner_exists(int type, int pid)
{
	spin_lock(&tasklist_lock);
	bool found = type == F_OWNER_PGRP ? pgrp_exists(pid) : task_lookup(pid) != NULL;
	spin_unlock(&tasklist_lock);
	return found;
}

/* pid: a number of the current pid namespace, 0 for nobody. */
static int set_owner(struct file *f, int type, int pid)
{
	int id = pid > 0 ? pid_from_user(pid) : 0;
	if (pid && !(id && owner_exists(type, id)))
		return -ESRCH;
	f->owner_tid = type == F_OWNER_TID;
	f->owner_pid = type == F_OWNER_PGRP ? -id : id;
	f->owner_uid = current->cred->uid;
	f->owner_euid = current->cred->euid;
	if (f->ops && f->ops->owner_set)
		f->ops->owner_set(f);
	return 0;
}

int file_set_owner(struct file *f, int32_t arg)
{
	if (arg == INT32_MIN)
		return -EINVAL;
	return arg < 0 ? set_owner(f, F_OWNER_PGRP, -arg) : set_owner(f, F_OWNER_PID, arg);
}

int32_t file_owner(const struct file *f)
{
	return f->owner_pid < 0 ? -pid_vnr(-f->owner_pid) : pid_vnr(f->owner_pid);
}

static int owner_ex(struct file *f, uva_t arg, bool set)
{
	struct f_owner_ex o;
	if (!set) {
		o.type = f->owner_pid < 0 ? F_OWNER_PGRP : f->owner_tid ? F_OWNER_TID : F_OWNER_PID;
		o.pid = pid_vnr(f->owner_pid < 0 ? -f->owner_pid : f->owner_pid);
		return copy_out_struct(arg, &o);
	}
	if (copy_in_struct(&o, arg))
		return -EFAULT;
	if (o.type != F_OWNER_TID && o.type != F_OWNER_PID && o.type != F_OWNER_PGRP)
		return -EINVAL;
	return set_owner(f, o.type, o.pid);
}

/* ---- seals: memfd_create(2) ---- */
#define SEALS_ALL (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | 0x20 /* EXEC */)

static bool sealable(const struct inode *i)
{
	return (i->mode & S_IFMT) == S_IFREG && i->fops == &tmpfs_file_ops;
}

static int add_seals(struct file *f, uint32_t seals)
{
	struct inode *i = f->inode;
	struct mapping *m = &i->mapping;
	if (!sealable(i))
		return -EINVAL;
	if (!(f->mode & FMODE_WRITE))
		return -EPERM;
	if (seals & ~SEALS_ALL)
		return -EINVAL;
	int r = 0;
	mutex_lock(&i->lock);
	spin_lock(&m->lock); /* see tmpfs_mmap */
	if (i->seals & F_SEAL_SEAL)
		r = -EPERM;
	else if ((seals & F_SEAL_WRITE) && !(i->seals & F_SEAL_WRITE) && m->writable_maps)
		r = -EBUSY;
	else
		i->seals |= seals;
	spin_unlock(&m->lock);
	mutex_unlock(&i->lock);
	return r;
}

static bool allowed_on_path(uint32_t cmd)
{
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC || cmd == F_GETFD || cmd == F_SETFD || cmd == F_GETFL;
}

static int64_t do_fcntl(struct file *f, int fd, uint32_t cmd, uint64_t arg)
{
	switch (cmd) {
	case F_DUPFD:
		return fd_dup(fd, (uint32_t)arg, false);
	case F_DUPFD_CLOEXEC:
		return fd_dup(fd, (uint32_t)arg, true);
	case F_GETFD:
		return files_get_cloexec(current->files, fd) ? FD_CLOEXEC : 0;
	case F_SETFD:
		return fd_set_cloexec(fd, arg & FD_CLOEXEC);
	case F_GETFL:
		return f->flags;
	case F_SETFL:
		return set_flags(f, fd, arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return locks_fcntl(f, fd, cmd, uva(arg));
	case F_GETOWN:
		return file_owner(f);
	case F_SETOWN:
		return file_set_owner(f, arg);
	case F_GETOWN_EX:
		return owner_ex(f, uva(arg), false);
	case F_SETOWN_EX:
		return owner_ex(f, uva(arg), true);
	case F_GETOWNER_UIDS: {
		uint32_t ids[2] = {kuid_out(f->owner_uid), kuid_out(f->owner_euid)};
		return copy_out(uva(arg), ids, sizeof(ids));
	}
	case F_GETSIG:
		return f->owner_sig;
	case F_SETSIG:
		if (arg > NSIG_)
			return -EINVAL;
		f->owner_sig = arg;
		return 0;
	case F_GETLEASE:
		return F_UNLCK;
	case F_SETLEASE:
		/* leases are never granted: nothing could break them */
		if (f->inode->uid != current->cred->fsuid && !capable(CAP_LEASE))
			return -EACCES;
		if ((f->inode->mode & S_IFMT) != S_IFREG)
			return -EINVAL;
		return (int)arg == F_UNLCK || (int)arg == F_RDLCK || (int)arg == F_WRLCK ? -EAGAIN : -EINVAL;
	case F_NOTIFY:
		return dnotify_set(f, fd, (uint32_t)arg);
	case F_SETPIPE_SZ:
		return pipe_set_size(f, (uint32_t)arg);
	case F_GETPIPE_SZ:
		return pipe_get_size(f);
	case F_ADD_SEALS:
		return (arg >> 32) ? -EINVAL : add_seals(f, arg);
	case F_GET_SEALS:
		return sealable(f->inode) ? (int64_t)f->inode->seals : -EINVAL;
	case F_GET_RW_HINT:
	case F_GET_FILE_RW_HINT: {
		uint64_t hint = 0;
		return copy_out(uva(arg), &hint, sizeof(hint));
	}
	case F_SET_RW_HINT:
	case F_SET_FILE_RW_HINT: {
		uint64_t hint;
		if (copy_in(&hint, uva(arg), sizeof(hint)))
			return -EFAULT;
		return hint > 5 ? -EINVAL : 0;
	}
	default:
		return -EINVAL;
	}
}

int64_t sys_fcntl(const struct sysargs *a)
{
	int fd = arg_int(a, 0);
	uint32_t cmd = arg_u32(a, 1);
	struct fdref r = fdref_get_path(fd);
	if (!r.file)
		return -EBADF;
	int64_t n;
	if ((r.file->mode & FMODE_PATH) && !allowed_on_path(cmd))
		n = -EBADF;
	else
		n = do_fcntl(r.file, fd, cmd, arg_u64(a, 2));
	fdref_put(r);
	return n;
}
