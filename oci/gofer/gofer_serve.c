/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serving requests, one after the other. The sandbox is hostile: handles are checked, names are checked again by the same
 * rule as in the sandbox, writes to read-only mounts are refused here too, and a lent descriptor counts only when it lies on
 * one of our mounts (gofer_loans.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/gofer/gofer.h"
#include "oci/util.h"

#define HANDLES_MAX (1u << 20)

struct handle {
	int fd;        /* -1: free */
	uint32_t next; /* of the free list */
	bool readonly, file;
};

static struct {
	struct handle *h;
	uint32_t n, max, free; /* free: first free one, PROTO_NO_HANDLE if none */
} table = {.free = PROTO_NO_HANDLE};

static uint32_t handle_new(int fd, bool readonly, bool file)
{
	uint32_t i = table.free;

	if (i != PROTO_NO_HANDLE) {
		table.free = table.h[i].next;
	} else {
		if (table.n == HANDLES_MAX)
			return PROTO_NO_HANDLE;
		if (table.n == table.max) {
			table.max = table.max ? table.max * 2 : 256;
			table.h = xrealloc(table.h, table.max * sizeof(*table.h));
		}
		i = table.n++;
	}
	table.h[i] = (struct handle){.fd = fd, .readonly = readonly, .file = file};
	return i;
}

static struct handle *handle_get(uint32_t i)
{
	return i < table.n && table.h[i].fd >= 0 ? &table.h[i] : NULL;
}

/* What the request refers to by a handle, or by the next descriptor that came along. NULL: nothing. */
static struct handle *resolve(uint32_t i, const int *lent, unsigned nlent, unsigned *used, struct handle *loan)
{
	if (i != PROTO_LENT)
		return handle_get(i);
	if (*used == nlent)
		return NULL;
	*loan = (struct handle){.fd = lent[(*used)++]};
	return loans_check(loan->fd, &loan->readonly) ? loan : NULL;
}

static bool name_valid(const char *name)
{
	size_t len = strnlen(name, HC_NAME_MAX + 1);

	return len <= HC_NAME_MAX && fsops_name_ok(name, len);
}

static bool changes(const struct proto_request *p)
{
	switch (p->op) {
	case HC_FS_OPEN:
		return (p->flags & O_ACCMODE) != O_RDONLY || p->flags & O_TRUNC;
	case HC_FS_CREATE:
	case HC_FS_MKDIR:
	case HC_FS_MKNOD:
	case HC_FS_SYMLINK:
	case HC_FS_LINK:
	case HC_FS_UNLINK:
	case HC_FS_RENAME:
	case HC_FS_SETATTR:
	case HC_FS_FALLOCATE:
		return true;
	case HC_FS_XATTR:
		return p->xattr_op == HC_XATTR_SET || p->xattr_op == HC_XATTR_REMOVE;
	}
	return false;
}

static void decode(const struct proto_request *p, const void *data, struct fs_request *r)
{
	memset(r, 0, sizeof(*r));
	r->op = p->op;
	r->flags = p->flags;
	r->cookie = p->cookie;
	r->offset = p->offset;
	r->offset2 = p->offset2;
	r->len = p->len;
	r->mode = p->mode;
	r->uid = p->uid;
	r->gid = p->gid;
	r->rdev_major = p->rdev_major;
	r->rdev_minor = p->rdev_minor;
	r->xattr_op = p->xattr_op;
	r->xattr_flags = p->xattr_flags;
	r->set = p->set;
	memcpy(r->name, p->name, sizeof(r->name));
	memcpy(r->name2, p->name2, sizeof(r->name2));
	r->data = data;
	r->data_len = p->data_len;
}

/* What was opened: a directory stays here, a file goes to the sandbox. */
static int64_t hand_out(int fd, bool readonly, struct proto_reply *out, int *send)
{
	struct hc_attr attr;

	if (fsops_stat(fd, "", &attr) || S_ISDIR(attr.mode)) {
		out->handle = handle_new(fd, readonly, false);
		if (out->handle == PROTO_NO_HANDLE) {
			close(fd);
			return -ENFILE;
		}
	} else {
		*send = fd;
		out->has_fd = 1;
	}
	return 0;
}

static int64_t serve(const struct proto_request *p, const void *data, const int *lent, unsigned nlent, struct proto_reply *out,
                     void *out_data, int *send)
{
	struct handle loan[2], *dir, *dir2;
	unsigned used = 0;
	struct fs_reply reply = {.fd = -1, .data = out_data, .data_size = p->want < PROTO_DATA_MAX ? p->want : PROTO_DATA_MAX};
	struct fs_request req;
	int64_t r;

	dir = resolve(p->dir, lent, nlent, &used, &loan[0]);
	dir2 = resolve(p->dir2, lent, nlent, &used, &loan[1]);
	if (!dir || !name_valid(p->name))
		return -EBADF;
	if (p->op == PROTO_CLOSE) {
		if (p->dir < table.n && !dir->file) {
			close(dir->fd);
			*dir = (struct handle){.fd = -1, .next = table.free};
			table.free = p->dir;
		}
		return 0;
	}
	if (p->op != HC_FS_XATTR && !name_valid(p->name2))
		return -EINVAL;
	if (strnlen(p->name2, sizeof(p->name2)) == sizeof(p->name2))
		return -EINVAL;
	if ((p->op == HC_FS_LINK || p->op == HC_FS_RENAME || p->op == HC_FS_COPY_RANGE) && (!dir2 || dir2->readonly))
		return dir2 ? -EROFS : -EBADF;
	if (dir->readonly && changes(p))
		return -EROFS;
	decode(p, data, &req);
	/* The root of a mount that is a file is reached through its directory. */
	if (dir->file) {
		if (*req.name)
			return -ENOTDIR;
		strcpy(req.name, PROTO_FILE_NAME);
	}
	r = fsops_call(&req, dir->fd, dir2 ? dir2->fd : -1, &reply);
	out->attr = reply.attr;
	out->statfs = reply.statfs;
	if (reply.fd >= 0)
		r = hand_out(reply.fd, dir->readonly, out, send);
	return r;
}

void gofer_serve(int sock, const struct gofer_mount *m, unsigned n)
{
	char *in = xcalloc(1, PROTO_DATA_MAX), *out = xcalloc(1, PROTO_DATA_MAX);

	for (unsigned i = 0; i < n; i++)
		handle_new(m[i].fd, m[i].readonly, m[i].is_file);
	for (;;) {
		struct proto_request p;
		struct proto_reply r = {.handle = PROTO_NO_HANDLE};
		unsigned nlent = 2;
		int send = -1, lent[2];
		int64_t len = proto_receive(sock, &p, sizeof(p), in, PROTO_DATA_MAX, lent, &nlent);
		uint32_t out_len = 0;

		if (len <= 0)
			break; /* with it go what descriptors may have come */
		if (len < (int64_t)sizeof(p) || p.data_len != len - sizeof(p))
			r.result = -EINVAL;
		else if (p.op == PROTO_OOM)
			r.result = gofer_oom_event(p.cookie);
		else
			r.result = serve(&p, in, lent, nlent, &r, out, &send);
		while (nlent)
			close(lent[--nlent]);
		if (r.result > 0 && (p.op == HC_FS_READDIR || p.op == HC_FS_READLINK ||
		                     (p.op == HC_FS_XATTR && p.want))) /* a size of 0 asks for the length only */
			out_len = r.result < PROTO_DATA_MAX ? r.result : PROTO_DATA_MAX;
		len = proto_send(sock, &r, sizeof(r), out, out_len, &send, send >= 0);
		if (send >= 0)
			close(send);
		if (len < 0)
			break;
	}
	free(in);
	free(out);
}
