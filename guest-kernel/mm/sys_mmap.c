/* SPDX-License-Identifier: Apache-2.0 */
/* System calls mmap, munmap, mprotect, pkey_*, brk, remap_file_pages. */
#include "mm/mm_impl.h"
#include "syscall/syscall.h"

int64_t sys_mmap(const struct sysargs *a)
{
	uint64_t addr = arg_u64(a, 0), len = arg_u64(a, 1), off = arg_u64(a, 5);
	uint32_t prot = arg_u32(a, 2), flags = arg_u32(a, 3);
	int fd = arg_int(a, 4);
	struct file *file = NULL;
	int64_t r;

	if (off & (PAGE_SIZE - 1))
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		file = fd_get(fd);
		if (!file)
			return -EBADF;
		if (flags & MAP_HUGETLB) { /* only files of a hugetlbfs, which there is not */
			file_put(file);
			return -EINVAL;
		}
	} else if (flags & MAP_HUGETLB) {
		return -ENOMEM; /* the pool of huge pages is empty */
	}
	r = mm_mmap(current->mm, addr, len, prot, flags, file, off >> PAGE_SHIFT);
	if (file)
		file_put(file);
	return r;
}

int64_t sys_munmap(const struct sysargs *a)
{
	return mm_munmap(current->mm, arg_u64(a, 0), arg_u64(a, 1));
}

/* PROT_GROWSDOWN extends the range to the start of a stack, PROT_GROWSUP exists on no vma here. */
static int64_t protect(uint64_t addr, uint64_t len, uint64_t prot)
{
	struct mm *mm = current->mm;
	struct vma *v;

	if ((prot & (PROT_GROWSDOWN | PROT_GROWSUP)) == (PROT_GROWSDOWN | PROT_GROWSUP) || (addr & (PAGE_SIZE - 1)))
		return -EINVAL;
	if (!len)
		return 0;
	if (prot & ~(uint64_t)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (prot & PROT_GROWSUP)
		return -EINVAL;
	if ((prot & PROT_READ) && (current->personality & 0x0400000 /* READ_IMPLIES_EXEC */))
		prot |= PROT_EXEC;
	if (prot & PROT_GROWSDOWN) {
		uint64_t start = addr;

		rwsem_read_lock(&mm->lock);
		v = vma_find(mm, addr);
		if (v && v->start < addr + PAGE_ALIGN(len))
			start = v->flags & VMA_GROWSDOWN ? v->start : UINT64_MAX;
		rwsem_read_unlock(&mm->lock);
		if (!v)
			return -ENOMEM;
		if (start == UINT64_MAX)
			return -EINVAL;
		len = PAGE_ALIGN(len) + (addr - start);
		addr = start;
	}
	return mm_mprotect(mm, addr, len, prot);
}

int64_t sys_mprotect(const struct sysargs *a)
{
	return protect(arg_u64(a, 0), arg_u64(a, 1), arg_u64(a, 2));
}

/* Protection keys are a CPU feature that is not shown: pkey_alloc has none to give, and only key -1 is valid. */
int64_t sys_pkey_mprotect(const struct sysargs *a)
{
	if (arg_int(a, 3) != -1)
		return -EINVAL;
	return protect(arg_u64(a, 0), arg_u64(a, 1), arg_u64(a, 2));
}

int64_t sys_pkey_alloc(const struct sysargs *a)
{
	if (arg_u64(a, 0) || (arg_u64(a, 1) & ~3UL))
		return -EINVAL;
	return -ENOSPC;
}

int64_t sys_pkey_free(const struct sysargs *a)
{
	return -EINVAL;
}

/* ---- brk ---- */
/* Extends the heap from old to new (page-aligned). mm->lock held. */
static int grow_heap(struct mm *mm, uint64_t old, uint64_t new)
{
	struct vma *next = vma_find(mm, old), *v;
	uint32_t flags = VMA_HEAP | VMA_MAYREAD | VMA_MAYWRITE | VMA_MAYEXEC | mm->def_flags;
	uint32_t prot = PROT_READ | PROT_WRITE;
	int r;

	if (current->personality & 0x0400000 /* READ_IMPLIES_EXEC */)
		prot |= PROT_EXEC;
	r = mm_check_range(old, new - old, false);
	if (r)
		return r;
	if (next && next->start < new + (next->flags & VMA_GROWSDOWN ? STACK_GUARD_GAP : PAGE_SIZE))
		return -ENOMEM;
	r = mm_may_expand(mm, (new - old) >> PAGE_SHIFT, prot, flags);
	if (r)
		return r;
	if (mm->nr_vmas >= MAX_MAP_COUNT)
		return -ENOMEM;
	v = vma_alloc(mm);
	if (!v)
		return -ENOMEM;
	v->start = old;
	v->end = new;
	v->pgoff = old >> PAGE_SHIFT;
	v->prot = prot;
	v->flags = flags;
	vma_insert(v);
	vma_merge(v);
	return 0;
}

int64_t sys_brk(const struct sysargs *a)
{
	uint64_t want = arg_u64(a, 0), old_end, new_end, limit = rlimit_cur(RLIMIT_DATA);
	struct mm *mm = current->mm;
	struct list_node dead = LIST_INIT(dead);
	bool populate = false;
	int64_t r;

	rwsem_write_lock(&mm->lock);
	old_end = PAGE_ALIGN(mm->brk);
	if (want < mm->brk_start || want > USER_MAX ||
	    (limit != RLIM64_INFINITY && want - mm->brk_start + (mm->end_data - mm->start_data) > limit))
		goto out;
	new_end = PAGE_ALIGN(want);
	if (new_end < old_end) {
		if (munmap_locked(mm, new_end, old_end, &dead))
			goto out;
	} else if (new_end > old_end) {
		if (grow_heap(mm, old_end, new_end))
			goto out;
		populate = (mm->def_flags & VMA_LOCKED) && !(mm->def_flags & VMA_LOCKONFAULT);
	}
	mm->brk = want;
out:
	r = mm->brk;
	rwsem_write_unlock(&mm->lock);
	vma_free_list(&dead);
	if (populate)
		(void)mm_populate(mm, old_end, PAGE_ALIGN(want), FAULT_POPULATE);
	return r;
}

/* Deprecated, as on Linux since 4.0 an emulation: the pages of a shared mapping become a vma of their own with another
 * offset. prot and flags are ignored but for what remap_file_pages(2) demands. */
int64_t sys_remap_file_pages(const struct sysargs *a)
{
	uint64_t start = arg_u64(a, 0) & PAGE_MASK, size = arg_u64(a, 1) & PAGE_MASK, prot = arg_u64(a, 2);
	uint64_t pgoff = arg_u64(a, 3), end = start + size;
	struct mm *mm = current->mm;
	struct mmu_gather *g;
	struct vma *v;
	int r = -EINVAL;

	if (prot || end <= start || pgoff + (size >> PAGE_SHIFT) < pgoff)
		return -EINVAL;
	rwsem_write_lock(&mm->lock);
	v = vma_find(mm, start);
	if (!v || v->start > start || v->end < end || !(v->flags & VMA_SHARED) || (v->flags & VMA_SPECIAL))
		goto out;
	r = vma_isolate(mm, start, end);
	if (r)
		goto out;
	v = vma_find(mm, start);
	g = mmu_gather_begin(mm);
	mmu_zap(g, start, end, 0);
	mmu_gather_end(g);
	vma_set_range(v, v->start, v->end, pgoff);
	vma_merge(v);
out:
	rwsem_write_unlock(&mm->lock);
	return r;
}
