/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launch tree: everything that `runsc boot` and `runsc gofer` must know, as one flattened device tree in a memfd
 * that both inherit.
 *
 *   /container   for the Sentry, as abi/control.h says
 *   /boot        platform, sentry; cpus <u32>; memory <u64>; parent <u32> (runsc's pid in /proc); nr-io, first-preserved <u32>; empty-root-on; mount-readonly <u32 per gofer mount>;
 *                flags: directfs, file-access-shared, allow-suid, debug, strace, foreground, wait-for-go;
 *                descriptors <u32>: gofer-fd, control-fd, status-fd, kvm-fd, debug-log-fd (absent: none)
 *   /gofer       work-dir; oom-dir (the memory cgroup; absent: none); hide-path (absent: none); flags: directfs, hide-system, wait-for-go; sandbox-fd, status-fd <u32>; userns-fd <u32>
 *                (absent: none);
 *                mount@N { source; flags: readonly, recursive, nosuid, noexec, noatime }   mount@0 is the root
 */
#ifndef OCI_LAUNCH_H
#define OCI_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "oci/error.h"
#include "oci/options.h"
#include "oci/spec.h"

/* Descriptors of the two processes; -1: none. */
struct boot_fds {
	int gofer, control, status, kvm, debug_log;
};
struct gofer_fds {
	int sandbox, status, userns;
};

struct launch {
	const struct options *options;
	const struct spec *spec;
	const char *id, *platform, *work_dir;
	enum overlay_mode overlay;
	bool foreground, hide_system;
	const char *hide_path; /* a directory below the root that is to show empty, relative to it; or NULL */
	bool shared_files; /* others change the container's files too */
	bool mortal_init; /* signals end the first process as if it were any other */
	bool hold;        /* the container waits for `start` */
	bool wait_for_go; /* both wait for a message of one byte on the status socket before they set anything up */
	uint32_t nr_io;             /* descriptors that the container starts with */
	uint32_t first_preserved;   /* its descriptors from 3 on are those of the sandbox process from here on */
	bool cgroup_v2;             /* what the container is shown */
	const char *memory_cgroup;  /* directory of the memory controller, or NULL */
	struct boot_fds boot;       /* numbers inside the processes */
	struct gofer_fds gofer;
};

/* Result: a memfd with the tree. */
struct error *launch_write(const struct launch *l, int *fd) MUST_CHECK;
/* Reads and checks the tree; its memory lives until the process ends. */
struct error *launch_read(int fd, const void **tree) MUST_CHECK;

/* Readers of properties. */
bool launch_flag(const void *t, int node, const char *name);
/* dflt if it is absent or malformed. */
uint32_t launch_u32(const void *t, int node, const char *name, uint32_t dflt);
uint64_t launch_u64(const void *t, int node, const char *name, uint64_t dflt);
/* NULL if it is absent or not a string. */
const char *launch_string(const void *t, int node, const char *name);

#endif
