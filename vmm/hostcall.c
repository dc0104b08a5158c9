// SPDX-License-Identifier: Apache-2.0
/* Dispatch of hostcalls, and the checks of addresses that all handlers share. */
#include "vmm/hostcall.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "vmm/memory.h"
#include "vmm/vcpu.h"
#include "vmm/vmm_impl.h"

static const hostcall_handler handlers[HC_MAX] = {
#define HC_ENTRY(nr, name, family, args, doc) [nr] = hc_##name,
	HOSTCALLS(HC_ENTRY)
#undef HC_ENTRY
};

void *hc_ram_range(uint64_t addr, uint64_t len)
{
	return memory_is_ram(addr, len) ? (void *)addr : NULL;
}

void *hc_io_range(uint64_t addr, uint64_t len)
{
	return memory_is_io(addr, len) ? (void *)addr : NULL;
}

int hc_copy_in(void *dst, uint64_t addr, size_t len)
{
	const void *src = hc_ram_range(addr, len);

	if (!src)
		return -EFAULT;
	memcpy(dst, src, len);
	return 0;
}

int hc_copy_out(uint64_t addr, const void *src, size_t len)
{
	void *dst = hc_ram_range(addr, len);

	if (!dst)
		return -EFAULT;
	memcpy(dst, src, len);
	return 0;
}

int64_t hostcall_dispatch(struct vmm_vcpu *v, uint64_t nr, const uint64_t a[6])
{
	if (nr >= HC_MAX || !handlers[nr])
		return -ENOSYS;
	return handlers[nr](v, a);
}
