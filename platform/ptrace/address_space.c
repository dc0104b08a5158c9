/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address spaces: the mirror of the application's page tables in a stub process.
 *
 * Flushes and hints are collected and carried out in one batch before application code runs in the space again; only when
 * another vCPU is running it does a flush act at once. Nothing depends on a hint: a page that the tables hold and the
 * mirror lacks is mapped when it is touched (pt_as_resolve). So where the host refuses a mapping (max_map_count), everything
 * is dropped and comes back page by page.
 */
#include "ptrace/ptrace_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REGION_SHIFT 21
#define FILE_SHIFT   16
#define AROUND       (16 * PAGE_SIZE) /* mapped around a refault in a region that has mappings already */
#define POPULATE_MAX (64 * PAGE_SIZE) /* host page tables are filled at once for hints up to this size */
#define POOL_TRIES   10                /* more than the pool holds */

/* Calls being collected in the data page of a process. */
struct batch {
	struct address_space *as;
	struct stub_thread *t;
	unsigned n;
	int err; /* the first failure; nothing is added after it */
};

/* ---- the table ---- */

static struct address_space **table_slot(uint64_t cr3)
{
	struct address_space **p = &pt.table[(cr3 >> PAGE_SHIFT) % (sizeof(pt.table) / sizeof(pt.table[0]))];

	while (*p && (*p)->cr3 != cr3)
		p = &(*p)->next;
	return p;
}

struct address_space *pt_as_find(struct platform_vcpu *pv, uint64_t cr3)
{
	uint64_t epoch = __atomic_load_n(&pt.as_epoch, __ATOMIC_ACQUIRE);

	if (pv->as && pv->as->cr3 == cr3 && pv->as_epoch == epoch)
		return pv->as;
	pthread_mutex_lock(&pt.table_lock);
	pv->as = *table_slot(cr3);
	pv->as_epoch = pt.as_epoch;
	pthread_mutex_unlock(&pt.table_lock);
	return pv->as;
}

int pt_as_create(uint64_t cr3)
{
	struct address_space *as = calloc(1, sizeof(*as)), **slot;
	int r = 0;

	if (!as)
		return -ENOMEM;
	as->cr3 = cr3;
	pthread_mutex_init(&as->lock, NULL);
	pthread_mutex_lock(&pt.table_lock);
	slot = table_slot(cr3);
	if (*slot)
		r = -EEXIST;
	else
		*slot = as;
	pthread_mutex_unlock(&pt.table_lock);
	if (r)
		free(as);
	return r;
}

int pt_as_destroy(struct platform_vcpu *pv, uint64_t cr3)
{
	struct address_space *as, **slot;

	pthread_mutex_lock(&pt.table_lock);
	slot = table_slot(cr3);
	as = *slot;
	if (as) {
		*slot = as->next;
		__atomic_add_fetch(&pt.as_epoch, 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&pt.table_lock);
	if (!as)
		return -ENOENT;
	if (as->proc)
		pt_stub_proc_put(as->proc);
	pthread_mutex_destroy(&as->lock);
	free(as);
	return 0;
}

/* ---- what is mapped, roughly ---- */

static unsigned hash_bit(uint64_t n) { return (unsigned)(n ^ n >> 10 ^ n >> 20) & 1023; }

static void touch(uint64_t *bits, unsigned shift, uint64_t start, uint64_t end)
{
	for (uint64_t n = start >> shift; n <= (end - 1) >> shift; n++) {
		unsigned bit = hash_bit(n);

		__atomic_fetch_or(&bits[bit / 64], 1UL << bit % 64, __ATOMIC_RELAXED);
	}
}

static bool touched(const uint64_t *bits, unsigned shift, uint64_t start, uint64_t end)
{
	if ((end - start) >> shift > 1024)
		return true;
	for (uint64_t n = start >> shift; n <= (end - 1) >> shift; n++) {
		unsigned bit = hash_bit(n);

		if (__atomic_load_n(&bits[bit / 64], __ATOMIC_RELAXED) >> bit % 64 & 1)
			return true;
	}
	return false;
}

static void forget_all(struct address_space *as)
{
	memset(as->touched, 0, sizeof(as->touched));
	memset(as->file_touched, 0, sizeof(as->file_touched));
	as->drop_all = false;
	as->nr_unmap = 0;
}

/* ---- batches ---- */

static void batch_run(struct batch *b)
{
	int err;

	if (b->n && !b->err) {
		pt_stub_run_list(b->t, b->n, &err);
		b->err = err;
	}
	b->n = 0;
}

static void batch_add(struct batch *b, uint64_t nr, uint64_t addr, uint64_t len, uint64_t prot, uint64_t flags,
    uint64_t fd, uint64_t offset)
{
	if (b->n == STUB_CALL_MAX)
		batch_run(b);
	if (!b->err)
		b->as->proc->calls[b->n++] = (struct stub_call){nr, {addr, len, prot, flags, fd, offset}, 0};
}

static void batch_unmap_all(struct batch *b)
{
	batch_add(b, SYS_munmap, 0, STUB_CODE, 0, 0, 0, 0);
	batch_add(b, SYS_munmap, STUB_END, USER_END - STUB_END, 0, 0, 0, 0);
	forget_all(b->as);
}

/* Maps [addr, addr + len), backed by adjacent frames from pa. */
static void batch_map_run(struct batch *b, uint64_t addr, uint64_t pa, uint64_t len, uint64_t pte, bool populate)
{
	uint64_t flags = MAP_SHARED | MAP_FIXED | (populate && len <= POPULATE_MAX ? MAP_POPULATE : 0);
	uint64_t prot = PROT_READ | (pte & PT_W ? PROT_WRITE : 0) | (pte & PT_NX ? 0 : PROT_EXEC);

	touch(b->as->touched, REGION_SHIFT, addr, addr + len);
	if (pa >= FILEWIN_PA)
		touch(b->as->file_touched, FILE_SHIFT, pa - FILEWIN_PA, pa - FILEWIN_PA + len);
	while (len && !b->err) {
		uint64_t offset, chunk = len;
		int fd, allowed;

		if (vmm_memory_backing(pa, &fd, &offset, &chunk, &allowed) || !chunk)
			return; /* an emptied window: the touch will tell */
		if (chunk > len)
			chunk = len;
		batch_add(b, SYS_mmap, addr, chunk, prot & (uint64_t)allowed, flags, (uint64_t)fd, offset);
		addr += chunk;
		pa += chunk;
		len -= chunk;
	}
}

/* Maps what the page tables hold of [start, end), adjacent frames with equal rights as one mapping. */
static void batch_map(struct batch *b, uint64_t start, uint64_t end, bool populate)
{
	const uint64_t rights = PT_W | PT_NX;
	uint64_t run = 0, run_pte = 0, run_len = 0;

	for (uint64_t addr = start, next; addr < end && !b->err; addr = next) {
		uint64_t pte = pt_page_walk(b->as->cr3, addr, &next);

		if (run_len && pte && addr == run + run_len && !((pte ^ run_pte) & rights) &&
		    (pte & PT_ADDR) == (run_pte & PT_ADDR) + run_len) {
			run_len += PAGE_SIZE;
			continue;
		}
		if (run_len)
			batch_map_run(b, run, run_pte & PT_ADDR, run_len, run_pte, populate);
		run = addr;
		run_pte = pte;
		run_len = pte ? PAGE_SIZE : 0;
	}
	if (run_len)
		batch_map_run(b, run, run_pte & PT_ADDR, run_len, run_pte, populate);
}

/* Carries the batch out. Where the host has no room for more mappings, the mirror starts again from nothing. */
static int batch_finish(struct batch *b)
{
	batch_run(b);
	if (b->err == -ENOMEM) {
		b->err = 0;
		batch_unmap_all(b);
		batch_run(b);
	}
	return b->err;
}

/* ---- pending work ---- */

/* The part of a range that applications can have, or false if none. */
static bool clip(uint64_t *start, uint64_t *end)
{
	*start &= ~(PAGE_SIZE - 1);
	*end = (*end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	if (*end > USER_END || !*end)
		*end = USER_END;
	if (*start < WINDOW_END && *end > WINDOW_BASE) {
		if (*start < WINDOW_BASE)
			*end = WINDOW_BASE;
		else
			*start = WINDOW_END;
	}
	return *start < *end;
}

/* Adds a range, merged with a neighbour where possible; false when the array is full. */
static bool range_add(struct user_range *r, unsigned *n, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < *n; i++)
		if (start <= r[i].end && end >= r[i].start) {
			r[i].start = start < r[i].start ? start : r[i].start;
			r[i].end = end > r[i].end ? end : r[i].end;
			return true;
		}
	if (*n == PENDING_MAX)
		return false;
	r[(*n)++] = (struct user_range){start, end};
	return true;
}

static void pend_unmap(struct address_space *as, uint64_t start, uint64_t end)
{
	if (as->drop_all || !touched(as->touched, REGION_SHIFT, start, end))
		return;
	if (!range_add(as->unmap, &as->nr_unmap, start, end))
		as->drop_all = true;
}

/* as->lock is held. */
static int sync_mirror(struct address_space *as, struct stub_thread *t)
{
	struct batch b = {.as = as, .t = t};

	if (as->drop_all)
		batch_unmap_all(&b);
	for (unsigned i = 0; i < as->nr_unmap; i++)
		batch_add(&b, SYS_munmap, as->unmap[i].start, as->unmap[i].end - as->unmap[i].start, 0, 0, 0, 0);
	for (unsigned i = 0; i < as->nr_map; i++)
		batch_map(&b, as->map[i].start, as->map[i].end, true);
	as->nr_unmap = as->nr_map = 0;
	return batch_finish(&b);
}

/* The process and the calling vCPU's thread in it. as->lock is held. */
static int get_thread(struct platform_vcpu *pv, struct address_space *as, struct stub_thread **out)
{
	bool used;
	int r;

	if (as->proc && __atomic_load_n(&as->proc->dead, __ATOMIC_ACQUIRE) && !as->active) {
		pt_stub_proc_put(as->proc);
		as->proc = NULL;
		forget_all(as);
	}
	if (!as->proc) {
		r = pt_stub_proc_get(pv, &as->proc, &used);
		if (r)
			return r;
		as->drop_all |= used;
	}
	*out = as->proc->thread[pv->id];
	r = *out ? 0 : pt_stub_thread_make(pv, as->proc, out);
	if (r == -ESRCH)
		__atomic_store_n(&as->proc->dead, true, __ATOMIC_RELEASE);
	return r;
}

/* A thread with the mirror up to date. A process that somebody killed is replaced, unless another vCPU is in it. */
static int get_ready(struct platform_vcpu *pv, struct address_space *as, struct stub_thread **out)
{
	int r;

	for (int tries = 0; tries < POOL_TRIES; tries++) {
		r = get_thread(pv, as, out);
		if (!r && (as->drop_all || as->nr_unmap || as->nr_map))
			r = sync_mirror(as, *out);
		if (r != -ESRCH)
			break;
	}
	return r;
}

int pt_as_enter(struct platform_vcpu *pv, struct address_space *as, struct stub_thread **out)
{
	int r;

	pthread_mutex_lock(&as->lock);
	r = get_ready(pv, as, out);
	if (!r)
		as->active++;
	pthread_mutex_unlock(&as->lock);
	return r;
}

void pt_as_leave(struct address_space *as)
{
	pthread_mutex_lock(&as->lock);
	as->active--;
	pthread_mutex_unlock(&as->lock);
}

int pt_as_map(struct platform_vcpu *pv, uint64_t cr3, const struct hc_map *maps, unsigned n)
{
	struct address_space *as = pt_as_find(pv, cr3);

	if (!as)
		return -ENOENT;
	pthread_mutex_lock(&as->lock);
	for (unsigned i = 0; i < n; i++) {
		uint64_t start = maps[i].uva, end = start + maps[i].npages * PAGE_SIZE;

		if (end > start && clip(&start, &end))
			range_add(as->map, &as->nr_map, start, end);
	}
	pthread_mutex_unlock(&as->lock);
	return 0;
}

int pt_as_flush(struct platform_vcpu *pv, uint64_t cr3, const struct hc_flush *flush)
{
	struct address_space *as = pt_as_find(pv, cr3);
	struct stub_thread *t;
	int r = 0;

	if (!as)
		return -ENOENT;
	pthread_mutex_lock(&as->lock);
	if (flush->all)
		as->drop_all = true;
	for (unsigned i = 0; !flush->all && i < flush->nranges && i < HC_FLUSH_RANGES; i++) {
		uint64_t start = flush->range[i].start, end = flush->range[i].end;

		/* A range across the window: nobody has pages in there, but the two sides must both go. */
		if (start < WINDOW_BASE && end > WINDOW_END)
			as->drop_all = true;
		else if (clip(&start, &end))
			pend_unmap(as, start, end);
	}
	if (as->active && (as->drop_all || as->nr_unmap)) {
		r = get_ready(pv, as, &t);
	}
	pthread_mutex_unlock(&as->lock);
	return r;
}

/* Host file pages were replaced. The Sentry flushes user mappings of a window range before it gives the range to another
 * file, so this only has to make sure: spaces that may hold such pages start again, the running ones after a kick. */
void pt_as_memory_changed(uint64_t pa, uint64_t len)
{
	bool found = false;

	pthread_mutex_lock(&pt.table_lock);
	for (unsigned i = 0; i < sizeof(pt.table) / sizeof(pt.table[0]); i++)
		for (struct address_space *as = pt.table[i]; as; as = as->next)
			if (touched(as->file_touched, FILE_SHIFT, pa - FILEWIN_PA, pa - FILEWIN_PA + len)) {
				__atomic_store_n(&as->drop_all, true, __ATOMIC_RELEASE);
				found = true;
			}
	pthread_mutex_unlock(&pt.table_lock);
	if (found)
		pt_vcpu_kick_running();
}

void pt_as_kill_all(void)
{
	pthread_mutex_lock(&pt.table_lock);
	for (unsigned i = 0; i < sizeof(pt.table) / sizeof(pt.table[0]); i++)
		for (struct address_space *as = pt.table[i]; as; as = as->next)
			if (as->proc)
				kill(as->proc->pid, SIGKILL);
	pthread_mutex_unlock(&pt.table_lock);
}

int pt_as_resolve(struct address_space *as, struct stub_thread *t, uint64_t addr, bool was_mapped, bool fetch,
    uint64_t *pte)
{
	struct batch b = {.as = as, .t = t};
	uint64_t skip, start = addr & ~(PAGE_SIZE - 1), end = start + PAGE_SIZE, low, high;
	bool allowed;
	int r = 0;

	*pte = 0;
	if (addr >= USER_END || (addr >= WINDOW_BASE && addr < WINDOW_END))
		return 0;
	pthread_mutex_lock(&as->lock);
	*pte = pt_page_walk(as->cr3, addr, &skip);
	allowed = *pte && (!was_mapped || (fetch ? !(*pte & PT_NX) : (*pte & PT_W) != 0));
	if (!allowed)
		goto out;
	if (!touched(as->touched, REGION_SHIFT, addr, addr + 1)) {
		low = addr & ~((1UL << REGION_SHIFT) - 1);
		high = low + (1UL << REGION_SHIFT);
	} else {
		low = addr & ~(AROUND - 1);
		high = low + AROUND;
	}
	if (was_mapped) { /* more rights: leave the neighbours alone */
		low = start;
		high = end;
	}
	batch_map(&b, low, high, false);
	batch_run(&b);
	if (b.err == -ENOMEM) {
		r = batch_finish(&b);
		batch_map(&b, start, end, false);
		batch_run(&b);
	}
	r = b.err ? b.err : 1;
out:
	pthread_mutex_unlock(&as->lock);
	return r;
}
