/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NUMA policies on a machine with one memory node: arguments are checked as Linux does, then there is nothing to
 * choose. No policy is remembered: get_mempolicy(2) always answers MPOL_DEFAULT.
 */
#include "mm/mm_impl.h"
#include "syscall/syscall.h"

#include <linux/mempolicy.h>

/* Reads a mask: *node0 is whether node 0 is in it. Other nodes are -EINVAL. */
static int read_mask(uva_t mask, uint64_t maxnode, bool *node0)
{
	uint64_t word, bits = maxnode ? maxnode - 1 : 0;

	*node0 = false;
	if (!mask.v || !bits)
		return 0;
	if (bits > PAGE_SIZE * 8)
		return -EINVAL;
	for (uint64_t i = 0; i < bits; i += 64) {
		if (copy_in(&word, uva_add(mask, i / 8), sizeof(word)))
			return -EFAULT;
		if (bits - i < 64)
			word &= (1UL << (bits - i)) - 1;
		if (!i) {
			*node0 = word & 1;
			word &= ~1UL;
		}
		if (word)
			return -EINVAL;
	}
	return 0;
}

static int check_policy(uint32_t mode, uva_t mask, uint64_t maxnode)
{
	uint32_t flags = mode & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING);
	bool node0;
	int r;

	mode &= ~flags;
	if (mode >= MPOL_MAX || (flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES)) ==
	                                (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES))
		return -EINVAL;
	if ((flags & MPOL_F_NUMA_BALANCING) && mode != MPOL_BIND)
		return -EINVAL;
	r = read_mask(mask, maxnode, &node0);
	if (r)
		return r;
	switch (mode) {
	case MPOL_DEFAULT:
	case MPOL_LOCAL:
		return node0 || (mode == MPOL_LOCAL && flags) ? -EINVAL : 0;
	case MPOL_PREFERRED:
		return !node0 && (flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES)) ? -EINVAL : 0;
	default:
		return node0 ? 0 : -EINVAL;
	}
}

int64_t sys_set_mempolicy(const struct sysargs *a)
{
	return check_policy(arg_u32(a, 0), arg_uva(a, 1), arg_u64(a, 2));
}

int64_t sys_mbind(const struct sysargs *a)
{
	uint64_t start = arg_u64(a, 0), len = PAGE_ALIGN(arg_u64(a, 1)), end = start + len;
	uint32_t flags = arg_u32(a, 5);
	struct mm *mm = current->mm;
	int r;

	if ((start & (PAGE_SIZE - 1)) || end < start ||
	    (flags & ~(uint32_t)(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)))
		return -EINVAL;
	if ((flags & MPOL_MF_MOVE_ALL) && !capable(CAP_SYS_NICE))
		return -EPERM;
	r = check_policy(arg_u32(a, 2), arg_uva(a, 3), arg_u64(a, 4));
	if (r || start == end)
		return r;
	rwsem_read_lock(&mm->lock);
	for (uint64_t at = start; at < end && !r;) {
		struct vma *v = vma_find(mm, at);

		if (!v || v->start > at)
			r = -EFAULT;
		else
			at = v->end;
	}
	rwsem_read_unlock(&mm->lock);
	return r;
}

int64_t sys_get_mempolicy(const struct sysargs *a)
{
	uva_t mode = arg_uva(a, 0), mask = arg_uva(a, 1);
	uint64_t maxnode = arg_u64(a, 2), addr = arg_u64(a, 3), flags = arg_u64(a, 4);
	bool nodes = flags & MPOL_F_MEMS_ALLOWED;
	int answer = MPOL_DEFAULT;

	if (flags & ~(uint64_t)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
		return -EINVAL;
	if (mask.v && maxnode < 1)
		return -EINVAL;
	if (nodes && (flags & (MPOL_F_NODE | MPOL_F_ADDR)))
		return -EINVAL;
	if (flags & MPOL_F_ADDR) {
		struct mm *mm = current->mm;
		struct vma *v;
		bool mapped;

		rwsem_read_lock(&mm->lock);
		v = vma_find(mm, addr);
		mapped = v && v->start <= addr;
		rwsem_read_unlock(&mm->lock);
		if (!mapped || ((flags & MPOL_F_NODE) && mm_fault_in(mm, addr, false)))
			return -EFAULT;
		if (flags & MPOL_F_NODE)
			answer = 0; /* the page's node */
	} else if (addr) {
		return -EINVAL;
	} else if (flags & MPOL_F_NODE) {
		return -EINVAL; /* asks for the next node of an interleave policy that is not set */
	}
	if (mode.v && copy_out_struct(mode, &answer))
		return -EFAULT;
	if (mask.v && maxnode) {
		uint64_t word = nodes ? 1 : 0, bytes = MIN(((maxnode - 1 + 63) & ~63UL) / 8, PAGE_SIZE);

		if (bytes && (copy_out_struct(mask, &word) ||
		              (bytes > sizeof(word) && clear_user(uva_add(mask, sizeof(word)), bytes - sizeof(word)))))
			return -EFAULT;
	}
	return 0;
}
