/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mremap(2): shrink, grow in place, or move with the page-table entries. Moved entries keep their frames; the old
 * addresses are flushed before the system call returns.
 */
#include "mm/mm_impl.h"
#include "syscall/syscall.h"

struct remap {
	struct mm *mm;
	uint64_t old, old_len, new_len, new;
	uint32_t flags;
	struct list_node dead;
};

/* Entries of [from, from + len) to to. Stops when the gather is full; returns bytes done or -ENOMEM. */
static int64_t move_some(struct mm *mm, uint64_t from, uint64_t to, uint64_t len, struct mmu_gather *g)
{
	uint64_t done = 0;
	int64_t r = 0;

	spin_lock(&mm->pt_lock);
	while (done < len && !mmu_gather_full(g)) {
		uint64_t next, *src = mmu_lookup(mm, from + done, &next), *dst, e;

		if (!src) {
			done = next - from;
			continue;
		}
		e = *src;
		if (e) {
			dst = mmu_alloc(mm, to + done);
			if (!dst) {
				r = -ENOMEM;
				break;
			}
			if (e & PTE_P)
				mmu_gather_edit(g, src, from + done);
			mmu_set(mm, src, 0);
			mmu_set(mm, dst, e);
		}
		done += PAGE_SIZE;
		if (!((from + done) & (PT_SPAN - 1)) || done >= len)
			mmu_free_empty(g, from + done - PAGE_SIZE);
	}
	spin_unlock(&mm->pt_lock);
	return r ? r : (int64_t)MIN(done, len);
}

/* 0, or -ENOMEM with *done bytes moved. */
static int move_entries(struct mm *mm, uint64_t from, uint64_t to, uint64_t len, uint64_t *done)
{
	struct mmu_gather *g = mmu_gather_begin(mm);
	int64_t r = 0;

	*done = 0;
	while (*done < len && r >= 0) {
		r = move_some(mm, from + *done, to + *done, len - *done, g);
		if (r >= 0)
			*done += r;
		mmu_gather_flush(g);
	}
	mmu_gather_end(g);
	return r < 0 ? -ENOMEM : 0;
}

/* Moves the part [old, old + old_len) of v to r->new. DONTUNMAP leaves the old vma, empty. */
static int64_t move_vma(struct remap *r, struct vma *v)
{
	uint64_t len = MIN(r->old_len, r->new_len), done;
	struct mm *mm = r->mm;
	struct vma *n;
	int err;

	if (mm->nr_vmas + 3 > MAX_MAP_COUNT)
		return -ENOMEM;
	n = vma_dup(v, mm);
	if (!n)
		return -ENOMEM;
	n->pgoff = vma_is_private_anon(v) ? r->new >> PAGE_SHIFT : vma_pgoff(v, r->old);
	n->start = r->new;
	n->end = r->new + r->new_len;
	n->fault_window = 0;
	vma_insert(n);
	if (n->ops && n->ops->open)
		n->ops->open(n);
	err = move_entries(mm, r->old, r->new, len, &done);
	if (err) {
		/* Back again: the tables of the old range are still there or cost as much as was just freed. */
		if (move_entries(mm, r->new, r->old, done, &done))
			pr_warn("mremap: out of memory while moving back");
		err = munmap_locked(mm, r->new, r->new + r->new_len, &r->dead);
		return -ENOMEM;
	}
	if (r->flags & MREMAP_DONTUNMAP) {
		vma_set_prot(v, v->prot, v->flags & ~(VMA_LOCKED | VMA_LOCKONFAULT));
	} else if (munmap_locked(mm, r->old, r->old + r->old_len, &r->dead)) {
		/* No memory to split: the old range stays mapped, without pages. */
		pr_debug("mremap: the old range could not be unmapped");
	}
	vma_merge(n);
	return r->new;
}

/* MREMAP_FIXED, and every other move once the place is known. */
static int64_t move_to(struct remap *r, struct vma *v)
{
	int err;

	if (r->flags & MREMAP_FIXED) {
		err = munmap_locked(r->mm, r->new, r->new + r->new_len, &r->dead);
		if (err)
			return err;
		/* A larger old range is cut first, as Linux does. */
		if (r->old_len > r->new_len) {
			err = munmap_locked(r->mm, r->old + r->new_len, r->old + r->old_len, &r->dead);
			if (err)
				return err;
			r->old_len = r->new_len;
		}
		v = vma_find(r->mm, r->old);
	} else {
		int64_t at = mm_find_free(r->mm, 0, r->new_len, 0);

		if (at < 0)
			return at;
		r->new = at;
	}
	return move_vma(r, v);
}

/* old_len 0: a second mapping of shared pages. */
static int64_t duplicate(struct remap *r, struct vma *v)
{
	struct vma *n;
	int err;

	if (r->flags & MREMAP_FIXED) {
		err = munmap_locked(r->mm, r->new, r->new + r->new_len, &r->dead);
		if (err)
			return err;
		v = vma_find(r->mm, r->old);
		if (!v || v->start > r->old)
			return -EFAULT;
	} else {
		int64_t at = mm_find_free(r->mm, 0, r->new_len, 0);

		if (at < 0)
			return at;
		r->new = at;
	}
	n = vma_dup(v, r->mm);
	if (!n)
		return -ENOMEM;
	n->pgoff = vma_pgoff(v, r->old);
	n->start = r->new;
	n->end = r->new + r->new_len;
	vma_insert(n);
	if (n->ops && n->ops->open)
		n->ops->open(n);
	return r->new;
}

/* Grows v, whose end is the end of the old range, without moving it. */
static bool grow_in_place(struct remap *r, struct vma *v)
{
	uint64_t end = r->old + r->new_len;
	struct vma *next = vma_next(v);

	if (v->end != r->old + r->old_len || mm_check_range(r->old, r->new_len, false))
		return false;
	if (next && end > (next->flags & VMA_GROWSDOWN ? next->start - STACK_GUARD_GAP : next->start))
		return false;
	vma_set_range(v, v->start, end, v->pgoff);
	vma_merge(v);
	return true;
}

static int64_t remap_locked(struct remap *r)
{
	struct vma *v = vma_find(r->mm, r->old);
	int err;

	if (!v || v->start > r->old)
		return -EFAULT;
	if (!r->old_len) {
		if (!(v->flags & VMA_SHARED))
			return -EINVAL;
		if (!(r->flags & MREMAP_MAYMOVE))
			return -ENOMEM;
		err = mm_may_expand(r->mm, r->new_len >> PAGE_SHIFT, v->prot, v->flags);
		return err ? err : duplicate(r, v);
	}
	if ((r->flags & MREMAP_DONTUNMAP) && ((v->flags & VMA_SPECIAL) || r->old_len != r->new_len))
		return -EINVAL;
	/* Shrinking may span several vmas, everything else one. */
	if (r->old_len >= r->new_len && !(r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
		if (r->old_len > r->new_len) {
			err = munmap_locked(r->mm, r->old + r->new_len, r->old + r->old_len, &r->dead);
			if (err)
				return err;
		}
		return r->old;
	}
	if (r->old_len > v->end - r->old)
		return -EFAULT;
	if (r->new_len > r->old_len && (v->flags & VMA_SPECIAL))
		return -EFAULT;
	if (r->old < WINDOW_END && r->old + r->old_len > WINDOW_BASE)
		return -EFAULT;
	if (v->file && vma_pgoff(v, r->old) + (r->new_len >> PAGE_SHIFT) < v->pgoff)
		return -EINVAL;
	if (r->new_len > r->old_len) {
		err = mm_may_expand(r->mm, (r->new_len - r->old_len) >> PAGE_SHIFT, v->prot, v->flags);
		if (err)
			return err;
	} else if (r->flags & MREMAP_DONTUNMAP) {
		err = mm_may_expand(r->mm, r->new_len >> PAGE_SHIFT, v->prot, v->flags);
		if (err)
			return err;
	}
	if (!(r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && grow_in_place(r, v))
		return r->old;
	if (!(r->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	return move_to(r, v);
}

int64_t sys_mremap(const struct sysargs *a)
{
	struct remap r = {.mm = current->mm, .old = arg_u64(a, 0), .old_len = PAGE_ALIGN(arg_u64(a, 1)),
	                  .new_len = PAGE_ALIGN(arg_u64(a, 2)), .flags = arg_u64(a, 3), .new = arg_u64(a, 4)};
	uint64_t flags = arg_u64(a, 3), locked_from = 0, locked_end = 0;
	struct vma *v;
	int64_t res;

	if ((flags & ~(uint64_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) || (r.old & (PAGE_SIZE - 1)) ||
	    !r.new_len)
		return -EINVAL;
	if ((flags & MREMAP_FIXED) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) && (!(flags & MREMAP_MAYMOVE) || r.old_len != r.new_len))
		return -EINVAL;
	if (r.old > USER_MAX || r.old_len > USER_MAX - r.old)
		return -EFAULT;
	if (r.new_len > USER_MAX)
		return -EINVAL;
	if (flags & MREMAP_FIXED) {
		int err = (r.new & (PAGE_SIZE - 1)) || r.new > USER_MAX - r.new_len ? -EINVAL
		                                                                    : mm_check_range(r.new, r.new_len, false);
		if (err)
			return err;
		if (r.old + r.old_len > r.new && r.new + r.new_len > r.old)
			return -EINVAL;
	}
	list_init(&r.dead);
	rwsem_write_lock(&r.mm->lock);
	res = remap_locked(&r);
	if (res >= 0 && r.new_len > r.old_len) {
		v = vma_find(r.mm, res);
		if (v && (v->flags & VMA_LOCKED) && !(v->flags & VMA_LOCKONFAULT)) {
			locked_from = res + r.old_len;
			locked_end = res + r.new_len;
		}
	}
	rwsem_write_unlock(&r.mm->lock);
	vma_free_list(&r.dead);
	if (locked_from < locked_end)
		(void)mm_populate(r.mm, locked_from, locked_end, FAULT_POPULATE);
	return res;
}
