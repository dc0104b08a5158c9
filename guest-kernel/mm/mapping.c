/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects that can be mapped: a radix tree of pages (tmpfs, memfd, shared anonymous memory) and the list of vmas that
 * show the object.
 *
 * The tree: mapping->pages is a tagged pointer, its low bits the height. Height 0 is a page for index 0 or nothing;
 * a node of height h has 64 slots of 64^(h-1) pages each. Nodes are 512 bytes, naturally aligned, and are freed when
 * the tree is cut, not when they empty.
 *
 * A page in the tree has owner = the mapping; the tree's reference is one of page->refs. Whoever shows a page to an
 * application checks under mapping->lock that mapping->seq has not moved since it was looked up.
 */
#include "mm/mm_impl.h"

#define SLOT_BITS 6
#define SLOTS     64
#define MAX_HEIGHT 9 /* 2^54 pages: more than any file offset */
#define TAG_MASK  15UL

struct node {
	void *slot[SLOTS];
};

static unsigned height_of(const struct mapping *m) { return (uint64_t)m->pages & TAG_MASK; }
static void *root_of(const struct mapping *m) { return (void *)((uint64_t)m->pages & ~TAG_MASK); }
static void set_root(struct mapping *m, void *root, unsigned height) { m->pages = (void *)((uint64_t)root | height); }
static uint64_t max_index(unsigned height)
{
	return height * SLOT_BITS >= 64 ? UINT64_MAX : (1UL << height * SLOT_BITS) - 1;
}
static unsigned slot_of(uint64_t index, unsigned height) { return index >> (height - 1) * SLOT_BITS & (SLOTS - 1); }

void mapping_init(struct mapping *m, struct inode *host)
{
	*m = (struct mapping){.host = host};
	list_init(&m->vmas);
}

/* ---- the tree; mapping->lock held ---- */
static struct page *tree_lookup(const struct mapping *m, uint64_t index)
{
	unsigned h = height_of(m);
	void *p = root_of(m);

	if (index > max_index(h))
		return NULL;
	for (; h && p; h--)
		p = ((struct node *)p)->slot[slot_of(index, h)];
	return p;
}

static int tree_insert(struct mapping *m, uint64_t index, struct page *page)
{
	void **slot;
	void *root;
	unsigned h;

	if (index > max_index(MAX_HEIGHT))
		return -ENOMEM;
	while (index > max_index(height_of(m))) {
		struct node *n;

		h = height_of(m);
		if (!root_of(m)) {
			set_root(m, NULL, h + 1);
			continue;
		}
		n = kzalloc(sizeof(*n));
		if (!n)
			return -ENOMEM;
		n->slot[0] = root_of(m);
		set_root(m, n, h + 1);
	}
	h = height_of(m);
	root = root_of(m);
	slot = &root;
	for (unsigned level = h; level; level--) {
		if (!*slot) {
			*slot = kzalloc(sizeof(struct node));
			if (!*slot)
				return -ENOMEM;
			if (slot == &root)
				set_root(m, root, h);
		}
		slot = &((struct node *)*slot)->slot[slot_of(index, level)];
	}
	*slot = page;
	if (slot == &root)
		set_root(m, root, h);
	m->nr_pages++;
	return 0;
}

/* What is to be cut out of a tree. */
struct cut {
	uint64_t first, last;
	uint32_t flags;     /* PG_*: only pages that have these */
	struct page *chain; /* the pages, through page->private */
};

/*
 * Takes pages out below *slot, whose first index is base; at most max of them. Frees nodes that lie wholly in the range and
 * ended up empty.
 */
static unsigned tree_cut(void **slot, unsigned h, uint64_t base, unsigned max, struct cut *c)
{
	unsigned n = 0;

	if (!*slot)
		return 0;
	if (!h) {
		struct page *p = *slot;

		if ((p->flags & c->flags) != c->flags)
			return 0;
		*slot = NULL;
		p->private = (uint64_t)c->chain;
		c->chain = p;
		return 1;
	}
	struct node *node = *slot;
	uint64_t span = 1UL << (h - 1) * SLOT_BITS;
	bool empty = true;

	for (unsigned i = 0; i < SLOTS; i++) {
		uint64_t start = base + i * span;

		if (node->slot[i] && start <= c->last && start + (span - 1) >= c->first && n < max)
			n += tree_cut(&node->slot[i], h - 1, start, max - n, c);
		if (node->slot[i])
			empty = false;
	}
	if (empty) {
		kfree(node);
		*slot = NULL;
	}
	return n;
}

static uint64_t tree_next(void *p, unsigned h, uint64_t base, uint64_t from)
{
	if (!p)
		return UINT64_MAX;
	if (!h)
		return base;
	uint64_t span = 1UL << (h - 1) * SLOT_BITS;
	for (unsigned i = 0; i < SLOTS; i++) {
		uint64_t start = base + i * span;

		if (start + (span - 1) < from)
			continue;
		uint64_t r = tree_next(((struct node *)p)->slot[i], h - 1, start, from);
		if (r != UINT64_MAX)
			return r;
	}
	return UINT64_MAX;
}

/* ---- pages ---- */
/* The page for somebody who is going to look at it, with a reference, or NULL. mapping->lock held. */
static struct page *touch(const struct mapping *m, uint64_t index)
{
	struct page *p = tree_lookup(m, index);

	if (p) {
		p->flags &= ~PG_UNTOUCHED;
		page_get(p);
	}
	return p;
}

/* A zero page at index with these flags besides, or the one that somebody else put there meanwhile: with a reference, or
 * NULL. */
static struct page *add_page(struct mapping *m, uint64_t index, uint32_t flags)
{
	struct page *p, *fresh = page_alloc(0, PAGE_ALLOC_ZERO | PAGE_ALLOC_USER);

	if (!fresh)
		return NULL;
	fresh->flags |= PG_CACHE | flags;
	atomic_add(&page_counters.cache, 1);
	fresh->index = index;
	fresh->owner = (uint64_t)m;
	spin_lock(&m->lock);
	p = touch(m, index);
	if (!p && !tree_insert(m, index, fresh)) {
		page_get(fresh);
		p = fresh;
		fresh = NULL;
	}
	spin_unlock(&m->lock);
	if (fresh)
		page_put(fresh);
	return p;
}

struct page *mapping_page(struct mapping *m, uint64_t index, bool create)
{
	struct page *p;

	spin_lock(&m->lock);
	p = touch(m, index);
	spin_unlock(&m->lock);
	return p || !create ? p : add_page(m, index, 0);
}

int mapping_reserve(struct mapping *m, uint64_t index)
{
	struct page *p = mapping_page(m, index, false);

	if (!p)
		p = add_page(m, index, PG_UNTOUCHED);
	if (!p)
		return -ENOMEM;
	page_put(p);
	return 0;
}

bool mapping_has(struct mapping *m, uint64_t index)
{
	bool has;

	spin_lock(&m->lock);
	has = tree_lookup(m, index);
	spin_unlock(&m->lock);
	return has;
}

uint64_t mapping_next(struct mapping *m, uint64_t from)
{
	uint64_t r;

	spin_lock(&m->lock);
	if (from > max_index(height_of(m)))
		r = UINT64_MAX;
	else
		r = tree_next(root_of(m), height_of(m), 0, from);
	spin_unlock(&m->lock);
	return r;
}

/* Frees the pages of [first, last] that have these flags, and unmaps them. */
static void cut(struct mapping *m, uint64_t first, uint64_t last, uint32_t flags)
{
	const unsigned max = 1024;
	unsigned n;

	if (first > last)
		return;
	/* Unmapping first and cutting afterwards would let a fault in between show a page that is then freed from the
	 * tree; cutting first is seen by faults through seq. References keep the frames until the entries are gone. */
	do {
		struct cut c = {.first = first, .last = last, .flags = flags};
		unsigned h;
		void *root;

		spin_lock(&m->lock);
		h = height_of(m);
		root = root_of(m);
		n = first > max_index(h) ? 0 : tree_cut(&root, h, 0, max, &c);
		if (n) {
			set_root(m, root, root ? h : 0);
			m->nr_pages -= n;
			m->seq++;
		}
		spin_unlock(&m->lock);
		if (!n)
			break;
		mapping_unmap(m, first, last, true);
		while (c.chain) {
			struct page *p = c.chain;

			c.chain = (struct page *)p->private;
			p->owner = 0;
			page_put(p);
		}
	} while (n == max);
}

void mapping_truncate(struct mapping *m, uint64_t first, uint64_t last)
{
	cut(m, first, last, 0);
}

void mapping_unreserve(struct mapping *m, uint64_t first, uint64_t last)
{
	cut(m, first, last, PG_UNTOUCHED);
}

void mapping_destroy(struct mapping *m)
{
	BUG_ON(!list_empty(&m->vmas));
	mapping_truncate(m, 0, UINT64_MAX);
}

/* ---- vmas ---- */
static bool counts_as_writer(const struct vma *v)
{
	return (v->flags & VMA_SHARED) && (v->flags & VMA_MAYWRITE);
}

void mapping_count_writer(struct vma *v)
{
	v->writer = true;
	v->mapping->writable_maps++;
}

/* mapping->lock held. */
static void uncount_writer(struct vma *v)
{
	if (v->writer)
		v->mapping->writable_maps--;
	v->writer = false;
}

void mapping_forget(struct vma *v)
{
	if (!v->writer)
		return;
	spin_lock(&v->mapping->lock);
	uncount_writer(v);
	spin_unlock(&v->mapping->lock);
}

void mapping_link(struct vma *v)
{
	struct mapping *m = v->mapping;

	if (!m || !list_empty(&v->mapping_link))
		return;
	spin_lock(&m->lock);
	list_add_tail(&v->mapping_link, &m->vmas);
	if (counts_as_writer(v) && !v->writer)
		mapping_count_writer(v);
	spin_unlock(&m->lock);
}

void mapping_unlink(struct vma *v)
{
	struct mapping *m = v->mapping;

	if (!m || list_empty(&v->mapping_link))
		return;
	spin_lock(&m->lock);
	list_del(&v->mapping_link);
	uncount_writer(v);
	spin_unlock(&m->lock);
}

/* The addresses at which v shows [first, last]; false if none. */
static bool shown_range(const struct vma *v, uint64_t first, uint64_t last, uint64_t *start, uint64_t *end)
{
	uint64_t vlast = v->pgoff + vma_pages(v) - 1;

	if (first > vlast || last < v->pgoff)
		return false;
	*start = first <= v->pgoff ? v->start : v->start + ((first - v->pgoff) << PAGE_SHIFT);
	*end = last >= vlast ? v->end : v->start + ((last - v->pgoff + 1) << PAGE_SHIFT);
	return true;
}

/*
 * The list may change whenever the lock is dropped for a flush, so a cursor (a vma without mm, which other passes step
 * over) keeps the place. vmas added meanwhile go to the tail and cannot show the frames any more: seq has moved.
 */
bool mapping_unmap(struct mapping *m, uint64_t first, uint64_t last, bool even_cows)
{
	unsigned how = even_cows ? 0 : ZAP_KEEP_ANON;
	struct vma cursor = {.mm = NULL};
	bool any = false;

	spin_lock(&m->lock);
	m->seq++;
	if (list_empty(&m->vmas)) {
		spin_unlock(&m->lock);
		return false;
	}
	list_add(&cursor.mapping_link, &m->vmas);
	while (cursor.mapping_link.next != &m->vmas) {
		struct vma *v = list_entry(cursor.mapping_link.next, struct vma, mapping_link);
		struct mmu_gather *g;
		uint64_t start, end, stop;
		struct mm *mm = v->mm;

		if (!mm || !shown_range(v, first, last, &start, &end)) {
			list_move_after(&cursor.mapping_link, &v->mapping_link);
			continue;
		}
		/* mmu_gather_begin may sleep; afterwards v may be gone. */
		ref_get(&mm->count);
		spin_unlock(&m->lock);
		g = mmu_gather_begin(mm);
		spin_lock(&m->lock);
		v = cursor.mapping_link.next == &m->vmas ? NULL : list_entry(cursor.mapping_link.next, struct vma, mapping_link);
		if (v && v->mm == mm && shown_range(v, first, last, &start, &end)) {
			stop = mmu_zap_some(g, start, end, how, &any);
			if (stop >= end)
				list_move_after(&cursor.mapping_link, &v->mapping_link);
		}
		spin_unlock(&m->lock);
		mmu_gather_end(g);
		mm_put_count(mm);
		spin_lock(&m->lock);
	}
	list_del(&cursor.mapping_link);
	spin_unlock(&m->lock);
	return any;
}

/* ---- faults ---- */
static int mapping_fault(struct vma *v, uint64_t pgoff, bool write, struct vm_frame *out)
{
	struct mapping *m = v->mapping;
	struct page *p;

	if (m->host && pgoff >= (READ_ONCE(m->host->size) + PAGE_SIZE - 1) >> PAGE_SHIFT)
		return -EFAULT;
	p = mapping_page(m, pgoff, true);
	if (!p)
		return -ENOMEM;
	*out = (struct vm_frame){.pa = page_to_pa(p), .page = p, .npages = 1, .writable = true};
	return 0;
}

const struct vm_ops mapping_vm_ops = {
	.fault = mapping_fault,
};
