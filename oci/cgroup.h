/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroups of a sandbox, v1 (one directory per hierarchy) and v2. A hybrid host counts as v1: its unified hierarchy has
 * no controllers. Directories that exist already are joined and left behind; those that we make are removed again.
 *
 * Moving a process costs an RCU grace period (10 to 20 ms) on kernels without favordynmods. A thread of v1 that moves
 * itself is spared that: so runsc goes into new cgroups, lets its children be born there, and comes back.
 */
#ifndef OCI_CGROUP_H
#define OCI_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "oci/error.h"

#define CGROUP_MAX 24

struct cgroup {
	bool v2;
	unsigned n;
	char *mount[CGROUP_MAX];       /* where the hierarchy is mounted */
	char *path[CGROUP_MAX];        /* the directory to join */
	char *own[CGROUP_MAX];         /* v1: where we are, or NULL if that cannot be seen */
	bool cpuset[CGROUP_MAX];       /* v1: a cpuset hierarchy, which must be filled before it can be joined */
	char **made;                   /* directories to make, parents first; NULL-terminated */
};

/* Works out the directories for linux.cgroupsPath (NULL: ID below runsc's own cgroup). Changes nothing. */
struct error *cgroup_plan(const char *cgroups_path, const char *id, struct cgroup *cg) MUST_CHECK;
struct error *cgroup_create(const struct cgroup *cg) MUST_CHECK;
struct error *cgroup_join(const struct cgroup *cg, pid_t pid) MUST_CHECK;
/* Takes the calling thread into the cgroups, if all of them are ours and v1 and nothing speaks against it; children are in
 * them from birth. True: cgroup_leave must follow. False: it is where it was, and children must be made to join. */
bool cgroup_enter(const struct cgroup *cg) MUST_CHECK;
void cgroup_leave(const struct cgroup *cg);
/* Removes what was made; a directory that others use now is left. force: kill what is in the innermost ones first. */
void cgroup_remove(char **made, bool force);

/* cgroup_v1.c, cgroup_v2.c: makes one missing directory. */
int cgroup_v1_mkdir(const char *dir, bool cpuset);
int cgroup_v2_mkdir(const char *dir);
/* Moves the calling thread. */
int cgroup_v1_move_self(const char *dir);

#endif
