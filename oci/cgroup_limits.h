/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sandbox itself needs beside the container. The Sentry enforces the container's own limits of memory and
 * processes; the host's cgroup gets these plus an allowance, and is the second line of defence.
 *
 *   memory   LIMITS_MEMORY_BASE for the VMM, the gofer and the Sentry's start, plus 1/32 of the limit for page tables (of
 *            the host, of the virtual machine, of stub processes) and the Sentry's page descriptors
 *   pids     LIMITS_PIDS_BASE threads plus two per CPU; on ptrace also a stub process per CPU for every process
 *
 * Limits of swap get the same allowance as memory. A soft limit (reservation) gets none.
 */
#ifndef OCI_CGROUP_LIMITS_H
#define OCI_CGROUP_LIMITS_H

#include "oci/resources.h"

#define LIMITS_MEMORY_BASE (48ll << 20)
#define LIMITS_MEMORY_MIN  (2ll << 20) /* below that no program can be started */
#define LIMITS_PIDS_BASE   32

struct limits {
	unsigned cpus;
	bool ptrace;
};

/* How many CPUs a sandbox uses: those that --cpus says, or all that we may use. */
unsigned limits_cpus(unsigned wanted);
/* The host's limit for the container's limit; without limit (-1) and RES_UNSET stay. */
int64_t limits_memory(int64_t limit);
int64_t limits_pids(const struct limits *l, int64_t limit);
/* A limit that no sandbox can start with. */
struct error *limits_check(const struct resources *r) MUST_CHECK;

#endif
