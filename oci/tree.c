/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/tree.h"

#include <errno.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "oci/util.h"

#define TREE_MAX (64 << 20)

static bool grow(struct tree *t)
{
	if (t->size >= TREE_MAX)
		return false;
	t->buf = xrealloc(t->buf, t->size * 2);
	t->size *= 2;
	return fdt_resize(t->buf, t->buf, t->size) == 0;
}

/* Repeats an operation in a larger buffer while the present one is too small. */
#define TREE_OP(t, op)                                     \
	do {                                                   \
		int r_;                                            \
                                                           \
		if ((t)->err)                                      \
			break;                                         \
		while ((r_ = (op)) == -FDT_ERR_NOSPACE && grow(t)) \
			;                                              \
		(t)->err = r_;                                     \
	} while (0)

void tree_begin(struct tree *t)
{
	t->size = 16384;
	t->buf = xcalloc(1, t->size);
	t->err = fdt_create(t->buf, t->size);
	TREE_OP(t, fdt_finish_reservemap(t->buf));
	tree_node(t, "");
}

int tree_end(struct tree *t)
{
	tree_node_end(t);
	TREE_OP(t, fdt_finish(t->buf));
	if (t->err)
		return t->err == -FDT_ERR_NOSPACE ? -E2BIG : -EINVAL;
	return fdt_totalsize(t->buf);
}

void tree_node(struct tree *t, const char *name)
{
	TREE_OP(t, fdt_begin_node(t->buf, name));
}

void tree_node_end(struct tree *t)
{
	TREE_OP(t, fdt_end_node(t->buf));
}

void tree_prop(struct tree *t, const char *name, const void *value, int len)
{
	TREE_OP(t, fdt_property(t->buf, name, value, len));
}

void tree_flag(struct tree *t, const char *name)
{
	tree_prop(t, name, "", 0);
}

void tree_u32(struct tree *t, const char *name, uint32_t v)
{
	fdt32_t be = cpu_to_fdt32(v);

	tree_prop(t, name, &be, sizeof(be));
}

void tree_u64(struct tree *t, const char *name, uint64_t v)
{
	fdt64_t be = cpu_to_fdt64(v);

	tree_prop(t, name, &be, sizeof(be));
}

void tree_string(struct tree *t, const char *name, const char *s)
{
	tree_prop(t, name, s, strlen(s) + 1);
}

void tree_strings(struct tree *t, const char *name, char *const *strings)
{
	size_t len = 0;
	char *all, *p;

	for (unsigned i = 0; strings[i]; i++)
		len += strlen(strings[i]) + 1;
	if (len > TREE_MAX) {
		t->err = -FDT_ERR_NOSPACE;
		return;
	}
	all = p = xcalloc(1, len);
	for (unsigned i = 0; strings[i]; i++)
		p = stpcpy(p, strings[i]) + 1;
	tree_prop(t, name, all, len);
	free(all);
}
