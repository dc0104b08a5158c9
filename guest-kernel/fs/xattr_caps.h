/* SPDX-License-Identifier: Apache-2.0 */
/* File capabilities between an application and the file system (fs/xattr_caps.c). */
#ifndef FS_XATTR_CAPS_H
#define FS_XATTR_CAPS_H

#include "fs/vfs.h"

#define CAPS_XATTR_MAX 24u /* bytes that both functions may write */

bool caps_xattr_name(const char *name);
/* What setxattr(2) gives, checked and made what is stored: 0, -EINVAL, -EPERM. */
int caps_xattr_in(const struct inode *inode, void *value, size_t *size) MUST_CHECK;
/* What is stored made what getxattr(2) returns to the current task: its size, or -EOVERFLOW for other namespaces'. */
ssize_t_ caps_xattr_out(void *value, size_t size);

#endif
