// SPDX-License-Identifier: Apache-2.0
/*
 * Address spaces, and making KVM notice what the Sentry's host stores did to their page tables.
 *
 * A KVM that shadows page tables sees stores of the guest only. So a flush runs, in the guest, one store that changes
 * nothing per edited page-table page (misaligned: KVM drops the page's shadow) or per entry when few were edited, then
 * reloads CR3. Other vCPUs in ring 3 with the same address space are kicked out, and every vCPU reloads CR3 in the
 * guest before it enters ring 3 again: as->gen counts flushes, as->seen[] says how far a vCPU has followed. "Outside
 * ring 3" is acknowledgement enough, since nothing re-enters without catching up.
 */
#include "platform/kvm/kvm_impl.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define HASH_SIZE 256
#define PTE_ADDR 0x000ffffffffff000UL
/* Single-entry stores beat a whole-page store up to here. */
#define FEW_ENTRIES 4
#define EVICT_SPINS 2000
/* A whole-page store is worth avoiding if it takes longer, and longer than this part of a visit to ring 0. */
#define DEAR_STORE_NS    6000
#define DEAR_STORE_SHARE 4
#define MEASURES         4

static pthread_rwlock_t as_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct kvm_as *as_hash[HASH_SIZE]; /* protected by as_lock */
static struct kvm_as *as_free;            /* linked by hash_next; protected by as_lock */

static unsigned hash_of(uint64_t cr3) { return (cr3 >> PAGE_SHIFT) % HASH_SIZE; }

static bool ram_page(uint64_t pa) { return !(pa & (PAGE_SIZE - 1)) && pa < RAM_PA_END; }

static struct kvm_as *find(uint64_t cr3)
{
	struct kvm_as *as;

	pthread_rwlock_rdlock(&as_lock);
	for (as = as_hash[hash_of(cr3)]; as; as = as->hash_next)
		if (atomic_load(&as->cr3) == cr3)
			break;
	pthread_rwlock_unlock(&as_lock);
	return as;
}

int kvm_as_create(uint64_t cr3)
{
	struct kvm_as *as, **head = &as_hash[hash_of(cr3)];
	int rc = 0;

	if (!ram_page(cr3) || !cr3)
		return -EINVAL;
	pthread_rwlock_wrlock(&as_lock);
	for (as = *head; as; as = as->hash_next)
		if (atomic_load(&as->cr3) == cr3)
			break;
	if (as) {
		rc = -EEXIST;
		goto out;
	}
	as = as_free;
	if (as)
		as_free = as->hash_next;
	else
		as = calloc(1, sizeof(*as) + kvm.nr_vcpus * sizeof(as->seen[0]));
	if (!as) {
		rc = -ENOMEM;
		goto out;
	}
	/* No vCPU has seen it: each starts with a CR3 reload, as the frame may have been a page table before. */
	atomic_fetch_add(&as->gen, 1);
	atomic_store(&as->cr3, cr3);
	as->hash_next = *head;
	*head = as;
out:
	pthread_rwlock_unlock(&as_lock);
	return rc;
}

/* Absent entries that become present need nothing: the fault walks the tables. */
int kvm_as_map(struct platform_vcpu *pv, uint64_t cr3, const struct hc_map *maps, unsigned n)
{
	return 0;
}

struct kvm_as *kvm_as_use(struct platform_vcpu *pv, uint64_t cr3)
{
	struct kvm_as *as = atomic_load_explicit(&pv->as, memory_order_relaxed);

	if (as && atomic_load(&as->cr3) == cr3 && cr3)
		return as;
	as = find(cr3);
	if (as)
		atomic_store(&pv->as, as);
	return as;
}

int kvm_as_catch_up(struct platform_vcpu *pv, struct kvm_as *as)
{
	for (;;) {
		uint64_t gen = atomic_load(&as->gen);
		int rc;

		if (gen == atomic_load_explicit(&as->seen[pv->id], memory_order_relaxed))
			return 0;
		rc = kvm_vcpu_run_op(pv, tramp_sym(tramp_op_list), atomic_load(&as->cr3), 0, 0);
		if (rc)
			return rc;
		atomic_store_explicit(&as->seen[pv->id], gen, memory_order_relaxed);
	}
}

/* ---- what to touch ------------------------------------------------------------------------------------- */

struct touch {
	struct platform_vcpu *pv;
	uint64_t cr3;
	const char *op;
	unsigned n;
	int error;
};

static void touch_run(struct touch *t)
{
	uint64_t list = tramp_va(TRAMP_PG_VCPU + 2 * t->pv->id) + offsetof(struct tramp_vcpu, list);

	if (!t->error)
		t->error = kvm_vcpu_run_op(t->pv, tramp_sym(t->op), t->cr3, list, t->n);
	t->n = 0;
}

static void touch_add(struct touch *t, uint64_t pa)
{
	if (t->n == TRAMP_LIST_MAX)
		touch_run(t);
	t->pv->tables->list[t->n++] = DIRECT_BASE + pa;
}

static uint64_t read_entry(uint64_t table, unsigned index)
{
	return __atomic_load_n((uint64_t *)(DIRECT_BASE + table) + index, __ATOMIC_RELAXED);
}

/* Guest-physical address of the leaf page table that maps va, or 0. The tables are the Sentry's: each step is checked. */
static uint64_t leaf_table(uint64_t cr3, uint64_t va)
{
	uint64_t table = cr3;

	for (int shift = 39; shift > 12; shift -= 9) {
		uint64_t e = read_entry(table, va >> shift & 511);
		if (!(e & PTE_P) || (e & PTE_PS) || !ram_page(e & PTE_ADDR))
			return 0;
		table = e & PTE_ADDR;
	}
	return table;
}

/* True, with the entries listed, when the flush is of a few pages whose entries all lie in the listed page tables. */
static bool touch_entries(struct touch *t, const struct hc_flush *f)
{
	unsigned pages = 0, found = 0;

	if (f->all || !f->nranges || f->nptpages != 1)
		return false;
	for (unsigned i = 0; i < f->nranges; i++) {
		if (f->range[i].end <= f->range[i].start || f->range[i].end - f->range[i].start > FEW_ENTRIES * PAGE_SIZE)
			return false;
		pages += (f->range[i].end - f->range[i].start + PAGE_SIZE - 1) >> PAGE_SHIFT;
	}
	if (pages > FEW_ENTRIES)
		return false;
	t->op = tramp_op_entries;
	for (unsigned i = 0; i < f->nranges; i++) {
		for (uint64_t va = f->range[i].start & ~(PAGE_SIZE - 1); va < f->range[i].end; va += PAGE_SIZE) {
			uint64_t table = leaf_table(t->cr3, va);
			if (table != f->ptpage[0]) {
				t->n = 0;
				return false;
			}
			touch_add(t, table + (va >> 12 & 511) * 8);
			found++;
		}
	}
	return found > 0;
}

/* Every page-table page of the user half. */
static void touch_tree(struct touch *t, uint64_t table, int shift)
{
	unsigned end = shift == 39 ? WINDOW_PML4_FIRST : 512;

	touch_add(t, table);
	if (shift == 12)
		return;
	for (unsigned i = 0; i < end; i++) {
		uint64_t e = read_entry(table, i);
		if ((e & PTE_P) && !(e & PTE_PS) && ram_page(e & PTE_ADDR))
			touch_tree(t, e & PTE_ADDR, shift - 9);
	}
	if (shift != 39)
		return;
	for (unsigned i = WINDOW_PML4_LAST + 1; i < 256; i++) {
		uint64_t e = read_entry(table, i);
		if ((e & PTE_P) && ram_page(e & PTE_ADDR))
			touch_tree(t, e & PTE_ADDR, shift - 9);
	}
}

/*
 * Whether the stores are so dear that dead page tables are better collected for one kvm_vm_forget_shadows: true of a
 * KVM that shadows page tables, where each store costs a good part of an exit. Measured with the first address spaces
 * that die, of which the cheapest counts.
 */
static _Atomic unsigned stores_measured;
static _Atomic bool stores_cheap;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/*
 * The tables are whole still, and their pages will be reused for anything: KVM must forget what it shadowed of each. The
 * stores run outside the dying address space, which would otherwise be shadowed again at once.
 */
static int forget_tables(struct platform_vcpu *pv, uint64_t cr3)
{
	struct touch t = { .pv = pv, .cr3 = tramp_pa(TRAMP_PG_PML4), .op = tramp_op_list };
	uint64_t t0 = now_ns(), empty;
	unsigned n;

	touch_run(&t);
	empty = now_ns() - t0;
	touch_tree(&t, cr3, 39);
	n = t.n; /* of the last batch */
	t0 = now_ns();
	touch_run(&t);
	if (n && !t.error) {
		uint64_t took = now_ns() - t0;
		if (took < empty + n * DEAR_STORE_NS || took < empty + n * (empty / DEAR_STORE_SHARE))
			atomic_store(&stores_cheap, true);
		atomic_fetch_add(&stores_measured, 1);
	}
	return t.error;
}

int kvm_as_destroy(struct platform_vcpu *pv, uint64_t cr3)
{
	/* kvm-amd with npt=0 was seen to stop for good when a slot moves under running vCPUs: only where ring 0 is emulated. */
	bool later = kvm_emulates_ring0 && !atomic_load(&stores_cheap) && atomic_load(&stores_measured) >= MEASURES;
	struct kvm_as **p, *as;
	int rc = 0;

	if (!find(cr3))
		return -EINVAL;
	if (!later)
		rc = forget_tables(pv, cr3);
	if (rc)
		return rc;
	pthread_rwlock_wrlock(&as_lock);
	for (p = &as_hash[hash_of(cr3)]; *p; p = &(*p)->hash_next)
		if (atomic_load(&(*p)->cr3) == cr3)
			break;
	as = *p;
	if (as) {
		*p = as->hash_next;
		atomic_store(&as->cr3, 0);
		as->hash_next = as_free;
		as_free = as;
	}
	pthread_rwlock_unlock(&as_lock);
	return as ? later : -EINVAL;
}

/* ---- the other vCPUs ------------------------------------------------------------------------------------- */

/*
 * Makes the vCPU leave ring 3 if it runs the address space there, and waits until it has. Its thread may not be running at
 * all: on a busy host it comes back milliseconds later. But then it is not in the guest either, and the pending signal
 * keeps it from going there. So after a short wait one membarrier, which interrupts every CPU that runs a thread of ours,
 * is proof enough: whoever was in the guest has left it since the signal was sent.
 */
static void evict(struct platform_vcpu *w, const struct kvm_as *as)
{
	uint32_t seq = atomic_load(&w->in_guest);

	if (!(seq & 1) || atomic_load(&w->as) != as)
		return;
	syscall(SYS_tgkill, kvm.pid, w->tid, KICK_SIGNAL);
	for (unsigned spins = 0; atomic_load_explicit(&w->in_guest, memory_order_acquire) == seq; spins++) {
		if (spins < EVICT_SPINS)
			__builtin_ia32_pause();
		else if (kvm.has_membarrier && !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
			break;
		else
			sched_yield();
	}
}

int kvm_as_flush(struct platform_vcpu *pv, uint64_t cr3, const struct hc_flush *f)
{
	struct kvm_as *as = find(cr3);
	struct touch t = { .pv = pv, .cr3 = cr3, .op = tramp_op_list };
	uint64_t gen;

	if (!as)
		return -EINVAL;
	for (unsigned i = 0; i < f->nptpages; i++)
		if (!ram_page(f->ptpage[i]))
			return -EINVAL;
	if (!touch_entries(&t, f)) {
		t.op = tramp_op_list;
		for (unsigned i = 0; i < f->nptpages; i++)
			touch_add(&t, f->ptpage[i]);
		if (f->all)
			touch_tree(&t, cr3, 39);
	}
	touch_run(&t); /* at least a CR3 reload */
	if (t.error)
		return t.error;
	/* If nobody else flushed since, this vCPU is up to date. */
	gen = atomic_fetch_add(&as->gen, 1);
	if (atomic_load_explicit(&as->seen[pv->id], memory_order_relaxed) == gen)
		atomic_store_explicit(&as->seen[pv->id], gen + 1, memory_order_relaxed);
	for (unsigned i = 0; i < kvm.nr_vcpus; i++) {
		struct platform_vcpu *w = __atomic_load_n(&kvm.vcpu[i], __ATOMIC_ACQUIRE);
		if (w && w != pv)
			evict(w, as);
	}
	return 0;
}
