// SPDX-License-Identifier: Apache-2.0
/* The file system types that mount(2) and /proc/filesystems know. */
#include "fs/vfs.h"

extern const struct fs_type tmpfs_type, ramfs_type, devtmpfs_type, devpts_type, proc_type, sysfs_type, overlay_type,
	mqueue_type, cgroup_type, cgroup2_type;

const struct fs_type *const fs_types[] = {
	&tmpfs_type, &ramfs_type, &devtmpfs_type, &devpts_type, &proc_type, &sysfs_type, &overlay_type, &mqueue_type,
	&cgroup_type, &cgroup2_type, NULL,
};
