/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gofer's mount namespace: an empty read-only tmpfs with one directory per mount, m0 (the container's root), m1, ...
 * A mount of a file gets a directory that holds only it. Everything else is unmounted, so there is nothing to climb to.
 *
 * Sources are opened before the new root is built and bound through /proc/self/fd, so that it does not matter which
 * directory it is built on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "oci/gofer/gofer.h"
#include "oci/util.h"

static struct error *open_sources(struct gofer_mount *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct stat st;

		m[i].fd = open(m[i].source, O_PATH | O_CLOEXEC);
		if (m[i].fd < 0 || fstat(m[i].fd, &st) < 0)
			return error_errno(errno, "cannot open %s", m[i].source);
		m[i].is_file = !S_ISDIR(st.st_mode);
		if (m[i].is_file && !S_ISREG(st.st_mode))
			return error_new("cannot mount %s: it is neither a directory nor a regular file", m[i].source);
	}
	return NULL;
}

/* The flags that a remount must keep, or the kernel may refuse it in a user namespace. */
static unsigned long kept_flags(const char *path)
{
	struct statvfs st;
	unsigned long flags = 0;

	if (statvfs(path, &st) < 0)
		return 0;
	flags |= st.f_flag & ST_RDONLY ? MS_RDONLY : 0;
	flags |= st.f_flag & ST_NOSUID ? MS_NOSUID : 0;
	flags |= st.f_flag & ST_NOEXEC ? MS_NOEXEC : 0;
	flags |= st.f_flag & ST_NOATIME ? MS_NOATIME : 0;
	flags |= st.f_flag & ST_NODIRATIME ? MS_NODIRATIME : 0;
	flags |= st.f_flag & ST_RELATIME ? MS_RELATIME : 0;
	return flags;
}

/* Binds the source at its place below the current directory. The mount and those below it become nodev, and read-only
 * if asked: the flags of a bind mount are set by a remount, or for a whole tree by mount_setattr. */
static struct error *bind_mount(const struct gofer_mount *m, const char *target)
{
	struct {
		uint64_t attr_set, attr_clr, propagation, userns_fd;
	} attr = {.attr_set = 0x4 /* MOUNT_ATTR_NODEV */};
	unsigned long flags = MS_NODEV;
	char source[64];

	snprintf(source, sizeof(source), "/proc/self/fd/%d", m->fd);
	if (mount(source, target, NULL, MS_BIND | (m->recursive ? MS_REC : 0), NULL) < 0)
		return error_errno(errno, "cannot bind %s", m->source);
	attr.attr_set |= m->readonly ? 0x1 /* MOUNT_ATTR_RDONLY */ : 0;
	attr.attr_set |= m->nosuid ? 0x2 /* MOUNT_ATTR_NOSUID */ : 0;
	attr.attr_set |= m->noexec ? 0x8 /* MOUNT_ATTR_NOEXEC */ : 0;
	if (m->noatime) {
		attr.attr_set |= 0x10;  /* MOUNT_ATTR_NOATIME */
		attr.attr_clr |= 0x70;  /* MOUNT_ATTR__ATIME */
	}
	if (syscall(SYS_mount_setattr, AT_FDCWD, target, m->recursive ? AT_RECURSIVE : 0, &attr, sizeof(attr)) == 0)
		return NULL;
	if (errno != ENOSYS)
		return error_errno(errno, "cannot set the mount flags of %s", m->source);
	/* Before Linux 5.12: the topmost mount only; those below keep their own flags, and a read-only mount with writable
	 * ones below it is still read-only to the container, which the sandbox sees to. */
	flags |= kept_flags(target) | (m->readonly ? MS_RDONLY : 0) | (m->nosuid ? MS_NOSUID : 0) | (m->noexec ? MS_NOEXEC : 0);
	if (mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | flags, NULL) < 0)
		return error_errno(errno, "cannot set the mount flags of %s", m->source);
	return NULL;
}

static struct error *place(struct gofer_mount *m, unsigned i)
{
	char dir[16], target[32];
	struct error *e;
	int fd;

	snprintf(dir, sizeof(dir), "m%u", i);
	snprintf(target, sizeof(target), m->is_file ? "m%u/" PROTO_FILE_NAME : "m%u", i);
	if (mkdir(dir, 0755) < 0)
		return error_errno(errno, "cannot make a mount point");
	if (m->is_file) {
		fd = open(target, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
		if (fd < 0)
			return error_errno(errno, "cannot make a mount point");
		close(fd);
	}
	e = bind_mount(m, target);
	if (e)
		return e;
	close(m->fd);
	m->fd = -1;
	return NULL;
}

static bool is_mounted(const char *dir)
{
	struct stat st, parent;

	return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && stat("m0", &parent) == 0 && st.st_dev != parent.st_dev;
}

/* Over the host's root: its own kernel's file systems are not the sandbox's to see, even where the sandbox's own mounts
 * cover them. */
static struct error *hide(void)
{
	static const char *const hidden[] = {"m0/proc", "m0/sys", "m0/dev"};

	for (unsigned i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		while (umount2(hidden[i], MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
			;
		/* Without root, mounts of the host cannot be taken away, but covered. */
		if (is_mounted(hidden[i]) && mount("none", hidden[i], "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,nr_inodes=2") < 0)
			return error_errno(errno, "cannot hide the host's %s", hidden[i] + 2);
	}
	return NULL;
}

/* The states of containers are no business of a container's, not even of one over the host's root. */
static struct error *hide_below(const char *path)
{
	char *target = xasprintf("m0/%s", path);
	struct error *e = NULL;

	if (mount("none", target, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700,size=4k") < 0)
		e = error_errno(errno, "cannot hide the directory of states, %s", path);
	free(target);
	return e;
}

static struct error *reopen(struct gofer_mount *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char dir[16];

		snprintf(dir, sizeof(dir), "/m%u", i);
		m[i].fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (m[i].fd < 0)
			return error_errno(errno, "cannot open the mount of %s", m[i].source);
	}
	return NULL;
}

struct error *mounts_detach(void)
{
	return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ? error_errno(errno, "cannot detach the gofer's mounts") : NULL;
}

struct error *mounts_prepare(const char *work_dir, struct gofer_mount *m, unsigned n, bool hide_system,
                             const char *hide_path)
{
	struct error *e = open_sources(m, n);

	if (e)
		return e;
	if (mount("none", work_dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=1m") < 0 || chdir(work_dir) < 0)
		return error_errno(errno, "cannot build the gofer's root on %s", work_dir);
	for (unsigned i = 0; i < n; i++) {
		e = place(&m[i], i);
		if (e)
			return e;
	}
	e = hide_system ? hide() : NULL;
	if (!e && hide_path)
		e = hide_below(hide_path);
	if (!e)
		e = loans_accept_below();
	if (e)
		return e;
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return error_errno(errno, "cannot change the gofer's root");
	return reopen(m, n);
}
