/* SPDX-License-Identifier: Apache-2.0 */
/* Counts for /proc/PID/smaps. */
#include "mm/mm_impl.h"

static void count_entry(uint64_t e, struct vma_stats *s)
{
	struct page *p = e & PTE_SW_RAM ? pa_to_page(pte_pa(e)) : NULL;
	/* A page of an object is also referenced by the object. */
	bool shared = !p || atomic_load(&p->refs) > (p->flags & PG_CACHE ? 2 : 1);

	if (pte_pa(e).v == mmu_zero_page.v)
		return;
	s->rss++;
	if (e & PTE_SW_ANON) {
		s->anon++;
		if (shared)
			s->shared_dirty++;
		else
			s->private_dirty++;
	} else if (p && (e & PTE_W)) {
		if (shared)
			s->shared_dirty++;
		else
			s->private_dirty++;
	} else if (shared) {
		s->shared_clean++;
	} else {
		s->private_clean++;
	}
}

void vma_stats(struct vma *v, struct vma_stats *s)
{
	struct mm *mm = v->mm;
	uint64_t addr = v->start;

	*s = (struct vma_stats){0};
	while (addr < v->end) {
		uint64_t next, stop;

		spin_lock(&mm->pt_lock);
		uint64_t *pte = mmu_lookup(mm, addr, &next);
		if (pte) {
			stop = MIN(v->end, (addr & ~(PT_SPAN - 1)) + PT_SPAN);
			for (; addr < stop; addr += PAGE_SIZE, pte++)
				if (*pte)
					count_entry(*pte, s);
		} else {
			addr = next;
		}
		spin_unlock(&mm->pt_lock);
	}
}
