/* SPDX-License-Identifier: Apache-2.0 */
/* execve(2), execveat(2): arguments in, then task_exec(). */
#include "lib/log.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/exec.h"

/* Strings are copied through a buffer of the longest one's size; most are short and fit in the first part. */
struct arg_reader {
	uint64_t room;     /* bytes left for strings and pointers */
	char *buf;         /* EXEC_ARG_STRLEN bytes, or NULL until a long string comes */
	char *small;       /* 512 bytes */
};

#define SMALL_ARG 512

static char *read_string(struct arg_reader *r, uint64_t at)
{
	ssize_t_ n = copy_in_string(r->small, uva(at), SMALL_ARG);
	const char *src = r->small;

	if (n == -ENAMETOOLONG) {
		if (!r->buf)
			r->buf = kmalloc(EXEC_ARG_STRLEN);
		if (!r->buf)
			return ERR_PTR(-ENOMEM);
		n = copy_in_string(r->buf, uva(at), EXEC_ARG_STRLEN);
		src = r->buf;
	}
	if (n < 0)
		return ERR_PTR(n == -ENAMETOOLONG ? -E2BIG : (int)n);
	if ((uint64_t)n + 1 > r->room)
		return ERR_PTR(-E2BIG);
	r->room -= (uint64_t)n + 1;
	char *s = kmemdup_str(src, (size_t)n);
	return s ? s : ERR_PTR(-ENOMEM);
}

/* Counts the vector: -EFAULT, -E2BIG. */
static int64_t count_vector(uva_t vec, uint64_t limit)
{
	uint64_t p, n = 0;

	if (!vec.v)
		return 0;
	for (;; n++) {
		if (copy_in(&p, uva_add(vec, n * 8), 8))
			return -EFAULT;
		if (!p)
			return (int64_t)n;
		if (n >= limit)
			return -E2BIG;
		if (fatal_signal_pending(current))
			return -ERESTARTNOHAND;
		if (n % 4096 == 4095)
			cond_resched();
	}
}

/* Copies a vector of n strings; min_one: an empty one gets "" (as Linux does for argv). */
static int read_vector(struct arg_reader *r, uva_t vec, int64_t n, bool min_one, char ***out, int *count)
{
	char **v = kmalloc(sizeof(char *) * ((size_t)n + 2));

	*out = v;
	*count = 0;
	if (!v)
		return -ENOMEM;
	for (int64_t i = 0; i < n; i++) {
		uint64_t p;
		if (copy_in(&p, uva_add(vec, (uint64_t)i * 8), 8))
			return -EFAULT;
		char *s = p ? read_string(r, p) : ERR_PTR(-EFAULT);
		if (IS_ERR(s))
			return PTR_ERR(s);
		v[(*count)++] = s;
		if (fatal_signal_pending(current))
			return -ERESTARTNOHAND;
	}
	if (min_one && n == 0) {
		v[0] = kstrdup("");
		if (!v[0])
			return -ENOMEM;
		*count = 1;
	}
	v[*count] = NULL;
	return 0;
}

static int read_args(struct exec_args *a, uva_t argv, uva_t envp)
{
	struct arg_reader r = {.room = exec_arg_limit()};
	int64_t argc = count_vector(argv, r.room / 8), envc = argc < 0 ? argc : count_vector(envp, r.room / 8);

	if (envc < 0)
		return (int)envc;
	uint64_t pointers = ((uint64_t)MAX(argc, (int64_t)1) + (uint64_t)envc) * 8 + strlen(a->filename) + 1;
	if (pointers >= r.room)
		return -E2BIG;
	r.room -= pointers;
	r.small = kmalloc(SMALL_ARG);
	if (!r.small)
		return -ENOMEM;
	int err = read_vector(&r, envp, envc, false, &a->envp, &a->envc);
	if (!err)
		err = read_vector(&r, argv, argc, true, &a->argv, &a->argc);
	kfree(r.small);
	kfree(r.buf);
	return err;
}

/* The name of a program given by descriptor, as scripts and AT_EXECFN see it. */
static char *fd_name(int fd, const char *path)
{
	size_t size = strlen(path) + 32;
	char *s = kmalloc(size);

	if (s)
		snprintf(s, size, *path ? "/dev/fd/%d/%s" : "/dev/fd/%d", fd, path);
	return s;
}

static int64_t do_execve(int dfd, char *path, uva_t argv, uva_t envp, int flags)
{
	struct exec_args a = {.filename = path};
	uint32_t lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	char *by_fd = NULL;

	if (dfd != AT_FDCWD && path[0] != '/') {
		by_fd = fd_name(dfd, path);
		if (!by_fd)
			return -ENOMEM;
		a.filename = by_fd;
		a.fd_hidden = files_get_cloexec(current->files, dfd);
	}
	a.file = exec_file_open(dfd, path, lookup);
	int err = IS_ERR(a.file) ? PTR_ERR(a.file) : 0;
	if (!err) {
		err = read_args(&a, argv, envp);
		if (err)
			exec_file_put(a.file);
		else
			err = task_exec(&a);
	}
	exec_args_free(&a);
	kfree(by_fd);
	return err;
}

int64_t sys_execve(const struct sysargs *s)
{
	char *path = copy_in_path(arg_uva(s, 0));

	if (IS_ERR(path))
		return PTR_ERR(path);
	int64_t r = do_execve(AT_FDCWD, path, arg_uva(s, 1), arg_uva(s, 2), 0);
	kfree(path);
	return r;
}

int64_t sys_execveat(const struct sysargs *s)
{
	int dfd = arg_int(s, 0), flags = arg_int(s, 4);

	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	char *path = flags & AT_EMPTY_PATH ? copy_in_path_maybe_empty(arg_uva(s, 1)) : copy_in_path(arg_uva(s, 1));
	if (IS_ERR(path))
		return PTR_ERR(path);
	int64_t r = do_execve(dfd, path, arg_uva(s, 2), arg_uva(s, 3), flags);
	kfree(path);
	return r;
}
