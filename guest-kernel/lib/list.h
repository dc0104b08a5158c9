/* SPDX-License-Identifier: Apache-2.0 */
/* Intrusive doubly linked lists. A head is a list_node initialised with list_init; an unlinked node points to
 * itself. No locking. */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include "lib/types.h"

struct list_node {
	struct list_node *next, *prev;
};

#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list_node *n) { n->next = n->prev = n; }
static inline bool list_empty(const struct list_node *h) { return h->next == h; }

static inline void list_insert_between(struct list_node *n, struct list_node *prev, struct list_node *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

static inline void list_add(struct list_node *n, struct list_node *head) { list_insert_between(n, head, head->next); }
static inline void list_add_tail(struct list_node *n, struct list_node *head) { list_insert_between(n, head->prev, head); }

/* Unlinks n and leaves it pointing to itself: calling it twice is harmless. */
static inline void list_del(struct list_node *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

static inline void list_move_after(struct list_node *n, struct list_node *after)
{
	list_del(n);
	list_add(n, after);
}

static inline void list_move_tail(struct list_node *n, struct list_node *head)
{
	list_del(n);
	list_add_tail(n, head);
}

#define list_entry(node, type, member) container_of(node, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_for_each(n, head) for (struct list_node *n = (head)->next; n != (head); n = n->next)
#define list_for_each_entry(e, head, member) \
	for ((e) = list_entry((head)->next, __typeof__(*(e)), member); &(e)->member != (head); \
	     (e) = list_entry((e)->member.next, __typeof__(*(e)), member))
#define list_for_each_entry_safe(e, tmp, head, member) \
	for ((e) = list_entry((head)->next, __typeof__(*(e)), member), \
	    (tmp) = list_entry((e)->member.next, __typeof__(*(e)), member); \
	     &(e)->member != (head); \
	     (e) = (tmp), (tmp) = list_entry((e)->member.next, __typeof__(*(e)), member))

#endif
