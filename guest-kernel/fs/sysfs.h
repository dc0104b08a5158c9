/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of /sys that have files of their own. */
#ifndef FS_SYSFS_H
#define FS_SYSFS_H

#include "fs/pseudo.h"

#define SYSFS_FILE (S_IFREG | 0444)
#define SYSFS_DIR  (S_IFDIR | 0755)

/* sysfs_net.c: the interfaces, as dynamic entries of /sys/class/net and /sys/devices/virtual/net. */
int sysfs_net_lookup(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out);
bool sysfs_net_next(const struct pseudo_ref *dir, uint64_t *cookie, char *name, unsigned *type);

#endif
