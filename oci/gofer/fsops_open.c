/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening one component below a directory descriptor. openat2 adds what the name check cannot: no magic links, and no
 * symbolic link that appears between check and use. Kernels before 5.6 and seccomp filters that know no openat2 answer
 * ENOSYS or EPERM; then openat with O_NOFOLLOW does, since the name is one component.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "oci/gofer/fsops.h"

enum { OPENAT2_UNKNOWN, OPENAT2_WORKS, OPENAT2_DENIED };
static _Atomic int openat2_state;
bool fsops_no_fchmodat2;

void fsops_force_fallback(bool no_openat2, bool no_fchmodat2)
{
	openat2_state = no_openat2 ? OPENAT2_DENIED : OPENAT2_UNKNOWN;
	fsops_no_fchmodat2 = no_fchmodat2;
}

static int open_beneath(int dir, const char *name, int flags, uint32_t mode)
{
	struct open_how how = {
	    .flags = (unsigned)flags,
	    .mode = flags & O_CREAT || (flags & __O_TMPFILE) == __O_TMPFILE ? mode & 07777 : 0,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};

	/* With O_PATH | O_NOFOLLOW a symbolic link itself is wanted, which RESOLVE_NO_SYMLINKS grants for the last component. */
	return syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

int fsops_openat(int dir, const char *name, int flags, uint32_t mode)
{
	int fd;

	flags |= O_CLOEXEC | O_NOFOLLOW;
	if (openat2_state != OPENAT2_DENIED) {
		for (;;) {
			fd = open_beneath(dir, name, flags, mode);
			if (fd >= 0 || errno != EAGAIN) /* EAGAIN: a rename raced with the walk */
				break;
		}
		if (fd >= 0) {
			openat2_state = OPENAT2_WORKS;
			return fd;
		}
		if (openat2_state == OPENAT2_WORKS || (errno != ENOSYS && errno != EPERM))
			return -errno;
		/* EPERM may be the answer of the file (O_NOATIME, immutable), so it does not settle the matter. */
		if (errno == ENOSYS)
			openat2_state = OPENAT2_DENIED;
	}
	fd = openat(dir, name, flags, mode);
	return fd < 0 ? -errno : fd;
}

void fsops_probe_openat2(void)
{
	if (openat2_state != OPENAT2_UNKNOWN)
		return;
	/* Of no directory: a kernel that knows the call, and lets us have it, says so by its errno. */
	openat2_state = open_beneath(-1, ".", O_PATH, 0) < 0 && errno == EBADF ? OPENAT2_WORKS : OPENAT2_DENIED;
}

bool fsops_has_openat2(void) { return openat2_state == OPENAT2_WORKS; }
