// SPDX-License-Identifier: Apache-2.0
/*
 * Guest placement: memory slots of the image, and the page tables of the window with which every vCPU starts (contract:
 * abi/guest.h). They lie in the trampoline region, which the direct map shows to the Sentry: from the first KVM_RUN on they
 * are its own, and nothing here reads them again. Later RAM is only added (vm.c).
 */
#include "platform/kvm/kvm_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

static uint64_t page_up(uint64_t v) { return (v + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1); }

/* Text and rodata come from the runsc file, shared by all sandboxes: the guest cannot write there, whatever its tables say.
 * The host has no use for executing any of it. */
static int add_image_slots(const struct sentry_header *h)
{
	uint64_t ro = page_up(h->rodata_end) - IMAGE_BASE, all = page_up(h->image_end) - IMAGE_BASE;
	int rc;

	if (mprotect((void *)IMAGE_BASE, ro, PROT_READ))
		return -errno;
	rc = kvm_vm_add_slot(IMAGE_PA, ro, (void *)IMAGE_BASE, KVM_MEM_READONLY);
	return rc ? rc : kvm_vm_add_slot(IMAGE_PA + ro, all - ro, (void *)(IMAGE_BASE + ro), 0);
}

static void map_image(const struct sentry_header *h)
{
	uint64_t *pdpt = tramp_page(TRAMP_PG_IMAGE_PDPT), *pd = tramp_page(TRAMP_PG_IMAGE_PD);
	uint64_t *pt = tramp_page(TRAMP_PG_IMAGE_PT);

	pdpt[IMAGE_BASE >> 30 & 511] = tramp_pa(TRAMP_PG_IMAGE_PD) | PTE_TABLE;
	for (unsigned i = 0; i < IMAGE_MAX_SIZE >> 21; i++)
		pd[(IMAGE_BASE >> 21 & 511) + i] = tramp_pa(TRAMP_PG_IMAGE_PT + i) | PTE_TABLE;
	for (uint64_t va = IMAGE_BASE; va < h->image_end; va += PAGE_SIZE) {
		uint64_t bits = va < h->text_end ? PTE_P | PTE_A | PTE_G :
				va < h->rodata_end ? PTE_P | PTE_A | PTE_G | PTE_NX :
				PTE_P | PTE_W | PTE_A | PTE_D | PTE_G | PTE_NX;

		pt[(va - IMAGE_BASE) >> 12] = (IMAGE_PA + (va - IMAGE_BASE)) | bits;
	}
}

/* The direct map of the tables themselves: two large pages. */
static void map_tables(void)
{
	uint64_t *pdpt = tramp_page(TRAMP_PG_DIRECT), *pd = tramp_page(TRAMP_PG_GUEST_PD);

	for (uint64_t pa = TRAMP_PA; pa < TRAMP_PA_END; pa += 0x200000)
		pd[pa >> 21 & 511] = pa | PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS | PTE_G | PTE_NX;
	pdpt[TRAMP_PA >> 30] = tramp_pa(TRAMP_PG_GUEST_PD) | PTE_TABLE;
}

uint64_t kvm_guest_stack_entry(uint64_t pa)
{
	unsigned page = TRAMP_PG_STACK_PT + ((pa - BOOT_STACK_PA) >> 21);
	uint64_t *pt = tramp_page(page);

	for (unsigned i = 0; i < 512; i++, pa += PAGE_SIZE)
		if (pa & (KSTACK_SIZE - 1)) /* the lowest page of a stack is its guard */
			pt[i] = pa | PTE_P | PTE_W | PTE_A | PTE_D | PTE_G | PTE_NX;
	return tramp_pa(page) | PTE_TABLE;
}

int kvm_guest_build_tables(void)
{
	uint64_t *pml4 = tramp_page(TRAMP_PG_GUEST_PML4);

	map_image(kvm.image);
	map_tables();
	pml4[IMAGE_BASE >> 39] = tramp_pa(TRAMP_PG_IMAGE_PDPT) | PTE_TABLE;
	pml4[DIRECT_BASE >> 39] = tramp_pa(TRAMP_PG_DIRECT) | PTE_TABLE;
	return add_image_slots(kvm.image);
}
