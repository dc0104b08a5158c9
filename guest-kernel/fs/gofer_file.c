// SPDX-License-Identifier: Apache-2.0
/*
 * Open regular files of the host. The Sentry has checked permissions; the handle is the gofer's. O_DIRECT is accepted
 * and ignored; O_APPEND is the host's (offset ~0), so it is atomic towards other processes of the host as well.
 */
#include "fs/gofer.h"

#include "boot/events.h"
#include "lib/string.h"
#include "task/task.h"

#include <linux/falloc.h>
#include <linux/fs.h>

static int sync_handle(const struct gofer_handle *h, bool datasync)
{
	uint32_t token = async_token();
	int64_t r = hostcall3(HC_FS_FSYNC, h->h, datasync, token);
	if (!token)
		return r < 0 ? (int)r : 0;
	if (r < 0) {
		async_cancel(token);
		return (int)r;
	}
	return (int)async_wait(token);
}

static int gofer_open(struct inode *inode, struct file *file)
{
	struct gofer_inode *gi = gofer_i(inode);
	uint32_t acc = (file->mode & (FMODE_READ | FMODE_WRITE)) == FMODE_WRITE ? O_WRONLY :
	               file->mode & FMODE_WRITE                              ? O_RDWR :
	                                                                       O_RDONLY;
	if (gi->synthetic)
		return -EIO;
	struct gofer_handle *h = gofer_handle_open(gi, acc);
	if (IS_ERR(h))
		return PTR_ERR(h);
	file->private = h;
	return 0;
}

static void gofer_release(struct file *file)
{
	if (file->private)
		gofer_handle_release(gofer_i(file->inode), file->private);
	file->private = NULL;
}

static bool time_before(const struct timespec64 *a, const struct timespec64 *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec <= b->tv_nsec;
}

/* The first read after a change moves the host's atime, as relatime does: others may be peeks. */
static bool read_since_change(struct gofer_inode *gi)
{
	const struct timespec64 *a = &gi->read_ctime, *b = &gi->inode->ctime;
	spin_lock(&gi->lock);
	bool yes = a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
	spin_unlock(&gi->lock);
	return yes;
}

static void note_read(struct gofer_inode *gi)
{
	spin_lock(&gi->lock);
	gi->read_ctime = gi->inode->ctime;
	spin_unlock(&gi->lock);
}

static bool gofer_peek(struct file *file, void *buf, size_t n, uint64_t off)
{
	struct gofer_inode *gi = gofer_i(file->inode);
	return read_since_change(gi) && gofer_mmap_peek(gi, buf, n, off);
}

static ssize_t_ gofer_read(struct file *file, struct iter *to, uint64_t *pos)
{
	struct inode *inode = file->inode;
	size_t hold_back = 0;
	if (!gofer_s(inode->sb)->shared) {
		uint64_t size = READ_ONCE(inode->size);
		if (*pos >= size)
			return 0;
		if (to->count > size - *pos)
			hold_back = to->count - (size - *pos);
	}
	to->count -= hold_back;
	ssize_t_ n = gofer_transfer(file->private, to, *pos, false);
	to->count += hold_back;
	if (n > 0) {
		*pos += n;
		/* The host updates atime as relatime does; fetch it when somebody asks. */
		if (!(file->flags & O_NOATIME) &&
		    (time_before(&inode->atime, &inode->mtime) || time_before(&inode->atime, &inode->ctime)))
			gofer_mark_stale(inode);
		note_read(gofer_i(inode));
	}
	return n;
}

static void wrote(struct inode *inode, uint64_t end)
{
	struct gofer_inode *gi = gofer_i(inode);
	spin_lock(&gi->lock);
	if (end > inode->size)
		WRITE_ONCE(inode->size, end);
	gi->stale = true;
	spin_unlock(&gi->lock);
	inode_touch(inode, ATTR_MTIME | ATTR_CTIME);
}

static ssize_t_ write_locked(struct file *file, struct iter *from, uint64_t *pos)
{
	struct inode *inode = file->inode;
	struct gofer_handle *h = file->private;
	bool append = (READ_ONCE(file->flags) & O_APPEND) || *pos == POS_APPEND;
	ssize_t_ n = gofer_transfer(h, from, append ? UINT64_MAX : *pos, true);
	if (n <= 0)
		return n;
	if (!append) {
		*pos += n;
	} else if (gofer_s(inode->sb)->shared) {
		int64_t end = hostcall3(HC_FS_LSEEK, h->h, 0, SEEK_END);
		*pos = end >= 0 ? (uint64_t)end : inode->size + n;
	} else {
		*pos = inode->size + n;
	}
	wrote(inode, *pos);
	return n;
}

static ssize_t_ gofer_write(struct file *file, struct iter *from, uint64_t *pos)
{
	struct gofer_inode *gi = gofer_i(file->inode);
	if (!from->count)
		return 0;
	mutex_lock(&gi->io_lock);
	ssize_t_ n = write_locked(file, from, pos);
	mutex_unlock(&gi->io_lock);
	return n;
}

static int64_t gofer_llseek(struct file *file, int64_t off, int whence)
{
	struct inode *inode = file->inode;
	int64_t base = 0;
	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = (int64_t)file->pos;
		break;
	case SEEK_END:
		if (gofer_s(inode->sb)->shared) {
			int r = gofer_refresh(inode);
			if (r && r != -ESTALE)
				return r;
		}
		base = (int64_t)inode->size;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (off < 0)
			return -ENXIO;
		base = hostcall3(HC_FS_LSEEK, ((struct gofer_handle *)file->private)->h, off, whence);
		if (base < 0)
			return base;
		off = 0;
		break;
	default:
		return -EINVAL;
	}
	int64_t pos;
	if (__builtin_add_overflow(base, off, &pos))
		return -EINVAL;
	if (pos < 0)
		return -EINVAL;
	file->pos = (uint64_t)pos;
	return pos;
}

static int gofer_fsync(struct file *file, bool datasync)
{
	int r = gofer_mmap_sync(gofer_i(file->inode));
	if (r)
		return r;
	return sync_handle(file->private, datasync);
}

static int gofer_fallocate(struct file *file, int mode, uint64_t off, uint64_t len)
{
	struct inode *inode = file->inode;
	struct gofer_inode *gi = gofer_i(inode);
	mutex_lock(&gi->io_lock);
	int64_t r = hostcall4(HC_FS_FALLOCATE, ((struct gofer_handle *)file->private)->h, mode, off, len);
	if (r >= 0) {
		wrote(inode, mode & (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE) ? 0 : off + len);
		/* These move data and change the size in ways only the host knows. */
		if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))
			r = gofer_refresh(inode);
	}
	mutex_unlock(&gi->io_lock);
	return r < 0 ? (int)r : 0;
}

static int64_t gofer_copy_range(struct file *in, uint64_t in_off, struct file *out, uint64_t out_off, uint64_t len)
{
	struct gofer_inode *to = gofer_i(out->inode);
	struct gofer_handle *from_h = in->private, *to_h = out->private;
	if (in->ops != &gofer_file_fops || out->ops != &gofer_file_fops)
		return -EXDEV;
	mutex_lock(&to->io_lock);
	int64_t n = hostcall5(HC_FS_COPY_RANGE, from_h->h, in_off, to_h->h, out_off, len);
	if (n > 0)
		wrote(out->inode, out_off + n);
	mutex_unlock(&to->io_lock);
	return n;
}

const struct file_ops gofer_file_fops = {
	.open = gofer_open,
	.release = gofer_release,
	.read = gofer_read,
	.peek = gofer_peek,
	.write = gofer_write,
	.llseek = gofer_llseek,
	.mmap = gofer_mmap,
	.fsync = gofer_fsync,
	.fallocate = gofer_fallocate,
	.copy_range = gofer_copy_range,
};
