/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overlay (overlayfs(5)): an upper directory tree that takes every change over a lower one that is never written.
 *
 * Overlay inodes are their own objects; each refers to an upper dentry, a lower dentry, or (merged directories and
 * copied-up files) both. The real file systems' operations are called with the locks the VFS would hold.
 *
 * Locks: overlay inode->lock (held by the VFS) > oi->copy_lock > locks of upper inodes > locks of lower inodes. The
 * upper dentry of an overlay inode is set once, under copy_lock, and read without it (acquire).
 */
#ifndef FS_OVERLAY_H
#define FS_OVERLAY_H

#include "fs/namei.h"
#include "fs/vfs.h"

#define OVL_HASH 1024
#define OVL_XATTR_PREFIX "trusted.overlay."
#define OVL_XATTR_OPAQUE "trusted.overlay.opaque"
#define OVL_XATTR_ORIGIN "trusted.overlay.origin"

struct ovl_sb {
	struct path upper, lower; /* references; immutable */
	bool lower_revalidates;   /* the lower file system is shared with others */
	spinlock_t lock;
	struct list_node by_upper[OVL_HASH], by_lower[OVL_HASH]; /* ovl_inode by real inode; lock */
};

struct ovl_inode {
	struct inode *inode;
	struct dentry *upper, *lower; /* references */
	bool opaque;                  /* a directory that hides the lower one; set at creation */
	bool pinned;                  /* copied-up hard link: stays cached so that its other names find it, until the last of
	                                 them goes; lock of sb */
	struct mutex copy_lock;
	struct list_node upper_link, lower_link; /* ovl_sb.lock */
	uint64_t ino;                 /* st_ino; immutable */
};

struct ovl_file {
	struct file *real;
	struct file *before; /* the lower file from before a copy-up; mappings may still use it */
	bool upper;
};

static inline struct ovl_inode *ovl_i(const struct inode *i) { return i->private; }
static inline struct ovl_sb *ovl_s(const struct super_block *sb) { return sb->private; }
static inline struct dentry *ovl_upper(const struct ovl_inode *oi) { return atomic_load(&oi->upper); }
/* The inode that holds the data and attributes now. */
static inline struct inode *ovl_real(const struct ovl_inode *oi)
{
	struct dentry *u = ovl_upper(oi);
	return u ? u->inode : oi->lower->inode;
}
static inline bool ovl_is_whiteout(const struct inode *i) { return i && S_ISCHR(i->mode) && !i->rdev; }

/* ---- overlay_super.c ---- */
extern const struct fs_type overlay_type;
/* The overlay inode of real objects; takes over the references on the dentries (either may be NULL). */
struct inode *ovl_iget(struct super_block *sb, struct dentry *upper, struct dentry *lower);
/* After a copy-up: oi is found by its upper inode from now on. */
void ovl_hash_upper(struct ovl_inode *oi);
void ovl_pin(struct ovl_inode *oi);
/* A name of the inode went; the caller has a reference on it and holds its lock. */
void ovl_name_gone(struct inode *inode);
/* st_ino of an object that has an upper inode but no lower one of its name. */
uint64_t ovl_upper_ino(struct inode *real);
/* A positive dentry of a real directory with a reference, NULL, or ERR_PTR. Takes dir's lock. */
struct dentry *ovl_real_lookup(struct dentry *dir, const char *name, size_t len);
/* The same with whiteouts and opaque directories applied: what the name is in the lower layer as seen through od. */
struct dentry *ovl_lower_lookup(struct ovl_inode *od, const char *name, size_t len);

/* ---- overlay_inode.c ---- */
extern const struct inode_ops ovl_dir_iops, ovl_file_iops, ovl_symlink_iops;
/* Copies what the VFS reads from inodes. */
void ovl_copy_attr(struct inode *inode);
int ovl_real_getattr(struct inode *real, struct kstat *st);
int ovl_real_setattr(struct inode *real, struct iattr *attr); /* takes its lock */
int ovl_real_setxattr(struct inode *real, const char *name, const void *value, size_t size);

/* ---- overlay_copy.c ---- */
/* Makes sure that the object has an upper one, and its ancestors too. limit: how many bytes of data matter. */
int ovl_copy_up(struct dentry *d, uint64_t limit);
/* Of an inode by any of its names. */
int ovl_copy_up_inode(struct inode *inode, uint64_t limit);

/* ---- overlay_name.c, overlay_rename.c: changes of names ---- */
int ovl_lookup(struct inode *dir, struct dentry *dentry);
int ovl_create(struct inode *dir, struct dentry *dentry, uint32_t mode);
int ovl_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode);
int ovl_mknod(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t dev);
int ovl_symlink(struct inode *dir, struct dentry *dentry, const char *target);
int ovl_link(struct dentry *old, struct inode *dir, struct dentry *dentry);
int ovl_tmpfile(struct inode *dir, struct dentry *dentry, uint32_t mode);
int ovl_unlink(struct inode *dir, struct dentry *dentry);
int ovl_rmdir(struct inode *dir, struct dentry *dentry);
int ovl_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new, uint32_t flags);
/* udir locked: makes name in it negative where only a whiteout stands. The dentry with a reference, or ERR_PTR. */
struct dentry *ovl_clear_whiteout(struct dentry *udir, const char *name, size_t len);
/* udir locked, name absent: hides the lower name. */
int ovl_make_whiteout(struct dentry *udir, const char *name, size_t len);

/* ---- overlay_readdir.c ---- */
extern const struct file_ops ovl_dir_fops;
/* Nothing but whiteouts? The directory's inode->lock held. 1 empty, 0 not, or -errno. */
int ovl_dir_is_empty(struct inode *dir);
/* Removes the whiteouts of an upper directory, so that it can be removed. */
int ovl_clear_dir(struct dentry *udir);

/* ---- overlay_file.c ---- */
extern const struct file_ops ovl_file_fops;
/* Opens a real object without checks. */
struct file *ovl_open_real(const struct path *p, uint32_t flags, uint32_t fmode);

#endif
