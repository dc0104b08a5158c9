/* SPDX-License-Identifier: Apache-2.0 */
/* File locks: flock, POSIX record locks with deadlock detection, open-file-description locks. */
#include "abi.h"

#include <sys/file.h>

static int lock_fd;

static int set(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
	return fcntl(fd, cmd, &l);
}

/* In a child: who holds a lock that conflicts with a write lock on the range? */
static off_t probe_start, probe_len, found_start, found_len;
static int found_type;
static void probe(void)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = probe_start, .l_len = probe_len};
	CHECK_EQ(fcntl(lock_fd, F_GETLK, &l), 0);
	CHECK_EQ(l.l_type, found_type);
	if (found_type != F_UNLCK) {
		CHECK_EQ(l.l_start, found_start);
		CHECK_EQ(l.l_len, found_len);
		CHECK_EQ(l.l_pid, getppid());
	}
}

static void expect_lock(off_t start, off_t len, int type, off_t fs, off_t fl)
{
	probe_start = start;
	probe_len = len;
	found_type = type;
	found_start = fs;
	found_len = fl;
	CHECK_EQ(abi_child(probe), 0);
}

static void ranges(void)
{
	lock_fd = open("locks", O_RDWR | O_CREAT, 0600);
	REQUIRE(lock_fd >= 0);
	CHECK_EQ(set(lock_fd, F_SETLK, F_WRLCK, 10, 20), 0);
	expect_lock(0, 0, F_WRLCK, 10, 20);
	expect_lock(0, 10, F_UNLCK, 0, 0);
	/* the middle becomes a read lock: three pieces */
	CHECK_EQ(set(lock_fd, F_SETLK, F_RDLCK, 15, 5), 0);
	expect_lock(15, 1, F_RDLCK, 15, 5);
	expect_lock(25, 1, F_WRLCK, 20, 10);
	/* neighbours of one kind join */
	CHECK_EQ(set(lock_fd, F_SETLK, F_WRLCK, 15, 5), 0);
	expect_lock(17, 1, F_WRLCK, 10, 20);
	CHECK_EQ(set(lock_fd, F_SETLK, F_UNLCK, 12, 2), 0);
	expect_lock(10, 1, F_WRLCK, 10, 2);
	expect_lock(12, 2, F_UNLCK, 0, 0);
	expect_lock(14, 1, F_WRLCK, 14, 16);
	CHECK_EQ(set(lock_fd, F_SETLK, F_WRLCK, 100, 0), 0);
	expect_lock(1000, 1, F_WRLCK, 100, 0);
	/* closing any descriptor of the file drops all of the process's locks */
	close(open("locks", O_RDWR));
	expect_lock(0, 0, F_UNLCK, 0, 0);
	CHECK_ERRNO(set(lock_fd, F_SETLK, 99, 0, 1), EINVAL);
	CHECK_ERRNO(set(lock_fd, F_SETLK, F_WRLCK, -5, 1), EINVAL);
	close(lock_fd);
	lock_fd = open("locks", O_RDONLY);
	CHECK_ERRNO(set(lock_fd, F_SETLK, F_WRLCK, 0, 1), EBADF);
	close(lock_fd);
}

static void deadlock(void)
{
	int go[2], status;
	char c;
	lock_fd = open("dead", O_RDWR | O_CREAT, 0600);
	REQUIRE(lock_fd >= 0 && pipe(go) == 0);
	CHECK_EQ(set(lock_fd, F_SETLK, F_WRLCK, 0, 1), 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		int bad = set(lock_fd, F_SETLK, F_WRLCK, 1, 1) != 0;
		bad |= set(lock_fd, F_SETLK, F_WRLCK, 0, 1) != -1 || errno != EAGAIN;
		bad |= write(go[1], "x", 1) != 1;
		bad |= set(lock_fd, F_SETLKW, F_WRLCK, 0, 1) != 0; /* until the parent lets go */
		_exit(bad);
	}
	CHECK_EQ(read(go[0], &c, 1), 1);
	CHECK(abi_sleeps(pid));
	CHECK_ERRNO(set(lock_fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
	CHECK_EQ(set(lock_fd, F_SETLK, F_UNLCK, 0, 1), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	/* the child's locks went with it */
	CHECK_EQ(set(lock_fd, F_SETLKW, F_WRLCK, 0, 2), 0);
	close(lock_fd);
	close(go[0]);
	close(go[1]);
}

static void open_file_locks(void)
{
	int a = open("ofd", O_RDWR | O_CREAT, 0600), b = open("ofd", O_RDWR);
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	REQUIRE(a >= 0 && b >= 0);
	CHECK_EQ(set(a, F_OFD_SETLK, F_WRLCK, 0, 10), 0);
	CHECK_ERRNO(set(b, F_OFD_SETLK, F_RDLCK, 5, 1), EAGAIN);
	CHECK_EQ(fcntl(b, F_OFD_GETLK, &l), 0);
	CHECK_EQ(l.l_type, F_WRLCK);
	CHECK_EQ(l.l_pid, -1);
	l.l_pid = 1;
	CHECK_ERRNO(fcntl(b, F_OFD_SETLK, &l), EINVAL);
	close(a);
	CHECK_EQ(set(b, F_OFD_SETLK, F_RDLCK, 5, 1), 0);
	close(b);
}

static void whole_files(void)
{
	int a = open("fl", O_RDWR | O_CREAT, 0600), b = open("fl", O_RDONLY), c = dup(a);
	REQUIRE(a >= 0 && b >= 0 && c >= 0);
	CHECK_EQ(flock(a, LOCK_SH), 0);
	CHECK_EQ(flock(b, LOCK_SH | LOCK_NB), 0);
	CHECK_ERRNO(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK_EQ(flock(b, LOCK_UN), 0);
	CHECK_EQ(flock(a, LOCK_EX | LOCK_NB), 0);
	CHECK_ERRNO(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	close(a);
	CHECK_ERRNO(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK); /* c is the same open file */
	close(c);
	CHECK_EQ(flock(b, LOCK_EX | LOCK_NB), 0);
	CHECK_ERRNO(flock(b, 77), EINVAL);
	close(b);
}

int main(int argc, char **argv)
{
	static const struct abi_test tests[] = {ABI_TEST(ranges), ABI_TEST(deadlock), ABI_TEST(open_file_locks),
	                                        ABI_TEST(whole_files)};
	abi_scratch();
	return abi_main(argc, argv, tests, 4);
}
