/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Window space: guest-physical addresses at which the VMM maps pages of host files. A first-fit list of free ranges in
 * address order, so that few of the VMM's slots come into use. What is handed out lies within one slot, as the VMM
 * requires. Nothing here touches what is mapped there.
 */
#include "lib/list.h"
#include "lib/log.h"
#include "mm/mm.h"

struct range {
	struct list_node link;
	uint64_t start, end;
};

static struct {
	spinlock_t lock;
	struct list_node free; /* struct range in address order, never adjacent; lock */
	bool ready;            /* lock */
} win;

/* lock held */
static bool win_init(void)
{
	struct range *r;

	if (win.ready)
		return true;
	r = kmalloc(sizeof(*r));
	if (!r)
		return false;
	list_init(&win.free);
	r->start = FILEWIN_PA;
	r->end = FILEWIN_PA_END;
	list_add(&r->link, &win.free);
	win.ready = true;
	return true;
}

/* Takes [at, at + len) out of r, which contains it. lock held. */
static bool take(struct range *r, uint64_t at, uint64_t len)
{
	uint64_t end = at + len;
	struct range *tail;

	if (at > r->start && end < r->end) {
		tail = kmalloc(sizeof(*tail));
		if (!tail)
			return false;
		tail->start = end;
		tail->end = r->end;
		r->end = at;
		list_add(&tail->link, &r->link);
	} else if (at > r->start) {
		r->end = at;
	} else if (end < r->end) {
		r->start = end;
	} else {
		list_del(&r->link);
		kfree(r);
	}
	return true;
}

pa_t filewin_alloc(uint64_t npages)
{
	uint64_t len = npages << PAGE_SHIFT, at = 0;
	struct range *r;

	if (!npages || npages > FILEWIN_SLOT_SIZE >> PAGE_SHIFT)
		return pa(0);
	spin_lock(&win.lock);
	if (win_init()) {
		list_for_each_entry(r, &win.free, link) {
			uint64_t from = r->start;

			if ((from & (FILEWIN_SLOT_SIZE - 1)) + len > FILEWIN_SLOT_SIZE)
				from = ROUND_UP(from, FILEWIN_SLOT_SIZE);
			if (from >= r->end || r->end - from < len)
				continue;
			if (take(r, from, len))
				at = from;
			break;
		}
	}
	spin_unlock(&win.lock);
	return pa(at);
}

void filewin_free(pa_t p, uint64_t npages)
{
	uint64_t start = p.v, end = start + (npages << PAGE_SHIFT);
	struct list_node *pos;
	struct range *prev = NULL, *next = NULL, *n;

	BUG_ON(start < FILEWIN_PA || end > FILEWIN_PA_END || start >= end);
	spin_lock(&win.lock);
	for (pos = win.free.next; pos != &win.free; pos = pos->next) {
		next = list_entry(pos, struct range, link);
		if (next->start >= end)
			break;
		prev = next;
		next = NULL;
	}
	if (pos == &win.free)
		next = NULL;
	BUG_ON(prev && prev->end > start);
	if (prev && prev->end == start) {
		prev->end = end;
		if (next && next->start == end) {
			prev->end = next->end;
			list_del(&next->link);
			kfree(next);
		}
	} else if (next && next->start == end) {
		next->start = start;
	} else {
		n = kmalloc(sizeof(*n));
		if (n) {
			n->start = start;
			n->end = end;
			list_add_tail(&n->link, pos);
		} else {
			pr_warn("filewin: %lu pages of window space are lost, no memory to remember them", npages);
		}
	}
	spin_unlock(&win.lock);
}
