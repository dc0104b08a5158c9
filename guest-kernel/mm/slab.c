/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel heap. Small sizes come from slabs of one class each, larger ones are whole blocks of pages. The state of a
 * slab lives in the struct page of its first frame: owner packs the first free object and the number in use, next and
 * prev link slabs that have free objects. One lock per class. Never sleeps: callers may hold spinlocks.
 */
#include "lib/log.h"
#include "lib/string.h"
#include "mm/page.h"
#include "task/lock.h"

#define PTR_BITS 48
#define PTR_MASK ((1UL << PTR_BITS) - 1)

struct slab_class {
	uint16_t size;
	uint8_t order;
};

static const struct slab_class classes[] = {
	{16, 0},  {32, 0},  {48, 0},  {64, 0},  {96, 0},   {128, 0},  {192, 0},  {256, 0},
	{384, 0}, {512, 0}, {768, 0}, {1024, 0}, {1536, 1}, {2048, 1},
};
#define NR_CLASSES ARRAY_SIZE(classes)
#define SLAB_MAX 2048

static struct {
	spinlock_t lock;
	struct page *partial; /* slabs with free objects; lock */
	uint32_t nr_empty;    /* of them, wholly free ones; lock */
} slabs[NR_CLASSES];

static unsigned class_of(size_t size)
{
	unsigned c = 0;

	while (classes[c].size < size)
		c++;
	return c;
}

static unsigned objects_of(unsigned c)
{
	return (PAGE_SIZE << classes[c].order) / classes[c].size;
}

static void *slab_first(const struct page *p) { return (void *)(p->owner & PTR_MASK); }
static unsigned slab_inuse(const struct page *p) { return p->owner >> PTR_BITS; }
static void slab_set(struct page *p, void *first, unsigned inuse)
{
	p->owner = (uint64_t)first | (uint64_t)inuse << PTR_BITS;
}

static void partial_add(unsigned c, struct page *p)
{
	struct page *head = slabs[c].partial;

	p->prev = 0;
	p->next = (uint64_t)head;
	if (head)
		head->prev = (uint64_t)p;
	slabs[c].partial = p;
}

static void partial_del(unsigned c, struct page *p)
{
	struct page *next = (struct page *)p->next, *prev = (struct page *)p->prev;

	if (next)
		next->prev = p->prev;
	if (prev)
		prev->next = p->next;
	else
		slabs[c].partial = next;
}

static struct page *slab_create(unsigned c)
{
	unsigned order = classes[c].order, n = objects_of(c);
	struct page *p = page_alloc(order, PAGE_ALLOC_NOWAIT);
	char *base;

	if (!p)
		return NULL;
	for (unsigned i = 0; i < 1u << order; i++) {
		/* The other frames of a block have stale descriptors: kfree finds the class in any of them. */
		if (i)
			p[i].flags = 0;
		p[i].flags |= PG_SLAB;
		p[i].slab_class = c;
	}
	base = page_address(p);
	for (unsigned i = 0; i < n; i++)
		*(void **)(base + i * classes[c].size) = i + 1 < n ? base + (i + 1) * classes[c].size : NULL;
	slab_set(p, base, 0);
	atomic_add(&page_counters.slab, 1UL << order);
	return p;
}

static void slab_destroy(unsigned c, struct page *p)
{
	for (unsigned i = 0; i < 1u << classes[c].order; i++)
		p[i].flags &= ~PG_SLAB;
	atomic_sub(&page_counters.slab, 1UL << classes[c].order);
	page_put(p);
}

static void *slab_alloc(unsigned c)
{
	struct page *p, *fresh = NULL;
	void *obj;

	spin_lock(&slabs[c].lock);
	if (!slabs[c].partial) {
		spin_unlock(&slabs[c].lock);
		fresh = slab_create(c);
		if (!fresh)
			return NULL;
		spin_lock(&slabs[c].lock);
		partial_add(c, fresh);
		slabs[c].nr_empty++;
	}
	p = slabs[c].partial;
	obj = slab_first(p);
	if (!slab_inuse(p))
		slabs[c].nr_empty--;
	slab_set(p, *(void **)obj, slab_inuse(p) + 1);
	if (!slab_first(p))
		partial_del(c, p);
	spin_unlock(&slabs[c].lock);
	return obj;
}

static void slab_free(struct page *frame, void *obj)
{
	unsigned c = frame->slab_class;
	struct page *p = pa_to_page(pa(direct_to_pa(obj).v & ~((PAGE_SIZE << classes[c].order) - 1)));
	bool destroy = false;

	BUG_ON(((uint64_t)obj - (uint64_t)page_address(p)) % classes[c].size);
	spin_lock(&slabs[c].lock);
	BUG_ON(!slab_inuse(p));
	*(void **)obj = slab_first(p);
	if (!slab_first(p))
		partial_add(c, p);
	slab_set(p, obj, slab_inuse(p) - 1);
	if (!slab_inuse(p)) {
		/* One empty slab per class stays, against allocating and freeing it at every turn. */
		destroy = slabs[c].nr_empty > 0;
		if (destroy)
			partial_del(c, p);
		else
			slabs[c].nr_empty++;
	}
	spin_unlock(&slabs[c].lock);
	if (destroy)
		slab_destroy(c, p);
}

static unsigned order_of(size_t size)
{
	unsigned order = 0;

	while ((PAGE_SIZE << order) < size)
		order++;
	return order;
}

static void *large_alloc(size_t size, uint32_t flags)
{
	struct page *p;

	if (size > RAM_CHUNK_SIZE / 2)
		return NULL;
	p = page_alloc(order_of(size), flags | PAGE_ALLOC_NOWAIT);
	if (!p)
		return NULL;
	atomic_add(&page_counters.slab, 1UL << p->order);
	return page_address(p);
}

void *kmalloc(size_t size)
{
	return size > SLAB_MAX ? large_alloc(size, 0) : slab_alloc(class_of(size));
}

void *kzalloc(size_t size)
{
	void *p;

	if (size > SLAB_MAX)
		return large_alloc(size, PAGE_ALLOC_ZERO);
	p = slab_alloc(class_of(size));
	if (p)
		memset(p, 0, classes[class_of(size)].size);
	return p;
}

static struct page *page_of(const void *p)
{
	uint64_t a = (uint64_t)p;
	struct page *page = a >= DIRECT_BASE ? pa_to_page(pa(a - DIRECT_BASE)) : NULL;

	BUG_ON(!page);
	return page;
}

void *krealloc(void *old, size_t size)
{
	struct page *page;
	size_t have;
	void *p;

	if (!old)
		return kmalloc(size);
	page = page_of(old);
	have = page->flags & PG_SLAB ? classes[page->slab_class].size : PAGE_SIZE << page->order;
	if (size <= have && size >= have / 4)
		return old;
	p = kmalloc(size);
	if (!p)
		return size <= have ? old : NULL;
	memcpy(p, old, MIN(have, size));
	kfree(old);
	return p;
}

void kfree(const void *p)
{
	struct page *page;

	if (!p)
		return;
	page = page_of(p);
	if (page->flags & PG_SLAB) {
		slab_free(page, (void *)p);
		return;
	}
	BUG_ON(((uint64_t)p & (PAGE_SIZE - 1)) || page->refs != 1);
	atomic_sub(&page_counters.slab, 1UL << page->order);
	page_put(page);
}

char *kmemdup_str(const char *s, size_t len)
{
	char *p = kmalloc(len + 1);

	if (!p)
		return NULL;
	memcpy(p, s, len);
	p[len] = 0;
	return p;
}

char *kstrdup(const char *s)
{
	return kmemdup_str(s, strlen(s));
}
