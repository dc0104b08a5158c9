/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the page tables of an application (SDM vol. 3, 4.5) in guest RAM, through the direct map. Entries may change
 * underneath: each is read once. A page-table page is not reused before the flush that follows its unlinking has returned,
 * and that takes the lock which the caller holds.
 */
#include "ptrace/ptrace_impl.h"

static const uint64_t *table_at(uint64_t entry)
{
	uint64_t pa = entry & PT_ADDR;

	if (pa + PAGE_SIZE > __atomic_load_n(&pt.ram_end, __ATOMIC_ACQUIRE))
		return NULL;
	return (const uint64_t *)(DIRECT_BASE + pa);
}

uint64_t pt_page_walk(uint64_t cr3, uint64_t addr, uint64_t *skip)
{
	uint64_t allowed = PT_P | PT_W | PT_U, nx = 0, entry = cr3;

	for (int shift = 39; shift >= 12; shift -= 9) {
		const uint64_t *table = table_at(entry);

		*skip = ((addr >> shift) + 1) << shift;
		if (!table)
			return 0;
		entry = __atomic_load_n(&table[addr >> shift & 511], __ATOMIC_ACQUIRE);
		if ((entry & (PT_P | PT_U)) != (PT_P | PT_U))
			return 0;
		allowed &= entry;
		nx |= entry & PT_NX;
		if (shift == 12 || (shift == 21 && entry & PT_PS)) {
			uint64_t inside = addr & ((1UL << shift) - PAGE_SIZE) & ((1UL << shift) - 1);

			*skip = (addr & ~(PAGE_SIZE - 1)) + PAGE_SIZE;
			return ((entry & PT_ADDR & ~((1UL << shift) - 1)) + inside) | allowed | nx;
		}
	}
	return 0;
}

const uint8_t *pt_page_peek(uint64_t cr3, uint64_t addr, unsigned *len)
{
	uint64_t skip, pte = addr < USER_END ? pt_page_walk(cr3, addr, &skip) : 0, pa = pte & PT_ADDR;

	if (!pte || pa + PAGE_SIZE > __atomic_load_n(&pt.ram_end, __ATOMIC_ACQUIRE))
		return NULL;
	*len = (unsigned)(PAGE_SIZE - (addr & (PAGE_SIZE - 1)));
	return (const uint8_t *)(DIRECT_BASE + pa + (addr & (PAGE_SIZE - 1)));
}
