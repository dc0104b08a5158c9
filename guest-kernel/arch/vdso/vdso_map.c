// SPDX-License-Identifier: Apache-2.0
/* Maps the vDSO into address spaces: one frame for all of them, below it the host's clock page. Neither is ever freed. */
#include "arch/vdso.h"

#include "lib/log.h"
#include "lib/string.h"
#include "mm/page.h"

extern const uint8_t vdso_image_start[], vdso_image_end[];

static struct {
	spinlock_t lock;
	struct page *code; /* set once under lock */
} vdso;

static struct page *code_page(void)
{
	struct page *p = atomic_load(&vdso.code), *new;
	size_t size = (size_t)(vdso_image_end - vdso_image_start);

	if (p)
		return p;
	new = page_alloc(0, PAGE_ALLOC_ZERO);
	if (!new)
		return NULL;
	memcpy(page_address(new), vdso_image_start, MIN(size, (size_t)PAGE_SIZE));
	spin_lock(&vdso.lock);
	if (!vdso.code) {
		/* The clock page belongs to the boot area: a reference of our own keeps it out of the allocator. */
		page_get(pa_to_page(pa(BOOT_SHARED_PA)));
		atomic_store(&vdso.code, new);
		new = NULL;
	}
	p = vdso.code;
	spin_unlock(&vdso.lock);
	if (new)
		page_put(new);
	return p;
}

int64_t vdso_map(struct mm *mm)
{
	struct page *code = code_page(), *vvar = pa_to_page(pa(BOOT_SHARED_PA));
	int64_t base, r;

	if (!code || !vvar)
		return -ENOMEM;
	/* Room for both, then each in its place. */
	base = mm_mmap(mm, 0, 2 * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, NULL, 0);
	if (base < 0)
		return base;
	r = mm_munmap(mm, (uint64_t)base, 2 * PAGE_SIZE);
	if (r)
		return r;
	r = mm_map_special(mm, (uint64_t)base, &vvar, 1, PROT_READ, "[vvar]");
	if (r < 0)
		return r;
	r = mm_map_special(mm, (uint64_t)base + PAGE_SIZE, &code, 1, PROT_READ | PROT_EXEC, "[vdso]");
	if (r < 0)
		return r;
	mm->vdso_base = (uint64_t)base + PAGE_SIZE;
	/* Nearly every program looks into them: here it costs no trap. */
	if (mm_fault_in(mm, (uint64_t)base, false) || mm_fault_in(mm, mm->vdso_base, false))
		pr_debug("vdso: not mapped yet");
	return base + (int64_t)PAGE_SIZE;
}
