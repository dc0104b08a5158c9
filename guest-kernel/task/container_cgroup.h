/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of a container as its cgroup files show them (fs/cgroupfs.c) and what the Sentry counts for them. Memory and
 * the number of tasks are the Sentry's to enforce (container.memory_limit, pids_limit); CPU time is the host's, and what is
 * kept of it is for show.
 */
#ifndef TASK_CONTAINER_CGROUP_H
#define TASK_CONTAINER_CGROUP_H

#include "lib/types.h"

struct container;
struct fdt;

#define CGROUP_CPUS_MAX 128

struct container_cgroup {
	bool v2;                     /* the layout; immutable */
	bool oom_disabled;           /* who finds no memory waits for it */
	uint64_t cpu_shares;         /* 0: the default */
	int64_t cpu_quota;           /* microseconds per period; <= 0: none */
	uint64_t cpu_period;         /* 0: the default */
	char cpus[CGROUP_CPUS_MAX], mems[CGROUP_CPUS_MAX]; /* container_cgroup_lock */
	uint32_t ooms, oom_kills, pids_refused;            /* atomic */
};

/* Takes over the properties that the node has (abi/control.h); the others stay as they are. */
void container_read_limits(const struct fdt *f, int node, struct container *c);
/* A copy of cpus or mems. */
void container_cpuset(const struct container *c, bool mems, char out[CGROUP_CPUS_MAX]);

#endif
