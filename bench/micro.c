// SPDX-License-Identifier: Apache-2.0
/*
 * Microbenchmarks, one per promise. The same static program runs on Linux and in every sandbox.
 *
 *     micro NAME...      prints `NAME VALUE` lines (units in the table below); files are made in the current directory
 *     micro exit         ends at once: what fork+exec+wait measures
 *     micro count N NAME for whoever counts something outside: makes N/8 calls, prints `ready`, waits for a line, makes N calls,
 *                        prints `done`, waits for another line. Only for those that print microseconds per call
 *     micro echo         answers each line of standard input with the same line
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE   4096UL
#define MIB    (1UL << 20)
#define FILE_NAME "bench-file"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *map(size_t len, int flags)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static unsigned long count; /* of `micro count` */

static void counted(void (*fn)(void))
{
	char line[16];

	for (unsigned long i = 0; i < count / 8 + 1; i++)
		fn();
	for (int turn = 0; turn < 2; turn++) {
		for (unsigned long i = 0; turn && i < count; i++)
			fn();
		puts(turn ? "done" : "ready");
		fflush(stdout);
		if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
			die("stdin");
	}
	_exit(0);
}

/* Microseconds per call of fn: the best of 20 batches of about 15 ms each, since the machine may do other things, too. */
static double per_call(void (*fn)(void))
{
	double best = 1e9, t0 = now(), t;
	unsigned long n = 0;

	if (count)
		counted(fn);
	while (now() - t0 < 0.015) {
		fn();
		n++;
	}
	for (int round = 0; round < 20; round++) {
		t0 = now();
		for (unsigned long i = 0; i < n; i++)
			fn();
		t = (now() - t0) / (double)n;
		best = t < best ? t : best;
	}
	return best * 1e6;
}

/* ---- system calls ---- */
static void one_getppid(void) { syscall(SYS_getppid); }
static void one_clock(void) { (void)now(); }

static void one_open(void)
{
	int fd = open(FILE_NAME, O_RDONLY);

	if (fd < 0)
		die(FILE_NAME);
	close(fd);
}

static void one_stat(void)
{
	struct stat st;

	if (stat(FILE_NAME, &st))
		die(FILE_NAME);
}

static void one_map(void)
{
	volatile char *p = map(MIB, MAP_PRIVATE);

	p[0] = 1;
	munmap((void *)p, MIB);
}

static void make_file(size_t len)
{
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || ftruncate(fd, (off_t)len))
		die(FILE_NAME);
	close(fd);
}

static double bench_getppid(void) { return per_call(one_getppid); }
static double bench_clock(void) { return per_call(one_clock); }
static double bench_map(void) { return per_call(one_map); }

static double bench_open(void)
{
	make_file(0);
	return per_call(one_open);
}

static double bench_stat(void)
{
	make_file(0);
	return per_call(one_stat);
}

/* ---- memory ---- */
static double bench_touch(void)
{
	double best = 1e9;

	for (int round = 0; round < 3; round++) {
		volatile char *p = map(64 * MIB, MAP_PRIVATE);
		double t0 = now(), t;

		for (size_t i = 0; i < 64 * MIB; i += PAGE)
			p[i] = 1;
		t = now() - t0;
		best = t < best ? t : best;
		munmap((void *)p, 64 * MIB);
	}
	return best * 1e6 / (64 * MIB / PAGE);
}

/* Without a second look: memory that nobody had before. */
static double bench_first(void)
{
	volatile char *p = map(64 * MIB, MAP_PRIVATE);
	double t0 = now();

	madvise((void *)p, 64 * MIB, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 64 * MIB; i += PAGE)
		p[i] = 1;
	return (now() - t0) * 1e6 / (64 * MIB / PAGE);
}

#define FAULT_AREA (4 * MIB)
static volatile char *fault_area;
static size_t fault_next;

static void one_fault(void)
{
	fault_area[fault_next] = 1;
	fault_next += PAGE;
	if (fault_next == FAULT_AREA) {
		madvise((void *)fault_area, FAULT_AREA, MADV_DONTNEED);
		fault_next = 0;
	}
}

/* The same few frames over and over, with their release. */
static double bench_fault(void)
{
	fault_area = map(FAULT_AREA, MAP_PRIVATE);
	madvise((void *)fault_area, FAULT_AREA, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 4 * FAULT_AREA / PAGE; i++)
		one_fault();
	return per_call(one_fault);
}

/* ---- processes ---- */
static const char *self_path;

static void one_fork_exec(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execl(self_path, "micro", "exit", NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die("fork+exec");
}

static double bench_fork_exec(void)
{
	char *p = map(MIB, MAP_PRIVATE);

	memset(p, 1, MIB);
	return per_call(one_fork_exec);
}

static int to_child[2], to_parent[2];

static void one_pipe(void)
{
	char c = 1;

	if (write(to_child[1], &c, 1) != 1 || read(to_parent[0], &c, 1) != 1)
		die("pipe");
}

static double bench_pipe(void)
{
	double t;
	pid_t pid;
	char c;

	if (pipe(to_child) || pipe(to_parent))
		die("pipe");
	pid = fork();
	if (!pid) {
		close(to_child[1]);
		while (read(to_child[0], &c, 1) == 1 && write(to_parent[1], &c, 1) == 1)
			;
		_exit(0);
	}
	t = per_call(one_pipe);
	close(to_child[1]);
	waitpid(pid, NULL, 0);
	return t;
}

#define RING 8

/* A byte goes round through eight processes on one CPU: each step is a switch. */
static double bench_switch(void)
{
	int from[2], to[2];
	cpu_set_t cpus, one;
	char c;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		die("sched_getaffinity");
	for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &cpus))
			CPU_SET(i, &one);
	if (sched_setaffinity(0, sizeof(one), &one) || pipe(to_child) || pipe(to_parent))
		die("switch");
	from[0] = to_child[0];
	for (int i = 1; i < RING; i++) {
		if (i < RING - 1 && pipe(to))
			die("pipe");
		if (i == RING - 1)
			to[1] = to_parent[1];
		if (!fork()) {
			close(to_child[1]);
			while (read(from[0], &c, 1) == 1 && write(to[1], &c, 1) == 1)
				;
			_exit(0);
		}
		close(from[0]);
		close(to[1]);
		from[0] = to[0];
	}
	double t = per_call(one_pipe) / RING;
	close(to_child[1]);
	while (wait(NULL) > 0)
		;
	return t;
}

static uint32_t *word;

static void hand_over(uint32_t from, uint32_t to)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != from)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, to, NULL, NULL, 0);
	__atomic_store_n(word, to, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void one_futex(void) { hand_over(0, 1); }

static void *futex_partner(void *arg)
{
	for (;;)
		hand_over(1, 0);
	return NULL;
}

static double bench_futex(void)
{
	pthread_t t;

	word = map(PAGE, MAP_PRIVATE);
	if (pthread_create(&t, NULL, futex_partner, NULL))
		die("pthread_create");
	return per_call(one_futex);
}

/* How many times faster four processes finish four equal pieces of work than one does. */
static void work(void)
{
	for (volatile unsigned long i = 0; i < 150000000UL; i++)
		;
}

static double timed_work(int tasks)
{
	double t0 = now();

	for (int i = 0; i < tasks; i++) {
		if (!fork()) {
			work();
			_exit(0);
		}
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
	return now() - t0;
}

static double bench_parallel(void)
{
	double one = timed_work(1);

	return 4 * one / timed_work(4);
}

/* ---- TCP over the loopback ---- */

static int tcp_fd;

/* A connection whose other end is served by a process of its own; its pid. */
static pid_t tcp_partner(void (*serve)(int fd))
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	pid_t pid;

	tcp_fd = socket(AF_INET, SOCK_STREAM, 0);
	if (l < 0 || tcp_fd < 0 || bind(l, (void *)&a, sizeof(a)) || listen(l, 1) || getsockname(l, (void *)&a, &len))
		die("socket");
	pid = fork();
	if (!pid) {
		int c = accept(l, NULL, NULL);

		close(tcp_fd);
		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		serve(c);
		_exit(0);
	}
	close(l);
	setsockopt(tcp_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (pid < 0 || connect(tcp_fd, (void *)&a, sizeof(a)))
		die("connect");
	return pid;
}

static void serve_echo(int fd)
{
	char c;

	while (read(fd, &c, 1) == 1 && write(fd, &c, 1) == 1)
		;
}

static void one_tcp(void)
{
	char c = 1;

	if (write(tcp_fd, &c, 1) != 1 || read(tcp_fd, &c, 1) != 1)
		die("tcp");
}

static double bench_tcp(void)
{
	pid_t pid = tcp_partner(serve_echo);
	double t = per_call(one_tcp);

	close(tcp_fd);
	waitpid(pid, NULL, 0);
	return t;
}

#define STREAM_PIECE (128 << 10)

/* Answers each 64 MiB with a byte. */
static void serve_sink(int fd)
{
	static char buf[STREAM_PIECE];
	size_t got = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		got += (size_t)n;
		if (got == 64 * MIB && write(fd, buf, 1) == 1)
			got = 0;
	}
}

static double bench_stream(void)
{
	static char buf[STREAM_PIECE];
	pid_t pid = tcp_partner(serve_sink);
	double best = 0, rate;

	memset(buf, 7, sizeof(buf));
	for (int round = 0; round < 4; round++) {
		double t0 = now();

		for (size_t done = 0; done < 64 * MIB;) {
			ssize_t n = write(tcp_fd, buf, sizeof(buf));
			if (n <= 0)
				die("stream");
			done += (size_t)n;
		}
		if (read(tcp_fd, buf, 1) != 1)
			die("stream");
		rate = 64 * 1.048576 / (now() - t0);
		best = rate > best ? rate : best;
	}
	close(tcp_fd);
	waitpid(pid, NULL, 0);
	return best;
}

/* ---- files: MB/s in pieces of 64 KiB ---- */
#define PIECE (64 << 10)

static double throughput(bool writes)
{
	static char buf[PIECE];
	int fd = open(FILE_NAME, O_RDWR | O_CREAT, 0644);
	double best = 0, rate;

	if (fd < 0)
		die(FILE_NAME);
	memset(buf, 7, sizeof(buf));
	for (int round = 0; round < 4; round++) {
		double t0 = now();

		for (size_t done = 0; done < 64 * MIB; done += PIECE) {
			ssize_t n = writes ? pwrite(fd, buf, PIECE, (off_t)done) : pread(fd, buf, PIECE, (off_t)done);
			if (n != PIECE)
				die("file");
		}
		rate = 64 * 1.048576 / (now() - t0);
		best = rate > best ? rate : best;
	}
	close(fd);
	return best;
}

static double bench_write(void)
{
	make_file(0);
	return throughput(true);
}

static double bench_read(void)
{
	make_file(0);
	throughput(true);
	return throughput(false);
}

static int small_fd;
static char small[PAGE];

static void one_small_read(void)
{
	if (pread(small_fd, small, PAGE, 0) != (ssize_t)PAGE)
		die("pread");
}

static void one_small_write(void)
{
	if (pwrite(small_fd, small, PAGE, 0) != (ssize_t)PAGE)
		die("pwrite");
}

static double bench_small(void (*fn)(void))
{
	make_file(PAGE);
	small_fd = open(FILE_NAME, O_RDWR);
	if (small_fd < 0)
		die(FILE_NAME);
	return per_call(fn);
}

static double bench_small_read(void) { return bench_small(one_small_read); }
static double bench_small_write(void) { return bench_small(one_small_write); }

/* ---- */
static const struct {
	const char *name;
	double (*fn)(void);
} benches[] = {
	{"getppid", bench_getppid},     /* us per call */
	{"clock", bench_clock},         /* us per clock_gettime */
	{"fault", bench_fault},         /* us per page of anonymous memory, from frames that were in use before, and their release */
	{"first", bench_first},         /* us per page of 64 MiB that was never touched before, as far as we know */
	{"touch", bench_touch},         /* us per page of 64 MiB fresh anonymous memory */
	{"forkexec", bench_fork_exec},  /* us per fork+exec+wait */
	{"open", bench_open},           /* us per open+close */
	{"stat", bench_stat},           /* us per stat */
	{"pipe", bench_pipe},           /* us per round trip of one byte between two processes */
	{"switch", bench_switch},       /* us per step of a byte through eight processes on one CPU */
	{"futex", bench_futex},         /* us per round trip between two threads */
	{"mmap", bench_map},            /* us per mmap of 1 MiB, one touch, munmap */
	{"pread", bench_small_read},    /* us per 4 KiB from a file */
	{"pwrite", bench_small_write},  /* us per 4 KiB into a file */
	{"write", bench_write},         /* MB/s */
	{"read", bench_read},           /* MB/s */
	{"tcp", bench_tcp},             /* us per round trip of one byte between two processes over TCP */
	{"stream", bench_stream},       /* MB/s */
	{"parallel", bench_parallel},   /* speed-up of four tasks */
};

static void echo(void)
{
	char line[256];

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin))
		fputs(line, stdout);
}

/* In a process of its own, so that none inherits the memory or the threads of another. */
static void run(unsigned i)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		printf("%s %.4f\n", benches[i].name, benches[i].fn());
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	unlink(FILE_NAME);
}

int main(int argc, char **argv)
{
	self_path = argv[0];
	for (int a = 1; a < argc; a++) {
		if (!strcmp(argv[a], "exit"))
			return 0;
		if (!strcmp(argv[a], "echo"))
			echo();
		if (!strcmp(argv[a], "count") && a + 1 < argc)
			count = strtoul(argv[++a], NULL, 10);
		for (unsigned i = 0; i < sizeof(benches) / sizeof(benches[0]); i++)
			if (!strcmp(argv[a], benches[i].name))
				run(i);
	}
	return 0;
}
