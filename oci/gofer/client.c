/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox's side of the gofer socket. One request is under way at a time. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/gofer/proto.h"

static pthread_mutex_t call_lock = PTHREAD_MUTEX_INITIALIZER; /* request and answer belong together */

struct error *gofer_receive_mounts(int sock, unsigned n, int *fds, uint32_t *flags)
{
	struct proto_mounts m = {0};
	unsigned nfds = n;
	int64_t r = proto_receive(sock, &m, sizeof(m), NULL, 0, fds, &nfds);

	if (r < 0)
		return error_errno(r, "cannot take the mounts from the gofer");
	if (r == 0)
		return error_new("the gofer has ended");
	if (r != sizeof(m) || m.n != n || (nfds && nfds != n))
		return error_new("the gofer offers other mounts than were asked for");
	for (unsigned i = 0; i < n; i++)
		if (m.is_file[i])
			flags[i] |= VMM_MOUNT_FILE;
	return NULL;
}

static void encode(const struct fs_request *req, uint32_t dir, uint32_t dir2, uint32_t want, struct proto_request *p)
{
	memset(p, 0, sizeof(*p));
	p->op = req->op;
	p->flags = req->flags;
	p->dir = dir;
	p->dir2 = dir2;
	p->cookie = req->cookie;
	p->mode = req->mode;
	p->uid = req->uid;
	p->gid = req->gid;
	p->rdev_major = req->rdev_major;
	p->rdev_minor = req->rdev_minor;
	p->xattr_op = req->xattr_op;
	p->xattr_flags = req->xattr_flags;
	p->data_len = req->data_len;
	p->want = want < PROTO_DATA_MAX ? want : PROTO_DATA_MAX;
	p->set = req->set;
	strcpy(p->name, req->name);
	strcpy(p->name2, req->name2);
}

/* Request, answer. *fd: a descriptor that came with it, or -1. */
static int64_t exchange(int sock, const struct proto_request *p, const void *data, const int *fds, unsigned nfds,
                        struct proto_reply *r, void *out, int *fd)
{
	unsigned received = 1;
	int64_t n;

	*fd = -1;
	pthread_mutex_lock(&call_lock);
	n = proto_send(sock, p, sizeof(*p), data, p->data_len, fds, nfds);
	if (n >= 0)
		n = proto_receive(sock, r, sizeof(*r), out, p->want, fd, &received);
	pthread_mutex_unlock(&call_lock);
	if (n < (int64_t)sizeof(*r))
		return n == -EMFILE ? -EMFILE : -EIO;
	return 0;
}

int64_t gofer_call(int sock, const struct fs_request *req, uint32_t dir, uint32_t dir2, struct fs_reply *out, uint32_t *handle)
{
	struct proto_request p;
	struct proto_reply r = {0};
	int64_t n;

	*handle = PROTO_NO_HANDLE;
	out->fd = -1;
	if (req->data_len > PROTO_DATA_MAX)
		return -E2BIG;
	encode(req, dir, dir2, out->data_size, &p);
	n = exchange(sock, &p, req->data, NULL, 0, &r, out->data, &out->fd);
	if (n < 0)
		return n;
	out->attr = r.attr;
	out->statfs = r.statfs;
	*handle = r.handle;
	return r.result;
}

int64_t gofer_oom(int sock, uint64_t mapped)
{
	struct fs_request req = {.op = PROTO_OOM, .cookie = mapped};
	struct fs_reply reply = {.fd = -1};
	uint32_t none;

	return gofer_call(sock, &req, PROTO_NO_HANDLE, PROTO_NO_HANDLE, &reply, &none);
}

int64_t gofer_assist(int sock, const struct fs_request *req, int fd, uint32_t dir, int fd2, uint32_t dir2, struct fs_reply *out)
{
	struct proto_request p;
	struct proto_reply r = {0};
	int fds[2], none;
	unsigned nfds = 0;
	int64_t n;

	if (fd >= 0)
		fds[nfds++] = fd;
	if (fd2 >= 0)
		fds[nfds++] = fd2;
	encode(req, fd >= 0 ? PROTO_SENT : dir, fd2 >= 0 ? PROTO_SENT : dir2, 0, &p);
	p.data_len = 0;
	n = exchange(sock, &p, NULL, fds, nfds, &r, NULL, &none);
	if (none >= 0)
		close(none);
	out->attr = r.attr;
	return n < 0 ? n : r.result;
}

void gofer_forget(int sock, uint32_t handle)
{
	struct fs_request req = {.op = PROTO_CLOSE};
	struct fs_reply reply = {.fd = -1};
	uint32_t none;

	/* Nothing can be done about a gofer that is gone. */
	if (gofer_call(sock, &req, handle, PROTO_NO_HANDLE, &reply, &none) < 0)
		return;
}
