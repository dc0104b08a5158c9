/* SPDX-License-Identifier: Apache-2.0 */
/* Mount namespaces: copies, shared subtrees, moving, pivot_root, files of namespaces that are bound to a place. */
#include "ns.h"

static bool mounted(const char *dir) { return access(dir, F_OK) == 0; }

/* A tmpfs with the file "in" in it. */
static int put(const char *at)
{
	char path[256];

	if (mount("none", at, "tmpfs", 0, NULL))
		return -1;
	snprintf(path, sizeof(path), "%s/in", at);
	return ns_touch(path);
}

/* A tmpfs on dir of this type, with the directory "s" in it. */
static int place(const char *dir, unsigned long type)
{
	char path[256];

	if ((mkdir(dir, 0755) && errno != EEXIST) || mount("none", dir, "tmpfs", 0, NULL) || mount(NULL, dir, NULL, type, NULL))
		return -1;
	snprintf(path, sizeof(path), "%s/s", dir);
	return mkdir(path, 0755);
}

/* The optional fields of the mount whose place ends in name, "?" if there is none. */
static const char *fields(const char *name)
{
	static char text[128];
	const char *list = ns_read("/proc/self/mountinfo"), *line = list;
	char key[128];

	snprintf(key, sizeof(key), "/%s ", name);
	strcpy(text, "?");
	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *end = strchr(line, '\n'), *at = strstr(line, key), *dash = strstr(line, " - ");
		if (!at || !end || at > end || !dash || dash > end)
			continue;
		const char *opt = strchr(at + strlen(key), ' ');
		snprintf(text, sizeof(text), "%.*s", opt && opt < dash ? (int)(dash - opt - 1) : 0, opt ? opt + 1 : "");
	}
	return text;
}

static int group(const char *name, const char *kind)
{
	const char *p = strstr(fields(name), kind);
	return p ? atoi(p + strlen(kind)) : 0;
}

static void peers(void)
{
	REQUIRE(place("a", MS_SHARED) == 0 && mkdir("b", 0755) == 0);
	CHECK_EQ(mount("a", "b", NULL, MS_BIND, NULL), 0);
	CHECK(group("a", "shared:") > 0);
	CHECK_EQ(group("a", "shared:"), group("b", "shared:"));
	CHECK_EQ(put("a/s"), 0);
	CHECK(mounted("b/s/in"));
	CHECK(group("b/s", "shared:") > 0);
	CHECK_EQ(group("a/s", "shared:"), group("b/s", "shared:"));
	CHECK_EQ(umount("b/s"), 0);
	CHECK(!mounted("a/s/in"));
	CHECK_EQ(mount(NULL, "b", NULL, MS_PRIVATE, NULL), 0);
	CHECK_EQ(group("b", "shared:"), 0);
	CHECK_EQ(put("a/s"), 0);
	CHECK(!mounted("b/s/in"));
	CHECK_EQ(umount("a/s"), 0);
	CHECK_EQ(umount("b"), 0);
	CHECK_EQ(umount("a"), 0);
	CHECK_ERRNO(mount(NULL, "a", NULL, MS_SHARED, NULL), EINVAL); /* no mount */
	CHECK_ERRNO(mount(NULL, "/", NULL, MS_SHARED | MS_PRIVATE, NULL), EINVAL);
}

static void slaves(void)
{
	REQUIRE(place("a", MS_SHARED) == 0);
	CHECK_EQ(mount("a", "b", NULL, MS_BIND, NULL), 0);
	CHECK_EQ(mount(NULL, "b", NULL, MS_SLAVE, NULL), 0);
	CHECK_EQ(group("b", "master:"), group("a", "shared:"));
	CHECK_EQ(group("b", "shared:"), 0);
	CHECK_EQ(put("a/s"), 0);
	CHECK(mounted("b/s/in"));
	CHECK_EQ(group("b/s", "master:"), group("a/s", "shared:"));
	CHECK_EQ(umount("b/s"), 0);
	CHECK(mounted("a/s/in")); /* nothing goes up */
	CHECK_EQ(umount("a/s"), 0);
	CHECK_EQ(put("b/s"), 0);
	CHECK(!mounted("a/s/in"));
	CHECK_EQ(umount("b/s"), 0);
	/* a slave that is shared itself, and its peer */
	REQUIRE(mkdir("c", 0755) == 0);
	CHECK_EQ(mount(NULL, "b", NULL, MS_SHARED, NULL), 0);
	CHECK_EQ(mount("b", "c", NULL, MS_BIND, NULL), 0);
	CHECK_EQ(group("c", "master:"), group("a", "shared:"));
	CHECK_EQ(group("c", "shared:"), group("b", "shared:"));
	CHECK_EQ(put("a/s"), 0);
	CHECK(mounted("b/s/in") && mounted("c/s/in"));
	CHECK_EQ(group("b/s", "shared:"), group("c/s", "shared:"));
	CHECK_EQ(group("c/s", "master:"), group("a/s", "shared:"));
	CHECK_EQ(umount("a/s"), 0);
	CHECK(!mounted("b/s/in") && !mounted("c/s/in"));
	/* the master goes: its slaves are private or only shared */
	CHECK_EQ(umount("a"), 0);
	CHECK_EQ(group("b", "master:"), 0);
	CHECK(group("b", "shared:") > 0);
	CHECK_EQ(umount("c"), 0);
	CHECK_EQ(umount("b"), 0);
}

static void busy_copies(void)
{
	REQUIRE(place("a", MS_SHARED) == 0);
	CHECK_EQ(mount("a", "b", NULL, MS_BIND, NULL), 0);
	CHECK_EQ(put("a/s"), 0);
	int fd = open("b/s/in", O_RDONLY);
	CHECK_ERRNO(umount("a/s"), EBUSY); /* the copy is in use */
	close(fd);
	CHECK_EQ(umount("a/s"), 0);
	CHECK(!mounted("b/s/in"));
	CHECK_EQ(umount("b"), 0);
	CHECK_EQ(umount("a"), 0);
}

/* A peer of a place goes to that place, and so to its slave. The copies made are among who receives from the place. */
static void onto_itself(void)
{
	REQUIRE(place("a", MS_SHARED) == 0 && (mkdir("b", 0755) == 0 || errno == EEXIST));
	CHECK_EQ(mount("a", "b", NULL, MS_BIND, NULL), 0);
	CHECK_EQ(mount(NULL, "b", NULL, MS_SLAVE, NULL), 0);
	for (int i = 0; i < 2; i++) { /* slaves alone, and slaves that are shared themselves */
		CHECK_EQ(mount("a", "a/s", NULL, MS_BIND, NULL), 0);
		CHECK(mounted("a/s/s"));
		CHECK(mounted("b/s/s"));
		CHECK_EQ(group("a", "shared:"), group("a/s", "shared:"));
		CHECK_EQ(group("a/s", "shared:"), group("b/s", "master:"));
		CHECK_EQ(strcmp(fields("a/s/s"), "?"), 0);
		CHECK_EQ(strcmp(fields("b/s/s"), "?"), 0);
		CHECK_EQ(umount("a/s"), 0);
		CHECK(!mounted("b/s/s"));
		CHECK_EQ(mount(NULL, "b", NULL, MS_SHARED, NULL), 0);
	}
	CHECK_EQ(umount("b"), 0);
	CHECK_EQ(umount("a"), 0);
}

/* What leaves a place leaves its peer in a tree that is attached nowhere, at once. */
static void detached_peer(void)
{
	REQUIRE(place("a", MS_SHARED) == 0 && (mkdir("b", 0755) == 0 || errno == EEXIST));
	CHECK_EQ(put("a/s"), 0);
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, "a", 1 /* OPEN_TREE_CLONE */ | AT_RECURSIVE);
	REQUIRE(tree >= 0);
	CHECK_EQ(umount("a/s"), 0);
	CHECK_EQ(syscall(SYS_move_mount, tree, "", AT_FDCWD, "b", 4 /* MOVE_MOUNT_F_EMPTY_PATH */), 0);
	close(tree);
	CHECK(mounted("b/s"));
	CHECK(!mounted("b/s/in"));
	CHECK_EQ(umount("b"), 0);
	CHECK_EQ(umount("a"), 0);
}

static void unbindable(void)
{
	REQUIRE(place("a", MS_UNBINDABLE) == 0);
	CHECK(strstr(fields("a"), "unbindable") != NULL);
	CHECK_ERRNO(mount("a", "b", NULL, MS_BIND, NULL), EINVAL);
	CHECK_EQ(umount("a"), 0);
	REQUIRE(place("a", MS_PRIVATE) == 0);
	CHECK_EQ(put("a/s"), 0);
	CHECK_EQ(mount(NULL, "a/s", NULL, MS_UNBINDABLE, NULL), 0);
	CHECK_EQ(mount("a", "b", NULL, MS_BIND | MS_REC, NULL), 0);
	CHECK(!mounted("b/s/in")); /* left out */
	CHECK_EQ(umount("b"), 0);
	CHECK_EQ(umount2("a", MNT_DETACH), 0);
}

static void moves(void)
{
	REQUIRE(place("a", MS_PRIVATE) == 0 && mkdir("a/t", 0755) == 0);
	CHECK_EQ(put("a/s"), 0);
	CHECK_ERRNO(mount("a", "a/s", NULL, MS_MOVE, NULL), ELOOP);
	CHECK_EQ(mount("a/s", "a/t", NULL, MS_MOVE, NULL), 0);
	CHECK(mounted("a/t/in") && !mounted("a/s/in"));
	CHECK_EQ(mount(NULL, "a", NULL, MS_SHARED, NULL), 0);
	CHECK_ERRNO(mount("a/t", "a/s", NULL, MS_MOVE, NULL), EINVAL); /* out of a shared one */
	CHECK_EQ(mount(NULL, "a", NULL, MS_PRIVATE, NULL), 0);
	CHECK_EQ(mount(NULL, "a/t", NULL, MS_UNBINDABLE, NULL), 0);
	REQUIRE(place("c", MS_SHARED) == 0);
	CHECK_ERRNO(mount("a/t", "c/s", NULL, MS_MOVE, NULL), EINVAL);
	CHECK_EQ(mount(NULL, "a/t", NULL, MS_PRIVATE, NULL), 0);
	CHECK_EQ(mount("c", "b", NULL, MS_BIND, NULL), 0);
	CHECK_EQ(mount("a/t", "c/s", NULL, MS_MOVE, NULL), 0); /* to where others receive it */
	CHECK(mounted("c/s/in") && mounted("b/s/in"));
	CHECK_EQ(umount2("b", MNT_DETACH), 0);
	CHECK_EQ(umount2("c", MNT_DETACH), 0);
	CHECK_EQ(umount("a"), 0);
}

static struct ns_steps steps;

/* Another namespace, made while "a" is shared and "b" private. */
static void in_copy(void)
{
	ns_tell(&steps, 1);
	ns_await(&steps, 1);
	CHECK(mounted("a/s/in")); /* came here */
	CHECK(!mounted("b/s/in"));
	CHECK_EQ(umount("a/s"), 0); /* goes there */
	ns_tell(&steps, 1);
	ns_await(&steps, 1);
	CHECK_EQ(mount(NULL, "a", NULL, MS_SLAVE, NULL), 0);
	CHECK_EQ(put("a/s"), 0);
	ns_tell(&steps, 1);
	ns_await(&steps, 1);
}

static void copies(void)
{
	REQUIRE(place("a", MS_SHARED) == 0 && place("b", MS_PRIVATE) == 0 && ns_steps_open(&steps));
	pid_t pid = ns_clone(CLONE_NEWNS);
	if (pid == 0) {
		abi_failures = 0;
		in_copy();
		_exit(abi_failures ? 1 : 0);
	}
	REQUIRE(ns_await(&steps, 0));
	CHECK_EQ(put("a/s"), 0);
	CHECK_EQ(put("b/s"), 0);
	ns_tell(&steps, 0);
	CHECK(ns_await(&steps, 0));
	CHECK(!mounted("a/s/in"));
	ns_tell(&steps, 0);
	CHECK(ns_await(&steps, 0));
	CHECK(!mounted("a/s/in"));
	/* A directory that only others have something mounted on can go, and takes that along. */
	CHECK_EQ(rmdir("a/s"), 0);
	ns_tell(&steps, 0);
	int status = -1;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	ns_steps_close(&steps);
	CHECK_EQ(umount("b/s"), 0);
	CHECK_EQ(umount("b"), 0);
	CHECK_EQ(umount("a"), 0);
}

static void do_cwd(void)
{
	/* Root and working directory of who leaves are in the copy: what happens there is not seen outside. */
	CHECK_EQ(chdir("a"), 0);
	CHECK_EQ(unshare(CLONE_NEWNS), 0);
	CHECK_EQ(put("s"), 0);
	CHECK(mounted("s/in"));
}

static void working_directory(void)
{
	REQUIRE(place("a", MS_PRIVATE) == 0);
	CHECK_EQ(abi_child(do_cwd), 0);
	CHECK(!mounted("a/s/in"));
	CHECK_EQ(umount("a"), 0);
}

static long pivot(const char *new, const char *old) { return syscall(SYS_pivot_root, new, old); }

static void do_pivot(void)
{
	REQUIRE(place("a", MS_PRIVATE) == 0 && mkdir("a/old", 0755) == 0 && mkdir("a/d", 0755) == 0);
	CHECK_ERRNO(pivot("/etc", "/etc"), EBUSY); /* no mount: that of the root */
	CHECK_ERRNO(pivot("a/d", "a/d"), EINVAL);
	CHECK_ERRNO(pivot("a", "/etc"), EBUSY);
	CHECK_ERRNO(pivot("a", "missing"), ENOENT);
	CHECK_ERRNO(pivot("a", "a/s/../in"), ENOENT);
	CHECK_EQ(mount(NULL, "a", NULL, MS_SHARED, NULL), 0);
	CHECK_ERRNO(pivot("a", "a/old"), EINVAL);
	CHECK_EQ(mount(NULL, "a", NULL, MS_PRIVATE, NULL), 0);
	CHECK_EQ(chdir("a"), 0);
	CHECK_EQ(pivot(".", "."), 0); /* on top of itself */
	CHECK_EQ(umount2(".", MNT_DETACH), 0);
	CHECK_EQ(chdir("/"), 0);
	CHECK(access("/old", F_OK) == 0 && access("/proc", F_OK) == -1);
}

static void pivoting(void)
{
	CHECK_EQ(ns_child(CLONE_NEWNS, do_pivot), 0);
}

static void bound_files(void)
{
	struct stat st;

	REQUIRE(ns_touch("file") == 0 && ns_steps_open(&steps));
	pid_t pid = ns_clone(CLONE_NEWUTS);
	char path[64];
	if (pid == 0) {
		int fail = sethostname("bound", 5) != 0;
		ns_tell(&steps, 1);
		ns_await(&steps, 1);
		_exit(fail);
	}
	REQUIRE(ns_await(&steps, 0));
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
	CHECK_EQ(mount(path, "file", NULL, MS_BIND, NULL), 0);
	CHECK_EQ(stat(path, &st), 0);
	ino_t number = st.st_ino;
	ns_tell(&steps, 0);
	int status = -1;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	ns_steps_close(&steps);
	/* The namespace lives on. */
	CHECK_EQ(stat("file", &st), 0);
	CHECK_EQ(st.st_ino, number);
	pid = fork();
	if (pid == 0) {
		char name[65] = "";
		int fd = open("file", O_RDONLY);
		_exit(setns(fd, CLONE_NEWUTS) == 0 && gethostname(name, 65) == 0 && strcmp(name, "bound") == 0 ? 0 : 1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK(strstr(ns_read("/proc/self/mountinfo"), " uts:[") != NULL);
	/* The mount namespace itself would hold itself. */
	CHECK_ERRNO(mount("/proc/self/ns/mnt", "file2", NULL, MS_BIND, NULL), ENOENT);
	REQUIRE(ns_touch("file2") == 0);
	CHECK_ERRNO(mount("/proc/self/ns/mnt", "file2", NULL, MS_BIND, NULL), EINVAL);
	CHECK_EQ(umount("file"), 0);
}

static void enter_mounts(void)
{
	struct ns_steps s;

	REQUIRE(place("a", MS_PRIVATE) == 0 && ns_steps_open(&s));
	pid_t pid = ns_clone(CLONE_NEWNS);
	if (pid == 0) {
		int fail = put("a/s") != 0;
		ns_tell(&s, 1);
		ns_await(&s, 1);
		_exit(fail);
	}
	REQUIRE(ns_await(&s, 0));
	pid_t other = fork();
	if (other == 0) {
		char path[64], here[512], cwd[512];
		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
		int fd = open(path, O_RDONLY), fail = !getcwd(here, sizeof(here) - 16);
		fail |= setns(fd, CLONE_NEWNS) != 0;
		fail |= !getcwd(cwd, sizeof(cwd)) || strcmp(cwd, "/") != 0; /* the root of the other one */
		strcat(here, "/a/s/in");
		fail |= !mounted(here);
		_exit(fail);
	}
	int status = -1;
	CHECK_EQ(waitpid(other, &status, 0), other);
	CHECK_EQ(status, 0);
	ns_tell(&s, 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	ns_steps_close(&s);
	CHECK_EQ(umount("a"), 0);
}

/* A file system is changed by who mounted it, with a context of fspick(2) too. */
static void reconfigure_others(void)
{
	REQUIRE(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
	int fs = (int)syscall(SYS_fspick, AT_FDCWD, "/", 0);
	REQUIRE(fs >= 0);
	CHECK_EQ(syscall(SYS_fsconfig, fs, 0 /* FSCONFIG_SET_FLAG */, "rw", NULL, 0), 0);
	CHECK_ERRNO(syscall(SYS_fsconfig, fs, 7 /* FSCONFIG_CMD_RECONFIGURE */, NULL, NULL, 0), EPERM);
	close(fs);
}

static void contexts(void) { CHECK_EQ(abi_child(reconfigure_others), 0); }

/* Everything in a namespace of its own, so that nothing of it is seen elsewhere. */
static void begin(void)
{
	abi_scratch();
	CHECK_EQ(unshare(CLONE_NEWNS), 0);
	CHECK_EQ(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	CHECK_ERRNO(unshare(1), EINVAL);
	CHECK_ERRNO(ns_clone(CLONE_NEWNS | CLONE_FS), EINVAL);
}

ABI_MAIN(ABI_TEST(begin), ABI_TEST(peers), ABI_TEST(slaves), ABI_TEST(busy_copies), ABI_TEST(onto_itself),
         ABI_TEST(detached_peer), ABI_TEST(unbindable), ABI_TEST(moves), ABI_TEST(copies), ABI_TEST(working_directory),
         ABI_TEST(pivoting), ABI_TEST(bound_files), ABI_TEST(enter_mounts), ABI_TEST(contexts))
