/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86-64 page tables, the authoritative mapping for every platform (SDM vol. 3, 4.5). Used by mm/ only.
 *
 * A leaf entry is one of
 *   0             nothing here
 *   P clear       populated but inaccessible (PROT_NONE): keeps its frame, whose address is stored inverted
 *   P set         accessible
 * Inverted, since a CPU with the L1 terminal fault reads ahead through an absent entry as if it named memory of the host: so it
 * names some far above any there is, not what the application has chosen with the frame.
 * Accessed and dirty are set from the start, so that no CPU and no shadow MMU ever writes to a table and plain stores
 * under pt_lock are enough. The page of each table counts its populated entries in page->owner; page->private says that it
 * is a leaf table kept although it is empty (mm->kept_tables counts those).
 */
#ifndef MM_MMU_H
#define MM_MMU_H

#include "mm/mm.h"

#define PTE_P   1UL
#define PTE_W   2UL
#define PTE_U   4UL
#define PTE_A   32UL
#define PTE_D   64UL
#define PTE_PS  128UL
#define PTE_SW_COW  0x200UL /* software: the frame may be shared, a write must copy or prove that it is not */
#define PTE_SW_RAM  0x400UL /* software: holds a reference on a struct page */
#define PTE_SW_ANON 0x800UL /* software: private anonymous memory; without COW it is this address space's alone */
#define PTE_NX  (1UL << 63)
#define PTE_ADDR 0x000ffffffffff000UL

#define PTE_TABLE (PTE_P | PTE_W | PTE_U | PTE_A)
#define PT_SPAN 0x200000UL /* bytes that one last-level table maps */

/* The frame of a leaf entry, or the table of one above; not of 0. */
static inline pa_t pte_pa(uint64_t e) { return pa((e ^ ((e & PTE_P) - 1)) & PTE_ADDR); }
/* A leaf entry. */
static inline uint64_t pte_make(pa_t frame, uint64_t bits)
{
	return ((frame.v ^ ((bits & PTE_P) - 1)) & PTE_ADDR) | bits;
}
static inline bool in_window(uint64_t addr) { return addr >= WINDOW_BASE && addr < WINDOW_END; }

/* ---- tables; pt_lock held ---- */
/* A new PML4 with the window's entries, or pa 0. No lock. */
pa_t mmu_create(void);
/* Frees all tables and what the leaves hold; then the PML4 with mmu_free_root. Nobody runs the address space. remembered:
 * the host may still know the tables (AS_DESTROY said so). */
void mmu_clear(struct mm *mm, bool remembered);
void mmu_free_root(struct mm *mm, bool remembered);
/* Without locks, after them: frees remembered tables for any use when enough have come together. */
void mmu_purge(void);
/* Pages of tables that wait for it. */
uint32_t mmu_idle_tables(void);
/* The leaf entry of addr, or NULL and, if next is not NULL, the lowest address above addr that may have one. */
uint64_t *mmu_lookup(struct mm *mm, uint64_t addr, uint64_t *next);
/* The same, making tables on the way; NULL when memory is out. */
uint64_t *mmu_alloc(struct mm *mm, uint64_t addr);
/* Stores an entry and keeps the use count and mm's rss right. */
void mmu_set(struct mm *mm, uint64_t *pte, uint64_t val);
static inline uint64_t mmu_get(struct mm *mm, uint64_t addr)
{
	uint64_t *pte = mmu_lookup(mm, addr, NULL);
	return pte ? *pte : 0;
}
/* Permission bits of a leaf for a protection; no W: callers add it. */
uint64_t mmu_prot_bits(uint32_t prot);
extern pa_t mmu_zero_page; /* mapped for reads of untouched memory; entries hold no reference */

/* ---- telling mirrors of new entries (AS_MAP) ---- */
#define MMU_RUNS 16
struct mmu_runs {
	uint64_t gen; /* mm->pt_gen when the entries were stored */
	uint32_t n;
	struct hc_map map[MMU_RUNS];
};
static inline void mmu_runs_init(struct mmu_runs *r) { r->n = 0; }
/* Under pt_lock, after the entry was stored. Runs that do not fit are left to later faults. */
void mmu_runs_add(struct mm *mm, struct mmu_runs *r, uint64_t addr, uint64_t pte);
/* Without spinlocks. */
void mmu_runs_send(struct mm *mm, struct mmu_runs *r);

/* ---- taking entries away ---- */
/* Collects what must be flushed and freed after edits of present entries: begin, edit under pt_lock, then end without
 * spinlocks: it makes the hostcall (AS_FLUSH), then drops the references. When mmu_gather_full, leave the spinlocks,
 * mmu_gather_flush and go on. */
struct mmu_gather;
void mmu_gather_init(void);
struct mmu_gather *mmu_gather_begin(struct mm *mm); /* never fails; may sleep */
void mmu_gather_edit(struct mmu_gather *g, uint64_t *pte, uint64_t addr); /* a present entry changes */
void mmu_gather_page(struct mmu_gather *g, struct page *p);               /* drop this reference afterwards */
bool mmu_gather_full(struct mmu_gather *g);
void mmu_gather_flush(struct mmu_gather *g);
void mmu_gather_end(struct mmu_gather *g);

#define ZAP_TABLES    1u /* free tables that become empty */
#define ZAP_KEEP_ANON 2u /* leave private copies alone */
/* Clears entries from start until end or until the gather is full; returns where it stopped. Takes pt_lock. *any is set
 * if an entry was cleared. */
uint64_t mmu_zap_some(struct mmu_gather *g, uint64_t start, uint64_t end, unsigned how, bool *any);
/* All of it, flushing as needed. No spinlocks. */
void mmu_zap(struct mmu_gather *g, uint64_t start, uint64_t end, unsigned how);
/* Frees the table that maps addr if it is empty, and upwards. pt_lock. */
void mmu_free_empty(struct mmu_gather *g, uint64_t addr);

#endif
