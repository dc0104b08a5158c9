/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process of a container starts with, from a node of the boot tree or of a control message (abi/control.h):
 * limits, credentials, working directory, program. The current task is the one that becomes the program; what goes wrong
 * is noted once, in words for the user.
 */
#include <linux/resource.h>

#include "fs/container_fs.h"
#include "fs/vfs.h"
#include "lib/fdt.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "task/container.h"
#include "task/exec.h"
#include "task/seccomp.h"
#include "task/task.h"

#define PASSWD_MAX 65536u
#define REASON_MAX 480

static const char *error_text(int err)
{
	static const struct {
		int err;
		const char *text;
	} texts[] = {
		{ENOENT, "no such file or directory"}, {ENOTDIR, "not a directory"}, {EACCES, "permission denied"},
		{EPERM, "operation not permitted"}, {ENOEXEC, "exec format error"}, {EROFS, "read-only file system"},
		{ENOMEM, "out of memory"}, {EINVAL, "invalid argument"}, {ELOOP, "too many levels of symbolic links"},
		{ENAMETOOLONG, "name too long"}, {E2BIG, "argument list too long"}, {EIO, "input/output error"},
		{ENODEV, "no such file system"}, {EISDIR, "is a directory"}, {ELIBBAD, "the interpreter is not an ELF program"},
		{ENOSPC, "no space left on device"}, {EEXIST, "file exists"}, {ENFILE, "too many open files in the sandbox"},
		{EMFILE, "too many open files"}, {EAGAIN, "resource temporarily unavailable"}, {ETXTBSY, "text file busy"},
		{EBADF, "bad file descriptor"}, {EFAULT, "bad address"}, {EBUSY, "device or resource busy"},
		{ENXIO, "no such device or address"},
		{ESTALE, "stale file handle"}, {EDQUOT, "disk quota exceeded"},
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].err == -err)
			return texts[i].text;
	return NULL;
}

int container_refuse(int err, const char *fmt, ...)
{
	const char *text = error_text(err);
	va_list ap;

	if (current->refusal)
		return err;
	char *reason = kmalloc(REASON_MAX);
	if (!reason)
		return err;
	va_start(ap, fmt);
	size_t n = MIN((size_t)vsnprintf(reason, REASON_MAX, fmt, ap), REASON_MAX - 1);
	va_end(ap);
	if (text)
		(void)snprintf(reason + n, REASON_MAX - n, ": %s", text);
	else if (err)
		(void)snprintf(reason + n, REASON_MAX - n, ": error %d", -err);
	current->refusal = reason;
	return err;
}

/* ---- identity and limits ---- */
static int read_groups(const struct fdt *f, int node, struct cred *c)
{
	uint32_t len;
	const uint8_t *p = fdt_prop(f, node, "additional-gids", &len);

	if (!p || len < 4)
		return 0;
	c->ngroups = MIN(len / 4, 65536u);
	c->groups = kmalloc(c->ngroups * sizeof(*c->groups));
	if (!c->groups)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->ngroups; i++) {
		uint32_t g = fdt_load32(p + 4 * i), j = i;
		for (; j > 0 && c->groups[j - 1] > g; j--)
			c->groups[j] = c->groups[j - 1];
		c->groups[j] = g;
	}
	return 0;
}

static bool read_no_new_privs(const struct fdt *f, int node)
{
	uint32_t len;

	return fdt_prop(f, node, "no-new-privs", &len) && (len == 0 || fdt_u32(f, node, "no-new-privs", 0));
}

static struct cred *read_cred(const struct fdt *f, int node)
{
	struct cred *c = cred_copy(&kernel_cred);

	if (!c)
		return NULL;
	c->uid = c->euid = c->suid = c->fsuid = fdt_u32(f, node, "uid", 0);
	c->gid = c->egid = c->sgid = c->fsgid = fdt_u32(f, node, "gid", 0);
	c->cap_bounding = fdt_u64(f, node, "caps-bounding", 0) & CAP_ALL;
	c->cap_effective = fdt_u64(f, node, "caps-effective", 0) & CAP_ALL;
	c->cap_permitted = fdt_u64(f, node, "caps-permitted", 0) & CAP_ALL;
	c->cap_inheritable = fdt_u64(f, node, "caps-inheritable", 0) & CAP_ALL;
	c->cap_ambient = fdt_u64(f, node, "caps-ambient", 0) & CAP_ALL;
	if (read_groups(f, node, c)) {
		cred_put(c);
		return NULL;
	}
	return c;
}

/* Linux's defaults for init (INIT_RLIMITS), then the container's own. */
static void set_limits(const struct fdt *f, int node, struct process *p)
{
	for (int i = 0; i < RLIM_NLIMITS; i++)
		p->rlim[i] = (struct rlimit64){RLIM64_INFINITY, RLIM64_INFINITY};
	p->rlim[RLIMIT_STACK].rlim_cur = 8UL << 20;
	p->rlim[RLIMIT_CORE].rlim_cur = 0;
	p->rlim[RLIMIT_NOFILE] = (struct rlimit64){1024, 1048576};
	p->rlim[RLIMIT_MEMLOCK] = (struct rlimit64){8UL << 20, 8UL << 20};
	p->rlim[RLIMIT_SIGPENDING] = p->rlim[RLIMIT_NPROC] = (struct rlimit64){PID_MAX, PID_MAX};
	p->rlim[RLIMIT_MSGQUEUE] = (struct rlimit64){819200, 819200};
	p->rlim[RLIMIT_NICE] = p->rlim[RLIMIT_RTPRIO] = (struct rlimit64){0, 0};
	uint32_t len;
	const uint8_t *r = fdt_prop(f, node, "rlimits", &len);
	for (; r && len >= 20; r += 20, len -= 20) {
		uint32_t which = fdt_load32(r);
		if (which < RLIM_NLIMITS)
			p->rlim[which] = (struct rlimit64){fdt_load64(r + 4), fdt_load64(r + 12)};
	}
}

/* ---- program ---- */
/* The strings of a property, and room for so many more. In one pass: fdt_stringlist begins anew for each. */
static char **copy_strings(const struct fdt *f, int node, const char *name, int extra, int *count)
{
	uint32_t len = 0;
	const char *list = fdt_prop(f, node, name, &len);
	int n = 0;

	if (!list || !len || list[len - 1])
		len = 0;
	for (uint32_t i = 0; i < len; i++)
		n += !list[i];
	char **v = kzalloc(sizeof(char *) * (size_t)(n + extra + 1));
	for (int i = 0; v && i < n; i++, list += strlen(list) + 1) {
		v[i] = kstrdup(list);
		if (!v[i]) {
			while (i--)
				kfree(v[i]);
			kfree(v);
			return NULL;
		}
	}
	*count = v ? n : 0;
	return v;
}

static const char *env_value(const struct exec_args *a, const char *name)
{
	size_t n = strlen(name);

	for (int i = 0; i < a->envc; i++)
		if (strncmp(a->envp[i], name, n) == 0 && a->envp[i][n] == '=')
			return a->envp[i] + n + 1;
	return NULL;
}

/* The i-th field of a line of /etc/passwd. */
static const char *passwd_field(const char *line, const char *end, int i, size_t *len)
{
	while (i-- > 0) {
		while (line < end && *line != ':')
			line++;
		if (line == end)
			return NULL;
		line++;
	}
	const char *stop = line;
	while (stop < end && *stop != ':')
		stop++;
	*len = (size_t)(stop - line);
	return line;
}

static bool passwd_home(const char *text, size_t size, uint32_t uid, char *out, size_t out_size)
{
	const char *p = text, *text_end = text + size;

	while (p < text_end) {
		const char *end = memchr(p, '\n', (size_t)(text_end - p));
		end = end ? end : text_end;
		size_t n = 0, home_len = 0;
		const char *id = passwd_field(p, end, 2, &n), *home = passwd_field(p, end, 5, &home_len);
		char number[12];
		uint64_t value;
		if (id && home && n > 0 && n < sizeof(number) && home_len > 0 && home_len < out_size) {
			memcpy(number, id, n);
			number[n] = 0;
			if (parse_u64(number, 10, &value) == 0 && value == uid) {
				memcpy(out, home, home_len);
				out[home_len] = 0;
				return true;
			}
		}
		p = end + 1;
	}
	return false;
}

/* HOME, when the environment has none, as runc sets it: from /etc/passwd, else "/". */
static void add_home(struct exec_args *a)
{
	char home[256] = "/", var[264];
	char *text = env_value(a, "HOME") ? NULL : kmalloc(PASSWD_MAX);

	if (!text)
		return;
	/* The container may have put anything there: a FIFO must not keep us. */
	struct file *f = vfs_open(AT_FDCWD, "/etc/passwd", O_RDONLY | O_NONBLOCK, 0, LOOKUP_FOLLOW);
	if (!IS_ERR(f)) {
		ssize_t_ n = S_ISREG(f->inode->mode) ? file_read_kernel(f, text, PASSWD_MAX, 0) : 0;
		if (n > 0)
			(void)passwd_home(text, (size_t)n, current->cred->uid, home, sizeof(home));
		file_put(f);
	}
	kfree(text);
	snprintf(var, sizeof(var), "HOME=%s", home);
	a->envp[a->envc] = kstrdup(var);
	if (a->envp[a->envc])
		a->envc++;
}

/* Looks the program up in PATH. On success *path is a kmalloc'ed name that works from the current directory. */
static struct file *find_in_path(struct exec_args *a, const char *name, char **path)
{
	const char *dir = env_value(a, "PATH");
	struct file *best = ERR_PTR(-ENOENT);

	*path = NULL;
	if (strchr(name, '/')) {
		*path = kstrdup(name);
		return *path ? exec_file_open(AT_FDCWD, name, LOOKUP_FOLLOW) : ERR_PTR(-ENOMEM);
	}
	while (dir && *dir) {
		const char *end = strchr(dir, ':');
		size_t n = end ? (size_t)(end - dir) : strlen(dir);
		size_t size = n + strlen(name) + 3;
		char *full = kmalloc(size);
		if (!full)
			return ERR_PTR(-ENOMEM);
		memcpy(full, n ? dir : ".", n ? n : 1);
		snprintf(full + (n ? n : 1), size - (n ? n : 1), "/%s", name);
		struct file *f = exec_file_open(AT_FDCWD, full, LOOKUP_FOLLOW);
		if (!IS_ERR(f)) {
			*path = full;
			return f;
		}
		kfree(full);
		if (PTR_ERR(f) != -ENOENT && PTR_ERR(f) != -ENOTDIR)
			best = f;
		dir = end ? end + 1 : NULL;
	}
	return best;
}

/* make: a missing one, as runc does for the first process of a container. */
static int enter_directory(const char *cwd, bool make)
{
	struct path p;
	int err = path_lookup(AT_FDCWD, cwd, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (err == -ENOENT && make) {
		char *partial = kstrdup(cwd);
		for (char *s = partial; s && *s; s++) {
			if (*s != '/' || s == partial)
				continue;
			*s = 0;
			(void)vfs_mkdir(AT_FDCWD, partial, 0755);
			*s = '/';
		}
		(void)vfs_mkdir(AT_FDCWD, cwd, 0755);
		kfree(partial);
		err = path_lookup(AT_FDCWD, cwd, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
	}
	if (err)
		return err;
	struct fs_context *fs = current->fs;
	spin_lock(&fs->lock);
	struct path old = fs->cwd;
	fs->cwd = p;
	spin_unlock(&fs->lock);
	if (old.dentry)
		path_put(&old);
	return 0;
}

/* hold: wait for the container's start once the program has been found. */
static int run_program(struct exec_args *a, const char *program, bool hold)
{
	char *path;

	if (a->argc == 0)
		return container_refuse(-EINVAL, "process.args is empty");
	add_home(a);
	a->file = find_in_path(a, program ? program : a->argv[0], &path);
	if (IS_ERR(a->file)) {
		int e = PTR_ERR(a->file);
		kfree(path);
		if (e == -ENOENT && !strchr(a->argv[0], '/'))
			return container_refuse(0, "exec: \"%s\": executable file not found in $PATH", a->argv[0]), e;
		return container_refuse(e, "exec: \"%s\"", a->argv[0]);
	}
	a->filename = path;
	char name[128];
	if (hold)
		container_hold(current->proc->container);
	strlcpy(name, a->argv[0], sizeof(name)); /* task_exec may replace it */
	int err = task_exec(a);
	kfree(path);
	return err ? container_refuse(err, "exec: \"%s\"", name) : 0;
}

/* Before the privileges that it takes are given up. */
static int set_scheduling(const struct fdt *f, int node)
{
	int policy = (int)fdt_u32(f, node, "sched-policy", UINT32_MAX), priority = (int)fdt_u32(f, node, "sched-priority", 0);
	struct task *t = current;

	t->personality = t->proc->container->personality;
	t->ioprio = (int)fdt_u32(f, node, "io-priority", 0);
	if (policy < 0)
		return 0;
	int err = sched_set_for_container(t, policy, priority, (int)fdt_u32(f, node, "nice", 0));
	return err ? container_refuse(err, "process.scheduler") : 0;
}

static int start_program(const struct fdt *f, int node)
{
	struct exec_args a = {0};
	int err = -ENOMEM;
	uint32_t len;

	a.argv = copy_strings(f, node, "args", 0, &a.argc);
	a.envp = copy_strings(f, node, "env", 1, &a.envc);
	if (a.argv && a.envp)
		err = run_program(&a, fdt_string(f, node, "program"), fdt_prop(f, node, "hold", &len) != NULL);
	exec_args_free(&a);
	return err;
}

int container_process_start(const struct fdt *f, int node, int io_node)
{
	struct task *t = current;

	set_limits(f, node, t->proc);
	t->proc->oom_score_adj = (int)fdt_u32(f, node, "oom-score-adj", 0);
	int err = container_open_stdio(f, io_node, fdt_u32(f, node, "terminal", 0) != 0);
	if (err)
		return err;
	err = set_scheduling(f, node);
	if (err)
		return err;
	t->fs->umask = fdt_u32(f, node, "umask", 022) & 0777;
	const char *cwd = fdt_string(f, node, "cwd");
	err = enter_directory(cwd && *cwd ? cwd : "/", t->proc == t->proc->container->init);
	if (err)
		return container_refuse(err, "process.cwd: chdir to cwd (\"%s\") set in config.json failed", cwd);
	struct cred *c = read_cred(f, node);
	if (!c)
		return -ENOMEM;
	container_own_stdio(c->uid);
	cred_commit(c);
	t->no_new_privs = read_no_new_privs(f, node);
	err = start_program(f, node);
	if (!err && t->proc->container->seccomp)
		seccomp_adopt(t->proc->container->seccomp);
	return err;
}
