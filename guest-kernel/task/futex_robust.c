// SPDX-License-Identifier: Apache-2.0
/*
 * Robust lists (get_robust_list(2)): when a thread ends, the futexes on its list that it still owns are marked
 * FUTEX_OWNER_DIED and a waiter is woken. The list is in application memory: every pointer is hostile, and the walk ends
 * after ROBUST_LIST_LIMIT entries.
 */
#include "task/futex_impl.h"

#include "syscall/syscall.h"
#include "task/user_ns.h"

#define PI_BIT 1UL

/* Marks one futex. -EFAULT ends the walk. */
static int owner_died(uint64_t addr, bool pi, bool pending)
{
	uint32_t cur, seen;

	if (addr % sizeof(uint32_t))
		return -EFAULT;
	if (user_load32(uva(addr), &cur))
		return -EFAULT;
	for (;;) {
		/* Died between unlocking in user space and the wake-up. */
		if (pending && !pi && !(cur & FUTEX_TID_MASK)) {
			(void)futex_wake(uva(addr), true, 1, FUTEX_BITSET_MATCH_ANY);
			return 0;
		}
		if ((cur & FUTEX_TID_MASK) != (uint32_t)current->vtid)
			return 0;
		if (user_cmpxchg32(uva(addr), cur, (cur & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen))
			return -EFAULT;
		if (seen == cur)
			break;
		cur = seen;
	}
	/* Waiters of a PI futex are served by futex_pi_exit. */
	if (!pi && (cur & FUTEX_WAITERS))
		(void)futex_wake(uva(addr), true, 1, FUTEX_BITSET_MATCH_ANY);
	return 0;
}

static void walk_robust_list(struct task *t)
{
	struct {
		uint64_t next;
		int64_t offset;
		uint64_t pending;
	} head;
	uint64_t entry, next, pending;
	bool pi, pending_pi;

	if (!t->robust_list || copy_in_struct(&head, uva(t->robust_list)))
		return;
	pending = head.pending & ~PI_BIT;
	pending_pi = head.pending & PI_BIT;
	entry = head.next & ~PI_BIT;
	pi = head.next & PI_BIT;
	for (int n = 0; entry != t->robust_list && n < ROBUST_LIST_LIMIT; n++) {
		/* Read the link first: the waiter that we wake may free the entry. */
		bool end = copy_in_struct(&next, uva(entry)) != 0;

		if (entry != pending && owner_died(entry + (uint64_t)head.offset, pi, false))
			return;
		if (end)
			return;
		entry = next & ~PI_BIT;
		pi = next & PI_BIT;
		cond_resched();
	}
	if (pending)
		(void)owner_died(pending + (uint64_t)head.offset, pending_pi, true);
}

void futex_exit(struct task *t)
{
	if (t->mm)
		walk_robust_list(t);
	t->robust_list = 0;
	futex_pi_exit(t);
	if (!t->sig.exiting)
		futex_pi_revive(t);
}

int64_t sys_set_robust_list(const struct sysargs *a)
{
	uint64_t head = arg_u64(a, 0), len = arg_u64(a, 1);

	if (len != sizeof(struct robust_list_head))
		return -EINVAL;
	current->robust_list = head;
	current->robust_list_len = len;
	return 0;
}

int64_t sys_get_robust_list(const struct sysargs *a)
{
	int pid = arg_int(a, 0);
	uva_t uhead = arg_uva(a, 1), ulen = arg_uva(a, 2);
	uint64_t head, len = sizeof(struct robust_list_head);
	struct task *t = pid ? task_find_user(pid) : current;
	int err = 0;

	if (!t)
		return -ESRCH;
	/* As for ptrace: the same user, or the capability. */
	if (t != current && t->proc != current->proc && !task_capable_over(t, CAP_SYS_PTRACE)) {
		spin_lock(&t->lock);
		if (!t->cred || t->cred->uid != current->cred->uid || t->cred->euid != current->cred->uid ||
		    t->cred->suid != current->cred->uid)
			err = -EPERM;
		spin_unlock(&t->lock);
	}
	head = READ_ONCE(t->robust_list);
	if (pid)
		task_put(t);
	if (err)
		return err;
	if (copy_out_struct(ulen, &len) || copy_out_struct(uhead, &head))
		return -EFAULT;
	return 0;
}
