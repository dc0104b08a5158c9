/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies between kernel and application memory: a software walk finds the frame, the copy goes through the direct map
 * under pt_lock, so the frame cannot be freed meanwhile. What is not there (or not writable) is faulted in first, with
 * no lock held. Frames of file windows are touched only by the fault-tolerant routines.
 */
#include "mm/mm_impl.h"

enum { TO_USER = 1, CLEAR = 2, FORCE = 4 };

static bool entry_allows(uint64_t e, unsigned op)
{
	if (!(op & TO_USER))
		return (e & PTE_P) || (e && (op & FORCE));
	if (e & PTE_W)
		return e & PTE_P;
	return (op & FORCE) && (e & PTE_SW_ANON) && !(e & PTE_SW_COW);
}

/* The kernel's view of a user byte, with pt_lock held; NULL and no lock if the entry does not allow the access. */
static char *lock_user_byte(struct mm *mm, uint64_t addr, unsigned op, bool *in_ram)
{
	uint64_t e;

	spin_lock(&mm->pt_lock);
	e = mmu_get(mm, addr);
	if (!entry_allows(e, op)) {
		spin_unlock(&mm->pt_lock);
		return NULL;
	}
	*in_ram = pte_pa(e).v < RAM_PA_END;
	return (char *)direct(pte_pa(e)) + (addr & (PAGE_SIZE - 1));
}

static char *get_user_byte(struct mm *mm, uint64_t addr, unsigned op, bool *in_ram)
{
	unsigned how = (op & TO_USER ? FAULT_WRITE : 0) | (op & FORCE ? FAULT_FORCE : 0);
	char *p;

	while (!(p = lock_user_byte(mm, addr, op, in_ram)))
		if (mm_fault(mm, addr, how))
			return NULL;
	return p;
}

/* Bytes moved or cleared; short at a fault. */
static size_t user_copy(struct mm *mm, char *k, uint64_t addr, size_t n, unsigned op)
{
	static const char zeros[256];
	size_t done = 0;

	if (!mm || addr >= USER_MAX)
		return 0;
	n = MIN(n, USER_MAX - addr);
	while (done < n) {
		uint64_t a = addr + done;
		size_t step = MIN(n - done, PAGE_SIZE - (a & (PAGE_SIZE - 1))), left = 0;
		bool in_ram;
		char *p = get_user_byte(mm, a, op, &in_ram);

		if (!p)
			break;
		if (op & CLEAR) {
			if (in_ram)
				memset(p, 0, step);
			for (size_t i = 0; !in_ram && !left && i < step; i += sizeof(zeros)) {
				size_t part = MIN(step - i, sizeof(zeros));
				left = arch_copy_fault(p + i, zeros, part);
				if (left)
					left += step - i - part;
			}
		} else if (op & TO_USER) {
			if (in_ram)
				memcpy(p, k + done, step);
			else
				left = arch_copy_fault(p, k + done, step);
		} else {
			if (in_ram)
				memcpy(k + done, p, step);
			else
				left = arch_copy_fault(k + done, p, step);
		}
		spin_unlock(&mm->pt_lock);
		done += step - left;
		if (left)
			break;
	}
	return done;
}

size_t copy_in_partial(void *dst, uva_t src, size_t n)
{
	return user_copy(current->mm, dst, src.v, n, 0);
}

size_t copy_out_partial(uva_t dst, const void *src, size_t n)
{
	return user_copy(current->mm, (char *)src, dst.v, n, TO_USER);
}

int copy_in(void *dst, uva_t src, size_t n)
{
	return copy_in_partial(dst, src, n) == n ? 0 : -EFAULT;
}

int copy_out(uva_t dst, const void *src, size_t n)
{
	return copy_out_partial(dst, src, n) == n ? 0 : -EFAULT;
}

int clear_user(uva_t dst, size_t n)
{
	return user_copy(current->mm, NULL, dst.v, n, TO_USER | CLEAR) == n ? 0 : -EFAULT;
}

ssize_t_ copy_in_string(char *dst, uva_t src, size_t size)
{
	size_t done = 0;

	while (done < size) {
		uint64_t a = src.v + done;
		size_t step = MIN(size - done, PAGE_SIZE - (a & (PAGE_SIZE - 1)));
		size_t got = copy_in_partial(dst + done, uva(a), step);
		char *nul = memchr(dst + done, 0, got);

		if (nul)
			return nul - dst;
		if (got < step)
			return -EFAULT;
		done += step;
	}
	return -ENAMETOOLONG;
}

ssize_t_ mm_copy_in(struct mm *mm, void *dst, uint64_t src, size_t n, bool force)
{
	size_t r = user_copy(mm, dst, src, n, force ? FORCE : 0);

	return r || !n ? (ssize_t_)r : -EFAULT;
}

ssize_t_ mm_copy_out(struct mm *mm, uint64_t dst, const void *src, size_t n, bool force)
{
	size_t r = user_copy(mm, (char *)src, dst, n, TO_USER | (force ? FORCE : 0));

	return r || !n ? (ssize_t_)r : -EFAULT;
}

/* ---- 32-bit words ---- */
static bool word_ok(uva_t p)
{
	return !(p.v & 3) && p.v < USER_MAX && current->mm;
}

int user_load32_nofault(uva_t p, uint32_t *out)
{
	struct mm *mm = current->mm;
	bool in_ram;
	char *k;
	int r = 0;

	if (!word_ok(p))
		return -EFAULT;
	k = lock_user_byte(mm, p.v, 0, &in_ram);
	if (!k)
		return -EFAULT;
	if (in_ram)
		*out = atomic_load((uint32_t *)k);
	else
		r = arch_load32_fault((uint32_t *)k, out);
	spin_unlock(&mm->pt_lock);
	return r;
}

int user_cmpxchg32_nofault(uva_t p, uint32_t expect, uint32_t desired, uint32_t *old)
{
	struct mm *mm = current->mm;
	bool in_ram;
	char *k;
	int r = 0;

	if (!word_ok(p))
		return -EFAULT;
	k = lock_user_byte(mm, p.v, TO_USER, &in_ram);
	if (!k)
		return -EFAULT;
	if (in_ram) {
		*old = expect;
		__atomic_compare_exchange_n((uint32_t *)k, old, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	} else {
		r = arch_cmpxchg32_fault((uint32_t *)k, expect, desired, old);
	}
	spin_unlock(&mm->pt_lock);
	return r;
}

/* A frame that is there but whose file ended faults for good: one retry after a fault that changed nothing is enough. */
#define RETRIES 16

int user_load32(uva_t p, uint32_t *out)
{
	for (int i = 0; i < RETRIES; i++) {
		if (!user_load32_nofault(p, out))
			return 0;
		if (!word_ok(p) || mm_fault_in(current->mm, p.v, false))
			return -EFAULT;
	}
	return -EFAULT;
}

int user_cmpxchg32(uva_t p, uint32_t expect, uint32_t desired, uint32_t *old)
{
	for (int i = 0; i < RETRIES; i++) {
		if (!user_cmpxchg32_nofault(p, expect, desired, old))
			return 0;
		if (!word_ok(p) || mm_fault_in(current->mm, p.v, true))
			return -EFAULT;
	}
	return -EFAULT;
}
