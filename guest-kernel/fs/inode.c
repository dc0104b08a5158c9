// SPDX-License-Identifier: Apache-2.0
/*
 * Inodes and super blocks: allocation, lifetime, times, owner rules.
 *
 * An inode lives as long as it is referenced: there is no cache of unused inodes here (unused dentries keep theirs).
 * Every inode is on its super block's list. A super block lives as long as mounts (or its file system) refer to it;
 * open files hold mounts, so no inode outlives its super block.
 */
#include "fs/vfs.h"

#include <linux/mount.h>

#include "fs/namei.h"
#include "fs/posix_acl.h"
#include "lib/string.h"
#include "lib/log.h"
#include "task/task.h"
#include "task/user_ns.h"

static uint64_t next_ino = 1;
static uint32_t next_anon_dev = 1;

uint64_t ino_alloc(void) { return atomic_add(&next_ino, 1); }

/* An st_dev for a file system without device. */
static uint64_t dev_alloc_anon(void) { return MKDEV(0, atomic_add(&next_anon_dev, 1)); }

/* The encoding of struct stat and mknod(2): see makedev(3). */
uint64_t dev_encode(uint64_t dev)
{
	uint64_t ma = DEV_MAJOR(dev), mi = DEV_MINOR(dev);
	return (mi & 0xff) | (ma & 0xfff) << 8 | (mi & ~0xffUL) << 12 | (ma & ~0xfffUL) << 32;
}

uint64_t dev_decode(uint64_t d)
{
	return MKDEV(((d >> 8) & 0xfff) | ((d >> 32) & ~0xfffUL), (d & 0xff) | ((d >> 12) & 0xfff00));
}

struct inode *inode_alloc(struct super_block *sb)
{
	struct inode *i = kzalloc(sizeof(*i));
	if (!i)
		return NULL;
	ref_init(&i->refs);
	i->sb = sb;
	i->nlink = 1;
	mutex_init(&i->lock);
	spin_init(&i->spin);
	list_init(&i->marks);
	list_init(&i->aliases);
	list_init(&i->sb_link);
	mapping_init(&i->mapping, i);
	spin_lock(&sb->lock);
	list_add_tail(&i->sb_link, &sb->inodes);
	spin_unlock(&sb->lock);
	return i;
}

void inode_put(struct inode *i)
{
	if (!i || !ref_put(&i->refs))
		return;
	acl_free(i);
	if (i->locks)
		locks_free_inode(i);
	spin_lock(&i->sb->lock);
	list_del(&i->sb_link);
	spin_unlock(&i->sb->lock);
	if (i->sb->ops && i->sb->ops->evict_inode)
		i->sb->ops->evict_inode(i);
	mapping_destroy(&i->mapping);
	kfree(i);
}

struct timespec64 time_now(void)
{
	uint64_t ns = clock_realtime();
	return (struct timespec64){.tv_sec = ns / 1000000000u, .tv_nsec = ns % 1000000000u};
}

void inode_touch(struct inode *i, uint32_t which)
{
	struct timespec64 now = time_now();
	if (which & ATTR_ATIME)
		i->atime = now;
	if (which & ATTR_MTIME)
		i->mtime = now;
	if (which & ATTR_CTIME)
		i->ctime = now;
}

static bool time_before_or_equal(const struct timespec64 *a, const struct timespec64 *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec <= b->tv_nsec);
}

void path_accessed(const struct path *p)
{
	struct inode *i = p->dentry->inode;
	uint32_t fl = p->mnt->flags | p->mnt->sb->flags;
	if ((fl & (MS_NOATIME | MS_RDONLY)) || (i->iflags & INODE_NO_ATIME) || ((fl & MS_NODIRATIME) && (i->mode & S_IFMT) == S_IFDIR))
		return;
	if (i->ops && i->ops->atime_inode) {
		i = i->ops->atime_inode(i);
		if (!i)
			return;
	}
	struct timespec64 now = time_now();
	/* relatime is the default, as on Linux */
	if (!(p->mnt->flags & MS_STRICTATIME) && !time_before_or_equal(&i->atime, &i->mtime) &&
	    !time_before_or_equal(&i->atime, &i->ctime) && now.tv_sec - i->atime.tv_sec < 24 * 3600)
		return;
	i->atime = now;
}

void file_accessed(struct file *f)
{
	if (!(f->flags & O_NOATIME))
		path_accessed(&f->path);
}

void inode_init_owner(struct inode *inode, const struct inode *dir, uint32_t mode)
{
	const struct cred *c = current->cred;
	inode->uid = c->fsuid;
	inode->gid = c->fsgid;
	inode->mode = mode;
	if (dir && (dir->mode & S_ISGID)) {
		inode->gid = dir->gid;
		if ((mode & S_IFMT) == S_IFDIR)
			inode->mode |= S_ISGID;
		else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !cred_in_group(c, dir->gid) &&
		         !inode_capable(dir, CAP_FSETID))
			inode->mode &= ~S_ISGID;
	}
	inode->atime = inode->mtime = inode->ctime = inode->btime = time_now();
}

void inode_setattr_copy(struct inode *inode, const struct iattr *attr)
{
	if (attr->valid & ATTR_UID)
		inode->uid = attr->uid;
	if (attr->valid & ATTR_GID)
		inode->gid = attr->gid;
	if (attr->valid & ATTR_ATIME)
		inode->atime = attr->atime;
	if (attr->valid & ATTR_MTIME)
		inode->mtime = attr->mtime;
	if (attr->valid & ATTR_MODE)
		inode->mode = (inode->mode & S_IFMT) | (attr->mode & 07777);
	inode_touch(inode, ATTR_CTIME);
}

void inode_fill_stat(struct inode *i, struct kstat *st)
{
	memset(st, 0, sizeof(*st));
	st->ino = i->ino;
	st->dev = i->sb->dev;
	st->rdev = i->rdev;
	st->size = READ_ONCE(i->size);
	st->blocks = i->blocks;
	st->mode = i->mode;
	st->nlink = i->nlink;
	st->uid = i->uid;
	st->gid = i->gid;
	st->blksize = i->sb->blocksize ? i->sb->blocksize : 4096;
	st->atime = i->atime;
	st->mtime = i->mtime;
	st->ctime = i->ctime;
	st->btime = i->btime;
	st->has_btime = i->btime.tv_sec != 0;
}

struct super_block *super_alloc(const struct fs_type *type, const struct super_ops *ops, uint32_t magic)
{
	struct super_block *sb = kzalloc(sizeof(*sb));
	if (!sb)
		return NULL;
	ref_init(&sb->refs);
	sb->type = type;
	sb->ops = ops;
	sb->magic = magic;
	sb->user_ns = user_ns_get(type && type->owner ? type->owner() : &init_user_ns);
	sb->dev = dev_alloc_anon();
	sb->blocksize = 4096;
	sb->max_bytes = INT64_MAX;
	mutex_init(&sb->rename_lock);
	spin_init(&sb->lock);
	list_init(&sb->inodes);
	return sb;
}

struct super_block *super_once(struct super_block **slot, const struct fs_type *type, const struct super_ops *ops,
                               uint32_t magic)
{
	if (!atomic_load(slot)) {
		struct super_block *sb = super_alloc(type, ops, magic);
		if (sb && !atomic_cas(slot, NULL, sb))
			super_put(sb); /* somebody else was first */
	}
	return atomic_load(slot);
}

void super_put(struct super_block *sb)
{
	if (!sb || !ref_put(&sb->refs))
		return;
	notify_super_gone(sb);
	dcache_shrink(sb, 0);
	if (sb->root) {
		dentry_put(sb->root);
		sb->root = NULL;
	}
	if (sb->ops && sb->ops->kill_super)
		sb->ops->kill_super(sb);
	if (!list_empty(&sb->inodes)) {
		/* Something still refers to an inode: keeping the super block is safe, freeing it is not. */
		pr_warn("%s: inodes in use after the last unmount", sb->type ? sb->type->name : "anonymous");
		return;
	}
	if (sb->ops && sb->ops->put_super)
		sb->ops->put_super(sb);
	user_ns_put(sb->user_ns);
	kfree(sb);
}

int inode_deny_write(struct inode *inode)
{
	int32_t n = READ_ONCE(inode->write_count);
	for (;;) {
		if (n > 0)
			return -ETXTBSY;
		if (atomic_cas(&inode->write_count, n, n - 1))
			return 0;
		n = READ_ONCE(inode->write_count);
	}
}

void inode_allow_write(struct inode *inode) { atomic_add(&inode->write_count, 1); }

static bool lock_first(const struct inode *a, const struct inode *b) { return (uint64_t)a < (uint64_t)b; }

/* Two inodes that are not directories (or NULL), in address order. */
void inode_lock_two(struct inode *a, struct inode *b)
{
	if (a == b)
		b = NULL;
	if (a && b && !lock_first(a, b)) {
		struct inode *t = a;
		a = b;
		b = t;
	}
	if (a)
		mutex_lock(&a->lock);
	if (b)
		mutex_lock(&b->lock);
}

void inode_unlock_two(struct inode *a, struct inode *b)
{
	if (a)
		mutex_unlock(&a->lock);
	if (b && b != a)
		mutex_unlock(&b->lock);
}

/* The two parents of a rename: an ancestor before its descendant, else in address order. Across directories the
 * super block's rename lock keeps the tree still meanwhile. Where others move directories of the host, one directory may
 * be known by two names, an old one and its new one. */
void lock_rename(struct dentry *a, struct dentry *b)
{
	if (a->inode == b->inode) {
		mutex_lock(&a->inode->lock);
		return;
	}
	mutex_lock(&a->sb->rename_lock);
	if (dentry_is_ancestor(b, a) || (!dentry_is_ancestor(a, b) && lock_first(b->inode, a->inode))) {
		struct dentry *t = a;
		a = b;
		b = t;
	}
	mutex_lock(&a->inode->lock);
	mutex_lock(&b->inode->lock);
}

void unlock_rename(struct dentry *a, struct dentry *b)
{
	mutex_unlock(&a->inode->lock);
	if (a->inode != b->inode) {
		mutex_unlock(&b->inode->lock);
		mutex_unlock(&a->sb->rename_lock);
	}
}

void vfs_init(void)
{
	mount_init();
	anon_init();
	tmpfs_init();
}
