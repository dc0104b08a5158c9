// SPDX-License-Identifier: Apache-2.0
/* The control server. The main thread receives, vCPU threads take requests and send replies. */
#define _GNU_SOURCE
#include "vmm/control.h"

#include <errno.h>
#include <libfdt.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "abi/control.h"
#include "vmm/events.h"
#include "vmm/file_mounts.h"
#include "vmm/hostcall.h"
#include "vmm/io.h"
#include "vmm/stats.h"
#include "vmm/vcpu.h"
#include "vmm/vmm_impl.h"

#define MAX_CONNS    1024 /* each running exec keeps one */
#define MAX_REQUESTS 1536
#define MAX_FDS      64              /* descriptors for the container in one request */
#define MAX_RECEIVED (MAX_FDS + 1 + VMM_MAX_MOUNTS)
#define ROOM         1024      /* for the properties that the server adds */

/* A request lives from its arrival until its reply or the end of its connection. */
struct request {
	uint32_t id;    /* 0: free */
	int conn;       /* index, or -1 when the client has gone */
	bool gone;      /* it has, and the Sentry is to be told */
	void *data;     /* the tree while it is queued, else NULL */
	int len;
	/* What belongs to the request while it is queued: */
	int io[MAX_FDS];
	unsigned nr_io;
	uint32_t mount; /* number of the first mount */
	unsigned nr_mounts;
};

static struct {
	pthread_mutex_t lock;
	int listen_fd;
	int conn[MAX_CONNS];              /* protected by lock; -1: free */
	struct request req[MAX_REQUESTS]; /* protected by lock; queued ones are taken in order of id */
	unsigned nr_conn, nr_req;         /* entries from here on were never used; protected by lock */
	uint32_t next_id;
} ctl = { .lock = PTHREAD_MUTEX_INITIALIZER, .listen_fd = -1, .next_id = 1 };

/* Receive buffer, used by the main thread only. */
static uint8_t *rx;

int control_init(int listen_fd)
{
	ctl.listen_fd = listen_fd;
	return listen_fd < 0 ? 0 : events_watch_control(listen_fd, CONTROL_LISTENER);
}

/* ---- connections --------------------------------------------------------------------------------------------- */

static void request_free(struct request *r)
{
	for (unsigned i = 0; i < r->nr_io; i++)
		io_drop(r->io[i]);
	for (unsigned i = 0; i < r->nr_mounts; i++)
		if (file_mount_drop(r->mount + i))
			vmm_log(LOG_DEBUG, "a mount of a request that was not taken is gone");
	free(r->data);
	*r = (struct request){ 0 };
}

static void conn_close(unsigned index)
{
	bool tell = false;

	pthread_mutex_lock(&ctl.lock);
	for (unsigned i = 0; i < ctl.nr_req; i++) {
		struct request *r = &ctl.req[i];
		if (!r->id || r->conn != (int)index)
			continue;
		if (r->data) {
			request_free(r); /* the Sentry never saw it */
		} else {
			r->conn = -1;
			r->gone = tell = true;
		}
	}
	events_unwatch(ctl.conn[index]);
	close(ctl.conn[index]);
	ctl.conn[index] = -1;
	pthread_mutex_unlock(&ctl.lock);
	if (tell)
		event_post(EV_CONTROL, 0, 0);
}

static void conn_accept(void)
{
	int fd = accept4(ctl.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	unsigned i;

	if (fd < 0)
		return;
	for (i = 0; i < ctl.nr_conn && ctl.conn[i] >= 0; i++)
		;
	if (i == MAX_CONNS) {
		vmm_log(LOG_WARNING, "control: too many connections");
		close(fd);
		return;
	}
	pthread_mutex_lock(&ctl.lock);
	ctl.conn[i] = fd;
	if (i == ctl.nr_conn)
		ctl.nr_conn++;
	pthread_mutex_unlock(&ctl.lock);
	if (events_watch_control(fd, i))
		conn_close(i);
}

static void send_tree(int fd, const void *fdt, size_t len)
{
	struct iovec iov = { .iov_base = (void *)fdt, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		vmm_log(LOG_WARNING, "control: cannot send a reply of %zu bytes: %s", len, strerror(errno));
}

static void send_error(int fd, int error, const char *message)
{
	uint8_t buf[512];

	if (fdt_create(buf, sizeof(buf)) || fdt_finish_reservemap(buf) || fdt_begin_node(buf, "") ||
	    fdt_property_u32(buf, "error", error) || fdt_property_string(buf, "message", message) ||
	    fdt_end_node(buf) || fdt_finish(buf))
		return;
	send_tree(fd, buf, fdt_totalsize(buf));
}

static void send_state(int fd)
{
	uint8_t buf[512];

	if (fdt_create(buf, sizeof(buf)) || fdt_finish_reservemap(buf) || fdt_begin_node(buf, "") ||
	    fdt_property_u32(buf, "error", 0) || fdt_property_string(buf, "status", "running") ||
	    fdt_property_u32(buf, "pid", vmm.pid) || fdt_end_node(buf) || fdt_finish(buf))
		return;
	send_tree(fd, buf, fdt_totalsize(buf));
}

static void send_stats(int fd)
{
	void *fdt = stats_tree();

	if (!fdt) {
		send_error(fd, -ENOMEM, "no memory for the counters");
		return;
	}
	send_tree(fd, fdt, fdt_totalsize(fdt));
	free(fdt);
}

/* ---- requests ------------------------------------------------------------------------------------------------ */

static void close_fds(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

/* Turns descriptors into io numbers; on failure everything is closed. */
static int adopt_fds(struct request *r, const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int io = i < MAX_FDS ? io_add(fds[i]) : -E2BIG;
		if (io < 0) {
			close_fds(fds + i, n - i);
			return io;
		}
		r->io[r->nr_io++] = io;
	}
	return 0;
}

/* "create": first of all come the socket of its gofer and, with directfs, a descriptor per mount; mount-flags = <u32>*.
 * Takes them over, and steps over them. */
static int adopt_mounts(struct request *r, const void *fdt, const int **fds, unsigned *n)
{
	bool directfs = fdt_getprop(fdt, 0, "directfs", NULL);
	uint32_t flags[VMM_MAX_MOUNTS];
	const fdt32_t *given;
	unsigned count, wanted;
	int64_t first;
	int len;

	given = fdt_getprop(fdt, 0, "mount-flags", &len);
	count = given ? len / sizeof(*given) : 0;
	wanted = 1 + (directfs ? count : 0);
	if (!count || count > VMM_MAX_MOUNTS || *n < wanted || directfs != vmm.cfg.directfs) {
		close_fds(*fds, *n);
		return -EINVAL;
	}
	for (unsigned i = 0; i < count; i++)
		flags[i] = fdt32_ld(given + i);
	first = file_mounts_add((*fds)[0], directfs ? *fds + 1 : NULL, flags, count);
	*fds += wanted;
	*n -= wanted;
	if (first < 0) {
		close_fds(*fds, *n);
		return first;
	}
	r->mount = first;
	r->nr_mounts = count;
	return 0;
}

static bool is_type(const void *fdt, const char *wanted)
{
	int len;
	const char *type = fdt_getprop(fdt, 0, "type", &len);

	return type && len == (int)strlen(wanted) + 1 && !memcmp(type, wanted, len);
}

/* The tree as the Sentry gets it: with id, io numbers and mount numbers. */
static int prepare_tree(struct request *r, const void *fdt)
{
	fdt32_t io[MAX_FDS];
	int size = fdt_totalsize(fdt) + ROOM, rc;

	r->data = malloc(size);
	if (!r->data)
		return -ENOMEM;
	for (unsigned i = 0; i < r->nr_io; i++)
		io[i] = cpu_to_fdt32(r->io[i]);
	rc = fdt_open_into(fdt, r->data, size);
	if (!rc)
		rc = fdt_setprop_u32(r->data, 0, "id", r->id);
	if (!rc && r->nr_io)
		rc = fdt_setprop(r->data, 0, "io", io, r->nr_io * sizeof(io[0]));
	if (!rc && r->nr_mounts)
		rc = fdt_setprop_u32(r->data, 0, "mount-base", r->mount);
	if (!rc)
		rc = fdt_pack(r->data);
	if (rc)
		return -EINVAL;
	r->len = fdt_totalsize(r->data);
	return r->len <= CTL_MESSAGE_MAX ? 0 : -EMSGSIZE;
}

/* Takes the descriptors. */
static int enqueue(unsigned conn, const void *fdt, const int *fds, unsigned nr_fds)
{
	struct request *r = NULL;
	int rc;

	pthread_mutex_lock(&ctl.lock);
	for (unsigned i = 0; i < MAX_REQUESTS && !r; i++)
		if (i == ctl.nr_req || !ctl.req[i].id)
			r = &ctl.req[i];
	if (!r) {
		pthread_mutex_unlock(&ctl.lock);
		close_fds(fds, nr_fds);
		return -EBUSY;
	}
	if (r == &ctl.req[ctl.nr_req])
		ctl.nr_req++;
	*r = (struct request){ .id = ctl.next_id++, .conn = conn };
	if (!ctl.next_id)
		ctl.next_id = 1;
	rc = is_type(fdt, "create") ? adopt_mounts(r, fdt, &fds, &nr_fds) : 0;
	if (!rc)
		rc = adopt_fds(r, fds, nr_fds);
	if (!rc)
		rc = prepare_tree(r, fdt);
	if (rc)
		request_free(r);
	pthread_mutex_unlock(&ctl.lock);
	if (!rc)
		event_post(EV_CONTROL, 0, 0);
	return rc;
}

/* Of old versions of the format libfdt 1.6 takes for granted that a root has a path for a name. */
static bool is_tree(const void *fdt, int len)
{
	return len >= (int)sizeof(struct fdt_header) && fdt_version(fdt) >= 16 && !fdt_check_full(fdt, len);
}

static void handle(unsigned conn, int len, const int *fds, unsigned nr_fds)
{
	int fd = ctl.conn[conn], rc;

	/* Aligned and checked as a whole: fdt_check_full walks every token. */
	if (!is_tree(rx, len)) {
		close_fds(fds, nr_fds);
		send_error(fd, -EINVAL, "the request is not a device tree");
		return;
	}
	if (is_type(rx, "state")) {
		close_fds(fds, nr_fds);
		send_state(fd);
		return;
	}
	if (is_type(rx, "stats")) {
		close_fds(fds, nr_fds);
		send_stats(fd);
		return;
	}
	rc = enqueue(conn, rx, fds, nr_fds);
	if (rc)
		send_error(fd, rc, "the sandbox cannot take the request");
}

static void receive(unsigned conn)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(MAX_RECEIVED * sizeof(int))];
	} c;
	struct iovec iov;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof(c.buf) };
	int fds[MAX_RECEIVED];
	unsigned nr_fds = 0;
	ssize_t len;

	if (!rx)
		rx = malloc(CTL_MESSAGE_MAX);
	if (!rx) {
		conn_close(conn);
		return;
	}
	iov = (struct iovec){ rx, CTL_MESSAGE_MAX };
	len = recvmsg(ctl.conn[conn], &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	for (struct cmsghdr *h = len >= 0 ? CMSG_FIRSTHDR(&m) : NULL; h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		nr_fds = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(h), nr_fds * sizeof(int));
	}
	if (len <= 0) {
		close_fds(fds, nr_fds);
		conn_close(conn);
	} else if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		close_fds(fds, nr_fds);
		send_error(ctl.conn[conn], -EMSGSIZE, "the request is too long");
	} else {
		handle(conn, len, fds, nr_fds);
	}
}

void control_event(uint32_t index, uint32_t events)
{
	if (index == CONTROL_LISTENER)
		conn_accept();
	else if (index < ctl.nr_conn && ctl.conn[index] >= 0)
		receive(index);
}

/* ---- hostcalls ------------------------------------------------------------------------------------------------- */

/* Of a connection that has closed. Caller holds the lock. */
static int64_t next_gone(uint64_t addr, uint64_t size)
{
	uint8_t buf[256];
	int64_t rc;

	for (unsigned i = 0; i < ctl.nr_req; i++) {
		struct request *r = &ctl.req[i];
		if (!r->id || !r->gone)
			continue;
		if (fdt_create(buf, sizeof(buf)) || fdt_finish_reservemap(buf) || fdt_begin_node(buf, "") ||
		    fdt_property_string(buf, "type", "closed") || fdt_property_u32(buf, "request", r->id) ||
		    fdt_end_node(buf) || fdt_finish(buf))
			return -EIO;
		rc = fdt_totalsize(buf);
		if ((uint64_t)rc > size)
			return -EMSGSIZE;
		if (hc_copy_out(addr, buf, rc))
			return -EFAULT;
		r->gone = false;
		return rc;
	}
	return 0;
}

int64_t hc_CTL_NEXT(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct request *r = NULL;
	int64_t rc = 0;

	pthread_mutex_lock(&ctl.lock);
	for (unsigned i = 0; i < ctl.nr_req; i++) {
		struct request *q = &ctl.req[i];
		if (q->id && q->data && (!r || (int32_t)(q->id - r->id) < 0))
			r = q;
	}
	if (!r) {
		rc = next_gone(a[0], a[1]);
	} else {
		if ((uint64_t)r->len > a[1])
			rc = -EMSGSIZE;
		else
			rc = hc_copy_out(a[0], r->data, r->len);
		if (!rc) {
			rc = r->len;
			free(r->data);
			r->data = NULL;
			r->nr_io = r->nr_mounts = 0; /* the Sentry's now */
		}
	}
	pthread_mutex_unlock(&ctl.lock);
	return rc;
}

int64_t hc_CTL_REPLY(struct vmm_vcpu *v, const uint64_t a[6])
{
	int64_t rc = -ENOENT;
	uint8_t *copy;

	if (a[2] > CTL_MESSAGE_MAX)
		return -EMSGSIZE;
	copy = malloc(a[2] ? a[2] : 1);
	if (!copy)
		return -ENOMEM;
	if (hc_copy_in(copy, a[1], a[2])) {
		free(copy);
		return -EFAULT;
	}
	pthread_mutex_lock(&ctl.lock);
	for (unsigned i = 0; i < ctl.nr_req; i++) {
		struct request *r = &ctl.req[i];
		if (!a[0] || r->id != a[0] || r->data)
			continue;
		rc = 0;
		if (r->conn >= 0)
			send_tree(ctl.conn[r->conn], copy, a[2]);
		if (!a[3])
			request_free(r);
		break;
	}
	pthread_mutex_unlock(&ctl.lock);
	free(copy);
	return rc;
}
