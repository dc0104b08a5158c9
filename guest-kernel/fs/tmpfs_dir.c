// SPDX-License-Identifier: Apache-2.0
/*
 * tmpfs: directories and names. The tree lives in ram_dir entries, which hold their inodes; dentries are only a cache
 * over them. The VFS holds the directories' locks, and those of files whose link counts change.
 */
#include <linux/fs.h>

#include "fs/namei.h"
#include "fs/posix_acl.h"
#include "fs/tmpfs.h"
#include "lib/string.h"


static bool is_dir(const struct inode *i) { return (i->mode & S_IFMT) == S_IFDIR; }

static void touch_dir(struct inode *dir) { inode_touch(dir, ATTR_MTIME | ATTR_CTIME); }

static int tmpfs_lookup(struct inode *dir, struct dentry *d)
{
	struct ram_entry *e = ram_dir_find(&tmpfs_node(dir)->dir, d->name, d->name_len);
	if (e) {
		inode_get(e->inode);
		dentry_instantiate(d, e->inode);
	}
	return 0;
}

/* Enters a new inode under the dentry's name. Consumes the reference in every case. */
static int enter(struct inode *dir, struct dentry *d, struct inode *i)
{
	int r = ram_dir_add(&tmpfs_node(dir)->dir, d->name, d->name_len, i);
	if (r) {
		i->nlink = 0;
		inode_put(i);
		return r;
	}
	dir->size += TMPFS_ENTRY_SIZE;
	if (is_dir(i))
		dir->nlink++;
	touch_dir(dir);
	inode_get(i);
	dentry_instantiate(d, i);
	return 0;
}

static int tmpfs_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint64_t dev)
{
	struct inode *i = tmpfs_inode(dir->sb, dir, mode, dev);
	return IS_ERR(i) ? PTR_ERR(i) : enter(dir, d, i);
}

static int tmpfs_create(struct inode *dir, struct dentry *d, uint32_t mode) { return tmpfs_mknod(dir, d, mode, 0); }
static int tmpfs_mkdir(struct inode *dir, struct dentry *d, uint32_t mode) { return tmpfs_mknod(dir, d, mode, 0); }

static int tmpfs_symlink(struct inode *dir, struct dentry *d, const char *target)
{
	char *copy = kstrdup(target);
	if (!copy)
		return -ENOMEM;
	struct inode *i = tmpfs_inode(dir->sb, dir, S_IFLNK | 0777, 0);
	if (IS_ERR(i)) {
		kfree(copy);
		return PTR_ERR(i);
	}
	i->link = copy;
	i->size = strlen(copy);
	return enter(dir, d, i);
}

static int tmpfs_tmpfile(struct inode *dir, struct dentry *d, uint32_t mode)
{
	struct inode *i = tmpfs_inode(dir->sb, dir, mode, 0);
	if (IS_ERR(i))
		return PTR_ERR(i);
	i->nlink = 0;
	dentry_instantiate(d, i);
	return 0;
}

static int tmpfs_link(struct dentry *old, struct inode *dir, struct dentry *d)
{
	struct inode *i = old->inode;
	if (i->nlink == UINT32_MAX)
		return -EMLINK;
	inode_get(i);
	int r = ram_dir_add(&tmpfs_node(dir)->dir, d->name, d->name_len, i);
	if (r) {
		inode_put(i);
		return r;
	}
	i->nlink++;
	inode_touch(i, ATTR_CTIME);
	dir->size += TMPFS_ENTRY_SIZE;
	touch_dir(dir);
	inode_get(i);
	dentry_instantiate(d, i);
	return 0;
}

/* Takes an entry out; the directory's counters and the inode's links follow. */
static void remove_entry(struct inode *dir, struct ram_entry *e)
{
	struct inode *i = ram_dir_remove(&tmpfs_node(dir)->dir, e);
	dir->size -= TMPFS_ENTRY_SIZE;
	if (is_dir(i)) {
		dir->nlink--;
		i->nlink = 0;
	} else {
		i->nlink--;
	}
	inode_touch(i, ATTR_CTIME);
	touch_dir(dir);
	inode_put(i);
}

static int tmpfs_unlink(struct inode *dir, struct dentry *d)
{
	struct ram_entry *e = ram_dir_find(&tmpfs_node(dir)->dir, d->name, d->name_len);
	if (!e)
		return -ENOENT;
	remove_entry(dir, e);
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, struct dentry *d)
{
	if (tmpfs_node(d->inode)->dir.count)
		return -ENOTEMPTY;
	return tmpfs_unlink(dir, d);
}

static void exchange(struct inode *old_dir, struct ram_entry *a, struct inode *new_dir, struct ram_entry *b)
{
	struct inode *t = a->inode;
	a->inode = b->inode;
	b->inode = t;
	if (old_dir != new_dir && is_dir(a->inode) != is_dir(b->inode)) {
		old_dir->nlink += is_dir(a->inode) ? 1 : -1;
		new_dir->nlink += is_dir(b->inode) ? 1 : -1;
	}
	inode_touch(a->inode, ATTR_CTIME);
	inode_touch(b->inode, ATTR_CTIME);
}

static int tmpfs_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new,
                        uint32_t flags)
{
	struct ram_dir *od = &tmpfs_node(old_dir)->dir, *nd = &tmpfs_node(new_dir)->dir;
	struct ram_entry *from = ram_dir_find(od, old->name, old->name_len);
	struct ram_entry *to = ram_dir_find(nd, new->name, new->name_len);
	if (!from)
		return -ENOENT;
	struct inode *moved = from->inode;
	if (flags & RENAME_EXCHANGE) {
		if (!to)
			return -ENOENT;
		exchange(old_dir, from, new_dir, to);
	} else {
		if (to && is_dir(to->inode) && tmpfs_node(to->inode)->dir.count)
			return -ENOTEMPTY;
		/* the new name first: it is the only step that can fail. A replaced target keeps its entry. */
		if (to) {
			struct inode *victim = to->inode;
			to->inode = moved;
			if (is_dir(victim)) {
				victim->nlink = 0;
				new_dir->nlink--;
			} else {
				victim->nlink--;
			}
			inode_touch(victim, ATTR_CTIME);
			inode_put(victim);
		} else {
			int r = ram_dir_add(nd, new->name, new->name_len, moved);
			if (r)
				return r;
			new_dir->size += TMPFS_ENTRY_SIZE;
		}
		(void)ram_dir_remove(od, from); /* its reference went to the new entry */
		old_dir->size -= TMPFS_ENTRY_SIZE;
		if (is_dir(moved)) {
			old_dir->nlink--;
			new_dir->nlink++;
		}
		inode_touch(moved, ATTR_CTIME);
	}
	touch_dir(old_dir);
	touch_dir(new_dir);
	return 0;
}

static int tmpfs_readdir(struct file *f, struct dir_context *ctx)
{
	int r = ram_dir_emit(&tmpfs_node(f->inode)->dir, f, ctx);
	file_accessed(f);
	return r;
}

static ssize_t_ read_dir_fails(struct file *f, struct iter *to, uint64_t *pos) { return -EISDIR; }

static int dir_fsync(struct file *f, bool datasync) { return 0; }

const struct file_ops tmpfs_dir_fops = {
	.read = read_dir_fails,
	.llseek = file_dir_llseek,
	.readdir = tmpfs_readdir,
	.fsync = dir_fsync,
};

const struct inode_ops tmpfs_dir_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.mkdir = tmpfs_mkdir,
	.mknod = tmpfs_mknod,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
	.set_acl = acl_set_in_memory,
};

static char *tmpfs_readlink(struct inode *i)
{
	char *s = kstrdup(i->link);
	return s ? s : ERR_PTR(-ENOMEM);
}

const struct inode_ops tmpfs_link_ops = {
	.readlink = tmpfs_readlink,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
};
