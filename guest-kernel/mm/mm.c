/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life of an address space. Two counts: users (tasks, /proc readers) keep what is mapped; count keeps the structure,
 * for mapping_unmap, which must not run a teardown under its caller's locks.
 */
#include "mm/mm_impl.h"

#include <linux/personality.h>

#include "task/random.h"

void mm_init(void)
{
	struct page *zero = page_alloc(0, PAGE_ALLOC_ZERO);

	BUG_ON(!zero);
	mmu_zero_page = page_to_pa(zero);
	mmu_gather_init();
}

void mm_put_count(struct mm *mm)
{
	if (ref_put(&mm->count))
		kfree(mm);
}

/* As Linux chooses mmap_base: below the room for the stack, by a random distance of 28 bits of pages. */
static uint64_t choose_mmap_top(void)
{
	struct task *t = current;
	uint64_t gap = 8UL << 20, rnd = 0;

	if (t && t->proc && !t->is_kthread)
		gap = rlimit_cur(RLIMIT_STACK);
	if (!(t && (t->personality & ADDR_NO_RANDOMIZE))) {
		rnd = random_u64();
		gap = gap > UINT64_MAX / 2 ? gap : gap + (0x3fffffUL << PAGE_SHIFT); /* the stack's own randomisation */
	}
	gap = MIN(MAX(gap, 128UL << 20), USER_MAX / 6 * 5) + STACK_GUARD_GAP;
	/* Never below the window's end by choice: the lower half stays for executables and fixed reservations. */
	gap = MIN(gap, USER_MAX - WINDOW_END - (2UL << 40));
	return (USER_MAX - gap - ((rnd & 0xfffffff) << PAGE_SHIFT)) & PAGE_MASK;
}

struct mm *mm_create(void)
{
	struct mm *mm = kzalloc(sizeof(*mm));

	if (!mm)
		return NULL;
	mm->pml4 = mmu_create();
	if (!mm->pml4.v) {
		kfree(mm);
		return NULL;
	}
	ref_init(&mm->users);
	ref_init(&mm->count);
	rwsem_init(&mm->lock);
	rwsem_init(&mm->as_lock);
	spin_init(&mm->pt_lock);
	mm->mmap_top = mm->free_cache = choose_mmap_top();
	mm->dumpable = true;
	if (hostcall1(HC_AS_CREATE, mm->pml4.v) < 0) {
		mmu_free_root(mm, false);
		kfree(mm);
		return NULL;
	}
	return mm;
}

void mm_get(struct mm *mm)
{
	ref_get(&mm->users);
}

void mm_hold(struct mm *mm)
{
	ref_get(&mm->count);
}

void mm_release(struct mm *mm)
{
	mm_put_count(mm);
}

bool mm_get_live(struct mm *mm)
{
	return ref_get_unless_zero(&mm->users);
}

void mm_put(struct mm *mm)
{
	struct list_node dead = LIST_INIT(dead);
	int64_t r;

	if (!mm || !ref_put(&mm->users))
		return;
	/* The tables are still whole: platforms walk them to forget what they shadowed. */
	rwsem_write_lock(&mm->as_lock);
	mm->dead = true;
	r = hostcall1(HC_AS_DESTROY, mm->pml4.v);
	if (r < 0)
		panic("mm: the host cannot forget an address space");
	rwsem_write_unlock(&mm->as_lock);
	mmu_clear(mm, r);
	for (struct vma *v = vma_first(mm); v; v = vma_first(mm)) {
		vma_remove(v);
		list_add_tail(&v->mapping_link, &dead);
	}
	/* mapping_unmap walks tables only of vmas that a mapping lists: nobody looks at the root any more. */
	mmu_free_root(mm, r);
	mmu_purge();
	vma_free_list(&dead);
	if (mm->exe_file) {
		inode_allow_write(mm->exe_file->inode);
		file_put(mm->exe_file);
	}
	mm_put_count(mm);
}
