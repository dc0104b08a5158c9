/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of namespaces share: children in new namespaces, small files, steps between two processes. */
#ifndef TESTS_NS_H
#define TESTS_NS_H

#include "abi.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>

/* A child in new namespaces: as fork. */
static inline pid_t ns_clone(unsigned long flags)
{
	fflush(stdout);
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, NULL, NULL, 0);
}

/* Runs fn in a child in new namespaces; its wait status. */
static inline int ns_child(unsigned long flags, void (*fn)(void))
{
	int status = -1;
	pid_t pid = ns_clone(flags);

	if (pid == 0) {
		abi_failures = 0;
		fn();
		fflush(stdout);
		_exit(abi_failures ? 1 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abi_fail(__FILE__, __LINE__, "no child with flags %lx (errno %d)", flags, errno);
	return status;
}

/* 0 or -1 with errno. */
static inline int ns_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), saved;

	if (fd < 0)
		return -1;
	ssize_t n = write(fd, text, strlen(text));
	saved = errno;
	close(fd);
	errno = saved;
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* The file's text, at most one buffer; "" if there is none. */
static inline const char *ns_read(const char *path)
{
	static char buf[1 << 18];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0, r;

	while (fd >= 0 && n < (ssize_t)sizeof(buf) - 1 && (r = read(fd, buf + n, sizeof(buf) - 1 - (size_t)n)) > 0)
		n += r;
	if (fd >= 0)
		close(fd);
	buf[n] = '\0';
	return buf;
}

static inline int ns_touch(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0644);
	return fd < 0 ? -1 : close(fd);
}

/* Steps: one end tells the other, by a byte, that it has come so far. */
struct ns_steps {
	int fd[2];
};

static inline bool ns_steps_open(struct ns_steps *s) { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s->fd) == 0; }
static inline void ns_tell(struct ns_steps *s, int side) { (void)!write(s->fd[side], "x", 1); }
static inline bool ns_await(struct ns_steps *s, int side)
{
	char c;
	return read(s->fd[side], &c, 1) == 1;
}
static inline void ns_steps_close(struct ns_steps *s)
{
	close(s->fd[0]);
	close(s->fd[1]);
}

/* Inode number of /proc/PID/ns/NAME. */
static inline ino_t ns_number(const char *pid, const char *name)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", pid, name);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

#endif
