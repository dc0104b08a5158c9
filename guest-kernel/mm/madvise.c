/* SPDX-License-Identifier: Apache-2.0 */
/*
 * madvise(2). Advice that only tunes (huge pages, KSM, read-ahead, COLD, PAGEOUT) is accepted and has no effect.
 * MADV_FREE frees at once, which its definition allows.
 */
#include "mm/mm_impl.h"
#include "syscall/syscall.h"

#include <linux/falloc.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* What an advice does to each vma. */
enum kind { BAD, HINT, FLAGS, ZAP, REMOVE, POPULATE, POISON };

static enum kind kind_of(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return HINT;
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
		return FLAGS;
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
		return ZAP;
	case MADV_REMOVE:
		return REMOVE;
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return POPULATE;
	case MADV_HWPOISON:
	case MADV_SOFT_OFFLINE:
		return POISON;
	default:
		return BAD;
	}
}

static int new_flags(const struct vma *v, int advice, uint32_t *flags)
{
	*flags = v->flags;
	switch (advice) {
	case MADV_DONTFORK:
		*flags |= VMA_DONTFORK;
		return 0;
	case MADV_DOFORK:
		if (v->flags & VMA_SPECIAL)
			return -EINVAL;
		*flags &= ~VMA_DONTFORK;
		return 0;
	case MADV_WIPEONFORK:
		if (!vma_is_private_anon(v) || v->file)
			return -EINVAL;
		*flags |= VMA_WIPEONFORK;
		return 0;
	case MADV_KEEPONFORK:
		*flags &= ~VMA_WIPEONFORK;
		return 0;
	case MADV_DONTDUMP:
		*flags |= VMA_DONTDUMP;
		return 0;
	default: /* MADV_DODUMP */
		if (v->flags & VMA_SPECIAL)
			return -EINVAL;
		*flags &= ~VMA_DONTDUMP;
		return 0;
	}
}

/* mm->lock held for writing; v covers [start, end) at least. */
static int advise_vma(struct vma *v, uint64_t start, uint64_t end, int advice, struct mmu_gather *g)
{
	uint32_t flags;
	int r;

	switch (kind_of(advice)) {
	case FLAGS:
		r = new_flags(v, advice, &flags);
		if (r || flags == v->flags)
			return r;
		r = vma_isolate(v->mm, start, end);
		if (r)
			return r;
		v = vma_find(v->mm, start);
		vma_set_prot(v, v->prot, flags);
		vma_merge(v);
		return 0;
	case ZAP:
		if ((v->flags & VMA_SPECIAL) || ((v->flags & VMA_LOCKED) && advice != MADV_DONTNEED_LOCKED))
			return -EINVAL;
		if (advice == MADV_FREE && !vma_is_private_anon(v))
			return -EINVAL;
		mmu_zap(g, start, end, 0);
		return 0;
	default:
		return 0;
	}
}

/* Calls fn for the part of every vma in the range until it fails; parts without one make it ENOMEM in the end, as
 * madvise(2) and PR_SET_VMA say. fn may split and merge. Caller holds mm->lock for writing. */
static int for_each_part(struct mm *mm, uint64_t start, uint64_t end,
                         int (*fn)(struct vma *v, uint64_t start, uint64_t end, void *arg), void *arg)
{
	int r = 0, missing = 0;

	while (start < end && !r) {
		struct vma *v = vma_find(mm, start);
		uint64_t stop;

		if (!v || v->start >= end) {
			missing = -ENOMEM;
			break;
		}
		if (v->start > start) {
			missing = -ENOMEM;
			start = v->start;
		}
		stop = MIN(v->end, end);
		r = fn(v, start, stop, arg);
		start = stop;
	}
	return r ? r : missing;
}

struct advice {
	int advice;
	struct mmu_gather *g;
};

static int advise_part(struct vma *v, uint64_t start, uint64_t end, void *arg)
{
	struct advice *a = arg;

	return advise_vma(v, start, end, a->advice, a->g);
}

static int advise_range(struct mm *mm, uint64_t start, uint64_t end, int advice)
{
	struct advice a = {advice, mmu_gather_begin(mm)};
	int r;

	rwsem_write_lock(&mm->lock);
	r = for_each_part(mm, start, end, advise_part, &a);
	mmu_gather_flush(a.g);
	rwsem_write_unlock(&mm->lock);
	mmu_gather_end(a.g);
	return r;
}

/* Punches a hole into the object behind the range, one vma at a time, without mm->lock. */
static int remove_range(struct mm *mm, uint64_t start, uint64_t end)
{
	while (start < end) {
		struct file *file = NULL;
		void *shm = NULL;
		uint64_t stop, off;
		struct vma *v;
		int r = 0;

		rwsem_read_lock(&mm->lock);
		v = vma_find(mm, start);
		if (!v || v->start > start) {
			rwsem_read_unlock(&mm->lock);
			return -ENOMEM;
		}
		stop = MIN(v->end, end);
		off = vma_pgoff(v, start) << PAGE_SHIFT;
		if (v->flags & VMA_LOCKED)
			r = -EINVAL;
		else if (vma_is_shared_anon(v))
			shm = shm_anon_get(v);
		else if (!v->file || !v->mapping)
			r = -EINVAL;
		else if ((v->flags & (VMA_SHARED | VMA_MAYWRITE)) != (VMA_SHARED | VMA_MAYWRITE))
			r = -EACCES;
		else
			file_get(file = v->file);
		rwsem_read_unlock(&mm->lock);
		if (r)
			return r;
		if (shm) {
			shm_anon_punch(shm, off >> PAGE_SHIFT, ((off + (stop - start)) >> PAGE_SHIFT) - 1);
			shm_anon_put(shm);
		} else {
			r = file->ops->fallocate ? file->ops->fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off,
			                                                stop - start)
			                         : -EOPNOTSUPP;
			file_put(file);
			if (r)
				return r;
		}
		start = stop;
	}
	return 0;
}

static int populate_range(struct mm *mm, uint64_t start, uint64_t end, bool write)
{
	for (uint64_t a = start; a < end;) {
		struct vma *v;
		uint64_t stop = 0;
		int r = 0;

		rwsem_read_lock(&mm->lock);
		v = vma_find(mm, a);
		if (!v || v->start > a)
			r = -ENOMEM;
		else if (!v->prot || (write && !(v->prot & PROT_WRITE)))
			r = -EINVAL;
		else
			stop = MIN(v->end, end);
		rwsem_read_unlock(&mm->lock);
		if (!r)
			r = mm_populate(mm, a, stop, FAULT_POPULATE | (write ? FAULT_WRITE : 0));
		if (r)
			return r == -ENXIO ? -EFAULT : r == -EACCES ? -EINVAL : r;
		a = stop;
	}
	return 0;
}

int64_t sys_madvise(const struct sysargs *a)
{
	uint64_t start = arg_u64(a, 0), len = arg_u64(a, 1), end;
	int advice = arg_int(a, 2);
	enum kind kind = kind_of(advice);
	struct mm *mm = current->mm;

	if (kind == BAD || (start & (PAGE_SIZE - 1)))
		return -EINVAL;
	len = PAGE_ALIGN(len);
	end = start + len;
	if (end < start || (arg_u64(a, 1) && !len))
		return -EINVAL;
	if (kind == POISON) /* for testing the kernel's memory-failure handling, which there is none of */
		return capable(CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
	if (start == end)
		return 0;
	if (end > USER_MAX)
		return -ENOMEM;
	if (kind == REMOVE)
		return remove_range(mm, start, end);
	if (kind == POPULATE)
		return populate_range(mm, start, end, advice == MADV_POPULATE_WRITE);
	return advise_range(mm, start, end, advice);
}

/* ---- PR_SET_VMA_ANON_NAME ---- */
static int name_part(struct vma *v, uint64_t start, uint64_t end, void *arg)
{
	struct vma_label *label = arg, *old;
	struct mm *mm = v->mm;
	int r;

	if (v->file || (v->ops && !vma_is_shared_anon(v)))
		return -EBADF;
	r = vma_isolate(mm, start, end);
	if (r)
		return r;
	v = vma_find(mm, start);
	old = v->label;
	v->label = label;
	if (label)
		ref_get(&label->refs);
	if (old && ref_put(&old->refs))
		kfree(old);
	vma_merge(v);
	return 0;
}

int mm_set_anon_name(struct mm *mm, uint64_t start, uint64_t len, const char *name)
{
	struct vma_label *label = NULL;
	uint64_t end = start + PAGE_ALIGN(len);
	int r;

	if ((start & (PAGE_SIZE - 1)) || end < start || (len && !PAGE_ALIGN(len)))
		return -EINVAL;
	if (start == end)
		return 0;
	if (name) {
		label = kmalloc(sizeof(*label));
		if (!label)
			return -ENOMEM;
		ref_init(&label->refs);
		snprintf(label->text, sizeof(label->text), "[anon:%s]", name);
	}
	rwsem_write_lock(&mm->lock);
	r = for_each_part(mm, start, end, name_part, label);
	rwsem_write_unlock(&mm->lock);
	if (label && ref_put(&label->refs))
		kfree(label);
	return r;
}
