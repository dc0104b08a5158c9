// SPDX-License-Identifier: Apache-2.0
/* The Sentry's reader of device trees against libfdt: what both accept, both read the same way. */
#define fdt_string libfdt_string /* the one name that both have */
#include <libfdt.h>
#undef fdt_string
#include <stdlib.h>

#include "lib/fdt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct fdt *f, int node, const void *t, int offset)
{
	int prop, sub, mine = fdt_first_child(f, node);

	fdt_for_each_property_offset(prop, t, offset) {
		const char *name;
		uint32_t mine_len;
		int len, first_len;
		const void *value = fdt_getprop_by_offset(t, prop, &name, &len), *first = fdt_getprop(t, offset, name, &first_len);

		/* Names that occur twice: both find the first. libfdt looks for bytes, so a name may be a tail of another. */
		if (!value || first != value)
			continue;
		if (fdt_prop(f, node, name, &mine_len) != value || mine_len != (uint32_t)len)
			abort();
		for (int i = 0; fdt_stringlist(f, node, name, i); i++)
			;
		(void)(fdt_u32(f, node, name, 1) + fdt_u64(f, node, name, 1));
	}
	fdt_for_each_subnode(sub, t, offset) {
		if (mine < 0 || strcmp(fdt_node_name(f, mine), fdt_get_name(t, sub, NULL)))
			abort();
		same(f, mine, t, sub);
		mine = fdt_next_sibling(f, mine);
	}
	if (mine >= 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fdt f;
	void *copy = malloc(size ? size : 1); /* aligned, as trees are */

	memcpy(copy, data, size);
	if (fdt_open(&f, copy, size) == 0) {
		for (int node = -4; node < (int)f.struct_size + 8; node += 2) { /* numbers that are no nodes, too */
			(void)(fdt_first_child(&f, node) + fdt_next_sibling(&f, node) + fdt_child(&f, node, "container"));
			(void)(fdt_string(&f, node, "type") - fdt_node_name(&f, node));
		}
		if (fdt_check_full(copy, size) == 0)
			same(&f, 0, copy, 0);
	}
	free(copy);
	return 0;
}
