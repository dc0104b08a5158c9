/* SPDX-License-Identifier: Apache-2.0 */
/* fork, vfork, clone, wait4, waitid, exit status, orphans, process groups and sessions. */
#include "abi.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static void exit_codes(void)
{
	int status;
	pid_t pid;

	for (int code = 0; code < 300; code += 37) {
		pid = fork();
		if (!pid)
			_exit(code);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFEXITED(status));
		CHECK_EQ(WEXITSTATUS(status), code & 255);
	}
	CHECK_ERRNO(waitpid(-1, &status, 0), ECHILD);
	CHECK_ERRNO(waitpid(getpid(), &status, 0), ECHILD);
	CHECK_ERRNO(waitpid(-1, &status, 0x10000), EINVAL);
}

static void die(int sig)
{
	struct rlimit no_core = {0, 0};

	setrlimit(RLIMIT_CORE, &no_core);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void killed(void)
{
	const int signals[] = {SIGKILL, SIGTERM, SIGSEGV, SIGABRT, SIGUSR1, SIGRTMIN + 3};
	int status;
	pid_t pid;

	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		pid = fork();
		if (!pid) {
			die(signals[i]);
			_exit(0);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(WTERMSIG(status), signals[i]);
	}
}

static void real_faults(void)
{
	int status;
	pid_t pid;

	for (int kind = 0; kind < 4; kind++) {
		static const int want[] = {SIGSEGV, SIGILL, SIGFPE, SIGTRAP};
		struct rlimit no_core = {0, 0};

		pid = fork();
		if (!pid) {
			volatile int zero = 0;

			setrlimit(RLIMIT_CORE, &no_core);
			if (kind == 0)
				*(volatile int *)16 = 1;
			else if (kind == 1)
				__asm__ volatile("ud2");
			else if (kind == 2)
				_exit(7 / zero);
			else
				__asm__ volatile("int3");
			_exit(0);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(WTERMSIG(status), want[kind]);
	}
}

static void memory_is_copied(void)
{
	static volatile int word = 1;
	volatile int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	REQUIRE(shared != MAP_FAILED);
	pid = fork();
	if (!pid) {
		word = 2;
		*shared = 3;
		_exit(word == 2 ? 0 : 1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(word, 1);
	CHECK_EQ(*shared, 3);
	munmap((void *)shared, 4096);
}

static void vfork_shares(void)
{
	static volatile int word;
	int status;
	pid_t pid = vfork();

	if (!pid) {
		word = 5;
		_exit(9);
	}
	CHECK_EQ(word, 5);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 9);
}

static void wait_id(void)
{
	siginfo_t si;
	pid_t pid = fork();

	if (!pid)
		_exit(33);
	memset(&si, 0, sizeof(si));
	CHECK_EQ(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_code, CLD_EXITED);
	CHECK_EQ(si.si_status, 33);
	CHECK_EQ(si.si_signo, SIGCHLD);
	CHECK_EQ(waitid(P_ALL, 0, &si, WEXITED | WNOHANG), 0);
	CHECK_EQ(si.si_pid, pid);
	CHECK_ERRNO(waitid(P_ALL, 0, &si, WEXITED), ECHILD);
	CHECK_ERRNO(waitid(P_ALL, 0, &si, 0), EINVAL);
}

static void stop_and_continue(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		raise(SIGSTOP);
		_exit(4);
	}
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(kill(pid, SIGCONT), 0);
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	if (WIFCONTINUED(status))
		CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 4);
}

static void groups(void)
{
	int status, p[2];
	char c;
	pid_t pid;

	REQUIRE(pipe(p) == 0);
	pid = fork();
	if (!pid) {
		if (setsid() != getpid() || getsid(0) != getpid() || getpgrp() != getpid())
			_exit(1);
		errno = 0;
		if (setpgid(0, 0) == 0 || errno != EPERM)
			_exit(2);
		_exit(write(p[1], "x", 1) == 1 ? 0 : 3);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		pause();
		_exit(0);
	}
	setpgid(pid, pid);
	CHECK_EQ(getpgid(pid), pid);
	CHECK_EQ(killpg(pid, SIGTERM), 0);
	CHECK_EQ(waitpid(-pid, &status, 0), pid);
	CHECK_EQ(WTERMSIG(status), SIGTERM);
	CHECK_ERRNO(kill(pid, 0), ESRCH);
	close(p[0]);
	close(p[1]);
}

static int death_signal(void)
{
	int sig = -1;

	return prctl(PR_GET_PDEATHSIG, &sig) ? -1 : sig;
}

static void change_ids(void)
{
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	CHECK_EQ(setresgid(-1, 1000, -1), 0);
	CHECK_EQ(death_signal(), 0);
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	CHECK_EQ(setresuid(1000, -1, -1), 0);
	CHECK_EQ(death_signal(), SIGUSR1);
	CHECK_EQ(setresuid(-1, 1000, -1), 0);
	CHECK_EQ(death_signal(), 0);
}

/* Who becomes somebody else is not to be killed by the death of a parent that could not kill him. */
static void death_signal_of_others(void)
{
	if (geteuid() == 0)
		CHECK_EQ(abi_child(change_ids), 0);
}

static void subreaper(void)
{
	int status, p[2];
	pid_t pid, grandchild = 0;

	REQUIRE(pipe(p) == 0);
	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	pid = fork();
	if (!pid) {
		pid_t leaver = getpid();

		grandchild = fork();
		if (!grandchild) {
			while (getppid() == leaver)
				usleep(1000);
			_exit(12);
		}
		_exit(write(p[1], &grandchild, sizeof(grandchild)) > 0 ? 0 : 1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(read(p[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	CHECK_EQ(waitpid(grandchild, &status, 0), grandchild);
	CHECK_EQ(WEXITSTATUS(status), 12);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(p[0]);
	close(p[1]);
}

/* The end of a sibling does not wake the stopped jobs of a group that was orphaned all along. */
static void stopped_orphans(void)
{
	int status, p[2];
	pid_t leader;
	char c = 'x';

	REQUIRE(pipe(p) == 0);
	leader = fork();
	if (!leader) {
		setsid();
		pid_t stopped = fork();
		if (!stopped)
			for (;;)
				pause();
		kill(stopped, SIGSTOP);
		waitpid(stopped, &status, WUNTRACED);
		pid_t sibling = fork();
		if (!sibling)
			_exit(0);
		waitpid(sibling, &status, 0);
		if (waitpid(stopped, &status, WNOHANG | WCONTINUED) != 0)
			c = '!';
		kill(stopped, SIGKILL);
		waitpid(stopped, &status, 0);
		_exit(write(p[1], &c, 1) == 1 ? 0 : 1);
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(c, 'x');
	CHECK_EQ(waitpid(leader, &status, 0), leader);
	close(p[0]);
	close(p[1]);
}

static void many_children(void)
{
	unsigned sum = 0;
	int status;

	for (int i = 0; i < 40; i++)
		if (!fork())
			_exit(i);
	while (wait(&status) > 0)
		sum += (unsigned)WEXITSTATUS(status);
	CHECK_EQ(sum, 40 * 39 / 2);
}

static void ignored_children(void)
{
	int status;
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	pid = fork();
	if (!pid)
		_exit(0);
	CHECK_ERRNO(waitpid(pid, &status, 0), ECHILD);
	signal(SIGCHLD, SIG_DFL);
}

/* pidfd_send_signal takes a pidfd or an open /proc/PID, nothing else of /proc. */
static void pidfd_by_proc(void)
{
	pid_t pid = fork();
	int status = 0;
	char path[64];

	if (!pid)
		for (;;)
			pause();
	REQUIRE(pid > 0);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	int fd = open(path, O_RDONLY | O_DIRECTORY), top = open("/proc", O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	int sub = open(path, O_RDONLY | O_DIRECTORY);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, top, 0, NULL, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, sub, 0, NULL, 0), EBADF);
	CHECK_EQ(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), 0);
	CHECK_ERRNO(waitid(P_PIDFD, (id_t)fd, NULL, WEXITED | WNOHANG), EBADF);
	CHECK_EQ(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), ESRCH);
	close(fd);
	close(top);
	close(sub);
}

ABI_MAIN(ABI_TEST(exit_codes), ABI_TEST(killed), ABI_TEST(real_faults), ABI_TEST(memory_is_copied),
    ABI_TEST(vfork_shares), ABI_TEST(wait_id), ABI_TEST(stop_and_continue), ABI_TEST(groups), ABI_TEST(death_signal_of_others), ABI_TEST(subreaper),
    ABI_TEST(stopped_orphans), ABI_TEST(many_children), ABI_TEST(ignored_children), ABI_TEST(pidfd_by_proc))
