/* SPDX-License-Identifier: Apache-2.0 */
/* Writing flattened device trees front to back with one error to look at in the end (a growing buffer over libfdt). */
#ifndef OCI_TREE_H
#define OCI_TREE_H

#include <stdint.h>

struct tree {
	void *buf;
	int size;
	int err; /* 0, or the first FDT_ERR_* */
};

void tree_begin(struct tree *t);
/* The length of the finished tree in t->buf, or -errno. */
int tree_end(struct tree *t);
void tree_node(struct tree *t, const char *name);
void tree_node_end(struct tree *t);
void tree_prop(struct tree *t, const char *name, const void *value, int len);
void tree_flag(struct tree *t, const char *name);
void tree_u32(struct tree *t, const char *name, uint32_t v);
void tree_u64(struct tree *t, const char *name, uint64_t v);
void tree_string(struct tree *t, const char *name, const char *s);
/* A NULL-terminated array. */
void tree_strings(struct tree *t, const char *name, char *const *strings);

#endif
