/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults on private memory: first touches of anonymous memory, and writes to frames that may be shared (copy on
 * write). A trap is dear on some platforms, so both do several pages at once: windows that double while faults follow
 * each other, up to one page table's worth.
 */
#include "boot/boot.h"
#include "mm/mm_impl.h"

#define ANON_FIRST 16
#define ANON_FIRST_CHEAP 4 /* in guest placement a fault costs less than the zeroing of a page or two */
#define ANON_MAX   512
#define COW_FIRST  1
#define COW_MAX    32

static void put_chain(struct page *p)
{
	while (p) {
		struct page *next = (struct page *)p->next;

		page_put(p);
		p = next;
	}
}

/* A frame becomes private anonymous memory. */
static void make_anon(struct page *p)
{
	p->flags |= PG_ANON;
	p->owner = 0;
	p->index = 0;
	p->private = 0; /* pins */
}

/* Reads of memory that will hardly be written get the zero page. */
static int map_zero(struct vma *v, uint64_t page)
{
	struct mm *mm = v->mm;
	struct mmu_runs runs;
	uint64_t *pte, lo, hi;

	mmu_runs_init(&runs);
	fault_window(v, page, 0, ANON_FIRST, ANON_MAX, &lo, &hi);
	spin_lock(&mm->pt_lock);
	pte = mmu_alloc(mm, lo);
	if (!pte) {
		spin_unlock(&mm->pt_lock);
		return -ENOMEM;
	}
	for (uint64_t a = lo; a < hi; a += PAGE_SIZE, pte++) {
		if (!*pte)
			mmu_set(mm, pte, pte_make(mmu_zero_page, fault_bits(v) | PTE_SW_COW));
		mmu_runs_add(mm, &runs, a, *pte);
	}
	spin_unlock(&mm->pt_lock);
	mmu_runs_send(mm, &runs);
	return 0;
}

int fault_anon(struct vma *v, uint64_t page, unsigned how)
{
	struct mm *mm = v->mm;
	struct mmu_runs runs;
	struct page *chain;
	uint64_t *pte, lo, hi, bits;
	unsigned got;

	if (!(how & (FAULT_WRITE | FAULT_POPULATE)) && (!(v->prot & PROT_WRITE) || (v->flags & VMA_NORESERVE)))
		return map_zero(v, page);

	fault_window(v, page, how, boot.guest_placement ? ANON_FIRST_CHEAP : ANON_FIRST, ANON_MAX, &lo, &hi);
	chain = page_alloc_bulk((hi - lo) >> PAGE_SHIFT, &got);
	if (!chain) {
		chain = page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_USER);
		if (!chain)
			return -ENOMEM;
		got = 1;
	}
	if (v->flags & VMA_GROWSDOWN)
		lo = hi - got * PAGE_SIZE;
	else
		hi = lo + got * PAGE_SIZE;

	bits = fault_bits(v) | PTE_SW_RAM | PTE_SW_ANON | (v->prot & PROT_WRITE ? PTE_W : 0);
	mmu_runs_init(&runs);
	spin_lock(&mm->pt_lock);
	pte = mmu_alloc(mm, lo);
	if (!pte) {
		spin_unlock(&mm->pt_lock);
		put_chain(chain);
		return -ENOMEM;
	}
	for (uint64_t a = lo; a < hi; a += PAGE_SIZE, pte++) {
		struct page *p = chain;

		if (!*pte) { /* else another thread was faster */
			chain = (struct page *)p->next;
			make_anon(p);
			mmu_set(mm, pte, pte_make(page_to_pa(p), bits));
		}
		mmu_runs_add(mm, &runs, a, *pte);
	}
	spin_unlock(&mm->pt_lock);
	put_chain(chain);
	mmu_runs_send(mm, &runs);
	return 0;
}

/* ---- copy on write ---- */
/* The frame of *pte is this address space's alone: it may be written as it is. pt_lock held. */
static bool reuse(struct vma *v, uint64_t *pte)
{
	uint64_t e = *pte;

	if (!(e & PTE_SW_ANON) || atomic_load(&pa_to_page(pte_pa(e))->refs) != 1)
		return false;
	e &= ~PTE_SW_COW;
	if (v->prot & PROT_WRITE)
		e |= PTE_W;
	mmu_set(v->mm, pte, e);
	return true;
}

/* Replaces the frame of *pte by its copy in fresh. pt_lock held. False: the file behind it ended. */
static bool copy_entry(struct vma *v, uint64_t *pte, uint64_t addr, struct page *fresh, struct mmu_gather *g)
{
	uint64_t e = *pte;

	if (pte_pa(e).v == mmu_zero_page.v)
		memset(page_address(fresh), 0, PAGE_SIZE);
	else if (!fault_copy_frame(page_address(fresh), pte_pa(e)))
		return false;
	make_anon(fresh);
	if (e & PTE_P)
		mmu_gather_edit(g, pte, addr);
	if (e & PTE_SW_RAM)
		mmu_gather_page(g, pa_to_page(pte_pa(e)));
	mmu_set(v->mm, pte, pte_make(page_to_pa(fresh), fault_bits(v) | PTE_SW_RAM | PTE_SW_ANON |
	                    (v->prot & PROT_WRITE ? PTE_W : 0)));
	return true;
}

/* The pages after the first: they are probably written next, and one flush serves all. pt_lock held. */
static void cow_around(struct vma *v, uint64_t *pte, uint64_t addr, uint64_t end, struct mmu_gather *g,
                       struct mmu_runs *runs)
{
	for (; addr < end; addr += PAGE_SIZE, pte++) {
		uint64_t e = *pte;
		struct page *p;

		if (!(e & PTE_P) || !(e & PTE_SW_ANON) || (e & PTE_W) || mmu_gather_full(g))
			return;
		if (!reuse(v, pte)) {
			p = page_alloc(0, PAGE_ALLOC_USER | PAGE_ALLOC_NOWAIT);
			if (!p)
				return;
			copy_entry(v, pte, addr, p, g); /* RAM: cannot fail */
		}
		mmu_runs_add(v->mm, runs, addr, *pte);
	}
}

int fault_cow(struct vma *v, uint64_t page, unsigned how)
{
	struct mm *mm = v->mm;
	struct page *fresh = NULL;
	struct mmu_gather *g = NULL;
	struct mmu_runs runs;
	uint64_t *pte, lo, hi;
	int r = 0;

	mmu_runs_init(&runs);
	spin_lock(&mm->pt_lock);
	pte = mmu_lookup(mm, page, NULL);
	if (!pte || !*pte || (*pte & PTE_W)) {
		spin_unlock(&mm->pt_lock);
		return -EAGAIN;
	}
	if (reuse(v, pte)) {
		/* More permissive only: no flush. */
		mmu_runs_add(mm, &runs, page, *pte);
		spin_unlock(&mm->pt_lock);
		mmu_runs_send(mm, &runs);
		return 0;
	}
	spin_unlock(&mm->pt_lock);

	fresh = page_alloc(0, PAGE_ALLOC_USER);
	if (!fresh)
		return -ENOMEM;
	g = mmu_gather_begin(mm);
	fault_window(v, page, 0, COW_FIRST, COW_MAX, &lo, &hi);
	spin_lock(&mm->pt_lock);
	pte = mmu_lookup(mm, page, NULL);
	if (!pte || !*pte || (*pte & PTE_W)) {
		r = -EAGAIN;
	} else if (!copy_entry(v, pte, page, fresh, g)) {
		r = -ENXIO;
	} else {
		fresh = NULL;
		mmu_runs_add(mm, &runs, page, *pte);
		if (v->prot & PROT_WRITE)
			cow_around(v, pte + 1, page + PAGE_SIZE, hi, g, &runs);
	}
	spin_unlock(&mm->pt_lock);
	mmu_gather_end(g);
	if (fresh)
		page_put(fresh);
	mmu_runs_send(mm, &runs);
	return r;
}
