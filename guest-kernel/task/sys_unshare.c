/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unshare(2), setns(2). What threads share can be unshared (CLONE_FS, CLONE_FILES); there is one namespace of
 * each kind, so CLONE_NEW* answers EPERM without the capability and EINVAL with it, as a kernel without namespaces.
 */
#include <linux/sched.h>

#include "fs/proc/proc.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "mm/mm.h"
#include "syscall/syscall.h"
#include "task/task.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
                    CLONE_NEWNET | CLONE_NEWTIME)

static int unshare_fs(struct task *t)
{
	struct fs_context *old = t->fs;

	if (atomic_load(&old->refs.n) == 1)
		return 0;
	struct fs_context *copy = fs_context_copy(old);
	if (!copy)
		return -ENOMEM;
	spin_lock(&t->lock);
	t->fs = copy;
	spin_unlock(&t->lock);
	fs_context_put(old);
	return 0;
}

static int unshare_files(struct task *t)
{
	struct files *old = t->files;

	if (!files_shared(old))
		return 0;
	struct files *copy = files_copy(old);
	if (!copy)
		return -ENOMEM;
	spin_lock(&t->lock);
	t->files = copy;
	spin_unlock(&t->lock);
	files_put(old);
	return 0;
}

int64_t sys_unshare(const struct sysargs *a)
{
	uint64_t flags = arg_u64(a, 0);
	struct task *t = current;

	if (flags & ~(uint64_t)(CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM | NAMESPACES))
		return -EINVAL;
	if (flags & NAMESPACES) {
		if (!(flags & CLONE_NEWUSER) && !capable(CAP_SYS_ADMIN))
			return -EPERM;
		pr_debug("%s[%d]: unshare of namespaces %lx refused: there are none inside the sandbox", t->comm, t->vtid,
		         flags & NAMESPACES);
		return -EINVAL;
	}
	/* Memory and handlers can only be "unshared" by who shares them with nobody. */
	if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && READ_ONCE(t->proc->nr_threads) > 1)
		return -EINVAL;
	if ((flags & CLONE_VM) && atomic_load(&t->mm->users.n) > 1)
		return -EINVAL;
	int err = flags & CLONE_FS ? unshare_fs(t) : 0;
	if (!err && (flags & CLONE_FILES))
		err = unshare_files(t);
	return err;
}

/* There is nowhere to go: joining the namespace that one is in is all there is, and a user namespace cannot even be
 * joined again (setns(2)). */
int64_t sys_setns(const struct sysargs *a)
{
	struct file *f = fd_get(arg_int(a, 0));
	uint32_t want = arg_u32(a, 1);

	if (!f)
		return -EBADF;
	uint32_t flag = proc_ns_flag(f);
	file_put(f);
	if (!flag || (want && want != flag) || flag == CLONE_NEWUSER)
		return -EINVAL;
	return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}
