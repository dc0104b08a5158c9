/* SPDX-License-Identifier: Apache-2.0 */
/* Pid namespaces: numbers at each level, init and its signals, the end of a namespace, unshare and setns. */
#include "ns.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

static struct ns_steps steps;

/* The n-th number of a line of /proc/PID/status, 0 if there is none. */
static int status_number(pid_t pid, const char *label, int n)
{
	char path[64];
	const char *line;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	line = strstr(ns_read(path), label);
	if (!line)
		return 0;
	line += strlen(label);
	long v = 0;
	for (int i = 0; i <= n; i++) {
		char *end;
		while (*line == '\t' || *line == ' ')
			line++;
		if (*line == '\n' || !*line)
			return 0;
		v = strtol(line, &end, 10);
		line = end;
	}
	return (int)v;
}

static void number_one(void)
{
	CHECK_EQ(getpid(), 1);
	CHECK_EQ(syscall(SYS_gettid), 1);
	CHECK_EQ(getppid(), 0);
	CHECK_EQ(getpgid(0), 0);
	CHECK_EQ(getsid(0), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(getpid() == 2 && getppid() == 1 ? 0 : 1);
	CHECK_EQ(pid, 2);
	int status = -1;
	CHECK_EQ(waitpid(2, &status, 0), 2);
	CHECK_EQ(status, 0);
	CHECK_ERRNO(kill(2, 0), ESRCH);
	CHECK_EQ(setsid(), 1);
	CHECK_EQ(getsid(0), 1);
	CHECK_EQ(getpgid(0), 1);
}

static void numbers(void)
{
	CHECK_EQ(ns_child(CLONE_NEWPID, number_one), 0);
	REQUIRE(ns_steps_open(&steps));
	pid_t pid = ns_clone(CLONE_NEWPID);
	if (pid == 0) {
		ns_await(&steps, 1);
		_exit(0);
	}
	REQUIRE(pid > 0);
	CHECK_EQ(status_number(pid, "\nNSpid:", 0), pid);
	CHECK_EQ(status_number(pid, "\nNSpid:", 1), 1);
	CHECK_EQ(status_number(pid, "\nNSpid:", 2), 0);
	CHECK_EQ(status_number(pid, "\nNStgid:", 1), 1);
	CHECK_EQ(status_number(getpid(), "\nNSpid:", 1), 0);
	ns_tell(&steps, 0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	ns_steps_close(&steps);
}

static volatile int caught;
static void on_signal(int signo) { caught = signo; }

static void init_is_protected(void)
{
	/* What has no handler does not reach it from inside, not even SIGKILL. */
	CHECK_EQ(kill(1, SIGTERM), 0);
	CHECK_EQ(kill(1, SIGKILL), 0);
	CHECK_EQ(kill(1, SIGSTOP), 0);
	pid_t pid = fork();
	if (pid == 0) {
		kill(1, SIGKILL);
		kill(-1, SIGKILL); /* nobody but us and init: not an error */
		_exit(7);
	}
	int status = -1;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 7);
	signal(SIGUSR1, on_signal);
	CHECK_EQ(kill(1, SIGUSR1), 0);
	CHECK_EQ(caught, SIGUSR1);
}

static void signals_from_outside(void)
{
	CHECK_EQ(ns_child(CLONE_NEWPID, init_is_protected), 0);
	REQUIRE(ns_steps_open(&steps));
	pid_t pid = ns_clone(CLONE_NEWPID);
	if (pid == 0) {
		siginfo_t si = {0};
		sigset_t set;
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, NULL);
		ns_tell(&steps, 1);
		/* A sender that has no number here. */
		if (sigwaitinfo(&set, &si) != SIGUSR1 || si.si_pid != 0)
			_exit(1);
		ns_tell(&steps, 1);
		for (;;)
			pause();
	}
	REQUIRE(ns_await(&steps, 0));
	CHECK_EQ(kill(pid, SIGUSR1), 0);
	CHECK(ns_await(&steps, 0));
	CHECK_EQ(kill(pid, SIGTERM), 0); /* without a handler: dropped from outside, too */
	CHECK_EQ(kill(pid, SIGKILL), 0);
	int status = 0;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ns_steps_close(&steps);
}

static void all_end_with_init(void)
{
	int p[2];
	char c;

	REQUIRE(pipe(p) == 0);
	pid_t pid = ns_clone(CLONE_NEWPID);
	if (pid == 0) {
		struct ns_steps up;
		ns_steps_open(&up);
		for (int i = 0; i < 3; i++) {
			pid_t child = i == 2 ? ns_clone(CLONE_NEWPID) : fork(); /* one nested */
			if (child == 0) {
				signal(SIGTERM, SIG_IGN);
				ns_tell(&up, 1);
				for (;;)
					pause();
			}
		}
		for (int i = 0; i < 3; i++)
			ns_await(&up, 0);
		_exit(3);
	}
	close(p[1]);
	CHECK_EQ(read(p[0], &c, 1), 0); /* nobody holds the other end any more */
	int status = -1;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 3);
	close(p[0]);
}

/* An init that leaves does not wait for its own tracees: neither for a child nor for somebody else's. */
static void init_traces(bool child)
{
	struct ns_steps up;
	char number[16] = "";
	int status = -1;

	REQUIRE(ns_steps_open(&up));
	pid_t pid = ns_clone(CLONE_NEWPID);
	if (pid == 0) {
		pid_t middle = fork();
		if (middle == 0) {
			pid_t other = child ? getpid() : fork();
			if (other && (!child || ptrace(PTRACE_TRACEME, 0, 0, 0) == 0)) {
				snprintf(number, sizeof(number), "%d", other);
				(void)!write(up.fd[1], number, sizeof(number));
			}
			for (;;)
				pause();
		}
		if (read(up.fd[0], number, sizeof(number)) != (ssize_t)sizeof(number))
			_exit(1);
		if (!child && ptrace(PTRACE_SEIZE, atoi(number), 0, 0))
			_exit(2);
		_exit(3);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	ns_steps_close(&up);
}

static void init_with_tracees(void)
{
	init_traces(true);
	init_traces(false);
}

/* Orphans go to the init of the namespace, or to a subreaper in it. */
static void orphan_to_init(void)
{
	struct ns_steps up;
	char parent[16] = "";

	REQUIRE(ns_steps_open(&up));
	pid_t middle = fork();
	if (middle == 0) {
		if (fork() == 0) {
			ns_await(&up, 1); /* until the middle one is gone */
			snprintf(parent, sizeof(parent), "%d", getppid());
			(void)!write(up.fd[1], parent, sizeof(parent));
			_exit(5);
		}
		_exit(0);
	}
	CHECK_EQ(waitpid(middle, NULL, 0), middle);
	ns_tell(&up, 0);
	CHECK_EQ(read(up.fd[0], parent, sizeof(parent)), (ssize_t)sizeof(parent));
	CHECK_EQ(atoi(parent), 1);
	int status = -1;
	CHECK_EQ(waitpid(-1, &status, 0), middle + 1);
	CHECK_EQ(WEXITSTATUS(status), 5);
}

static void orphans(void)
{
	CHECK_EQ(ns_child(CLONE_NEWPID, orphan_to_init), 0);
}

static void do_unshare(void)
{
	pid_t self = getpid();

	CHECK_EQ(unshare(CLONE_NEWPID), 0);
	CHECK_EQ(getpid(), self);
	CHECK(ns_number("self", "pid") != 0);
	CHECK_ERRNO(readlink("/proc/self/ns/pid_for_children", (char[64]){0}, 64), ENOENT);
	/* Threads would be in two namespaces. */
	CHECK_ERRNO(syscall(SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(unshare(CLONE_NEWPID), EINVAL);
	REQUIRE(ns_steps_open(&steps));
	pid_t first = fork();
	if (first == 0) {
		int fail = getpid() != 1 || getppid() != 0;
		ns_tell(&steps, 1);
		ns_await(&steps, 1);
		_exit(fail);
	}
	CHECK(ns_await(&steps, 0));
	CHECK(ns_number("self", "pid_for_children") != ns_number("self", "pid"));
	pid_t second = fork();
	if (second == 0)
		_exit(getpid() == 2 && getppid() == 0 ? 0 : 1);
	int status = -1;
	CHECK_EQ(waitpid(second, &status, 0), second);
	CHECK_EQ(status, 0);
	ns_tell(&steps, 0);
	CHECK_EQ(waitpid(first, &status, 0), first);
	CHECK_EQ(status, 0);
	/* The namespace has ended with its init. */
	CHECK_ERRNO(fork(), ENOMEM);
	ns_steps_close(&steps);
}

static void unshared(void)
{
	CHECK_EQ(abi_child(do_unshare), 0);
}

static pid_t target;

static void join(int fd, int flags)
{
	CHECK_EQ(setns(fd, flags), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(getpid() > 1 && getppid() == 0 && kill(1, 0) == 0 ? 0 : 1);
	int status = -1;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	close(fd);
}

static void join_by_file(void)
{
	char path[64];
	int other = open("/proc/self/ns/uts", O_RDONLY);

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", target);
	int fd = open(path, O_RDONLY);
	CHECK_ERRNO(setns(fd, CLONE_NEWNET), EINVAL);
	CHECK_ERRNO(setns(-1, 0), EBADF);
	CHECK_EQ(setns(other, CLONE_NEWUTS), 0);
	close(other);
	join(fd, CLONE_NEWPID);
}

static void join_by_pidfd(void)
{
	int fd = (int)syscall(SYS_pidfd_open, target, 0);

	CHECK_ERRNO(setns(fd, 0), EINVAL);
	CHECK_ERRNO(setns(fd, CLONE_VM), EINVAL);
	join(fd, CLONE_NEWPID | CLONE_NEWUTS);
}

static void up_is_refused(void)
{
	int fd = open("/proc/self/ns/pid", O_RDONLY);

	/* In the new namespace the old one is no place to go back to. */
	pid_t pid = ns_clone(CLONE_NEWPID);
	if (pid == 0)
		_exit(setns(fd, 0) == -1 && errno == EINVAL ? 0 : 1);
	int status = -1;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	close(fd);
}

static void entered(void)
{
	REQUIRE(ns_steps_open(&steps));
	target = ns_clone(CLONE_NEWPID | CLONE_NEWUTS);
	if (target == 0) {
		ns_await(&steps, 1);
		_exit(0);
	}
	CHECK_EQ(abi_child(join_by_file), 0);
	CHECK_EQ(abi_child(join_by_pidfd), 0);
	CHECK_EQ(abi_child(up_is_refused), 0);
	ns_tell(&steps, 0);
	CHECK_EQ(waitpid(target, NULL, 0), target);
	ns_steps_close(&steps);
}

/* Numbers in messages are those of the receiver's namespace. */
static void credentials(void)
{
	int s[2], one = 1;
	char c, control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = {&c, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};

	REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
	CHECK_EQ(setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), 0);
	CHECK_EQ(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), 0);
	pid_t pid = ns_clone(CLONE_NEWPID);
	if (pid == 0) {
		(void)!write(s[1], "x", 1);
		/* A sender outside is nobody here. */
		ssize_t n = recvmsg(s[1], &m, 0);
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		struct ucred u = {.pid = -1};
		if (h)
			memcpy(&u, CMSG_DATA(h), sizeof(u));
		_exit(n == 1 && u.pid == 0 ? 0 : 1);
	}
	CHECK_EQ(recvmsg(s[0], &m, 0), 1);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	struct ucred u = {0};
	if (CHECK(h && h->cmsg_type == SCM_CREDENTIALS))
		memcpy(&u, CMSG_DATA(h), sizeof(u));
	CHECK_EQ(u.pid, pid);
	CHECK_EQ(write(s[0], "y", 1), 1);
	int status = -1;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	close(s[0]);
	close(s[1]);
}

struct clone_args_ {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static pid_t clone_with(unsigned long flags, const pid_t *set, uint64_t n)
{
	struct clone_args_ a = {.flags = flags, .exit_signal = SIGCHLD, .set_tid = (uintptr_t)set, .set_tid_size = n};
	fflush(stdout);
	return (pid_t)syscall(SYS_clone3, &a, sizeof(a));
}

static void chosen_numbers(void)
{
	int status = -1;
	pid_t outer = 0;

	for (pid_t want = 20011; want < 20100 && !outer; want++) {
		const pid_t set[2] = {1, want};
		pid_t pid = clone_with(CLONE_NEWPID, set, 2);
		if (pid == 0) {
			const pid_t inner = 77;
			pid_t child = getpid() == 1 ? clone_with(0, &inner, 1) : -1;
			if (child == 0)
				_exit(getpid() == 77 ? 0 : 1);
			_exit(child == 77 && waitpid(77, &status, 0) == 77 && status == 0 ? 0 : 1);
		}
		if (pid > 0) {
			CHECK_EQ(pid, want);
			outer = pid;
		}
	}
	REQUIRE(outer);
	CHECK_EQ(waitpid(outer, &status, 0), outer);
	CHECK_EQ(status, 0);
	/* The first of a namespace is number 1. */
	CHECK_ERRNO(clone_with(CLONE_NEWPID, (const pid_t[]){5, 20201}, 2), EINVAL);
	CHECK_ERRNO(clone_with(0, (const pid_t[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
		23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33}, 33), EINVAL);
}

/* A proc that is mounted inside shows the numbers of the inside. */
static void own_proc(void)
{
	char link[32] = "";

	REQUIRE(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	REQUIRE(mkdir("proc", 0755) == 0 || errno == EEXIST);
	CHECK(readlink("/proc/self", link, sizeof(link) - 1) > 0 || errno == ENOENT);
	CHECK(strcmp(link, "1") != 0);
	REQUIRE(mount("proc", "proc", "proc", 0, NULL) == 0);
	memset(link, 0, sizeof(link));
	CHECK(readlink("proc/self", link, sizeof(link) - 1) > 0);
	CHECK(strcmp(link, "1") == 0);
	CHECK(access("proc/2", F_OK) == -1);
	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	CHECK(access("proc/2/status", F_OK) == 0);
	CHECK(strstr(ns_read("proc/2/status"), "\nPPid:\t1\n") != NULL);
	CHECK(strncmp(ns_read("proc/2/stat"), "2 (", 3) == 0);
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK_EQ(umount("proc"), 0);
}

static void mounted_proc(void)
{
	CHECK_EQ(ns_child(CLONE_NEWPID | CLONE_NEWNS, own_proc), 0);
}

static void alone(void)
{
	CHECK_ERRNO(kill(-1, 0), ESRCH);
	CHECK_ERRNO(kill(-1, 99), ESRCH);
	CHECK_ERRNO(kill(-1, SIGTERM), ESRCH);
}

static void nobody_else(void) { CHECK_EQ(ns_child(CLONE_NEWPID, alone), 0); }

static void begin(void) { abi_scratch(); }

ABI_MAIN(ABI_TEST(begin), ABI_TEST(numbers), ABI_TEST(signals_from_outside), ABI_TEST(all_end_with_init), ABI_TEST(init_with_tracees),
         ABI_TEST(orphans), ABI_TEST(unshared), ABI_TEST(entered), ABI_TEST(credentials), ABI_TEST(chosen_numbers),
         ABI_TEST(mounted_proc), ABI_TEST(nobody_else))
