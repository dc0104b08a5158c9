// SPDX-License-Identifier: Apache-2.0
/*
 * Inherited descriptors as files. The host's calls never block: on EAGAIN the task sleeps until the host's epoll
 * thread reports the descriptor (one-shot watches, EV_IO).
 *
 * Pipes, sockets and character devices are streams. A regular file is read and written at the host's file position,
 * which other processes of the host, and standard output and standard error, may share; pread and pwrite and files that
 * the container opened anew (/proc/self/fd/1) have positions of their own: they move it and put it back. A terminal
 * that the container was not given as its own (process.terminal false) stays under the host's line discipline; only its
 * ioctls pass.
 */
#include "fs/hostio.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/fs.h>
#include <linux/mount.h>

#include "fs/container_fs.h"
#include "fs/dev/chrdev.h"
#include "fs/poll.h"
#include "lib/log.h"
#include "lib/string.h"
#include "signal/signal.h"

#define BOUNCE_MAX 65536UL

static struct {
	spinlock_t lock;
	struct hostio *io[HOSTIO_MAX]; /* made when a number is first used, never freed: events may be on their way */
	struct super_block *sb;        /* set once */
	/* Transfers and seeks of regular files: one lock for all, as descriptors may share a position. */
	struct mutex seek_lock;
} hostios = {.seek_lock = MUTEX_INIT(hostios.seek_lock)};

/* ---- readiness ---- */
void hostio_arm(struct hostio *h, uint32_t events)
{
	spin_lock(&h->lock);
	h->ready &= ~events;
	if ((h->armed & events) != events) {
		h->armed |= events;
		hostcall2(HC_IO_WATCH, h->io, h->armed);
	}
	spin_unlock(&h->lock);
}

void host_io_event(uint32_t io, uint32_t events)
{
	struct hostio *h = io < HOSTIO_MAX ? READ_ONCE(hostios.io[io]) : NULL;
	if (!h || !READ_ONCE(h->used))
		return;
	spin_lock(&h->lock);
	/* The watch is spent. An error or hang-up answers everything that was asked, but lasts no longer than that: a FIFO
	 * that gets another writer is as it was before. */
	uint32_t answered = events & (EPOLLERR | EPOLLHUP) ? h->armed | events : events;
	uint32_t rest = h->armed & ~answered;
	h->armed = rest;
	h->ready |= answered;
	if (rest)
		hostcall2(HC_IO_WATCH, h->io, rest);
	spin_unlock(&h->lock);
	void (*on_event)(struct hostio *, uint32_t) = READ_ONCE(h->on_event);
	if (on_event)
		on_event(h, events);
	wake_up_poll(&h->wait, events);
}

/* Sleeps until the host answers for one of events. 0 or -ERESTARTSYS. */
static int hostio_wait(struct hostio *h, uint32_t events)
{
	hostio_arm(h, events);
	return wait_event_interruptible(&h->wait, READ_ONCE(h->ready) & events);
}

/* ---- transfers ---- */
int64_t hostio_read_ram(struct hostio *h, void *buf, size_t n)
{
	struct hc_iov iov = {(uint64_t)buf, n};
	return hostcall3(HC_IO_READ, h->io, &iov, 1);
}

int64_t hostio_write_ram(struct hostio *h, const void *buf, size_t n)
{
	struct hc_iov iov = {(uint64_t)buf, n};
	return hostcall3(HC_IO_WRITE, h->io, &iov, 1);
}

static ssize_t_ move(struct hostio *h, struct iter *it, void *buf, size_t size, bool write)
{
	size_t want = MIN(it->count, size);
	if (!write) {
		int64_t n = hostio_read_ram(h, buf, want);
		if (n <= 0)
			return n;
		size_t copied = iter_copy_to(it, buf, n);
		return copied ? (ssize_t_)copied : -EFAULT;
	}
	size_t have = iter_copy_from(it, buf, want);
	if (!have)
		return -EFAULT;
	int64_t n = hostio_write_ram(h, buf, have);
	if (n < (int64_t)have)
		iter_revert(it, n < 0 ? have : have - n);
	return n;
}

static void send_sigpipe(void)
{
	siginfo_t si;
	siginfo_kernel(&si, SIGPIPE);
	(void)!signal_send_task(current, &si);
}

/* Reads return what is there; writes go on until everything is out, as pipe(7) says. */
static ssize_t_ transfer(struct file *file, struct iter *it, bool write)
{
	struct hostio *h = file->inode->private;
	uint32_t event = write ? EPOLLOUT : EPOLLIN;
	size_t done = 0, size = MIN(it->count, BOUNCE_MAX);
	ssize_t_ r = 0;
	if (!it->count)
		return 0;
	void *buf = kmalloc(size);
	if (!buf)
		return -ENOMEM;
	while (it->count) {
		r = move(h, it, buf, size, write);
		if (r == -EAGAIN) {
			if (READ_ONCE(file->flags) & O_NONBLOCK) {
				hostio_arm(h, event); /* an edge-triggered poller hears of the change */
				break;
			}
			r = hostio_wait(h, event);
			if (r)
				break;
			continue;
		}
		if (r <= 0)
			break;
		done += r;
		if (!write)
			break;
	}
	kfree(buf);
	if (r == -EPIPE)
		send_sigpipe();
	return done ? (ssize_t_)done : r;
}

static bool own_position(const struct file *file) { return file->seq; }

/* A transfer at a position of its own, for pread(2) and pwrite(2) on a regular file. */
static ssize_t_ transfer_at(struct file *file, struct iter *it, uint64_t *pos, bool write)
{
	struct hostio *h = file->inode->private;
	mutex_lock(&hostios.seek_lock);
	int64_t old = hostcall3(HC_IO_SEEK, h->io, 0, SEEK_CUR);
	int64_t r = old < 0 ? old : hostcall3(HC_IO_SEEK, h->io, *pos, SEEK_SET);
	if (r >= 0) {
		r = transfer(file, it, write);
		if (r > 0)
			*pos += r;
		hostcall3(HC_IO_SEEK, h->io, old, SEEK_SET);
	}
	mutex_unlock(&hostios.seek_lock);
	return r;
}

static ssize_t_ stream_read(struct file *file, struct iter *to, uint64_t *pos)
{
	return transfer(file, to, false);
}

static ssize_t_ stream_write(struct file *file, struct iter *from, uint64_t *pos)
{
	return transfer(file, from, true);
}

static ssize_t_ regular_rw(struct file *file, struct iter *it, uint64_t *pos, bool write)
{
	struct hostio *h = file->inode->private;
	if (pos != &file->pos || own_position(file))
		return transfer_at(file, it, pos, write);
	mutex_lock(&hostios.seek_lock);
	/* The host's position leads, since others may share it, unless this file was told to be elsewhere. */
	int64_t n = *pos != h->last_pos ? hostcall3(HC_IO_SEEK, h->io, *pos, SEEK_SET) : 0;
	if (n >= 0)
		n = transfer(file, it, write);
	if (n > 0)
		*pos += n;
	h->last_pos = *pos;
	mutex_unlock(&hostios.seek_lock);
	return n;
}

static ssize_t_ regular_read(struct file *file, struct iter *to, uint64_t *pos)
{
	return regular_rw(file, to, pos, false);
}

static ssize_t_ regular_write(struct file *file, struct iter *from, uint64_t *pos)
{
	return regular_rw(file, from, pos, true);
}

static int hostio_getattr(struct inode *inode, struct kstat *st);

static int64_t regular_llseek(struct file *file, int64_t off, int whence)
{
	struct hostio *h = file->inode->private;
	if (own_position(file)) {
		struct kstat st;
		int e = hostio_getattr(file->inode, &st);
		return e ? e : file_default_llseek(file, off, whence);
	}
	int64_t r = hostcall3(HC_IO_SEEK, h->io, off, whence);
	if (r >= 0)
		file->pos = h->last_pos = r;
	return r;
}

static uint32_t hostio_poll(struct file *file, struct poll_table *pt)
{
	struct hostio *h = file->inode->private;
	poll_wait(file, &h->wait, pt);
	uint32_t want = pt && pt->events ? pt->events : EPOLLIN | EPOLLOUT;
	want &= EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP;
	int64_t now = hostcall1(HC_IO_POLL, h->io);
	if (now < 0)
		return EPOLLERR;
	if (!((uint32_t)now & (want | EPOLLERR | EPOLLHUP)))
		hostio_arm(h, want);
	uint32_t ev = (uint32_t)now;
	return ev | (ev & EPOLLIN ? EPOLLRDNORM : 0) | (ev & EPOLLOUT ? EPOLLWRNORM : 0);
}

bool hostio_is_tty(struct hostio *h)
{
	struct termios t;
	return S_ISCHR(h->mode) && hostcall3(HC_IO_TTY, h->io, TCGETS, &t) >= 0;
}

/* The ioctls that a terminal of the host answers for us. */
static int64_t stream_ioctl(struct file *file, uint32_t cmd, uint64_t arg)
{
	struct hostio *h = file->inode->private;
	struct termios t;
	int64_t r;
	if (!S_ISCHR(h->mode))
		return -ENOTTY;
	switch (cmd) {
	case TCGETS:
	case TIOCGWINSZ:
		memset(&t, 0, sizeof(t));
		r = hostcall3(HC_IO_TTY, h->io, cmd, &t);
		return r < 0 ? r : copy_out(uva(arg), &t, cmd == TCGETS ? sizeof(t) : 8);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
	case TIOCSWINSZ:
		memset(&t, 0, sizeof(t));
		if (copy_in(&t, uva(arg), cmd == TIOCSWINSZ ? 8 : sizeof(t)))
			return -EFAULT;
		r = hostcall3(HC_IO_TTY, h->io, cmd, &t);
		return r < 0 ? r : 0;
	default:
		return -ENOTTY;
	}
}

/* open(2) of /proc/self/fd/N or /dev/stdout: another file of the same descriptor. */
static int hostio_reopen(struct inode *inode, struct file *file)
{
	file->seq = 1; /* see own_position() */
	return inode->private ? 0 : -ENXIO;
}

static const struct file_ops stream_fops = {
	.open = hostio_reopen,
	.read = stream_read,
	.write = stream_write,
	.poll = hostio_poll,
	.ioctl = stream_ioctl,
	.no_seek = true,
};

static const struct file_ops regular_fops = {
	.open = hostio_reopen,
	.read = regular_read,
	.write = regular_write,
	.llseek = regular_llseek,
	.shared_pos = true,
};

/* ---- inodes ---- */
static void fill(struct inode *inode, const struct hc_attr *a)
{
	inode->mode = a->mode;
	inode->uid = a->uid;
	inode->gid = a->gid;
	inode->nlink = a->nlink;
	inode->size = a->size;
	inode->blocks = a->blocks;
	inode->ino = a->ino;
	inode->rdev = MKDEV(a->rdev_major, a->rdev_minor);
	inode->atime = (struct timespec64){a->atime_sec, a->atime_nsec};
	inode->mtime = (struct timespec64){a->mtime_sec, a->mtime_nsec};
	inode->ctime = (struct timespec64){a->ctime_sec, a->ctime_nsec};
}

static int hostio_getattr(struct inode *inode, struct kstat *st)
{
	struct hostio *h = inode->private;
	struct hc_attr a;
	if (h && hostcall2(HC_IO_STAT, h->io, &a) >= 0 && (a.mode & S_IFMT) == (inode->mode & S_IFMT)) {
		a.mode = inode->mode;
		a.uid = inode->uid;
		a.gid = inode->gid;
		fill(inode, &a);
	}
	memset(st, 0, sizeof(*st));
	st->ino = inode->ino;
	st->dev = inode->sb->dev;
	st->rdev = inode->rdev;
	st->size = inode->size;
	st->blocks = inode->blocks;
	st->mode = inode->mode;
	st->nlink = inode->nlink;
	st->uid = inode->uid;
	st->gid = inode->gid;
	st->blksize = 4096;
	st->atime = inode->atime;
	st->mtime = inode->mtime;
	st->ctime = inode->ctime;
	return 0;
}

/* Owner and mode are the container's view and stay inside; the host's file is not ours to change. */
static int hostio_setattr(struct inode *inode, struct iattr *attr)
{
	/* There is no call to cut a host's file; opening one anew (> /dev/stderr) writes from its start. */
	if (attr->valid & ATTR_SIZE)
		return attr->valid & ATTR_FORCE ? 0 : -EINVAL;
	if (attr->valid & ATTR_MODE)
		inode->mode = (inode->mode & S_IFMT) | (attr->mode & 07777);
	if (attr->valid & ATTR_UID)
		inode->uid = attr->uid;
	if (attr->valid & ATTR_GID)
		inode->gid = attr->gid;
	return 0;
}

static const struct inode_ops hostio_iops = {.getattr = hostio_getattr, .setattr = hostio_setattr};

static void hostio_evict(struct inode *inode)
{
	if (inode->private)
		hostio_release(inode->private);
}

static const struct super_ops hostio_super_ops = {.evict_inode = hostio_evict};
static const struct fs_type hostio_type = {.name = "hostio", .nodev = true};

void hostio_release(struct hostio *h)
{
	uint32_t io = h->io;
	spin_lock(&hostios.lock);
	h->used = false;
	h->on_event = NULL;
	spin_unlock(&hostios.lock);
	/* From here on the host may give the number to another descriptor. */
	hostcall1(HC_IO_CLOSE, io);
}

/* The object of a number, unused. */
static struct hostio *object_of(uint32_t io)
{
	struct hostio *h = atomic_load(&hostios.io[io]);
	if (h)
		return h;
	h = kzalloc(sizeof(*h));
	if (!h)
		return NULL;
	h->io = io;
	spin_init(&h->lock);
	wait_queue_init(&h->wait);
	if (!atomic_cas(&hostios.io[io], NULL, h))
		kfree(h);
	return hostios.io[io];
}

struct hostio *hostio_get(uint32_t io, struct hc_attr *a)
{
	if (io >= HOSTIO_MAX)
		return ERR_PTR(-EBADF);
	int64_t r = hostcall2(HC_IO_STAT, io, a);
	if (r < 0)
		return ERR_PTR(r);
	struct hostio *h = object_of(io);
	if (!h)
		return ERR_PTR(-ENOMEM);
	if (READ_ONCE(h->used))
		return h;
	spin_lock(&h->lock);
	h->armed = h->ready = 0;
	h->private = NULL;
	h->last_pos = 0;
	h->mode = a->mode;
	h->host_rdev = MKDEV(a->rdev_major, a->rdev_minor);
	h->host_dev = a->dev;
	h->host_ino = a->ino;
	spin_unlock(&h->lock);
	atomic_store(&h->used, true);
	return h;
}

static uint32_t open_mode(const struct hostio *h, int fd)
{
	if (!S_ISREG(h->mode) && !S_ISFIFO(h->mode))
		return O_RDWR;
	return fd == 0 ? O_RDONLY : fd <= 2 ? O_WRONLY : O_RDWR;
}

/* The Sentry's own device in place of the host's /dev/null and its kin. */
static struct file *open_mem_device(struct inode *inode, const char *name)
{
	struct file *f = file_from_inode(inode, name, NULL, NULL, O_RDWR);
	if (!f)
		return NULL;
	int r = chrdev_open(inode, f);
	if (r) {
		f->ops = NULL;
		pr_warn("host device %u:%u as stdio: %d", DEV_MAJOR(inode->rdev), DEV_MINOR(inode->rdev), -r);
	}
	return f;
}

static struct inode *new_inode(struct hostio *h, const struct hc_attr *a)
{
	struct super_block *sb = super_once(&hostios.sb, &hostio_type, &hostio_super_ops, 0x686f7374);
	struct inode *inode = sb ? inode_alloc(sb) : NULL;
	if (!inode)
		return NULL;
	inode->ops = &hostio_iops;
	fill(inode, a);
	return inode;
}

struct file *hostio_open(struct hostio *h, const struct hc_attr *a, int fd)
{
	char name[16];
	struct inode *inode = new_inode(h, a);
	if (!inode) {
		hostio_release(h);
		return ERR_PTR(-ENOMEM);
	}
	/* The VFS adds "[ino]" to a name with a colon. */
	const char *kind = S_ISFIFO(a->mode) ? "pipe" : S_ISSOCK(a->mode) ? "socket" : S_ISREG(a->mode) ? "file" : "host";
	snprintf(name, sizeof(name), "%s:", kind);
	bool mem = S_ISCHR(a->mode) && a->rdev_major == MEM_MAJOR;
	inode->fops = mem ? NULL : S_ISREG(a->mode) ? &regular_fops : &stream_fops;
	inode->private = mem ? NULL : h;
	struct file *f = mem ? open_mem_device(inode, name)
	                     : file_from_inode(inode, name, inode->fops, NULL, open_mode(h, fd));
	if (mem)
		hostio_release(h);
	if (!f) {
		inode_put(inode);
		return ERR_PTR(-ENOMEM);
	}
	if (S_ISREG(a->mode)) {
		int64_t at = hostcall3(HC_IO_SEEK, h->io, 0, SEEK_CUR);
		f->pos = h->last_pos = at > 0 ? (uint64_t)at : 0;
	}
	return f;
}
