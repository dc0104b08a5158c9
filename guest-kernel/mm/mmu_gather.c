/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking entries away: what was present in some vCPU's TLB, shadow table or mirror may be reused only after AS_FLUSH.
 * A gather remembers the edited tables, the address ranges and the references to drop. It is allocated, because its
 * flush request alone is too large for a stack frame; one spare gather under a mutex serves when memory is out.
 */
#include "mm/mm_impl.h"

#define GATHER_PAGES 144
#define BATCH_PAGES  510
/* One step of a zap may note this many tables: a leaf, two above it that became empty, and the PML4. */
#define PTPAGE_SLACK 4
#define KEPT_MAX 16 /* empty leaf tables of an address space */

struct batch {
	struct batch *next;
	uint64_t n;
	struct page *page[BATCH_PAGES];
};

struct mmu_gather {
	struct mm *mm;
	struct hc_flush flush;
	bool dirty;  /* there is something to flush */
	uint32_t n;  /* in page[] */
	struct batch *more;
	struct page *page[GATHER_PAGES];
};
_Static_assert(sizeof(struct mmu_gather) <= 2048, "one object of the largest slab class");
_Static_assert(sizeof(struct batch) == PAGE_SIZE, "one page");

static struct mmu_gather *emergency; /* in the heap: hostcalls do not take addresses of the image */
static struct mutex emergency_lock = MUTEX_INIT(emergency_lock);

void mmu_gather_init(void)
{
	emergency = kmalloc(sizeof(*emergency));
	BUG_ON(!emergency);
}

struct mmu_gather *mmu_gather_begin(struct mm *mm)
{
	struct mmu_gather *g = kmalloc(sizeof(*g));

	if (!g) {
		mutex_lock(&emergency_lock);
		g = emergency;
	}
	g->mm = mm;
	g->dirty = false;
	g->n = 0;
	g->more = NULL;
	g->flush = (struct hc_flush){0};
	return g;
}

static void note_table(struct mmu_gather *g, uint64_t table)
{
	struct hc_flush *f = &g->flush;

	for (uint32_t i = f->nptpages; i > 0 && i + 4 > f->nptpages; i--)
		if (f->ptpage[i - 1] == table)
			return;
	BUG_ON(f->nptpages == HC_FLUSH_PTPAGES);
	f->ptpage[f->nptpages++] = table;
}

static void note_range(struct mmu_gather *g, uint64_t addr)
{
	struct hc_flush *f = &g->flush;
	uint64_t end = addr + PAGE_SIZE;
	uint32_t last = f->nranges - 1;

	if (f->nranges && addr >= f->range[last].start && end <= f->range[last].end)
		return;
	if (f->nranges && f->range[last].end == addr) {
		f->range[last].end = end;
	} else if (f->nranges < HC_FLUSH_RANGES) {
		f->range[f->nranges].start = addr;
		f->range[f->nranges++].end = end;
	} else {
		/* Flushing too much is harmless. */
		f->range[last].start = MIN(f->range[last].start, addr);
		f->range[last].end = MAX(f->range[last].end, end);
	}
}

void mmu_gather_edit(struct mmu_gather *g, uint64_t *pte, uint64_t addr)
{
	g->dirty = true;
	atomic_store(&g->mm->pt_gen, g->mm->pt_gen + 1);
	note_table(g, direct_to_pa(pte).v & PTE_ADDR);
	note_range(g, addr);
}

void mmu_gather_page(struct mmu_gather *g, struct page *p)
{
	struct batch *b = g->more;

	if (g->n < GATHER_PAGES) {
		g->page[g->n++] = p;
		return;
	}
	BUG_ON(!b || b->n == BATCH_PAGES);
	b->page[b->n++] = p;
}

bool mmu_gather_full(struct mmu_gather *g)
{
	struct batch *b = g->more;
	struct page *p;

	if (g->flush.nptpages + PTPAGE_SLACK > HC_FLUSH_PTPAGES)
		return true;
	if (GATHER_PAGES - g->n + (b ? BATCH_PAGES - b->n : 0) >= PTPAGE_SLACK)
		return false;
	p = page_alloc(0, PAGE_ALLOC_NOWAIT);
	if (!p)
		return true;
	b = page_address(p);
	b->next = g->more;
	b->n = 0;
	g->more = b;
	return false;
}

static void drop_pages(struct mmu_gather *g)
{
	for (uint32_t i = 0; i < g->n; i++)
		page_put(g->page[i]);
	g->n = 0;
	while (g->more) {
		struct batch *b = g->more;

		for (uint64_t i = 0; i < b->n; i++)
			page_put(b->page[i]);
		g->more = b->next;
		page_put(pa_to_page(direct_to_pa(b)));
	}
}

void mmu_gather_flush(struct mmu_gather *g)
{
	struct mm *mm = g->mm;
	int64_t r = 0;

	if (g->dirty) {
		rwsem_write_lock(&mm->as_lock);
		if (!mm->dead)
			r = hostcall2(HC_AS_FLUSH, mm->pml4.v, &g->flush);
		rwsem_write_unlock(&mm->as_lock);
		if (r < 0)
			panic("mmu: the host cannot flush an address space (%d)", (int)r);
		g->flush.all = g->flush.nranges = g->flush.nptpages = g->flush.freed = 0;
		g->dirty = false;
	}
	drop_pages(g);
}

void mmu_gather_end(struct mmu_gather *g)
{
	mmu_gather_flush(g);
	if (g == emergency)
		mutex_unlock(&emergency_lock);
	else
		kfree(g);
}

/* ---- zapping ---- */
void mmu_free_empty(struct mmu_gather *g, uint64_t addr)
{
	uint64_t *path[4], *t = direct(g->mm->pml4);

	if (in_window(addr))
		return;
	for (int level = 3; level > 0; level--) {
		uint64_t *e = &t[addr >> (PAGE_SHIFT + 9 * level) & 511];

		if (!*e)
			return;
		path[level] = e;
		t = direct(pte_pa(*e));
	}
	for (int level = 1; level <= 3; level++) {
		uint64_t *e = path[level];
		pa_t table = pte_pa(*e);
		struct page *p = pa_to_page(table);

		if (p->owner)
			return;
		/* A few are kept: taking one away costs more than clearing entries, and it is soon wanted again. */
		if (level == 1 && (p->private || g->mm->kept_tables < KEPT_MAX)) {
			g->mm->kept_tables += !p->private;
			p->private = 1;
			return;
		}
		/* The emptied table is shadowed under its old parent: it needs the flush itself before it is reused. */
		g->dirty = true;
		g->flush.freed++;
		atomic_store(&g->mm->pt_gen, g->mm->pt_gen + 1);
		note_table(g, table.v);
		note_table(g, direct_to_pa(e).v & PTE_ADDR);
		atomic_store(e, 0UL);
		pa_to_page(pa(direct_to_pa(e).v & PTE_ADDR))->owner--;
		mmu_gather_page(g, p);
	}
}

/* Entries of one table from addr on; stops at end, at the table's end, or when the gather is full. */
static uint64_t zap_table(struct mmu_gather *g, uint64_t *pte, uint64_t addr, uint64_t end, unsigned how, bool *any)
{
	struct mm *mm = g->mm;

	end = MIN(end, (addr & ~(PT_SPAN - 1)) + PT_SPAN);
	for (; addr < end; addr += PAGE_SIZE, pte++) {
		uint64_t e = *pte;

		if (!e || ((how & ZAP_KEEP_ANON) && (e & PTE_SW_ANON)))
			continue;
		if (mmu_gather_full(g))
			break;
		*any = true;
		if (e & PTE_P)
			mmu_gather_edit(g, pte, addr);
		if (e & PTE_SW_RAM)
			mmu_gather_page(g, pa_to_page(pte_pa(e)));
		mmu_set(mm, pte, 0);
	}
	return addr;
}

uint64_t mmu_zap_some(struct mmu_gather *g, uint64_t start, uint64_t end, unsigned how, bool *any)
{
	struct mm *mm = g->mm;
	uint64_t addr = start;

	spin_lock(&mm->pt_lock);
	while (addr < end) {
		uint64_t next, *pte;

		if (mmu_gather_full(g))
			break;
		pte = mmu_lookup(mm, addr, &next);
		if (!pte) {
			addr = next;
			continue;
		}
		next = zap_table(g, pte, addr, end, how, any);
		if (how & ZAP_TABLES)
			mmu_free_empty(g, addr);
		addr = next;
	}
	spin_unlock(&mm->pt_lock);
	return MIN(addr, end);
}

void mmu_zap(struct mmu_gather *g, uint64_t start, uint64_t end, unsigned how)
{
	bool any = false;

	while (start < end) {
		start = mmu_zap_some(g, start, end, how, &any);
		if (start < end) {
			mmu_gather_flush(g);
			cond_resched();
		}
	}
}
