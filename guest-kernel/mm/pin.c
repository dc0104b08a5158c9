/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User memory as direct-map ranges for hostcalls, and identities of futex words.
 *
 * A pin for writing counts in page->private of anonymous frames: fork copies such a page for the child at once, so that
 * what the host is about to write still arrives in the parent.
 */
#include "mm/mm_impl.h"

/* Adds one piece of a frame; joins it to the last range if they touch. False: no room. */
static bool add_piece(struct pin_set *s, uint64_t addr, size_t len)
{
	struct hc_iov *last = s->n ? &s->iov[s->n - 1] : NULL;

	if (last && last->addr + last->len == addr && (addr & (PAGE_SIZE - 1)) == 0) {
		last->len += len;
		return true;
	}
	if (s->n == HC_IOV_MAX)
		return false;
	s->iov[s->n++] = (struct hc_iov){.addr = addr, .len = len};
	return true;
}

/* Pins the bytes [addr, addr + len) of one page. 0, -EFAULT (no such entry yet), -EAGAIN, -ENOSPC. */
static int pin_piece(struct mm *mm, uint64_t addr, size_t len, bool write, struct pin_set *s)
{
	uint64_t e, k;
	struct page *p;
	int r = 0;

	spin_lock(&mm->pt_lock);
	e = mmu_get(mm, addr);
	if (!(e & PTE_P) || (write && !(e & PTE_W))) {
		r = -EFAULT;
		goto out;
	}
	p = pa_to_page(pte_pa(e));
	if (!p) {
		/* Nothing holds a window's frame: it may show another file while the host still reads it. */
		r = -EAGAIN;
		goto out;
	}
	k = (uint64_t)direct(pte_pa(e)) + (addr & (PAGE_SIZE - 1));
	if (!add_piece(s, k, len)) {
		r = -ENOSPC;
		goto out;
	}
	page_get(p);
	if (write && (p->flags & PG_ANON))
		atomic_add(&p->private, 1);
out:
	spin_unlock(&mm->pt_lock);
	return r;
}

ssize_t_ mm_pin_append(uva_t addr, size_t len, bool write, struct pin_set *out)
{
	struct mm *mm = current->mm;
	size_t done = 0;

	if (!mm || addr.v >= USER_MAX)
		return -EFAULT;
	len = MIN(len, USER_MAX - addr.v);
	while (done < len) {
		uint64_t a = addr.v + done;
		size_t step = MIN(len - done, PAGE_SIZE - (a & (PAGE_SIZE - 1)));
		int r = pin_piece(mm, a, step, write, out);

		if (r == -EFAULT && !mm_fault_in(mm, a, write))
			continue;
		if (r == -ENOSPC)
			break;
		if (r)
			return done ? (ssize_t_)done : r;
		done += step;
	}
	return done;
}

ssize_t_ mm_pin_kernel(void *buf, size_t len, struct pin_set *out)
{
	uint64_t a = (uint64_t)buf;

	out->n = 0;
	out->kernel = true;
	if (a < DIRECT_BASE || a - DIRECT_BASE >= RAM_PA_END)
		return -EAGAIN;
	out->iov[out->n++] = (struct hc_iov){.addr = a, .len = len};
	return len;
}

void mm_unpin(struct pin_set *s, bool dirtied)
{
	for (uint32_t i = 0; i < s->n && !s->kernel; i++) {
		uint64_t a = s->iov[i].addr & PAGE_MASK, end = s->iov[i].addr + s->iov[i].len;

		for (; a < end; a += PAGE_SIZE) {
			struct page *p = pa_to_page(pa(a - DIRECT_BASE));

			if (!p)
				continue;
			if (s->write && (p->flags & PG_ANON))
				atomic_sub(&p->private, 1);
			page_put(p);
		}
	}
	s->n = 0;
}

int mm_futex_key(uva_t p, bool shared, bool write, struct futex_key *key)
{
	struct mm *mm = current->mm;
	struct vma *v;
	int r;

	if (!mm || p.v >= USER_MAX)
		return -EFAULT;
	key->object = (uint64_t)mm;
	key->offset = p.v;
	if (!shared)
		return 0;
	r = mm_fault_in(mm, p.v, write);
	if (r)
		return r;
	rwsem_read_lock(&mm->lock);
	v = vma_find(mm, p.v);
	if (!v || v->start > p.v) {
		r = -EFAULT;
	} else if (v->mapping && (v->flags & VMA_SHARED)) {
		key->object = (uint64_t)v->mapping;
		key->offset = (v->pgoff << PAGE_SHIFT) + (p.v - v->start);
	} else {
		key->offset |= FUTEX_KEY_MM_SHARED; /* private memory: shared operations do not meet private ones */
	}
	rwsem_read_unlock(&mm->lock);
	return r;
}
