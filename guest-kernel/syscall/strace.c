/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --strace: one line in the debug log per system call, when it returns: task, name, arguments, result, time. Arguments
 * are decoded by a letter each; calls without an entry show three as hexadecimal numbers.
 */
#include "lib/log.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "syscall/table_impl.h"
#include "task/task.h"
#include "time/timer.h"

/* d signed decimal, u unsigned, x hexadecimal, o octal, s string, p pointer, f descriptor or AT_FDCWD */
struct signature {
	const char *name, *args;
};

static const struct signature signatures[] = {
	{"read", "fpu"}, {"write", "fbu"}, {"open", "sxo"}, {"close", "f"}, {"stat", "sp"}, {"fstat", "fp"},
	{"lstat", "sp"}, {"poll", "pud"}, {"lseek", "fdd"}, {"mmap", "puxxfx"}, {"mprotect", "pux"}, {"munmap", "pu"},
	{"brk", "p"}, {"rt_sigaction", "dppu"}, {"rt_sigprocmask", "dppu"}, {"rt_sigreturn", ""}, {"ioctl", "fxp"},
	{"pread64", "fpud"}, {"pwrite64", "fbud"}, {"readv", "fpu"}, {"writev", "fpu"}, {"access", "so"}, {"pipe", "p"},
	{"sched_yield", ""}, {"mremap", "puuxp"}, {"madvise", "pud"}, {"dup", "f"}, {"dup2", "ff"}, {"dup3", "ffx"},
	{"nanosleep", "pp"}, {"getpid", ""}, {"socket", "ddd"}, {"connect", "fpu"}, {"bind", "fpu"}, {"listen", "fd"},
	{"clone", "xpppp"}, {"fork", ""}, {"vfork", ""}, {"execve", "spp"}, {"exit", "d"}, {"wait4", "dpxp"},
	{"kill", "dd"}, {"uname", "p"}, {"fcntl", "fdx"}, {"flock", "fd"}, {"fsync", "f"}, {"truncate", "su"},
	{"ftruncate", "fu"}, {"getdents64", "fpu"}, {"getcwd", "pu"}, {"chdir", "s"}, {"fchdir", "f"}, {"rename", "ss"},
	{"mkdir", "so"}, {"rmdir", "s"}, {"link", "ss"}, {"unlink", "s"}, {"symlink", "ss"}, {"readlink", "spu"},
	{"chmod", "so"}, {"chown", "sdd"}, {"umask", "o"}, {"getuid", ""}, {"getgid", ""}, {"geteuid", ""},
	{"getegid", ""}, {"getppid", ""}, {"getpgrp", ""}, {"setsid", ""}, {"gettid", ""}, {"setpgid", "dd"},
	{"prctl", "dxxxx"}, {"arch_prctl", "xp"}, {"mount", "sssxp"}, {"umount2", "sx"}, {"chroot", "s"},
	{"futex", "pxdppx"}, {"epoll_ctl", "fdfp"}, {"epoll_wait", "fpdd"}, {"epoll_pwait", "fpddp"},
	{"exit_group", "d"}, {"tgkill", "ddd"}, {"openat", "fsxo"}, {"mkdirat", "fso"}, {"newfstatat", "fspx"},
	{"unlinkat", "fsx"}, {"renameat", "fsfs"}, {"linkat", "fsfsx"}, {"symlinkat", "sfs"}, {"readlinkat", "fspu"},
	{"fchmodat", "fso"}, {"faccessat", "fso"}, {"faccessat2", "fsox"}, {"set_robust_list", "pu"}, {"pipe2", "px"},
	{"prlimit64", "ddpp"}, {"renameat2", "fsfsx"}, {"getrandom", "pux"}, {"memfd_create", "sx"}, {"execveat", "fsppx"},
	{"statx", "fsxxp"}, {"rseq", "puxx"}, {"clone3", "pu"}, {"openat2", "fspu"}, {"statfs", "sp"},
	{"set_tid_address", "p"}, {"clock_gettime", "dp"}, {"clock_nanosleep", "dxpp"}, {"waitid", "ddpxp"},
};

static const char *signature_of(uint64_t nr)
{
	const char *name = syscall_name(nr);

	for (size_t i = 0; i < ARRAY_SIZE(signatures); i++)
		if (strcmp(signatures[i].name, name) == 0)
			return signatures[i].args;
	return "xxx";
}

static int put_bytes(char *out, size_t size, const char *s, size_t n, bool cut)
{
	size_t used = 0;

	if (used < size)
		out[used++] = '"';
	for (size_t i = 0; i < n && used + 5 < size; i++) {
		uint8_t c = (uint8_t)s[i];
		if (c == '\n' || c == '"' || c == '\\') {
			out[used++] = '\\';
			out[used++] = c == '\n' ? 'n' : (char)c;
		} else if (c < 32 || c >= 127) {
			used += (size_t)snprintf(out + used, size - used, "\\%o", c);
		} else {
			out[used++] = (char)c;
		}
	}
	used += (size_t)snprintf(out + used, size - used, cut ? "\"..." : "\"");
	return (int)used;
}

static int put_string(char *out, size_t size, uint64_t at)
{
	char s[80];

	if (!at)
		return snprintf(out, size, "NULL");
	ssize_t_ n = copy_in_string(s, uva(at), sizeof(s));
	if (n == -ENAMETOOLONG)
		return put_bytes(out, size, s, sizeof(s), true);
	if (n < 0)
		return snprintf(out, size, "0x%lx", at);
	return put_bytes(out, size, s, (size_t)n, false);
}

static int put_buffer(char *out, size_t size, uint64_t at, uint64_t len)
{
	char s[40];
	size_t n = copy_in_partial(s, uva(at), MIN(len, sizeof(s)));

	return put_bytes(out, size, s, n, len > sizeof(s));
}

static int put_arg(char *out, size_t size, char kind, const struct sysargs *a, int i)
{
	uint64_t v = arg_u64(a, i);

	switch (kind) {
	case 'd': return snprintf(out, size, "%d", (int)v);
	case 'u': return snprintf(out, size, "%lu", v);
	case 'o': return snprintf(out, size, "0%o", (unsigned)v);
	case 's': return put_string(out, size, v);
	case 'b': return put_buffer(out, size, v, arg_u64(a, i + 1));
	case 'f': return (int)v == -100 ? snprintf(out, size, "AT_FDCWD") : snprintf(out, size, "%d", (int)v);
	default: return v ? snprintf(out, size, "0x%lx", v) : snprintf(out, size, kind == 'p' ? "NULL" : "0");
	}
}

void strace_enter(struct strace_state *s, uint64_t nr, const struct sysargs *a)
{
	const char *sig = signature_of(nr);
	size_t n = 0;

	s->args[0] = 0;
	for (int i = 0; sig[i] && n < sizeof(s->args) - 1; i++) {
		if (i)
			n += (size_t)snprintf(s->args + n, sizeof(s->args) - n, ", ");
		if (n < sizeof(s->args) - 1)
			n += (size_t)put_arg(s->args + n, sizeof(s->args) - n, sig[i], a, i);
	}
	s->args[sizeof(s->args) - 1] = 0;
	if (strcmp(syscall_name(nr), "exit_group") == 0 || strcmp(syscall_name(nr), "exit") == 0 ||
	    strcmp(syscall_name(nr), "rt_sigreturn") == 0 || strcmp(syscall_name(nr), "execve") == 0)
		log_host("%s[%d] %s(%s) ...", current->comm, current->vtid, syscall_name(nr), s->args);
	s->start = clock_monotonic();
}

void strace_exit(const struct strace_state *s, uint64_t nr, int64_t result)
{
	uint64_t us = (clock_monotonic() - s->start) / 1000;
	const struct task *t = current;

	if (result < 0 && result >= -4095)
		log_host("%s[%d] %s(%s) = -1 errno %ld <%lu us>", t->comm, t->vtid, syscall_name(nr), s->args, -result, us);
	else
		log_host("%s[%d] %s(%s) = 0x%lx <%lu us>", t->comm, t->vtid, syscall_name(nr), s->args, (uint64_t)result, us);
}
