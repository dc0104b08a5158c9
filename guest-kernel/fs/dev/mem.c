// SPDX-License-Identifier: Apache-2.0
/* null(4), zero(4), full(4), random(4): devices without state. */
#include "fs/dev/chrdev.h"

#include <linux/fs.h>
#include <linux/random.h>

#include "fs/poll.h"
#include "lib/string.h"
#include "task/random.h"
#include "task/task.h"
#include "signal/signal.h"

static ssize_t_ null_read(struct file *file, struct iter *to, uint64_t *pos)
{
	return 0;
}

static ssize_t_ null_write(struct file *file, struct iter *from, uint64_t *pos)
{
	size_t n = from->count;
	iter_advance(from, n);
	return n;
}

static ssize_t_ zero_read(struct file *file, struct iter *to, uint64_t *pos)
{
	size_t done = 0;
	while (to->count) {
		size_t step = MIN(to->count, 256UL << 10);
		size_t n = iter_zero(to, step);
		done += n;
		if (n < step)
			return done ? (ssize_t_)done : -EFAULT;
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}

static ssize_t_ full_write(struct file *file, struct iter *from, uint64_t *pos)
{
	return from->count ? -ENOSPC : 0;
}

static ssize_t_ random_read(struct file *file, struct iter *to, uint64_t *pos)
{
	uint8_t buf[256];
	size_t done = 0;
	while (to->count) {
		size_t step = MIN(to->count, sizeof(buf));
		random_bytes(buf, step);
		size_t n = iter_copy_to(to, buf, step);
		done += n;
		if (n < step)
			return done ? (ssize_t_)done : -EFAULT;
		if (signal_pending(current))
			break;
		cond_resched();
	}
	memset(buf, 0, sizeof(buf));
	return done;
}

/* Seeks succeed and mean nothing. */
static int64_t null_llseek(struct file *file, int64_t off, int whence)
{
	file->pos = 0;
	return 0;
}

static int64_t random_ioctl(struct file *file, uint32_t cmd, uint64_t arg)
{
	int bits = 256;
	switch (cmd) {
	case RNDGETENTCNT:
		return copy_out(uva(arg), &bits, sizeof(bits));
	case RNDADDTOENTCNT:
	case RNDADDENTROPY:
	case RNDZAPENTCNT:
	case RNDCLEARPOOL:
	case RNDRESEEDCRNG:
		/* The host's generator needs none of ours. */
		return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
	default:
		return -ENOTTY;
	}
}

/* ---- /dev/zero mapped: private is plain anonymous memory, shared is an object of its own ---- */
struct zero_object {
	ref_t refs;
	struct mapping mapping;
};

static int zero_fault(struct vma *vma, uint64_t pgoff, bool write, struct vm_frame *out)
{
	struct page *page = mapping_page(vma->mapping, pgoff, true);
	if (!page)
		return -ENOMEM;
	*out = (struct vm_frame){.pa = page_to_pa(page), .page = page, .npages = 1, .writable = true};
	return 0;
}

static void zero_vma_open(struct vma *vma)
{
	ref_get(&((struct zero_object *)vma->private)->refs);
}

static void zero_vma_close(struct vma *vma)
{
	struct zero_object *z = vma->private;
	if (!ref_put(&z->refs))
		return;
	mapping_destroy(&z->mapping);
	kfree(z);
}

static const struct vm_ops zero_vm_ops = {
	.fault = zero_fault,
	.open = zero_vma_open,
	.close = zero_vma_close,
};

static int zero_mmap(struct file *file, struct vma *vma)
{
	if (!(vma->flags & VMA_SHARED)) {
		vma->ops = NULL;
		vma->mapping = NULL;
		return 0;
	}
	struct zero_object *z = kzalloc(sizeof(*z));
	if (!z)
		return -ENOMEM;
	ref_init(&z->refs);
	mapping_init(&z->mapping, NULL);
	vma->ops = &zero_vm_ops;
	vma->mapping = &z->mapping;
	vma->private = z;
	return 0;
}

const struct file_ops mem_null_fops = {.read = null_read, .write = null_write, .llseek = null_llseek};
const struct file_ops mem_zero_fops = {
	.read = zero_read, .write = null_write, .llseek = null_llseek, .mmap = zero_mmap};
const struct file_ops mem_full_fops = {.read = zero_read, .write = full_write, .llseek = null_llseek};
const struct file_ops mem_random_fops = {
	.read = random_read, .write = null_write, .llseek = null_llseek, .ioctl = random_ioctl};
