// SPDX-License-Identifier: Apache-2.0
/*
 * sendfile(2), splice(2), tee(2), vmsplice(2), copy_file_range(2).
 *
 * Data moves through pages of the Sentry: from a file into a page that becomes a pipe buffer, from a pipe buffer to a
 * file, between pipes by handing pages over. The pipe's lock is held across the file's read or write, as on Linux, so
 * nothing is lost when one side stops. Pages of a vmsplice are copied, never shared with user memory.
 */
#include "fs/vfs.h"

#include <linux/fs.h>

#include "fs/namei.h"
#include "fs/pipe.h"
#include "fs/poll.h"
#include "lib/string.h"
#include "lib/uio.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/task.h"

#define SPLICE_F_MOVE_     1u
#define SPLICE_F_NONBLOCK_ 2u
#define SPLICE_F_MORE_     4u
#define SPLICE_F_GIFT_     8u
#define SPLICE_F_ALL_      15u
#define CHUNK (64u << 10)

static bool is_regular(const struct file *f) { return (f->inode->mode & S_IFMT) == S_IFREG; }

static ssize_t_ read_page(struct file *in, struct page *page, size_t n, uint64_t *pos)
{
	struct iter it;
	iter_kernel(&it, page_address(page), n, true);
	return vfs_read(in, &it, pos);
}

/* File -> pipe. Returns after the first data, as Linux does, unless more is there at once. */
static ssize_t_ file_to_pipe(struct file *in, uint64_t *pos, struct pipe *p, size_t len, bool nonblock)
{
	ssize_t_ done = 0, r = 0;
	mutex_lock(&p->lock);
	while (len) {
		if (done && (pipe_full(p) || !(file_poll(in, NULL) & EPOLLIN)))
			break;
		r = pipe_wait_space(p, nonblock);
		if (r)
			break;
		struct page *page = page_alloc(0, PAGE_ALLOC_USER);
		r = -ENOMEM;
		if (!page)
			break;
		r = read_page(in, page, MIN(len, (size_t)PAGE_SIZE), pos);
		if (r <= 0) {
			page_put(page);
			break;
		}
		pipe_push(p, page, 0, r, false);
		done += r;
		len -= r;
	}
	mutex_unlock(&p->lock);
	return done ? done : r;
}

static ssize_t_ pipe_to_file(struct pipe *p, struct file *out, uint64_t *pos, size_t len, bool nonblock)
{
	ssize_t_ done = 0, r = 0;
	mutex_lock(&p->lock);
	while (len) {
		if (done && pipe_empty(p))
			break;
		r = pipe_wait_data(p, nonblock);
		if (r <= 0)
			break;
		struct pipe_buf *b = pipe_slot(p, p->tail);
		struct iter it;
		iter_kernel(&it, (char *)page_address(b->page) + b->off, MIN((size_t)b->len, len), false);
		r = vfs_write(out, &it, pos);
		if (r <= 0)
			break;
		pipe_consume(p, r);
		done += r;
		len -= r;
	}
	mutex_unlock(&p->lock);
	return done ? done : r;
}

static void lock_pipes(struct pipe *a, struct pipe *b)
{
	mutex_lock((uint64_t)a < (uint64_t)b ? &a->lock : &b->lock);
	mutex_lock((uint64_t)a < (uint64_t)b ? &b->lock : &a->lock);
}

static void unlock_pipes(struct pipe *a, struct pipe *b)
{
	mutex_unlock(&a->lock);
	mutex_unlock(&b->lock);
}

/* Waits, without either lock at the end, until in has data and out has space. 1: both, 0: end of file. */
static int wait_both(struct pipe *in, struct pipe *out, bool nonblock)
{
	mutex_lock(&in->lock);
	int r = pipe_wait_data(in, nonblock);
	mutex_unlock(&in->lock);
	if (r <= 0)
		return r;
	mutex_lock(&out->lock);
	r = pipe_wait_space(out, nonblock);
	mutex_unlock(&out->lock);
	return r ? r : 1;
}

/* Moves (or, with tee, duplicates) buffers as far as both pipes allow. Both locks held. */
static ssize_t_ move_buffers(struct pipe *in, struct pipe *out, size_t len, bool tee)
{
	ssize_t_ done = 0;
	uint32_t i = in->tail;
	while (len && i != in->head && !pipe_full(out)) {
		struct pipe_buf *b = pipe_slot(in, i);
		size_t n = MIN((size_t)b->len, len);
		page_get(b->page);
		b->shared = true;
		pipe_push(out, b->page, b->off, n, true);
		if (tee)
			i++;
		else
			pipe_consume(in, n);
		if (!tee)
			i = in->tail;
		done += n;
		len -= n;
	}
	return done;
}

static ssize_t_ pipe_to_pipe(struct pipe *in, struct pipe *out, size_t len, bool nonblock, bool tee)
{
	if (in == out)
		return -EINVAL;
	for (;;) {
		int w = wait_both(in, out, nonblock);
		if (w <= 0)
			return w;
		lock_pipes(in, out);
		ssize_t_ n = move_buffers(in, out, len, tee);
		unlock_pipes(in, out);
		if (n)
			return n;
	}
}

/* ---- splice, tee, vmsplice ---- */
/* An offset argument: NULL means the file position. */
static int get_off(struct file *f, uva_t u, uint64_t *val, uint64_t **out)
{
	*out = NULL;
	if (!u.v)
		return 0;
	if (f->mode & FMODE_STREAM)
		return -EINVAL;
	if (copy_in(val, u, sizeof(*val)))
		return -EFAULT;
	if ((int64_t)*val < 0)
		return -EINVAL;
	*out = val;
	return 0;
}

static int64_t do_splice(struct file *in, uva_t uin, struct file *out, uva_t uout, size_t len, uint32_t flags)
{
	struct pipe *pi = file_pipe(in), *po = file_pipe(out);
	bool nonblock = flags & SPLICE_F_NONBLOCK_;
	uint64_t in_val, out_val, *in_pos, *out_pos;
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if ((pi && uin.v) || (po && uout.v))
		return -ESPIPE;
	int r = get_off(in, uin, &in_val, &in_pos);
	if (r == 0)
		r = get_off(out, uout, &out_val, &out_pos);
	if (r)
		return r;
	r = rw_check_area(in, in_pos ? *in_pos : READ_ONCE(in->pos), len);
	if (r == 0)
		r = rw_check_area(out, out_pos ? *out_pos : READ_ONCE(out->pos), len);
	if (r)
		return r;
	if (len > RW_MAX)
		len = RW_MAX;
	int64_t n;
	if (pi && po) {
		n = pipe_to_pipe(pi, po, len, nonblock || ((in->flags | out->flags) & O_NONBLOCK), false);
	} else if (pi) {
		if (out->flags & O_APPEND)
			return -EINVAL;
		n = pipe_to_file(pi, out, out_pos, len, nonblock || (in->flags & O_NONBLOCK));
	} else if (po) {
		n = file_to_pipe(in, in_pos, po, len, nonblock || (out->flags & O_NONBLOCK));
	} else {
		return -EINVAL;
	}
	if (n >= 0 && in_pos && copy_out(uin, &in_val, sizeof(in_val)))
		return -EFAULT;
	if (n >= 0 && out_pos && copy_out(uout, &out_val, sizeof(out_val)))
		return -EFAULT;
	return n;
}

int64_t sys_splice(const struct sysargs *a)
{
	uint64_t len = arg_u64(a, 4);
	uint32_t flags = arg_u32(a, 5);
	if (!len)
		return 0;
	if (flags & ~SPLICE_F_ALL_)
		return -EINVAL;
	struct file *in = fd_get(arg_int(a, 0)), *out = in ? fd_get(arg_int(a, 2)) : NULL;
	int64_t n = out ? do_splice(in, arg_uva(a, 1), out, arg_uva(a, 3), len, flags) : -EBADF;
	file_put(out);
	file_put(in);
	return n;
}

int64_t sys_tee(const struct sysargs *a)
{
	uint64_t len = MIN(arg_u64(a, 2), RW_MAX);
	uint32_t flags = arg_u32(a, 3);
	if (flags & ~SPLICE_F_ALL_)
		return -EINVAL;
	if (!len)
		return 0;
	struct file *in = fd_get(arg_int(a, 0)), *out = in ? fd_get(arg_int(a, 1)) : NULL;
	int64_t n = -EBADF;
	if (out && (in->mode & FMODE_READ) && (out->mode & FMODE_WRITE)) {
		struct pipe *pi = file_pipe(in), *po = file_pipe(out);
		bool nonblock = (flags & SPLICE_F_NONBLOCK_) || ((in->flags | out->flags) & O_NONBLOCK);
		n = pi && po ? pipe_to_pipe(pi, po, len, nonblock, true) : -EINVAL;
	}
	file_put(out);
	file_put(in);
	return n;
}

int64_t sys_vmsplice(const struct sysargs *a)
{
	uint32_t flags = arg_u32(a, 3);
	struct uiovec fast[8], *vec = NULL;
	struct iter it;
	if (flags & ~SPLICE_F_ALL_)
		return -EINVAL;
	struct file *f = fd_get(arg_int(a, 0));
	if (!f)
		return -EBADF;
	bool write = f->mode & FMODE_WRITE;
	int64_t n = file_pipe(f) ? 0 : -EBADF;
	if (n == 0)
		n = iter_import(&it, arg_uva(a, 1), arg_u64(a, 2), !write, fast, &vec);
	if (n >= 0) {
		if ((flags & SPLICE_F_NONBLOCK_) && !(file_poll(f, NULL) & (EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR)))
			n = -EAGAIN;
		else
			n = write ? vfs_write(f, &it, NULL) : vfs_read(f, &it, NULL);
		iter_free_vec(vec, fast);
	}
	file_put(f);
	return n;
}

/* ---- sendfile, copy_file_range ---- */
/* Copies through a buffer. Positions NULL: the file's own. What was read but not written is not consumed. */
static int64_t copy_through(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos, uint64_t len)
{
	size_t size = MIN(len, (uint64_t)CHUNK);
	char *buf = kmalloc(size);
	int64_t done = 0, r = 0;
	if (!buf)
		return -ENOMEM;
	while (len) {
		struct iter it;
		uint64_t pos = *in_pos;
		iter_kernel(&it, buf, MIN(len, (uint64_t)size), true);
		r = vfs_read(in, &it, &pos);
		if (r <= 0)
			break;
		iter_kernel(&it, buf, r, false);
		int64_t got = r;
		r = vfs_write(out, &it, out_pos);
		if (r <= 0)
			break;
		*in_pos += r;
		done += r;
		len -= r;
		if (r < got)
			break;
		cond_resched();
		if (signal_pending(current)) {
			r = -ERESTARTSYS;
			break;
		}
	}
	kfree(buf);
	return done ? done : r;
}

int64_t sys_sendfile(const struct sysargs *a)
{
	uva_t uoff = arg_uva(a, 2);
	uint64_t len = arg_u64(a, 3), off = 0;
	if (uoff.v) {
		if (copy_in(&off, uoff, sizeof(off)))
			return -EFAULT;
		if ((int64_t)off < 0)
			return -EINVAL;
	}
	struct file *in = fd_get(arg_int(a, 1)), *out = in ? fd_get(arg_int(a, 0)) : NULL;
	int64_t n = -EBADF;
	if (!out || !(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		goto out;
	n = uoff.v ? -ESPIPE : -EINVAL;
	if (in->mode & FMODE_STREAM)
		goto out;
	n = -EINVAL;
	if ((in->inode->mode & S_IFMT) == S_IFDIR || (out->flags & O_APPEND))
		goto out;
	n = rw_check_area(in, uoff.v ? off : READ_ONCE(in->pos), len);
	if (n == 0)
		n = rw_check_area(out, READ_ONCE(out->pos), len);
	if (n)
		goto out;
	len = MIN(len, RW_MAX);
	/* The position is not locked meanwhile, as on Linux: out may be the same file, or the other way round elsewhere, or
	 * block for ever. */
	if (!uoff.v)
		off = READ_ONCE(in->pos);
	n = len ? copy_through(in, &off, out, NULL, len) : 0;
	if (!uoff.v)
		WRITE_ONCE(in->pos, off);
	else if (n >= 0 && copy_out(uoff, &off, sizeof(off)))
		n = -EFAULT;
out:
	file_put(out);
	file_put(in);
	return n;
}

static int copy_range_check(struct file *in, struct file *out, uint64_t in_pos, uint64_t out_pos, uint64_t *len)
{
	uint64_t end;
	if ((in->inode->mode & S_IFMT) == S_IFDIR || (out->inode->mode & S_IFMT) == S_IFDIR)
		return -EISDIR;
	if (!is_regular(in) || !is_regular(out))
		return -EINVAL;
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE) || (out->flags & O_APPEND))
		return -EBADF;
	if (__builtin_add_overflow(in_pos, *len, &end) || __builtin_add_overflow(out_pos, *len, &end))
		return -EOVERFLOW;
	uint64_t size = READ_ONCE(in->inode->size);
	*len = in_pos >= size ? 0 : MIN(*len, size - in_pos);
	if (in->inode == out->inode && in_pos < out_pos + *len && out_pos < in_pos + *len)
		return -EINVAL;
	return 0;
}

static int64_t do_copy_range(struct file *in, uva_t uin, struct file *out, uva_t uout, uint64_t len)
{
	uint64_t in_pos = in->pos, out_pos = out->pos;
	if (uin.v && copy_in(&in_pos, uin, sizeof(in_pos)))
		return -EFAULT;
	if (uout.v && copy_in(&out_pos, uout, sizeof(out_pos)))
		return -EFAULT;
	if ((int64_t)in_pos < 0 || (int64_t)out_pos < 0)
		return -EINVAL;
	int r = copy_range_check(in, out, in_pos, out_pos, &len);
	if (r)
		return r;
	if (in->inode->sb != out->inode->sb || in->ops->shared_pos)
		return -EXDEV;
	struct iter room = {.count = len};
	r = write_limit(out, out_pos, &room);
	if (r)
		return r;
	len = room.count;
	if (!len)
		return 0;
	int64_t n = -EXDEV;
	if (in->ops->copy_range && in->ops == out->ops) {
		n = in->ops->copy_range(in, in_pos, out, out_pos, len);
		if (n > 0) {
			in_pos += n;
			out_pos += n;
		}
	}
	if (n == -EXDEV || n == -EOPNOTSUPP || n == -EINVAL)
		n = copy_through(in, &in_pos, out, &out_pos, len);
	if (n <= 0)
		return n;
	if (!uin.v)
		in->pos = in_pos;
	else if (copy_out(uin, &in_pos, sizeof(in_pos)))
		return -EFAULT;
	if (!uout.v)
		out->pos = out_pos;
	else if (copy_out(uout, &out_pos, sizeof(out_pos)))
		return -EFAULT;
	return n;
}

int64_t sys_copy_file_range(const struct sysargs *a)
{
	if (arg_u32(a, 5))
		return -EINVAL;
	struct file *in = fd_get(arg_int(a, 0)), *out = in ? fd_get(arg_int(a, 2)) : NULL;
	int64_t n = out ? do_copy_range(in, arg_uva(a, 1), out, arg_uva(a, 3), MIN(arg_u64(a, 4), RW_MAX)) : -EBADF;
	file_put(out);
	file_put(in);
	return n;
}
