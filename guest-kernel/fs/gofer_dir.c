// SPDX-License-Identifier: Apache-2.0
/*
 * Directories of the host: lookup, creation, removal, rename, reading.
 *
 * The directory's inode->lock is held by the caller; what changes names also holds gsb->names for writing around the
 * hostcall and the update of the inode's remembered name.
 */
#include "fs/gofer.h"

#include <linux/fs.h>

#include "fs/dirent.h"
#include "fs/namei.h"
#include "lib/string.h"
#include "task/task.h"

#define READDIR_BUF 32768u
#define COOKIE_CONTINUE UINT64_MAX

static struct gofer_handle *dir_handle(struct inode *dir)
{
	return gofer_i(dir)->self;
}

static int attach(struct inode *dir, struct dentry *dentry, const struct hc_attr *a, struct gofer_handle *self)
{
	struct inode *inode = gofer_iget(dir->sb, a, self, dir_handle(dir), dentry->name, dentry->name_len);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	dentry->flags &= ~DENTRY_NO_CACHE;
	dentry_instantiate(dentry, inode);
	return 0;
}

static int gofer_lookup(struct inode *dir, struct dentry *dentry)
{
	struct hc_attr a;
	struct gofer_handle *self = NULL;
	struct gofer_handle *dh = dir_handle(dir);
	if (dentry->name_len > HC_NAME_MAX)
		return -ENAMETOOLONG;
	if (!dh)
		return 0; /* synthetic: empty */
	int64_t r = GOFER_FD_CALL(hostcall5(HC_FS_WALK, dh->h, dentry->name, dentry->name_len, &a, hc_reserve));
	if (r == -ENOENT) {
		if (gofer_s(dir->sb)->shared)
			dentry->flags |= DENTRY_NO_CACHE;
		return 0;
	}
	if (r < 0)
		return (int)r;
	if (r != HC_NO_HANDLE) {
		self = gofer_handle_new(r);
		if (IS_ERR(self))
			return PTR_ERR(self);
	}
	return attach(dir, dentry, &a, self);
}

/* Owner and mode of a new object in dir, as mknod(2) says. */
static int create_request(struct hc_create *c, struct inode *dir, struct dentry *dentry, uint32_t mode)
{
	struct inode model;
	if (!dir_handle(dir))
		return -EROFS;
	if (dentry->name_len > HC_NAME_MAX)
		return -ENAMETOOLONG;
	inode_init_owner(&model, dir, mode);
	memset(c, 0, sizeof(*c));
	c->mode = model.mode;
	c->uid = model.uid;
	c->gid = model.gid;
	c->name_len = dentry->name_len;
	memcpy(c->name, dentry->name, dentry->name_len);
	return 0;
}

static void dir_changed(struct inode *dir)
{
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
	gofer_mark_stale(dir);
}

static int create_handle(struct inode *dir, struct dentry *dentry, uint32_t mode, struct gofer_handle **out)
{
	struct hc_create c;
	struct hc_attr a;
	int r = create_request(&c, dir, dentry, mode);
	if (r)
		return r;
	c.flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int64_t h = GOFER_FD_CALL(hostcall3(HC_FS_CREATE, dir_handle(dir)->h, &c, &a));
	struct gofer_handle *gh = gofer_handle_new(h);
	if (IS_ERR(gh))
		return PTR_ERR(gh);
	dir_changed(dir);
	r = attach(dir, dentry, &a, NULL);
	if (r) {
		gofer_handle_put(gh);
		return r;
	}
	gofer_handle_adopt(gofer_i(dentry->inode), gh);
	*out = gh;
	return 0;
}

/* O_TMPFILE: reached through its handle until it gets a name. Where the host's file system has none, so do we. */
static int gofer_tmpfile(struct inode *dir, struct dentry *dentry, uint32_t mode)
{
	struct hc_create c;
	struct hc_attr a;
	int r = create_request(&c, dir, dentry, mode);
	if (r)
		return r;
	c.name_len = 0;
	c.flags = O_RDWR | O_TMPFILE | O_CLOEXEC;
	struct gofer_handle *gh = gofer_handle_new(GOFER_FD_CALL(hostcall3(HC_FS_CREATE, dir_handle(dir)->h, &c, &a)));
	if (IS_ERR(gh))
		return PTR_ERR(gh) == -EISDIR ? -EOPNOTSUPP : PTR_ERR(gh);
	struct inode *inode = gofer_iget(dir->sb, &a, NULL, NULL, NULL, 0);
	if (IS_ERR(inode)) {
		gofer_handle_put(gh);
		return PTR_ERR(inode);
	}
	gofer_handle_adopt(gofer_i(inode), gh);
	gofer_handle_put(gh); /* not released: shared access would close it, and nothing else leads to the file */
	dentry_instantiate(dentry, inode);
	return 0;
}

static int gofer_create(struct inode *dir, struct dentry *dentry, uint32_t mode)
{
	struct gofer_handle *h;
	int r = create_handle(dir, dentry, mode, &h);
	if (!r)
		gofer_handle_release(gofer_i(dentry->inode), h);
	return r;
}

static int gofer_create_open(struct inode *dir, struct dentry *dentry, uint32_t mode, struct file *file)
{
	struct gofer_handle *h;
	int r = create_handle(dir, dentry, mode, &h);
	if (r)
		return r;
	file->inode = dentry->inode;
	file->ops = dentry->inode->fops;
	file->private = h;
	return 0;
}

static int gofer_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode)
{
	struct hc_create c;
	struct hc_attr a;
	int r = create_request(&c, dir, dentry, S_IFDIR | mode);
	if (r)
		return r;
	int64_t h = GOFER_FD_CALL(hostcall3(HC_FS_MKDIR, dir_handle(dir)->h, &c, &a));
	if (h < 0)
		return (int)h;
	dir_changed(dir);
	/* The answer may or may not carry a handle; a walk always does. */
	h = GOFER_FD_CALL(hostcall5(HC_FS_WALK, dir_handle(dir)->h, dentry->name, dentry->name_len, &a, hc_reserve));
	struct gofer_handle *self = gofer_handle_new(h);
	if (IS_ERR(self))
		return PTR_ERR(self);
	return attach(dir, dentry, &a, self);
}

static int gofer_mknod(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t dev)
{
	struct hc_create c;
	struct hc_attr a;
	int r = create_request(&c, dir, dentry, mode);
	if (r)
		return r;
	c.rdev_major = DEV_MAJOR(dev);
	c.rdev_minor = DEV_MINOR(dev);
	int64_t h = GOFER_FD_CALL(hostcall3(HC_FS_MKNOD, dir_handle(dir)->h, &c, &a));
	if (h < 0)
		return (int)h;
	dir_changed(dir);
	return attach(dir, dentry, &a, NULL);
}

static int gofer_symlink(struct inode *dir, struct dentry *dentry, const char *target)
{
	struct hc_create c;
	struct hc_attr a;
	int r = create_request(&c, dir, dentry, S_IFLNK | 0777);
	if (r)
		return r;
	size_t len = strlen(target);
	char *copy = kmemdup_str(target, len); /* the host reads RAM only, a constant is not there */
	if (!copy)
		return -ENOMEM;
	int64_t h = GOFER_FD_CALL(hostcall5(HC_FS_SYMLINK, dir_handle(dir)->h, &c, copy, len, &a));
	kfree(copy);
	if (h < 0)
		return (int)h;
	dir_changed(dir);
	return attach(dir, dentry, &a, NULL);
}

/* The current (parent handle, name) of an inode for FS_LINK's source, or its open handle if it has no name (O_TMPFILE);
 * names lock held, so that the handle stays. */
static int link_source(struct gofer_inode *gi, struct dentry *old, struct hc_link *l)
{
	struct gofer_handle *parent = gi->parent;
	const char *name = gi->name;
	uint32_t len = gi->name_len;
	if (!name && !gi->inode->nlink) {
		struct gofer_target t;
		int r = gofer_target(gi, &t, GOFER_BY_HANDLE);
		if (r)
			return r;
		l->old_dir = t.handle->h;
		gofer_handle_put(t.handle); /* the caller's open file keeps it */
		return 0;
	}
	if (!name) {
		parent = old->parent->inode ? dir_handle(old->parent->inode) : NULL;
		name = old->name;
		len = old->name_len;
	}
	if (!parent || len > HC_NAME_MAX)
		return -ESTALE;
	l->old_dir = parent->h;
	l->old_len = (uint16_t)len;
	memcpy(l->old_name, name, len);
	return 0;
}

static int gofer_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = old->inode;
	struct gofer_sb *gsb = gofer_s(dir->sb);
	if (!dir_handle(dir))
		return -EROFS;
	if (dentry->name_len > HC_NAME_MAX)
		return -ENAMETOOLONG;
	struct hc_link *l = kzalloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->new_dir = dir_handle(dir)->h;
	l->new_len = (uint16_t)dentry->name_len;
	memcpy(l->new_name, dentry->name, dentry->name_len);
	rwsem_write_lock(&gsb->names);
	int64_t r = link_source(gofer_i(inode), old, l);
	if (!r)
		r = hostcall1(HC_FS_LINK, l);
	if (r >= 0 && !gofer_i(inode)->name)
		gofer_set_name(gofer_i(inode), dir_handle(dir), dentry->name, dentry->name_len);
	rwsem_write_unlock(&gsb->names);
	kfree(l);
	if (r < 0)
		return (int)r;
	inode->nlink++;
	inode_touch(inode, ATTR_CTIME);
	gofer_mark_stale(inode);
	dir_changed(dir);
	inode_get(inode);
	dentry->flags &= ~DENTRY_NO_CACHE;
	dentry_instantiate(dentry, inode);
	return 0;
}

/* The name (dir, dentry) of inode is gone; names held for writing. Another alias takes over when there is one. */
static void name_removed(struct inode *dir, struct dentry *dentry, struct inode *inode)
{
	struct gofer_inode *gi = gofer_i(inode);
	if (gi->self || !gi->name || gi->parent != dir_handle(dir) || gi->name_len != dentry->name_len ||
	    memcmp(gi->name, dentry->name, gi->name_len))
		return;
	struct gofer_handle *parent = NULL;
	char name[HC_NAME_MAX + 1];
	uint32_t len = 0;
	struct dentry *other;
	spin_lock(&inode->spin);
	list_for_each_entry(other, &inode->aliases, alias_link) {
		spin_lock(&other->lock);
		struct inode *pi = other->parent->inode;
		if (other != dentry && other->parent != other && !(other->flags & DENTRY_DELETED) &&
		    other->name_len <= HC_NAME_MAX && pi && gofer_i(pi)->self) {
			parent = gofer_handle_get(gofer_i(pi)->self);
			len = other->name_len;
			memcpy(name, other->name, len);
		}
		spin_unlock(&other->lock);
		if (parent)
			break;
	}
	spin_unlock(&inode->spin);
	gofer_set_name(gi, parent, parent ? name : NULL, len);
	gofer_handle_put(parent);
}

static void link_dropped(struct inode *inode)
{
	if (inode->nlink)
		inode->nlink--;
	inode_touch(inode, ATTR_CTIME);
	if (inode->nlink) {
		gofer_mark_stale(inode);
		return;
	}
	/* The host may reuse the number once nothing holds the file. */
	gofer_hash_remove(gofer_i(inode));
}

static int remove_name(struct inode *dir, struct dentry *dentry, uint32_t flags)
{
	struct gofer_sb *gsb = gofer_s(dir->sb);
	struct inode *inode = dentry->inode;
	if (!dir_handle(dir) || gofer_i(inode)->synthetic)
		return -EROFS;
	rwsem_write_lock(&gsb->names);
	int64_t r = hostcall4(HC_FS_UNLINK, dir_handle(dir)->h, dentry->name, dentry->name_len, flags);
	if (r >= 0)
		name_removed(dir, dentry, inode);
	rwsem_write_unlock(&gsb->names);
	if (r < 0)
		return (int)r;
	dir_changed(dir);
	return 0;
}

/* What a later operation on an unlinked inode needs is an open handle: a file that is in use gets one first. */
static void keep_reachable(struct inode *inode)
{
	struct gofer_inode *gi = gofer_i(inode);
	if (!S_ISREG(inode->mode) || inode->nlink > 1 || inode->refs.n <= 1 || gi->rd || gi->rw || gi->wo)
		return;
	struct gofer_handle *h = gofer_handle_open(gi, O_RDONLY);
	if (!IS_ERR(h))
		gofer_handle_release(gi, h);
}

static int gofer_unlink(struct inode *dir, struct dentry *dentry)
{
	keep_reachable(dentry->inode);
	int r = remove_name(dir, dentry, 0);
	if (!r)
		link_dropped(dentry->inode);
	return r;
}

static int gofer_rmdir(struct inode *dir, struct dentry *dentry)
{
	int r = remove_name(dir, dentry, AT_REMOVEDIR);
	if (!r) {
		if (dir->nlink > 2)
			dir->nlink--;
		dentry->inode->nlink = 0;
		gofer_hash_remove(gofer_i(dentry->inode));
	}
	return r;
}

/* After the host renamed: inodes learn their new names; names held for writing. */
static void rename_names(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new,
                         bool exchange)
{
	struct gofer_inode *gi = gofer_i(old->inode);
	if (new->inode && !exchange)
		name_removed(new_dir, new, new->inode);
	if (!gi->self)
		gofer_set_name(gi, dir_handle(new_dir), new->name, new->name_len);
	if (exchange && !gofer_i(new->inode)->self)
		gofer_set_name(gofer_i(new->inode), dir_handle(old_dir), old->name, old->name_len);
}

static int gofer_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new,
                        uint32_t flags)
{
	struct gofer_sb *gsb = gofer_s(old_dir->sb);
	bool exchange = flags & RENAME_EXCHANGE;
	if (!dir_handle(old_dir) || !dir_handle(new_dir) || gofer_i(old->inode)->synthetic)
		return -EROFS;
	if (new->name_len > HC_NAME_MAX)
		return -ENAMETOOLONG;
	struct hc_link *l = kzalloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->old_dir = dir_handle(old_dir)->h;
	l->new_dir = dir_handle(new_dir)->h;
	l->flags = flags;
	l->old_len = (uint16_t)old->name_len;
	l->new_len = (uint16_t)new->name_len;
	memcpy(l->old_name, old->name, old->name_len);
	memcpy(l->new_name, new->name, new->name_len);
	if (new->inode && !exchange)
		keep_reachable(new->inode);
	rwsem_write_lock(&gsb->names);
	int64_t r = hostcall1(HC_FS_RENAME, l);
	if (r >= 0)
		rename_names(old_dir, old, new_dir, new, exchange);
	rwsem_write_unlock(&gsb->names);
	kfree(l);
	if (r < 0)
		return (int)r;
	if (new->inode && !exchange) {
		if (S_ISDIR(new->inode->mode)) {
			new->inode->nlink = 0;
			gofer_hash_remove(gofer_i(new->inode));
		} else {
			link_dropped(new->inode);
		}
	}
	inode_touch(old->inode, ATTR_CTIME);
	gofer_mark_stale(old->inode);
	dir_changed(old_dir);
	dir_changed(new_dir);
	return 0;
}

/* ---- reading ---- */
static int gofer_dir_open(struct inode *inode, struct file *file)
{
	struct gofer_dir *d = kzalloc(sizeof(*d));
	if (!d)
		return -ENOMEM;
	file->private = d;
	return 0;
}

static void gofer_dir_release(struct file *file)
{
	struct gofer_dir *d = file->private;
	if (!d)
		return;
	gofer_handle_put(d->handle);
	kfree(d->buf);
	kfree(d);
}

static int dir_prepare(struct inode *inode, struct gofer_dir *d)
{
	if (!d->buf)
		d->buf = kmalloc(READDIR_BUF);
	if (!d->buf)
		return -ENOMEM;
	if (d->handle)
		return 0;
	uint32_t flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	struct gofer_handle *h =
		gofer_handle_new(GOFER_FD_CALL(hostcall6(HC_FS_OPEN, dir_handle(inode)->h, 0, 0, flags, hc_reserve, 0)));
	if (IS_ERR(h))
		return PTR_ERR(h);
	d->handle = h;
	return 0;
}

static int dir_fill(struct gofer_dir *d, uint64_t cookie)
{
	int64_t n = hostcall4(HC_FS_READDIR, d->handle->h, d->buf, READDIR_BUF, cookie);
	if (n < 0)
		return (int)n;
	d->pos = 0;
	d->len = MIN((uint32_t)n, READDIR_BUF);
	d->eof = n == 0;
	d->made_up = 0;
	return 0;
}

/* The nth child that the host does not have (a mount point, so never removed). name has room for HC_NAME_MAX + 1. */
static struct inode *made_up_child(struct dentry *dir, uint32_t nth, char *name)
{
	struct inode *found = NULL;
	struct dentry *d;
	spin_lock(&dcache_tree_lock);
	list_for_each_entry(d, &dir->children, child_link) {
		if (!d->inode || !gofer_i(d->inode)->synthetic || d->name_len > HC_NAME_MAX || nth--)
			continue;
		memcpy(name, d->name, d->name_len + 1);
		found = d->inode;
		break;
	}
	spin_unlock(&dcache_tree_lock);
	return found;
}

/*
 * Such names come after the host's and share the position of its last one: a seek back to there returns them again, as it
 * should. stay is false for a directory that is made up itself: its positions count on.
 */
static int readdir_made_up(struct file *file, struct dir_context *ctx, bool stay)
{
	struct gofer_dir *d = file->private;
	char name[HC_NAME_MAX + 1];
	struct inode *child;
	while ((child = made_up_child(file->path.dentry, d->made_up, name))) {
		unsigned type = S_ISDIR(child->mode) ? DT_DIR : DT_REG;
		if (!ctx->emit(ctx, name, strlen(name), child->ino, type, stay ? ctx->pos : ctx->pos + 1))
			break;
		d->made_up++;
		ctx->pos += !stay;
	}
	return 0;
}

/* A directory that exists in the sandbox only. */
static int readdir_synthetic(struct file *file, struct dir_context *ctx)
{
	static const char *const names[] = {".", ".."};
	while (ctx->pos < 2) {
		if (!ctx->emit(ctx, names[ctx->pos], ctx->pos + 1, file->inode->ino, DT_DIR, ctx->pos + 1))
			return 0;
		ctx->pos++;
	}
	((struct gofer_dir *)file->private)->made_up = (uint32_t)(ctx->pos - 2);
	return readdir_made_up(file, ctx, false);
}

static int gofer_readdir(struct file *file, struct dir_context *ctx)
{
	struct gofer_dir *d = file->private;
	struct inode *inode = file->inode;
	if (gofer_i(inode)->synthetic)
		return readdir_synthetic(file, ctx);
	int r = dir_prepare(inode, d);
	if (r)
		return r;
	/* Position 0 always reads afresh; another one than where the buffer stands is a seek. */
	if (!ctx->pos || ctx->pos != d->next) {
		r = dir_fill(d, ctx->pos);
		if (r)
			return r;
	}
	for (;;) {
		while (d->pos < d->len) {
			const struct dirent64 *e = (const void *)(d->buf + d->pos);
			uint32_t left = d->len - d->pos;
			if (left < sizeof(*e) || e->reclen < sizeof(*e) || e->reclen > left)
				return -EIO;
			size_t len = strnlen(e->name, e->reclen - sizeof(*e));
			if (!ctx->emit(ctx, e->name, len, e->ino, e->type, e->off)) {
				d->next = ctx->pos;
				return 0;
			}
			d->pos += e->reclen;
			ctx->pos = d->next = e->off;
		}
		if (d->eof)
			return readdir_made_up(file, ctx, true);
		r = dir_fill(d, COOKIE_CONTINUE);
		if (r)
			return r;
	}
}

static int gofer_dir_fsync(struct file *file, bool datasync)
{
	struct gofer_dir *d = file->private;
	if (gofer_i(file->inode)->synthetic)
		return 0;
	int r = dir_prepare(file->inode, d);
	if (r)
		return r;
	int64_t n = hostcall3(HC_FS_FSYNC, d->handle->h, datasync, 0);
	/* A directory that a gofer process serves has no descriptor to sync. */
	return n < 0 && n != -EINVAL ? (int)n : 0;
}

const struct file_ops gofer_dir_fops = {
	.open = gofer_dir_open,
	.release = gofer_dir_release,
	.llseek = file_dir_llseek,
	.readdir = gofer_readdir,
	.fsync = gofer_dir_fsync,
};

const struct inode_ops gofer_dir_iops = {
	.lookup = gofer_lookup,
	.create = gofer_create,
	.create_open = gofer_create_open,
	.mkdir = gofer_mkdir,
	.mknod = gofer_mknod,
	.symlink = gofer_symlink,
	.tmpfile = gofer_tmpfile,
	.link = gofer_link,
	.unlink = gofer_unlink,
	.rmdir = gofer_rmdir,
	.rename = gofer_rename,
	.getattr = gofer_getattr,
	.setattr = gofer_setattr,
	.getxattr = gofer_getxattr,
	.setxattr = gofer_setxattr,
	.listxattr = gofer_listxattr,
	.removexattr = gofer_removexattr,
};
