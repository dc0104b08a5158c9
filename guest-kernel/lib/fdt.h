/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader of flattened device trees (devicetree specification v0.4, chapter 5). Reads untrusted bytes: every offset
 * is checked. Nodes are named by the offset of their FDT_BEGIN_NODE token.
 */
#ifndef LIB_FDT_H
#define LIB_FDT_H

#include "lib/types.h"

struct fdt {
	const uint8_t *base;
	uint32_t size, struct_off, struct_size, strings_off, strings_size;
};

/* Checks the header and the structure block. 0 or -EINVAL. base must stay valid and unchanged. */
int fdt_open(struct fdt *f, const void *base, size_t max_size) MUST_CHECK;
/* Root is node 0. Both return a node or -ENOENT. */
int fdt_child(const struct fdt *f, int parent, const char *name);
int fdt_first_child(const struct fdt *f, int parent);
int fdt_next_sibling(const struct fdt *f, int node);
const char *fdt_node_name(const struct fdt *f, int node);
/* The property's bytes and length, or NULL. */
const void *fdt_prop(const struct fdt *f, int node, const char *name, uint32_t *len);
/* Typed access with a default for absent or ill-sized properties; fdt_string returns NULL then. */
uint32_t fdt_u32(const struct fdt *f, int node, const char *name, uint32_t def);
uint64_t fdt_u64(const struct fdt *f, int node, const char *name, uint64_t def);
const char *fdt_string(const struct fdt *f, int node, const char *name);
/* i-th string of a string list, or NULL past the end. */
const char *fdt_stringlist(const struct fdt *f, int node, const char *name, int i);
uint32_t fdt_load32(const void *p);
uint64_t fdt_load64(const void *p);

#endif
