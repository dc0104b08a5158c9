/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pseudo file systems: trees described by const tables (proc, sysfs). An entry is a directory, a text file made by a
 * show function when it is read, a symbolic link, or something with operations of its own. A directory can have
 * dynamic entries besides its table.
 *
 * An inode carries a struct pseudo_ref: its entry, the task it speaks of (with a reference), and a number. Inodes with a
 * task are never cached beyond their last user, and are revalidated by the task being alive.
 */
#ifndef FS_PSEUDO_H
#define FS_PSEUDO_H

#include "fs/seq.h"
#include "fs/vfs.h"

struct task;
struct pseudo_entry;

struct pseudo_ref {
	const struct pseudo_entry *entry;
	struct task *task;   /* a reference, or NULL */
	uint64_t number;     /* entry-specific: a cpu, a descriptor */
	struct super_block *sb; /* the mounted file system, filled in by pseudo.c; its private belongs to it */
};

struct pseudo_entry {
	const char *name;
	uint32_t mode;       /* S_IF* and permissions */
	/* S_IFREG: whole contents. 0 or -errno. */
	int (*show)(struct seq *s, const struct pseudo_ref *ref);
	/* The same for what depends on who opened the file. */
	int (*show_opened)(struct seq *s, const struct pseudo_ref *ref, struct file *file);
	/* S_IFREG: poll of a file whose contents change; *seen belongs to the open file and is zero until the open's own
	 * call, which sets it. Default: always ready. */
	uint32_t (*poll)(struct file *file, struct poll_table *pt, uint32_t *seen);
	/* S_IFREG: what an open file keeps a reference on, for poll (pseudo_held); optional. */
	struct ns_common *(*hold)(const struct pseudo_ref *ref);
	/* S_IFREG: one write(2) with NUL-terminated text, at most a page. Bytes taken or -errno. */
	ssize_t_ (*store)(const struct pseudo_ref *ref, char *text, size_t len);
	/* The same for what depends on who opened the file; only at its beginning. */
	ssize_t_ (*store_opened)(const struct pseudo_ref *ref, struct file *file, char *text, size_t len);
	/* S_IFLNK: target as a kmalloc'ed string or ERR_PTR; and for magic links the object itself. */
	char *(*link)(const struct pseudo_ref *ref);
	int (*follow)(const struct pseudo_ref *ref, struct path *out);
	/* S_IFDIR: static entries, ended by a NULL name; and dynamic ones. */
	const struct pseudo_entry *children;
	/* Fills *out (taking a task reference if it sets one): 0 or -ENOENT. */
	int (*lookup)(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out);
	/* The first dynamic entry with a cookie >= *cookie: fills name (at least 32 bytes), type (DT_*); *cookie becomes its
	 * own cookie. False at the end. */
	bool (*next)(const struct pseudo_ref *dir, uint64_t *cookie, char *name, unsigned *type);
	/* Does the entry still exist? Default: the task, if any, is not reaped. */
	bool (*alive)(const struct pseudo_ref *ref);
	int (*permission)(const struct pseudo_ref *ref, int mask);
	const struct file_ops *fops; /* S_IFREG with operations of its own; inode->private is a struct pseudo_ref */
	uint64_t size;       /* st_size where Linux has one */
	uint32_t (*permissions)(const struct pseudo_ref *ref); /* instead of those in mode */
	/* As /proc/sys: the mode is that of effective ids and no capability overrides it; every read and write asks again, but
	 * with `permissions`, where show and store do; a write that does not begin at the start is taken and ignored. */
	bool sysctl;
	uint32_t (*nlink)(const struct pseudo_ref *ref); /* st_nlink, where it says something */
};

static inline const struct pseudo_ref *pseudo_ref_of(const struct inode *i) { return i->private; }

/* What hold gave to an open text file, or NULL. */
struct ns_common *pseudo_held(const struct file *file);
/* The entry of an open pseudo directory; NULL for other files. */
const struct pseudo_ref *pseudo_dir_ref(const struct file *f);

/* A super block whose root is the directory entry `root`. */
struct super_block *pseudo_mount(const struct fs_type *type, const struct pseudo_entry *root, uint32_t magic);
/* The same with what the file system's private is, and who puts it; private is the caller's again on failure. */
struct super_block *pseudo_mount_private(const struct fs_type *type, const struct pseudo_entry *root, uint32_t magic,
                                         const struct super_ops *ops, void *private);
/* For struct super_ops of such a file system: */
#define PSEUDO_SUPER_OPS \
	.evict_inode = pseudo_evict, .revalidate = pseudo_revalidate, .statfs = pseudo_statfs
void pseudo_evict(struct inode *inode);
int pseudo_revalidate(struct dentry *dentry);
struct hc_statfs;
int pseudo_statfs(struct super_block *sb, struct hc_statfs *st);

#endif
