// SPDX-License-Identifier: Apache-2.0
/*
 * Pipes and FIFOs (pipe(7), fifo(7)).
 *
 * A ring of page buffers under one sleeping lock. Readers are woken when an empty pipe gets data, writers when a full
 * one gets space, pollers always: a busy pipe makes few wake-ups. A write of at most PIPE_BUF bytes goes either into
 * the rest of the last page or into one new page, so it is never split.
 *
 * The pipe hangs on its inode (inode->pipe) while it has users; inode->spin protects that pointer and pipe->users.
 */
#include "fs/pipe.h"

#include <asm/ioctls.h>

#include "fs/namei.h"
#include "fs/poll.h"
#include "lib/string.h"
#include "lib/uio.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/task.h"

static const struct file_ops pipe_ops;

static struct pipe *pipe_alloc(void)
{
	struct pipe *p = kzalloc(sizeof(*p));
	if (!p)
		return NULL;
	p->bufs = kzalloc(sizeof(*p->bufs) * PIPE_DEFAULT_PAGES);
	if (!p->bufs) {
		kfree(p);
		return NULL;
	}
	p->size = PIPE_DEFAULT_PAGES;
	mutex_init(&p->lock);
	wait_queue_init(&p->rd_wait);
	wait_queue_init(&p->wr_wait);
	return p;
}

static void pipe_free(struct pipe *p)
{
	for (; p->tail != p->head; p->tail++)
		page_put(pipe_slot(p, p->tail)->page);
	if (p->spare)
		page_put(p->spare);
	kfree(p->bufs);
	kfree(p);
}

/* The inode's pipe with one more user; made when there is none. */
static struct pipe *pipe_of_inode(struct inode *i)
{
	struct pipe *fresh = NULL;
	for (;;) {
		spin_lock(&i->spin);
		if (!i->pipe && fresh) {
			i->pipe = fresh;
			fresh = NULL;
		}
		struct pipe *p = i->pipe;
		if (p)
			p->users++;
		spin_unlock(&i->spin);
		if (p) {
			if (fresh)
				pipe_free(fresh);
			return p;
		}
		fresh = pipe_alloc();
		if (!fresh)
			return NULL;
	}
}

static void pipe_drop_user(struct inode *i, struct pipe *p)
{
	spin_lock(&i->spin);
	bool last = --p->users == 0;
	if (last)
		i->pipe = NULL;
	spin_unlock(&i->spin);
	if (last)
		pipe_free(p);
}

struct pipe *file_pipe(struct file *f) { return f->ops == &pipe_ops ? f->private : NULL; }

/* ---- steps, with p->lock held ---- */
static void send_sigpipe(void)
{
	siginfo_t si;
	siginfo_user(&si, SIGPIPE, SI_USER);
	(void)signal_send_task(current, &si);
}

int pipe_wait_data(struct pipe *p, bool nonblock)
{
	while (pipe_empty(p)) {
		if (!p->writers)
			return 0;
		if (nonblock)
			return -EAGAIN;
		mutex_unlock(&p->lock);
		int r = wait_event_interruptible(&p->rd_wait, !pipe_empty(p) || !READ_ONCE(p->writers));
		mutex_lock(&p->lock);
		if (r)
			return r;
	}
	return 1;
}

int pipe_wait_space(struct pipe *p, bool nonblock)
{
	for (;;) {
		if (!p->readers) {
			send_sigpipe();
			return -EPIPE;
		}
		if (!pipe_full(p))
			return 0;
		if (nonblock)
			return -EAGAIN;
		mutex_unlock(&p->lock);
		int r = wait_event_interruptible(&p->wr_wait, !pipe_full(p) || !READ_ONCE(p->readers));
		mutex_lock(&p->lock);
		if (r)
			return r;
	}
}

static void wake_readers(struct pipe *p) { wake_up_poll(&p->rd_wait, EPOLLIN | EPOLLRDNORM); }
static void wake_writers(struct pipe *p) { wake_up_poll(&p->wr_wait, EPOLLOUT | EPOLLWRNORM); }

void pipe_push(struct pipe *p, struct page *page, uint32_t off, uint32_t len, bool shared)
{
	bool was_empty = pipe_empty(p);
	*pipe_slot(p, p->head) = (struct pipe_buf){.page = page, .off = off, .len = len, .shared = shared};
	atomic_store(&p->head, p->head + 1);
	if (was_empty || p->polled)
		wake_readers(p);
}

/* Drops the first buffer; its page may serve the next write. */
static void release_first(struct pipe *p)
{
	struct pipe_buf *b = pipe_slot(p, p->tail);
	if (!p->spare && !b->shared)
		p->spare = b->page;
	else
		page_put(b->page);
	b->page = NULL;
	atomic_store(&p->tail, p->tail + 1);
}

void pipe_consume(struct pipe *p, uint32_t n)
{
	struct pipe_buf *b = pipe_slot(p, p->tail);
	bool was_full = pipe_full(p);
	b->off += n;
	b->len -= n;
	if (b->len)
		return;
	release_first(p);
	if (was_full || p->polled)
		wake_writers(p);
}

/* ---- read and write ---- */
static ssize_t_ pipe_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct pipe *p = f->private;
	ssize_t_ done = 0, r = 0;
	bool was_full, freed = false;
	if (!to->count)
		return 0;
	mutex_lock(&p->lock);
	was_full = pipe_full(p);
	while (to->count) {
		if (pipe_empty(p)) {
			if (done)
				break;
			r = pipe_wait_data(p, f->flags & O_NONBLOCK);
			if (r <= 0)
				break;
			was_full = pipe_full(p);
		}
		struct pipe_buf *b = pipe_slot(p, p->tail);
		bool packet = b->packet;
		size_t n = MIN((size_t)b->len, to->count);
		size_t moved = iter_copy_to(to, (char *)page_address(b->page) + b->off, n);
		done += moved;
		b->off += moved;
		b->len -= moved;
		if (moved < n) {
			r = -EFAULT;
			break;
		}
		if (packet)
			b->len = 0; /* what did not fit is lost */
		if (!b->len) {
			release_first(p);
			freed = true;
		}
		if (packet)
			break;
	}
	bool more = !pipe_empty(p);
	mutex_unlock(&p->lock);
	if (freed && (was_full || p->polled))
		wake_writers(p);
	if (more && done && was_full)
		wake_up_nr(&p->rd_wait, 1, EPOLLIN | EPOLLRDNORM); /* another reader may have slept meanwhile */
	return done ? done : r;
}

/* Puts the odd bytes of a write into the rest of the last page, if all of them fit. 1: done or partly done. */
static ssize_t_ merge(struct pipe *p, struct iter *from)
{
	size_t odd = from->count & (PAGE_SIZE - 1);
	if (!odd || pipe_empty(p))
		return 0;
	struct pipe_buf *b = pipe_slot(p, p->head - 1);
	if (b->packet || b->shared || b->off + b->len + odd > PAGE_SIZE)
		return 0;
	size_t moved = iter_copy_from(from, (char *)page_address(b->page) + b->off + b->len, odd);
	b->len += moved;
	return moved == odd ? (ssize_t_)moved : -EFAULT;
}

/* Fills a new page with the next bytes. */
static ssize_t_ append(struct pipe *p, struct iter *from, bool packet)
{
	struct page *page = p->spare;
	p->spare = NULL;
	if (!page)
		page = page_alloc(0, PAGE_ALLOC_USER);
	if (!page)
		return -ENOMEM;
	size_t n = MIN(from->count, (size_t)PAGE_SIZE);
	size_t moved = iter_copy_from(from, page_address(page), n);
	if (moved < n) {
		p->spare = page;
		iter_revert(from, moved);
		return -EFAULT;
	}
	*pipe_slot(p, p->head) = (struct pipe_buf){.page = page, .len = n, .packet = packet};
	atomic_store(&p->head, p->head + 1);
	return n;
}

static ssize_t_ pipe_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct pipe *p = f->private;
	bool packet = f->flags & O_DIRECT;
	ssize_t_ done = 0, r = 0;
	if (!from->count)
		return 0;
	mutex_lock(&p->lock);
	if (!p->readers) {
		mutex_unlock(&p->lock);
		send_sigpipe();
		return -EPIPE;
	}
	bool was_empty = pipe_empty(p);
	if (!packet) {
		r = merge(p, from);
		if (r > 0)
			done = r;
	}
	while (r >= 0 && from->count) {
		if (pipe_full(p) || !p->readers) {
			/* let readers have what is there before we sleep */
			if (done && was_empty)
				wake_readers(p);
			r = pipe_wait_space(p, f->flags & O_NONBLOCK);
			if (r)
				break;
			was_empty = pipe_empty(p);
		}
		r = append(p, from, packet);
		if (r > 0)
			done += r;
	}
	bool space = !pipe_full(p);
	mutex_unlock(&p->lock);
	if (done && (was_empty || p->polled))
		wake_readers(p);
	if (done && space && r == -ERESTARTSYS)
		wake_up_nr(&p->wr_wait, 1, EPOLLOUT | EPOLLWRNORM);
	return done ? done : r;
}

static uint32_t pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->private;
	uint32_t mask = 0;
	p->polled = true;
	if (f->mode & FMODE_READ)
		poll_wait(f, &p->rd_wait, pt);
	if (f->mode & FMODE_WRITE)
		poll_wait(f, &p->wr_wait, pt);
	if (f->mode & FMODE_READ) {
		if (!pipe_empty(p))
			mask |= EPOLLIN | EPOLLRDNORM;
		/* a FIFO that never had a writer since our open does not hang up */
		if (!READ_ONCE(p->writers) && f->seq != READ_ONCE(p->w_count))
			mask |= EPOLLHUP;
	}
	if (f->mode & FMODE_WRITE) {
		if (!pipe_full(p))
			mask |= EPOLLOUT | EPOLLWRNORM;
		if (!READ_ONCE(p->readers))
			mask |= EPOLLERR;
	}
	return mask;
}

static int64_t pipe_ioctl(struct file *f, uint32_t cmd, uint64_t arg)
{
	struct pipe *p = f->private;
	if (cmd != FIONREAD)
		return -ENOTTY;
	int n = 0;
	mutex_lock(&p->lock);
	for (uint32_t i = p->tail; i != p->head; i++)
		n += pipe_slot(p, i)->len;
	mutex_unlock(&p->lock);
	return copy_out(uva(arg), &n, sizeof(n));
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->private;
	mutex_lock(&p->lock);
	if (f->mode & FMODE_READ)
		p->readers--;
	if (f->mode & FMODE_WRITE)
		p->writers--;
	bool readers = p->readers, writers = p->writers;
	mutex_unlock(&p->lock);
	if (readers != writers) {
		wake_up_poll(&p->rd_wait, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
		wake_up_poll(&p->wr_wait, EPOLLOUT | EPOLLWRNORM | EPOLLERR | EPOLLHUP);
	}
	pipe_drop_user(f->inode, p);
}

/* ---- capacity: fcntl(2) F_SETPIPE_SZ, F_GETPIPE_SZ ---- */
int64_t pipe_get_size(struct file *f)
{
	struct pipe *p = file_pipe(f);
	return p ? (int64_t)p->size << PAGE_SHIFT : -EBADF;
}

int64_t pipe_set_size(struct file *f, uint64_t bytes)
{
	struct pipe *p = file_pipe(f);
	if (!p)
		return -EBADF;
	if (bytes > (1UL << 31))
		return -EINVAL;
	uint32_t pages = 1;
	while (((uint64_t)pages << PAGE_SHIFT) < bytes)
		pages *= 2;
	if (pages > PIPE_MAX_PAGES && pages > p->size && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	struct pipe_buf *bufs = kzalloc(sizeof(*bufs) * pages);
	if (!bufs)
		return -ENOMEM;
	mutex_lock(&p->lock);
	uint32_t used = p->head - p->tail;
	if (used > pages) {
		mutex_unlock(&p->lock);
		kfree(bufs);
		return -EBUSY;
	}
	for (uint32_t i = 0; i < used; i++)
		bufs[i] = *pipe_slot(p, p->tail + i);
	struct pipe_buf *old = p->bufs;
	bool was_full = pipe_full(p);
	p->bufs = bufs;
	p->size = pages;
	p->tail = 0;
	atomic_store(&p->head, used);
	mutex_unlock(&p->lock);
	kfree(old);
	if (was_full || p->polled)
		wake_writers(p);
	if (p->polled)
		wake_readers(p); /* whoever looked without the lock may have seen half of the change */
	return (int64_t)pages << PAGE_SHIFT;
}

static const struct file_ops pipe_ops = {
	.release = pipe_release,
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.no_seek = true,
};

/* ---- FIFOs ---- */
static int wait_partner(struct pipe *p, const uint32_t *count, uint32_t seen)
{
	struct wait_queue *q = count == &p->w_count ? &p->rd_wait : &p->wr_wait;
	return wait_event_interruptible(q, READ_ONCE(*count) != seen);
}

int fifo_open(struct inode *i, struct file *f)
{
	struct pipe *p = pipe_of_inode(i);
	bool nonblock = f->flags & O_NONBLOCK;
	int r = 0;
	if (!p)
		return -ENOMEM;
	mutex_lock(&p->lock);
	uint32_t seen_w = p->w_count, seen_r = p->r_count;
	if ((f->mode & (FMODE_READ | FMODE_WRITE)) == FMODE_WRITE && nonblock && !p->readers && !p->anonymous) {
		mutex_unlock(&p->lock);
		pipe_drop_user(i, p);
		return -ENXIO;
	}
	if (f->mode & FMODE_READ) {
		p->r_count++;
		p->readers++;
	}
	if (f->mode & FMODE_WRITE) {
		p->w_count++;
		p->writers++;
	}
	bool have_writer = p->writers || p->anonymous, have_reader = p->readers || p->anonymous;
	mutex_unlock(&p->lock);
	f->ops = &pipe_ops;
	f->private = p;
	f->mode |= FMODE_STREAM;
	if ((f->mode & FMODE_READ) && have_writer)
		wake_up_all(&p->wr_wait);
	if ((f->mode & FMODE_WRITE) && have_reader)
		wake_up_all(&p->rd_wait);
	if ((f->mode & FMODE_READ) && !have_writer) {
		if (nonblock)
			f->seq = seen_w; /* no hang-up until a writer came and went */
		else
			r = wait_partner(p, &p->w_count, seen_w);
	} else if ((f->mode & FMODE_WRITE) && !have_reader) {
		r = wait_partner(p, &p->r_count, seen_r);
	}
	if (r) {
		pipe_release(f);
		f->ops = NULL;
		f->private = NULL;
	}
	return r;
}

/* ---- pipe(2) ---- */
static struct file *pipe_end(struct inode *i, struct pipe *p, uint32_t flags)
{
	inode_get(i);
	struct file *f = file_from_inode(i, "pipe:", &pipe_ops, p, flags);
	if (!f)
		inode_put(i);
	else
		f->seq = UINT64_MAX;
	return f;
}

/* Both ends as files: to read, to write. */
static int pipe_create(struct file *out[2], uint32_t flags)
{
	struct inode *i = inode_anon(S_IFIFO | 0600);
	struct pipe *p = i ? pipe_of_inode(i) : NULL;
	int r = -ENOMEM;
	if (!p) {
		if (i)
			inode_put(i);
		return r;
	}
	p->anonymous = true;
	p->readers = p->writers = 1;
	p->r_count = p->w_count = 1;
	p->users = 2;
	out[0] = pipe_end(i, p, O_RDONLY | (flags & O_NONBLOCK));
	out[1] = out[0] ? pipe_end(i, p, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT))) : NULL;
	if (out[1]) {
		r = 0;
	} else if (out[0]) {
		p->users = 1; /* the other end never was */
		p->writers = 0;
		file_put(out[0]);
	} else {
		p->users = 1;
		pipe_drop_user(i, p);
	}
	inode_put(i);
	return r;
}

static int64_t do_pipe(uva_t ufds, uint32_t flags)
{
	struct file *f[2];
	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	int r = pipe_create(f, flags);
	if (r)
		return r;
	int fds[2];
	fds[0] = fd_reserve(0);
	fds[1] = fds[0] < 0 ? fds[0] : fd_reserve(0);
	r = fds[1] < 0 ? fds[1] : copy_out(ufds, fds, sizeof(fds));
	if (r) {
		if (fds[0] >= 0)
			fd_release(fds[0]);
		if (fds[1] >= 0)
			fd_release(fds[1]);
		file_put(f[0]);
		file_put(f[1]);
		return r;
	}
	fd_install(fds[0], f[0], flags & O_CLOEXEC);
	fd_install(fds[1], f[1], flags & O_CLOEXEC);
	return 0;
}

int64_t sys_pipe(const struct sysargs *a) { return do_pipe(arg_uva(a, 0), 0); }
int64_t sys_pipe2(const struct sysargs *a) { return do_pipe(arg_uva(a, 0), arg_u32(a, 1)); }
