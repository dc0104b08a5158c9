/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults on vmas of objects: files of the gofer (frames of a file window), tmpfs, shared memory, the vDSO.
 *
 * The object may shrink meanwhile: mapping->seq is read before vm_ops->fault and compared under mapping->lock when the
 * entry is stored; mapping_unmap counts it up before it looks for entries, so one of the two sees the other.
 *
 * A small private writable vma (.data of a program) gets its copy at the first read already: mapping the file's page
 * first would cost a second fault and a flush at the write that is sure to come.
 */
#include "mm/mm_impl.h"

#define EAGER_MAX_PAGES 1024 /* largest vma that is copied at the first touch */
#define COPY_BLOCK 16UL      /* pages that are copied at once, aligned */
#define CACHE_FIRST 4       /* pages of a mapping that are mapped around a fault */
#define CACHE_MAX   256

static int fault_error(int r)
{
	switch (r) {
	case 0:
	case -ENOMEM:
	case -EAGAIN:
		return r;
	default:
		return -ENXIO;
	}
}

static uint64_t mapping_seq(struct mapping *m)
{
	return m ? atomic_load(&m->seq) : 0;
}

/* mapping->lock and pt_lock, or neither if the object has changed since seq. */
static bool lock_if_same(struct vma *v, uint64_t seq)
{
	struct mapping *m = v->mapping;

	if (m) {
		spin_lock(&m->lock);
		if (m->seq != seq) {
			spin_unlock(&m->lock);
			return false;
		}
	}
	spin_lock(&v->mm->pt_lock);
	return true;
}

static void unlock_both(struct vma *v)
{
	spin_unlock(&v->mm->pt_lock);
	if (v->mapping)
		spin_unlock(&v->mapping->lock);
}

/* ---- the object's own frames ---- */
static uint64_t object_entry(const struct vma *v, const struct vm_frame *f, pa_t frame)
{
	uint64_t e = pte_make(frame, fault_bits(v));

	if (f->page)
		e |= PTE_SW_RAM;
	if (!(v->flags & VMA_SHARED))
		e |= PTE_SW_COW;
	else if (f->writable && (v->prot & PROT_WRITE))
		e |= PTE_W;
	return e;
}

/* Stores the entry of the faulting page; consumes f->page. Both locks held. Returns false if another frame was there
 * and had to go: the caller flushes g. */
static void store_main(struct vma *v, uint64_t *pte, uint64_t page, struct vm_frame *f, struct mmu_gather **g)
{
	uint64_t e = object_entry(v, f, f->pa), old = *pte;

	if (!old) {
		mmu_set(v->mm, pte, e);
		f->page = NULL;
		return;
	}
	if (pte_pa(old).v == f->pa.v) {
		if (e & PTE_W)
			mmu_set(v->mm, pte, old | PTE_W);
		return;
	}
	if ((v->flags & VMA_SHARED) && *g) {
		if (old & PTE_P)
			mmu_gather_edit(*g, pte, page);
		if (old & PTE_SW_RAM)
			mmu_gather_page(*g, pa_to_page(pte_pa(old)));
		mmu_set(v->mm, pte, e);
		f->page = NULL;
	}
}

/* Neighbours of a file window's frame. Both locks held; pte is the entry of page. */
static void store_around(struct vma *v, uint64_t *pte, uint64_t page, const struct vm_frame *f, struct mmu_runs *runs)
{
	uint64_t base = page & ~(PT_SPAN - 1);
	uint64_t lo = MAX(v->start, base), hi = MIN(v->end, base + PT_SPAN);

	lo = page - MIN(page - lo, (uint64_t)f->before * PAGE_SIZE);
	hi = MIN(hi, page + (uint64_t)f->npages * PAGE_SIZE);
	pte -= (page - lo) >> PAGE_SHIFT;
	for (uint64_t a = lo; a < hi; a += PAGE_SIZE, pte++) {
		if (!*pte)
			mmu_set(v->mm, pte, object_entry(v, f, pa(f->pa.v + (a - page))));
		mmu_runs_add(v->mm, runs, a, *pte);
	}
}

static int map_frame(struct vma *v, uint64_t page, struct vm_frame *f, uint64_t seq, bool flush_old,
                     struct mmu_runs *runs)
{
	struct mmu_gather *g = flush_old ? mmu_gather_begin(v->mm) : NULL;
	uint64_t *pte;
	int r = 0;

	if (!lock_if_same(v, seq)) {
		r = -EAGAIN;
	} else {
		pte = mmu_alloc(v->mm, page);
		if (!pte) {
			r = -ENOMEM;
		} else {
			bool ram = f->page;

			store_main(v, pte, page, f, &g);
			if (!ram && f->npages + f->before > 1)
				store_around(v, pte, page, f, runs);
			else
				mmu_runs_add(v->mm, runs, page, *pte);
		}
		unlock_both(v);
	}
	if (g)
		mmu_gather_end(g);
	if (f->page)
		page_put(f->page);
	return r;
}

/* Objects that live in a page cache: the next pages too, as long as they come without effort. */
static void map_cache_around(struct vma *v, uint64_t page, unsigned how, struct mmu_runs *runs)
{
	uint64_t lo, hi;

	fault_window(v, page, how, CACHE_FIRST, CACHE_MAX, &lo, &hi);
	for (uint64_t a = page + PAGE_SIZE; a < hi; a += PAGE_SIZE) {
		struct vm_frame f = {.npages = 1};
		uint64_t seq = mapping_seq(v->mapping);

		/* A hole of a file that is only read stays a hole until it is touched. */
		if (!(how & FAULT_WRITE) && !mapping_has(v->mapping, vma_pgoff(v, a)))
			break;
		if (v->ops->fault(v, vma_pgoff(v, a), false, &f))
			break;
		if (map_frame(v, a, &f, seq, false, runs))
			break;
	}
}

/* ---- private copies ---- */
/* Copies frame to fresh and stores it if nothing is there. Consumes fresh. */
static int store_copy(struct vma *v, uint64_t page, pa_t frame, struct page *fresh, uint64_t seq, struct mmu_runs *runs)
{
	struct mm *mm = v->mm;
	uint64_t *pte;
	int r = 0;

	if (!fault_copy_frame(page_address(fresh), frame)) {
		page_put(fresh);
		return -ENXIO;
	}
	if (!lock_if_same(v, seq)) {
		page_put(fresh);
		return -EAGAIN;
	}
	pte = mmu_alloc(mm, page);
	if (!pte) {
		r = -ENOMEM;
	} else {
		if (!*pte) {
			fresh->flags |= PG_ANON;
			fresh->owner = fresh->index = fresh->private = 0;
			mmu_set(mm, pte, pte_make(page_to_pa(fresh), fault_bits(v) | PTE_SW_RAM | PTE_SW_ANON |
			                 (v->prot & PROT_WRITE ? PTE_W : 0)));
			fresh = NULL;
		}
		mmu_runs_add(mm, runs, page, *pte);
	}
	unlock_both(v);
	if (fresh)
		page_put(fresh);
	return r;
}

/* The page's copy, and those of its neighbours that have none yet: data is hardly used in order, but in places. */
static int map_copies(struct vma *v, uint64_t page, struct vm_frame *f, uint64_t seq, struct mmu_runs *runs)
{
	struct page *fresh = page_alloc(0, PAGE_ALLOC_USER);
	uint64_t block = page & ~(COPY_BLOCK * PAGE_SIZE - 1), lo, hi;
	int r;

	if (!fresh)
		return -ENOMEM;
	r = store_copy(v, page, f->pa, fresh, seq, runs);
	if (r || f->page)
		return r;
	lo = MAX(MAX(v->start, block), page - MIN(page, (uint64_t)f->before * PAGE_SIZE));
	hi = MIN(MIN(v->end, block + COPY_BLOCK * PAGE_SIZE), page + (uint64_t)f->npages * PAGE_SIZE);
	for (uint64_t a = lo; a < hi; a += PAGE_SIZE) {
		uint64_t e;

		spin_lock(&v->mm->pt_lock);
		e = mmu_get(v->mm, a);
		spin_unlock(&v->mm->pt_lock);
		if (e)
			continue;
		fresh = page_alloc(0, PAGE_ALLOC_USER | PAGE_ALLOC_NOWAIT);
		if (!fresh || store_copy(v, a, pa(f->pa.v + (a - page)), fresh, seq, runs))
			break;
	}
	return 0;
}

int fault_object(struct vma *v, uint64_t page, unsigned how)
{
	bool shared = v->flags & VMA_SHARED, write = how & FAULT_WRITE;
	bool in_cache;
	struct vm_frame f = {.npages = 1};
	uint64_t seq = mapping_seq(v->mapping);
	struct mmu_runs runs;
	int r;

	r = fault_error(v->ops->fault(v, vma_pgoff(v, page), write && shared, &f));
	if (r)
		return r;
	in_cache = f.page && (f.page->flags & PG_CACHE);
	if (!f.npages || f.page)
		f.npages = 1;
	if (f.page)
		f.before = 0;
	mmu_runs_init(&runs);
	if (shared && write && !f.writable) {
		r = -EACCES;
	} else if (!shared && (write || ((v->prot & PROT_WRITE) && vma_pages(v) <= EAGER_MAX_PAGES))) {
		r = map_copies(v, page, &f, seq, &runs);
	} else {
		r = map_frame(v, page, &f, seq, shared && write, &runs);
		f.page = NULL;
		if (!r && in_cache)
			map_cache_around(v, page, how, &runs);
	}
	if (f.page)
		page_put(f.page);
	mmu_runs_send(v->mm, &runs);
	return r;
}
