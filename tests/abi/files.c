/* SPDX-License-Identifier: Apache-2.0 */
/* Files and directories: open, read, write, seek, stat, names, links, permissions. */
#include "abi.h"

#include <dirent.h>
#include <sys/statfs.h>
#include <sys/uio.h>

static void open_flags(void)
{
	int fd;

	CHECK_ERRNO(open("absent", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("absent/x", O_RDONLY | O_CREAT, 0644), ENOENT);
	fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0640);
	REQUIRE(fd >= 0);
	CHECK_ERRNO(open("f", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
	CHECK_ERRNO(open("f/x", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERRNO(open(".", O_WRONLY), EISDIR);
	CHECK_ERRNO(open("", O_RDONLY), ENOENT);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND), O_RDWR);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_EQ(close(fd), 0);
	CHECK_ERRNO(close(fd), EBADF);
	fd = open("f", O_RDONLY | O_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(write(fd, "x", 1), EBADF);
	CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
	close(fd);
}

static void read_write_seek(void)
{
	char buf[16] = "";
	struct iovec iov[2] = {{buf, 2}, {buf + 2, 3}};
	int fd = open("rw", O_RDWR | O_CREAT | O_TRUNC, 0600);

	REQUIRE(fd >= 0);
	CHECK_EQ(write(fd, "abcdef", 6), 6);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
	CHECK_EQ(read(fd, buf, 4), 0);
	CHECK_EQ(pread(fd, buf, 4, 1), 4);
	CHECK(!memcmp(buf, "bcde", 4));
	CHECK_EQ(lseek(fd, -2, SEEK_END), 4);
	CHECK_EQ(read(fd, buf, 4), 2);
	CHECK(!memcmp(buf, "ef", 2));
	CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERRNO(lseek(fd, 0, 99), EINVAL);
	CHECK_ERRNO(pread(fd, buf, 1, -1), EINVAL);
	CHECK_ERRNO(pread(fd, BAD_POINTER, 1, 0), EFAULT);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(readv(fd, iov, 2), 5);
	CHECK(!memcmp(buf, "abcde", 5));
	CHECK_EQ(pwrite(fd, "X", 1, 10000), 1);
	CHECK_EQ(pread(fd, buf, 2, 9999), 2);
	CHECK(buf[0] == 0 && buf[1] == 'X');
	CHECK_EQ(ftruncate(fd, 3), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 3);
	CHECK_EQ(pwrite(fd, "Y", 1, 5L << 32), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_END), (5L << 32) + 1);
	CHECK_EQ(close(fd), 0);
}

static void append(void)
{
	int a = open("ap", O_WRONLY | O_CREAT | O_APPEND, 0600), b = open("ap", O_WRONLY | O_APPEND);
	struct stat st;

	CHECK_EQ(write(a, "one", 3), 3);
	CHECK_EQ(write(b, "two", 3), 3);
	CHECK_EQ(write(a, "three", 5), 5);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 11);
	CHECK_EQ(fstat(b, &st), 0);
	CHECK_EQ(st.st_size, 11);
	close(a);
	close(b);
}

static void stat_fields(void)
{
	struct stat st, l;
	mode_t old = umask(027);
	int fd = open("st", O_WRONLY | O_CREAT, 0666);

	umask(old);
	CHECK_EQ(write(fd, "12345", 5), 5);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(st.st_size, 5);
	CHECK_EQ(st.st_uid, geteuid());
	close(fd);
	CHECK_EQ(link("st", "st2"), 0);
	CHECK_EQ(stat("st2", &l), 0);
	CHECK(l.st_ino == st.st_ino && l.st_dev == st.st_dev);
	CHECK_EQ(l.st_nlink, 2);
	CHECK_EQ(chmod("st2", 04755), 0);
	CHECK_EQ(stat("st", &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 04755);
	CHECK_EQ(symlink("st", "sl"), 0);
	CHECK_EQ(lstat("sl", &l), 0);
	CHECK_EQ(l.st_mode, S_IFLNK | 0777);
	CHECK_EQ(l.st_size, 2);
	CHECK_ERRNO(stat("nothing", &st), ENOENT);
	CHECK_EQ(unlink("st2"), 0);
	CHECK_EQ(stat("sl", &st), 0);
	CHECK_EQ(st.st_nlink, 1);
}

static void names(void)
{
	char buf[64], deep[300];
	int fd;

	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_ERRNO(mkdir("d", 0755), EEXIST);
	CHECK_ERRNO(rmdir("."), EINVAL);
	CHECK_EQ(symlink("loop2", "loop1"), 0);
	CHECK_EQ(symlink("loop1", "loop2"), 0);
	CHECK_ERRNO(open("loop1", O_RDONLY), ELOOP);
	CHECK_ERRNO(open("loop1", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_EQ(readlink("loop1", buf, sizeof(buf)), 5);
	CHECK(!memcmp(buf, "loop2", 5));
	CHECK_ERRNO(readlink("d", buf, sizeof(buf)), EINVAL);
	fd = open("d/x", O_CREAT | O_WRONLY, 0600);
	close(fd);
	CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
	CHECK_ERRNO(unlink("d"), EISDIR);
	CHECK_EQ(rename("d/x", "y"), 0);
	CHECK_ERRNO(open("d/x", O_RDONLY), ENOENT);
	CHECK_ERRNO(rename("y", "d"), EISDIR);
	CHECK_ERRNO(rename("d", "y"), ENOTDIR);
	CHECK_ERRNO(rename("d", "d/e"), EINVAL);
	CHECK_EQ(rmdir("d"), 0);
	memset(deep, 'n', sizeof(deep));
	deep[256] = 0;
	CHECK_ERRNO(mkdir(deep, 0755), ENAMETOOLONG);
	deep[255] = 0;
	CHECK_EQ(mkdir(deep, 0755), 0);
	CHECK_EQ(rmdir(deep), 0);
}

static void unlinked(void)
{
	char c = 0;
	struct stat st;
	int fd = open("un", O_RDWR | O_CREAT, 0600);

	CHECK_EQ(write(fd, "z", 1), 1);
	CHECK_EQ(unlink("un"), 0);
	CHECK_ERRNO(unlink("un"), ENOENT);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'z');
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_nlink, 0);
	close(fd);
}

static void directories(void)
{
	unsigned seen = 0, dots = 0;
	char name[16];
	struct dirent *e;
	DIR *d;

	CHECK_EQ(mkdir("many", 0755), 0);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	d = opendir("many");
	REQUIRE(d);
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			dots++;
		else
			seen++;
		CHECK(e->d_type == DT_REG || e->d_type == DT_DIR || e->d_type == DT_UNKNOWN);
	}
	CHECK_EQ(seen, 300);
	CHECK_EQ(dots, 2);
	rewinddir(d);
	CHECK(readdir(d) != NULL);
	closedir(d);
}

static void dup_and_share(void)
{
	int a = open("du", O_RDWR | O_CREAT, 0600), b = dup(a), c;

	CHECK_EQ(write(a, "ab", 2), 2);
	CHECK_EQ(lseek(b, 0, SEEK_CUR), 2);
	c = fcntl(a, F_DUPFD_CLOEXEC, 100);
	CHECK_EQ(c, 100);
	CHECK_EQ(fcntl(c, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(dup2(a, b), b);
	CHECK_EQ(dup2(a, a), a);
	CHECK_ERRNO(dup3(a, a, 0), EINVAL);
	CHECK_ERRNO(dup2(250, b), EBADF);
	CHECK_EQ(fcntl(a, F_SETFL, O_APPEND), 0);
	CHECK_EQ(fcntl(c, F_GETFL) & O_APPEND, O_APPEND);
	close(a);
	close(b);
	close(c);
}

static void current_directory(void)
{
	char before[4096], now[4096];
	int fd;

	REQUIRE(getcwd(before, sizeof(before)));
	CHECK_ERRNO(syscall(SYS_getcwd, now, 2), ERANGE);
	CHECK_EQ(mkdir("cd", 0755), 0);
	CHECK_EQ(chdir("cd"), 0);
	REQUIRE(getcwd(now, sizeof(now)));
	CHECK(!strncmp(now, before, strlen(before)) && !strcmp(now + strlen(before), "/cd"));
	fd = open("..", O_RDONLY | O_DIRECTORY);
	CHECK_EQ(fchdir(fd), 0);
	REQUIRE(getcwd(now, sizeof(now)));
	CHECK(!strcmp(now, before));
	CHECK_EQ(openat(fd, "cd", O_RDONLY) == -1, 0);
	close(fd + 1);
	close(fd);
	CHECK_ERRNO(chdir("nowhere"), ENOENT);
}

static void devices(void)
{
	char buf[8] = "xxxxxxx";
	int fd = open("/dev/null", O_RDWR);

	CHECK_EQ(write(fd, buf, 8), 8);
	CHECK_EQ(read(fd, buf, 8), 0);
	close(fd);
	fd = open("/dev/zero", O_RDONLY);
	CHECK_EQ(read(fd, buf, 8), 8);
	CHECK(!memcmp(buf, "\0\0\0\0\0\0\0\0", 8));
	close(fd);
	fd = open("/dev/full", O_WRONLY);
	CHECK_ERRNO(write(fd, buf, 8), ENOSPC);
	close(fd);
}

static void scratch(void) { abi_scratch(); }

ABI_MAIN(ABI_TEST(scratch), ABI_TEST(open_flags), ABI_TEST(read_write_seek), ABI_TEST(append), ABI_TEST(stat_fields),
    ABI_TEST(names), ABI_TEST(unlinked), ABI_TEST(directories), ABI_TEST(dup_and_share), ABI_TEST(current_directory),
    ABI_TEST(devices))
