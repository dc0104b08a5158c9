/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying an address space for fork(2). Shared mappings show the same frames; private frames become copy-on-write in
 * both, which edits the parent's entries and so needs a flush of the parent before its other threads run on.
 *
 * In host placement and on ptrace, where a fault is dear, a small process with one thread is copied outright instead: a few
 * hundred page copies cost less than the flush and the two faults per page that copy-on-write would take. (With several
 * threads a copy could tear what they write.) In guest placement a fault costs less than a copy, and most children exec.
 */
#include "boot/boot.h"
#include "mm/mm_impl.h"

#define EAGER_MAX_PAGES 512

struct fork {
	struct mm *parent, *child;
	struct mmu_gather *g; /* of the parent */
	bool eager;
};

/* The child's own copy of an anonymous frame, or 0. Both pt_locks held. */
static uint64_t copy_now(const struct vma *v, uint64_t e)
{
	struct page *p = page_alloc(0, PAGE_ALLOC_USER | PAGE_ALLOC_NOWAIT);

	if (!p)
		return 0;
	memcpy(page_address(p), direct(pte_pa(e)), PAGE_SIZE);
	p->flags |= PG_ANON;
	p->owner = p->index = p->private = 0;
	return pte_make(page_to_pa(p), (e & ~(PTE_ADDR | PTE_SW_COW | PTE_W)) | (v->prot & PROT_WRITE ? PTE_W : 0));
}

/* One populated entry. 0 or -ENOMEM. Both pt_locks held. */
static int copy_entry(struct fork *f, const struct vma *v, uint64_t *from, uint64_t *to, uint64_t addr)
{
	uint64_t e = *from, copy = 0;

	if (!(v->flags & VMA_SHARED) && (e & PTE_SW_ANON)) {
		struct page *p = pa_to_page(pte_pa(e));
		bool pinned = atomic_load(&p->private);

		if (f->eager || pinned)
			copy = copy_now(v, e);
		if (!copy && pinned)
			return -ENOMEM;
		if (!copy) {
			if ((e & PTE_W) && (e & PTE_P))
				mmu_gather_edit(f->g, from, addr);
			e = (e & ~PTE_W) | PTE_SW_COW;
			mmu_set(f->parent, from, e);
		}
	}
	if (copy)
		e = copy;
	else if (e & PTE_SW_RAM)
		page_get(pa_to_page(pte_pa(e)));
	mmu_set(f->child, to, e);
	return 0;
}

/* Until end, or until the gather is full: returns where it stopped or -ENOMEM. */
static int64_t copy_some(struct fork *f, const struct vma *v, uint64_t addr, uint64_t end)
{
	int64_t r = 0;

	spin_lock(&f->parent->pt_lock);
	spin_lock(&f->child->pt_lock);
	while (addr < end && !r && !mmu_gather_full(f->g)) {
		uint64_t next, stop, *from = mmu_lookup(f->parent, addr, &next), *to;

		if (!from) {
			addr = next;
			continue;
		}
		stop = MIN(end, (addr & ~(PT_SPAN - 1)) + PT_SPAN);
		while (addr < stop && !*from) {
			addr += PAGE_SIZE;
			from++;
		}
		if (addr >= stop)
			continue;
		to = mmu_alloc(f->child, addr);
		if (!to)
			r = -ENOMEM;
		for (; addr < stop && !r; addr += PAGE_SIZE, from++, to++)
			if (*from)
				r = copy_entry(f, v, from, to, addr);
	}
	spin_unlock(&f->child->pt_lock);
	spin_unlock(&f->parent->pt_lock);
	return r ? r : (int64_t)MIN(addr, end);
}

static int copy_entries(struct fork *f, const struct vma *v)
{
	uint64_t addr = v->start;

	while (addr < v->end) {
		int64_t r = copy_some(f, v, addr, v->end);

		if (r < 0)
			return r;
		addr = r;
		if (addr < v->end)
			mmu_gather_flush(f->g);
	}
	return 0;
}

static int copy_vma(struct fork *f, struct vma *v)
{
	struct vma *n;

	if (v->flags & VMA_DONTFORK)
		return 0;
	n = vma_dup(v, f->child);
	if (!n)
		return -ENOMEM;
	n->flags &= ~(VMA_LOCKED | VMA_LOCKONFAULT);
	/* Listed before its entries exist: mapping_unmap, which works from the list's head, then meets the parent's
	 * entries before they are copied or the child's copies later. */
	vma_insert(n);
	if (n->ops && n->ops->open)
		n->ops->open(n);
	if (v->flags & VMA_WIPEONFORK)
		return 0;
	return copy_entries(f, v);
}

static void copy_fields(struct mm *c, const struct mm *p)
{
	c->brk_start = p->brk_start;
	c->brk = p->brk;
	c->mmap_top = p->mmap_top;
	c->free_cache = p->free_cache;
	c->free_hole = p->free_hole;
	c->start_code = p->start_code;
	c->end_code = p->end_code;
	c->start_data = p->start_data;
	c->end_data = p->end_data;
	c->start_stack = p->start_stack;
	c->arg_start = p->arg_start;
	c->arg_end = p->arg_end;
	c->env_start = p->env_start;
	c->env_end = p->env_end;
	c->vdso_base = p->vdso_base;
	memcpy(c->auxv, p->auxv, sizeof(c->auxv));
	c->nr_auxv = p->nr_auxv;
	c->dumpable = p->dumpable;
	c->membarrier_state = p->membarrier_state;
	c->exe_file = p->exe_file;
	if (c->exe_file) {
		file_get(c->exe_file);
		(void)inode_deny_write(c->exe_file->inode); /* succeeds: the parent denies too */
	}
}

struct mm *mm_fork(struct mm *parent)
{
	struct fork f = {.parent = parent};
	int r = 0;

	f.child = mm_create();
	if (!f.child)
		return NULL;
	f.g = mmu_gather_begin(parent);
	rwsem_write_lock(&parent->lock);
	f.eager = !boot.guest_placement && atomic_load(&parent->users.n) == 1 && READ_ONCE(parent->rss_anon) <= EAGER_MAX_PAGES;
	copy_fields(f.child, parent);
	for (struct vma *v = vma_first(parent); v && !r; v = vma_next(v))
		r = copy_vma(&f, v);
	mmu_gather_end(f.g);
	rwsem_write_unlock(&parent->lock);
	if (r) {
		mm_put(f.child);
		return NULL;
	}
	return f.child;
}
