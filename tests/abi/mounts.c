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

/* ---- descriptors: fsopen(2) and its family ---- */
static int sys_fs(long nr, long a, const void *b, long c, const void *d, long e) { return syscall(nr, a, b, c, d, e); }

static int new_tmpfs(const char *key, const char *value)
{
	int ctx = syscall(SYS_fsopen, "tmpfs", 1), m;

	if (ctx < 0)
		return -1;
	CHECK_EQ(syscall(SYS_fsconfig, ctx, 1, key, value, 0), 0);
	CHECK_ERRNO(syscall(SYS_fsmount, ctx, 1, 0), EINVAL);
	CHECK_EQ(syscall(SYS_fsconfig, ctx, 6, NULL, NULL, 0), 0);
	m = syscall(SYS_fsmount, ctx, 1, 4 /* nodev */);
	CHECK_ERRNO(syscall(SYS_fsmount, ctx, 1, 0), EBUSY);
	close(ctx);
	return m;
}

static void by_descriptor(void)
{
	struct statfs sf;
	int fd, tree, m = new_tmpfs("size", "64k");

	if (m < 0)
		return;
	CHECK_ERRNO(syscall(SYS_fsopen, "nosuchfs", 0), ENODEV);
	CHECK_ERRNO(syscall(SYS_fsopen, "tmpfs", 8), EINVAL);
	CHECK_EQ(fstatfs(m, &sf), 0);
	CHECK_EQ(sf.f_blocks, 16);
	CHECK(sf.f_flags & 4);
	CHECK_EQ(mkdirat(m, "d", 0755), 0);
	REQUIRE(mkdir("fdm", 0755) == 0 && mkdir("fdn", 0755) == 0);
	CHECK_ERRNO(sys_fs(SYS_move_mount, m, "", AT_FDCWD, "fdm", 0), ENOENT);
	CHECK_EQ(sys_fs(SYS_move_mount, m, "", AT_FDCWD, "fdm", 4), 0);
	CHECK(exists("fdm/d"));
	CHECK_ERRNO(sys_fs(SYS_move_mount, AT_FDCWD, "fdm", AT_FDCWD, "fdm/d", 0), ELOOP);
	CHECK_EQ(mount("none", "fdm/d", "tmpfs", 0, NULL), 0);
	CHECK_EQ(make("fdm/d/inner"), 0);
	tree = syscall(SYS_open_tree, AT_FDCWD, "fdm", 1 /* clone */);
	CHECK_EQ(faccessat(tree, "d", F_OK, 0), 0);
	CHECK_ERRNO(faccessat(tree, "d/inner", F_OK, 0), ENOENT);
	close(tree);
	tree = syscall(SYS_open_tree, AT_FDCWD, "fdm", 1 | 0x8000 /* recursive */);
	CHECK_EQ(faccessat(tree, "d/inner", F_OK, 0), 0);
	CHECK_EQ(sys_fs(SYS_move_mount, tree, "", AT_FDCWD, "fdn", 4), 0);
	close(tree);
	CHECK(exists("fdn/d/inner"));
	CHECK_EQ(umount2("fdn", MNT_DETACH), 0);
	fd = open("fdm/f", O_CREAT | O_WRONLY, 0600);
	CHECK_EQ(close(fd), 0);
	uint64_t attr[4] = {1 /* rdonly */, 0, 0, 0};
	CHECK_EQ(syscall(SYS_mount_setattr, AT_FDCWD, "fdm", 0, attr, sizeof(attr)), 0);
	CHECK_ERRNO(make("fdm/g"), EROFS);
	CHECK_EQ(make("fdm/d/g"), 0);
	attr[0] = 0x10;
	CHECK_ERRNO(syscall(SYS_mount_setattr, AT_FDCWD, "fdm", 0, attr, sizeof(attr)), EINVAL);
	close(m);
	CHECK_EQ(umount2("fdm", MNT_DETACH), 0);
	CHECK_EQ(rmdir("fdm"), 0);
	CHECK_EQ(rmdir("fdn"), 0);
}

static void many_submounts(void)
{
	char path[64];
	unsigned n = 80;

	REQUIRE(mkdir("many", 0755) == 0 && mkdir("many.copy", 0755) == 0);
	REQUIRE(mount("none", "many", "tmpfs", 0, NULL) == 0);
	for (unsigned i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "many/%u", i);
		CHECK_EQ(mkdir(path, 0755), 0);
		CHECK_EQ(mount("none", path, "tmpfs", 0, "size=16k"), 0);
		snprintf(path, sizeof(path), "many/%u/x", i);
		CHECK_EQ(make(path), 0);
	}
	CHECK_EQ(mount("many", "many.copy", NULL, MS_BIND | MS_REC, NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "many.copy/%u/x", i);
		CHECK(exists(path));
	}
	CHECK_EQ(umount2("many.copy", MNT_DETACH), 0);
	CHECK_EQ(umount2("many", MNT_DETACH), 0);
	CHECK_EQ(rmdir("many") | rmdir("many.copy"), 0);
}

static void tmpfs_limits(void)
{
	struct statfs sf;

	REQUIRE(mkdir("lim", 0755) == 0);
	REQUIRE(mount("none", "lim", "tmpfs", 0, NULL) == 0);
	CHECK_EQ(statfs("lim", &sf), 0);
	CHECK(sf.f_blocks > 0 && sf.f_files > 0 && sf.f_bfree <= sf.f_blocks);
	CHECK_EQ(mount(NULL, "lim", NULL, MS_REMOUNT, "size=128k,nr_inodes=20"), 0);
	CHECK_EQ(statfs("lim", &sf), 0);
	CHECK_EQ(sf.f_blocks, 32);
	CHECK_EQ(sf.f_files, 20);
	CHECK_EQ(umount("lim"), 0);
	CHECK_EQ(rmdir("lim"), 0);
}

int main(int argc, char **argv)
{
	static const struct abi_test tests[] = {
		ABI_TEST(tmpfs_and_flags), ABI_TEST(binds), ABI_TEST(detached_stays_usable), ABI_TEST(root_changes),
		ABI_TEST(by_descriptor), ABI_TEST(many_submounts), ABI_TEST(tmpfs_limits), ABI_TEST(pivot),
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
