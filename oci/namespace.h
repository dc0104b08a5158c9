/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting `runsc boot` and `runsc gofer` in namespaces of their own. The child shares our memory until it executes
 * (no page tables are copied) and therefore makes nothing but raw system calls.
 */
#ifndef OCI_NAMESPACE_H
#define OCI_NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "oci/error.h"

#define SPAWN_FDS_MAX 80 /* VMM_MAX_IO and ours */
#define SPAWN_FIRST_FD 3

struct spawn {
	char *const *argv;       /* the strings must outlive the caller */
	unsigned long flags;     /* CLONE_NEW* */
	int stdio[3];            /* become descriptors 0, 1, 2 */
	int fds[SPAWN_FDS_MAX];  /* become descriptors 3, 4, ... */
	unsigned nfds;
	int *pidfd;              /* where a pidfd of the child goes, or NULL */
	const char *uid_map, *gid_map; /* of CLONE_NEWUSER: the process becomes 0 of these; NULL: every id maps to itself */
	pid_t under;             /* init of a pid namespace, or 0 */
};

/* Starts /proc/self/exe. With `under` the process
 * becomes a child of that init, in its pid namespace (not with CLONE_NEWUSER), and ends with it; *pid is as we see it. */
struct error *spawn_process(const struct spawn *s, pid_t *pid) MUST_CHECK;

/* The user namespace of a sandbox. */
struct error *namespace_open_user(pid_t pid, int *fd) MUST_CHECK;
/* In a new mount namespace: make an empty, read-only tmpfs the root. dir is any directory to mount it on. */
int namespace_empty_root(const char *dir);

#endif
