/* SPDX-License-Identifier: Apache-2.0 */
/* File locks: flock(2), POSIX and open-file-description record locks. */
#ifndef FS_LOCKS_H
#define FS_LOCKS_H

#include "fs/vfs.h"

/* F_GETLK, F_SETLK(W) and their OFD forms; lock points to the user's struct flock. */
int64_t locks_fcntl(struct file *f, int fd, uint32_t cmd, uva_t lock);

#endif
