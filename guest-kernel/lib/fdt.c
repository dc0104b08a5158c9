/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader of flattened device trees. fdt_open() walks the whole structure block once and accepts only well-formed
 * trees; the accessors still check every offset, so that a wrong node number is an error and not a stray read.
 */
#include "lib/fdt.h"

#include "lib/string.h"

#define FDT_MAGIC      0xd00dfeedu
#define FDT_BEGIN_NODE 1u
#define FDT_END_NODE   2u
#define FDT_PROP       3u
#define FDT_NOP        4u
#define FDT_END        9u
#define FDT_MAX_DEPTH  16

uint32_t fdt_load32(const void *p)
{
	const uint8_t *b = p;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

uint64_t fdt_load64(const void *p)
{
	return (uint64_t)fdt_load32(p) << 32 | fdt_load32((const uint8_t *)p + 4);
}

static const uint8_t *structs(const struct fdt *f, uint32_t off)
{
	return f->base + f->struct_off + off;
}

/* The property at off: its length and its name's offset. Result: where the next token is, or 0 if this is no sound property.
 * Apart from token_at, since a start looks at a thousand of them. */
static inline uint32_t prop_at(const struct fdt *f, uint32_t off, uint32_t *len, uint32_t *name)
{
	if ((off & 3) || off > f->struct_size || f->struct_size - off < 12 || fdt_load32(structs(f, off)) != FDT_PROP)
		return 0;
	uint32_t room = f->struct_size - off - 12;
	*len = fdt_load32(structs(f, off + 4));
	*name = fdt_load32(structs(f, off + 8));
	if (*len > room || ROUND_UP(*len, 4u) > room || *name >= f->strings_size)
		return 0;
	return off + 12 + ROUND_UP(*len, 4u);
}

/* The token at off; *next is the offset behind it and its data. FDT_END for anything malformed, with *next = 0. */
static uint32_t token_at(const struct fdt *f, uint32_t off, uint32_t *next)
{
	*next = 0;
	if ((off & 3) || off > f->struct_size || f->struct_size - off < 4)
		return FDT_END;
	uint32_t token = fdt_load32(structs(f, off));
	uint32_t room = f->struct_size - off - 4;

	switch (token) {
	case FDT_BEGIN_NODE: {
		size_t len = strnlen((const char *)structs(f, off + 4), room);
		if (len == room)
			return FDT_END;
		uint32_t end = off + 4 + ROUND_UP((uint32_t)len + 1, 4u);
		if (end > f->struct_size)
			return FDT_END;
		*next = end;
		return token;
	}
	case FDT_PROP: {
		uint32_t len, name;
		*next = prop_at(f, off, &len, &name);
		return *next ? token : FDT_END;
	}
	case FDT_END_NODE:
	case FDT_NOP:
	case FDT_END:
		*next = off + 4;
		return token;
	default:
		return FDT_END;
	}
}

static int check_structure(const struct fdt *f)
{
	uint32_t off = 0, next;
	int depth = 0;

	for (;;) {
		uint32_t token = token_at(f, off, &next);
		if (!next)
			return -EINVAL;
		switch (token) {
		case FDT_BEGIN_NODE:
			if (++depth > FDT_MAX_DEPTH || (depth == 1 && off != 0))
				return -EINVAL;
			break;
		case FDT_END_NODE:
			if (--depth < 0)
				return -EINVAL;
			break;
		case FDT_PROP:
			if (depth == 0)
				return -EINVAL;
			break;
		case FDT_END:
			return depth == 0 && off > 0 ? 0 : -EINVAL;
		default:
			break;
		}
		off = next;
	}
}

int fdt_open(struct fdt *f, const void *base, size_t max_size)
{
	const uint8_t *h = base;

	if (max_size < 40 || fdt_load32(h) != FDT_MAGIC)
		return -EINVAL;
	uint32_t size = fdt_load32(h + 4), version = fdt_load32(h + 20), compatible = fdt_load32(h + 24);
	if (size < 40 || size > max_size || version < 17 || compatible > 17)
		return -EINVAL;
	*f = (struct fdt){.base = base, .size = size, .struct_off = fdt_load32(h + 8), .strings_off = fdt_load32(h + 12),
		.strings_size = fdt_load32(h + 32), .struct_size = fdt_load32(h + 36)};
	if (f->struct_off > size || f->struct_size > size - f->struct_off || f->strings_off > size ||
	    f->strings_size > size - f->strings_off || (f->struct_off & 3))
		return -EINVAL;
	if (f->strings_size && h[f->strings_off + f->strings_size - 1] != 0)
		return -EINVAL;
	return check_structure(f);
}

/* Offset of the first token behind node's name, or 0. */
static uint32_t node_body(const struct fdt *f, int node)
{
	uint32_t next;

	if (node < 0 || token_at(f, (uint32_t)node, &next) != FDT_BEGIN_NODE)
		return 0;
	return next;
}

/* Offset behind the FDT_END_NODE of the node whose body starts at off, or 0. */
static uint32_t skip_body(const struct fdt *f, uint32_t off)
{
	int depth = 1;

	while (depth > 0) {
		uint32_t next, token = token_at(f, off, &next);
		if (!next || token == FDT_END)
			return 0;
		depth += token == FDT_BEGIN_NODE ? 1 : token == FDT_END_NODE ? -1 : 0;
		off = next;
	}
	return off;
}

/* The first node at or behind off on this level, or -ENOENT. */
static int next_node_from(const struct fdt *f, uint32_t off)
{
	while (off) {
		uint32_t next, token = token_at(f, off, &next);
		if (token == FDT_BEGIN_NODE)
			return (int)off;
		if (!next || token == FDT_END_NODE || token == FDT_END)
			break;
		off = next;
	}
	return -ENOENT;
}

int fdt_first_child(const struct fdt *f, int parent)
{
	return next_node_from(f, node_body(f, parent));
}

int fdt_next_sibling(const struct fdt *f, int node)
{
	uint32_t body = node_body(f, node);
	return body ? next_node_from(f, skip_body(f, body)) : -ENOENT;
}

const char *fdt_node_name(const struct fdt *f, int node)
{
	return node_body(f, node) ? (const char *)structs(f, (uint32_t)node + 4) : "";
}

int fdt_child(const struct fdt *f, int parent, const char *name)
{
	for (int n = fdt_first_child(f, parent); n >= 0; n = fdt_next_sibling(f, n))
		if (strcmp(fdt_node_name(f, n), name) == 0)
			return n;
	return -ENOENT;
}

const void *fdt_prop(const struct fdt *f, int node, const char *name, uint32_t *len)
{
	uint32_t off = node_body(f, node);

	while (off) {
		uint32_t n, pname, next = prop_at(f, off, &n, &pname);
		if (next) {
			if (strcmp((const char *)f->base + f->strings_off + pname, name) == 0) {
				if (len)
					*len = n;
				return structs(f, off + 12);
			}
		} else if (token_at(f, off, &next) != FDT_NOP) {
			break; /* properties precede subnodes */
		}
		off = next;
	}
	return NULL;
}

uint32_t fdt_u32(const struct fdt *f, int node, const char *name, uint32_t def)
{
	uint32_t len;
	const void *p = fdt_prop(f, node, name, &len);
	return p && len == 4 ? fdt_load32(p) : def;
}

uint64_t fdt_u64(const struct fdt *f, int node, const char *name, uint64_t def)
{
	uint32_t len;
	const void *p = fdt_prop(f, node, name, &len);

	if (p && len == 8)
		return fdt_load64(p);
	return p && len == 4 ? fdt_load32(p) : def;
}

const char *fdt_stringlist(const struct fdt *f, int node, const char *name, int i)
{
	uint32_t len;
	const char *p = fdt_prop(f, node, name, &len);

	if (!p || !len || p[len - 1] != 0)
		return NULL;
	for (const char *end = p + len; p < end; p += strlen(p) + 1)
		if (i-- == 0)
			return p;
	return NULL;
}

const char *fdt_string(const struct fdt *f, int node, const char *name)
{
	return fdt_stringlist(f, node, name, 0);
}
