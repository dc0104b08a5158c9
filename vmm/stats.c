// SPDX-License-Identifier: Apache-2.0
/*
 * How often vCPUs left the guest, and why. Read while they run: each counter has one writer, so that a value is at most a
 * moment old.
 */
#include "vmm/stats.h"

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/vcpu.h"
#include "vmm/vmm_impl.h"

#define TREE_SIZE 0x20000 /* what does not fit is left out: vCPUs of a high number */

static const char *const hostcall_names[HC_MAX] = {
#define HC_NAME(nr, name, family, args, doc) [nr] = #name,
	HOSTCALLS(HC_NAME)
#undef HC_NAME
};

static int put_count(void *fdt, const char *name, uint64_t n)
{
	return n && name ? fdt_property_u64(fdt, name, n) : 0;
}

static int put_vcpu(void *fdt, const struct vmm_vcpu *vv)
{
	uint64_t exits[PLATFORM_EXITS] = { 0 };
	char name[24];
	int rc;

	snprintf(name, sizeof(name), "vcpu@%u", vv->id);
	rc = fdt_begin_node(fdt, name);
	if (!rc)
		rc = fdt_begin_node(fdt, "exits");
	if (vmm.ops->exits)
		vmm.ops->exits(vv->pv, exits);
	for (unsigned i = 0; !rc && i < PLATFORM_EXITS && vmm.ops->exit_name; i++)
		rc = put_count(fdt, vmm.ops->exit_name(i), exits[i]);
	if (!rc)
		rc = fdt_end_node(fdt);
	if (!rc)
		rc = fdt_begin_node(fdt, "hostcalls");
	for (unsigned i = 0; !rc && i < HC_MAX; i++)
		rc = put_count(fdt, hostcall_names[i], __atomic_load_n(&vv->hostcalls[i], __ATOMIC_RELAXED));
	if (!rc)
		rc = fdt_end_node(fdt);
	return rc ? rc : fdt_end_node(fdt);
}

/* A tree with at most so many vCPUs; NULL if they do not fit. */
static void *build(unsigned nr)
{
	void *fdt = malloc(TREE_SIZE);
	int rc = fdt ? fdt_create(fdt, TREE_SIZE) : -1;

	if (!rc)
		rc = fdt_finish_reservemap(fdt);
	if (!rc)
		rc = fdt_begin_node(fdt, "");
	if (!rc)
		rc = fdt_property_u32(fdt, "error", 0);
	if (!rc)
		rc = fdt_property_string(fdt, "platform", vmm.ops->name);
	if (!rc)
		rc = fdt_property_string(fdt, "placement", vmm.info.guest ? "guest" : "host");
	if (!rc)
		rc = fdt_property_string(fdt, "why", vmm.info.placement_why);
	if (!rc)
		rc = fdt_property_u32(fdt, "tsc", vmm.info.tsc_ok);
	for (unsigned i = 0; !rc && i < nr; i++) {
		const struct vmm_vcpu *vv = vcpu_get(i);
		if (vv)
			rc = put_vcpu(fdt, vv);
	}
	if (!rc)
		rc = fdt_end_node(fdt);
	if (!rc)
		rc = fdt_finish(fdt);
	if (!rc)
		return fdt;
	free(fdt);
	return NULL;
}

void *stats_tree(void)
{
	void *fdt = NULL;

	for (unsigned nr = vmm.cfg.nr_cpus; !fdt && nr; nr /= 2)
		fdt = build(nr);
	return fdt;
}
