/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/gofer/fsops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* What may be asked for when a file is opened. O_APPEND is left out on purpose: one descriptor serves positioned writes
 * and appends (RWF_APPEND) alike. O_DIRECT too: the frames of the application need not be aligned as it asks. */
#define OPEN_FLAGS (O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC | O_NOATIME | O_DIRECTORY)

static uid_t own_uid; /* who owns what this process makes */

/* A copy holds the gofer up; the caller goes on from where it ended. */
#define COPY_MAX (64ul << 20)

bool fsops_rare(const struct fs_request *req)
{
	switch (req->op) {
	case HC_FS_MKNOD: /* devices, too, which a user namespace may not make */
	case HC_FS_SYMLINK:
	case HC_FS_LINK:
	case HC_FS_READLINK:
	case HC_FS_XATTR:
	case HC_FS_STATFS:
	case HC_FS_FALLOCATE:
	case HC_FS_COPY_RANGE:
		return true;
	case HC_FS_CREATE:
	case HC_FS_MKDIR:
		return fsops_no_fchmodat2 && req->mode & (S_ISUID | S_ISGID | S_ISVTX);
	case HC_FS_SETATTR:
		return fsops_no_fchmodat2 && req->set.valid & HC_SET_MODE;
	}
	return false;
}

bool fsops_name_ok(const char *name, size_t len)
{
	if (len > HC_NAME_MAX || memchr(name, '/', len) || memchr(name, 0, len))
		return false;
	return !(len == 1 && name[0] == '.') && !(len == 2 && name[0] == '.' && name[1] == '.');
}

static void from_statx(const struct statx *st, struct hc_attr *a)
{
	*a = (struct hc_attr){
	    .ino = st->stx_ino,
	    .dev = makedev(st->stx_dev_major, st->stx_dev_minor),
	    .size = st->stx_size,
	    .blocks = st->stx_blocks,
	    .mode = st->stx_mode,
	    .nlink = st->stx_nlink,
	    .uid = st->stx_uid,
	    .gid = st->stx_gid,
	    .rdev_major = st->stx_rdev_major,
	    .rdev_minor = st->stx_rdev_minor,
	    .blksize = st->stx_blksize,
	    .atime_sec = st->stx_atime.tv_sec,
	    .mtime_sec = st->stx_mtime.tv_sec,
	    .ctime_sec = st->stx_ctime.tv_sec,
	    .btime_sec = st->stx_btime.tv_sec,
	    .atime_nsec = st->stx_atime.tv_nsec,
	    .mtime_nsec = st->stx_mtime.tv_nsec,
	    .ctime_nsec = st->stx_ctime.tv_nsec,
	    .btime_nsec = st->stx_btime.tv_nsec,
	};
}

int fsops_stat(int fd, const char *name, struct hc_attr *attr)
{
	struct statx st;

	if (statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH),
	          STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		return -errno;
	from_statx(&st, attr);
	return 0;
}

static int walk(int dir, const char *name, struct fs_reply *reply)
{
	int err, fd;

	err = fsops_stat(dir, name, &reply->attr);
	if (err || !S_ISDIR(reply->attr.mode))
		return err;
	fd = fsops_openat(dir, *name ? name : ".", O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	/* The handle is what counts; another process may have put a different directory there meanwhile. */
	err = fsops_stat(fd, "", &reply->attr);
	if (err) {
		close(fd);
		return err;
	}
	reply->fd = fd;
	return 0;
}

/* Only regular files and directories: FIFOs, sockets and devices of the host are not the container's to open. The mounts
 * are nodev, and O_NONBLOCK keeps a FIFO from waiting until it is refused here. */
static int open_existing(int dir, const struct fs_request *req, struct fs_reply *reply)
{
	const char *name = *req->name ? req->name : ".";
	int flags = (req->flags & OPEN_FLAGS) | O_NONBLOCK | O_NOCTTY;
	int fd, err;

	/* A FIFO would be opened for writing, or truncated, before it is looked at. */
	fd = fsops_openat(dir, name, flags, 0);
	if (fd < 0)
		return fd;
	err = fsops_stat(fd, "", &reply->attr);
	if (!err && !S_ISREG(reply->attr.mode) && !S_ISDIR(reply->attr.mode))
		err = -ENXIO;
	if (err) {
		close(fd);
		return err;
	}
	reply->fd = fd;
	return 0;
}

/* Gives a new object its owner, and the mode bits that the change of owner took away. */
static int own(int fd, const struct fs_request *req, struct fs_reply *reply)
{
	struct hc_attr *a = &reply->attr;
	uint32_t special;
	int err = fsops_stat(fd, "", a);

	if (err)
		return err;
	if ((a->uid != req->uid || a->gid != req->gid) && fchownat(fd, "", req->uid, req->gid, AT_EMPTY_PATH) < 0)
		return -errno;
	special = req->mode & (S_ISUID | S_ISGID | S_ISVTX);
	if (special && !S_ISLNK(a->mode)) {
		err = fsops_chmod(fd, "", (a->mode & 07777) | special);
		if (err)
			return err;
	}
	return fsops_stat(fd, "", a);
}

static int create(int dir, const struct fs_request *req, struct fs_reply *reply)
{
	bool tmpfile = (req->flags & O_TMPFILE) == O_TMPFILE;
	int flags = (req->flags & OPEN_FLAGS & ~(O_DIRECTORY | O_TRUNC)) | O_NOCTTY | O_NONBLOCK;
	int fd, err;

	if (tmpfile != !*req->name)
		return -EINVAL;
	flags |= tmpfile ? O_TMPFILE : O_CREAT | O_EXCL;
	if (tmpfile && !(flags & O_ACCMODE))
		return -EINVAL;
	fd = fsops_openat(dir, tmpfile ? "." : req->name, flags, req->mode & 0777);
	if (fd < 0)
		return fd;
	err = own(fd, req, reply);
	if (err) {
		close(fd);
		if (!tmpfile)
			unlinkat(dir, req->name, 0);
		return err;
	}
	reply->fd = fd;
	return 0;
}

/* Ownership and attributes of what mkdir, mknod or symlink has just made. Between the two another process of the host
 * can replace it where a directory is shared: an object of another type, or not ours, is left alone. */
static int finish_create(int dir, const struct fs_request *req, uint32_t type, struct fs_reply *reply)
{
	int fd = fsops_openat(dir, req->name, O_PATH, 0), err;

	if (fd < 0)
		return fd;
	err = fsops_stat(fd, "", &reply->attr);
	if (!err && ((reply->attr.mode & S_IFMT) != type || reply->attr.uid != own_uid))
		err = -ESTALE;
	else if (!err)
		err = own(fd, req, reply);
	close(fd);
	if (err && err != -ESTALE)
		unlinkat(dir, req->name, type == S_IFDIR ? AT_REMOVEDIR : 0);
	return err;
}

static int make_dir(int dir, const struct fs_request *req, struct fs_reply *reply)
{
	if (mkdirat(dir, req->name, req->mode & 01777) < 0)
		return -errno;
	return finish_create(dir, req, S_IFDIR, reply);
}

static int make_node(int dir, const struct fs_request *req, struct fs_reply *reply)
{
	uint32_t type = req->mode & S_IFMT ? req->mode & S_IFMT : S_IFREG;

	if (mknodat(dir, req->name, type | (req->mode & 0777), makedev(req->rdev_major, req->rdev_minor)) < 0)
		return -errno;
	return finish_create(dir, req, type, reply);
}

static int make_symlink(int dir, const struct fs_request *req, struct fs_reply *reply)
{
	char target[4096];

	if (req->data_len >= sizeof(target))
		return -ENAMETOOLONG;
	memcpy(target, req->data, req->data_len);
	target[req->data_len] = 0;
	if (memchr(target, 0, req->data_len))
		return -EINVAL;
	if (symlinkat(target, dir, req->name) < 0)
		return -errno;
	return finish_create(dir, req, S_IFLNK, reply);
}

static int64_t read_dir(int fd, const struct fs_request *req, struct fs_reply *reply)
{
	int64_t n;

	if (req->cookie != ~0ull && lseek(fd, req->cookie, SEEK_SET) < 0)
		return -errno;
	n = syscall(SYS_getdents64, fd, reply->data, reply->data_size);
	return n < 0 ? -errno : n;
}

static int64_t read_link(int dir, const struct fs_request *req, struct fs_reply *reply)
{
	int64_t n = readlinkat(dir, req->name, reply->data, reply->data_size);

	return n < 0 ? -errno : n;
}

static int64_t copy_range(int in, int out, const struct fs_request *req)
{
	off64_t in_off = req->offset, out_off = req->offset2;
	int64_t n;

	if (in_off < 0 || out_off < 0)
		return -EINVAL;
	n = copy_file_range(in, &in_off, out, &out_off, req->len < COPY_MAX ? req->len : COPY_MAX, 0);
	return n < 0 ? -errno : n;
}

static int64_t allocate(int fd, const struct fs_request *req)
{
	int r;

	do
		r = fallocate(fd, (int)req->flags, req->offset, req->len);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int64_t fsops_call(const struct fs_request *req, int fd, int fd2, struct fs_reply *reply)
{
	static const uint32_t named = 1u << (HC_FS_MKDIR - HC_FS_ROOT) | 1u << (HC_FS_MKNOD - HC_FS_ROOT) |
	                              1u << (HC_FS_SYMLINK - HC_FS_ROOT) | 1u << (HC_FS_UNLINK - HC_FS_ROOT) |
	                              1u << (HC_FS_RENAME - HC_FS_ROOT);

	reply->fd = -1;
	if (req->op >= HC_FS_ROOT && req->op <= HC_FS_STATFS && named >> (req->op - HC_FS_ROOT) & 1 && !*req->name)
		return -EINVAL;
	switch (req->op) {
	case HC_FS_WALK:
		return walk(fd, req->name, reply);
	case HC_FS_STAT:
		return fsops_stat(fd, req->name, &reply->attr);
	case HC_FS_OPEN:
		return open_existing(fd, req, reply);
	case HC_FS_CREATE:
		return create(fd, req, reply);
	case HC_FS_MKDIR:
		return make_dir(fd, req, reply);
	case HC_FS_MKNOD:
		return make_node(fd, req, reply);
	case HC_FS_SYMLINK:
		return make_symlink(fd, req, reply);
	case HC_FS_LINK:
		if (!*req->name2)
			return -EINVAL;
		return linkat(fd, req->name, fd2, req->name2, *req->name ? 0 : AT_EMPTY_PATH) < 0 ? -errno : 0;
	case HC_FS_UNLINK:
		return unlinkat(fd, req->name, req->flags & AT_REMOVEDIR) < 0 ? -errno : 0;
	case HC_FS_RENAME:
		if (!*req->name2 || req->flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
			return -EINVAL;
		/* Not by libc's renameat2, which turns into renameat without flags. */
		return syscall(SYS_renameat2, fd, req->name, fd2, req->name2, req->flags) < 0 ? -errno : 0;
	case HC_FS_READLINK:
		return read_link(fd, req, reply);
	case HC_FS_SETATTR:
		return fsops_setattr(fd, req->name, &req->set);
	case HC_FS_READDIR:
		return read_dir(fd, req, reply);
	case HC_FS_XATTR:
		return fsops_xattr(fd, req, reply);
	case HC_FS_STATFS:
		return fsops_statfs(fd, &reply->statfs);
	case HC_FS_FALLOCATE:
		return allocate(fd, req);
	case HC_FS_COPY_RANGE:
		return copy_range(fd, fd2, req);
	}
	return -ENOSYS;
}

void fsops_init(void)
{
	own_uid = geteuid();
	fsops_probe_openat2();
	/* Of no file: a kernel that knows the call says so by its errno. */
	fsops_no_fchmodat2 = fsops_no_fchmodat2 || (fsops_fchmodat2(-1, "", 0, AT_EMPTY_PATH) < 0 && errno == ENOSYS);
}
