/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msync(2) and mincore(2). Shared file mappings are pages of the host's page cache, so MS_SYNC is fsync(2) of the file.
 */
#include "mm/mm_impl.h"
#include "syscall/syscall.h"

int64_t sys_msync(const struct sysargs *a)
{
	uint64_t start = arg_u64(a, 0), len = PAGE_ALIGN(arg_u64(a, 1)), end = start + len;
	uint32_t flags = arg_u32(a, 2);
	struct mm *mm = current->mm;
	int missing = 0;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || (start & (PAGE_SIZE - 1)) ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (end < start || (arg_u64(a, 1) && !len))
		return -ENOMEM;
	while (start < end) {
		struct file *file = NULL;
		struct vma *v;
		int r = 0;

		rwsem_read_lock(&mm->lock);
		v = vma_find(mm, start);
		if (!v || v->start >= end) {
			rwsem_read_unlock(&mm->lock);
			return -ENOMEM;
		}
		if (v->start > start)
			missing = -ENOMEM;
		if ((flags & MS_INVALIDATE) && (v->flags & VMA_LOCKED))
			r = -EBUSY;
		else if ((flags & MS_SYNC) && v->file && (v->flags & VMA_SHARED))
			file_get(file = v->file);
		start = v->end;
		rwsem_read_unlock(&mm->lock);
		if (file) {
			if (file->ops->fsync)
				r = file->ops->fsync(file, true);
			file_put(file);
		}
		if (r)
			return r;
	}
	return missing;
}

/* One byte per page: is it there without a fault that has to fetch it? Host files count as resident where mapped. */
static void residency(struct mm *mm, struct vma *v, uint64_t start, uint64_t end, uint8_t *out)
{
	for (uint64_t a = start; a < end; a += PAGE_SIZE) {
		bool here;

		spin_lock(&mm->pt_lock);
		here = mmu_get(mm, a) != 0;
		spin_unlock(&mm->pt_lock);
		if (!here && v->mapping)
			here = mapping_has(v->mapping, vma_pgoff(v, a));
		*out++ = here;
	}
}

int64_t sys_mincore(const struct sysargs *a)
{
	uint64_t start = arg_u64(a, 0), len = arg_u64(a, 1), end;
	uva_t vec = arg_uva(a, 2);
	struct mm *mm = current->mm;

	if (start & (PAGE_SIZE - 1))
		return -EINVAL;
	if (start > USER_MAX || len > USER_MAX - start)
		return -ENOMEM;
	end = start + PAGE_ALIGN(len);
	while (start < end) {
		uint8_t buf[256];
		uint64_t stop = 0;
		struct vma *v;

		rwsem_read_lock(&mm->lock);
		v = vma_find(mm, start);
		if (v && v->start <= start) {
			stop = MIN(MIN(v->end, end), start + sizeof(buf) * PAGE_SIZE);
			residency(mm, v, start, stop, buf);
		}
		rwsem_read_unlock(&mm->lock);
		if (!stop)
			return -ENOMEM;
		if (copy_out(vec, buf, (stop - start) >> PAGE_SHIFT))
			return -EFAULT;
		vec = uva_add(vec, (stop - start) >> PAGE_SHIFT);
		start = stop;
	}
	return 0;
}
