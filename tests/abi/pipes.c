/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes and FIFOs: order, blocking, atomicity, end of file, SIGPIPE. */
#include "abi.h"

#include <sys/ioctl.h>

static void order_and_eof(void)
{
	char buf[8];
	int p[2];

	REQUIRE(pipe(p) == 0);
	CHECK_EQ(write(p[1], "abc", 3), 3);
	CHECK_EQ(write(p[1], "de", 2), 2);
	CHECK_EQ(read(p[0], buf, 4), 4);
	CHECK(!memcmp(buf, "abcd", 4));
	close(p[1]);
	CHECK_EQ(read(p[0], buf, 4), 1);
	CHECK_EQ(read(p[0], buf, 4), 0);
	close(p[0]);
	CHECK_ERRNO(pipe2(p, 0x40000), EINVAL);
	CHECK_ERRNO(pipe(BAD_POINTER), EFAULT);
}

static void nonblocking(void)
{
	static char big[70000];
	int p[2], n;
	long total;

	REQUIRE(pipe2(p, O_NONBLOCK | O_CLOEXEC) == 0);
	CHECK_EQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(read(p[0], big, 1), EAGAIN);
	total = write(p[1], big, sizeof(big));
	CHECK_EQ(total, 65536);
	CHECK_ERRNO(write(p[1], big, 1), EAGAIN);
	CHECK_EQ(ioctl(p[0], FIONREAD, &n), 0);
	CHECK_EQ(n, 65536);
	CHECK_EQ(fcntl(p[0], F_GETPIPE_SZ), 65536);
	CHECK_EQ(read(p[0], big, 4096), 4096);
	CHECK_EQ(write(p[1], big, 4096), 4096);
	CHECK_EQ(fcntl(p[0], F_SETPIPE_SZ, 131072), 131072);
	CHECK_EQ(write(p[1], big, 65536), 65536);
	CHECK_ERRNO(fcntl(p[0], F_SETPIPE_SZ, 4096), EBUSY);
	close(p[0]);
	close(p[1]);
}

static volatile sig_atomic_t sigpipes;
static void on_sigpipe(int sig) { sigpipes++; }

static void broken(void)
{
	int p[2];

	signal(SIGPIPE, on_sigpipe);
	REQUIRE(pipe(p) == 0);
	close(p[0]);
	CHECK_ERRNO(write(p[1], "x", 1), EPIPE);
	CHECK_EQ(sigpipes, 1);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(write(p[1], "x", 1), EPIPE);
	signal(SIGPIPE, SIG_DFL);
	close(p[1]);
}

static int chat[2][2];

static void echo(void)
{
	char c;

	close(chat[0][1]);
	close(chat[1][0]);
	while (read(chat[0][0], &c, 1) == 1)
		CHECK_EQ(write(chat[1][1], &c, 1), 1);
}

static void blocking_between_processes(void)
{
	int status;
	pid_t pid;

	REQUIRE(pipe(chat[0]) == 0 && pipe(chat[1]) == 0);
	pid = fork();
	if (!pid) {
		echo();
		_exit(0);
	}
	close(chat[0][0]);
	close(chat[1][1]);
	for (int i = 0; i < 200; i++) {
		char c = (char)i, back = 0;

		CHECK_EQ(write(chat[0][1], &c, 1), 1);
		CHECK_EQ(read(chat[1][0], &back, 1), 1);
		CHECK_EQ(back, c);
	}
	close(chat[0][1]);
	CHECK_EQ(read(chat[1][0], &status, 1), 0);
	close(chat[1][0]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

/* Writes up to PIPE_BUF are atomic: records of four writers never mix. */
static void atomic_writes(void)
{
	enum { WRITERS = 4, RECORDS = 50, SIZE = 1000 };
	static char buf[SIZE];
	unsigned records = 0;
	int p[2];

	REQUIRE(pipe(p) == 0);
	for (int w = 0; w < WRITERS; w++)
		if (!fork()) {
			memset(buf, 'a' + w, SIZE);
			for (int i = 0; i < RECORDS; i++)
				if (write(p[1], buf, SIZE) != SIZE)
					_exit(1);
			_exit(0);
		}
	close(p[1]);
	for (;;) {
		size_t have = 0;
		ssize_t n = 1;

		while (have < SIZE && (n = read(p[0], buf + have, SIZE - have)) > 0)
			have += (size_t)n;
		if (!have)
			break;
		CHECK_EQ(have, SIZE);
		for (int i = 1; i < SIZE; i++)
			if (!CHECK(buf[i] == buf[0]))
				break;
		records++;
	}
	CHECK_EQ(records, WRITERS * RECORDS);
	close(p[0]);
	for (int w = 0; w < WRITERS; w++) {
		int status;

		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
}

static void fifo(void)
{
	char buf[8];
	int status, fd;
	pid_t pid;

	abi_scratch();
	REQUIRE(mkfifo("ff", 0600) == 0);
	CHECK_ERRNO(open("ff", O_WRONLY | O_NONBLOCK), ENXIO);
	pid = fork();
	if (!pid) {
		fd = open("ff", O_WRONLY);
		_exit(write(fd, "hi", 2) == 2 ? 0 : 1);
	}
	fd = open("ff", O_RDONLY);
	CHECK_EQ(read(fd, buf, 8), 2);
	CHECK_EQ(read(fd, buf, 8), 0);
	CHECK_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
	close(fd);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	unlink("ff");
}

ABI_MAIN(ABI_TEST(order_and_eof), ABI_TEST(nonblocking), ABI_TEST(broken), ABI_TEST(blocking_between_processes),
    ABI_TEST(atomic_writes), ABI_TEST(fifo))
