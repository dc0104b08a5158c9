/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of mm/ share among themselves. */
#ifndef MM_MM_IMPL_H
#define MM_MM_IMPL_H

#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/mmu.h"
#include "task/task.h"

#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PAGE_ALIGN(x) (((x) + PAGE_SIZE - 1) & PAGE_MASK)
#define MAX_MAP_COUNT 65530u         /* vm.max_map_count */
#define STACK_GUARD_GAP (256 * PAGE_SIZE)

/* ---- mm.c ---- */
void mm_put_count(struct mm *mm); /* drops what ref_get(&mm->count) took */

/* ---- vma.c: the tree. mm->lock held for writing unless said otherwise. ---- */
struct vma_label {
	ref_t refs;
	char text[88]; /* "[anon:NAME]" */
};
struct vma *vma_alloc(struct mm *mm);
/* A copy with its own references, not in any tree; ops->open is the caller's to call. NULL: out of memory. */
struct vma *vma_dup(const struct vma *v, struct mm *mm);
void vma_insert(struct vma *v);
/* Out of the tree and its mapping; the vma stays valid for vma_free. */
void vma_remove(struct vma *v);
/* Without locks: ops->close, references, memory. */
void vma_free(struct vma *v);
/* Changes the range with the accounts; the order in the tree must stay. */
void vma_set_range(struct vma *v, uint64_t start, uint64_t end, uint64_t pgoff);
/* Changes protection and flags with the accounts. */
void vma_set_prot(struct vma *v, uint32_t prot, uint32_t flags);
/* Splits whatever straddles start or end. */
int vma_isolate(struct mm *mm, uint64_t start, uint64_t end) MUST_CHECK;
/* Joins v with equal neighbours; returns the survivor. */
struct vma *vma_merge(struct vma *v);
struct vma *vma_prev(struct vma *v);
struct vma *vma_first(struct mm *mm);
static inline bool vma_is_private_anon(const struct vma *v) { return !v->ops && !(v->flags & VMA_SHARED); }
static inline uint64_t vma_pages(const struct vma *v) { return (v->end - v->start) >> PAGE_SHIFT; }
static inline uint64_t vma_pgoff(const struct vma *v, uint64_t addr)
{
	return v->pgoff + ((addr - v->start) >> PAGE_SHIFT);
}
/* Private and writable: what overcommit and RLIMIT_DATA count. */
static inline bool vma_is_data(uint32_t prot, uint32_t flags)
{
	return (prot & PROT_WRITE) && !(flags & (VMA_SHARED | VMA_GROWSDOWN));
}

/* ---- mapping.c ---- */
void mapping_link(struct vma *v);
void mapping_unlink(struct vma *v);
void mapping_forget(struct vma *v); /* of a vma that was never linked */
bool mapping_has(struct mapping *m, uint64_t index);

/* ---- shm_anon.c ---- */
bool vma_is_shared_anon(const struct vma *v);
void *shm_anon_get(struct vma *v);
void shm_anon_put(void *object);
void shm_anon_punch(void *object, uint64_t first, uint64_t last);

/* ---- mmap.c, munmap.c ---- */
/* Unmaps under mm->lock; the vmas go on dead (through mapping_link), for vma_free_list after unlocking. */
int munmap_locked(struct mm *mm, uint64_t start, uint64_t end, struct list_node *dead) MUST_CHECK;
void vma_free_list(struct list_node *dead);
/* May the address space grow by npages with this protection? 0, -ENOMEM, -EAGAIN (locked memory). */
int mm_may_expand(struct mm *mm, uint64_t npages, uint32_t prot, uint32_t flags) MUST_CHECK;
/* A free range as mmap(2) chooses it: address or -ENOMEM. hint 0: none. below: exclusive upper bound or 0. */
int64_t mm_find_free(struct mm *mm, uint64_t hint, uint64_t len, uint64_t below);
/* Can a fixed mapping go here? 0, -EINVAL, -ENOMEM, -EPERM. inaccessible: PROT_NONE private anonymous memory. */
int mm_check_range(uint64_t addr, uint64_t len, bool inaccessible) MUST_CHECK;
/* Makes all pages present (MAP_POPULATE, mlock). No locks. Stops at the first failure: 0 or -ENOMEM, -EFAULT. */
int mm_populate(struct mm *mm, uint64_t start, uint64_t end, unsigned how);

/* ---- fault.c ---- */
#define FAULT_WRITE    1u
#define FAULT_EXEC     2u
#define FAULT_UNKNOWN  4u  /* a read or a write */
#define FAULT_PRESENT  8u  /* the CPU or mirror had an entry */
#define FAULT_FORCE    16u /* ptrace: protections of the vma do not count */
#define FAULT_POPULATE 32u /* large windows */
/* 0, -EFAULT (nothing mapped), -EACCES (protection), -ENXIO (SIGBUS), -ENOMEM. No locks. */
int mm_fault(struct mm *mm, uint64_t addr, unsigned how) MUST_CHECK;
/* Parts of it; mm->lock held for reading. -EAGAIN: look again. */
int fault_anon(struct vma *v, uint64_t page, unsigned how);
int fault_cow(struct vma *v, uint64_t page, unsigned how);
int fault_object(struct vma *v, uint64_t page, unsigned how);
/* Window of pages around a fault for which work is done at once: [*lo, *hi) within v and one page table. */
void fault_window(struct vma *v, uint64_t page, unsigned how, unsigned first, unsigned max, uint64_t *lo, uint64_t *hi);
/* Leaf bits of v without W. */
uint64_t fault_bits(const struct vma *v);
/* 4 KiB from a frame of RAM or a file window; false: the file ended. */
bool fault_copy_frame(void *dst, pa_t src);

#endif
