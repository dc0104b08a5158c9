/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roots and TLBs. Ring 0 cannot be interrupted, so a flush asks (flush_req) and waits only where it must:
 *
 *   the other vCPU is   in ring 3       it is kicked, and waited for: it must not use old entries any more
 *                       in ring 0       it looks before it enters ring 3, since ring 0 uses no user translations; waited
 *                                       for only if page-table pages are to be freed, which it might walk speculatively
 *                       in a hostcall   it looks when it comes back; but CR3 names the root still, whose page must
 *                                       stay what it is: AS_DESTROY then answers that the tables are to be kept
 *                                       until AS_PURGE, which waits
 *
 * A vCPU stores root_next, then loads CR3, which flushes; the flusher edits the tables, then looks at root_next and root:
 * one of the two sees the other. Before it waits a vCPU leaves any root but the one that it flushes itself: so nobody
 * waits for one that waits. Two never flush the same root (mm->as_lock).
 *
 * Where the CPU has PCIDs, a few roots keep their translations while they are not loaded: whoever flushes marks their
 * slots stale. The Sentry's own mappings are global and never change but from absent to present, and back for stack
 * guards, where an old entry does no harm.
 */
#include "arch/ring0/ring0.h"

#include "arch/cpu.h"
#include "lib/atomic.h"
#include "mm/page.h"

#define INVLPG_MAX  32   /* pages that are invalidated singly */
#define SPIN_BOUND  2000 /* rounds before the host CPU is given to another thread */
#define CR3_NOFLUSH (1UL << 63)

uint64_t ring0_kernel_root;

static void write_cr3(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr3" ::"r"(v) : "memory");
}

/* The value for CR3: with PCIDs, a slot of this root, flushed if it was another's or is stale. The kernel's own root has
 * PCID 0. */
static uint64_t cr3_of(struct ring0_cpu *cpu, uint64_t root)
{
	struct pcid_slot *s;

	if (!cpu->has_pcid || root == ring0_kernel_root)
		return root;
	for (unsigned i = 0; i < PCID_SLOTS; i++) {
		s = &cpu->pcid[i];
		if (s->root == root)
			return root | (i + 1) | (atomic_xchg(&s->stale, 0) ? 0 : CR3_NOFLUSH);
	}
	unsigned i = cpu->next_pcid++ % PCID_SLOTS;
	s = &cpu->pcid[i];
	(void)atomic_xchg(&s->root, root);
	(void)atomic_xchg(&s->stale, 0);
	return root | (i + 1);
}

void ring0_use_root(struct ring0_cpu *cpu, uint64_t root)
{
	if (cpu->root == root)
		return;
	(void)atomic_xchg(&cpu->root_next, root);
	write_cr3(cr3_of(cpu, root));
	atomic_store(&cpu->root, root);
}

/* Forgets every translation of the loaded root. */
static void flush_here(struct ring0_cpu *cpu)
{
	write_cr3(cr3_of(cpu, cpu->root) & ~CR3_NOFLUSH);
}

void ring0_flush_pending(struct ring0_cpu *cpu)
{
	uint32_t req = atomic_xchg(&cpu->flush_req, 0);

	if (req & FLUSH_DROP)
		ring0_use_root(cpu, ring0_kernel_root);
	else if (req & FLUSH_TLB)
		flush_here(cpu);
}

static bool uses(const struct ring0_cpu *w, uint64_t root)
{
	return atomic_load(&w->root_next) == root || atomic_load(&w->root) == root;
}

static void mark_stale(struct ring0_cpu *w, uint64_t root)
{
	for (unsigned i = 0; i < PCID_SLOTS; i++)
		if (READ_ONCE(w->pcid[i].root) == root)
			(void)atomic_xchg(&w->pcid[i].stale, 1);
}

/* Until w has taken the request, or is where it will take it in time. */
static void wait_for(const struct ring0_cpu *w, uint64_t root, uint32_t req, bool wait_all)
{
	static const uint64_t none[6];

	for (unsigned n = 1; atomic_load(&w->flush_req) & req; n++) {
		uint32_t mode = atomic_load(&w->v->guest_mode);

		if (mode == GUEST_MODE_HOST || (mode == GUEST_MODE_KERNEL && !wait_all) || !uses(w, root))
			return;
		__builtin_ia32_pause();
		if (n % SPIN_BOUND == 0)
			(void)ring0_out(HC_YIELD, none);
	}
}

/* Asks every other vCPU with this root. wait_all: also wait for those that are in ring 0. */
static void ask_others(struct ring0_cpu *cpu, uint64_t root, uint32_t req, bool wait_all)
{
	unsigned nr = cpu->v->nr_vcpus;

	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the edits, then the look at who uses the root */
	for (unsigned i = 0; i < nr; i++) {
		struct ring0_cpu *w = &ring0_cpus[i];
		uint64_t args[6] = {i};

		if (w == cpu || !atomic_load(&w->online))
			continue;
		if (w->has_pcid)
			mark_stale(w, root);
		if (!uses(w, root))
			continue;
		(void)atomic_or(&w->flush_req, req);
		if (atomic_load(&w->v->guest_mode) == GUEST_MODE_USER)
			(void)ring0_out(HC_KICK, args);
	}
	for (unsigned i = 0; i < nr; i++) {
		struct ring0_cpu *w = &ring0_cpus[i];

		if (w == cpu || !atomic_load(&w->online) || !(atomic_load(&w->flush_req) & req) || !uses(w, root))
			continue;
		if (cpu->root != root)
			ring0_use_root(cpu, ring0_kernel_root);
		wait_for(w, root, req, wait_all);
	}
}

/* Of the page of a destroyed root, in its field private: some vCPU may still have it in CR3. */
#define ROOT_DEAD 1

static struct page *root_page(uint64_t root) { return pa_to_page(pa(root)); }

static bool used_elsewhere(const struct ring0_cpu *cpu, uint64_t root)
{
	for (unsigned i = 0; i < cpu->v->nr_vcpus; i++)
		if (&ring0_cpus[i] != cpu && atomic_load(&ring0_cpus[i].online) && uses(&ring0_cpus[i], root))
			return true;
	return false;
}

int64_t ring0_as_create(uint64_t root)
{
	root_page(root)->private = 0;
	return 0;
}

int64_t ring0_as_destroy(struct ring0_cpu *cpu, uint64_t root)
{
	if (cpu->root == root)
		ring0_use_root(cpu, ring0_kernel_root);
	if (cpu->has_pcid)
		mark_stale(cpu, root);
	ask_others(cpu, root, FLUSH_DROP, true);
	if (!used_elsewhere(cpu, root))
		return 0;
	root_page(root)->private = ROOT_DEAD;
	return 1;
}

/* Without locks. */
int64_t ring0_as_purge(struct ring0_cpu *cpu)
{
	static const uint64_t none[6];

	ring0_flush_pending(cpu);
	for (unsigned i = 0; i < cpu->v->nr_vcpus; i++) {
		struct ring0_cpu *w = &ring0_cpus[i];

		for (unsigned n = 1; w != cpu && atomic_load(&w->online); n++) {
			uint64_t root = atomic_load(&w->root);

			if (root == ring0_kernel_root || root_page(root)->private != ROOT_DEAD)
				break;
			__builtin_ia32_pause();
			if (n % SPIN_BOUND == 0)
				(void)ring0_out(HC_YIELD, none);
		}
	}
	return 0;
}

static void flush_own(struct ring0_cpu *cpu, const struct hc_flush *f)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < f->nranges; i++)
		pages += (f->range[i].end - f->range[i].start) >> PAGE_SHIFT;
	if (f->all || !f->nranges || pages > INVLPG_MAX) {
		flush_here(cpu);
		return;
	}
	for (unsigned i = 0; i < f->nranges; i++)
		for (uint64_t a = f->range[i].start; a < f->range[i].end; a += PAGE_SIZE)
			__asm__ volatile("invlpg (%0)" ::"r"(a) : "memory");
}

int64_t ring0_as_flush(struct ring0_cpu *cpu, uint64_t root, const struct hc_flush *f)
{
	if (cpu->root == root)
		flush_own(cpu, f);
	else if (cpu->has_pcid)
		mark_stale(cpu, root);
	ask_others(cpu, root, FLUSH_TLB, f->freed);
	return 0;
}
