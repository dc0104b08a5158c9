/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/util.h"

#define CHILD_STACK 16384

struct child {
	const struct spawn *spawn;
	int go_read, go_write; /* the child waits until the last writer is gone; -1 if it need not wait */
};

/* Two processes in between: one enters the pid namespace, its child is in there and leaves ours to the namespace's init. */
struct orphan {
	struct child child;
	char *stacks; /* of the three */
	int namespace, pidfd, result;
};

static long raw(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return ret;
}

/* Shares the parent's memory and, unlike vfork, runs beside it: no libc (errno is the parent's), no locks. */
static int child_main(void *arg)
{
	const struct child *c = arg;
	const struct spawn *s = c->spawn;
	int tmp[3 + SPAWN_FDS_MAX];
	uint64_t no_signals = 0;
	char *env[] = {NULL};
	char byte;

	if (c->go_write >= 0) {
		raw(SYS_close, c->go_write, 0, 0, 0, 0);
		while (raw(SYS_read, c->go_read, (long)&byte, 1, 0, 0) == -EINTR)
			;
	}
	/* Root of its user namespace, where that is not the id that we have. */
	if (s->uid_map && (raw(SYS_setgroups, 0, 0, 0, 0, 0) < 0 || raw(SYS_setresgid, 0, 0, 0, 0, 0) < 0 ||
	                   raw(SYS_setresuid, 0, 0, 0, 0, 0) < 0))
		raw(SYS_exit_group, 125, 0, 0, 0, 0);
	/* Out of the terminal's foreground group: what the user types is forwarded by the CLI, once. */
	raw(SYS_setsid, 0, 0, 0, 0, 0);
	/* First all copies above the targets, so that no dup2 closes a descriptor that is still to be copied. */
	for (unsigned i = 0; i < 3 + s->nfds; i++)
		tmp[i] = raw(SYS_fcntl, i < 3 ? s->stdio[i] : s->fds[i - 3], F_DUPFD_CLOEXEC, SPAWN_FIRST_FD + SPAWN_FDS_MAX, 0, 0);
	for (unsigned i = 0; i < 3 + s->nfds; i++)
		if (tmp[i] < 0 || raw(SYS_dup2, tmp[i], i, 0, 0, 0) < 0)
			raw(SYS_exit_group, 126, 0, 0, 0, 0);
	raw(SYS_close_range, 3 + s->nfds, ~0u, 0, 0, 0); /* absent before Linux 5.9; ours are close-on-exec anyway */
	raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&no_signals, 0, sizeof(no_signals), 0);
	raw(SYS_execve, (long)"/proc/self/exe", (long)s->argv, (long)env, 0, 0);
	raw(SYS_exit_group, 127, 0, 0, 0, 0);
	return 0;
}

/* Shares memory and descriptors with its parent, which waits. */
static int orphan_main(void *arg)
{
	struct orphan *o = arg;
	unsigned long flags = o->child.spawn->flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;

	o->result = clone(child_main, o->stacks + CHILD_STACK, (int)flags, &o->child, &o->pidfd) < 0 ? errno : 0;
	raw(SYS_exit_group, 0, 0, 0, 0, 0);
	return 0;
}

/* The same. Entering is for its children only, and for good: without root there is no way back. */
static int enter_main(void *arg)
{
	struct orphan *o = arg;
	long err = raw(SYS_setns, o->namespace, CLONE_NEWPID, 0, 0, 0);
	int pid = err < 0 ? -1 : clone(orphan_main, o->stacks + 2 * CHILD_STACK, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, o);

	if (pid < 0)
		o->result = err < 0 ? (int)-err : errno;
	else
		while (raw(SYS_wait4, pid, 0, 0, 0, 0) == -EINTR)
			;
	raw(SYS_exit_group, 0, 0, 0, 0, 0);
	return 0;
}

/* The process id behind a pidfd as we see it; 0 if it is gone. */
static pid_t pidfd_number(int pidfd)
{
	char path[48], *text, *line;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	text = read_file_at(AT_FDCWD, path, 4096, NULL);
	line = text ? strstr(text, "Pid:") : NULL;
	if (line)
		pid = atoi(line + 4);
	free(text);
	return pid > 0 ? pid : 0;
}

/*
 * A process whose parent dies goes to the init of its parent's pid namespace. So we make a child in the namespace of
 * s->under, let it make the process, and end.
 */
static struct error *spawn_under(const struct spawn *s, pid_t *pid)
{
	char *stacks = aligned_alloc(16, 3 * CHILD_STACK), *path = xasprintf("/proc/%d/ns/pid", s->under);
	AUTO_FD theirs = open(path, O_RDONLY | O_CLOEXEC);
	struct orphan o = {.child = {.spawn = s, .go_read = -1, .go_write = -1}, .stacks = stacks, .namespace = theirs, .pidfd = -1};
	pid_t first;
	int err;

	*pid = 0;
	free(path);
	if (theirs < 0) {
		free(stacks);
		return error_errno(errno, "cannot enter the sandbox's pid namespace");
	}
	first = clone(enter_main, stacks + 3 * CHILD_STACK, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &o);
	err = first < 0 ? errno : o.result;
	while (first > 0 && waitpid(first, NULL, 0) < 0 && errno == EINTR)
		;
	if (o.pidfd >= 0) {
		*pid = pidfd_number(o.pidfd);
		if (s->pidfd)
			*s->pidfd = o.pidfd;
		else
			close(o.pidfd);
	}
	free(stacks);
	return err ? error_errno(err, "cannot start a process in namespaces") : NULL;
}

/* As given, or every id that we have mapped to itself. */
static struct error *map_ids(pid_t pid, const char *which, const char *given)
{
	char *own = xasprintf("/proc/self/%s", which), *path = xasprintf("/proc/%d/%s", pid, which);
	char *lines = read_file_at(AT_FDCWD, own, 65536, NULL), *save = NULL;
	char *map = xstrdup("");
	int err;

	for (char *l = lines && !given ? strtok_r(lines, "\n", &save) : NULL; l; l = strtok_r(NULL, "\n", &save)) {
		unsigned first, count;

		if (sscanf(l, "%u %*u %u", &first, &count) == 2) {
			char *next = xasprintf("%s%u %u %u\n", map, first, first, count);

			free(map);
			map = next;
		}
	}
	err = write_file_at(AT_FDCWD, path, given ? given : map);
	free(lines);
	free(own);
	if (err < 0)
		return error_errno(err, "cannot map the ids of the sandbox: %s", path);
	free(path);
	free(map);
	return NULL;
}

static char **copy_argv(char *const *argv)
{
	unsigned n = 0;
	char **copy;

	while (argv[n])
		n++;
	copy = xcalloc(n + 1, sizeof(*copy));
	memcpy(copy, argv, n * sizeof(*copy));
	return copy;
}

struct error *spawn_process(const struct spawn *s, pid_t *pid)
{
	bool user = s->flags & CLONE_NEWUSER;
	/* These live until the child has executed, which is not awaited when it is told to go on by the pipe. */
	char *stack;
	struct child *c;
	struct spawn *copy;
	int go[2] = {-1, -1}, flags, pidfd = -1;
	struct error *e = NULL;

	if (s->under)
		return spawn_under(s, pid);
	stack = aligned_alloc(16, CHILD_STACK);
	c = xcalloc(1, sizeof(*c));
	copy = xcalloc(1, sizeof(*copy));
	*copy = *s;
	copy->argv = copy_argv(s->argv);
	if (user && pipe2(go, O_CLOEXEC) < 0)
		return error_errno(errno, "pipe");
	*c = (struct child){.spawn = copy, .go_read = go[0], .go_write = go[1]};
	flags = (int)s->flags | CLONE_VM | SIGCHLD | (user ? 0 : CLONE_VFORK) | (s->pidfd ? CLONE_PIDFD : 0);
	*pid = clone(child_main, stack + CHILD_STACK, flags, c, &pidfd);
	if (*pid < 0) {
		e = errno == EPERM ? error_new("cannot make namespaces: permission denied; runsc needs root")
		                   : error_errno(errno, "cannot start a process in namespaces");
		*pid = 0;
	}
	if (s->pidfd)
		*s->pidfd = pidfd;
	if (!e && user)
		e = map_ids(*pid, "uid_map", s->uid_map);
	if (!e && user)
		e = map_ids(*pid, "gid_map", s->gid_map);
	if (e && *pid) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
		*pid = 0;
	}
	if (user) {
		close(go[0]);
		close(go[1]);
	}
	return e;
}

struct error *namespace_open_user(pid_t pid, int *fd)
{
	char *path = xasprintf("/proc/%d/ns/user", pid);

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	return *fd < 0 ? error_errno(errno, "cannot open the sandbox's user namespace") : NULL;
}

int namespace_empty_root(const char *dir)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0555,size=4k,nr_inodes=2") < 0 ||
	    chdir(dir) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -errno;
	return 0;
}
