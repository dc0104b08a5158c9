/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that gains rights by exec (file capabilities) against a process of the same user, which might look at what ran
 * before but not at that program: by /proc/PID/mem, process_vm_readv, ptrace and files opened earlier; and programs that
 * their user may execute but not read.
 */
#include "abi.h"

#include <linux/capability.h>
#include <linux/xattr.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#define USER   1234
#define ROUNDS 12
#define HELD   32
#define FILES  400 /* to be closed by exec, which so takes its time */

/* At the same address in every process: 3 before the exec, 1 and then 2 after it. */
static volatile int marker = 1;

/* The program: says that it runs, and sleeps until it is killed. */
static int program(const char *fd)
{
	marker = 2;
	if (write(atoi(fd), "x", 1) != 1)
		return 1;
	for (;;)
		pause();
}

static bool copy_self(const char *to, mode_t mode)
{
	static char buf[1 << 16];
	int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	ssize_t n = -1;

	while (in >= 0 && out >= 0 && (n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			break;
	bool ok = n == 0 && fchmod(out, mode) == 0;
	close(in);
	close(out);
	return ok;
}

static void become_user(void)
{
	CHECK_EQ(setresgid(USER, USER, USER), 0);
	CHECK_EQ(setresuid(USER, USER, USER), 0);
	CHECK_EQ(prctl(PR_SET_DUMPABLE, 1), 0);
	marker = 3;
}

static bool ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

/* A process that executes ./gains once it has read from go; ready is its pipe. */
static pid_t start(int *go, int *ready_fd)
{
	int begin[2], done[2];
	char number[16];

	if (pipe2(begin, O_CLOEXEC) || pipe(done))
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		char c;
		for (int i = 0; i < FILES; i++)
			(void)!open("/dev/null", O_RDONLY | O_CLOEXEC);
		snprintf(number, sizeof(number), "%d", done[1]);
		(void)!read(begin[0], &c, 1);
		execl("./gains", "gains", "program", number, NULL);
		_exit(1);
	}
	close(begin[0]);
	close(done[1]);
	*go = begin[1];
	*ready_fd = done[0];
	return pid;
}

static void end(pid_t pid, int go, int done)
{
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	close(go);
	close(done);
}

static bool is_new(int value) { return value == 1 || value == 2; }

static void look_at_memory(void)
{
	int seen = 0, by_vm = 0;

	become_user();
	for (int round = 0; round < ROUNDS; round++) {
		int go, done, held[HELD], n = 0, value;
		char path[32];
		pid_t pid = start(&go, &done);
		REQUIRE(pid > 0);
		snprintf(path, sizeof(path), "/proc/%d/mem", pid);
		memset(held, -1, sizeof(held));
		CHECK_EQ(write(go, "x", 1), 1);
		while (!ready(done)) {
			struct iovec local = {&value, sizeof(value)}, remote = {(void *)&marker, sizeof(value)};
			if (process_vm_readv(pid, &local, 1, &remote, 1, 0) == sizeof(value))
				by_vm += is_new(value);
			int fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			close(held[n % HELD]);
			held[n++ % HELD] = fd;
		}
		for (int i = 0; i < HELD; i++) {
			if (held[i] >= 0 && pread(held[i], &value, sizeof(value), (off_t)(uintptr_t)&marker) == sizeof(value))
				seen += is_new(value);
			close(held[i]);
		}
		end(pid, go, done);
	}
	CHECK_EQ(seen, 0);
	CHECK_EQ(by_vm, 0);
}

static unsigned long long effective_of(pid_t pid)
{
	char path[32], line[128];
	unsigned long long caps = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "CapEff: %llx", &caps);
	if (f)
		fclose(f);
	return caps;
}

static void attach_meanwhile(void)
{
	int powerful = 0;

	become_user();
	for (int round = 0; round < ROUNDS; round++) {
		int go, done;
		bool traced = false;
		pid_t pid = start(&go, &done);
		REQUIRE(pid > 0);
		CHECK_EQ(write(go, "x", 1), 1);
		usleep((useconds_t)round * 100);
		while (!traced && !ready(done))
			traced = ptrace(PTRACE_SEIZE, pid, 0, 0) == 0;
		while (!ready(done))
			usleep(1000);
		powerful += traced && effective_of(pid);
		end(pid, go, done);
	}
	CHECK_EQ(powerful, 0);
}

/* What was opened before shows nothing of the program. */
static void files_from_before(void)
{
	static const char *const names[] = {"maps", "smaps", "mem", "environ", "auxv"};
	char path[32], buf[256];
	int go, done, fd[5];

	become_user();
	pid_t pid = start(&go, &done);
	REQUIRE(pid > 0);
	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[i]);
		fd[i] = open(path, O_RDONLY | O_CLOEXEC);
		CHECK(fd[i] >= 0);
	}
	CHECK_EQ(write(go, "x", 1), 1);
	while (!ready(done))
		usleep(1000);
	CHECK_EQ(effective_of(pid), 1ull << CAP_NET_BIND_SERVICE);
	for (int i = 0; i < 5; i++) {
		if (i < 4) /* the old program's auxv may be told */
			CHECK(pread(fd[i], buf, sizeof(buf), i == 2 ? (off_t)(uintptr_t)&marker : 0) <= 0);
		close(fd[i]);
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[i]);
		CHECK_ERRNO(open(path, O_RDONLY | O_CLOEXEC), EACCES);
	}
	end(pid, go, done);
}

static int dumpable_in(const char *path)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execl(path, path, "dumpable", NULL);
		_exit(9);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void unreadable(void)
{
	become_user();
	CHECK_EQ(dumpable_in("./plain"), 1);
	CHECK_EQ(dumpable_in("./unreadable"), 0);
}

static bool have_caps;

static void begin(void)
{
	struct vfs_cap_data d = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
	                         .data[0].permitted = 1u << CAP_NET_BIND_SERVICE};

	abi_scratch();
	CHECK_EQ(chmod(".", 0755), 0);
	REQUIRE(copy_self("gains", 0755) && copy_self("plain", 0755) && copy_self("unreadable", 0711));
	have_caps = setxattr("gains", XATTR_NAME_CAPS, &d, XATTR_CAPS_SZ_2, 0) == 0;
	if (!have_caps)
		CHECK_EQ(errno, EOPNOTSUPP);
}

static void memory(void) { CHECK_EQ(have_caps ? abi_child(look_at_memory) : 0, 0); }
static void attaching(void) { CHECK_EQ(have_caps ? abi_child(attach_meanwhile) : 0, 0); }
static void old_files(void) { CHECK_EQ(have_caps ? abi_child(files_from_before) : 0, 0); }
static void not_readable(void) { CHECK_EQ(abi_child(unreadable), 0); }

int main(int argc, char **argv)
{
	static const struct abi_test tests[] = {ABI_TEST(begin), ABI_TEST(memory), ABI_TEST(attaching), ABI_TEST(old_files),
	                                        ABI_TEST(not_readable)};

	if (argc == 3 && !strcmp(argv[1], "program"))
		return program(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "dumpable"))
		return prctl(PR_GET_DUMPABLE);
	return abi_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
