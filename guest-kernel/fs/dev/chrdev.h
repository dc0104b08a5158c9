/* SPDX-License-Identifier: Apache-2.0 */
/* Character devices by number, and what they share. */
#ifndef FS_DEV_CHRDEV_H
#define FS_DEV_CHRDEV_H

#include "fs/vfs.h"

/* Opens the device that a character (or block) special inode names: sets file->ops. -ENXIO: no such device. */
int chrdev_open(struct inode *inode, struct file *file);

/* Major numbers (Linux: Documentation/admin-guide/devices.txt). */
#define MEM_MAJOR       1
#define TTY_MAJOR       4
#define TTYAUX_MAJOR    5
#define PTY_SLAVE_MAJOR 136 /* .. 143 */

extern const struct file_ops mem_null_fops, mem_zero_fops, mem_full_fops, mem_random_fops;

#endif
