/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The harness of the conformance tests. One static program per family of system calls; the same binary runs on Linux and
 * in the sandbox, and Linux failing a test means that the test is wrong.
 *
 * A test is a function without arguments, listed in ABI_MAIN. CHECK records a failure and goes on; REQUIRE leaves the test.
 * After the last test the program checks that no descriptors and no children were left behind. Exit status: 0, or 1
 * when anything failed. With an argument, only tests whose name contains it run.
 */
#ifndef TESTS_ABI_H
#define TESTS_ABI_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct abi_test {
	const char *name;
	void (*run)(void);
};

/* An address where nothing is, that the compiler does not know. */
static volatile uintptr_t abi_nowhere = 8;
#define BAD_POINTER ((void *)abi_nowhere)

static unsigned abi_failures;
static const char *abi_current;

__attribute__((format(printf, 3, 4))) static inline void abi_fail(const char *file, int line, const char *fmt, ...)
{
	__builtin_va_list ap;

	__atomic_add_fetch(&abi_failures, 1, __ATOMIC_RELAXED);
	printf("%s:%d: %s: ", file, line, abi_current);
	__builtin_va_start(ap, fmt);
	vprintf(fmt, ap);
	__builtin_va_end(ap);
	putchar('\n');
	fflush(stdout);
}

#define CHECK(cond) \
	((cond) ? true : (abi_fail(__FILE__, __LINE__, "%s (errno %d)", #cond, errno), false))
#define REQUIRE(cond) \
	do { \
		if (!CHECK(cond)) \
			return; \
	} while (0)
/* Two integers are equal; prints both. */
#define CHECK_EQ(a, b) \
	({ \
		long long a_ = (long long)(a), b_ = (long long)(b); \
		if (a_ != b_) \
			abi_fail(__FILE__, __LINE__, "%s is %lld, not %lld (errno %d)", #a, a_, b_, errno); \
		a_ == b_; \
	})
/* The call fails with this errno. */
#define CHECK_ERRNO(expr, want) \
	({ \
		errno = 0; \
		long long r_ = (long long)(expr); \
		int e_ = errno; \
		if (r_ != -1 || e_ != (want)) \
			abi_fail(__FILE__, __LINE__, "%s: result %lld, errno %d (%s), not %s", #expr, r_, e_, strerror(e_), #want); \
		r_ == -1 && e_ == (want); \
	})
/* For functions that return the error, as pthreads do. */
#define CHECK_OK(expr) CHECK_EQ(expr, 0)

/* Runs fn in a child and returns its wait status. */
static inline int abi_child(void (*fn)(void))
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		abi_failures = 0;
		fn();
		fflush(stdout);
		_exit(abi_failures ? 1 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abi_fail(__FILE__, __LINE__, "cannot run a child");
	return status;
}

/* Waits until the task sleeps: it has got as far as the call that is to block. False after a minute. */
static inline bool abi_sleeps(pid_t tid)
{
	char path[32], buf[128];

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	for (int i = 0; i < 60000; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
		const char *name_end;

		if (fd >= 0)
			close(fd);
		buf[n > 0 ? n : 0] = 0;
		name_end = strrchr(buf, ')');
		if (name_end && name_end[1] == ' ' && name_end[2] == 'S')
			return true;
		usleep(1000);
	}
	return false;
}

/* A fresh directory below TMPDIR or /tmp, made the working directory. */
static inline void abi_scratch(void)
{
	static char path[256];
	const char *tmp = getenv("TMPDIR");

	snprintf(path, sizeof(path), "%s/abi-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(path) || chdir(path)) {
		perror(path);
		exit(2);
	}
}

static inline unsigned abi_open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static inline int abi_main(int argc, char **argv, const struct abi_test *tests, unsigned n)
{
	unsigned fds, ran = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	fds = abi_open_fds();
	for (unsigned i = 0; i < n; i++) {
		unsigned before = abi_failures;

		if (argc > 1 && !strstr(tests[i].name, argv[1]))
			continue;
		abi_current = tests[i].name;
		tests[i].run();
		printf("%s %s\n", abi_failures == before ? "ok  " : "FAIL", tests[i].name);
		ran++;
	}
	abi_current = "at the end";
	CHECK_EQ(abi_open_fds(), fds);
	CHECK_ERRNO(waitpid(-1, NULL, WNOHANG), ECHILD);
	printf("%u tests, %u failures\n", ran, abi_failures);
	return abi_failures ? 1 : 0;
}

#define ABI_TEST(fn) {#fn, fn}
#define ABI_MAIN(...) \
	int main(int argc, char **argv) \
	{ \
		static const struct abi_test tests[] = {__VA_ARGS__}; \
		return abi_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0])); \
	}

#endif
