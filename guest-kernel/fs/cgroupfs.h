/* SPDX-License-Identifier: Apache-2.0 */
/* The container's view of its own cgroup. */
#ifndef FS_CGROUPFS_H
#define FS_CGROUPFS_H

#include "fs/vfs.h"

/* Mounts what the spec calls "cgroup" in the layout of the host: a cgroup2 file system, or on v1 a directory with a mount per
 * group of controllers. dest names the same place as at. 0 or -errno. */
int cgroupfs_mount_all(const char *dest, const struct path *at, uint32_t flags, const char *source);
/* The n-th controllers of v1 ("cpu,cpuacct"), or NULL. */
const char *cgroupfs_v1_name(unsigned n);

#endif
