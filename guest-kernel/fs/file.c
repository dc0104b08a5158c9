// SPDX-License-Identifier: Apache-2.0
/*
 * Open files: allocation, the last put, anonymous inodes and files on them (pipes, sockets, eventfd ...), which live
 * on one internal super block and mount.
 */
#include "fs/vfs.h"

#include "fs/mount.h"
#include "fs/namei.h"
#include "fs/poll.h"
#include "lib/log.h"
#include "lib/string.h"
#include "task/task.h"

struct mount anon_mount;
static struct super_block *anon_sb;

void anon_init(void)
{
	static const struct fs_type anon_type = {.name = "anon_inodefs", .nodev = true};
	anon_sb = super_alloc(&anon_type, NULL, 0x09041934);
	struct inode *root = anon_sb ? inode_alloc(anon_sb) : NULL;
	if (!root)
		panic("no memory for anonymous files");
	root->mode = S_IFDIR | 0555;
	root->ino = ino_alloc();
	anon_sb->root = dentry_make_root(root);
	if (!anon_sb->root)
		panic("no memory for anonymous files");
	ref_init(&anon_mount.refs);
	anon_mount.id = 1;
	anon_mount.root = anon_sb->root;
	anon_mount.sb = anon_sb;
	anon_mount.source = "anon_inodefs";
	mount_init_links(&anon_mount);
}

struct file *file_alloc(void)
{
	struct file *f = kzalloc(sizeof(*f));
	if (!f)
		return NULL;
	ref_init(&f->refs);
	mutex_init(&f->pos_lock);
	list_init(&f->epoll_links);
	return f;
}

/* Everything but the open operation. */
struct file *file_new(const struct path *path, uint32_t flags)
{
	struct file *f = file_alloc();
	if (!f)
		return NULL;
	f->path = *path;
	path_get(&f->path);
	f->inode = path->dentry->inode;
	f->ops = f->inode->fops;
	f->flags = flags;
	f->cred = cred_get(current->cred);
	return f;
}

void file_put(struct file *f)
{
	if (!f || !ref_put(&f->refs))
		return;
	if (!list_empty(&f->epoll_links))
		epoll_file_release(f);
	if (f->async)
		fasync_release(f);
	if (READ_ONCE(f->dnotify))
		dnotify_release(f);
	if (f->inode) {
		if (f->ops && !(f->mode & FMODE_PATH))
			notify_file(f, f->mode & FMODE_WRITE ? 0x8 /* IN_CLOSE_WRITE */ : 0x10 /* IN_CLOSE_NOWRITE */);
		if (f->inode->locks)
			locks_remove_file(f);
		if (f->ops && f->ops->release)
			f->ops->release(f);
		if (f->mode & FMODE_WRITER)
			atomic_sub(&f->inode->write_count, 1);
	} else if (f->ops && f->ops->release) {
		f->ops->release(f);
	}
	if (f->mode & FMODE_TREE)
		mount_dissolve(f->path.mnt);
	path_put(&f->path);
	if (f->cred)
		cred_put(f->cred);
	kfree(f);
}

struct inode *inode_anon(uint32_t mode)
{
	struct inode *i = inode_alloc(anon_sb);
	if (!i)
		return NULL;
	i->ino = ino_alloc();
	i->mode = mode;
	i->uid = current->cred->fsuid;
	i->gid = current->cred->fsgid;
	i->atime = i->mtime = i->ctime = time_now();
	return i;
}

/* Takes over the reference on inode when it succeeds. */
struct file *file_from_inode(struct inode *inode, const char *name, const struct file_ops *ops, void *private,
                             uint32_t flags)
{
	struct file *f = file_alloc();
	struct dentry *d = dentry_alloc(NULL, name, strlen(name));
	if (!f || !d) {
		kfree(f);
		dentry_put(d);
		return NULL;
	}
	d->sb = inode->sb;
	d->flags = DENTRY_ANON;
	d->inode = inode;
	spin_lock(&inode->spin);
	list_add(&d->alias_link, &inode->aliases);
	spin_unlock(&inode->spin);
	mount_get(&anon_mount);
	f->path = (struct path){&anon_mount, d};
	f->inode = inode;
	f->ops = ops;
	f->private = private;
	f->flags = flags & ~(O_CLOEXEC | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC);
	uint32_t acc = flags & O_ACCMODE;
	f->mode = acc == O_RDONLY ? FMODE_READ : acc == O_WRONLY ? FMODE_WRITE : FMODE_READ | FMODE_WRITE;
	if (!ops || ops->no_seek)
		f->mode |= FMODE_STREAM;
	f->cred = cred_get(current->cred);
	return f;
}

struct file *file_anon(const char *name, const struct file_ops *ops, void *private, uint32_t flags)
{
	/* Linux shows anonymous inodes without a file type */
	struct inode *i = inode_anon(0600);
	if (!i)
		return NULL;
	struct file *f = file_from_inode(i, name, ops, private, flags);
	if (!f)
		inode_put(i);
	return f;
}
