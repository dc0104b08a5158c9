// SPDX-License-Identifier: Apache-2.0
/*
 * Hostcalls of the stdio family: inherited descriptors.
 *
 * Their open file descriptions are shared with whoever started runsc, so O_NONBLOCK is never set on them. Instead, in
 * this order: sockets use MSG_DONTWAIT; pipes and terminals are opened once more (non-blocking, a description of our
 * own) before the root is emptied, or by who sends them, where /proc allows it; else RWF_NOWAIT; else the descriptor is
 * polled first and little is written at a time. Regular files and memory devices never block.
 */
#define _GNU_SOURCE
#include "vmm/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <syslog.h>
#include <termios.h>
#include <unistd.h>

#include "oci/gofer/fsops.h"
#include "vmm/events.h"
#include "vmm/hostcall.h"
#include "vmm/terminal.h"
#include "vmm/vcpu.h"
#include "vmm/vmm_impl.h"

enum io_kind { IO_FILE, IO_SOCKET, IO_STREAM };

/* An entry is in use while fd >= 0; users keep the descriptors from being closed under them. */
struct io {
	int fd;            /* the inherited descriptor; protected by io_lock */
	int own;           /* a non-blocking description of our own, or -1 */
	enum io_kind kind;
	bool try_nowait;   /* RWF_NOWAIT may work; only ever cleared */
	bool nonblocking;  /* the descriptor is so already; its sender made it for us */
	bool closing;      /* protected by io_lock */
	unsigned users;    /* protected by io_lock */
};

static pthread_mutex_t io_lock = PTHREAD_MUTEX_INITIALIZER;
static struct io ios[IO_MAX];
static unsigned nr_ios; /* entries from here on were never used; protected by io_lock */

static int reopen(int fd)
{
	char path[32];
	int mode = fcntl(fd, F_GETFL);

	if (mode < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, (mode & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void vmm_prepare_io(struct vmm_config *cfg)
{
	for (unsigned i = 0; i < cfg->nr_io; i++) {
		struct stat st;

		cfg->io_own[i] = -1;
		if (cfg->io_fd[i] < 0 || fstat(cfg->io_fd[i], &st))
			continue;
		if (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && major(st.st_rdev) != 1))
			cfg->io_own[i] = reopen(cfg->io_fd[i]);
	}
}

static void describe(struct io *io, int fd, int own)
{
	struct hc_attr at;
	int flags = fcntl(fd, F_GETFL);

	*io = (struct io){ .fd = fd, .own = own, .kind = IO_STREAM, .try_nowait = true };
	io->nonblocking = flags >= 0 && (flags & O_NONBLOCK);
	if (fsops_stat(fd, "", &at))
		return;
	if (S_ISREG(at.mode) || S_ISBLK(at.mode) || S_ISDIR(at.mode) || (S_ISCHR(at.mode) && at.rdev_major == 1))
		io->kind = IO_FILE;
	else if (S_ISSOCK(at.mode))
		io->kind = IO_SOCKET;
}

int io_init(const int *fds, const int *own, unsigned n)
{
	if (n > IO_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++) {
		ios[i].fd = ios[i].own = -1;
		if (fds[i] >= 0)
			describe(&ios[i], fds[i], own[i]);
	}
	nr_ios = n;
	return terminal_init(n ? fds[0] : -1);
}

int io_add(int fd)
{
	int n = -EMFILE;

	pthread_mutex_lock(&io_lock);
	for (unsigned i = 0; i < IO_MAX; i++) {
		if (i == nr_ios || ios[i].fd < 0) {
			describe(&ios[i], fd, -1);
			nr_ios += i == nr_ios;
			n = i;
			break;
		}
	}
	pthread_mutex_unlock(&io_lock);
	return n;
}

static struct io *io_get(uint64_t n)
{
	struct io *io = NULL;

	if (n >= IO_MAX)
		return NULL;
	pthread_mutex_lock(&io_lock);
	if (n < nr_ios && ios[n].fd >= 0 && !ios[n].closing) {
		io = &ios[n];
		io->users++;
	}
	pthread_mutex_unlock(&io_lock);
	return io;
}

/* Caller holds io_lock. */
static void release_if_unused(struct io *io)
{
	if (!io->closing || io->users)
		return;
	if (io->own >= 0)
		close(io->own);
	close(io->fd);
	io->fd = io->own = -1;
	io->closing = false;
}

static void io_put(struct io *io)
{
	pthread_mutex_lock(&io_lock);
	io->users--;
	release_if_unused(io);
	pthread_mutex_unlock(&io_lock);
}

static int usable_fd(const struct io *io) { return io->own >= 0 ? io->own : io->fd; }

static uint32_t ready_events(const struct io *io, uint32_t events)
{
	struct pollfd p = { .fd = usable_fd(io), .events = events };

	if (io->kind == IO_FILE)
		return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
	/* A kick interrupts it even without a time to wait. */
	while (poll(&p, 1, 0) < 0)
		if (errno != EINTR)
			return EPOLLERR;
	return p.revents;
}

/* ---- reading and writing ---------------------------------------------------------------------------------- */

static int get_iovecs(struct iovec *iov, uint64_t addr, uint64_t n)
{
	struct hc_iov in[HC_IOV_MAX];
	uint64_t total = 0;

	if (n > HC_IOV_MAX)
		return -EINVAL;
	if (hc_copy_in(in, addr, n * sizeof(in[0])))
		return -EFAULT;
	for (uint64_t i = 0; i < n; i++) {
		iov[i].iov_base = hc_ram_range(in[i].addr, in[i].len);
		iov[i].iov_len = in[i].len;
		if (!iov[i].iov_base)
			return -EFAULT;
		total += in[i].len;
		if (total > INT32_MAX)
			return -EINVAL;
	}
	return 0;
}

static ssize_t transfer(int fd, struct iovec *iov, int n, bool write, int flags)
{
	return write ? pwritev2(fd, iov, n, -1, flags) : preadv2(fd, iov, n, -1, flags);
}

/* Cuts the vector to limit bytes. */
static int shorten(struct iovec *iov, int n, size_t limit)
{
	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len >= limit) {
			iov[i].iov_len = limit;
			return i + 1;
		}
		limit -= iov[i].iov_len;
	}
	return n;
}

static int64_t stream_transfer(struct io *io, struct iovec *iov, int n, bool write)
{
	uint32_t want = write ? POLLOUT : POLLIN;
	ssize_t rc;

	if (io->own >= 0 || io->nonblocking) {
		rc = transfer(usable_fd(io), iov, n, write, 0);
		return rc < 0 ? -errno : rc;
	}
	if (io->try_nowait) {
		rc = transfer(io->fd, iov, n, write, RWF_NOWAIT);
		if (rc >= 0 || (errno != EOPNOTSUPP && errno != EINVAL && errno != ESPIPE && errno != ENOSYS))
			return rc < 0 ? -errno : rc;
		io->try_nowait = false;
	}
	if (!(ready_events(io, want) & (want | POLLHUP | POLLERR | POLLNVAL)))
		return -EAGAIN;
	/* A writable pipe has room for a page; a writable terminal for a little. */
	if (write)
		n = shorten(iov, n, isatty(io->fd) ? 256 : 4096);
	rc = transfer(io->fd, iov, n, write, 0);
	return rc < 0 ? -errno : rc;
}

static int64_t socket_transfer(struct io *io, struct iovec *iov, int n, bool write)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t rc = write ? sendmsg(io->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) : recvmsg(io->fd, &m, MSG_DONTWAIT);

	return rc < 0 ? -errno : rc;
}

static int64_t io_transfer(const uint64_t a[6], bool write)
{
	struct iovec iov[HC_IOV_MAX];
	int64_t rc = get_iovecs(iov, a[1], a[2]);
	struct io *io;

	if (rc)
		return rc;
	io = io_get(a[0]);
	if (!io)
		return -EBADF;
	switch (io->kind) {
	case IO_SOCKET:
		rc = socket_transfer(io, iov, a[2], write);
		break;
	case IO_STREAM:
		rc = stream_transfer(io, iov, a[2], write);
		break;
	default:
		rc = transfer(io->fd, iov, a[2], write, 0);
		if (rc < 0)
			rc = -errno;
	}
	io_put(io);
	return rc;
}

int64_t hc_IO_READ(struct vmm_vcpu *v, const uint64_t a[6]) { return io_transfer(a, false); }
int64_t hc_IO_WRITE(struct vmm_vcpu *v, const uint64_t a[6]) { return io_transfer(a, true); }

/* ---- attributes, readiness, terminals ---------------------------------------------------------------------- */

int64_t hc_IO_STAT(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct io *io = io_get(a[0]);
	struct hc_attr attr;
	int rc;

	if (!io)
		return -EBADF;
	rc = fsops_stat(io->fd, "", &attr);
	attr.mount_flags = fcntl(io->fd, F_GETFL);
	io_put(io);
	return rc ? rc : hc_copy_out(a[1], &attr, sizeof(attr));
}

int64_t hc_IO_WATCH(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct io *io = io_get(a[0]);
	int rc;

	if (!io)
		return -EBADF;
	rc = events_watch_io(usable_fd(io), a[0], a[1]);
	if (rc == -EPERM) {
		/* Not pollable, so always ready. */
		event_post(EV_IO, a[0], (a[1] & (EPOLLIN | EPOLLOUT)) ? a[1] & (EPOLLIN | EPOLLOUT) : EPOLLIN | EPOLLOUT);
		rc = 0;
	}
	io_put(io);
	return rc;
}

void io_event(unsigned io, uint32_t events)
{
	event_post(EV_IO, io, events);
}

int64_t hc_IO_POLL(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct io *io = io_get(a[0]);
	uint32_t events;

	if (!io)
		return -EBADF;
	events = ready_events(io, POLLIN | POLLPRI | POLLOUT | POLLRDHUP);
	io_put(io);
	return events;
}

static int64_t tty_get(int fd, uint64_t op, uint64_t buf)
{
	union {
		uint8_t termios[36]; /* the kernel's struct termios, not glibc's */
		struct winsize ws;
	} u;
	size_t size = op == TCGETS ? sizeof(u.termios) : sizeof(u.ws);

	if (ioctl(fd, op, &u))
		return -errno;
	return hc_copy_out(buf, &u, size);
}

static int64_t tty_set(int fd, unsigned io, uint64_t op, uint64_t buf)
{
	union {
		uint8_t termios[36];
		struct winsize ws;
	} u;

	if (hc_copy_in(&u, buf, op == TIOCSWINSZ ? sizeof(u.ws) : sizeof(u.termios)))
		return -EFAULT;
	/* Those of the container itself; others are put back by whoever sent them. */
	if (op != TIOCSWINSZ && io < vmm.cfg.nr_io)
		terminal_save(fd, io);
	return ioctl(fd, op, &u) ? -errno : 0;
}

int64_t hc_IO_TTY(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct io *io = io_get(a[0]);
	int64_t rc;

	if (!io)
		return -EBADF;
	switch (a[1]) {
	case TCGETS:
	case TIOCGWINSZ:
		rc = tty_get(io->fd, a[1], a[2]);
		break;
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
	case TIOCSWINSZ:
		rc = tty_set(io->fd, a[0], a[1], a[2]);
		break;
	default:
		rc = -EINVAL;
	}
	io_put(io);
	return rc;
}

int64_t hc_IO_SEEK(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct io *io = io_get(a[0]);
	int64_t rc;

	if (!io)
		return -EBADF;
	rc = lseek(io->fd, (off_t)a[1], (int)a[2]);
	if (rc < 0)
		rc = -errno;
	io_put(io);
	return rc;
}

void io_drop(unsigned n)
{
	struct io *io = io_get(n);

	if (!io)
		return;
	events_unwatch(usable_fd(io));
	pthread_mutex_lock(&io_lock);
	io->closing = true;
	pthread_mutex_unlock(&io_lock);
	io_put(io);
}

int64_t hc_IO_CLOSE(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct io *io = io_get(a[0]);

	if (!io)
		return -EBADF;
	io_drop(a[0]);
	io_put(io);
	return 0;
}
