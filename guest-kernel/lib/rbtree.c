/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Red-black tree after Cormen et al., chapter 13, with NULL leaves counted as black. Links into host unit tests.
 */
#include "lib/rbtree.h"

static bool is_red(const struct rb_node *n)
{
	return n && n->red;
}

/* Puts n where old hung below parent (or at the root). */
static void replace_child(struct rb_root *root, struct rb_node *parent, struct rb_node *old, struct rb_node *n)
{
	if (!parent)
		root->node = n;
	else if (parent->left == old)
		parent->left = n;
	else
		parent->right = n;
}

static void rotate_left(struct rb_root *root, struct rb_node *x)
{
	struct rb_node *y = x->right;

	x->right = y->left;
	if (y->left)
		y->left->parent = x;
	y->parent = x->parent;
	replace_child(root, x->parent, x, y);
	y->left = x;
	x->parent = y;
}

static void rotate_right(struct rb_root *root, struct rb_node *x)
{
	struct rb_node *y = x->left;

	x->left = y->right;
	if (y->right)
		y->right->parent = x;
	y->parent = x->parent;
	replace_child(root, x->parent, x, y);
	y->right = x;
	x->parent = y;
}

void rb_insert_fixup(struct rb_root *root, struct rb_node *n)
{
	while (is_red(n->parent)) {
		struct rb_node *parent = n->parent, *grand = parent->parent;
		bool left = parent == grand->left;
		struct rb_node *uncle = left ? grand->right : grand->left;

		if (is_red(uncle)) {
			parent->red = uncle->red = 0;
			grand->red = 1;
			n = grand;
			continue;
		}
		if (left) {
			if (n == parent->right) {
				rotate_left(root, parent);
				parent = n;
			}
			parent->red = 0;
			grand->red = 1;
			rotate_right(root, grand);
		} else {
			if (n == parent->left) {
				rotate_right(root, parent);
				parent = n;
			}
			parent->red = 0;
			grand->red = 1;
			rotate_left(root, grand);
		}
		break;
	}
	root->node->red = 0;
}

/* x (possibly NULL) below parent carries one black too few. */
static void erase_fixup(struct rb_root *root, struct rb_node *x, struct rb_node *parent)
{
	while (x != root->node && !is_red(x)) {
		bool left = x == parent->left;
		struct rb_node *w = left ? parent->right : parent->left;

		if (is_red(w)) {
			w->red = 0;
			parent->red = 1;
			if (left)
				rotate_left(root, parent);
			else
				rotate_right(root, parent);
			w = left ? parent->right : parent->left;
		}
		if (!is_red(w->left) && !is_red(w->right)) {
			w->red = 1;
			x = parent;
			parent = x->parent;
			continue;
		}
		if (left) {
			if (!is_red(w->right)) {
				w->left->red = 0;
				w->red = 1;
				rotate_right(root, w);
				w = parent->right;
			}
			w->red = parent->red;
			parent->red = 0;
			w->right->red = 0;
			rotate_left(root, parent);
		} else {
			if (!is_red(w->left)) {
				w->right->red = 0;
				w->red = 1;
				rotate_left(root, w);
				w = parent->left;
			}
			w->red = parent->red;
			parent->red = 0;
			w->left->red = 0;
			rotate_right(root, parent);
		}
		x = root->node;
		break;
	}
	if (x)
		x->red = 0;
}

void rb_erase(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *child, *parent;
	bool black;

	if (!n->left || !n->right) {
		child = n->left ? n->left : n->right;
		parent = n->parent;
		black = !n->red;
		replace_child(root, parent, n, child);
		if (child)
			child->parent = parent;
	} else {
		/* The successor y takes n's place and colour; the hole is where y was. */
		struct rb_node *y = n->right;

		while (y->left)
			y = y->left;
		black = !y->red;
		child = y->right;
		if (y->parent == n) {
			parent = y;
		} else {
			parent = y->parent;
			parent->left = child;
			if (child)
				child->parent = parent;
			y->right = n->right;
			y->right->parent = y;
		}
		y->left = n->left;
		y->left->parent = y;
		y->parent = n->parent;
		y->red = n->red;
		replace_child(root, n->parent, n, y);
	}
	if (black)
		erase_fixup(root, child, parent);
	n->parent = n->left = n->right = NULL;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *n)
{
	if (n->right) {
		n = n->right;
		while (n->left)
			n = n->left;
		return (struct rb_node *)n;
	}
	while (n->parent && n == n->parent->right)
		n = n->parent;
	return n->parent;
}

struct rb_node *rb_prev(const struct rb_node *n)
{
	if (n->left) {
		n = n->left;
		while (n->right)
			n = n->right;
		return (struct rb_node *)n;
	}
	while (n->parent && n == n->parent->left)
		n = n->parent;
	return n->parent;
}
