// SPDX-License-Identifier: Apache-2.0
/* Hostcalls of the address-space family: checked, copied, and handed to the platform. */
#include "vmm/hostcall.h"

#include <errno.h>

#include "vmm/memory.h"
#include "vmm/vcpu.h"
#include "vmm/vmm_impl.h"

#define MAP_BATCH 32

/* Of the Sentry in guest placement the page tables are its own affair: it never asks. */
static bool is_root(uint64_t cr3)
{
	return !vmm.info.guest && !(cr3 & (PAGE_SIZE - 1)) && cr3 && memory_is_ram(DIRECT_BASE + cr3, PAGE_SIZE);
}

int64_t hc_AS_CREATE(struct vmm_vcpu *v, const uint64_t a[6])
{
	return is_root(a[0]) ? vmm.ops->as_create(a[0]) : -EINVAL;
}

int64_t hc_AS_DESTROY(struct vmm_vcpu *v, const uint64_t a[6])
{
	return is_root(a[0]) ? vmm.ops->as_destroy(v->pv, a[0]) : -EINVAL;
}

int64_t hc_AS_PURGE(struct vmm_vcpu *v, const uint64_t a[6])
{
	return !vmm.info.guest && vmm.ops->as_purge ? vmm.ops->as_purge() : 0;
}

int64_t hc_AS_MAP(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct hc_map maps[MAP_BATCH];
	uint64_t addr = a[1], left = a[2];

	if (!is_root(a[0]))
		return -EINVAL;
	while (left) {
		unsigned n = left < MAP_BATCH ? left : MAP_BATCH;
		int rc = hc_copy_in(maps, addr, n * sizeof(maps[0]));

		if (!rc)
			rc = vmm.ops->as_map(v->pv, a[0], maps, n);
		if (rc)
			return rc;
		addr += n * sizeof(maps[0]);
		left -= n;
	}
	return 0;
}

int64_t hc_AS_FLUSH(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct hc_flush f;

	if (!is_root(a[0]))
		return -EINVAL;
	if (hc_copy_in(&f, a[1], sizeof(f)))
		return -EFAULT;
	if (f.nranges > HC_FLUSH_RANGES || f.nptpages > HC_FLUSH_PTPAGES)
		return -EINVAL;
	for (unsigned i = 0; i < f.nptpages; i++)
		if (!is_root(f.ptpage[i]))
			return -EINVAL;
	return vmm.ops->as_flush(v->pv, a[0], &f);
}
