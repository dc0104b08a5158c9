/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking and filling page tables, and AS_MAP hints about new entries.
 */
#include "mm/mmu.h"

#include "mm/mm_impl.h"

/* Set from the boot tree before the first address space is made (boot/). */
extern uint64_t boot_kernel_pml4[16];

pa_t mmu_zero_page;

/* Set when the host says that nobody mirrors the tables: then AS_MAP is not worth a call. */
static bool no_mirrors;

/*
 * Tables of dead address spaces that the host has not forgotten yet. They must not become tables again before AS_PURGE,
 * which is dear: so they wait here until there are many.
 */
#define REMEMBERED_MAX 256
static struct {
	spinlock_t lock;
	struct page *first; /* linked by next; lock */
	uint32_t n;         /* lock; read racily */
} remembered_tables;

uint32_t mmu_idle_tables(void) { return READ_ONCE(remembered_tables.n); }

static void free_table(struct page *p, bool remembered)
{
	if (!remembered) {
		page_put(p);
		return;
	}
	spin_lock(&remembered_tables.lock);
	p->next = (uint64_t)remembered_tables.first;
	remembered_tables.first = p;
	remembered_tables.n++;
	spin_unlock(&remembered_tables.lock);
}

void mmu_purge(void)
{
	struct page *p;

	if (READ_ONCE(remembered_tables.n) < REMEMBERED_MAX)
		return;
	spin_lock(&remembered_tables.lock);
	p = remembered_tables.first;
	remembered_tables.first = NULL;
	remembered_tables.n = 0;
	spin_unlock(&remembered_tables.lock);
	if (p && hostcall1(HC_AS_PURGE, 0) < 0)
		panic("mmu: the host cannot forget page tables");
	while (p) {
		struct page *next = (struct page *)p->next;

		page_put(p);
		p = next;
	}
}

static uint64_t *table_of(uint64_t entry)
{
	return direct(pte_pa(entry));
}

static struct page *page_of_entry(const uint64_t *e)
{
	return pa_to_page(pa(direct_to_pa(e).v & PTE_ADDR));
}

pa_t mmu_create(void)
{
	struct page *p = page_alloc(0, PAGE_ALLOC_ZERO);
	uint64_t *pml4;

	if (!p)
		return pa(0);
	p->flags |= PG_PT;
	atomic_add(&page_counters.page_tables, 1);
	pml4 = page_address(p);
	for (int i = WINDOW_PML4_FIRST; i <= WINDOW_PML4_LAST; i++)
		pml4[i] = boot_kernel_pml4[i - WINDOW_PML4_FIRST];
	return page_to_pa(p);
}

static unsigned index_of(uint64_t addr, int level)
{
	return addr >> (PAGE_SHIFT + 9 * level) & 511;
}

uint64_t *mmu_lookup(struct mm *mm, uint64_t addr, uint64_t *next)
{
	uint64_t *t = direct(mm->pml4);

	if (in_window(addr)) {
		if (next)
			*next = WINDOW_END;
		return NULL;
	}
	for (int level = 3; level > 0; level--) {
		uint64_t e = t[index_of(addr, level)];

		if (!e) {
			if (next) {
				uint64_t span = PAGE_SIZE << 9 * level;
				*next = (addr & ~(span - 1)) + span;
			}
			return NULL;
		}
		t = table_of(e);
	}
	return &t[index_of(addr, 0)];
}

uint64_t *mmu_alloc(struct mm *mm, uint64_t addr)
{
	uint64_t *t = direct(mm->pml4);

	BUG_ON(in_window(addr) || addr >= USER_MAX);
	for (int level = 3; level > 0; level--) {
		uint64_t *e = &t[index_of(addr, level)];

		if (!*e) {
			struct page *p = page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_NOWAIT);

			if (!p)
				return NULL;
			p->flags |= PG_PT;
			p->private = 0;
			atomic_add(&page_counters.page_tables, 1);
			page_of_entry(e)->owner++;
			atomic_store(e, page_to_pa(p).v | PTE_TABLE);
		}
		t = table_of(*e);
	}
	return &t[index_of(addr, 0)];
}

static int64_t *rss_of(struct mm *mm, uint64_t e)
{
	static int64_t nowhere;

	if (e & PTE_SW_ANON)
		return &mm->rss_anon;
	if (e & PTE_SW_RAM)
		return &mm->rss_shmem;
	return pte_pa(e).v == mmu_zero_page.v ? &nowhere : &mm->rss_file;
}

static void count_entry(struct mm *mm, struct page *table)
{
	table->owner++;
	if (table->private) { /* it was kept while it was empty (mmu_free_empty) */
		table->private = 0;
		mm->kept_tables--;
	}
}

void mmu_set(struct mm *mm, uint64_t *pte, uint64_t val)
{
	uint64_t old = *pte;

	if (old && !val)
		page_of_entry(pte)->owner--;
	else if (!old && val)
		count_entry(mm, page_of_entry(pte));
	if (old)
		--*rss_of(mm, old);
	if (val) {
		int64_t rss;

		++*rss_of(mm, val);
		rss = mm->rss_anon + mm->rss_file + mm->rss_shmem;
		if (rss > mm->peak_rss)
			mm->peak_rss = rss;
	}
	atomic_store(pte, val);
}

uint64_t mmu_prot_bits(uint32_t prot)
{
	uint64_t bits = PTE_U | PTE_A | PTE_D;

	if (prot & (PROT_READ | PROT_WRITE | PROT_EXEC))
		bits |= PTE_P;
	if (!(prot & PROT_EXEC))
		bits |= PTE_NX;
	return bits;
}

/* Frees a table of the given level (0: leaves) with all below it. */
static void clear_table(struct mm *mm, pa_t table, int level, bool remembered)
{
	struct page *page = pa_to_page(table);
	uint64_t *t = direct(table);

	for (unsigned i = 0; i < 512 && page->owner; i++) {
		uint64_t e = t[i];

		if (!e)
			continue;
		page->owner--;
		if (level)
			clear_table(mm, pte_pa(e), level - 1, remembered);
		else if (e & PTE_SW_RAM)
			page_put(pa_to_page(pte_pa(e)));
		t[i] = 0;
	}
	free_table(page, remembered);
}

void mmu_clear(struct mm *mm, bool remembered)
{
	uint64_t *t = direct(mm->pml4);

	for (unsigned i = 0; i < 256; i++) {
		uint64_t e;

		if (i >= WINDOW_PML4_FIRST && i <= WINDOW_PML4_LAST)
			continue;
		/* mapping_unmap may still look: entries vanish under pt_lock, whole subtrees at a time. */
		spin_lock(&mm->pt_lock);
		e = t[i];
		t[i] = 0;
		spin_unlock(&mm->pt_lock);
		if (e)
			clear_table(mm, pte_pa(e), 2, remembered);
	}
	mm->rss_anon = mm->rss_file = mm->rss_shmem = 0;
}

void mmu_free_root(struct mm *mm, bool remembered)
{
	free_table(pa_to_page(mm->pml4), remembered);
}

/* ---- AS_MAP ---- */
void mmu_runs_add(struct mm *mm, struct mmu_runs *r, uint64_t addr, uint64_t pte)
{
	struct hc_map *last = r->n ? &r->map[r->n - 1] : NULL;
	uint32_t prot = HC_PROT_READ;

	if (no_mirrors || !(pte & PTE_P))
		return;
	if (pte & PTE_W)
		prot |= HC_PROT_WRITE;
	if (!(pte & PTE_NX))
		prot |= HC_PROT_EXEC;
	if (!r->n)
		r->gen = mm->pt_gen;
	if (last && last->prot == prot && last->uva + last->npages * PAGE_SIZE == addr &&
	    last->pa + last->npages * PAGE_SIZE == pte_pa(pte).v) {
		last->npages++;
		return;
	}
	if (r->n == MMU_RUNS)
		return;
	r->map[r->n++] = (struct hc_map){.uva = addr, .pa = pte_pa(pte).v, .npages = 1, .prot = prot};
}

/*
 * A hint must not arrive after the flush of what it speaks of: a mirror would keep a frame that is free. Whoever edits
 * present entries first counts pt_gen up and then flushes under as_lock for writing, so a hint of an unchanged
 * generation, sent under as_lock, is followed by that flush; a changed one is dropped and the next fault hints again.
 */
void mmu_runs_send(struct mm *mm, struct mmu_runs *r)
{
	if (!r->n)
		return;
	rwsem_read_lock(&mm->as_lock);
	if (atomic_load(&mm->pt_gen) == r->gen && !mm->dead &&
	    hostcall3(HC_AS_MAP, mm->pml4.v, r->map, r->n) == -EOPNOTSUPP)
		no_mirrors = true;
	rwsem_read_unlock(&mm->as_lock);
	r->n = 0;
}
