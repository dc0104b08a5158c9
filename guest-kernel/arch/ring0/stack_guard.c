/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guard pages in the direct map, which consists of 2 MiB pages: the one that holds a guard is split, for good. An old
 * TLB entry of the large page only means that the guard is not felt yet, so nothing is flushed elsewhere.
 */
#include "arch/ring0/ring0.h"

#include "arch/cpu.h"
#include "lib/atomic.h"
#include "lib/log.h"
#include "mm/page.h"
#include "task/lock.h"

#define P_BIT  1UL
#define PS_BIT 0x80UL
#define ADDR   0x000ffffffffff000UL

static spinlock_t split_lock;

static uint64_t *step(uint64_t *table, uint64_t va, int shift)
{
	return &table[va >> shift & 511];
}

/* The page-directory entry that maps va: built by the VMM, in memory that the direct map shows. */
static uint64_t *directory_entry(uint64_t va)
{
	uint64_t *t = direct(pa(ring0_kernel_root));

	for (int shift = 39; shift > 21; shift -= 9) {
		uint64_t e = *step(t, va, shift);
		if (!(e & P_BIT))
			return NULL;
		t = direct(pa(e & ADDR));
	}
	return step(t, va, 21);
}

static int split(uint64_t *pde)
{
	struct page *p = page_alloc(0, PAGE_ALLOC_NOWAIT);
	uint64_t *t;

	if (!p)
		return -ENOMEM;
	t = page_address(p);
	for (unsigned i = 0; i < 512; i++)
		t[i] = (*pde & ~PS_BIT) + i * PAGE_SIZE;
	spin_lock(&split_lock);
	if (*pde & PS_BIT) {
		p->flags |= PG_PT;
		atomic_add(&page_counters.page_tables, 1);
		atomic_store(pde, page_to_pa(p).v | PTE_TABLE_KERNEL);
		p = NULL;
	}
	spin_unlock(&split_lock);
	if (p)
		page_put(p); /* another vCPU was faster */
	return 0;
}

int64_t ring0_stack_guard(uint64_t page, bool on)
{
	uint64_t va = DIRECT_BASE + page, *pde, *pte;

	if (page & (PAGE_SIZE - 1) || page < BOOT_STACK_PA || page >= RAM_PA_END)
		return -EINVAL;
	pde = directory_entry(va);
	if (!pde || !(*pde & P_BIT))
		return -EINVAL;
	if (*pde & PS_BIT) {
		int r = split(pde);
		if (r)
			return r;
	}
	pte = step(direct(pa(*pde & ADDR)), va, 12);
	atomic_store(pte, on ? 0 : page | PTE_KERNEL_RW | PTE_NX_BIT);
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
	return 0;
}
