/* SPDX-License-Identifier: Apache-2.0 */
/* The mount tree from the inside, for the system calls on mounts. */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include "fs/vfs.h"

/* A mount outside the tree, with one reference; takes over the one on sb, also on failure (NULL). */
struct mount *mount_alloc(struct super_block *sb, struct dentry *root, uint32_t flags, const char *source);
/* Puts m on top of at; consumes m's reference on success. ENOTDIR, ENOENT, EINVAL, EXDEV. */
int mount_graft(struct mount *m, const struct path *at);
/* A mount that is a tree of its own; the tree holds its only reference. Takes over the one on sb. ERR_PTR. */
struct mount *mount_alloc_tree(struct super_block *sb, struct dentry *root, uint32_t flags, const char *source);
/* A tree of its own that shows what is at from; with recursive also what is mounted below. ERR_PTR. */
struct mount *mount_clone_tree(const struct path *from, bool recursive);
/* If m is still the root of a tree of its own: everything in it is unmounted. */
void mount_dissolve(struct mount *m);
/* Moves the mount at from, with what is below, onto at: EINVAL, ELOOP, ENOENT. */
int mount_move(const struct path *from, const struct path *at);
/* Changes MS_* flags and (not 0) the propagation type of the mount at p, or of all below too. */
int mount_change(const struct path *p, uint32_t set, uint32_t clear, uint32_t propagation, bool recursive);
/* A changed read-only state and new options: EBUSY, or what the file system says of them. */
int super_remount(struct super_block *sb, uint32_t flags, const char *data);
/* mount_lock held: m, with the tree of its own that it may head, goes over to ns. What the caller is to kfree. */
struct mnt_ns *mount_enter(struct mount *m, struct mnt_ns *ns);
/* mount_lock held. */
static inline bool mount_in_tree(const struct mount *m) { return m->parent || m == m->ns->root; }
/* Takes m (with detach: and its subtree) out of the tree. held: references of the caller that are no use. */
int mount_detach(struct mount *m, bool detach, uint32_t held);
/* mount_lock held: enter or leave the tree. mount_unlink returns the mountpoint, to be put after unlocking. */
void mount_link(struct mount *m, struct mount *parent, struct dentry *mountpoint);
struct dentry *mount_unlink(struct mount *m);
bool mount_is_below(const struct mount *m, const struct mount *top);
/* A mount namespace without mounts (ERR_PTR), and the end of one with all its mounts; may sleep. */
struct mnt_ns *mnt_ns_create(struct user_ns *owner);
void mnt_ns_free(struct mnt_ns *ns);
/* Pollers of /proc/mounts look again. */
void mount_changed(struct mnt_ns *ns);

#endif
