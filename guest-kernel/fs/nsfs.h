/* SPDX-License-Identifier: Apache-2.0 */
/* Files of namespaces (namespaces(7), ioctl_ns(2)): what the links in /proc/PID/ns lead to. */
#ifndef FS_NSFS_H
#define FS_NSFS_H

#include "fs/vfs.h"
#include "task/namespace.h"

/* A path to the file of ns, whose reference is taken over, also on failure. 0 or -ENOMEM. */
int nsfs_path(struct ns_common *ns, struct path *out) MUST_CHECK;
/* The namespace of an open file, without a reference, or NULL. */
struct ns_common *nsfs_namespace(const struct file *f);
/* The same of a dentry. */
static inline struct ns_common *nsfs_of_dentry(const struct dentry *d)
{
	return d->flags & DENTRY_NSFS ? d->inode->private : NULL;
}

#endif
