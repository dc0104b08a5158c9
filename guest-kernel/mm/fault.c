/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page faults: finds the vma, grows stacks, checks the access, hands over to fault_anon.c, fault_cow.c or
 * fault_object.c, and tells the application by a signal where it may not go.
 *
 * A fault whose entry is already right is spurious: a mirror (ptrace) or a TLB had not heard of it. It gets an AS_MAP
 * hint for the entries around it. Platforms that cannot tell reads from writes report PF_UNKNOWN.
 */
#include "mm/mm_impl.h"
#include "signal/signal.h"

#define SPURIOUS_AROUND 64 /* entries to hint of at once */
#define SEQUENTIAL_SKIP 8  /* pages that may be left out by an access that still counts as sequential */
#define UNKNOWN_REPEATS 4  /* so many faults at one place that change nothing are a forbidden access */

uint64_t fault_bits(const struct vma *v)
{
	return mmu_prot_bits(v->prot);
}

void fault_window(struct vma *v, uint64_t page, unsigned how, unsigned first, unsigned max, uint64_t *lo, uint64_t *hi)
{
	uint64_t base = page & ~(PT_SPAN - 1);
	uint64_t floor = MAX(v->start, base), ceil = MIN(v->end, base + PT_SPAN), n;
	bool down = v->flags & VMA_GROWSDOWN;
	uint64_t next = READ_ONCE(v->fault_next), skipped = down ? next - PAGE_SIZE - page : page - next;

	if (how & FAULT_POPULATE)
		n = max;
	else if (next && skipped <= SEQUENTIAL_SKIP * PAGE_SIZE)
		n = MIN(READ_ONCE(v->fault_window) * 2UL, max);
	else
		n = first;
	n = MAX(n, 1UL);
	if (down) {
		*hi = page + PAGE_SIZE;
		*lo = *hi - floor > n * PAGE_SIZE ? *hi - n * PAGE_SIZE : floor;
		WRITE_ONCE(v->fault_next, *lo);
	} else {
		*lo = page;
		*hi = MIN(page + n * PAGE_SIZE, ceil);
		WRITE_ONCE(v->fault_next, *hi);
	}
	WRITE_ONCE(v->fault_window, n);
}

bool fault_copy_frame(void *dst, pa_t src)
{
	if (pa_to_page(src)) {
		memcpy(dst, direct(src), PAGE_SIZE);
		return true;
	}
	return arch_copy_fault(dst, direct(src), PAGE_SIZE) == 0;
}

/* The vma above addr grows down to it. 0, -EFAULT. */
static int grow_stack(struct mm *mm, uint64_t addr)
{
	uint64_t page = addr & PAGE_MASK, pages;
	struct vma *v, *prev;
	int r = -EFAULT;

	rwsem_write_lock(&mm->lock);
	v = vma_find(mm, addr);
	if (!v || !(v->flags & VMA_GROWSDOWN))
		goto out;
	if (v->start <= addr) { /* another thread was faster */
		r = 0;
		goto out;
	}
	if (page < USER_MIN || (page < WINDOW_END && v->start >= WINDOW_END))
		goto out;
	prev = vma_prev(v);
	if (prev && !(prev->flags & VMA_GROWSDOWN) && prev->prot && page - prev->end < STACK_GUARD_GAP)
		goto out;
	pages = (v->start - page) >> PAGE_SHIFT;
	if (v->end - page > rlimit_cur(RLIMIT_STACK) || v->pgoff < pages ||
	    mm_may_expand(mm, pages, v->prot, v->flags))
		goto out;
	vma_set_range(v, page, v->end, v->pgoff - pages);
	r = 0;
out:
	rwsem_write_unlock(&mm->lock);
	return r;
}

/* What PF_UNKNOWN most probably was: FAULT_WRITE or 0. */
static unsigned guess_access(const struct vma *v, uint64_t entry, unsigned how)
{
	if (!(v->prot & PROT_WRITE))
		return 0;
	if (vma_is_private_anon(v))
		return FAULT_WRITE;
	return (entry & PTE_P) || (how & FAULT_PRESENT) ? FAULT_WRITE : 0;
}

static int check_access(const struct vma *v, unsigned how)
{
	if (how & FAULT_FORCE) {
		if (how & FAULT_WRITE)
			return (v->prot & PROT_WRITE) || ((v->flags & VMA_MAYWRITE) && !(v->flags & VMA_SHARED)) ? 0 : -EACCES;
		return v->flags & VMA_MAYREAD ? 0 : -EACCES;
	}
	if (how & FAULT_WRITE)
		return v->prot & PROT_WRITE ? 0 : -EACCES;
	if (how & FAULT_EXEC)
		return v->prot & PROT_EXEC ? 0 : -EACCES;
	return v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC) ? 0 : -EACCES; /* x86: every protection allows reading */
}

/* The entry allows the access already: hints at it and its neighbours. */
static int spurious(struct vma *v, uint64_t page)
{
	struct mm *mm = v->mm;
	uint64_t base = page & ~(PT_SPAN - 1), end;
	struct mmu_runs runs;

	current->fault_spurious = true;
	mmu_runs_init(&runs);
	end = MIN(MIN(v->end, base + PT_SPAN), page + SPURIOUS_AROUND * PAGE_SIZE);
	spin_lock(&mm->pt_lock);
	uint64_t *pte = mmu_lookup(mm, page, NULL);
	for (uint64_t a = page; pte && a < end; a += PAGE_SIZE, pte++)
		if (*pte & PTE_P)
			mmu_runs_add(mm, &runs, a, *pte);
	spin_unlock(&mm->pt_lock);
	mmu_runs_send(mm, &runs);
	return 0;
}

/* mm->lock held for reading. */
static int fault_in_vma(struct vma *v, uint64_t page, unsigned how)
{
	struct mm *mm = v->mm;
	uint64_t e;
	int r;

	spin_lock(&mm->pt_lock);
	e = mmu_get(mm, page);
	spin_unlock(&mm->pt_lock);
	if (how & FAULT_UNKNOWN)
		how |= guess_access(v, e, how);
	r = check_access(v, how);
	if (r)
		return r;
	if (!e)
		return v->ops ? fault_object(v, page, how) : fault_anon(v, page, how);
	if (!(how & FAULT_WRITE) || (e & PTE_W))
		return spurious(v, page);
	if ((how & FAULT_FORCE) && (e & PTE_SW_ANON) && !(e & PTE_SW_COW))
		return 0;
	return v->flags & VMA_SHARED ? fault_object(v, page, how) : fault_cow(v, page, how);
}

int mm_fault(struct mm *mm, uint64_t addr, unsigned how)
{
	int r;

	if (addr >= USER_MAX || in_window(addr))
		return -EFAULT;
	for (;;) {
		struct vma *v;

		rwsem_read_lock(&mm->lock);
		v = vma_find(mm, addr);
		if (!v || v->start > addr) {
			bool grows = v && (v->flags & VMA_GROWSDOWN);

			rwsem_read_unlock(&mm->lock);
			r = grows ? grow_stack(mm, addr) : -EFAULT;
			if (r)
				return r;
			continue;
		}
		r = fault_in_vma(v, addr & PAGE_MASK, how);
		rwsem_read_unlock(&mm->lock);
		if (r != -EAGAIN)
			return r;
		cond_resched();
	}
}

/* A file window may have lost the page although the entry is there: then no fault makes it readable. */
static bool frame_readable(struct mm *mm, uint64_t addr)
{
	uint32_t word;
	bool ok = true;
	uint64_t e;

	spin_lock(&mm->pt_lock);
	e = mmu_get(mm, addr);
	if ((e & PTE_P) && pte_pa(e).v >= RAM_PA_END)
		ok = !arch_load32_fault(direct(pte_pa(e)), &word);
	spin_unlock(&mm->pt_lock);
	return ok;
}

int mm_fault_in(struct mm *mm, uint64_t addr, bool write)
{
	return mm_fault(mm, addr, write ? FAULT_WRITE : 0) || !frame_readable(mm, addr) ? -EFAULT : 0;
}

/* A reservation across the window has a vma but no entries: its faults are protection faults. */
static bool has_vma(struct mm *mm, uint64_t addr)
{
	struct vma *v;
	bool has;

	rwsem_read_lock(&mm->lock);
	v = vma_find(mm, addr);
	has = v && v->start <= addr;
	rwsem_read_unlock(&mm->lock);
	return has;
}

/* Faults of unknown kind that resolve to nothing new, again and again at one instruction, are writes (or fetches) that
 * the vma forbids. */
static bool is_stuck(uint64_t addr, uint64_t error_code)
{
	struct task *t = current;

	if (!(error_code & PF_UNKNOWN) || !t->fault_spurious) {
		t->fault_repeat = 0;
		return false;
	}
	if (t->fault_addr != addr || t->fault_rip != t->uc.regs.rip) {
		t->fault_addr = addr;
		t->fault_rip = t->uc.regs.rip;
		t->fault_repeat = 0;
	}
	return ++t->fault_repeat > UNKNOWN_REPEATS;
}

static int writable_vma(struct mm *mm, uint64_t addr)
{
	struct vma *v;
	bool w;

	rwsem_read_lock(&mm->lock);
	v = vma_find(mm, addr);
	w = v && v->start <= addr && (v->prot & PROT_WRITE) && (v->prot & PROT_EXEC);
	rwsem_read_unlock(&mm->lock);
	return w;
}

/* What the application is told: the kernel's half is forbidden, as it is on Linux, and the window is a hole. What the page
 * tables really hold there is nobody's business. */
static uint64_t shown_error(uint64_t addr, uint64_t error_code)
{
	uint64_t e = error_code & 0xffff;

	if (addr >= USER_MAX)
		return e | PF_PRESENT;
	return in_window(addr) ? e & ~(uint64_t)PF_PRESENT : e;
}

void mm_handle_fault(uint64_t addr, uint64_t error_code)
{
	struct task *t = current;
	struct mm *mm = t->mm;
	unsigned how = 0;
	int r;

	if (error_code & PF_UNKNOWN)
		how |= FAULT_UNKNOWN;
	else if (error_code & PF_WRITE)
		how |= FAULT_WRITE;
	else if (error_code & PF_INSTR)
		how |= FAULT_EXEC;
	if (error_code & PF_PRESENT)
		how |= FAULT_PRESENT;

	t->min_flt++;
	t->fault_spurious = false;
	r = mm_fault(mm, addr, how);
	if (!r && is_stuck(addr, error_code)) {
		t->fault_repeat = 0;
		if (!writable_vma(mm, addr))
			r = -EACCES;
	}
	switch (r) {
	case 0:
		return;
	case -EACCES:
		signal_fault(SIGSEGV, SEGV_ACCERR, addr, 14, shown_error(addr, error_code));
		return;
	case -ENXIO:
		signal_fault(SIGBUS, BUS_ADRERR, addr, 14, shown_error(addr, error_code));
		return;
	case -ENOMEM:
		/* The OOM killer had its chance; if it was not this task, the instruction tries again. */
		if (!fatal_signal_pending(t))
			oom_kill();
		cond_resched();
		return;
	default:
		signal_fault(SIGSEGV, in_window(addr) && has_vma(mm, addr) ? SEGV_ACCERR : SEGV_MAPERR, addr, 14,
		             shown_error(addr, error_code));
		return;
	}
}
