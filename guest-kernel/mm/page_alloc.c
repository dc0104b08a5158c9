/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page frames: a binary buddy allocator over chunks of RAM.
 *
 * Free blocks come in three kinds, each with its own lists: cold (the host has nothing behind them, they read as
 * zeros), zero (backed and known to be zero) and dirty (backed). Buddies merge only within a kind. A request takes
 * backed blocks first; when none is left, a cold block is populated by one hostcall in a batch that doubles from
 * 64 KiB to 2 MiB while demand lasts. Blocks are split lazily: a block that was never needed has only the struct page
 * of its head touched. Half a second after the last release, free backed memory beyond a small reserve goes back to
 * the host (page_reclaim_idle).
 *
 * Limits: RAM ends at ram_limit; pages allocated with PAGE_ALLOC_USER also end at the container's memory limit, against which
 * kernel memory counts too. Who may sleep then waits for the OOM killer a bounded time. Kernel memory alone may pass the
 * limit by KERNEL_SLACK, so that the killer has room to work; beyond it allocations fail.
 *
 * Locks: zone.lock is innermost but for the log; hostcalls are made without it.
 */
#include "mm/mm_impl.h"
#include "signal/signal.h"
#include "time/timer.h"

#define MAX_ORDER   14
#define CHUNK_PAGES (RAM_CHUNK_SIZE / PAGE_SIZE)
#define ARRAY_BYTES (CHUNK_PAGES * sizeof(struct page))
#define BATCH_MIN   4 /* 64 KiB */
#define BATCH_MAX   9 /* 2 MiB */
#define BATCH_START 6 /* 256 KiB: what every sandbox needs until its first program runs */
#define RESERVE_PAGES 256          /* backed free memory that an idle sandbox keeps */
#define RECLAIM_DELAY_NS 500000000UL
#define OOM_TRIES   400
#define OOM_WAIT_NS 5000000UL
#define KERNEL_SLACK (16UL << 20 >> PAGE_SHIFT)

enum kind { COLD, ZERO, DIRTY, NR_KINDS };

static struct {
	spinlock_t lock;
	uint64_t ram_bytes;                          /* grows only; written under lock, read atomically */
	uint64_t ram_limit;                          /* immutable */
	struct page *free[NR_KINDS][MAX_ORDER + 1];  /* lock */
	uint64_t nfree[NR_KINDS];                    /* pages; lock */
	unsigned batch;                              /* order of the next populate; lock */
	bool growing;                                /* one vCPU is in RAM_GROW; lock */
	bool at_limit;                               /* the host refused more RAM; lock */
	bool reclaim_armed, reclaim_due;             /* lock */
	struct ktimer reclaim_timer;
} zone;

struct page_counters page_counters;

/* ---- addresses ---- */
pa_t page_to_pa(const struct page *p)
{
	uint64_t off = (uint64_t)p - DIRECT_BASE;
	uint64_t chunk = off & ~(RAM_CHUNK_SIZE - 1);

	return pa(chunk + (off - chunk) / sizeof(struct page) * PAGE_SIZE);
}

struct page *pa_to_page(pa_t p)
{
	uint64_t chunk = p.v & ~(RAM_CHUNK_SIZE - 1);

	if (p.v >= atomic_load(&zone.ram_bytes))
		return NULL;
	return (struct page *)(DIRECT_BASE + chunk) + (p.v - chunk) / PAGE_SIZE;
}

static struct page *chunk_base(const struct page *p)
{
	return (struct page *)((uint64_t)p & ~(RAM_CHUNK_SIZE - 1));
}

/* ---- free lists; zone.lock held ---- */
static enum kind kind_of(const struct page *p)
{
	if (!(p->flags & PG_BACKED))
		return COLD;
	return p->flags & PG_ZERO ? ZERO : DIRTY;
}

static const uint16_t kind_flags[NR_KINDS] = {PG_ZERO, PG_BACKED | PG_ZERO, PG_BACKED};

static void list_push(struct page *p, enum kind k, unsigned order)
{
	struct page *head = zone.free[k][order];

	p->refs = 0;
	p->flags = kind_flags[k] | PG_FREE;
	p->order = order;
	p->prev = 0;
	p->next = (uint64_t)head;
	if (head)
		head->prev = (uint64_t)p;
	zone.free[k][order] = p;
	zone.nfree[k] += 1UL << order;
}

static void list_remove(struct page *p)
{
	struct page *next = (struct page *)p->next, *prev = (struct page *)p->prev;
	enum kind k = kind_of(p);

	if (next)
		next->prev = p->prev;
	if (prev)
		prev->next = p->next;
	else
		zone.free[k][p->order] = next;
	p->flags &= ~PG_FREE;
	zone.nfree[k] -= 1UL << p->order;
}

static void free_block(struct page *p, enum kind k, unsigned order)
{
	struct page *base = chunk_base(p);
	uint64_t idx = p - base;

	while (order < MAX_ORDER) {
		struct page *buddy = base + (idx ^ (1UL << order));

		/* Whoever split the parent of this block touched the buddy's head, or it is page 0 of the array. */
		if (!(buddy->flags & PG_FREE) || buddy->order != order || kind_of(buddy) != k)
			break;
		list_remove(buddy);
		idx &= ~(1UL << order);
		order++;
	}
	list_push(base + idx, k, order);
}

/* A block of exactly this order, its upper parts given back; NULL if the kind has none. */
static struct page *take(enum kind k, unsigned order)
{
	for (unsigned o = order; o <= MAX_ORDER; o++) {
		struct page *p = zone.free[k][o];

		if (!p)
			continue;
		list_remove(p);
		while (o > order) {
			o--;
			list_push(p + (1UL << o), k, o);
		}
		p->flags = kind_flags[k];
		p->order = order;
		return p;
	}
	return NULL;
}

static struct page *take_backed(unsigned order, bool zero)
{
	struct page *p = take(zero ? ZERO : DIRTY, order);

	return p ? p : take(zero ? DIRTY : ZERO, order);
}

/* ---- more RAM ---- */
/* Puts [start, end) of a chunk on the cold lists in the largest aligned blocks. */
static void add_range(uint64_t start, uint64_t end)
{
	while (start < end) {
		unsigned order = MIN((unsigned)__builtin_ctzl(start / PAGE_SIZE), (unsigned)MAX_ORDER);

		while (start + (PAGE_SIZE << order) > end)
			order--;
		list_push(pa_to_page(pa(start)), COLD, order);
		start += PAGE_SIZE << order;
	}
}

/* Doubles RAM, but by at most 1 GiB. True if there is more now or another vCPU sees to it. */
static bool grow(void)
{
	uint64_t old, bytes;
	int64_t end;

	spin_lock(&zone.lock);
	if (zone.growing) {
		spin_unlock(&zone.lock);
		hostcall0(HC_YIELD);
		return true;
	}
	old = zone.ram_bytes;
	if (zone.at_limit || old + RAM_CHUNK_SIZE > zone.ram_limit) {
		spin_unlock(&zone.lock);
		return false;
	}
	zone.growing = true;
	spin_unlock(&zone.lock);

	bytes = MIN(old / 2, 8 * RAM_CHUNK_SIZE);
	bytes = MAX(ROUND_DOWN(MIN(bytes, zone.ram_limit - old), RAM_CHUNK_SIZE), RAM_CHUNK_SIZE);
	end = hostcall1(HC_RAM_GROW, bytes);
	if (end < 0 && bytes > RAM_CHUNK_SIZE)
		end = hostcall1(HC_RAM_GROW, RAM_CHUNK_SIZE);

	spin_lock(&zone.lock);
	zone.growing = false;
	if (end < 0 || (uint64_t)end <= old || (uint64_t)end > RAM_PA_END) {
		zone.at_limit = true;
		spin_unlock(&zone.lock);
		return false;
	}
	end = ROUND_DOWN((uint64_t)end, RAM_CHUNK_SIZE);
	atomic_store(&zone.ram_bytes, (uint64_t)end);
	for (uint64_t c = old; c < (uint64_t)end; c += RAM_CHUNK_SIZE)
		add_range(c + ARRAY_BYTES, c + RAM_CHUNK_SIZE);
	spin_unlock(&zone.lock);
	return true;
}

/* Moves cold memory to the zero lists, at least one block of this order. False: no memory. */
static bool populate(unsigned order, bool nowait)
{
	struct page *p = NULL;
	unsigned o;
	int64_t r;

	spin_lock(&zone.lock);
	o = MAX(order, nowait ? BATCH_MIN : zone.batch);
	for (;; o--) {
		p = take(COLD, o);
		if (p || o == order)
			break;
	}
	if (p && !nowait && zone.batch < BATCH_MAX)
		zone.batch++;
	spin_unlock(&zone.lock);
	if (!p)
		return grow();

	r = hostcall2(HC_RAM_POPULATE, page_to_pa(p).v, PAGE_SIZE << o);
	spin_lock(&zone.lock);
	free_block(p, r < 0 ? COLD : ZERO, o);
	spin_unlock(&zone.lock);
	if (r < 0)
		pr_warn("page_alloc: the host has no memory (%d)", (int)r);
	return r >= 0;
}

/* Gives free backed blocks to the host until only keep pages are left. Returns the pages given. */
static uint64_t reclaim(uint64_t keep)
{
	uint64_t given = 0;

	for (int o = MAX_ORDER; o >= 0; o--) {
		for (;;) {
			struct page *p = NULL;

			spin_lock(&zone.lock);
			if (zone.nfree[ZERO] + zone.nfree[DIRTY] > keep) {
				p = zone.free[DIRTY][o] ? zone.free[DIRTY][o] : zone.free[ZERO][o];
				if (p)
					list_remove(p);
			}
			spin_unlock(&zone.lock);
			if (!p)
				break;
			enum kind k = hostcall2(HC_RAM_RECLAIM, page_to_pa(p).v, PAGE_SIZE << o) < 0 ? DIRTY : COLD;
			spin_lock(&zone.lock);
			free_block(p, k, o);
			spin_unlock(&zone.lock);
			if (k == DIRTY)
				return given;
			given += 1UL << o;
		}
	}
	return given;
}

static void reclaim_timer_fn(struct ktimer *t)
{
	spin_lock(&zone.lock);
	zone.reclaim_due = true;
	spin_unlock(&zone.lock);
}

bool page_reclaim_is_due(void)
{
	return READ_ONCE(zone.reclaim_due);
}

uint64_t page_reclaim_idle(void)
{
	bool arm, due;

	spin_lock(&zone.lock);
	due = zone.reclaim_due;
	arm = !due && !zone.reclaim_armed && zone.nfree[ZERO] + zone.nfree[DIRTY] > RESERVE_PAGES;
	if (arm)
		zone.reclaim_armed = true;
	if (due) {
		zone.reclaim_due = zone.reclaim_armed = false;
		zone.batch = BATCH_MIN;
	}
	spin_unlock(&zone.lock);
	if (arm)
		timer_arm(&zone.reclaim_timer, clock_monotonic() + RECLAIM_DELAY_NS);
	return due ? reclaim(RESERVE_PAGES) * PAGE_SIZE : 0;
}

/* ---- limits ---- */
static uint64_t memory_limit_pages(void)
{
	uint64_t l = READ_ONCE(container0.memory_limit);

	return l ? l / PAGE_SIZE : UINT64_MAX;
}

static uint64_t kernel_pages(void)
{
	return atomic_load(&page_counters.slab) + atomic_load(&page_counters.page_tables) + atomic_load(&page_counters.kstack);
}

uint64_t page_memory_used(void)
{
	return atomic_load(&page_counters.user) + kernel_pages();
}

static bool charge(uint64_t n)
{
	uint64_t limit = memory_limit_pages(), user = atomic_add(&page_counters.user, n);

	if (limit == UINT64_MAX || user + kernel_pages() <= limit)
		return true;
	atomic_sub(&page_counters.user, n);
	return false;
}

static bool kernel_may_have(uint64_t n)
{
	uint64_t limit = memory_limit_pages();

	return limit == UINT64_MAX || page_memory_used() + n <= limit + KERNEL_SLACK;
}

/* Memory is out: kills something now and then and sleeps a little. False: give up. */
static bool wait_for_memory(uint32_t flags, unsigned *tries)
{
	struct task *t = current;

	bool disabled = READ_ONCE(container0.cgroup.oom_disabled);

	if ((flags & PAGE_ALLOC_NOWAIT) || !t || t->is_kthread || fatal_signal_pending(t) || (*tries >= OOM_TRIES && !disabled))
		return false;
	if ((*tries)++ % 40 == 0 && !disabled)
		oom_kill();
	if (fatal_signal_pending(t))
		return false;
	task_prepare_wait(false);
	(void)task_sleep(clock_monotonic() + OOM_WAIT_NS);
	task_finish_wait();
	return true;
}

/* ---- interface ---- */
static void page_init_allocated(struct page *p, unsigned order, uint32_t flags)
{
	p->refs = 1;
	p->flags = PG_BACKED | (flags & PAGE_ALLOC_USER ? PG_USER : 0);
	p->order = order;
	p->slab_class = 0;
	p->owner = p->next = p->prev = 0;
}

struct page *page_alloc(unsigned order, uint32_t flags)
{
	unsigned tries = 0;
	bool zero;
	struct page *p;

	if (order > MAX_ORDER)
		return NULL;
	while (!(flags & PAGE_ALLOC_USER ? charge(1UL << order) : kernel_may_have(1UL << order)))
		if (!wait_for_memory(flags, &tries))
			return NULL;
	for (;;) {
		spin_lock(&zone.lock);
		p = take_backed(order, flags & PAGE_ALLOC_ZERO);
		spin_unlock(&zone.lock);
		if (p)
			break;
		if (populate(order, flags & PAGE_ALLOC_NOWAIT))
			continue;
		if (order && reclaim(0)) /* fragments of different kinds merge again */
			continue;
		if (!wait_for_memory(flags, &tries)) {
			if (flags & PAGE_ALLOC_USER)
				atomic_sub(&page_counters.user, 1UL << order);
			return NULL;
		}
	}
	zero = p->flags & PG_ZERO;
	page_init_allocated(p, order, flags);
	if ((flags & PAGE_ALLOC_ZERO) && !zero)
		memset(page_address(p), 0, PAGE_SIZE << order);
	return p;
}

/* Takes one backed block of at most n pages and makes single pages of it; returns how many. */
static unsigned bulk_take(unsigned n, struct page **out, bool *zero)
{
	struct page *p = NULL;
	unsigned order;

	spin_lock(&zone.lock);
	for (order = 31 - __builtin_clz(n);; order--) {
		p = take_backed(order, true);
		if (p || !order)
			break;
	}
	spin_unlock(&zone.lock);
	if (!p)
		return 0;
	*zero = p->flags & PG_ZERO;
	for (unsigned i = 0; i < 1u << order; i++)
		page_init_allocated(p + i, 0, PAGE_ALLOC_USER);
	*out = p;
	return 1u << order;
}

struct page *page_alloc_bulk(unsigned n, unsigned *got)
{
	struct page *chain = NULL;
	uint64_t *link = NULL, limit = memory_limit_pages(), used = page_memory_used();

	*got = 0;
	/* Near the limit only what is needed now may be taken. */
	if (limit != UINT64_MAX && used + used / 8 + n > limit)
		return NULL;
	while (n) {
		struct page *p;
		bool zero;
		unsigned k;

		if (!charge(n))
			break;
		k = bulk_take(n, &p, &zero);
		if (k < n)
			atomic_sub(&page_counters.user, n - k);
		if (!k) {
			if (!populate(0, false))
				break;
			continue;
		}
		if (!zero)
			memset(page_address(p), 0, k * PAGE_SIZE);
		if (link)
			*link = (uint64_t)p;
		else
			chain = p;
		for (unsigned i = 0; i + 1 < k; i++)
			p[i].next = (uint64_t)&p[i + 1];
		link = &p[k - 1].next;
		n -= k;
		*got += k;
	}
	return chain;
}

void page_get(struct page *p)
{
	BUG_ON(__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED) == 0);
}

void page_put(struct page *p)
{
	uint32_t left = __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL);
	unsigned order = p->order;

	if (left) {
		BUG_ON(left == UINT32_MAX);
		return;
	}
	if (p->flags & PG_USER)
		atomic_sub(&page_counters.user, 1UL << order);
	if (p->flags & PG_PT)
		atomic_sub(&page_counters.page_tables, 1);
	if (p->flags & PG_CACHE)
		atomic_sub(&page_counters.cache, 1);
	spin_lock(&zone.lock);
	free_block(p, DIRTY, order);
	spin_unlock(&zone.lock);
}

void page_init(uint64_t ram_bytes, uint64_t ram_limit)
{
	BUG_ON(ram_bytes < RAM_CHUNK_SIZE || ram_bytes > RAM_PA_END);
	spin_init(&zone.lock);
	timer_init(&zone.reclaim_timer, reclaim_timer_fn);
	zone.batch = BATCH_MIN;
	zone.ram_bytes = ROUND_DOWN(ram_bytes, RAM_CHUNK_SIZE);
	zone.ram_limit = MIN(ram_limit, RAM_PA_END);
	/* Shown to ring 3 by the vDSO; nobody frees it. */
	pa_to_page(pa(BOOT_SHARED_PA))->refs = 1;
	add_range(BOOT_RESERVED_END, RAM_CHUNK_SIZE);
	for (uint64_t c = RAM_CHUNK_SIZE; c < zone.ram_bytes; c += RAM_CHUNK_SIZE)
		add_range(c + ARRAY_BYTES, c + RAM_CHUNK_SIZE);
	(void)populate(BATCH_START, true);
}

void page_stats(struct page_stats *s)
{
	spin_lock(&zone.lock);
	s->total = zone.ram_bytes / PAGE_SIZE;
	s->free = zone.nfree[COLD] + zone.nfree[ZERO] + zone.nfree[DIRTY];
	s->backed = s->total - zone.nfree[COLD];
	spin_unlock(&zone.lock);
	s->user = atomic_load(&page_counters.user);
	s->cache = atomic_load(&page_counters.cache);
	s->slab = atomic_load(&page_counters.slab);
	s->page_tables = atomic_load(&page_counters.page_tables);
	/* Nobody's any more. */
	uint64_t idle = MIN((uint64_t)mmu_idle_tables(), s->page_tables);
	s->page_tables -= idle;
	s->free += idle;
	s->kstack = atomic_load(&page_counters.kstack);
	s->limit = MIN(zone.ram_limit / PAGE_SIZE, memory_limit_pages());
}
