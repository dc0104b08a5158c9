/* SPDX-License-Identifier: Apache-2.0 */
/* The gofer process: prepares the container's mounts and serves its files. */
#ifndef GOFER_GOFER_H
#define GOFER_GOFER_H

#include <stdbool.h>

#include "oci/error.h"
#include "oci/gofer/proto.h"

struct gofer_mount {
	const char *source; /* absolute host path */
	bool readonly, recursive, nosuid, noexec, noatime;
	bool is_file;       /* found out by mounts_prepare */
	int fd;             /* O_PATH, of the root (of its directory if is_file) */
};

/* gofer_mounts.c: nothing mounted in our mount namespace from now on shows outside. */
struct error *mounts_detach(void) MUST_CHECK;
/* gofer_mounts.c: in our own mount namespace, bind all mounts below an empty root and make that the root; work_dir is a
 * directory to build it on. hide_system: unmount /proc, /sys and /dev below the first mount. hide_path: what is
 * there below the first mount shows empty (relative to it, without links; NULL: nothing). */
struct error *mounts_prepare(const char *work_dir, struct gofer_mount *m, unsigned n, bool hide_system,
                             const char *hide_path) MUST_CHECK;
/* gofer_confine.c: become root of the container's user namespace (fd; -1: it has none), in whose ids files are served. */
struct error *gofer_enter_userns(int fd) MUST_CHECK;
/* Give up every privilege that serving does not need and install seccomp. */
struct error *gofer_confine(void) MUST_CHECK;
/* gofer_oom.c: opens what gofer_oom_event needs in the container's memory cgroup (NULL: there is none). */
void gofer_oom_prepare(const char *dir);
#define GOFER_OOM_FDS 4
/* The descriptors; how many. */
unsigned gofer_oom_fds(int fds[GOFER_OOM_FDS]);
/* Makes the kernel's OOM killer work once in that cgroup, for those who watch it. weight: bytes that the sandbox has mapped.
 * 0 or -errno. */
int64_t gofer_oom_event(uint64_t weight);
/* gofer_loans.c. The kernel tells of a descriptor's mount (Linux 5.8): without that nothing can be lent. */
bool loans_possible(void);
/* Accepts descriptors on the mount of this one. */
void loans_accept(int fd, bool readonly);
/* Accepts those on the mounts below that of the working directory. */
struct error *loans_accept_below(void) MUST_CHECK;
/* May this descriptor be worked on? *readonly: its mount is. */
bool loans_check(int fd, bool *readonly);
/* gofer_serve.c: answer requests until the sandbox is gone. m: the mounts that it reaches by handles. */
void gofer_serve(int sock, const struct gofer_mount *m, unsigned n);

#endif
