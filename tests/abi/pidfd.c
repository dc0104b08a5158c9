/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors of threads (pidfd_open(2), PIDFD_THREAD, since Linux 6.9): nothing is tested where there are none. */
#include "abi.h"

#include <poll.h>
#include <pthread.h>

#define THREAD O_EXCL

static int open_pidfd(pid_t pid, unsigned flags) { return (int)syscall(SYS_pidfd_open, pid, flags); }
static int send_signal(int fd, int signo, unsigned flags) { return (int)syscall(SYS_pidfd_send_signal, fd, signo, NULL, flags); }

static bool supported(void)
{
	int fd = open_pidfd(getpid(), THREAD);
	return fd >= 0 ? close(fd) == 0 : false;
}

static volatile pid_t thread_tid, handled_by;
static volatile int may_end;

static void handler(int signo) { handled_by = (pid_t)syscall(SYS_gettid); }

static void *wait_for_end(void *arg)
{
	__atomic_store_n(&thread_tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&may_end, __ATOMIC_SEQ_CST))
		usleep(1000);
	return arg;
}

static void threads(void)
{
	pthread_t t;

	if (!supported())
		return;
	thread_tid = may_end = handled_by = 0;
	signal(SIGUSR1, handler);
	REQUIRE(pthread_create(&t, NULL, wait_for_end, NULL) == 0);
	while (!__atomic_load_n(&thread_tid, __ATOMIC_SEQ_CST))
		usleep(1000);
	CHECK(open_pidfd(thread_tid, 0) == -1 && (errno == EINVAL || errno == ENOENT));
	int fd = open_pidfd(thread_tid, THREAD);
	REQUIRE(fd >= 0);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	struct pollfd p = {fd, POLLIN, 0};
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(send_signal(fd, SIGUSR1, 0), 0); /* to that thread */
	while (!__atomic_load_n(&handled_by, __ATOMIC_SEQ_CST))
		usleep(1000);
	CHECK_EQ(handled_by, thread_tid);
	CHECK_EQ(send_signal(fd, 0, 2), 0);
	CHECK_ERRNO(send_signal(fd, 0, 3), EINVAL);
	CHECK_ERRNO(send_signal(fd, 0, 8), EINVAL);
	__atomic_store_n(&may_end, 1, __ATOMIC_SEQ_CST);
	CHECK_EQ(poll(&p, 1, 60000), 1); /* without anybody waiting for it */
	CHECK(p.revents & POLLIN);
	pthread_join(t, NULL);
	/* Both may be over a little before the thread is gone. */
	for (int i = 0; i < 10000 && send_signal(fd, 0, 0) == 0; i++)
		usleep(1000);
	CHECK_ERRNO(send_signal(fd, SIGUSR1, 0), ESRCH);
	close(fd);
}

static void leader(void)
{
	siginfo_t si = {0};

	if (!supported())
		return;
	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	int fd = open_pidfd(pid, THREAD);
	struct pollfd p = {fd, POLLIN, 0};
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(send_signal(fd, SIGKILL, 0), 0);
	CHECK_EQ(poll(&p, 1, 60000), 1);
	CHECK(p.revents & POLLIN);
	CHECK_EQ(waitid(3 /* P_PIDFD */, (id_t)fd, &si, WEXITED), 0);
	CHECK_EQ(si.si_pid, pid);
	CHECK_ERRNO(send_signal(fd, 0, 0), ESRCH);
	close(fd);
}

ABI_MAIN(ABI_TEST(threads), ABI_TEST(leader))
