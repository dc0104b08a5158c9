/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes: chmod, chown, truncate, times, extended attributes, statfs.
 *
 * Nothing here needs a path or /proc: directories are named "." below their own descriptor, and the xattr calls, which
 * exist for paths and open files only, run in the object's directory (fchdir). The working directory belongs to the
 * process, hence the lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/xattr.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "oci/gofer/fsops.h"

#define NR_FCHMODAT2 452 /* Linux 6.6; not in older headers */

static pthread_mutex_t cwd_lock = PTHREAD_MUTEX_INITIALIZER;

/* Without fchmodat2 there is no chmod that spares symbolic links, whose mode cannot be changed anyway. A link that is
 * swapped in after the check leads nowhere: the root of this process holds no files but the container's. */
static int chmod_fallback(int fd, const char *name, uint32_t mode)
{
	struct stat st;

	if (!*name) {
		if (fchmod(fd, mode) == 0)
			return 0;
		if (errno != EBADF || fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
			return -errno;
		name = "."; /* an O_PATH directory */
	} else {
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		if (S_ISLNK(st.st_mode))
			return -EOPNOTSUPP;
	}
	return fchmodat(fd, name, mode, 0) < 0 ? -errno : 0;
}

int fsops_fchmodat2(int fd, const char *name, uint32_t mode, int flags)
{
	return syscall(NR_FCHMODAT2, fd, name, mode, flags);
}

int fsops_chmod(int fd, const char *name, uint32_t mode)
{
	int flags = *name ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;

	mode &= 07777;
	if (!fsops_no_fchmodat2) {
		if (fsops_fchmodat2(fd, name, mode, flags) == 0)
			return 0;
		if (errno != ENOSYS)
			return -errno;
		fsops_no_fchmodat2 = true;
	}
	return chmod_fallback(fd, name, mode);
}

static int set_size(int fd, const char *name, uint64_t size)
{
	int file, err = 0;

	if (size > INT64_MAX)
		return -EINVAL;
	if (!*name)
		return ftruncate(fd, size) < 0 ? -errno : 0;
	file = fsops_openat(fd, name, O_WRONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (file < 0)
		return file;
	if (ftruncate(file, size) < 0)
		err = -errno;
	close(file);
	return err;
}

static struct timespec time_of(uint32_t valid, uint32_t set, uint32_t now, int64_t sec, uint32_t nsec)
{
	if (valid & now)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	if (valid & set)
		return (struct timespec){.tv_sec = sec, .tv_nsec = nsec};
	return (struct timespec){.tv_nsec = UTIME_OMIT};
}

static int set_times(int fd, const char *name, const struct hc_setattr *s)
{
	struct timespec ts[2] = {
	    time_of(s->valid, HC_SET_ATIME, HC_SET_ATIME_NOW, s->atime_sec, s->atime_nsec),
	    time_of(s->valid, HC_SET_MTIME, HC_SET_MTIME_NOW, s->mtime_sec, s->mtime_nsec),
	};
	struct hc_attr attr;

	if (s->atime_nsec > 999999999 || s->mtime_nsec > 999999999)
		return -EINVAL;
	if (*name)
		return utimensat(fd, name, ts, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (futimens(fd, ts) == 0)
		return 0;
	if (errno != EBADF)
		return -errno;
	if (fsops_stat(fd, "", &attr) || !S_ISDIR(attr.mode))
		return -EBADF;
	return utimensat(fd, ".", ts, 0) < 0 ? -errno : 0;
}

int fsops_setattr(int fd, const char *name, const struct hc_setattr *s)
{
	int err = 0;

	/* chown clears set-id bits, so the mode comes after it; a truncation changes times, so these come last. */
	if (s->valid & (HC_SET_UID | HC_SET_GID)) {
		uid_t uid = s->valid & HC_SET_UID ? s->uid : (uid_t)-1;
		gid_t gid = s->valid & HC_SET_GID ? s->gid : (gid_t)-1;

		if (fchownat(fd, name, uid, gid, *name ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH) < 0)
			err = -errno;
	}
	if (!err && s->valid & HC_SET_MODE)
		err = fsops_chmod(fd, name, s->mode);
	if (!err && s->valid & HC_SET_SIZE)
		err = set_size(fd, name, s->size);
	if (!err && s->valid & (HC_SET_ATIME | HC_SET_MTIME | HC_SET_ATIME_NOW | HC_SET_MTIME_NOW))
		err = set_times(fd, name, s);
	return err;
}

static int64_t xattr_by_name(const char *name, const struct fs_request *req, struct fs_reply *reply)
{
	switch (req->xattr_op) {
	case HC_XATTR_GET:
		return lgetxattr(name, req->name2, reply->data, reply->data_size);
	case HC_XATTR_SET:
		return lsetxattr(name, req->name2, req->data, req->data_len, req->xattr_flags);
	case HC_XATTR_LIST:
		return llistxattr(name, reply->data, reply->data_size);
	case HC_XATTR_REMOVE:
		return lremovexattr(name, req->name2);
	}
	errno = EINVAL;
	return -1;
}

static int64_t xattr_of_file(int fd, const struct fs_request *req, struct fs_reply *reply)
{
	switch (req->xattr_op) {
	case HC_XATTR_GET:
		return fgetxattr(fd, req->name2, reply->data, reply->data_size);
	case HC_XATTR_SET:
		return fsetxattr(fd, req->name2, req->data, req->data_len, req->xattr_flags);
	case HC_XATTR_LIST:
		return flistxattr(fd, reply->data, reply->data_size);
	case HC_XATTR_REMOVE:
		return fremovexattr(fd, req->name2);
	}
	errno = EINVAL;
	return -1;
}

int64_t fsops_xattr(int fd, const struct fs_request *req, struct fs_reply *reply)
{
	const char *name = req->name;
	int64_t r;

	if (req->xattr_flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (!*name) {
		r = xattr_of_file(fd, req, reply);
		if (r >= 0 || errno != EBADF)
			return r < 0 ? -errno : r;
		name = "."; /* an O_PATH directory */
	}
	pthread_mutex_lock(&cwd_lock);
	r = fchdir(fd) < 0 ? -1 : xattr_by_name(name, req, reply);
	if (r < 0)
		r = -errno;
	if (chdir("/") < 0)
		r = -errno;
	pthread_mutex_unlock(&cwd_lock);
	return r;
}

int fsops_statfs(int fd, struct hc_statfs *out)
{
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return -errno;
	*out = (struct hc_statfs){
	    .type = st.f_type, .bsize = st.f_bsize, .blocks = st.f_blocks, .bfree = st.f_bfree, .bavail = st.f_bavail,
	    .files = st.f_files, .ffree = st.f_ffree, .namelen = st.f_namelen, .frsize = st.f_frsize, .flags = st.f_flags,
	};
	return 0;
}
