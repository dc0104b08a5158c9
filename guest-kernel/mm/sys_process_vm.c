/* SPDX-License-Identifier: Apache-2.0 */
/* process_vm_readv(2), process_vm_writev(2): bytes between two address spaces, through a bounce buffer. */
#include "mm/mm_impl.h"
#include "syscall/syscall.h"

#define CHUNK (16 * PAGE_SIZE)

static int open_mm(int pid, struct mm **out)
{
	struct task *t = task_find_user(pid);
	struct mm *mm;

	if (!t)
		return -ESRCH;
	mm = t->is_kthread ? NULL : ptrace_get_mm(t, false);
	task_put(t);
	if (!mm || IS_ERR(mm))
		return mm ? PTR_ERR(mm) : -ESRCH;
	*out = mm;
	return 0;
}

/* One element of the remote vector. Bytes moved; short where either side ends. */
static size_t transfer(struct mm *mm, uint64_t addr, size_t len, struct iter *local, bool write, void *buf, bool *fault)
{
	size_t done = 0;

	while (done < len && local->count) {
		size_t n = MIN(MIN(len - done, CHUNK), local->count), moved;
		ssize_t_ r;

		if (write) {
			n = iter_copy_from(local, buf, n);
			r = n ? mm_copy_out(mm, addr + done, buf, n, false) : 0;
			moved = r > 0 ? r : 0;
			if (moved < n)
				*fault = true;
		} else {
			r = mm_copy_in(mm, buf, addr + done, n, false);
			moved = r > 0 ? iter_copy_to(local, buf, r) : 0;
			if (moved < n)
				*fault = true;
		}
		done += moved;
		if (*fault || !moved)
			break;
		cond_resched();
	}
	return done;
}

static int64_t process_vm(const struct sysargs *a, bool write)
{
	int pid = arg_int(a, 0);
	uint64_t rn = arg_u64(a, 4), flags = arg_u64(a, 5);
	struct uiovec fast[8], rfast[8], *lvec, *rvec = NULL;
	struct iter local, remote;
	struct mm *mm = NULL;
	void *buf = NULL;
	bool fault = false;
	int64_t r, total = 0;

	if (flags)
		return -EINVAL;
	r = iter_import(&local, arg_uva(a, 1), arg_u64(a, 2), !write, fast, &lvec);
	if (r)
		return r;
	if (!local.count)
		goto out;
	r = iter_import(&remote, arg_uva(a, 3), rn, write, rfast, &rvec);
	if (r)
		goto out;
	r = open_mm(pid, &mm);
	if (r)
		goto out;
	buf = kmalloc(CHUNK);
	if (!buf)
		r = -ENOMEM;
	for (uint64_t i = 0; buf && i < rn && local.count && !fault; i++)
		total += transfer(mm, rvec[i].base.v, rvec[i].len, &local, write, buf, &fault);
	mm_put(mm);
	kfree(buf);
	if (!r)
		r = total || !fault ? total : -EFAULT;
out:
	iter_free_vec(rvec, rfast);
	iter_free_vec(lvec, fast);
	return r;
}

int64_t sys_process_vm_readv(const struct sysargs *a)
{
	return process_vm(a, false);
}

int64_t sys_process_vm_writev(const struct sysargs *a)
{
	return process_vm(a, true);
}
