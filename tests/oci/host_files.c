/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/oci/oci_files.py runs inside containers: programs on files that the host changes meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096
#define PAGES 16

static sigjmp_buf out;
static volatile char *bus_addr;
static volatile int bus_code;

static void on_bus(int sig, siginfo_t *si, void *uc)
{
	bus_addr = si->si_addr;
	bus_code = si->si_code;
	siglongjmp(out, 1);
}

static int fail(const char *what)
{
	printf("FAIL %s (errno %s)\n", what, strerrorname_np(errno));
	return 1;
}

#define REQUIRE(cond) \
	do { \
		if (!(cond)) \
			return fail(#cond); \
	} while (0)

static int wait_line(const char *say)
{
	char line[16];

	puts(say);
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) ? 0 : fail("standard input");
}

/* The byte at p, or -1 if reading it raised SIGBUS there. */
static int peek(volatile char *p)
{
	if (sigsetjmp(out, 1))
		return bus_addr == p && bus_code == BUS_ADRERR ? -1 : -2;
	return (unsigned char)*p;
}

static int poke(volatile char *p, char c)
{
	if (sigsetjmp(out, 1))
		return bus_addr == p && bus_code == BUS_ADRERR ? -1 : -2;
	*p = c;
	return 0;
}

/* Calls that read or write lost pages through the kernel. */
static int kernel_copies(char *lost, int shared_write)
{
	int p[2];

	REQUIRE(pipe(p) == 0);
	errno = 0;
	REQUIRE(write(p[1], lost, 100) == -1 && errno == EFAULT);
	REQUIRE(write(p[1], "abc", 3) == 3);
	if (shared_write) {
		errno = 0;
		REQUIRE(read(p[0], lost, 3) == -1 && errno == EFAULT);
	}
	errno = 0;
	REQUIRE(open(lost, O_RDONLY) == -1 && errno == EFAULT);
	errno = 0;
	REQUIRE(syscall(SYS_futex, lost, FUTEX_WAIT, 0, NULL, NULL, 0) == -1 && errno == EFAULT);
	/* A large write to a file goes without a bounce buffer. */
	int fd = open("/tmp/copy", O_RDWR | O_CREAT | O_TRUNC, 0600);
	REQUIRE(fd >= 0);
	errno = 0;
	REQUIRE(write(fd, lost, 8 * PAGE) == -1 && errno == EFAULT);
	close(fd);
	close(p[0]);
	close(p[1]);
	return 0;
}

/*
 * truncated HOW FILE: maps PAGES pages (how: r private read-only, w private writable, s shared writable), touches all,
 * and lets the host cut the file to one page and 100 bytes.
 */
static int truncated(char **argv)
{
	struct sigaction sa = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
	char how = argv[0][0];
	int fd = open(argv[1], how == 's' ? O_RDWR : O_RDONLY);
	char *m = mmap(NULL, PAGES * PAGE, how == 'r' ? PROT_READ : PROT_READ | PROT_WRITE,
	               how == 's' ? MAP_SHARED : MAP_PRIVATE, fd, 0);

	REQUIRE(fd >= 0 && m != MAP_FAILED);
	REQUIRE(sigaction(SIGBUS, &sa, NULL) == 0);
	for (int i = 0; i < PAGES; i++)
		REQUIRE(m[i * PAGE] == 'x');
	if (how == 'w')
		m[5 * PAGE] = 'p'; /* a copy of our own */
	if (wait_line("ready"))
		return 1;
	/* Before anything has told the kernel that the file is shorter. */
	if (how != 'w' && kernel_copies(m + 4 * PAGE, how == 's'))
		return 1;
	int lost = 0;
	for (int i = PAGES - 1; i >= 0; i--) {
		int c = peek(m + i * PAGE);

		REQUIRE(c != -2);
		/* Copies made before may survive the cut by the host: private writable memory is copied ahead of time. */
		if (i <= 1 || how == 'w')
			REQUIRE(c == 'x' || c == 'p' || (how == 'w' && c == -1));
		else
			REQUIRE(c == -1);
		lost += c == -1;
	}
	REQUIRE(how == 'w' || peek(m + PAGE + 200) == 0);
	if (how == 's')
		REQUIRE(poke(m + 9 * PAGE, 'y') == -1 && poke(m + 8, 'y') == 0);
	if (how != 'w' && kernel_copies(m + 4 * PAGE, how == 's'))
		return 1;
	/* A mapping made now, and one of a child. */
	char *n = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	REQUIRE(n != MAP_FAILED && peek(n) == m[0] && peek(n + 3 * PAGE) == -1);
	pid_t pid = fork();
	if (!pid)
		_exit(peek(n) == m[0] && peek(n + 5 * PAGE) == -1 ? 0 : 1);
	int status;
	REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
	if (wait_line("lost"))
		return 1;
	/* The host has made it long again. */
	struct stat st;
	REQUIRE(peek(n + 3 * PAGE) == 0);
	REQUIRE(fstat(fd, &st) == 0 && st.st_size == PAGES * PAGE);
	puts("ok");
	return 0;
}

/* truncate-self FILE: the same by the sandbox's own hand. */
static int truncate_self(char **argv)
{
	struct sigaction sa = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
	int fd = open(argv[0], O_RDWR);
	char *m = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *r = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	REQUIRE(fd >= 0 && m != MAP_FAILED && r != MAP_FAILED);
	REQUIRE(sigaction(SIGBUS, &sa, NULL) == 0);
	for (int i = 0; i < PAGES; i++)
		REQUIRE(m[i * PAGE] == 'x' && r[i * PAGE] == 'x');
	REQUIRE(ftruncate(fd, PAGE + 100) == 0);
	REQUIRE(peek(m) == 'x' && peek(m + PAGE + 200) == 0 && peek(m + 2 * PAGE) == -1 && peek(r + 2 * PAGE) == -1);
	REQUIRE(kernel_copies(m + 4 * PAGE, 1) == 0);
	REQUIRE(ftruncate(fd, PAGES * PAGE) == 0);
	REQUIRE(peek(m + 2 * PAGE) == 0 && peek(r + 2 * PAGE) == 0 && poke(m + 2 * PAGE, 'z') == 0 && peek(r + 2 * PAGE) == 'z');
	puts("ok");
	return 0;
}

/* windows DIR: many files mapped, unmapped and mapped again; each shows its own bytes whatever was there before. */
static int windows(char **argv)
{
	char name[256], *m[64] = {0};

	for (int round = 0; round < 600; round++) {
		int i = round * 7 % 64, f = round * 13 % 97;
		struct stat st;

		if (m[i])
			REQUIRE(munmap(m[i], PAGES * PAGE) == 0);
		snprintf(name, sizeof(name), "%s/f%d", argv[0], f);
		int fd = open(name, O_RDWR);
		REQUIRE(fd >= 0 && fstat(fd, &st) == 0);
		m[i] = mmap(NULL, PAGES * PAGE, PROT_READ | (round & 1 ? PROT_WRITE : 0), round & 2 ? MAP_SHARED : MAP_PRIVATE, fd, 0);
		REQUIRE(m[i] != MAP_FAILED);
		close(fd);
		for (int k = 0; k < PAGES; k += 5)
			REQUIRE(atoi(m[i] + k * PAGE) == f * 100 + k);
		if (round % 50 == 0) {
			pid_t pid = fork();
			int status;

			if (!pid)
				_exit(atoi(m[i] + 10 * PAGE) != f * 100 + 10);
			REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
		}
	}
	puts("ok");
	return 0;
}

/* unmappable FILE: one of a file system without mmap. Its pages are a copy, or mapping it is an error: never a crash. */
static int unmappable(char **argv)
{
	struct sigaction sa = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
	char buf[64] = "";
	int fd = open(argv[0], O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	char *m = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	REQUIRE(fd >= 0 && n > 0);
	sigaction(SIGBUS, &sa, NULL);
	if (m == MAP_FAILED)
		printf("refused %s\n", strerrorname_np(errno));
	else if (peek(m) < 0)
		puts("SIGBUS");
	else
		puts(memcmp(m, buf, n) ? "different" : "copied");
	return 0;
}

/* descriptors DIR N: N processes that each hold 900 files of DIR open, then the children and we go on with others. */
static int descriptors(char **argv)
{
	int n = atoi(argv[1]), opened = 0, err = 0, fd, go[2], ready[2];
	char name[256], c;

	REQUIRE(pipe(go) == 0 && pipe(ready) == 0);
	for (int i = 0; i < n; i++) {
		if (fork())
			continue;
		close(go[1]);
		for (int k = 0; k < 900; k++) {
			snprintf(name, sizeof(name), "%s/f%d", argv[0], (i * 900 + k));
			fd = open(name, O_RDONLY);
			if (fd < 0) {
				err = errno;
				break;
			}
		}
		c = err == 0 ? 'o' : err == ENFILE ? 'n' : '?';
		_exit(write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) != 0);
	}
	for (int i = 0; i < n; i++) {
		REQUIRE(read(ready[0], &c, 1) == 1);
		REQUIRE(c != '?');
		opened += c == 'o';
	}
	fd = open("/etc/passwd", O_RDONLY);
	if (fd < 0)
		REQUIRE(errno == ENFILE);
	printf("held %d of %d\n", opened, n);
	if (wait_line("full"))
		return 1;
	close(go[1]);
	while (wait(NULL) > 0)
		;
	REQUIRE(open("/etc/passwd", O_RDONLY) >= 0);
	puts("ok");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		int (*run)(char **argv);
	} commands[] = {
		{"truncated", 2, truncated}, {"truncate-self", 1, truncate_self}, {"windows", 1, windows},
		{"unmappable", 1, unmappable}, {"descriptors", 2, descriptors},
	};

	for (unsigned i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0 && argc == 2 + commands[i].args)
			return commands[i].run(argv + 2);
	fprintf(stderr, "host_files: usage\n");
	return 99;
}
