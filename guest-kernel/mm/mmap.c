/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmap(2): choice of the address, limits, the new vma. Addresses are chosen top-down from mm->mmap_top as on Linux.
 *
 * The window of the Sentry is refused, except that inaccessible private anonymous mappings may lie across it
 * (sanitizers reserve such ranges): they are vmas without entries, and making them accessible fails with ENOMEM.
 */
#include "mm/mm_impl.h"

#include <linux/mount.h>
#include <linux/personality.h>

#include "signal/signal.h"

#define MMAP_32BIT_LOW  0x40000000UL
#define MMAP_32BIT_HIGH 0x80000000UL
#define FALLBACK_FLOOR  USER_MIN

static bool meets_window(uint64_t start, uint64_t len)
{
	return start < WINDOW_END && start + len > WINDOW_BASE;
}

int mm_check_range(uint64_t addr, uint64_t len, bool inaccessible)
{
	if (addr & (PAGE_SIZE - 1))
		return -EINVAL;
	if (len > USER_MAX || addr > USER_MAX - len)
		return -ENOMEM;
	if (addr < USER_MIN)
		return -EPERM;
	return meets_window(addr, len) && !inaccessible ? -ENOMEM : 0;
}

/* ---- free ranges; mm->lock held ---- */
/* A stack may still grow: nothing is put right below it. */
static uint64_t guarded_start(const struct vma *v)
{
	if (!(v->flags & VMA_GROWSDOWN))
		return v->start;
	return v->start > STACK_GUARD_GAP ? v->start - STACK_GUARD_GAP : 0;
}

static bool is_free(struct mm *mm, uint64_t start, uint64_t len)
{
	struct vma *v = vma_find(mm, start);

	return !v || start + len <= guarded_start(v);
}

/* The highest place for len bytes in the hole [lo, hi), keeping out of the window; 0: none. */
static uint64_t fit(uint64_t lo, uint64_t hi, uint64_t len)
{
	if (hi > WINDOW_END) {
		uint64_t l = MAX(lo, WINDOW_END);

		if (l < hi && hi - l >= len)
			return hi - len;
		hi = WINDOW_END;
	}
	if (hi > WINDOW_BASE)
		hi = WINDOW_BASE;
	return lo < hi && hi - lo >= len ? hi - len : 0;
}

/* Top-down in [floor, ceil). *hole grows to the largest hole passed over. 0: none. */
static uint64_t search(struct mm *mm, uint64_t len, uint64_t floor, uint64_t ceil, uint64_t *hole)
{
	uint64_t top = ceil;
	struct vma *v = vma_find(mm, ceil - 1);

	if (!v)
		v = mm->vmas.node ? rb_entry(rb_last(&mm->vmas), struct vma, node) : NULL;
	else if (v->start >= ceil) {
		top = MIN(top, guarded_start(v));
		v = vma_prev(v);
	}
	for (;;) {
		uint64_t lo = v ? MAX(v->end, floor) : floor, at;

		if (top > lo) {
			at = fit(lo, top, len);
			if (at)
				return at;
			*hole = MAX(*hole, top - lo);
		}
		if (!v || v->start <= floor)
			return 0;
		top = MIN(top, guarded_start(v));
		v = vma_prev(v);
	}
}

int64_t mm_find_free(struct mm *mm, uint64_t hint, uint64_t len, uint64_t below)
{
	uint64_t at, hole = 0;

	if (len > USER_MAX - USER_MIN)
		return -ENOMEM;
	hint = PAGE_ALIGN(hint);
	if (hint && !below) {
		hint = MAX(hint, USER_MIN);
		if (hint <= USER_MAX - len && !meets_window(hint, len) && is_free(mm, hint, len))
			return hint;
	}
	if (below) {
		at = search(mm, len, MMAP_32BIT_LOW, below, &hole);
		return at ? (int64_t)at : -ENOMEM;
	}
	if (len <= mm->free_hole) {
		mm->free_hole = 0;
		mm->free_cache = mm->mmap_top;
	}
	hole = mm->free_hole;
	at = search(mm, len, USER_MIN, mm->free_cache, &hole);
	if (at) {
		mm->free_cache = at;
		mm->free_hole = hole;
		return at;
	}
	at = search(mm, len, FALLBACK_FLOOR, USER_MAX, &hole);
	return at ? (int64_t)at : -ENOMEM;
}

/* ---- limits; mm->lock held ---- */
static bool mem_locked_too_much(struct mm *mm, uint64_t npages)
{
	return mm->locked_vm + npages > rlimit_cur(RLIMIT_MEMLOCK) >> PAGE_SHIFT && !capable(CAP_IPC_LOCK);
}

int mm_may_expand(struct mm *mm, uint64_t npages, uint32_t prot, uint32_t flags)
{
	struct page_stats s;

	if (mm->total_vm + npages > rlimit_cur(RLIMIT_AS) >> PAGE_SHIFT)
		return -ENOMEM;
	if (vma_is_data(prot, flags) && mm->data_vm + npages > rlimit_cur(RLIMIT_DATA) >> PAGE_SHIFT)
		return -ENOMEM;
	if ((flags & VMA_LOCKED) && mem_locked_too_much(mm, npages))
		return -EAGAIN;
	/* Heuristic overcommit: only what could never be had is refused. */
	if (vma_is_data(prot, flags) && !(flags & VMA_NORESERVE)) {
		page_stats(&s);
		if (npages > s.limit)
			return -ENOMEM;
	}
	return 0;
}

/* ---- the new vma ---- */
struct request {
	uint64_t addr, len, pgoff;
	uint32_t prot, flags; /* MAP_* */
	struct file *file;
};

static bool is_shared(const struct request *q)
{
	return (q->flags & MAP_TYPE) != MAP_PRIVATE;
}

/* Errors of mmap(2) that depend on the file and the flags alone. */
static int check_request(const struct request *q)
{
	const struct file *f = q->file;
	uint32_t type = q->flags & MAP_TYPE;

	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE && f &&
	    (q->flags & ~(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE |
	                  MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_32BIT |
	                  MAP_FIXED_NOREPLACE | 0x03f << MAP_HUGE_SHIFT)))
		return -EOPNOTSUPP;
	if (type == MAP_SHARED_VALIDATE && !f)
		return -EINVAL;
	if ((q->flags & MAP_GROWSDOWN) && (is_shared(q) || f))
		return -EINVAL;
	if (!f)
		return 0;
	if (q->pgoff + (q->len >> PAGE_SHIFT) < q->pgoff || q->pgoff + (q->len >> PAGE_SHIFT) > INT64_MAX >> PAGE_SHIFT)
		return -EOVERFLOW;
	if (!(f->mode & FMODE_READ))
		return -EACCES;
	if (is_shared(q) && (q->prot & PROT_WRITE) && !(f->mode & FMODE_WRITE))
		return -EACCES;
	if ((q->prot & PROT_EXEC) && f->path.mnt && (f->path.mnt->flags & MS_NOEXEC))
		return -EPERM;
	return f->ops && f->ops->mmap ? 0 : -ENODEV;
}

static uint32_t vma_flags_of(struct mm *mm, const struct request *q)
{
	const struct file *f = q->file;
	uint32_t flags = VMA_MAYREAD | VMA_MAYWRITE | VMA_MAYEXEC;

	if (is_shared(q)) {
		flags |= VMA_SHARED;
		if (f && !(f->mode & FMODE_WRITE))
			flags &= ~VMA_MAYWRITE;
	}
	if (f && f->path.mnt && (f->path.mnt->flags & MS_NOEXEC))
		flags &= ~VMA_MAYEXEC;
	if (q->flags & MAP_GROWSDOWN)
		flags |= VMA_GROWSDOWN;
	if (q->flags & MAP_NORESERVE)
		flags |= VMA_NORESERVE;
	if (q->flags & MAP_LOCKED)
		flags |= VMA_LOCKED;
	return flags | mm->def_flags;
}

/* A vma with its object, not yet at an address: [0, len). No locks. */
static int make_vma(struct mm *mm, const struct request *q, struct vma **out)
{
	struct vma *v = vma_alloc(mm);
	int r = 0;

	if (!v)
		return -ENOMEM;
	v->end = q->len;
	v->prot = q->prot;
	v->flags = vma_flags_of(mm, q);
	v->pgoff = q->file ? q->pgoff : 0;
	if (q->file) {
		file_get(q->file);
		v->file = q->file;
		r = q->file->ops->mmap(q->file, v);
		if (!r && !v->ops && (v->flags & VMA_SHARED))
			r = vma_make_shared_anon(v);
	} else if (v->flags & VMA_SHARED) {
		r = vma_make_shared_anon(v);
	}
	if (r) {
		v->ops = NULL; /* nothing was opened */
		vma_free(v);
		return r;
	}
	*out = v;
	return 0;
}

static bool is_fixed(const struct request *q)
{
	return q->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
}

/* mm->lock held. Puts v at its place; what was there goes on dead. The address or -errno. */
static int64_t place_vma(struct mm *mm, const struct request *q, struct vma *v, struct list_node *dead)
{
	bool inaccessible = !q->prot && vma_is_private_anon(v);
	int64_t addr = q->addr;
	struct vma *o;
	int r;

	if (is_fixed(q)) {
		r = mm_check_range(q->addr, q->len, inaccessible);
		if (r)
			return r;
		o = vma_find(mm, q->addr);
		if ((q->flags & MAP_FIXED_NOREPLACE) && o && o->start < q->addr + q->len)
			return -EEXIST;
	} else {
		addr = mm_find_free(mm, q->addr, q->len, q->flags & MAP_32BIT ? MMAP_32BIT_HIGH : 0);
		if (addr < 0)
			return addr;
	}
	/* +2: what a fixed mapping replaces may have to be split. */
	if (mm->nr_vmas + 2 > MAX_MAP_COUNT)
		return -ENOMEM;
	r = mm_may_expand(mm, q->len >> PAGE_SHIFT, v->prot, v->flags);
	if (r)
		return r;
	if (is_fixed(q)) {
		r = munmap_locked(mm, addr, addr + q->len, dead);
		if (r)
			return r;
	}
	v->start = addr;
	v->end = addr + q->len;
	if (!v->ops && !v->file)
		v->pgoff = addr >> PAGE_SHIFT;
	vma_insert(v);
	vma_merge(v);
	return addr;
}

int64_t mm_mmap(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, struct file *file,
                uint64_t pgoff)
{
	struct request q = {.addr = addr, .len = PAGE_ALIGN(len), .pgoff = pgoff, .prot = prot, .flags = flags, .file = file};
	struct list_node dead = LIST_INIT(dead);
	struct task *t = current;
	bool populate;
	struct vma *v;
	int64_t r;

	if (!len)
		return -EINVAL;
	if (!q.len || q.len > USER_MAX)
		return -ENOMEM;
	if ((prot & PROT_READ) && t && (t->personality & READ_IMPLIES_EXEC) &&
	    !(file && file->path.mnt && (file->path.mnt->flags & MS_NOEXEC)))
		q.prot |= PROT_EXEC;
	q.prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
	if (is_fixed(&q) && (addr & (PAGE_SIZE - 1)))
		return -EINVAL;
	r = check_request(&q);
	if (r)
		return r;
	if ((flags & MAP_LOCKED) && !rlimit_cur(RLIMIT_MEMLOCK) && !capable(CAP_IPC_LOCK))
		return -EPERM;
	r = make_vma(mm, &q, &v);
	if (r)
		return r;
	populate = (v->flags & VMA_LOCKED) || (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
	if (v->flags & VMA_LOCKONFAULT)
		populate = flags & MAP_POPULATE;

	rwsem_write_lock(&mm->lock);
	r = place_vma(mm, &q, v, &dead);
	rwsem_write_unlock(&mm->lock);
	vma_free_list(&dead);
	if (r < 0)
		vma_free(v);
	else if (populate)
		(void)mm_populate(mm, r, r + q.len, FAULT_POPULATE);
	return r;
}

int mm_populate(struct mm *mm, uint64_t start, uint64_t end, unsigned how)
{
	while (start < end) {
		struct vma *v;
		unsigned write = how & FAULT_WRITE;
		uint64_t next, e, *pte;
		int r;

		rwsem_read_lock(&mm->lock);
		v = vma_find(mm, start);
		if (!v || v->start >= end) {
			rwsem_read_unlock(&mm->lock);
			return 0;
		}
		start = MAX(start, v->start);
		next = v->end;
		if ((v->prot & PROT_WRITE) && !(v->flags & VMA_SHARED))
			write = FAULT_WRITE;
		if (!v->prot) {
			rwsem_read_unlock(&mm->lock);
			start = next;
			continue;
		}
		rwsem_read_unlock(&mm->lock);

		spin_lock(&mm->pt_lock);
		pte = mmu_lookup(mm, start, NULL);
		e = pte ? *pte : 0;
		spin_unlock(&mm->pt_lock);
		if (!(e & PTE_P) || (write && !(e & PTE_W))) {
			r = mm_fault(mm, start, (how & FAULT_POPULATE) | write);
			if (r)
				return r;
		}
		start += PAGE_SIZE;
		if (fatal_signal_pending(current))
			return -EFAULT;
	}
	return 0;
}
