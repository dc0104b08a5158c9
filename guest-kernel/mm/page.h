/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page frames of RAM and kernel memory.
 *
 * RAM is a row of chunks (RAM_CHUNK_SIZE); the first pages of each chunk hold its array of struct page, which stays
 * untouched (and so costs the host nothing) until frames of it are used. Buddy allocator over all chunks; blocks
 * know whether the host backs them (PG_BACKED) and whether they are zero, so that fresh memory is neither cleared
 * twice nor populated page by page. Free backed memory goes back to the host from idle.
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include "arch/cpu.h"
#include "lib/atomic.h"
#include "lib/list.h"

/* 32 bytes. What the fields mean depends on the owner; the allocator uses all of them while a page is free. */
struct page {
	uint32_t refs;     /* atomic; 0: free */
	uint16_t flags;    /* PG_*; atomic */
	uint8_t order;
	uint8_t slab_class;
	uint64_t owner;    /* page cache: struct mapping *; page table: use count; slab: its slab */
	union {
		struct {
			uint64_t next, prev; /* free list (addresses of struct page) */
		};
		struct {
			uint64_t index;      /* page cache: page offset in the object */
			uint64_t private;
		};
	};
};
_Static_assert(sizeof(struct page) == 32, "window.h counts on it");

#define PG_BACKED 1u  /* the host has a page behind it */
#define PG_ZERO   2u  /* known to read as zeros */
#define PG_SLAB   4u
#define PG_PT     8u
#define PG_CACHE  16u /* belongs to a mapping */
#define PG_MLOCK  32u
#define PG_USER   64u   /* counted against the memory limit */
#define PG_ANON   128u  /* private anonymous memory; private = pins for writing */
#define PG_FREE   256u  /* heads a block of the free lists; allocator's lock */
#define PG_UNTOUCHED 512u /* in a mapping, see mapping_reserve; mapping->lock */

#define PAGE_ALLOC_ZERO   1u /* contents are zero */
#define PAGE_ALLOC_USER   2u /* counts against the container's memory limit; may fail earlier than kernel pages */
#define PAGE_ALLOC_NOWAIT 4u /* do not run reclaim or the OOM killer (a spinlock is held) */

void page_init(uint64_t ram_bytes, uint64_t ram_limit);
/* 2^order adjacent frames, with one reference on the first, or NULL. */
struct page *page_alloc(unsigned order, uint32_t flags);
/* Up to n single user pages, zeroed, as a chain through page->next; *got how many. Adjacent and ascending where
 * possible. Never sleeps for memory; may return none. */
struct page *page_alloc_bulk(unsigned n, unsigned *got);
void page_get(struct page *p);
/* Drops a reference; frees at zero. order as allocated is remembered. */
void page_put(struct page *p);
struct page *pa_to_page(pa_t p); /* NULL for file windows and out of range */
pa_t page_to_pa(const struct page *p);
static inline void *page_address(const struct page *p) { return direct(page_to_pa(p)); }
/* From idle: gives backed free memory to the host once nothing was released for a while; until then the first call sets
 * a timer, after which page_reclaim_is_due says that it is time for another. Returns bytes given back. */
uint64_t page_reclaim_idle(void);
bool page_reclaim_is_due(void);

struct page_stats {
	uint64_t total, free, backed, user, cache, slab, page_tables, kstack; /* pages */
	uint64_t limit; /* pages that RAM may grow to, or the container's memory limit if that is less */
};
/* The atomic counters behind it; their owners adjust them. */
extern struct page_counters {
	uint64_t user, cache, slab, page_tables, kstack;
} page_counters;
void page_stats(struct page_stats *s);
/* Pages that count against the memory limit now: the application's, and those the Sentry holds for it. */
uint64_t page_memory_used(void);

/* Kernel heap. 8-byte aligned at least; sizes above a page are whole pages. NULL when memory is out. */
void *kmalloc(size_t size) __attribute__((malloc, alloc_size(1)));
void *kzalloc(size_t size) __attribute__((malloc, alloc_size(1)));
void *krealloc(void *p, size_t size);
void kfree(const void *p);
char *kstrdup(const char *s);
char *kmemdup_str(const char *s, size_t len); /* NUL-terminated copy */

/* Kernel stacks with guard pages, cached. Base address or NULL. */
void *kstack_alloc(void);
void kstack_free(void *base);

#endif
