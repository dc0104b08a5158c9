/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount trees from the inside, for the system calls on mounts (mount_namespaces(7)).
 *
 * Every tree is a struct mnt_ns: a mount namespace, or a tree that is attached nowhere (fsmount(2), open_tree(2), a bind
 * being made). Its list of mounts has parents before their children. mount_lock protects all trees together and what is
 * said of propagation; nothing under it sleeps, so what an operation drops goes onto a list that mount_release_list puts
 * afterwards.
 *
 *   mount.c            one mount: life, lookup, linking; roots and working directories of tasks
 *   mount_ns.c         mount namespaces: copies, ends
 *   mount_propagate.c  peer groups, masters and slaves; who receives what happens at a mount
 *   mount_tree.c       trees: copying, attaching, moving
 *   mount_detach.c     unmounting, pivoting
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include "fs/vfs.h"

/* ---- mount.c ---- */
/* A mount outside all trees, with one reference; takes over the one on sb, also on failure (NULL). */
struct mount *mount_alloc(struct super_block *sb, struct dentry *root, uint32_t flags, const char *source);
/* What mount_alloc does to the links of one that lives elsewhere. */
void mount_init_links(struct mount *m);
/* mount_lock held: enter or leave the tree. mount_unlink returns the mountpoint, to be put after unlocking. */
void mount_link(struct mount *m, struct mount *parent, struct dentry *mountpoint);
struct dentry *mount_unlink(struct mount *m);
/* mount_lock held: what is mounted at d of parent, without a reference, or NULL. */
struct mount *mount_find_at(const struct mount *parent, const struct dentry *d);
bool mount_is_below(const struct mount *m, const struct mount *top);
static inline bool mount_in_tree(const struct mount *m) { return m->parent || m == m->ns->root; }
/* Is m in the mount namespace of the current task? mount_lock held, or racily. */
bool mount_is_ours(const struct mount *m);
/* mount_lock held: m goes to the end of ns's list; out of it, to no tree. */
void mount_enter_ns(struct mount *m, struct mnt_ns *ns);
void mount_leave_ns(struct mount *m);
/* Pollers of /proc/mounts look again. */
void mount_changed(struct mnt_ns *ns);

/* ---- mount_ns.c ---- */
/* A mount namespace without mounts (ERR_PTR), and the end of one with all its mounts; may sleep. */
struct mnt_ns *mnt_ns_create(struct user_ns *owner);
void mnt_ns_free(struct mnt_ns *ns);
/* A copy of from with all its mounts; fs (may be NULL), with root and working directory in from, is moved to the
 * copies. With another owner than from's, what the copy shows is locked. ERR_PTR. */
struct mnt_ns *mnt_ns_copy(struct mnt_ns *from, struct user_ns *owner, struct fs_context *fs);
/* A tree of its own without mounts, for one that is made; NULL. Freed by mount_tree_free when it is empty. */
struct mnt_ns *mount_tree_alloc(void);
void mount_tree_free(struct mnt_ns *tree);
/* Everything from top down is locked for a less privileged namespace; top itself may leave its place. mount_lock. */
void mount_lock_tree(struct mount *top);
/* May a file system of which instances show the same (proc, sysfs) be mounted with flags in a namespace that owns less:
 * is one like it visible there, whole? */
bool mount_fully_visible(const struct fs_type *type, uint32_t flags);
/* d is gone from its directory: what other namespaces have mounted on it goes too. May sleep. */
void mount_drop_at(struct dentry *d);
/* Is something mounted on d in the current namespace? */
bool mount_is_local(const struct dentry *d);

/* ---- mount_propagate.c: mount_lock held ---- */
static inline bool mount_is_shared(const struct mount *m) { return m->group != 0; }
/* MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE. */
void mount_set_type(struct mount *m, uint32_t type);
/* A clone of old joins its groups; slave: it receives from old instead. */
void mount_join_groups(struct mount *clone, struct mount *old, bool slave);
/* The next one after m that receives what happens at origin (first: m == origin); NULL: no more. */
struct mount *mount_next_receiver(struct mount *m, struct mount *origin);
/* Which of the receivers' sources m's copy is to be made from: see mount_tree.c. */
struct receiver {
	struct mount *at;   /* the receiver, or the origin */
	struct mount *copy; /* top of what is mounted there */
};
struct mount *mount_source_for(const struct mount *m, const struct receiver *done, uint32_t n, bool *slave);
/* The group id of the nearest master above m's that the current root shows, if that is not m's own master; 0. */
int mount_dominating_group(const struct mount *m);

/* ---- mount_tree.c ---- */
#define COPY_UNBINDABLE 1u     /* what is unbindable, too */
#define COPY_SLAVE      2u     /* the copies are slaves of the mounts copied; without COPY_SHARED_SLAVE of each one */
#define COPY_SHARED     4u     /* the copies are shared */
#define COPY_SHARED_SLAVE 8u   /* of shared mounts the copies are slaves */
#define COPY_NS_FILES   16u    /* files of mount namespaces, too */
/* mount_lock held: copies m's tree below root (a dentry of m), or m alone, into the empty tree `into`. ENOMEM, EPERM
 * (what is left out would show what is locked), ENOSPC. On failure into has what was made. */
int mount_copy_tree(struct mount *m, struct dentry *root, bool recursive, uint32_t flags, struct mnt_ns *into);
/* mount_lock held: the list of a tree keeps parents before children: top, with what is below, goes to its end. */
void mount_relist(struct mount *top);
/* mount_lock held: m leaves its tree for out, and keeps only a reference on the place it had. */
void mount_to_list(struct mount *m, struct list_node *out);
/* Everything leaves the tree, without propagation, onto out. mount_lock held. */
void mount_strip_tree(struct mnt_ns *tree, struct list_node *out);
/* Puts what is on the list; no locks held. */
void mount_release_list(struct list_node *out);

/* A mount that is a tree of its own; the tree holds its only reference. Takes over the one on sb. ERR_PTR. */
struct mount *mount_alloc_tree(struct super_block *sb, struct dentry *root, uint32_t flags, const char *source);
/* A tree of its own that shows what is at from; with recursive also what is mounted below. ERR_PTR. */
struct mount *mount_clone_tree(const struct path *from, bool recursive);
/* If m is still the root of a tree of its own: everything in it is unmounted. */
void mount_dissolve(struct mount *m);
/* Puts the tree of its own that m heads on top of at; then it is no tree of its own any more. ENOTDIR, ENOENT, EINVAL,
 * ENOMEM, ENOSPC. */
int mount_graft(struct mount *m, const struct path *at);
/* Moves the mount at from, with what is below, onto at: EINVAL, ELOOP, ENOENT. */
int mount_move(const struct path *from, const struct path *at);

/* ---- mount_detach.c ---- */
/* umount2(2) of m: with detach its subtree too. held: references of the caller that are no use. EBUSY, EINVAL. */
int mount_detach(struct mount *m, bool detach, uint32_t held);
/* pivot_root(2) of the mount namespace of the current task. */
int mount_pivot(const struct path *new, const struct path *put, const struct path *root);

/* ---- sys_mount.c ---- */
/* Changes MS_* flags and (not 0) the propagation type of the mount at p, or of all below too. EPERM: they are locked. */
int mount_change(const struct path *p, uint32_t set, uint32_t clear, uint32_t propagation, bool recursive);
/* A changed read-only state and new options: EBUSY, or what the file system says of them. */
int super_remount(struct super_block *sb, uint32_t flags, const char *data);
/* May the current task change mounts: CAP_SYS_ADMIN over its mount namespace? */
bool may_mount(void);
/* Has the current task the capability that a new instance of the type needs? */
bool may_create_super(const struct fs_type *type);
/* May it mount a file system of this type? 0 or -EPERM. flags: of the new mount. */
int mount_type_allowed(const struct fs_type *type, uint32_t flags);

#endif
