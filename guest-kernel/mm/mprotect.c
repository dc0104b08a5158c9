/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mprotect(2). Only entries that lose a permission need a flush; those that gain one are corrected by the fault that a
 * stale copy causes. Write permission comes back at once where the frame is known to be private, else by the next
 * write fault (copy on write, or the object's consent).
 */
#include "mm/mm_impl.h"

/* The entry under the new protection. */
static uint64_t protected_entry(const struct vma *v, uint64_t e, uint32_t prot)
{
	uint64_t n = pte_make(pte_pa(e), (e & (PTE_SW_COW | PTE_SW_RAM | PTE_SW_ANON)) | mmu_prot_bits(prot));

	if (!(prot & PROT_WRITE))
		return n;
	if (v->flags & VMA_SHARED)
		return n | (e & PTE_W);
	return n | ((e & PTE_SW_ANON) && !(e & PTE_SW_COW) ? PTE_W : 0);
}

static bool loses(uint64_t old, uint64_t new)
{
	if (!(old & PTE_P))
		return false;
	return !(new & PTE_P) || ((old & PTE_W) && !(new & PTE_W)) || (!(old & PTE_NX) && (new & PTE_NX));
}

static uint64_t protect_some(struct vma *v, uint64_t addr, uint64_t end, uint32_t prot, struct mmu_gather *g)
{
	struct mm *mm = v->mm;

	spin_lock(&mm->pt_lock);
	while (addr < end && !mmu_gather_full(g)) {
		uint64_t next, *pte = mmu_lookup(mm, addr, &next), stop;

		if (!pte) {
			addr = next;
			continue;
		}
		stop = MIN(end, (addr & ~(PT_SPAN - 1)) + PT_SPAN);
		for (; addr < stop; addr += PAGE_SIZE, pte++) {
			uint64_t n;

			if (!*pte)
				continue;
			n = protected_entry(v, *pte, prot);
			if (loses(*pte, n))
				mmu_gather_edit(g, pte, addr);
			mmu_set(mm, pte, n);
		}
	}
	spin_unlock(&mm->pt_lock);
	return MIN(addr, end);
}

static void protect_entries(struct vma *v, uint32_t prot, struct mmu_gather *g)
{
	uint64_t addr = v->start;

	while (addr < v->end) {
		addr = protect_some(v, addr, v->end, prot, g);
		if (addr < v->end)
			mmu_gather_flush(g);
	}
}

/* May [start, end) of v get this protection? */
static int check_vma(const struct vma *v, uint64_t start, uint64_t end, uint32_t prot)
{
	uint64_t pages = (end - start) >> PAGE_SHIFT;
	struct mm *mm = v->mm;

	if ((v->flags & VMA_SPECIAL) && (prot & PROT_WRITE))
		return -EACCES;
	if (((prot & PROT_READ) && !(v->flags & VMA_MAYREAD)) || ((prot & PROT_EXEC) && !(v->flags & VMA_MAYEXEC)) ||
	    ((prot & PROT_WRITE) && !(v->flags & VMA_MAYWRITE)))
		return -EACCES;
	if (prot && start < WINDOW_END && end > WINDOW_BASE)
		return -ENOMEM;
	if (vma_is_data(prot, v->flags) && !vma_is_data(v->prot, v->flags)) {
		struct page_stats s;

		if (mm->data_vm + pages > rlimit_cur(RLIMIT_DATA) >> PAGE_SHIFT)
			return -ENOMEM;
		page_stats(&s);
		if (!(v->flags & VMA_NORESERVE) && pages > s.limit)
			return -ENOMEM;
	}
	return 0;
}

static int mprotect_locked(struct mm *mm, uint64_t start, uint64_t end, uint32_t prot, struct mmu_gather *g)
{
	uint64_t addr = start;
	int r;

	while (addr < end) {
		struct vma *v = vma_find(mm, addr);
		uint64_t stop;

		if (!v || v->start > addr)
			return -ENOMEM;
		stop = MIN(v->end, end);
		if (v->prot == prot) {
			addr = stop;
			continue;
		}
		r = check_vma(v, addr, stop, prot);
		if (!r)
			r = vma_isolate(mm, addr, stop);
		if (r)
			return r;
		v = vma_find(mm, addr);
		/* The vma first, so that a fault after the entries were changed finds the new rule; mm->lock keeps faults out. */
		vma_set_prot(v, prot, v->flags);
		protect_entries(v, prot, g);
		vma_merge(v);
		addr = stop;
	}
	return 0;
}

int mm_mprotect(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot)
{
	struct mmu_gather *g;
	int r;

	if (addr & (PAGE_SIZE - 1))
		return -EINVAL;
	if (!len)
		return 0;
	len = PAGE_ALIGN(len);
	if (!len || len > USER_MAX || addr > USER_MAX - len)
		return -ENOMEM;
	g = mmu_gather_begin(mm);
	rwsem_write_lock(&mm->lock);
	r = mprotect_locked(mm, addr, addr + len, prot & (PROT_READ | PROT_WRITE | PROT_EXEC), g);
	/* The flush must be over before anyone can rely on the new protection: keep faults out until then. */
	mmu_gather_flush(g);
	rwsem_write_unlock(&mm->lock);
	mmu_gather_end(g);
	return r;
}
