// SPDX-License-Identifier: Apache-2.0
/*
 * tmpfs: contents of regular files. Pages live in inode->mapping, holes have none. Writes, truncation and fallocate
 * hold inode->lock; reads and page faults take pages as they find them.
 *
 * Blocks are counted by comparing the mapping's number of pages with what was charged before, after each change, so a
 * limit can be passed by as many pages as there are CPUs in page faults at that moment.
 */
#include <linux/falloc.h>
#include <linux/fs.h>

#include "fs/namei.h"
#include "fs/posix_acl.h"
#include "fs/tmpfs.h"
#include "lib/string.h"
#include "signal/signal.h"
#include "task/sched.h"

#define SEAL_SHRINK 2u
#define SEAL_GROW   4u
#define SEAL_WRITE  8u
#define SEAL_FUTURE 16u

/* Brings used_blocks in line with the pages that the inode has now. */
static void tmpfs_account(struct inode *i)
{
	struct tmpfs_sb *ts = tmpfs_sb(i);
	struct tmpfs_node *n = tmpfs_node(i);
	uint64_t now = READ_ONCE(i->mapping.nr_pages);
	if (now == READ_ONCE(n->charged))
		return;
	spin_lock(&i->spin);
	now = READ_ONCE(i->mapping.nr_pages);
	int64_t delta = (int64_t)(now - n->charged);
	n->charged = now;
	i->blocks = now * (PAGE_SIZE / 512);
	spin_unlock(&i->spin);
	spin_lock(&ts->lock);
	ts->used_blocks += delta;
	spin_unlock(&ts->lock);
}

static bool room_for(const struct tmpfs_sb *ts, uint64_t pages)
{
	return !ts->max_blocks || READ_ONCE(ts->used_blocks) + pages <= ts->max_blocks;
}

/* The page for writing, with a reference: NULL and *err on failure. */
static struct page *get_page(struct inode *i, uint64_t index, int *err)
{
	struct page *p = mapping_page(&i->mapping, index, false);
	if (p)
		return p;
	*err = -ENOSPC;
	if (!room_for(tmpfs_sb(i), 1))
		return NULL;
	*err = -ENOMEM;
	p = mapping_page(&i->mapping, index, true);
	if (p)
		tmpfs_account(i);
	return p;
}

static ssize_t_ tmpfs_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct inode *i = f->inode;
	size_t done = 0;
	int err = 0;
	while (to->count) {
		uint64_t size = READ_ONCE(i->size), off = *pos & (PAGE_SIZE - 1);
		if (*pos >= size)
			break;
		size_t n = MIN(MIN(PAGE_SIZE - off, size - *pos), to->count);
		struct page *p = mapping_page(&i->mapping, *pos >> PAGE_SHIFT, false);
		size_t moved = p ? iter_copy_to(to, (char *)page_address(p) + off, n) : iter_zero(to, n);
		if (p)
			page_put(p);
		done += moved;
		*pos += moved;
		if (moved < n) {
			err = -EFAULT;
			break;
		}
		cond_resched();
	}
	file_accessed(f);
	return done ? (ssize_t_)done : err;
}

static ssize_t_ write_locked(struct inode *i, struct iter *from, uint64_t *pos)
{
	size_t done = 0;
	int err = 0;
	while (from->count) {
		uint64_t off = *pos & (PAGE_SIZE - 1);
		size_t n = MIN(PAGE_SIZE - off, from->count);
		err = -EPERM;
		if ((i->seals & (SEAL_WRITE | SEAL_FUTURE)) || ((i->seals & SEAL_GROW) && *pos + n > i->size))
			break;
		struct page *p = get_page(i, *pos >> PAGE_SHIFT, &err);
		if (!p)
			break;
		size_t moved = iter_copy_from(from, (char *)page_address(p) + off, n);
		page_put(p);
		done += moved;
		*pos += moved;
		if (*pos > i->size && moved)
			WRITE_ONCE(i->size, *pos);
		if (moved < n) {
			err = -EFAULT;
			break;
		}
		cond_resched();
	}
	if (done)
		inode_touch(i, ATTR_MTIME | ATTR_CTIME);
	return done ? (ssize_t_)done : err;
}

static ssize_t_ tmpfs_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct inode *i = f->inode;
	mutex_lock(&i->lock);
	if ((f->flags & O_APPEND) || *pos == POS_APPEND)
		*pos = i->size;
	if (from->count)
		tmpfs_drop_capabilities(i);
	ssize_t_ n = write_locked(i, from, pos);
	mutex_unlock(&i->lock);
	return n;
}

static int64_t tmpfs_llseek(struct file *f, int64_t off, int whence)
{
	struct inode *i = f->inode;
	int64_t size = READ_ONCE(i->size);
	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return file_default_llseek(f, off, whence);
	if (off < 0 || off >= size)
		return -ENXIO;
	uint64_t index = off >> PAGE_SHIFT;
	int64_t at;
	if (whence == SEEK_DATA) {
		index = mapping_next(&i->mapping, index);
		if (index == UINT64_MAX || (int64_t)(index << PAGE_SHIFT) >= size)
			return -ENXIO;
		at = index << PAGE_SHIFT;
	} else {
		while ((int64_t)(index << PAGE_SHIFT) < size && mapping_next(&i->mapping, index) == index)
			index++;
		at = MIN((int64_t)(index << PAGE_SHIFT), size);
	}
	f->pos = MAX(at, off);
	return f->pos;
}

/* Zeroes [from, to) inside one page, if the page exists. */
static void zero_part(struct inode *i, uint64_t from, uint64_t to)
{
	if (from >= to)
		return;
	struct page *p = mapping_page(&i->mapping, from >> PAGE_SHIFT, false);
	if (p) {
		memset((char *)page_address(p) + (from & (PAGE_SIZE - 1)), 0, to - from);
		page_put(p);
	}
}

static int set_size(struct inode *i, uint64_t size)
{
	if (size < i->size && (i->seals & SEAL_SHRINK))
		return -EPERM;
	if (size > i->size && (i->seals & SEAL_GROW))
		return -EPERM;
	uint64_t old = i->size;
	WRITE_ONCE(i->size, size);
	/* also without a change of size: pages may have been preallocated beyond the end */
	if (size <= old && READ_ONCE(i->mapping.nr_pages)) {
		zero_part(i, size, ROUND_UP(size, PAGE_SIZE));
		mapping_truncate(&i->mapping, (size + PAGE_SIZE - 1) >> PAGE_SHIFT, UINT64_MAX);
		tmpfs_account(i);
	}
	return 0;
}

int tmpfs_setattr(struct inode *i, struct iattr *attr)
{
	/* F_SEAL_EXEC (32): the execute bits are fixed */
	if ((attr->valid & ATTR_MODE) && (i->seals & 32) && ((i->mode ^ attr->mode) & 0111))
		return -EPERM;
	if (attr->valid & ATTR_SIZE) {
		int r = set_size(i, attr->size);
		if (r)
			return r;
	}
	if (attr->valid & (ATTR_UID | ATTR_GID | ATTR_SIZE))
		tmpfs_drop_capabilities(i);
	inode_setattr_copy(i, attr);
	return attr->valid & ATTR_MODE ? acl_chmod(i) : 0;
}

static int punch_hole(struct inode *i, uint64_t off, uint64_t end)
{
	if (i->seals & (SEAL_WRITE | SEAL_FUTURE))
		return -EPERM;
	uint64_t first = ROUND_UP(off, PAGE_SIZE), last = ROUND_DOWN(end, PAGE_SIZE);
	if (first > last) {
		zero_part(i, off, end); /* inside one page */
	} else {
		zero_part(i, off, first);
		zero_part(i, last, end);
		if (first < last)
			mapping_truncate(&i->mapping, first >> PAGE_SHIFT, (last >> PAGE_SHIFT) - 1);
	}
	tmpfs_account(i);
	return 0;
}

/* Pages for [first, last): all of them, or what was there before. */
static int allocate(struct inode *i, uint64_t first, uint64_t last)
{
	struct tmpfs_sb *ts = tmpfs_sb(i);
	uint64_t n = first;
	int r = ts->max_blocks && last - first > ts->max_blocks ? -ENOSPC : 0;
	while (n < last && r == 0) {
		if (fatal_signal_pending(current))
			r = -EINTR;
		else if (!room_for(ts, 1) && mapping_next(&i->mapping, n) != n)
			r = -ENOSPC;
		else
			r = mapping_reserve(&i->mapping, n);
		if (r)
			break;
		tmpfs_account(i);
		n++;
		cond_resched();
	}
	/* as on Linux, what others have used meanwhile stays */
	if (r && n > first) {
		mapping_unreserve(&i->mapping, first, n - 1);
		tmpfs_account(i);
	}
	return r;
}

static int tmpfs_fallocate(struct file *f, int mode, uint64_t off, uint64_t len)
{
	struct inode *i = f->inode;
	uint64_t end = off + len;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	int r = 0;
	mutex_lock(&i->lock);
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		r = punch_hole(i, off, end);
	} else if (!(mode & FALLOC_FL_KEEP_SIZE) && end > i->size && (i->seals & SEAL_GROW)) {
		r = -EPERM;
	} else {
		r = allocate(i, off >> PAGE_SHIFT, (end + PAGE_SIZE - 1) >> PAGE_SHIFT);
		if (r == 0 && !(mode & FALLOC_FL_KEEP_SIZE) && end > i->size)
			WRITE_ONCE(i->size, end);
	}
	if (r == 0) {
		tmpfs_drop_capabilities(i);
		inode_touch(i, ATTR_MTIME | ATTR_CTIME);
	}
	mutex_unlock(&i->lock);
	return r;
}

static int tmpfs_fault(struct vma *vma, uint64_t pgoff, bool write, struct vm_frame *out)
{
	struct inode *i = vma->mapping->host;
	if (!room_for(tmpfs_sb(i), 1) && mapping_next(&i->mapping, pgoff) != pgoff)
		return -EFAULT;
	int r = mapping_vm_ops.fault(vma, pgoff, write, out);
	tmpfs_account(i);
	return r;
}

static const struct vm_ops tmpfs_vm_ops = {.fault = tmpfs_fault};

static int tmpfs_mmap(struct file *f, struct vma *vma)
{
	struct inode *i = f->inode;
	struct mapping *m = &i->mapping;
	int r = 0;
	vma->mapping = m;
	if ((vma->flags & (VMA_SHARED | VMA_MAYWRITE)) == (VMA_SHARED | VMA_MAYWRITE)) {
		/* either sees the other: who seals counts the writers under the same lock */
		spin_lock(&m->lock);
		if (!(i->seals & (SEAL_WRITE | SEAL_FUTURE)))
			mapping_count_writer(vma);
		else if (vma->prot & PROT_WRITE)
			r = -EPERM;
		else
			vma->flags &= ~VMA_MAYWRITE;
		spin_unlock(&m->lock);
	}
	if (r)
		return r;
	vma->ops = &tmpfs_vm_ops;
	file_accessed(f);
	return 0;
}

static int tmpfs_fsync(struct file *f, bool datasync) { return 0; }

const struct file_ops tmpfs_file_ops = {
	.read = tmpfs_read,
	.write = tmpfs_write,
	.llseek = tmpfs_llseek,
	.mmap = tmpfs_mmap,
	.fsync = tmpfs_fsync,
	.fallocate = tmpfs_fallocate,
};

const struct inode_ops tmpfs_file_ops_inode = {
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
	.set_acl = acl_set_in_memory,
};
