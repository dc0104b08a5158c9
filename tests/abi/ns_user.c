/* SPDX-License-Identifier: Apache-2.0 */
/* User namespaces: maps and who may write them, ids that have no name, capabilities, nesting, mounting inside. */
#include "ns.h"

#include <linux/capability.h>
#include <linux/nsfs.h>
#include <arpa/inet.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/fsuid.h>
#include <sys/xattr.h>

#define NOBODY 65534u

static uint64_t effective(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {0};

	syscall(SYS_capget, &h, d);
	return d[0].effective | (uint64_t)d[1].effective << 32;
}

static void become(uid_t uid)
{
	CHECK_EQ(setgroups(0, NULL), 0);
	CHECK_EQ(setresgid(uid, uid, uid), 0);
	CHECK_EQ(setresuid(uid, uid, uid), 0);
	CHECK_EQ(prctl(PR_SET_DUMPABLE, 1), 0); /* /proc/self belongs to us again */
}

static void unmapped(void)
{
	struct stat st;

	CHECK_EQ(unshare(CLONE_NEWUSER), 0);
	CHECK_EQ(getuid(), NOBODY);
	CHECK_EQ(getegid(), NOBODY);
	CHECK_EQ(stat("/", &st), 0);
	CHECK_EQ(st.st_uid, NOBODY);
	CHECK_EQ(effective() & 0xffffffff, 0xffffffff);
	CHECK(strcmp(ns_read("/proc/self/uid_map"), "") == 0);
	CHECK(strcmp(ns_read("/proc/self/setgroups"), "allow\n") == 0);
	CHECK_ERRNO(setgroups(0, NULL), EPERM); /* no group has a name yet */
	CHECK_ERRNO(setuid(0), EINVAL);
	CHECK_ERRNO(setresgid(5, -1, -1), EINVAL);
	CHECK_ERRNO(chown("file", 0, 0), EINVAL);
	CHECK_EQ(setfsuid(7), NOBODY);
}

static void one_line(void)
{
	struct stat st;

	become(1234);
	CHECK_EQ(effective(), 0);
	CHECK_EQ(unshare(CLONE_NEWUSER), 0);
	CHECK_ERRNO(ns_write("/proc/self/uid_map", "0 0 1\n"), EPERM);
	CHECK_ERRNO(ns_write("/proc/self/uid_map", "0 1234 2\n"), EPERM);
	CHECK_ERRNO(ns_write("/proc/self/uid_map", "x\n"), EINVAL);
	CHECK_EQ(ns_write("/proc/self/uid_map", "0 1234 1\n"), 0);
	CHECK_ERRNO(ns_write("/proc/self/uid_map", "0 1234 1\n"), EPERM);
	CHECK(strcmp(ns_read("/proc/self/uid_map"), "         0       1234          1\n") == 0);
	CHECK_EQ(getuid(), 0);
	CHECK_ERRNO(ns_write("/proc/self/gid_map", "0 1234 1\n"), EPERM); /* groups could be dropped */
	CHECK_ERRNO(ns_write("/proc/self/setgroups", "perhaps"), EINVAL);
	CHECK_EQ(ns_write("/proc/self/setgroups", "deny"), 0);
	CHECK_ERRNO(ns_write("/proc/self/setgroups", "allow"), EPERM);
	CHECK_EQ(ns_write("/proc/self/gid_map", "0 1234 1"), 0);
	CHECK_ERRNO(ns_write("/proc/self/setgroups", "deny"), EPERM);
	CHECK_EQ(getgid(), 0);
	CHECK_ERRNO(setgroups(0, NULL), EPERM);
	CHECK_EQ(ns_touch("mine"), 0);
	CHECK_EQ(stat("mine", &st), 0);
	CHECK_EQ(st.st_uid, 0);
	CHECK_EQ(stat("file", &st), 0); /* root's */
	CHECK_EQ(st.st_uid, NOBODY);
	CHECK_ERRNO(open("file", O_RDWR), EACCES); /* CAP_DAC_OVERRIDE does not reach it */
	CHECK_ERRNO(chmod("file", 0777), EPERM);
	CHECK_ERRNO(chown("mine", 1, -1), EINVAL);
	CHECK_ERRNO(unlink("file"), EPERM); /* sticky */
	CHECK_EQ(unlink("mine"), 0);
}

static void bad_maps(void)
{
	CHECK_EQ(unshare(CLONE_NEWUSER), 0);
	static const char *const bad[] = {"0 0\n", "0 0 0\n", "0 0 1 1\n", "-1 0 1\n", "0 0 4294967296\n", "4294967295 0 1\n", "\n",
	                                  "0 0 2\n1 5 1\n", "0 5 2\n7 6 1\n", "0 0 4294967295\n0 0 1\n"};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_ERRNO(ns_write("/proc/self/uid_map", bad[i]), EINVAL);
	/* Only the parent's capabilities make more than one line of one's own. */
	CHECK_ERRNO(ns_write("/proc/self/uid_map", "0 0 5\n"), EPERM);
}

static struct ns_steps steps;

/* The parent, with its capabilities, writes any map. */
static void from_the_parent(void)
{
	char path[64];

	REQUIRE(ns_steps_open(&steps));
	pid_t pid = ns_clone(CLONE_NEWUSER);
	if (pid == 0) {
		int fail = 0;
		ns_await(&steps, 1);
		fail |= getuid() != 100 || getgid() != 200;
		fail |= setuid(105) != 0;
		fail |= getuid() != 105 || setuid(0) == 0;
		fail |= setgroups(1, (const gid_t[]){201}) != 0; /* root has no name here: no change of ids costs capabilities */
		fail |= setgroups(1, (const gid_t[]){7}) != -1 || errno != EINVAL;
		ns_tell(&steps, 1);
		ns_await(&steps, 1);
		_exit(fail);
	}
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	CHECK_EQ(ns_write(path, "100 0 1\n105 5000 10\n300 6000 1\n"), 0);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	CHECK_EQ(ns_write(path, "200 0 2\n"), 0);
	ns_tell(&steps, 0);
	CHECK(ns_await(&steps, 0));
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	CHECK(strstr(ns_read(path), "       105       5000         10\n") != NULL);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	CHECK(strstr(ns_read(path), "\nUid:\t5000\t5000\t5000\t5000\n") != NULL);
	ns_tell(&steps, 0);
	int status = -1;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	ns_steps_close(&steps);
}

static void map_root(void)
{
	CHECK_EQ(ns_write("/proc/self/uid_map", "0 0 1"), 0);
	CHECK_EQ(ns_write("/proc/self/setgroups", "deny"), 0);
	CHECK_EQ(ns_write("/proc/self/gid_map", "0 0 1"), 0);
}

/* Capabilities in a user namespace count for the namespaces that it owns, and for nothing else. */
static void reach(void)
{
	CHECK_EQ(unshare(CLONE_NEWUSER), 0);
	map_root();
	CHECK_EQ(getuid(), 0);
	CHECK_ERRNO(sethostname("x", 1), EPERM);
	CHECK_ERRNO(mount("none", ".", "tmpfs", 0, NULL), EPERM);
	CHECK_ERRNO(mknod("dev", S_IFCHR | 0600, 0x103), EPERM);
	CHECK_ERRNO(setns(open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC), 0), EPERM);
	close(3);
	CHECK_EQ(unshare(CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET), 0);
	CHECK_EQ(sethostname("inner", 5), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, NULL), 0);
	CHECK_EQ(ns_touch("m/x"), 0);
	CHECK_ERRNO(mknod("m/dev", S_IFCHR | 0600, 0x103), EPERM);
	CHECK_EQ(chown("m/x", 0, 0), 0);
	CHECK_ERRNO(chown("m/x", 1, 0), EINVAL);
	CHECK_ERRNO(mount("none", "m", "devtmpfs", 0, NULL), EPERM);
	CHECK_ERRNO(mount("proc", "m", "proc", 0, NULL), EPERM); /* the pid namespace is not ours */
	CHECK_EQ(umount("m"), 0);
	/* What came from outside is locked together. */
	CHECK_ERRNO(umount("/proc"), EINVAL);
	CHECK_EQ(chroot("/"), 0);
	CHECK_ERRNO(setns(-1, 0), EBADF);
}

static void locked_flags(void)
{
	CHECK_EQ(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NOATIME, NULL), 0);
	CHECK_EQ(mount("none", "m2", "tmpfs", 0, NULL), 0);
	CHECK_EQ(mkdir("m2/below", 0755), 0);
	CHECK_EQ(mount("none", "m2/below", "tmpfs", 0, NULL), 0);
	CHECK_EQ(unshare(CLONE_NEWUSER | CLONE_NEWNS), 0);
	map_root();
	CHECK_ERRNO(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND, NULL), EPERM);
	CHECK_ERRNO(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EPERM);
	CHECK_ERRNO(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_STRICTATIME, NULL), EPERM);
	CHECK_EQ(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL), 0);
	CHECK_ERRNO(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOATIME, NULL), EPERM);
	CHECK_ERRNO(umount("m2/below"), EINVAL);
	/* A bind without what covers it would show what is below. */
	CHECK_ERRNO(mount("m2", "m3", NULL, MS_BIND, NULL), EINVAL);
	CHECK_EQ(mount("m2", "m3", NULL, MS_BIND | MS_REC, NULL), 0);
	CHECK_EQ(umount2("m3", MNT_DETACH), 0);
}

static void nesting(void)
{
	int depth = 0;

	while (depth < 40 && unshare(CLONE_NEWUSER) == 0) {
		map_root();
		depth++;
	}
	CHECK_EQ(errno, ENOSPC);
	CHECK(depth >= 28 && depth <= 33);
}

static void in_chroot(void)
{
	CHECK_EQ(chroot("m"), 0);
	CHECK_ERRNO(unshare(CLONE_NEWUSER), EPERM);
	CHECK_ERRNO(ns_clone(CLONE_NEWUSER), EPERM);
}

/* Who made a namespace has every capability in it from outside, by his id. */
static void owner(void)
{
	char path[64];
	uid_t uid = 0;

	become(4321);
	REQUIRE(ns_steps_open(&steps));
	pid_t pid = ns_clone(CLONE_NEWUSER | CLONE_NEWUTS);
	if (pid == 0) {
		ns_await(&steps, 1);
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	int user = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
	int uts = open(path, O_RDONLY);
	CHECK_EQ(ioctl(user, NS_GET_OWNER_UID, &uid), 0);
	CHECK_EQ(uid, 4321);
	CHECK_EQ(ioctl(user, NS_GET_NSTYPE), CLONE_NEWUSER);
	CHECK_ERRNO(ioctl(uts, NS_GET_OWNER_UID, &uid), EINVAL);
	CHECK_ERRNO(ioctl(uts, NS_GET_PARENT), EINVAL);
	int of_uts = ioctl(uts, NS_GET_USERNS), parent = ioctl(user, NS_GET_PARENT);
	struct stat a, b;
	CHECK(fstat(user, &a) == 0 && fstat(of_uts, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	CHECK(fstat(parent, &b) == 0 && b.st_ino == ns_number("self", "user"));
	CHECK_ERRNO(ioctl(parent, NS_GET_PARENT), EPERM);
	CHECK_ERRNO(setns(uts, 0), EPERM); /* the target, yes, but not in our own */
	CHECK_ERRNO(setns(parent, 0), EINVAL); /* where we are */
	CHECK_EQ(setns(user, CLONE_NEWUSER), 0);
	CHECK_EQ(setns(uts, 0), 0);
	CHECK_EQ(sethostname("theirs", 6), 0);
	CHECK_ERRNO(setns(parent, 0), EPERM); /* no way back */
	close(user);
	close(uts);
	close(of_uts);
	close(parent);
	ns_tell(&steps, 0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	ns_steps_close(&steps);
}

/* Capabilities of a file that are given inside count inside only. */
static void do_file_caps(void)
{
	struct vfs_ns_cap_data d = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, .data[0].permitted = 1u << CAP_CHOWN}, got;
	const char *name = "security.capability";

	become(1234);
	CHECK_EQ(unshare(CLONE_NEWUSER), 0);
	CHECK_EQ(ns_write("/proc/self/uid_map", "0 1234 1"), 0);
	CHECK_EQ(ns_write("/proc/self/setgroups", "deny"), 0);
	CHECK_EQ(ns_write("/proc/self/gid_map", "0 1234 1"), 0);
	CHECK_EQ(ns_touch("caps"), 0);
	CHECK_ERRNO(setxattr("file", name, &d, XATTR_CAPS_SZ_2, 0), EPERM); /* not ours */
	CHECK_ERRNO(setxattr("caps", name, &d, XATTR_CAPS_SZ_2 - 1, 0), EINVAL);
	if (setxattr("caps", name, &d, XATTR_CAPS_SZ_2, 0) == -1 && errno == EOPNOTSUPP)
		return;
	CHECK_EQ(getxattr("caps", name, NULL, 0), XATTR_CAPS_SZ_2);
	CHECK_EQ(getxattr("caps", name, &got, sizeof(got)), XATTR_CAPS_SZ_2);
	CHECK_EQ(got.magic_etc, d.magic_etc);
	CHECK_EQ(got.data[0].permitted, 1u << CAP_CHOWN);
}

static void file_caps(void)
{
	struct vfs_ns_cap_data got;

	CHECK_EQ(abi_child(do_file_caps), 0);
	ssize_t n = getxattr("caps", "security.capability", &got, sizeof(got));
	if (n == -1 && errno == ENODATA)
		return;
	CHECK_EQ(n, XATTR_CAPS_SZ_3);
	CHECK_EQ(got.magic_etc & VFS_CAP_REVISION_MASK, VFS_CAP_REVISION_3);
	CHECK_EQ(got.rootid, 1234);
	CHECK_EQ(unlink("caps"), 0);
}

/* no_new_privs: a program that root starts has no more than its caller. */
static void start_without(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(syscall(SYS_capset, &h, none), 0);
	CHECK_EQ(setenv("ABI_NO_CAPS", "1", 1), 0);
	execl("/proc/self/exe", "ns_user", "no_new_privs", NULL);
	CHECK_EQ(errno, 0); /* not reached */
}

static void no_new_privs(void)
{
	if (getenv("ABI_NO_CAPS"))
		CHECK_EQ(effective(), 0);
	else
		CHECK_EQ(abi_child(start_without), 0);
}

/* Limits of a user namespace hold for what it owns, and for what those below it own. */
static void do_limits(void)
{
	CHECK_EQ(unshare(CLONE_NEWUSER), 0);
	map_root();
	CHECK_EQ(ns_write("/proc/sys/user/max_uts_namespaces", "1"), 0);
	CHECK_EQ(unshare(CLONE_NEWUTS), 0);
	CHECK_ERRNO(ns_clone(CLONE_NEWUTS), ENOSPC);
	CHECK_ERRNO(ns_clone(CLONE_NEWUSER | CLONE_NEWUTS), ENOSPC);
	CHECK_EQ(ns_write("/proc/sys/user/max_user_namespaces", "0"), 0);
	CHECK_ERRNO(unshare(CLONE_NEWUSER), ENOSPC);
	CHECK_EQ(unshare(CLONE_NEWIPC), 0);
}

static long number_in(int fd)
{
	char buf[64] = "";
	return pread(fd, buf, sizeof(buf) - 1, 0) > 0 ? atol(buf) : -1;
}

static int limit_file(void) { return open("/proc/sys/user/max_uts_namespaces", O_RDWR | O_CLOEXEC); }

/* They are those of the namespace of whoever opened the file; who writes needs the capability there. */
static void do_limits_opened(void)
{
	CHECK_EQ(unshare(CLONE_NEWUSER), 0);
	map_root();
	int fd = limit_file(), status = -1;
	REQUIRE(fd >= 0);
	CHECK_EQ(pwrite(fd, "5\n", 2, 0), 2);
	pid_t pid = fork();
	if (pid == 0) {
		abi_failures = 0;
		CHECK_EQ(unshare(CLONE_NEWUSER), 0);
		map_root();
		CHECK_EQ(number_in(fd), 5);
		CHECK_ERRNO(pwrite(fd, "6\n", 2, 0), EPERM);
		int own = limit_file();
		CHECK(own >= 0 && pwrite(own, "7\n", 2, 0) == 2 && number_in(own) == 7);
		CHECK_EQ(number_in(fd), 5);
		_exit(abi_failures ? 1 : 0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	CHECK_EQ(number_in(fd), 5);
	/* how numbers are read */
	CHECK_ERRNO(pwrite(fd, "abc\n", 4, 0), EINVAL);
	CHECK_ERRNO(pwrite(fd, "12x", 3, 0), EINVAL);
	CHECK_ERRNO(pwrite(fd, "-1\n", 3, 0), EINVAL);
	CHECK_ERRNO(pwrite(fd, "2147483648", 10, 0), EINVAL);
	CHECK_ERRNO(pwrite(fd, "\n", 1, 0), EINVAL);
	CHECK_EQ(number_in(fd), 5);
	CHECK_EQ(pwrite(fd, "", 0, 0), 0);
	CHECK_EQ(pwrite(fd, "6 7\n", 4, 0), 2);
	CHECK_EQ(number_in(fd), 6);
	CHECK_EQ(pwrite(fd, "0x10\n", 5, 0), 5);
	CHECK_EQ(number_in(fd), 16);
	CHECK_EQ(pwrite(fd, " 12 ", 4, 0), 4);
	CHECK_EQ(pwrite(fd, "9", 1, 3), 1); /* not at the beginning: nothing happens */
	CHECK_EQ(number_in(fd), 12);
	static const struct { uint32_t version; int pid; } head = {0x20080522, 0};
	static const uint32_t none[6];
	CHECK_EQ(syscall(SYS_capset, &head, none), 0);
	CHECK_ERRNO(pwrite(fd, "4\n", 2, 0), EPERM);
	CHECK_EQ(number_in(fd), 12);
	CHECK_ERRNO(open("/proc/sys/user/max_uts_namespaces", O_RDWR), EACCES);
	close(fd);
}

/* Other settings are root's, by the effective ids of whoever writes; no capability helps. */
static void do_settings(void)
{
	static const char *const fixed[] = {"kernel/ostype", "kernel/osrelease", "fs/file-nr", "kernel/random/uuid"};
	char path[64];
	for (unsigned i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "/proc/sys/%s", fixed[i]);
		CHECK_ERRNO(open(path, O_WRONLY), EACCES);
	}
	int fd = open("/proc/sys/kernel/msgmax", O_RDWR);
	REQUIRE(fd >= 0);
	long was = number_in(fd);
	CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1), 0);
	CHECK_EQ(setresuid(1234, 1234, 1234), 0);
	struct { uint32_t version; int pid; } head = {0x20080522, 0};
	uint32_t caps[6];
	CHECK_EQ(syscall(SYS_capget, &head, caps), 0);
	caps[0] = caps[1];
	caps[3] = caps[4];
	CHECK_EQ(syscall(SYS_capset, &head, caps), 0);
	CHECK_EQ(setgroups(0, NULL), 0);
	CHECK_EQ(setresgid(1234, 1234, 1234), 0);
	CHECK_ERRNO(pwrite(fd, "1000\n", 5, 0), EPERM);
	CHECK_EQ(number_in(fd), was);
	CHECK_ERRNO(open("/proc/sys/kernel/msgmax", O_WRONLY), EACCES);
	close(fd);
}

/* The user of the socket that is bound to port, as /proc/net/tcp tells it: -1 if it does not. */
static long socket_user(unsigned port)
{
	char line[256];
	FILE *f = fopen("/proc/net/tcp", "r");
	long found = -1;

	while (f && fgets(line, sizeof(line), f)) {
		unsigned p, uid;
		if (sscanf(line, " %*u: %*x:%x %*x:%*x %*x %*x:%*x %*x:%*x %*x %u", &p, &uid) == 2 && p == port)
			found = uid;
	}
	if (f)
		fclose(f);
	return found;
}

/* /proc/net speaks of users by the reader's names for them. */
static void users_of_sockets(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_EQ(bind(fd, (void *)&a, sizeof(a)), 0);
	CHECK_EQ(listen(fd, 1), 0);
	CHECK_EQ(getsockname(fd, (void *)&a, &n), 0);
	CHECK_EQ(socket_user(ntohs(a.sin_port)), 0);
	CHECK_EQ(unshare(CLONE_NEWUSER), 0);
	CHECK_EQ(socket_user(ntohs(a.sin_port)), NOBODY);
	CHECK_EQ(ns_write("/proc/self/uid_map", "77 0 1"), 0);
	CHECK_EQ(socket_user(ntohs(a.sin_port)), 77);
}

static void sockets(void) { CHECK_EQ(abi_child(users_of_sockets), 0); }

static void limits(void) { CHECK_EQ(abi_child(do_limits), 0); }
static void limits_opened(void) { CHECK_EQ(abi_child(do_limits_opened), 0); }
static void settings(void) { CHECK_EQ(abi_child(do_settings), 0); }

static void begin(void)
{
	abi_scratch();
	CHECK_EQ(chmod(".", 01777), 0);
	CHECK_EQ(ns_touch("file"), 0);
	CHECK(mkdir("m", 0755) == 0 && mkdir("m2", 0755) == 0 && mkdir("m3", 0755) == 0);
}

static void no_names(void) { CHECK_EQ(abi_child(unmapped), 0); }
static void unprivileged_map(void) { CHECK_EQ(abi_child(one_line), 0); }
static void wrong_maps(void) { CHECK_EQ(abi_child(bad_maps), 0); }
static void capabilities(void) { CHECK_EQ(abi_child(reach), 0); }
static void locks(void) { CHECK_EQ(ns_child(CLONE_NEWNS, locked_flags), 0); }
static void depth(void) { CHECK_EQ(abi_child(nesting), 0); }
static void chrooted(void) { CHECK_EQ(abi_child(in_chroot), 0); }
static void owned(void) { CHECK_EQ(abi_child(owner), 0); }

ABI_MAIN(ABI_TEST(begin), ABI_TEST(no_names), ABI_TEST(unprivileged_map), ABI_TEST(wrong_maps), ABI_TEST(from_the_parent),
         ABI_TEST(capabilities), ABI_TEST(locks), ABI_TEST(depth), ABI_TEST(chrooted), ABI_TEST(owned), ABI_TEST(file_caps),
         ABI_TEST(no_new_privs), ABI_TEST(limits), ABI_TEST(limits_opened), ABI_TEST(settings), ABI_TEST(sockets))
