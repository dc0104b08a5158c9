// SPDX-License-Identifier: Apache-2.0
/*
 * read(2), write(2) and their vectored, positioned and flagged relatives, lseek(2).
 *
 * The file position is locked (file->pos_lock) only when the open file can be shared: it has other references, or the
 * descriptor table has other users. Limits (RLIMIT_FSIZE, the file system's) are applied here, once, before the file
 * system's write.
 */
#include "fs/vfs.h"

#include <linux/fs.h>
#include <linux/mount.h>

#include "fs/namei.h"
#include "fs/poll.h"
#include "lib/uio.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/task.h"

static bool is_stream(const struct file *f) { return f->mode & FMODE_STREAM; }

static bool is_regular(const struct file *f) { return (f->inode->mode & S_IFMT) == S_IFREG; }

int write_limit(struct file *f, uint64_t pos, struct iter *from)
{
	if (!is_regular(f))
		return 0;
	if ((f->flags & O_APPEND) || pos == POS_APPEND)
		pos = READ_ONCE(f->inode->size);
	uint64_t limit = rlimit_cur(RLIMIT_FSIZE);
	if (pos >= limit && limit != RLIM64_INFINITY) {
		siginfo_t si;
		siginfo_user(&si, SIGXFSZ, SI_USER);
		(void)signal_send_task(current, &si);
		return -EFBIG;
	}
	limit = MIN(limit, f->inode->sb->max_bytes);
	if (pos >= limit && from->count)
		return -EFBIG;
	if (from->count > limit - pos)
		from->count = limit - pos;
	return 0;
}

void file_kill_suid(struct file *f)
{
	uint32_t mode;
	if (likely(!(f->inode->mode & (S_ISUID | S_ISGID))) || capable(CAP_FSETID))
		return;
	if (mode_kill_suid(f->inode, &mode) > 0) {
		struct iattr attr = {.valid = ATTR_MODE | ATTR_FORCE, .mode = mode};
		(void)vfs_setattr(&f->path, &attr);
	}
}

int rw_check_area(const struct file *f, uint64_t pos, uint64_t n)
{
	if ((int64_t)n < 0)
		return -EINVAL;
	return !is_stream(f) && pos != POS_APPEND && (int64_t)(pos + n) < 0 ? -EINVAL : 0;
}

/* The whole of a single buffer lies in user space (vectors were checked when they were copied in), and the range in
 * the file does not wrap. */
static int check_area(const struct file *f, const struct iter *it, uint64_t pos)
{
	if (!it->kernel && it->vec == &it->single &&
	    (it->single.base.v > USER_MAX || it->count > USER_MAX - it->single.base.v))
		return -EFAULT;
	return rw_check_area(f, pos, it->count);
}

/* pos given: no locking. */
static ssize_t_ do_read(struct file *f, struct iter *to, uint64_t *pos)
{
	if (!(f->mode & FMODE_READ))
		return -EBADF;
	int r = check_area(f, to, *pos);
	if (r)
		return r;
	if (!f->ops || !f->ops->read)
		return (f->inode->mode & S_IFMT) == S_IFDIR ? -EISDIR : -EINVAL;
	if (to->count > RW_MAX)
		to->count = RW_MAX;
	ssize_t_ n = f->ops->read(f, to, pos);
	current->syscr++;
	if (n > 0) {
		current->rchar += n;
		notify_file(f, 0x1 /* IN_ACCESS */);
	}
	return n;
}

static ssize_t_ do_write(struct file *f, struct iter *from, uint64_t *pos)
{
	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (!f->ops || !f->ops->write)
		return -EINVAL;
	int r = check_area(f, from, *pos);
	if (r)
		return r;
	if (from->count > RW_MAX)
		from->count = RW_MAX;
	r = write_limit(f, *pos, from);
	if (r)
		return r;
	if (from->count && is_regular(f))
		file_kill_suid(f);
	ssize_t_ n = f->ops->write(f, from, pos);
	current->syscw++;
	if (n > 0) {
		current->wchar += n;
		notify_file(f, 0x2 /* IN_MODIFY */);
		if ((f->flags & (O_SYNC | O_DSYNC)) && f->ops->fsync) {
			r = f->ops->fsync(f, (f->flags & O_SYNC) != O_SYNC);
			if (r)
				return r;
		}
	}
	return n;
}

/* shared: another thread or process may use the same position now. */
static ssize_t_ read_at_pos(struct file *f, struct iter *to, bool shared)
{
	if (is_stream(f)) {
		uint64_t ignored = 0;
		return do_read(f, to, &ignored);
	}
	if (!shared)
		return do_read(f, to, &f->pos);
	mutex_lock(&f->pos_lock);
	ssize_t_ n = do_read(f, to, &f->pos);
	mutex_unlock(&f->pos_lock);
	return n;
}

static ssize_t_ write_at_pos(struct file *f, struct iter *from, bool shared)
{
	if (is_stream(f)) {
		uint64_t ignored = 0;
		return do_write(f, from, &ignored);
	}
	if (!shared)
		return do_write(f, from, &f->pos);
	mutex_lock(&f->pos_lock);
	ssize_t_ n = do_write(f, from, &f->pos);
	mutex_unlock(&f->pos_lock);
	return n;
}

static bool fdref_shared(struct fdref r) { return r.owned || atomic_load(&r.file->refs.n) > 1; }

ssize_t_ vfs_read(struct file *f, struct iter *to, uint64_t *pos)
{
	return pos ? do_read(f, to, pos) : read_at_pos(f, to, true);
}

ssize_t_ vfs_write(struct file *f, struct iter *from, uint64_t *pos)
{
	return pos ? do_write(f, from, pos) : write_at_pos(f, from, true);
}

ssize_t_ file_read_kernel(struct file *f, void *buf, size_t n, uint64_t off)
{
	size_t done = 0;
	if (!f->ops || !f->ops->read)
		return -EINVAL;
	if (f->ops->peek && f->ops->peek(f, buf, n, off))
		done = n;
	while (done < n) {
		struct iter it;
		iter_kernel(&it, (char *)buf + done, n - done, true);
		ssize_t_ r = f->ops->read(f, &it, &off);
		if (r < 0)
			return done ? (ssize_t_)done : r;
		if (r == 0)
			break;
		done += r;
		if (S_ISREG(f->inode->mode) && off == READ_ONCE(f->inode->size))
			break; /* the next one would only say so */
	}
	notify_file(f, 0x1 /* IN_ACCESS */);
	return done;
}

ssize_t_ file_write_kernel(struct file *f, const void *buf, size_t n, uint64_t off)
{
	size_t done = 0;
	if (!f->ops || !f->ops->write)
		return -EINVAL;
	while (done < n) {
		struct iter it;
		iter_kernel(&it, (char *)buf + done, n - done, false);
		ssize_t_ r = f->ops->write(f, &it, &off);
		if (r <= 0)
			return done ? (ssize_t_)done : r;
		done += r;
	}
	return done;
}

/* ---- system calls ---- */
int64_t sys_read(const struct sysargs *a)
{
	struct iter it;
	struct fdref r = fdref_get(arg_int(a, 0));
	if (!r.file)
		return -EBADF;
	iter_user(&it, arg_uva(a, 1), arg_u64(a, 2), true);
	ssize_t_ n = read_at_pos(r.file, &it, fdref_shared(r));
	fdref_put(r);
	return n;
}

int64_t sys_write(const struct sysargs *a)
{
	struct iter it;
	struct fdref r = fdref_get(arg_int(a, 0));
	if (!r.file)
		return -EBADF;
	iter_user(&it, arg_uva(a, 1), arg_u64(a, 2), false);
	ssize_t_ n = write_at_pos(r.file, &it, fdref_shared(r));
	fdref_put(r);
	return n;
}

static int64_t rw_positioned(int fd, struct iter *it, int64_t off, bool write)
{
	struct fdref r = fdref_get(fd);
	if (!r.file)
		return -EBADF;
	uint64_t pos = off;
	ssize_t_ n;
	if (is_stream(r.file))
		n = -ESPIPE;
	else
		n = write ? do_write(r.file, it, &pos) : do_read(r.file, it, &pos);
	fdref_put(r);
	return n;
}

int64_t sys_pread64(const struct sysargs *a)
{
	struct iter it;
	if (arg_i64(a, 3) < 0)
		return -EINVAL;
	iter_user(&it, arg_uva(a, 1), arg_u64(a, 2), true);
	return rw_positioned(arg_int(a, 0), &it, arg_i64(a, 3), false);
}

int64_t sys_pwrite64(const struct sysargs *a)
{
	struct iter it;
	if (arg_i64(a, 3) < 0)
		return -EINVAL;
	iter_user(&it, arg_uva(a, 1), arg_u64(a, 2), false);
	return rw_positioned(arg_int(a, 0), &it, arg_i64(a, 3), true);
}

#define RWF_KNOWN (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)

/* RWF_NOWAIT: data that is not there yet is not waited for. */
static int check_nowait(struct file *f, uint32_t rwf, bool write)
{
	if (!(rwf & RWF_NOWAIT) || is_regular(f))
		return 0;
	if (write)
		return -EOPNOTSUPP;
	return file_poll(f, NULL) & (EPOLLIN | EPOLLHUP | EPOLLERR) ? 0 : -EAGAIN;
}

/* RWF_APPEND. move: the file position ends up behind what was written. */
static ssize_t_ append(struct file *f, struct iter *from, bool move)
{
	uint64_t pos = POS_APPEND;
	move = move && !is_stream(f);
	if (move)
		mutex_lock(&f->pos_lock);
	ssize_t_ n = do_write(f, from, &pos);
	if (move && n > 0)
		f->pos = pos;
	if (move)
		mutex_unlock(&f->pos_lock);
	return n;
}

/* off: -1 the file position, else as given (already checked). */
static int64_t rw_vector(const struct sysargs *a, int64_t off, uint32_t rwf, bool write)
{
	if (rwf & ~RWF_KNOWN)
		return -EOPNOTSUPP;
	struct fdref r = fdref_get(arg_int(a, 0));
	if (!r.file)
		return -EBADF;
	struct file *f = r.file;
	struct uiovec fast[8], *vec = NULL;
	struct iter it;
	int64_t n;
	if (off >= 0 && is_stream(f))
		n = -ESPIPE;
	else if (!(f->mode & (write ? FMODE_WRITE : FMODE_READ)))
		n = -EBADF;
	else
		n = iter_import(&it, arg_uva(a, 1), arg_u64(a, 2), !write, fast, &vec);
	if (n < 0)
		goto out;
	n = check_nowait(f, rwf, write);
	if (n < 0)
		goto out_vec;
	if ((rwf & RWF_APPEND) && write) {
		n = append(f, &it, off < 0);
	} else if (off >= 0) {
		uint64_t pos = off;
		n = write ? do_write(f, &it, &pos) : do_read(f, &it, &pos);
	} else {
		n = write ? write_at_pos(f, &it, fdref_shared(r)) : read_at_pos(f, &it, fdref_shared(r));
	}
	if (n > 0 && write && (rwf & (RWF_SYNC | RWF_DSYNC)) && f->ops->fsync) {
		int e = f->ops->fsync(f, !(rwf & RWF_SYNC));
		if (e)
			n = e;
	}
out_vec:
	iter_free_vec(vec, fast);
out:
	fdref_put(r);
	return n;
}

int64_t sys_readv(const struct sysargs *a) { return rw_vector(a, -1, 0, false); }

int64_t sys_writev(const struct sysargs *a) { return rw_vector(a, -1, 0, true); }

/* pos_h (argument 4) holds nothing that 64-bit pos_l lacks. */
int64_t sys_preadv(const struct sysargs *a)
{
	return arg_i64(a, 3) < 0 ? -EINVAL : rw_vector(a, arg_i64(a, 3), 0, false);
}

int64_t sys_pwritev(const struct sysargs *a)
{
	return arg_i64(a, 3) < 0 ? -EINVAL : rw_vector(a, arg_i64(a, 3), 0, true);
}

int64_t sys_preadv2(const struct sysargs *a)
{
	return arg_i64(a, 3) < -1 ? -EINVAL : rw_vector(a, arg_i64(a, 3), arg_u32(a, 5), false);
}

int64_t sys_pwritev2(const struct sysargs *a)
{
	return arg_i64(a, 3) < -1 ? -EINVAL : rw_vector(a, arg_i64(a, 3), arg_u32(a, 5), true);
}

int64_t file_default_llseek(struct file *f, int64_t off, int whence)
{
	int64_t base, size = READ_ONCE(f->inode->size);
	switch (whence) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = f->pos;
		break;
	case SEEK_END:
		base = size;
		break;
	case SEEK_DATA:
		if (off < 0 || off >= size)
			return -ENXIO;
		base = 0;
		break;
	case SEEK_HOLE:
		if (off < 0 || off >= size)
			return -ENXIO;
		off = size;
		base = 0;
		break;
	default:
		return -EINVAL;
	}
	int64_t pos;
	if (__builtin_add_overflow(base, off, &pos))
		return -EINVAL;
	if (pos < 0 || (uint64_t)pos > f->inode->sb->max_bytes)
		return -EINVAL;
	f->pos = pos;
	return pos;
}

int64_t file_dir_llseek(struct file *f, int64_t off, int whence)
{
	return whence > SEEK_CUR ? -EINVAL : file_default_llseek(f, off, whence);
}

int64_t sys_lseek(const struct sysargs *a)
{
	struct fdref r = fdref_get(arg_int(a, 0));
	int64_t off = arg_i64(a, 1), n;
	uint32_t whence = arg_u32(a, 2);
	if (!r.file)
		return -EBADF;
	struct file *f = r.file;
	if (whence > SEEK_HOLE) {
		n = -EINVAL;
	} else if (is_stream(f) || !f->ops) {
		n = -ESPIPE;
	} else {
		bool shared = fdref_shared(r);
		if (shared)
			mutex_lock(&f->pos_lock);
		n = f->ops->llseek ? f->ops->llseek(f, off, whence) : file_default_llseek(f, off, whence);
		if (shared)
			mutex_unlock(&f->pos_lock);
	}
	fdref_put(r);
	return n;
}
