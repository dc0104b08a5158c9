/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments at the edge: sizes, offsets and owners that Linux refuses, and what a change of owner or contents clears. */
#include "abi.h"

#include <asm/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

static void ends_that_wrap(void)
{
	char buf[8] = "";
	int fd = open("wrap", O_RDWR | O_CREAT | O_TRUNC, 0600), p[2];
	loff_t far = INT64_MAX - 1;

	REQUIRE(fd >= 0 && pipe(p) == 0);
	CHECK_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	CHECK_ERRNO(pread(fd, buf, sizeof(buf), INT64_MAX), EINVAL);
	CHECK_ERRNO(pwrite(fd, buf, sizeof(buf), INT64_MAX), EINVAL);
	CHECK_ERRNO(lseek(fd, INT64_MAX, SEEK_END), EINVAL);
	CHECK_ERRNO(syscall(SYS_read, fd, buf, -1L), EFAULT);
	CHECK_ERRNO(syscall(SYS_write, fd, buf, -1L), EFAULT);
	CHECK_ERRNO(syscall(SYS_read, fd, -1L, 0L), EFAULT);
	CHECK_ERRNO(sendfile(p[1], fd, NULL, -1), EINVAL);
	CHECK_ERRNO(sendfile(p[1], fd, &far, 3), EINVAL);
	CHECK_EQ(write(p[1], "abc", 3), 3);
	CHECK_ERRNO(splice(p[0], NULL, fd, &far, 3, 0), EINVAL);
	close(p[0]);
	close(p[1]);
	close(fd);
}

static void vectors(void)
{
	char buf[4];
	struct iovec iov[2] = {{(void *)-1L, 0}, {buf, sizeof(buf)}};
	int fd = open("/dev/zero", O_RDONLY);

	CHECK_ERRNO(readv(fd, iov, 2), EFAULT);
	close(fd);
}

static void directories(void)
{
	char buf[256];
	int fd = open(".", O_RDONLY | O_DIRECTORY), p[2];

	REQUIRE(pipe(p) == 0);
	CHECK_ERRNO(sendfile(p[1], fd, NULL, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_getdents64, fd, buf, 0x80000000U), EINVAL);
	CHECK_ERRNO(open(".", O_RDONLY | O_DIRECT), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	close(p[0]);
	close(p[1]);
	close(fd);
}

static void owners(void)
{
	struct f_owner_ex ex = {F_OWNER_TID, getpid()};
	int s[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	CHECK_ERRNO(fcntl(s[0], F_SETOWN, -12345678), ESRCH);
	CHECK_ERRNO(fcntl(s[0], F_SETOWN, 12345678), ESRCH);
	CHECK_ERRNO(fcntl(s[0], F_SETOWN, INT32_MIN), EINVAL);
	int self = getpid(), told = 0;
	CHECK_EQ(ioctl(s[0], FIOSETOWN, &self), 0);
	CHECK_EQ(ioctl(s[0], FIOGETOWN, &told), 0);
	CHECK_EQ(told, self);
	CHECK_EQ(fcntl(s[0], F_GETOWN), self);
	CHECK_EQ(fcntl(s[0], F_SETOWN_EX, &ex), 0);
	memset(&ex, 0xff, sizeof(ex));
	CHECK_EQ(fcntl(s[0], F_GETOWN_EX, &ex), 0);
	CHECK_EQ(ex.type, F_OWNER_TID);
	CHECK_EQ(ex.pid, getpid());
	ex = (struct f_owner_ex){F_OWNER_PGRP, 12345678};
	CHECK_ERRNO(fcntl(s[0], F_SETOWN_EX, &ex), ESRCH);
	CHECK_EQ(fcntl(s[0], F_SETOWN, 0), 0);
	CHECK_ERRNO(fcntl(s[0], F_SETFL, O_DIRECT), EINVAL);
	close(s[0]);
	close(s[1]);
}

static void seals(void)
{
	char page[4096] = "";
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING);

	REQUIRE(fd >= 0);
	CHECK_EQ(write(fd, page, 2048), 2048);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	CHECK_EQ(pwrite(fd, page, 1024, 1024), 1024);
	CHECK_ERRNO(pwrite(fd, page, 1024, 1536), EPERM);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	CHECK_ERRNO(pwrite(fd, page, 1, 0), EPERM);
	CHECK_EQ(pwrite(fd, page, 0, 0), 0);
	close(fd);
}

static void magic_numbers(void)
{
	struct statfs st;
	int p[2], s = socket(AF_UNIX, SOCK_STREAM, 0);

	REQUIRE(pipe(p) == 0);
	CHECK_EQ(fstatfs(p[0], &st), 0);
	CHECK_EQ(st.f_type, 0x50495045);
	CHECK_EQ(fstatfs(s, &st), 0);
	CHECK_EQ(st.f_type, 0x534f434b);
	close(p[0]);
	close(p[1]);
	close(s);
}

static void capabilities_are_dropped(void)
{
	/* vfs_cap_data of revision 2, CAP_CHOWN permitted */
	static const uint32_t caps[5] = {0x02000000, 1, 0, 0, 0};
	char buf[64];
	int fd = open("caps", O_RDWR | O_CREAT, 0755);

	REQUIRE(fd >= 0);
	if (fsetxattr(fd, "security.capability", caps, sizeof(caps), 0) == 0) {
		CHECK_EQ(write(fd, "x", 1), 1);
		CHECK_ERRNO(fgetxattr(fd, "security.capability", buf, sizeof(buf)), ENODATA);
		CHECK_EQ(fsetxattr(fd, "security.capability", caps, sizeof(caps), 0), 0);
		CHECK_EQ(fchown(fd, 1, 1), 0);
		CHECK_ERRNO(fgetxattr(fd, "security.capability", buf, sizeof(buf)), ENODATA);
	}
	close(fd);
}

/* RWF_APPEND writes at the end; the position goes there only where no offset is given. To reads it means nothing. */
static void appending(void)
{
	char buf[8] = "ab";
	struct iovec v = {buf, 2};
	int fd = open("append", O_RDWR | O_CREAT | O_TRUNC, 0600);

	REQUIRE(fd >= 0);
	CHECK_EQ(write(fd, "0123456789", 10), 10);
	CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
	CHECK_EQ(pwritev2(fd, &v, 1, 0, RWF_APPEND), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2);
	CHECK_EQ(pwritev2(fd, &v, 1, -1, RWF_APPEND), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 14);
	CHECK_EQ(preadv2(fd, &v, 1, 3, RWF_APPEND), 2);
	CHECK(!memcmp(buf, "34", 2));
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct abi_test tests[] = {
		ABI_TEST(ends_that_wrap), ABI_TEST(vectors),       ABI_TEST(directories),
		ABI_TEST(owners),         ABI_TEST(seals),         ABI_TEST(magic_numbers),
		ABI_TEST(capabilities_are_dropped), ABI_TEST(appending),
	};

	abi_scratch();
	return abi_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
