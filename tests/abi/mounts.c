/* SPDX-License-Identifier: Apache-2.0 */
/* mount, umount2, bind mounts, per-mount flags, chroot, pivot_root; tmpfs limits. In a mount namespace of its own on
 * Linux; in the sandbox everything that was mounted is unmounted again. Skips without CAP_SYS_ADMIN. */
#include "abi.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>

static bool exists(const char *path) { return access(path, F_OK) == 0; }

static int make(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0644);
	return fd < 0 ? -1 : close(fd);
}

static void tmpfs_and_flags(void)
{
	struct statfs sf;
	char block[4096] = "";
	REQUIRE(mkdir("m", 0755) == 0);
	REQUIRE(mount("none", "m", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=750") == 0);
	struct stat st;
	CHECK_EQ(stat("m", &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0750);
	CHECK_EQ(statfs("m", &sf), 0);
	CHECK_EQ(sf.f_type, 0x01021994);
	CHECK_EQ(sf.f_blocks, 16);
	int fd = open("m/f", O_CREAT | O_RDWR, 0644);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(write(fd, block, 4096), 4096);
	CHECK_ERRNO(write(fd, block, 4096), ENOSPC);
	CHECK_ERRNO(umount("m"), EBUSY);
	CHECK_ERRNO(rmdir("m"), EBUSY);
	CHECK_ERRNO(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	close(fd);
	CHECK_EQ(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	CHECK_ERRNO(make("m/g"), EROFS);
	CHECK_ERRNO(unlink("m/f"), EROFS);
	CHECK_ERRNO(access("m/f", W_OK), EROFS);
	CHECK_EQ(umount("m"), 0);
	CHECK_ERRNO(umount("m"), EINVAL);
	CHECK(!exists("m/f"));
	CHECK_ERRNO(mount("none", "m", "nosuchfs", 0, NULL), ENODEV);
	CHECK_ERRNO(mount("none", "m", "tmpfs", 0, "size=lots"), EINVAL);
	CHECK_EQ(rmdir("m"), 0);
}

static void binds(void)
{
	REQUIRE(mkdir("src", 0755) == 0 && mkdir("src/sub", 0755) == 0 && mkdir("dst", 0755) == 0);
	CHECK_EQ(make("src/file"), 0);
	REQUIRE(mount("none", "src/sub", "tmpfs", 0, NULL) == 0);
	CHECK_EQ(make("src/sub/inner"), 0);
	CHECK_EQ(mount("src", "dst", NULL, MS_BIND, NULL), 0);
	CHECK(exists("dst/file") && !exists("dst/sub/inner"));
	CHECK_ERRNO(link("src/file", "dst/link"), EXDEV);
	CHECK_ERRNO(rename("src/file", "dst/moved"), EXDEV);
	CHECK_EQ(mount(NULL, "dst", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	CHECK_ERRNO(make("dst/new"), EROFS);
	CHECK_EQ(make("src/new"), 0);
	CHECK(exists("dst/new"));
	CHECK_EQ(umount("dst"), 0);
	CHECK_EQ(mount("src", "dst", NULL, MS_BIND | MS_REC, NULL), 0);
	CHECK(exists("dst/sub/inner"));
	CHECK_ERRNO(umount("dst"), EBUSY);
	CHECK_EQ(umount2("dst", MNT_DETACH), 0);
	CHECK(!exists("dst/file") && exists("src/sub/inner"));
	/* a file on a file */
	CHECK_EQ(make("dst/f"), 0);
	CHECK_ERRNO(mount("src", "dst/f", NULL, MS_BIND, NULL), ENOTDIR);
	CHECK_EQ(mount("src/sub/inner", "dst/f", NULL, MS_BIND, NULL), 0);
	CHECK_ERRNO(unlink("dst/f"), EBUSY);
	CHECK_EQ(umount("dst/f"), 0);
	/* move */
	CHECK_EQ(mount("src/sub", "dst", NULL, MS_MOVE, NULL), 0);
	CHECK(exists("dst/inner") && !exists("src/sub/inner"));
	/* ".." leads to where the mount is now */
	struct stat a, b;
	CHECK_EQ(stat("dst/..", &a), 0);
	CHECK_EQ(stat(".", &b), 0);
	CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	CHECK_EQ(umount("dst"), 0);
}

static void detached_stays_usable(void)
{
	char buf[300];
	REQUIRE(mkdir("lazy", 0755) == 0);
	REQUIRE(mount("none", "lazy", "tmpfs", 0, NULL) == 0);
	int fd = open("lazy/f", O_CREAT | O_RDWR, 0644), dir = open(".", O_RDONLY);
	CHECK_EQ(chdir("lazy"), 0);
	CHECK_EQ(umount2(".", MNT_DETACH), 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK(exists("f"));
	CHECK(getcwd(buf, sizeof(buf)) == NULL || !strncmp(buf, "(unreachable)", 13));
	CHECK_EQ(fchdir(dir), 0);
	close(dir);
	close(fd);
	CHECK_EQ(rmdir("lazy"), 0);
}

static void in_chroot(void)
{
	char buf[64];
	CHECK_EQ(chroot("jail"), 0);
	CHECK(exists("/in"));
	CHECK_EQ(chdir("/"), 0);
	CHECK(exists("../../in"));
	CHECK(getcwd(buf, sizeof(buf)) && !strcmp(buf, "/"));
}

static void root_changes(void)
{
	REQUIRE(mkdir("jail", 0755) == 0);
	CHECK_EQ(make("jail/in"), 0);
	CHECK_EQ(abi_child(in_chroot), 0);
	CHECK_ERRNO(chroot("jail/in"), ENOTDIR);
}

static void in_pivot(void)
{
	CHECK_EQ(unshare(CLONE_NEWNS), 0);
	CHECK_EQ(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	CHECK_EQ(mount("none", "newroot", "tmpfs", 0, NULL), 0);
	CHECK_EQ(mkdir("newroot/old", 0755), 0);
	CHECK_EQ(make("newroot/here"), 0);
	CHECK_EQ(chdir("newroot"), 0);
	CHECK_EQ(syscall(SYS_pivot_root, ".", "old"), 0);
	CHECK_EQ(chdir("/"), 0);
	CHECK(exists("/here") && exists("/old/tmp"));
	CHECK_EQ(umount2("/old", MNT_DETACH), 0);
	CHECK(!exists("/old/tmp"));
}

static void pivot(void)
{
	/* without mount namespaces of its own the whole sandbox would lose its root */
	if (unshare(0) || access("/.runsc-no-pivot", F_OK) == 0)
		return;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWNS) ? 1 : 0);
	int status;
	waitpid(pid, &status, 0);
	if (status)
		return;
	REQUIRE(mkdir("newroot", 0755) == 0);
	CHECK_EQ(abi_child(in_pivot), 0);
}

int main(int argc, char **argv)
{
	static const struct abi_test tests[] = {
		ABI_TEST(tmpfs_and_flags), ABI_TEST(binds), ABI_TEST(detached_stays_usable), ABI_TEST(root_changes),
		ABI_TEST(pivot),
	};
	if (geteuid() != 0) {
		printf("skip: not root\n");
		return 0;
	}
	if (unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	abi_scratch();
	return abi_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
