// SPDX-License-Identifier: Apache-2.0
/* Super blocks of gofer mounts: creation, revalidation of cached names, statfs, the end of inodes. */
#include "fs/gofer.h"

#include "fs/container_fs.h"
#include "lib/log.h"
#include "lib/string.h"

#define V9FS_MAGIC 0x01021997

static void gofer_evict_inode(struct inode *inode)
{
	struct gofer_inode *gi = gofer_i(inode);
	if (!gi)
		return;
	gofer_hash_remove(gi);
	gofer_mmap_evict(gi);
	gofer_handle_forget(gi);
	gofer_handle_put(gi->self);
	gofer_handle_put(gi->parent);
	kfree(gi->name);
	kfree(gi->target);
	inode->private = NULL;
	kfree(gi);
}

static int gofer_statfs(struct super_block *sb, struct hc_statfs *st)
{
	struct gofer_inode *root = gofer_i(sb->root->inode);
	int64_t r = hostcall2(HC_FS_STATFS, root->self->h, st);
	return r < 0 ? (int)r : 0;
}

/* Shared mode: does the name still mean the same file? Exclusive: nobody else changes names. */
static int gofer_revalidate(struct dentry *dentry)
{
	struct gofer_sb *gsb = gofer_s(dentry->sb);
	char name[HC_NAME_MAX + 1];
	struct hc_attr a;
	if (!gsb->shared || dentry->parent == dentry)
		return 1;
	spin_lock(&dentry->lock);
	struct inode *inode = dentry->inode;
	struct dentry *parent = dentry->parent;
	uint32_t len = dentry->name_len;
	if (len <= HC_NAME_MAX)
		memcpy(name, dentry->name, len);
	dentry_get(parent);
	if (inode)
		inode_get(inode);
	spin_unlock(&dentry->lock);
	int ok = 0;
	struct gofer_inode *dir = parent->inode ? gofer_i(parent->inode) : NULL;
	if (inode && gofer_i(inode)->synthetic) {
		ok = 1;
	} else if (inode && dir && dir->self && len <= HC_NAME_MAX) {
		struct gofer_inode *gi = gofer_i(inode);
		int64_t r = hostcall4(HC_FS_STAT, dir->self->h, name, len, &a);
		if (r >= 0 && a.ino == gi->host_ino && a.dev == gi->host_dev &&
		    ((a.mode ^ inode->mode) & S_IFMT) == 0) {
			gofer_set_attr(gi, &a);
			ok = 1;
		} else if (r < 0 && r != -ENOENT && r != -ESTALE && r != -ENOTDIR) {
			ok = (int)r;
		}
	}
	if (inode)
		inode_put(inode);
	dentry_put(parent);
	return ok;
}

static void gofer_put_super(struct super_block *sb)
{
	if (!sb->private)
		return; /* it never came to be */
	(void)hostcall1(HC_FS_UNMOUNT, gofer_s(sb)->mount);
	kfree(sb->private);
	sb->private = NULL;
}

static int gofer_show_options(struct super_block *sb, char *buf, size_t size)
{
	return snprintf(buf, size, ",cache=%s", gofer_s(sb)->shared ? "revalidate" : "exclusive");
}

static const struct super_ops gofer_super_ops = {
	.evict_inode = gofer_evict_inode,
	.statfs = gofer_statfs,
	.revalidate = gofer_revalidate,
	.put_super = gofer_put_super,
	.show_options = gofer_show_options,
};

/* Mounted by the container's configuration only: there is no name for mount(2) to ask for. */
static const struct fs_type gofer_type = {.name = "9p", .nodev = true};

bool gofer_is_super(const struct super_block *sb)
{
	return sb->ops == &gofer_super_ops;
}

struct super_block *gofer_mount(uint32_t index, uint32_t flags)
{
	struct hc_attr a;
	struct gofer_handle *root = gofer_handle_new(hostcall2(HC_FS_ROOT, index, &a));
	if (IS_ERR(root))
		return (void *)root;
	struct super_block *sb = super_alloc(&gofer_type, &gofer_super_ops, V9FS_MAGIC);
	struct gofer_sb *gsb = sb ? kzalloc(sizeof(*gsb)) : NULL;
	if (!gsb) {
		gofer_handle_put(root);
		if (sb)
			super_put(sb);
		return ERR_PTR(-ENOMEM);
	}
	gsb->mount = index;
	gsb->shared = flags & GOFER_SHARED;
	gsb->single_file = !S_ISDIR(a.mode);
	rwsem_init(&gsb->names);
	spin_init(&gsb->lock);
	for (int i = 0; i < GOFER_HASH_SIZE; i++)
		list_init(&gsb->hash[i]);
	sb->private = gsb;
	sb->blocksize = a.blksize >= 512 && a.blksize <= 1 << 20 ? a.blksize : 4096;
	sb->max_bytes = INT64_MAX;
	sb->flags = flags & ~GOFER_SHARED;
	struct inode *inode = gofer_iget(sb, &a, root, NULL, NULL, 0);
	if (IS_ERR(inode)) {
		super_put(sb);
		return (void *)inode;
	}
	sb->root = dentry_make_root(inode);
	if (!sb->root) {
		inode_put(inode);
		super_put(sb);
		return ERR_PTR(-ENOMEM);
	}
	return sb;
}
