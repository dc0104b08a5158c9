/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive red-black tree. The caller walks and links (rb_link then rb_insert_fixup), as in Linux. No locking.
 */
#ifndef LIB_RBTREE_H
#define LIB_RBTREE_H

#include "lib/types.h"

struct rb_node {
	struct rb_node *parent, *left, *right;
	uint32_t red;
};

struct rb_root {
	struct rb_node *node;
};

static inline void rb_link(struct rb_node *n, struct rb_node *parent, struct rb_node **link)
{
	n->parent = parent;
	n->left = n->right = NULL;
	n->red = 1;
	*link = n;
}

void rb_insert_fixup(struct rb_root *root, struct rb_node *n);
void rb_erase(struct rb_root *root, struct rb_node *n);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);

#define rb_entry(node, type, member) container_of(node, type, member)

#endif
