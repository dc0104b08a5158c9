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

static void encode(const struct fs_request *req, uint32_t want, struct proto_request *p)
{
	memset(p, 0, sizeof(*p));
	p->op = req->op;
	p->flags = req->flags;
	p->cookie = req->cookie;
	p->offset = req->offset;
	p->offset2 = req->offset2;
	p->len = req->len;
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

/* The object's name in the request; a descriptor joins those that go along. */
static uint32_t refer(struct gofer_object o, int *lent, unsigned *nlent)
{
	if (o.fd < 0)
		return o.handle;
	lent[(*nlent)++] = o.fd;
	return PROTO_LENT;
}

int64_t gofer_call(int sock, const struct fs_request *req, struct gofer_object dir, struct gofer_object dir2, struct fs_reply *out,
                   uint32_t *handle)
{
	struct proto_request p;
	struct proto_reply r = {0};
	unsigned nfds = 1, nlent = 0;
	int fd = -1, lent[2];
	int64_t n;

	*handle = PROTO_NO_HANDLE;
	out->fd = -1;
	if (req->data_len > PROTO_DATA_MAX)
		return -E2BIG;
	encode(req, out->data_size, &p);
	p.dir = refer(dir, lent, &nlent);
	p.dir2 = refer(dir2, lent, &nlent);
	pthread_mutex_lock(&call_lock);
	n = proto_send(sock, &p, sizeof(p), req->data, req->data_len, lent, nlent);
	if (n >= 0)
		n = proto_receive(sock, &r, sizeof(r), out->data, p.want, &fd, &nfds);
	pthread_mutex_unlock(&call_lock);
	if (n < (int64_t)sizeof(r))
		return n == -EMFILE ? -EMFILE : -EIO;
	if (nfds)
		out->fd = fd;
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

	return gofer_call(sock, &req, GOFER_NOTHING, GOFER_NOTHING, &reply, &none);
}

void gofer_forget(int sock, uint32_t handle)
{
	struct fs_request req = {.op = PROTO_CLOSE};
	struct fs_reply reply = {.fd = -1};
	uint32_t none;

	/* Nothing can be done about a gofer that is gone. */
	if (gofer_call(sock, &req, (struct gofer_object){-1, handle}, GOFER_NOTHING, &reply, &none) < 0)
		return;
}
