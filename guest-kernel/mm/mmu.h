/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86-64 page tables, the authoritative mapping for every platform (SDM vol. 3, 4.5). Used by mm/ only.
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
#define PTE_SW_COW 0x200UL /* software: copy on write */
#define PTE_SW_RAM 0x400UL /* software: holds a reference on a struct page */
#define PTE_NX  (1UL << 63)
#define PTE_ADDR 0x000ffffffffff000UL

/* Collects what must be flushed and freed after edits of present entries. Initialise, edit under pt_lock, then
 * mmu_finish() without spinlocks: it makes the hostcalls (AS_FLUSH or the in-guest shootdown), then drops the
 * references. Overflow is handled inside (flush everything; a list of pages chained). */
struct mmu_gather;

#endif
