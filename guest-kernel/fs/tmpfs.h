/* SPDX-License-Identifier: Apache-2.0 */
/* tmpfs, shared between its files. */
#ifndef FS_TMPFS_H
#define FS_TMPFS_H

#include "fs/ramdir.h"

#define TMPFS_MAGIC 0x01021994
#define RAMFS_MAGIC 0x858458f6
#define TMPFS_ENTRY_SIZE 20 /* what a name adds to st_size of a directory, as on Linux */
#define TMPFS_INODE_SPACE 1024 /* what an inode takes of the space that nr_inodes= gives to inodes and their attributes */

struct tmpfs_sb {
	spinlock_t lock;
	uint64_t max_blocks, max_inodes;   /* pages, inodes; 0: no limit */
	uint64_t used_blocks, used_space;  /* space: TMPFS_INODE_SPACE each and extended attributes, bytes; lock */
	uint32_t mode, uid, gid;
	bool draining;                     /* see tmpfs_evict */
	struct list_node doomed;
};

struct tmpfs_xattr {
	struct list_node link;
	size_t size;
	char *value;
	char name[];
};

struct tmpfs_node {
	struct ram_dir dir;          /* directories; inode->lock */
	struct list_node xattrs;     /* inode->lock */
	size_t xattr_bytes;
	uint64_t charged;            /* pages counted in used_blocks; inode->spin */
};

static inline struct tmpfs_sb *tmpfs_sb(const struct inode *i) { return i->sb->private; }
static inline struct tmpfs_node *tmpfs_node(const struct inode *i) { return i->private; }

/* Takes space of inodes, within the limit: 0 or -ENOSPC; and gives it back. */
int tmpfs_charge(struct tmpfs_sb *ts, uint64_t bytes) MUST_CHECK;
void tmpfs_uncharge(struct tmpfs_sb *ts, uint64_t bytes);
/* A new inode, nlink 1, owner from the current task (dir may be NULL): or ERR_PTR(-ENOSPC, -ENOMEM). */
struct inode *tmpfs_inode(struct super_block *sb, struct inode *dir, uint32_t mode, uint64_t rdev);
extern const struct inode_ops tmpfs_dir_ops, tmpfs_file_ops_inode, tmpfs_link_ops;
extern const struct file_ops tmpfs_file_ops, tmpfs_dir_fops;

int tmpfs_setattr(struct inode *inode, struct iattr *attr);
ssize_t_ tmpfs_getxattr(struct inode *inode, const char *name, void *value, size_t size);
int tmpfs_setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags);
ssize_t_ tmpfs_listxattr(struct inode *inode, char *list, size_t size);
int tmpfs_removexattr(struct inode *inode, const char *name);
void tmpfs_xattr_free(struct inode *inode);
/* Another owner or other contents: a file loses its security.capability. inode->lock held. */
void tmpfs_drop_capabilities(struct inode *inode);

#endif
