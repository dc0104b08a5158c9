/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VFS and tmpfs against Linux: the same random system calls go to the Sentry's handlers and to the kernel (which
 * works in an empty directory of a tmpfs that is this process's root), and every result and every observable state
 * must be equal. Exits 77 where no such root can be made.
 */
#include <linux/fs.h>
#include <linux/sched.h>

#include "lib/string.h"
#include "syscall/syscall.h"
#include "vfs_env.h"

#include <asm/stat.h>
#include <asm/unistd.h>

long syscall(long nr, ...);
int printf(const char *fmt, ...);
NORETURN void exit(int status);
char *getenv(const char *name);
unsigned long strtoul(const char *s, char **end, int base);
int *__errno_location(void);
char *mkdtemp(char *template);
void (*signal(int signo, void (*handler)(int)))(int);

#define FDS 12
static int lin_fd[FDS], our_fd[FDS]; /* -1: closed */
static uint64_t seed = 1;
static uint64_t step_nr;
static bool verbose, allocate; /* allocate: fallocate(2), whose pages only Linux's SEEK_DATA tells from data */

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % n;
}

static int64_t lin(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	long r = syscall(nr, a, b, c, d, e, 0L);
	return r == -1 ? -*__errno_location() : r;
}

static int64_t ours(syscall_fn fn, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	struct sysargs s = {{.rdi = a, .rsi = b, .rdx = c, .r10 = d, .r8 = e}};
	int64_t r = fn(&s);
	if (env_locks_held) {
		printf("step %lu: a lock is still held\n", step_nr);
		exit(1);
	}
	return r;
}

static char what[3 * 4096];

NORETURN static void differ(const char *how, int64_t linux_says, int64_t we_say)
{
	printf("step %lu: %s: %s: Linux %ld, Sentry %ld\n", step_nr, what, how, linux_says, we_say);
	exit(1);
}

static void same(const char *how, int64_t a, int64_t b)
{
	if (verbose)
		printf("%lu %s = %ld %s\n", step_nr, what, a, how);
	if (a != b)
		differ(how, a, b);
}

/* ---- random arguments ---- */
static void random_path(char *p)
{
	static const char *const names[] = {"a", "b", "c", "d", "a", "b", "..", ".", "a_rather_long_name_that_is_not_inline_in_a_dentry"};
	size_t n = 0;
	if (rnd(4) == 0)
		p[n++] = '/';
	uint32_t parts = 1 + rnd(3);
	for (uint32_t i = 0; i < parts; i++) {
		const char *s = names[rnd(rnd(3) ? 6 : ARRAY_SIZE(names))];
		if (i)
			p[n++] = '/';
		memcpy(p + n, s, strlen(s));
		n += strlen(s);
	}
	if (rnd(10) == 0)
		p[n++] = '/';
	p[n] = 0;
	if (rnd(200) == 0)
		p[0] = 0;
}

static int random_fd(void) { return rnd(FDS); }

/* A directory descriptor argument for both sides: mostly AT_FDCWD. */
static void random_dfd(uint64_t *l, uint64_t *o)
{
	*l = *o = (uint64_t)AT_FDCWD;
	if (rnd(4) == 0) {
		int i = random_fd();
		*l = lin_fd[i];
		*o = our_fd[i];
	}
}

static void check_stat(const char *how, struct stat *l, struct stat *o, bool clean)
{
	same(how, l->st_mode, o->st_mode);
	same("nlink", l->st_nlink, o->st_nlink);
	same("uid", l->st_uid, o->st_uid);
	same("gid", l->st_gid, o->st_gid);
	if (clean)
		same("size", l->st_size, o->st_size);
	if ((l->st_mode & 0170000) == 0100000)
		same("blocks", l->st_blocks, o->st_blocks);
}

/* ---- operations ---- */
static void op_open(void)
{
	static const uint32_t accs[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT};
	static const uint32_t extra[] = {O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_TMPFILE, O_NOATIME};
	char p[256];
	uint64_t dl, dn;
	uint32_t flags = accs[rnd(ARRAY_SIZE(accs))] | O_NONBLOCK;
	while (rnd(2))
		flags |= extra[rnd(ARRAY_SIZE(extra))];
	/* which of these are refused together has changed between versions */
	if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		flags &= ~O_CREAT;
	uint32_t mode = rnd(2) ? 0666 : rnd(010000);
	random_path(p);
	random_dfd(&dl, &dn);
	int i = random_fd();
	if (lin_fd[i] >= 0) {
		same("close", lin(__NR_close, lin_fd[i], 0, 0, 0, 0), ours(sys_close, our_fd[i], 0, 0, 0, 0));
		lin_fd[i] = our_fd[i] = -1;
	}
	snprintf(what, sizeof(what), "openat(%ld, \"%s\", 0%o, 0%o)", (long)dl, p, flags, mode);
	int64_t l = lin(__NR_openat, dl, (uint64_t)p, flags, mode, 0), o = ours(sys_openat, dn, (uint64_t)p, flags, mode, 0);
	same("result", l < 0 ? l : 0, o < 0 ? o : 0);
	if (l >= 0) {
		lin_fd[i] = l;
		our_fd[i] = o;
		same("flags", lin(__NR_fcntl, l, F_GETFL, 0, 0, 0), ours(sys_fcntl, o, F_GETFL, 0, 0, 0));
	}
}

static void op_openat2(void)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = {O_RDONLY | O_NONBLOCK, 0, 1u << rnd(5)};
	char p[256];
	uint64_t dl, dn;
	random_path(p);
	random_dfd(&dl, &dn);
	if (how.resolve == 2)
		how.resolve = 4;
	if (rnd(3) == 0) {
		how.flags |= O_CREAT;
		how.mode = 0600;
	}
	snprintf(what, sizeof(what), "openat2(%ld, \"%s\", 0%lo, resolve %lu)", (long)dl, p, (unsigned long)how.flags,
	         (unsigned long)how.resolve);
	int64_t l = lin(__NR_openat2, dl, (uint64_t)p, (uint64_t)&how, sizeof(how), 0);
	int64_t o = ours(sys_openat2, dn, (uint64_t)p, (uint64_t)&how, sizeof(how), 0);
	if (l == -EAGAIN) /* a rename elsewhere on the host */
		return;
	same("result", l < 0 ? l : 0, o < 0 ? o : 0);
	if (l >= 0) {
		lin(__NR_close, l, 0, 0, 0, 0);
		ours(sys_close, o, 0, 0, 0, 0);
	}
}

static void op_name(void)
{
	char p[256];
	uint64_t dl, dn;
	struct stat ls, os;
	random_path(p);
	random_dfd(&dl, &dn);
	switch (rnd(11)) {
	case 0: case 1:
		snprintf(what, sizeof(what), "mkdirat(%ld, \"%s\")", (long)dl, p);
		same("result", lin(__NR_mkdirat, dl, (uint64_t)p, 0777, 0, 0), ours(sys_mkdirat, dn, (uint64_t)p, 0777, 0, 0));
		break;
	case 2: case 3: {
		uint32_t flags = rnd(2) ? AT_REMOVEDIR : 0;
		snprintf(what, sizeof(what), "unlinkat(%ld, \"%s\", %x)", (long)dl, p, flags);
		same("result", lin(__NR_unlinkat, dl, (uint64_t)p, flags, 0, 0), ours(sys_unlinkat, dn, (uint64_t)p, flags, 0, 0));
		break;
	}
	case 4: {
		uint32_t flags = rnd(2) ? AT_SYMLINK_NOFOLLOW : 0;
		if (rnd(8) == 0)
			flags |= AT_EMPTY_PATH;
		memset(&ls, 0, sizeof(ls));
		memset(&os, 0, sizeof(os));
		snprintf(what, sizeof(what), "fstatat(%ld, \"%s\", %x)", (long)dl, p, flags);
		int64_t l = lin(__NR_newfstatat, dl, (uint64_t)p, (uint64_t)&ls, flags, 0);
		same("result", l, ours(sys_newfstatat, dn, (uint64_t)p, (uint64_t)&os, flags, 0));
		if (l == 0)
			check_stat("mode", &ls, &os, true);
		break;
	}
	case 5: {
		uint32_t mode = rnd(2) ? 0755 : rnd(010000) | 0300;
		snprintf(what, sizeof(what), "fchmodat(%ld, \"%s\", 0%o)", (long)dl, p, mode);
		same("result", lin(__NR_fchmodat, dl, (uint64_t)p, mode, 0, 0), ours(sys_fchmodat, dn, (uint64_t)p, mode, 0, 0));
		break;
	}
	case 6: {
		char lb[256], ob[256];
		memset(lb, 0, sizeof(lb));
		memset(ob, 0, sizeof(ob));
		int size = rnd(64);
		snprintf(what, sizeof(what), "readlinkat(%ld, \"%s\", %d)", (long)dl, p, size);
		same("result", lin(__NR_readlinkat, dl, (uint64_t)p, (uint64_t)lb, size, 0),
		     ours(sys_readlinkat, dn, (uint64_t)p, (uint64_t)ob, size, 0));
		same("text", 0, memcmp(lb, ob, sizeof(lb)));
		break;
	}
	case 7: {
		uint32_t mode = rnd(8);
		snprintf(what, sizeof(what), "faccessat(%ld, \"%s\", %o)", (long)dl, p, mode);
		same("result", lin(__NR_faccessat, dl, (uint64_t)p, mode, 0, 0), ours(sys_faccessat, dn, (uint64_t)p, mode, 0, 0));
		break;
	}
	case 8: {
		int64_t size = rnd(3) ? rnd(20000) : -(int64_t)rnd(2);
		snprintf(what, sizeof(what), "truncate(\"%s\", %ld)", p, (long)size);
		same("result", lin(__NR_truncate, (uint64_t)p, size, 0, 0, 0), ours(sys_truncate, (uint64_t)p, size, 0, 0, 0));
		break;
	}
	case 9: {
		uint32_t mode = rnd(2) ? 0010644 : rnd(3) ? 0140600 : 0100600;
		snprintf(what, sizeof(what), "mknodat(%ld, \"%s\", 0%o)", (long)dl, p, mode);
		same("result", lin(__NR_mknodat, dl, (uint64_t)p, mode, 0, 0), ours(sys_mknodat, dn, (uint64_t)p, mode, 0, 0));
		break;
	}
	case 10: {
		char lv[64], ov[64];
		snprintf(what, sizeof(what), "xattr(\"%s\")", p);
		uint32_t flags = rnd(3), size = rnd(40);
		memset(lv, 'x', sizeof(lv));
		/* trusted.: user. needs a recent tmpfs */
		same("set", lin(__NR_lsetxattr, (uint64_t)p, (uint64_t) "trusted.t", (uint64_t)lv, size, flags),
		     ours(sys_lsetxattr, (uint64_t)p, (uint64_t) "trusted.t", (uint64_t)lv, size, flags));
		size = rnd(40);
		same("get", lin(__NR_lgetxattr, (uint64_t)p, (uint64_t) "trusted.t", (uint64_t)lv, size, 0),
		     ours(sys_lgetxattr, (uint64_t)p, (uint64_t) "trusted.t", (uint64_t)ov, size, 0));
		if (rnd(2))
			same("remove", lin(__NR_lremovexattr, (uint64_t)p, (uint64_t) "trusted.t", 0, 0, 0),
			     ours(sys_lremovexattr, (uint64_t)p, (uint64_t) "trusted.t", 0, 0, 0));
		break;
	}
	}
}

static void op_two_names(void)
{
	char p[256], q[256];
	uint64_t dl, dn, el, en;
	random_path(p);
	random_path(q);
	random_dfd(&dl, &dn);
	random_dfd(&el, &en);
	switch (rnd(4)) {
	case 0: case 1: {
		uint32_t flags = rnd(3) ? 0 : rnd(4);
		snprintf(what, sizeof(what), "renameat2(%ld, \"%s\", %ld, \"%s\", %x)", (long)dl, p, (long)el, q, flags);
		same("result", lin(__NR_renameat2, dl, (uint64_t)p, el, (uint64_t)q, flags),
		     ours(sys_renameat2, dn, (uint64_t)p, en, (uint64_t)q, flags));
		break;
	}
	case 2: {
		uint32_t flags = rnd(2) ? AT_SYMLINK_FOLLOW : 0;
		if (rnd(8) == 0) {
			flags |= AT_EMPTY_PATH;
			p[0] = 0;
		}
		snprintf(what, sizeof(what), "linkat(%ld, \"%s\", %ld, \"%s\", %x)", (long)dl, p, (long)el, q, flags);
		same("result", lin(__NR_linkat, dl, (uint64_t)p, el, (uint64_t)q, flags),
		     ours(sys_linkat, dn, (uint64_t)p, en, (uint64_t)q, flags));
		break;
	}
	case 3:
		snprintf(what, sizeof(what), "symlinkat(\"%s\", %ld, \"%s\")", p, (long)el, q);
		same("result", lin(__NR_symlinkat, (uint64_t)p, el, (uint64_t)q, 0, 0),
		     ours(sys_symlinkat, (uint64_t)p, en, (uint64_t)q, 0, 0));
		break;
	}
}

static void op_cwd(void)
{
	char p[256], lb[512], ob[512];
	random_path(p);
	if (rnd(3) == 0) {
		int i = random_fd();
		snprintf(what, sizeof(what), "fchdir(%d)", lin_fd[i]);
		same("result", lin(__NR_fchdir, lin_fd[i], 0, 0, 0, 0), ours(sys_fchdir, our_fd[i], 0, 0, 0, 0));
	} else {
		snprintf(what, sizeof(what), "chdir(\"%s\")", p);
		same("result", lin(__NR_chdir, (uint64_t)p, 0, 0, 0, 0), ours(sys_chdir, (uint64_t)p, 0, 0, 0, 0));
	}
	memset(lb, 0, sizeof(lb));
	memset(ob, 0, sizeof(ob));
	int64_t l = lin(__NR_getcwd, (uint64_t)lb, sizeof(lb), 0, 0, 0), o = ours(sys_getcwd, (uint64_t)ob, sizeof(ob), 0, 0, 0);
	same("getcwd", l, o);
	if (l > 0 && memcmp(lb, ob, l)) {
		snprintf(what, sizeof(what), "getcwd: Linux %s, Sentry %s", lb, ob);
		differ("name", 0, 0);
	}
}

static void op_data(void)
{
	static char lb[9000], ob[9000];
	int i = random_fd();
	uint64_t l = lin_fd[i], o = our_fd[i];
	uint32_t n = rnd(9000);
	int64_t off = rnd(30000);
	struct stat ls, os;
	for (uint32_t k = 0; k < n; k += 1 + rnd(100))
		lb[k] = rnd(256);
	switch (rnd(10)) {
	case 0: case 1:
		snprintf(what, sizeof(what), "write(%d, %u)", (int)l, n);
		same("result", lin(__NR_write, l, (uint64_t)lb, n, 0, 0), ours(sys_write, o, (uint64_t)lb, n, 0, 0));
		break;
	case 2: {
		snprintf(what, sizeof(what), "pwrite(%d, %u, %ld)", (int)l, n, (long)off);
		same("result", lin(__NR_pwrite64, l, (uint64_t)lb, n, off, 0), ours(sys_pwrite64, o, (uint64_t)lb, n, off, 0));
		break;
	}
	case 3: case 4: {
		bool at = rnd(2);
		snprintf(what, sizeof(what), "%s(%d, %u, %ld)", at ? "pread" : "read", (int)l, n, (long)off);
		memset(lb, 0, sizeof(lb));
		memset(ob, 0, sizeof(ob));
		same("result", lin(at ? __NR_pread64 : __NR_read, l, (uint64_t)lb, n, off, 0),
		     ours(at ? sys_pread64 : sys_read, o, (uint64_t)ob, n, off, 0));
		same("bytes", 0, memcmp(lb, ob, sizeof(lb)) != 0);
		break;
	}
	case 5: {
		uint32_t whence = rnd(6);
		off -= rnd(2) * 10000;
		if (whence == SEEK_HOLE || whence == SEEK_DATA) {
			if (allocate)
				return;
			struct stat s;
			/* directories differ between versions */
			if (lin(__NR_fstat, l, (uint64_t)&s, 0, 0, 0) == 0 && (s.st_mode & 0170000) != 0100000)
				return;
		}
		memset(&ls, 0, sizeof(ls));
		if (lin(__NR_fstat, l, (uint64_t)&ls, 0, 0, 0) == 0 && (ls.st_mode & 0170000) == 0040000)
			return;
		snprintf(what, sizeof(what), "lseek(%d, %ld, %u)", (int)l, (long)off, whence);
		same("result", lin(__NR_lseek, l, off, whence, 0, 0), ours(sys_lseek, o, off, whence, 0, 0));
		break;
	}
	case 6:
		snprintf(what, sizeof(what), "ftruncate(%d, %ld)", (int)l, (long)off);
		same("result", lin(__NR_ftruncate, l, off, 0, 0, 0), ours(sys_ftruncate, o, off, 0, 0, 0));
		break;
	case 7:
		memset(&ls, 0, sizeof(ls));
		memset(&os, 0, sizeof(os));
		snprintf(what, sizeof(what), "fstat(%d)", (int)l);
		same("result", lin(__NR_fstat, l, (uint64_t)&ls, 0, 0, 0), ours(sys_fstat, o, (uint64_t)&os, 0, 0, 0));
		check_stat("mode", &ls, &os, true);
		break;
	case 8: {
		static const uint32_t modes[] = {0, 1, 3, 2, 8, 16};
		uint32_t m = modes[allocate ? rnd(ARRAY_SIZE(modes)) : 2 + rnd(4)], len = rnd(3) ? rnd(20000) : 0;
		snprintf(what, sizeof(what), "fallocate(%d, %x, %ld, %u)", (int)l, m, (long)off, len);
		same("result", lin(__NR_fallocate, l, m, off, len, 0), ours(sys_fallocate, o, m, off, len, 0));
		break;
	}
	case 9: {
		int j = random_fd();
		uint64_t lo = off, oo = off, lw = rnd(30000), ow = lw;
		snprintf(what, sizeof(what), "copy_file_range(%d, %ld, %d, %ld, %u)", (int)l, (long)off, lin_fd[j], (long)lw, n);
		int64_t a = lin(__NR_copy_file_range, l, (uint64_t)&lo, lin_fd[j], (uint64_t)&lw, n);
		struct sysargs s = {{.rdi = o, .rsi = (uint64_t)&oo, .rdx = our_fd[j], .r10 = (uint64_t)&ow, .r8 = n}};
		same("result", a, sys_copy_file_range(&s));
		break;
	}
	}
}

/* ---- whole trees ---- */
struct names {
	uint32_t n;
	char name[64][72];
	uint8_t type[64];
};

static void add_names(struct names *out, const char *buf, int64_t len)
{
	for (int64_t at = 0; at < len;) {
		const char *rec = buf + at;
		uint16_t reclen;
		memcpy(&reclen, rec + 16, 2);
		if (out->n < 64) {
			out->type[out->n] = rec[18];
			strlcpy(out->name[out->n++], rec + 19, 72);
		}
		at += reclen;
	}
}

static bool has(const struct names *s, const char *name, uint8_t type)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (!strcmp(s->name[i], name) && s->type[i] == type)
			return true;
	return false;
}

static void compare_tree(const char *path, int depth)
{
	struct names *l = kzalloc(sizeof(*l)), *o = kzalloc(sizeof(*o));
	char buf[600], child[512];
	int64_t lf = lin(__NR_open, (uint64_t)path, O_RDONLY | O_DIRECTORY, 0, 0, 0);
	int64_t of = ours(sys_open, (uint64_t)path, O_RDONLY | O_DIRECTORY, 0, 0, 0);
	int64_t n;
	snprintf(what, sizeof(what), "tree at %s", path);
	same("open", lf < 0 ? lf : 0, of < 0 ? of : 0);
	if (lf < 0)
		goto out;
	uint32_t size = 100 + rnd(500);
	while ((n = lin(__NR_getdents64, lf, (uint64_t)buf, size, 0, 0)) > 0)
		add_names(l, buf, n);
	while ((n = ours(sys_getdents64, of, (uint64_t)buf, size, 0, 0)) > 0)
		add_names(o, buf, n);
	lin(__NR_close, lf, 0, 0, 0, 0);
	ours(sys_close, of, 0, 0, 0, 0);
	same("entries", l->n, o->n);
	for (uint32_t i = 0; i < l->n; i++) {
		struct stat ls, os;
		snprintf(child, sizeof(child), "%s/%s", path, l->name[i]);
		snprintf(what, sizeof(what), "tree: %s", child);
		same("listed", 1, has(o, l->name[i], l->type[i]));
		same("lstat", lin(__NR_lstat, (uint64_t)child, (uint64_t)&ls, 0, 0, 0),
		     ours(sys_lstat, (uint64_t)child, (uint64_t)&os, 0, 0, 0));
		check_stat("mode", &ls, &os, true);
		if ((ls.st_mode & 0170000) == 0040000 && l->name[i][0] != '.' && depth < 8)
			compare_tree(child, depth + 1);
	}
out:
	kfree(l);
	kfree(o);
}

static void run(uint64_t steps)
{
	for (step_nr = 0; step_nr < steps; step_nr++) {
		switch (rnd(10)) {
		case 0: case 1:
			op_open();
			break;
		case 2: case 3: case 4:
			op_name();
			break;
		case 5: case 6:
			op_two_names();
			break;
		case 7:
			op_cwd();
			break;
		case 8:
			if (rnd(4) == 0)
				op_openat2();
			else
				op_data();
			break;
		case 9:
			op_data();
			break;
		}
		if (step_nr % 200 == 0) {
			compare_tree("", 0);
			compare_tree("/", 0);
		}
		if (step_nr % 1000 == 999)
			dcache_shrink(NULL, 0);
	}
}

static int body(void)
{
	uint64_t steps = 100000;
	if (getenv("VFS_STEPS"))
		steps = strtoul(getenv("VFS_STEPS"), NULL, 10);
	if (getenv("VFS_SEED"))
		seed = strtoul(getenv("VFS_SEED"), NULL, 10);
	allocate = seed & 1;
	verbose = getenv("VFS_VERBOSE") != NULL;
	for (int i = 0; i < FDS; i++)
		lin_fd[i] = our_fd[i] = -1;
	run(steps / 2);
	allocate = !allocate;
	if (allocate)
		run(steps / 2);
	for (int i = 0; i < FDS; i++)
		if (our_fd[i] >= 0)
			ours(sys_close, our_fd[i], 0, 0, 0, 0);
	printf("%lu steps agree\n", (unsigned long)steps);
	return 0;
}

int main(void)
{
	signal(13, (void (*)(int))1); /* SIGPIPE is for Linux's side alone */
	char dir[] = "/dev/shm/vfs-test-XXXXXX";
	lin(__NR_umask, 022, 0, 0, 0, 0);
	if (lin(__NR_geteuid, 0, 0, 0, 0, 0) != 0)
		return 77; /* trusted.*, chroot */
	if (!mkdtemp(dir))
		return 77;
	/* a tmpfs of our own in a mount namespace of our own: nothing remains */
	if (lin(__NR_unshare, CLONE_NEWNS, 0, 0, 0, 0) || lin(__NR_mount, 0, (uint64_t) "/", 0, 1 << 18 | 1 << 14, 0) ||
	    lin(__NR_mount, (uint64_t) "none", (uint64_t)dir, (uint64_t) "tmpfs", 0, (uint64_t) "mode=755"))
		return 77;
	lin(__NR_chdir, (uint64_t)dir, 0, 0, 0, 0);
	int64_t outside = lin(__NR_open, (uint64_t) "/dev/shm", O_RDONLY | O_DIRECTORY, 0, 0, 0);
	if (lin(__NR_chroot, (uint64_t) ".", 0, 0, 0, 0))
		return 77;
	lin(__NR_umask, 022, 0, 0, 0, 0);
	int r = env_run(body);
	lin(__NR_umount2, (uint64_t) "/", 2, 0, 0, 0);
	lin(__NR_unlinkat, outside, (uint64_t)(dir + 9), AT_REMOVEDIR, 0, 0);
	return r;
}
