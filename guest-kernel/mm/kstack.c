/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel stacks: KSTACK_SIZE bytes aligned to their size, the lowest page inaccessible in the direct map. Setting a
 * guard is a hostcall that splits mappings of the host, so a few stacks stay cached with their guards in place.
 */
#include "lib/log.h"
#include "mm/page.h"
#include "task/lock.h"

#define KSTACK_ORDER 3
#define CACHE_MAX    16

_Static_assert(PAGE_SIZE << KSTACK_ORDER == KSTACK_SIZE, "one block of the buddy allocator");

static struct {
	spinlock_t lock;
	void *stack[CACHE_MAX]; /* lock */
	unsigned n;             /* lock */
} cache;

void *kstack_alloc(void)
{
	static bool warned;
	struct page *p;
	void *base = NULL;
	int64_t r;

	spin_lock(&cache.lock);
	if (cache.n)
		base = cache.stack[--cache.n];
	spin_unlock(&cache.lock);
	if (base)
		return base;

	p = page_alloc(KSTACK_ORDER, PAGE_ALLOC_NOWAIT);
	if (!p)
		return NULL;
	r = hostcall2(HC_STACK_GUARD, page_to_pa(p).v, 1);
	if (r < 0 && !atomic_xchg(&warned, true))
		pr_warn("kstack: the host refused a guard page (%d): stacks go without", (int)r);
	/* Remembered for kstack_free: the descriptor's slab_class is not otherwise used here. */
	p->slab_class = r >= 0;
	atomic_add(&page_counters.kstack, 1UL << KSTACK_ORDER);
	return page_address(p);
}

void kstack_free(void *base)
{
	struct page *p = pa_to_page(direct_to_pa(base));

	spin_lock(&cache.lock);
	if (cache.n < CACHE_MAX) {
		cache.stack[cache.n++] = base;
		base = NULL;
	}
	spin_unlock(&cache.lock);
	if (!base)
		return;
	atomic_sub(&page_counters.kstack, 1UL << KSTACK_ORDER);
	if (p->slab_class && hostcall2(HC_STACK_GUARD, page_to_pa(p).v, 0) < 0)
		return; /* still inaccessible: the block is lost, which is better than a trap later */
	page_put(p);
}
