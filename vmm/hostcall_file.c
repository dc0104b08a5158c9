/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File hostcalls that take names: the Sentry's arguments become a struct fs_request, which fsops.c executes here
 * (directfs) or in the gofer. What works on open files is in hostcall_file_io.c.
 *
 * The Sentry is hostile: structures and names are copied once, handles are looked up, names are one component. Writes to
 * read-only mounts are refused here, by the gofer, and by the host's mount flags.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "oci/gofer/proto.h"
#include "vmm/file_handles.h"
#include "vmm/file_mounts.h"
#include "vmm/hostcall.h"
#include "vmm/vmm_impl.h"

#define TARGET_MAX 4096
#define XATTR_MAX  65536

static int copy_name(char *dst, uint64_t addr, uint64_t len)
{
	if (len > HC_NAME_MAX)
		return -ENAMETOOLONG;
	if (len && hc_copy_in(dst, addr, len))
		return -EFAULT;
	dst[len] = 0;
	return fsops_name_ok(dst, len) ? 0 : -EINVAL;
}

static struct gofer_object object(const struct host_file *h)
{
	return h ? (struct gofer_object){h->fd, h->remote} : GOFER_NOTHING;
}

/* Executes the request on the objects of two handles (b only for FS_LINK, FS_RENAME and FS_COPY_RANGE). */
static int64_t call(struct fs_request *req, struct host_file *a, struct host_file *b, struct fs_reply *reply, uint32_t *remote)
{
	*remote = PROTO_NO_HANDLE;
	if (a->file_root) {
		if (*req->name || b)
			return -ENOTDIR;
		/* The gofer does this itself for its own handle. */
		if (a->fd >= 0)
			strcpy(req->name, PROTO_FILE_NAME);
	}
	if (b && b->file_root)
		return -ENOTDIR;
	if (a->gofer->fd < 0 || (vmm.cfg.directfs && !fsops_rare(req)))
		return fsops_call(req, a->fd, b ? b->fd : -1, reply);
	if (b && a->fd < 0 && b->fd < 0 && a->gofer != b->gofer)
		return -EXDEV;
	return gofer_call(a->gofer->fd, req, object(a), object(b), reply, remote);
}

static void mark(const struct host_file *h, struct hc_attr *attr)
{
	attr->mount_flags = h->readonly ? ST_RDONLY : 0;
}

/* A request on one handle; writes is set for those that a read-only mount refuses. The attributes of the reply, if
 * wanted, go to attr. */
static int64_t simple(struct fs_request *req, uint64_t handle, bool writes, uint64_t attr, struct fs_reply *reply)
{
	struct host_file *h = file_handle_get(handle);
	uint32_t remote;
	int64_t r;

	if (!h)
		return -EBADF;
	r = writes && h->readonly ? -EROFS : call(req, h, NULL, reply, &remote);
	mark(h, &reply->attr);
	file_handle_put(h);
	if (r >= 0 && attr && hc_copy_out(attr, &reply->attr, sizeof(reply->attr)))
		return -EFAULT;
	return r;
}

/* A request that opens something: its result becomes a handle. */
static int64_t opening(struct fs_request *req, uint64_t dir, bool writes, uint64_t attr, bool opened, bool reserve)
{
	struct fs_reply reply = {.fd = -1};
	struct host_file *h, fresh;
	uint32_t remote = PROTO_NO_HANDLE;
	int64_t r;
	bool made;

	/* Asked first: a file must not be created for a handle that cannot be. */
	if (!file_fds_left(reserve))
		return -EMFILE;
	h = file_handle_get(dir);
	if (!h)
		return -EBADF;
	r = writes && h->readonly ? -EROFS : call(req, h, NULL, &reply, &remote);
	fresh = (struct host_file){.fd = reply.fd, .remote = remote, .gofer = h->gofer, .mount = h->mount, .readonly = h->readonly,
		.opened = opened};
	made = r >= 0 && (fresh.fd >= 0 || fresh.remote != REMOTE_NONE);
	if (made)
		gofer_get(h->gofer);
	mark(h, &reply.attr);
	file_handle_put(h);
	if (r < 0)
		return r;
	r = HC_NO_HANDLE;
	if (made)
		r = file_handle_new(&fresh);
	else if (opened)
		return -EIO; /* the gofer sent no descriptor */
	if (r >= 0 && attr && hc_copy_out(attr, &reply.attr, sizeof(reply.attr))) {
		if (r != HC_NO_HANDLE && file_handle_close(r))
			return -EBADF;
		return -EFAULT;
	}
	return r;
}

int64_t hc_FS_ROOT(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_STAT};
	struct fs_reply reply = {.fd = -1};
	struct host_file root;
	int64_t r, err;

	r = file_mount_root(a[0], &root);
	if (r < 0)
		return r;
	r = file_handle_new(&root);
	if (r < 0)
		return r;
	err = simple(&req, r, false, a[1], &reply);
	if (err < 0 && file_handle_close(r))
		return -EBADF;
	return err < 0 ? err : r;
}

int64_t hc_FS_WALK(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_WALK};
	int64_t err = copy_name(req.name, a[1], a[2]);

	return err ? err : opening(&req, a[0], false, a[3], false, a[4]);
}

int64_t hc_FS_STAT(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_STAT};
	struct fs_reply reply = {.fd = -1};
	int64_t err = copy_name(req.name, a[1], a[2]);

	return err ? err : simple(&req, a[0], false, a[3], &reply);
}

int64_t hc_FS_OPEN(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_OPEN, .flags = a[3]};
	int64_t err = copy_name(req.name, a[1], a[2]);

	return err ? err : opening(&req, a[0], (a[3] & O_ACCMODE) != O_RDONLY || a[3] & O_TRUNC, a[5], true, a[4]);
}

/* Request from a struct hc_create in the Sentry's memory. */
static int copy_create(struct fs_request *req, uint64_t addr)
{
	struct hc_create c;

	if (hc_copy_in(&c, addr, sizeof(c)))
		return -EFAULT;
	if (c.name_len > HC_NAME_MAX)
		return -ENAMETOOLONG;
	if (!fsops_name_ok(c.name, c.name_len))
		return -EINVAL;
	memcpy(req->name, c.name, c.name_len);
	req->mode = c.mode;
	req->uid = c.uid;
	req->gid = c.gid;
	req->flags = c.flags;
	req->rdev_major = c.rdev_major;
	req->rdev_minor = c.rdev_minor;
	return 0;
}

int64_t hc_FS_CREATE(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_CREATE};
	int64_t err = copy_create(&req, a[1]);

	return err ? err : opening(&req, a[0], true, a[2], true, false);
}

int64_t hc_FS_MKDIR(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_MKDIR};
	struct fs_reply reply = {.fd = -1};
	int64_t err = copy_create(&req, a[1]);

	return err ? err : simple(&req, a[0], true, a[2], &reply);
}

int64_t hc_FS_MKNOD(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_MKNOD};
	struct fs_reply reply = {.fd = -1};
	int64_t err = copy_create(&req, a[1]);

	return err ? err : simple(&req, a[0], true, a[2], &reply);
}

int64_t hc_FS_SYMLINK(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_SYMLINK};
	struct fs_reply reply = {.fd = -1};
	char target[TARGET_MAX];
	int64_t err = copy_create(&req, a[1]);

	if (err)
		return err;
	if (a[3] >= sizeof(target))
		return -ENAMETOOLONG;
	if (hc_copy_in(target, a[2], a[3]))
		return -EFAULT;
	req.data = target;
	req.data_len = a[3];
	return simple(&req, a[0], true, a[4], &reply);
}

/* A request on two handles, of which the second is written to. */
static int64_t two_handles(struct fs_request *req, uint64_t a, uint64_t b)
{
	struct host_file *from = file_handle_get(a), *to = file_handle_get(b);
	struct fs_reply reply = {.fd = -1};
	uint32_t remote;
	int64_t r;

	if (!from || !to)
		r = -EBADF;
	else if (from->mount != to->mount && req->op != HC_FS_COPY_RANGE)
		r = -EXDEV;
	else
		r = to->readonly ? -EROFS : call(req, from, to, &reply, &remote);
	if (from)
		file_handle_put(from);
	if (to)
		file_handle_put(to);
	return r;
}

static int64_t two_names(uint32_t op, uint64_t addr)
{
	struct fs_request req = {.op = op};
	struct hc_link l;

	if (hc_copy_in(&l, addr, sizeof(l)))
		return -EFAULT;
	if (l.old_len > HC_NAME_MAX || l.new_len > HC_NAME_MAX)
		return -ENAMETOOLONG;
	if (!fsops_name_ok(l.old_name, l.old_len) || !fsops_name_ok(l.new_name, l.new_len))
		return -EINVAL;
	memcpy(req.name, l.old_name, l.old_len);
	memcpy(req.name2, l.new_name, l.new_len);
	req.flags = l.flags;
	return two_handles(&req, l.old_dir, l.new_dir);
}

int64_t hc_FS_LINK(struct vmm_vcpu *v, const uint64_t a[6])
{
	return two_names(HC_FS_LINK, a[0]);
}

int64_t hc_FS_RENAME(struct vmm_vcpu *v, const uint64_t a[6])
{
	return two_names(HC_FS_RENAME, a[0]);
}

int64_t hc_FS_UNLINK(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_UNLINK, .flags = a[3]};
	struct fs_reply reply = {.fd = -1};
	int64_t err = copy_name(req.name, a[1], a[2]);

	return err ? err : simple(&req, a[0], true, 0, &reply);
}

int64_t hc_FS_READLINK(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_READLINK};
	struct fs_reply reply = {.fd = -1, .data = hc_ram_range(a[3], a[4]), .data_size = a[4]};
	int64_t err = copy_name(req.name, a[1], a[2]);

	if (err)
		return err;
	if (a[4] == 0 || a[4] > PROTO_DATA_MAX)
		return -EINVAL;
	return reply.data ? simple(&req, a[0], false, 0, &reply) : -EFAULT;
}

int64_t hc_FS_SETATTR(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_SETATTR};
	struct fs_reply reply = {.fd = -1};
	int64_t err = copy_name(req.name, a[1], a[2]);

	if (!err && hc_copy_in(&req.set, a[3], sizeof(req.set)))
		err = -EFAULT;
	return err ? err : simple(&req, a[0], true, 0, &reply);
}

int64_t hc_FS_READDIR(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_READDIR, .cookie = a[3]};
	struct fs_reply reply = {.fd = -1, .data = hc_ram_range(a[1], a[2])};

	if (!a[2])
		return -EINVAL;
	reply.data_size = a[2] < PROTO_DATA_MAX ? a[2] : PROTO_DATA_MAX;
	return reply.data ? simple(&req, a[0], false, 0, &reply) : -EFAULT;
}

int64_t hc_FS_XATTR(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_XATTR};
	struct fs_reply reply = {.fd = -1};
	struct hc_xattr x;
	int64_t err = copy_name(req.name, a[1], a[2]);
	bool writes;

	if (!err && hc_copy_in(&x, a[3], sizeof(x)))
		err = -EFAULT;
	if (err)
		return err;
	if (x.name_len > HC_NAME_MAX || memchr(x.name, 0, x.name_len) || (!x.name_len && x.op != HC_XATTR_LIST))
		return -ERANGE;
	if (x.size > XATTR_MAX)
		return -E2BIG;
	memcpy(req.name2, x.name, x.name_len);
	req.xattr_op = x.op;
	req.xattr_flags = x.flags;
	writes = x.op == HC_XATTR_SET || x.op == HC_XATTR_REMOVE;
	if (x.size) {
		void *value = hc_ram_range(x.value, x.size);

		if (!value)
			return -EFAULT;
		if (x.op == HC_XATTR_SET) {
			req.data = value;
			req.data_len = x.size;
		} else {
			reply.data = value;
			reply.data_size = x.size;
		}
	}
	return simple(&req, a[0], writes, 0, &reply);
}

int64_t hc_FS_STATFS(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_STATFS};
	struct fs_reply reply = {.fd = -1};
	int64_t r = simple(&req, a[0], false, 0, &reply);

	if (r < 0)
		return r;
	return hc_copy_out(a[1], &reply.statfs, sizeof(reply.statfs));
}

int64_t hc_FS_FALLOCATE(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_FALLOCATE, .flags = a[1], .offset = a[2], .len = a[3]};
	struct fs_reply reply = {.fd = -1};

	return simple(&req, a[0], true, 0, &reply);
}

int64_t hc_FS_COPY_RANGE(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct fs_request req = {.op = HC_FS_COPY_RANGE, .offset = a[1], .offset2 = a[3], .len = a[4]};

	return two_handles(&req, a[0], a[2]);
}

int64_t hc_FS_CLOSE(struct vmm_vcpu *v, const uint64_t a[6])
{
	return file_handle_close(a[0]);
}

/* The host's file systems count no changes; the Sentry revalidates each name with --file-access=shared. */
int64_t hc_FS_ACCESS_SEQ(struct vmm_vcpu *v, const uint64_t a[6])
{
	return file_mount_exists(a[0]) ? 0 : -EINVAL;
}

int64_t hc_FS_UNMOUNT(struct vmm_vcpu *v, const uint64_t a[6]) { return file_mount_drop(a[0]); }
