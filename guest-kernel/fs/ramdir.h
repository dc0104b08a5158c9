/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directory contents of in-memory file systems: names to inodes, with positions for readdir that stay right while
 * entries come and go. Protected by the directory's inode->lock.
 */
#ifndef FS_RAMDIR_H
#define FS_RAMDIR_H

#include "fs/vfs.h"
#include "lib/rbtree.h"

struct ram_entry {
	struct rb_node by_name, by_cookie;
	struct list_node link;  /* for the owner, once removed */
	struct inode *inode;    /* a reference */
	uint64_t cookie;
	uint32_t hash, len;
	char name[];
};

struct ram_dir {
	struct rb_root names, cookies;
	uint64_t next_cookie;
	uint32_t count;
};

void ram_dir_init(struct ram_dir *d);
struct ram_entry *ram_dir_find(struct ram_dir *d, const char *name, size_t len);
/* Adds a name that is not there; takes over the reference on inode on success. 0 or -ENOMEM. */
int ram_dir_add(struct ram_dir *d, const char *name, size_t len, struct inode *inode);
/* Unlinks the entry and frees it; the inode's reference passes to the caller. */
struct inode *ram_dir_remove(struct ram_dir *d, struct ram_entry *e);
/* Moves all entries to a list (through link), which the caller frees. */
void ram_dir_take_all(struct ram_dir *d, struct list_node *out);
/* readdir for a directory of this kind: ".", "..", then the entries. */
int ram_dir_emit(struct ram_dir *d, struct file *file, struct dir_context *ctx);

#endif
