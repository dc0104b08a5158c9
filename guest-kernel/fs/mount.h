/* SPDX-License-Identifier: Apache-2.0 */
/* The mount tree from the inside, for the system calls on mounts. */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include "fs/vfs.h"

/* A mount outside the tree, with one reference; takes over the one on sb, also on failure (NULL). */
struct mount *mount_alloc(struct super_block *sb, struct dentry *root, uint32_t flags, const char *source);
/* Puts m on top of at; consumes m's reference on success. ENOTDIR, ENOENT, EINVAL, EXDEV. */
int mount_graft(struct mount *m, const struct path *at);
/* Takes m (with detach: and its subtree) out of the tree. held: references of the caller that are no use. */
int mount_detach(struct mount *m, bool detach, uint32_t held);
/* mount_lock held: enter or leave the tree. mount_unlink returns the mountpoint, to be put after unlocking. */
void mount_link(struct mount *m, struct mount *parent, struct dentry *mountpoint);
struct dentry *mount_unlink(struct mount *m);
bool mount_is_below(const struct mount *m, const struct mount *top);
/* Pollers of /proc/mounts look again. */
void mount_changed(struct mnt_ns *ns);

#endif
