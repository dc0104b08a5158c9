/* SPDX-License-Identifier: Apache-2.0 */
/* The devtmpfs file system type, for fs/fs_types.c. */
#ifndef FS_DEV_DEVTMPFS_H
#define FS_DEV_DEVTMPFS_H

struct fs_type;
extern const struct fs_type devtmpfs_type;

#endif
