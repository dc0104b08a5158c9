/* SPDX-License-Identifier: Apache-2.0 */
/* sendfile, splice, tee, vmsplice, copy_file_range; FIFOs; packet pipes; O_ASYNC. */
#include "abi.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static char pattern[200000];

static int pattern_file(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (char)(i * 7 + i / 255);
	if (fd >= 0 && write(fd, pattern, sizeof(pattern)) != sizeof(pattern)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void send_file(void)
{
	static char got[sizeof(pattern)];
	int in = pattern_file("in"), out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600), p[2];
	REQUIRE(in >= 0 && out >= 0 && pipe(p) == 0);
	off_t off = 100;
	CHECK_EQ(lseek(in, 0, SEEK_SET), 0);
	CHECK_EQ(sendfile(out, in, &off, 150000), 150000);
	CHECK_EQ(off, 150100);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
	CHECK_EQ(pread(out, got, sizeof(got), 0), 150000);
	CHECK(!memcmp(got, pattern + 100, 150000));
	CHECK_EQ(sendfile(p[1], in, NULL, 3000), 3000);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 3000);
	CHECK_EQ(read(p[0], got, sizeof(got)), 3000);
	CHECK(!memcmp(got, pattern, 3000));
	off = sizeof(pattern) - 10;
	CHECK_EQ(sendfile(out, in, &off, 100), 10);
	CHECK_EQ(sendfile(out, in, &off, 100), 0);
	off = -1;
	CHECK_ERRNO(sendfile(out, in, &off, 1), EINVAL);
	CHECK_ERRNO(sendfile(out, p[1], NULL, 1), EBADF);
	close(in);
	close(out);
	close(p[0]);
	close(p[1]);
}

/* A file to itself, two to each other at once, and a position that nobody holds while the other side is full. */
static void send_file_positions(void)
{
	int a = pattern_file("a"), b = pattern_file("b"), p[2], status;
	static char got[sizeof(pattern)];
	pid_t pid;

	REQUIRE(a >= 0 && b >= 0 && pipe(p) == 0);
	CHECK_EQ(lseek(a, 0, SEEK_SET), 0);
	CHECK_EQ(sendfile(a, a, NULL, 1000), 1000);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 1000);
	off_t off = 0;
	CHECK_EQ(lseek(a, 100000, SEEK_SET), 100000);
	CHECK_EQ(sendfile(a, a, &off, 3000), 3000);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 103000);
	CHECK_EQ(pread(a, got, 3000, 100000), 3000);
	CHECK(!memcmp(got, pattern, 3000));
	fflush(stdout);
	pid = fork();
	for (int i = 0; i < 500; i++) {
		lseek(a, 0, SEEK_SET);
		lseek(b, 0, SEEK_SET);
		if (sendfile(pid ? a : b, pid ? b : a, NULL, 5000) < 0)
			abi_fail(__FILE__, __LINE__, "sendfile: errno %d", errno);
	}
	if (!pid)
		_exit(abi_failures != 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(lseek(a, 0, SEEK_SET), 0);
	pid = fork();
	if (!pid) {
		while (sendfile(p[1], a, NULL, sizeof(pattern)) > 0)
			;
		_exit(0);
	}
	CHECK(abi_sleeps(pid));
	CHECK_EQ(lseek(a, 7, SEEK_SET), 7); /* while the child waits for room in the pipe */
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	close(a);
	close(b);
	close(p[0]);
	close(p[1]);
}

static void splice_pipes(void)
{
	static char got[sizeof(pattern)];
	int in = pattern_file("in"), out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600), p[2], q[2];
	REQUIRE(in >= 0 && out >= 0 && pipe(p) == 0 && pipe(q) == 0);
	off64_t off = 5000;
	CHECK_EQ(splice(in, &off, p[1], NULL, 10000, 0), 10000);
	CHECK_EQ(off, 15000);
	CHECK_EQ(tee(p[0], q[1], 6000, 0), 6000);
	CHECK_EQ(splice(p[0], NULL, out, NULL, 100000, 0), 10000);
	CHECK_EQ(pread(out, got, sizeof(got), 0), 10000);
	CHECK(!memcmp(got, pattern + 5000, 10000));
	CHECK_EQ(splice(q[0], NULL, p[1], NULL, 100000, 0), 6000);
	/* what was duplicated must not be written to through the other pipe */
	CHECK_EQ(write(p[1], "tail", 4), 4);
	CHECK_EQ(read(p[0], got, sizeof(got)), 6004);
	CHECK(!memcmp(got, pattern + 5000, 6000) && !memcmp(got + 6000, "tail", 4));
	CHECK_ERRNO(splice(p[0], NULL, out, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERRNO(splice(in, NULL, out, NULL, 1, 0), EINVAL);
	off = 0;
	CHECK_ERRNO(splice(p[0], &off, out, NULL, 1, 0), ESPIPE);
	struct iovec v[2] = {{pattern, 100}, {pattern + 1000, 50}};
	CHECK_EQ(vmsplice(p[1], v, 2, 0), 150);
	CHECK_EQ(read(p[0], got, sizeof(got)), 150);
	CHECK(!memcmp(got, pattern, 100) && !memcmp(got + 100, pattern + 1000, 50));
	close(p[1]);
	CHECK_EQ(splice(p[0], NULL, out, NULL, 10, 0), 0);
	close(in);
	close(out);
	close(p[0]);
	close(q[0]);
	close(q[1]);
}

static void copy_range(void)
{
	static char got[sizeof(pattern)];
	int in = pattern_file("in"), out = open("copy", O_RDWR | O_CREAT | O_TRUNC, 0600);
	REQUIRE(in >= 0 && out >= 0);
	off64_t a = 0, b = 10;
	CHECK_EQ(copy_file_range(in, &a, out, &b, 70000, 0), 70000);
	CHECK(a == 70000 && b == 70010);
	CHECK_EQ(pread(out, got, sizeof(got), 0), 70010);
	CHECK(!memcmp(got + 10, pattern, 70000));
	a = 0;
	b = 100;
	CHECK_ERRNO(copy_file_range(in, &a, in, &b, 1000, 0), EINVAL);
	CHECK_ERRNO(copy_file_range(in, &a, out, &b, 1000, 1), EINVAL);
	close(in);
	close(out);
}

static void fifo_reader(void)
{
	char buf[8];
	int fd = open("fifo", O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQ(read(fd, buf, 8), 5);
	CHECK_EQ(read(fd, buf, 8), 0);
	close(fd);
}

static void copy_to_the_limit(void)
{
	int in = pattern_file("in"), out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct rlimit limit = {6000, 6000};
	off64_t from = 0, to = 0;

	REQUIRE(in >= 0 && out >= 0);
	signal(SIGXFSZ, SIG_IGN);
	REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	int whole = (int)copy_file_range(in, &from, out, &to, 10000, 0);
	int more = (int)copy_file_range(in, &from, out, &to, 10000, 0), err = errno;
	_exit(whole != 6000 ? 1 : more != -1 ? 2 : err != EFBIG ? 3 : 0);
}

static void copy_range_limit(void) { CHECK_EQ(abi_child(copy_to_the_limit), 0); }

static void fifos(void)
{
	REQUIRE(mkfifo("fifo", 0600) == 0);
	CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		abi_failures = 0;
		fifo_reader();
		_exit(abi_failures != 0);
	}
	int fd = open("fifo", O_WRONLY); /* meets the reader */
	REQUIRE(fd >= 0);
	CHECK_EQ(write(fd, "hello", 5), 5);
	close(fd);
	int status;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	int r = open("fifo", O_RDONLY | O_NONBLOCK);
	char c;
	CHECK_EQ(read(r, &c, 1), 0);
	struct pollfd pf = {.fd = r, .events = POLLIN};
	CHECK_EQ(poll(&pf, 1, 0), 0); /* no writer yet: no hang-up */
	int w = open("fifo", O_WRONLY);
	close(w);
	CHECK_EQ(poll(&pf, 1, 0), 1);
	CHECK_EQ(pf.revents, POLLHUP);
	close(r);
}

static void packets(void)
{
	char buf[100];
	int p[2];
	REQUIRE(pipe2(p, O_DIRECT) == 0);
	CHECK_EQ(write(p[1], "one", 3), 3);
	CHECK_EQ(write(p[1], "second", 6), 6);
	CHECK_EQ(read(p[0], buf, 2), 2);
	CHECK_EQ(read(p[0], buf, 100), 6);
	CHECK_EQ(fcntl(p[0], F_SETPIPE_SZ, 5000), 8192);
	CHECK_EQ(fcntl(p[1], F_GETPIPE_SZ), 8192);
	close(p[0]);
	close(p[1]);
}

static volatile sig_atomic_t got_io, got_fd;
static void on_io(int signo, siginfo_t *si, void *context)
{
	got_fd = si->si_fd;
	got_io = signo;
}

static void async(void)
{
	int p[2];
	struct sigaction sa = {.sa_sigaction = on_io, .sa_flags = SA_SIGINFO};
	REQUIRE(pipe(p) == 0);
	sigaction(SIGRTMIN, &sa, NULL);
	CHECK_EQ(fcntl(p[0], F_SETOWN, getpid()), 0);
	CHECK_EQ(fcntl(p[0], F_SETSIG, SIGRTMIN), 0);
	CHECK_EQ(fcntl(p[0], F_SETFL, O_ASYNC), 0);
	CHECK_EQ(fcntl(p[0], F_GETOWN), getpid());
	CHECK_EQ(write(p[1], "x", 1), 1);
	for (int i = 0; i < 20000 && !got_io; i++)
		usleep(1000);
	CHECK_EQ(got_io, SIGRTMIN);
	CHECK_EQ(got_fd, p[0]);
	close(p[0]);
	close(p[1]);
	signal(SIGRTMIN, SIG_DFL);
}

static void seals(void)
{
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	REQUIRE(fd >= 0);
	CHECK_EQ(ftruncate(fd, 8192), 0);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(m != MAP_FAILED);
	strcpy(m, "mapped");
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	munmap(m, 8192);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
	char buf[7] = "";
	CHECK_EQ(pread(fd, buf, 6, 0), 6);
	CHECK(!strcmp(buf, "mapped"));
	CHECK_ERRNO(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERRNO(ftruncate(fd, 100), EPERM);
	CHECK_ERRNO(ftruncate(fd, 10000), EPERM);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	REQUIRE(m != MAP_FAILED);
	m[0] = 'x';
	munmap(m, 4096);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), EPERM);
	close(fd);
	fd = memfd_create("plain", 0);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct abi_test tests[] = {
		ABI_TEST(send_file), ABI_TEST(send_file_positions), ABI_TEST(splice_pipes),
		ABI_TEST(copy_range), ABI_TEST(copy_range_limit), ABI_TEST(fifos),
		ABI_TEST(packets), ABI_TEST(async), ABI_TEST(seals),
	};
	abi_scratch();
	return abi_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
