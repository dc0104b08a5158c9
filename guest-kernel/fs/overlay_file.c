// SPDX-License-Identifier: Apache-2.0
/*
 * Open regular files of an overlay: a wrapper around the real file. Opening for writing copies up first. A file opened
 * for reading before the copy-up turns to the upper file at its next read, as on Linux; a mapping made before keeps
 * showing the lower one (overlayfs(5), "non-standard behavior").
 */
#include "fs/overlay.h"

#include <linux/fs.h>

#include "lib/string.h"

struct file *ovl_open_real(const struct path *p, uint32_t flags, uint32_t fmode)
{
	struct file *f = file_new(p, flags);
	if (!f)
		return ERR_PTR(-ENOMEM);
	f->mode |= fmode;
	const struct file_ops *ops = f->ops;
	int r = !ops ? -ENXIO : ops->open ? ops->open(f->inode, f) : 0;
	if (!r)
		return f;
	f->ops = NULL; /* no release */
	file_put(f);
	return ERR_PTR(r);
}

/* Borrowed: no references. True for the upper one. */
static bool ovl_real_path(struct ovl_inode *oi, struct path *out)
{
	struct ovl_sb *os = ovl_s(oi->inode->sb);
	struct dentry *u = ovl_upper(oi);
	*out = u ? (struct path){os->upper.mnt, u} : (struct path){os->lower.mnt, oi->lower};
	return u != NULL;
}

static int ovl_open(struct inode *inode, struct file *file)
{
	struct path p;
	if ((file->mode & FMODE_WRITE) || (file->flags & O_TRUNC)) {
		int r = ovl_copy_up(file->path.dentry, file->flags & O_TRUNC ? 0 : UINT64_MAX);
		if (r)
			return r;
	}
	struct ovl_file *of = kzalloc(sizeof(*of));
	if (!of)
		return -ENOMEM;
	of->upper = ovl_real_path(ovl_i(inode), &p);
	struct file *real = ovl_open_real(&p, file->flags & ~(uint32_t)(O_TRUNC | O_NOCTTY),
	                                  file->mode & (FMODE_READ | FMODE_WRITE | FMODE_EXEC));
	if (IS_ERR(real)) {
		kfree(of);
		return PTR_ERR(real);
	}
	of->real = real;
	file->private = of;
	return 0;
}

static void ovl_release(struct file *file)
{
	struct ovl_file *of = file->private;
	if (!of)
		return;
	file_put(of->real);
	if (of->before)
		file_put(of->before);
	kfree(of);
}

/* The real file to use now; status flags that fcntl(2) can change are passed on. */
static struct file *real_file(struct file *file)
{
	struct ovl_file *of = file->private;
	struct ovl_inode *oi = ovl_i(file->inode);
	if (unlikely(!READ_ONCE(of->upper) && ovl_upper(oi))) {
		struct path p;
		ovl_real_path(oi, &p);
		struct file *f = ovl_open_real(&p, file->flags, file->mode & FMODE_READ);
		if (!IS_ERR(f)) {
			mutex_lock(&oi->copy_lock);
			bool mine = !of->upper;
			if (mine) {
				of->before = of->real; /* others may be using it: it goes at release */
				WRITE_ONCE(of->real, f);
				atomic_store(&of->upper, true);
			}
			mutex_unlock(&oi->copy_lock);
			if (!mine)
				file_put(f);
		}
	}
	struct file *real = READ_ONCE(of->real);
	uint32_t pass = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;
	if ((real->flags ^ file->flags) & pass)
		atomic_store(&real->flags, (real->flags & ~pass) | (file->flags & pass));
	return real;
}

static ssize_t_ ovl_read(struct file *file, struct iter *to, uint64_t *pos)
{
	struct file *real = real_file(file);
	return real->ops->read ? real->ops->read(real, to, pos) : -EINVAL;
}

static bool ovl_peek(struct file *file, void *buf, size_t n, uint64_t off)
{
	struct file *real = real_file(file);
	return real->ops->peek && real->ops->peek(real, buf, n, off);
}

static void copy_size(struct file *file, struct file *real)
{
	struct inode *i = file->inode;
	WRITE_ONCE(i->size, real->inode->size);
	i->mtime = real->inode->mtime;
	i->ctime = real->inode->ctime;
	i->blocks = real->inode->blocks;
}

static ssize_t_ ovl_write(struct file *file, struct iter *from, uint64_t *pos)
{
	struct file *real = real_file(file);
	if (!real->ops->write)
		return -EINVAL;
	ssize_t_ n = real->ops->write(real, from, pos);
	if (n > 0)
		copy_size(file, real);
	return n;
}

static int64_t ovl_llseek(struct file *file, int64_t off, int whence)
{
	struct file *real = real_file(file);
	if (!real->ops->llseek)
		return file_default_llseek(file, off, whence);
	real->pos = file->pos; /* the caller holds our position lock; nobody else uses the real one */
	int64_t r = real->ops->llseek(real, off, whence);
	if (r >= 0)
		file->pos = r;
	return r;
}

static int ovl_mmap(struct file *file, struct vma *vma)
{
	struct file *real = real_file(file);
	return real->ops->mmap ? real->ops->mmap(real, vma) : -ENODEV;
}

static int ovl_fsync(struct file *file, bool datasync)
{
	struct ovl_file *of = file->private;
	struct file *real = real_file(file);
	/* The lower layer is never written. */
	return of->upper && real->ops->fsync ? real->ops->fsync(real, datasync) : 0;
}

static int ovl_fallocate(struct file *file, int mode, uint64_t off, uint64_t len)
{
	struct file *real = real_file(file);
	if (!real->ops->fallocate)
		return -EOPNOTSUPP;
	int r = real->ops->fallocate(real, mode, off, len);
	copy_size(file, real);
	return r;
}

static int64_t ovl_ioctl(struct file *file, uint32_t cmd, uint64_t arg)
{
	struct file *real = real_file(file);
	return real->ops->ioctl ? real->ops->ioctl(real, cmd, arg) : -ENOTTY;
}

const struct file_ops ovl_file_fops = {
	.open = ovl_open,
	.release = ovl_release,
	.read = ovl_read,
	.peek = ovl_peek,
	.write = ovl_write,
	.llseek = ovl_llseek,
	.mmap = ovl_mmap,
	.fsync = ovl_fsync,
	.fallocate = ovl_fallocate,
	.ioctl = ovl_ioctl,
};
