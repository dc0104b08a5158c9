// SPDX-License-Identifier: Apache-2.0
/* kcmp(2): do two processes share a resource? The order it tells is that of object numbers made from addresses. */
#include <linux/kcmp.h>

#include "fs/namei.h"
#include "syscall/syscall.h"
#include "task/task.h"

static uint64_t scramble(const void *p) { return ((uint64_t)p ^ 0x5851f42d4c957f2dUL) * 0x9e3779b97f4a7c15UL | 1; }

static int order(const void *a, const void *b)
{
	if (a == b)
		return 0;
	return scramble(a) < scramble(b) ? 1 : 2;
}

/* The file behind a descriptor of t, with a reference. */
static struct file *file_of(struct task *t, uint64_t fd)
{
	spin_lock(&t->lock);
	struct files *fs = t->files ? files_get(t->files) : NULL;
	spin_unlock(&t->lock);
	if (!fs)
		return NULL;
	struct file *f = fd > INT32_MAX ? NULL : files_lookup(fs, fd);
	files_put(fs);
	return f;
}

static int64_t compare_files(struct task *a, uint64_t fa, struct task *b, uint64_t fb)
{
	struct file *x = file_of(a, fa), *y = file_of(b, fb);
	int64_t r = x && y ? order(x, y) : -EBADF;
	file_put(x);
	file_put(y);
	return r;
}

int64_t sys_kcmp(const struct sysargs *a)
{
	struct task *x = task_find_user(arg_int(a, 0)), *y = task_find_user(arg_int(a, 1));
	int64_t r;
	if (!x || !y)
		r = -ESRCH;
	else if (!ptrace_may_access(x) || !ptrace_may_access(y))
		r = -EPERM;
	else
		switch (arg_u32(a, 2)) {
		case KCMP_FILE:
			r = compare_files(x, arg_u64(a, 3), y, arg_u64(a, 4));
			break;
		case KCMP_VM:
			r = order(x->mm, y->mm);
			break;
		case KCMP_FILES:
			r = order(x->files, y->files);
			break;
		case KCMP_FS:
			r = order(x->fs, y->fs);
			break;
		case KCMP_SIGHAND:
			r = order(x->proc, y->proc);
			break;
		case KCMP_IO:
		case KCMP_SYSVSEM:
			r = 0; /* nobody has any */
			break;
		default:
			r = -EINVAL; /* KCMP_EPOLL_TFD needs epoll's cooperation */
		}
	if (x)
		task_put(x);
	if (y)
		task_put(y);
	return r;
}
