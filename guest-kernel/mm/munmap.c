/* SPDX-License-Identifier: Apache-2.0 */
/* Taking vmas and their entries away: munmap(2) and what mmap and mremap replace. */
#include "mm/mm_impl.h"

/* What is free now may be found by the next search. */
static void note_free(struct mm *mm, uint64_t start)
{
	struct vma *next = vma_find(mm, start);
	uint64_t top = next ? MIN(next->start, mm->mmap_top) : mm->mmap_top;

	if (start < mm->mmap_top && top > mm->free_cache)
		mm->free_cache = top;
}

int munmap_locked(struct mm *mm, uint64_t start, uint64_t end, struct list_node *dead)
{
	struct mmu_gather *g;
	struct vma *v = vma_find(mm, start);
	int r;

	if (!v || v->start >= end)
		return 0;
	r = vma_isolate(mm, start, end);
	if (r)
		return r;
	/* Entries first, vmas afterwards: until the flush is done mapping_unmap must find them. */
	g = mmu_gather_begin(mm);
	mmu_zap(g, start, end, ZAP_TABLES);
	mmu_gather_end(g);
	for (v = vma_find(mm, start); v && v->start < end; v = vma_find(mm, start)) {
		vma_remove(v);
		list_add_tail(&v->mapping_link, dead);
	}
	note_free(mm, start);
	return 0;
}

int mm_munmap(struct mm *mm, uint64_t addr, uint64_t len)
{
	struct list_node dead = LIST_INIT(dead);
	int r;

	if ((addr & (PAGE_SIZE - 1)) || !len || len > USER_MAX || addr > USER_MAX - PAGE_ALIGN(len))
		return -EINVAL;
	rwsem_write_lock(&mm->lock);
	r = munmap_locked(mm, addr, addr + PAGE_ALIGN(len), &dead);
	rwsem_write_unlock(&mm->lock);
	vma_free_list(&dead);
	return r;
}

/*
 * The first vma at or above addr that could have been mapped at addr from the object's start names the object; all its
 * pieces go that lie where that mapping put them.
 */
int mm_munmap_object(struct mm *mm, uint64_t addr, const struct vm_ops *ops)
{
	struct list_node dead = LIST_INIT(dead);
	struct file *object = NULL;
	uint64_t object_size = 0;
	struct vma *v;
	int r = -EINVAL;

	if (addr & (PAGE_SIZE - 1))
		return -EINVAL;
	rwsem_write_lock(&mm->lock);
	for (v = vma_find(mm, addr); v;) {
		uint64_t end = v->end;

		if (v->ops == ops && v->start >= addr && (v->start - addr) >> PAGE_SHIFT == v->pgoff &&
		    (!object || v->file == object)) {
			object = v->file;
			object_size = object->inode->size;
			r = munmap_locked(mm, v->start, end, &dead);
			if (r)
				break;
		} else if (object && v->start - addr >= object_size) {
			break;
		}
		v = vma_find(mm, end);
	}
	rwsem_write_unlock(&mm->lock);
	vma_free_list(&dead);
	return r;
}
