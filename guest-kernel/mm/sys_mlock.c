/* SPDX-License-Identifier: Apache-2.0 */
/* mlock(2) and relatives. Nothing is ever swapped, so locking means: counted against RLIMIT_MEMLOCK, and present. */
#include "mm/mm_impl.h"
#include "syscall/syscall.h"

#define LOCK_FLAGS (VMA_LOCKED | VMA_LOCKONFAULT)

/* Gives every vma of the range these LOCK_FLAGS; -ENOMEM at a hole. mm->lock held for writing. */
static int set_locked(struct mm *mm, uint64_t start, uint64_t end, uint32_t locked)
{
	while (start < end) {
		struct vma *v = vma_find(mm, start);
		uint64_t stop;
		int r;

		if (!v || v->start > start)
			return -ENOMEM;
		stop = MIN(v->end, end);
		if ((v->flags & LOCK_FLAGS) != locked && !(v->flags & VMA_SPECIAL)) {
			r = vma_isolate(mm, start, stop);
			if (r)
				return r;
			v = vma_find(mm, start);
			vma_set_prot(v, v->prot, (v->flags & ~LOCK_FLAGS) | locked);
			vma_merge(v);
		}
		start = stop;
	}
	return 0;
}

/* Pages of the range that are not locked yet. mm->lock held. */
static uint64_t unlocked_pages(struct mm *mm, uint64_t start, uint64_t end)
{
	uint64_t n = 0;

	for (struct vma *v = vma_find(mm, start); v && v->start < end; v = vma_next(v))
		if (!(v->flags & VMA_LOCKED))
			n += (MIN(v->end, end) - MAX(v->start, start)) >> PAGE_SHIFT;
	return n;
}

/* Pages of such a mapping cannot be had. */
static bool has_inaccessible(struct mm *mm, uint64_t start, uint64_t end)
{
	bool found = false;

	rwsem_read_lock(&mm->lock);
	for (struct vma *v = vma_find(mm, start); v && v->start < end && !found; v = vma_next(v))
		found = !v->prot;
	rwsem_read_unlock(&mm->lock);
	return found;
}

static bool may_lock(void)
{
	return rlimit_cur(RLIMIT_MEMLOCK) || capable(CAP_IPC_LOCK);
}

static int64_t lock_range(uint64_t addr, uint64_t len, uint32_t locked)
{
	uint64_t start = addr & PAGE_MASK, end;
	struct mm *mm = current->mm;
	int r;

	if (!may_lock())
		return -EPERM;
	len = PAGE_ALIGN(len + (addr & (PAGE_SIZE - 1)));
	end = start + len;
	if (end < start)
		return -EINVAL;
	if (end > USER_MAX)
		return -ENOMEM;
	rwsem_write_lock(&mm->lock);
	if (mm->locked_vm + unlocked_pages(mm, start, end) > rlimit_cur(RLIMIT_MEMLOCK) >> PAGE_SHIFT &&
	    !capable(CAP_IPC_LOCK))
		r = -ENOMEM;
	else
		r = set_locked(mm, start, end, locked);
	rwsem_write_unlock(&mm->lock);
	if (r || (locked & VMA_LOCKONFAULT))
		return r;
	r = mm_populate(mm, start, end, FAULT_POPULATE);
	if (!r && has_inaccessible(mm, start, end))
		return -ENOMEM;
	/* mlock(2): pages that cannot be had are ENOMEM, a lack of memory for the moment EAGAIN. */
	return r == -ENOMEM ? -EAGAIN : r ? -ENOMEM : 0;
}

int64_t sys_mlock(const struct sysargs *a)
{
	return lock_range(arg_u64(a, 0), arg_u64(a, 1), VMA_LOCKED);
}

int64_t sys_mlock2(const struct sysargs *a)
{
	uint32_t flags = arg_u32(a, 2);

	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return lock_range(arg_u64(a, 0), arg_u64(a, 1), VMA_LOCKED | (flags & MLOCK_ONFAULT ? VMA_LOCKONFAULT : 0));
}

int64_t sys_munlock(const struct sysargs *a)
{
	uint64_t addr = arg_u64(a, 0), start = addr & PAGE_MASK;
	uint64_t end = start + PAGE_ALIGN(arg_u64(a, 1) + (addr & (PAGE_SIZE - 1)));
	struct mm *mm = current->mm;
	int r;

	if (end < start)
		return -EINVAL;
	rwsem_write_lock(&mm->lock);
	r = set_locked(mm, start, end, 0);
	rwsem_write_unlock(&mm->lock);
	return r;
}

static void set_all(struct mm *mm, uint32_t locked)
{
	for (struct vma *v = vma_first(mm); v; v = vma_next(v))
		if (!(v->flags & VMA_SPECIAL))
			vma_set_prot(v, v->prot, (v->flags & ~LOCK_FLAGS) | locked);
	for (struct vma *v = vma_first(mm); v; v = vma_next(v))
		v = vma_merge(v);
}

int64_t sys_mlockall(const struct sysargs *a)
{
	uint32_t flags = arg_u32(a, 0), locked = VMA_LOCKED | (flags & MCL_ONFAULT ? VMA_LOCKONFAULT : 0);
	struct mm *mm = current->mm;
	int r = 0;

	if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!may_lock())
		return -EPERM;
	rwsem_write_lock(&mm->lock);
	if ((flags & MCL_CURRENT) && mm->total_vm > rlimit_cur(RLIMIT_MEMLOCK) >> PAGE_SHIFT && !capable(CAP_IPC_LOCK)) {
		r = -ENOMEM;
	} else {
		mm->def_flags = flags & MCL_FUTURE ? locked : 0;
		if (flags & MCL_CURRENT)
			set_all(mm, locked);
	}
	rwsem_write_unlock(&mm->lock);
	if (!r && (flags & MCL_CURRENT) && !(flags & MCL_ONFAULT))
		(void)mm_populate(mm, 0, USER_MAX, FAULT_POPULATE);
	return r;
}

int64_t sys_munlockall(const struct sysargs *a)
{
	struct mm *mm = current->mm;

	rwsem_write_lock(&mm->lock);
	mm->def_flags = 0;
	set_all(mm, 0);
	rwsem_write_unlock(&mm->lock);
	return 0;
}
