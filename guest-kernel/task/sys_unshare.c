/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unshare(2): what a task shares with others becomes its own: working directory and root, descriptors, namespaces.
 * Everything new is made first; only then is anything changed.
 */
#include "fs/vfs.h"
#include "ipc/ipc.h"
#include "lib/log.h"
#include "mm/mm.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"

#define UNSHARE_FLAGS (CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM | CLONE_NAMESPACES)

/* What is not NULL replaces what the task has. */
struct fresh {
	struct fs_context *fs;
	struct files *files;
	struct cred *cred;
	struct nsproxy *nsproxy;
};

/* Flags that others imply. */
static uint64_t complete(uint64_t f)
{
	if (f & CLONE_NEWUSER)
		f |= CLONE_THREAD | CLONE_FS;
	if (f & CLONE_VM)
		f |= CLONE_SIGHAND;
	if (f & CLONE_SIGHAND)
		f |= CLONE_THREAD;
	if (f & CLONE_NEWNS)
		f |= CLONE_FS;
	return f;
}

static int check_flags(uint64_t f)
{
	if (f & ~(uint64_t)UNSHARE_FLAGS)
		return -EINVAL;
	/* Memory and handlers can only be "unshared" by who shares them with nobody. */
	if ((f & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && READ_ONCE(current->proc->nr_threads) > 1)
		return -EINVAL;
	return (f & CLONE_VM) && atomic_load(&current->mm->users.n) > 1 ? -EINVAL : 0;
}

static int make_namespaces(struct fresh *n, uint64_t flags)
{
	uint32_t kinds = (uint32_t)flags & CLONE_NAMESPACES & ~CLONE_NEWUSER;
	struct user_ns *owner = n->cred ? n->cred->user_ns : current->cred->user_ns;

	if (!kinds)
		return 0;
	if (!ns_capable(owner, CAP_SYS_ADMIN))
		return -EPERM;
	struct nsproxy *p = nsproxy_copy(current->nsproxy, kinds, owner, n->fs ? n->fs : current->fs);
	if (IS_ERR(p))
		return PTR_ERR(p);
	n->nsproxy = p;
	return 0;
}

static int make(struct fresh *n, uint64_t flags)
{
	struct task *t = current;

	if ((flags & CLONE_FS) && atomic_load(&t->fs->refs.n) > 1 && !(n->fs = fs_context_copy(t->fs)))
		return -ENOMEM;
	if ((flags & CLONE_FILES) && files_shared(t->files) && !(n->files = files_copy(t->files)))
		return -ENOMEM;
	if (flags & CLONE_NEWUSER) {
		n->cred = cred_copy(t->cred);
		int err = n->cred ? user_ns_create(n->cred) : -ENOMEM;
		if (err)
			return err;
	}
	return make_namespaces(n, flags); /* last: it moves the root and working directory */
}

/* Puts what the task had, or after a failure what was made. */
static void put(const struct fresh *n)
{
	fs_context_put(n->fs);
	if (n->files)
		files_put(n->files);
	cred_put(n->cred);
	nsproxy_put(n->nsproxy);
}

static void commit(const struct fresh *n)
{
	struct task *t = current;
	struct fresh old = {0};

	spin_lock(&t->lock);
	if (n->fs) {
		old.fs = t->fs;
		t->fs = n->fs;
	}
	if (n->files) {
		old.files = t->files;
		t->files = n->files;
	}
	if (n->nsproxy) {
		old.nsproxy = t->nsproxy;
		t->nsproxy = n->nsproxy;
	}
	spin_unlock(&t->lock);
	if (n->cred)
		cred_commit(n->cred);
	put(&old);
}

int64_t sys_unshare(const struct sysargs *a)
{
	uint64_t flags = complete(arg_u64(a, 0));
	struct fresh n = {0};
	int err = check_flags(flags);

	if (!err)
		err = make(&n, flags);
	if (err) {
		put(&n);
		return err;
	}
	/* Semaphores of the namespace that is left cannot be reached any more. */
	if (flags & (CLONE_NEWIPC | CLONE_SYSVSEM))
		sem_exit();
	commit(&n);
	return 0;
}
