/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a file for execution, and "#!" scripts with the rules of Linux's fs/binfmt_script.c: one optional argument,
 * the line must end or the interpreter's name be complete within the first 256 bytes.
 */
#include "lib/string.h"
#include "task/exec.h"

struct file *exec_file_open(int dfd, const char *name, uint32_t lookup_flags)
{
	struct path p;
	int err = path_lookup(dfd, name, lookup_flags, &p);

	if (err)
		return ERR_PTR(err);
	uint32_t type = p.dentry->inode->mode & S_IFMT;
	struct file *f;
	if (type == S_IFLNK)
		f = ERR_PTR(-ELOOP);
	else if (type != S_IFREG)
		f = ERR_PTR(-EACCES);
	else
		f = vfs_open_path(&p, O_RDONLY | O_FOR_EXEC);
	path_put(&p);
	if (IS_ERR(f))
		return f;
	err = inode_deny_write(f->inode);
	if (err) {
		file_put(f);
		return ERR_PTR(err);
	}
	return f;
}

void exec_file_put(struct file *f)
{
	inode_allow_write(f->inode);
	file_put(f);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && is_space(*p))
		p++;
	return p < end ? p : NULL;
}

/* The first space, tab or NUL; NULL if there is none before end. */
static const char *find_end(const char *p, const char *end)
{
	for (; p < end; p++)
		if (is_space(*p) || !*p)
			return p;
	return NULL;
}

static char *duplicate(const char *from, const char *to)
{
	return kmemdup_str(from, (size_t)(to - from));
}

/* New argv: interpreter, its argument if any, the script's name, the old arguments without the first. */
static int rewrite_argv(struct exec_args *a, char *interp, char *arg)
{
	int extra = arg ? 2 : 1;
	char *script = kstrdup(a->interp_name ? a->interp_name : a->filename);
	char **argv = kmalloc(sizeof(char *) * (size_t)(MAX(a->argc, 1) + extra + 1));

	if (!script || !argv) {
		kfree(script);
		kfree(argv);
		return -ENOMEM;
	}
	int n = 0;
	argv[n++] = kstrdup(interp);
	if (!argv[0]) {
		kfree(script);
		kfree(argv);
		return -ENOMEM;
	}
	if (arg)
		argv[n++] = arg;
	argv[n++] = script;
	if (a->argc > 0)
		kfree(a->argv[0]);
	for (int i = 1; i < a->argc; i++)
		argv[n++] = a->argv[i];
	argv[n] = NULL;
	kfree(a->argv);
	a->argv = argv;
	a->argc = n;
	return 0;
}

int exec_script(struct exec_args *a, const uint8_t *bytes)
{
	const char *buf = (const char *)bytes, *buf_end = buf + EXEC_BUF_SIZE - 1;
	const char *name, *end, *sep, *arg = NULL;

	if (buf[0] != '#' || buf[1] != '!')
		return 0;
	end = memchr(buf + 2, '\n', (size_t)(buf_end - buf - 2));
	if (!end) {
		/* No newline: fine only if the name itself is complete. */
		const char *first = skip_space(buf + 2, buf_end);
		if (!first || !find_end(first, buf_end))
			return -ENOEXEC;
		end = buf_end;
	}
	while (end > buf + 2 && is_space(end[-1]))
		end--;
	name = skip_space(buf + 2, end);
	if (!name || !*name)
		return -ENOEXEC;
	if (a->fd_hidden)
		return -ENOENT;
	sep = find_end(name, end);
	if (sep && *sep)
		arg = skip_space(sep, end);
	char *interp = duplicate(name, sep ? sep : end);
	char *arg_copy = NULL;
	if (arg) {
		const char *stop = memchr(arg, 0, (size_t)(end - arg));
		arg_copy = duplicate(arg, stop ? stop : end);
	}
	int err = !interp || (arg && !arg_copy) ? -ENOMEM : rewrite_argv(a, interp, arg_copy);
	if (err) {
		kfree(interp);
		kfree(arg_copy);
		return err;
	}
	struct file *f = exec_file_open(AT_FDCWD, interp, LOOKUP_FOLLOW);
	if (IS_ERR(f)) {
		kfree(interp);
		return PTR_ERR(f);
	}
	exec_file_put(a->file);
	a->file = f;
	kfree(a->interp_name);
	a->interp_name = interp;
	return 1;
}
