/* SPDX-License-Identifier: Apache-2.0 */
/* poll, ppoll, select, pselect, epoll, eventfd. */
#include "abi.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

static int64_t ms_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void poll_pipe(void)
{
	struct pollfd pfd[3];
	int p[2];
	int64_t t;

	REQUIRE(pipe(p) == 0);
	pfd[0] = (struct pollfd){p[0], POLLIN, 0};
	pfd[1] = (struct pollfd){p[1], POLLOUT, 0};
	pfd[2] = (struct pollfd){-1, POLLIN, 77};
	CHECK_EQ(poll(pfd, 3, 0), 1);
	CHECK_EQ(pfd[0].revents, 0);
	CHECK_EQ(pfd[1].revents, POLLOUT);
	CHECK_EQ(pfd[2].revents, 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(poll(pfd, 1, -1), 1);
	CHECK_EQ(pfd[0].revents, POLLIN);
	close(p[1]);
	CHECK_EQ(poll(pfd, 1, -1), 1);
	CHECK_EQ(pfd[0].revents, POLLIN | POLLHUP);
	pfd[1].fd = 250;
	CHECK_EQ(poll(&pfd[1], 1, 0), 1);
	CHECK_EQ(pfd[1].revents, POLLNVAL);
	close(p[0]);
	t = ms_now();
	CHECK_EQ(poll(NULL, 0, 30), 0);
	t = ms_now() - t;
	CHECK(t >= 29 && t < 30000);
	REQUIRE(pipe(p) == 0);
	close(p[0]);
	pfd[0] = (struct pollfd){p[1], POLLOUT, 0};
	CHECK_EQ(poll(pfd, 1, 0), 1);
	CHECK_EQ(pfd[0].revents, POLLOUT | POLLERR);
	close(p[1]);
}

static void on_alarm(int sig) {}

static void interrupted(void)
{
	/* Again and again: on a busy machine the first may come before the wait that it is to interrupt. */
	struct itimerval it = {.it_interval = {.tv_usec = 20000}, .it_value = {.tv_usec = 20000}}, off = {0};
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct timespec ts = {5, 0};
	sigset_t none;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	CHECK_ERRNO(poll(NULL, 0, 5000), EINTR);
	sigemptyset(&none);
	CHECK_ERRNO(ppoll(NULL, 0, &ts, &none), EINTR);
	CHECK_ERRNO(pselect(0, NULL, NULL, NULL, &ts, &none), EINTR);
	setitimer(ITIMER_REAL, &off, NULL);
	signal(SIGALRM, SIG_DFL);
}

static void selecting(void)
{
	struct timeval tv = {0, 10000};
	fd_set in, out;
	int p[2];

	REQUIRE(pipe(p) == 0);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(p[0], &in);
	FD_SET(p[1], &out);
	CHECK_EQ(select(p[1] + 1, &in, &out, NULL, NULL), 1);
	CHECK(!FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out));
	FD_SET(p[0], &in);
	CHECK_EQ(select(p[0] + 1, &in, NULL, NULL, &tv), 0);
	CHECK(!FD_ISSET(p[0], &in));
	CHECK_EQ(tv.tv_usec, 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	FD_SET(p[0], &in);
	CHECK_EQ(select(p[0] + 1, &in, NULL, NULL, NULL), 1);
	/* Linux looks no further than its table of descriptors goes, so that one must have been this large. */
	REQUIRE(dup2(p[0], 200) == 200);
	close(200);
	FD_ZERO(&in);
	FD_SET(200, &in);
	CHECK_ERRNO(select(201, &in, NULL, NULL, NULL), EBADF);
	CHECK_ERRNO(select(-1, NULL, NULL, NULL, NULL), EINVAL);
	close(p[0]);
	close(p[1]);
}

static void events(void)
{
	uint64_t v = 5;
	int fd = eventfd(3, EFD_NONBLOCK), sem;

	REQUIRE(fd >= 0);
	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 8);
	CHECK_ERRNO(read(fd, &v, 8), EAGAIN);
	v = ~0UL;
	CHECK_ERRNO(write(fd, &v, 8), EINVAL);
	v = ~0UL - 1;
	CHECK_EQ(write(fd, &v, 8), 8);
	v = 1;
	CHECK_ERRNO(write(fd, &v, 8), EAGAIN);
	sem = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	CHECK_EQ(read(sem, &v, 8), 8);
	CHECK_EQ(v, 1);
	CHECK_EQ(read(sem, &v, 8), 8);
	CHECK_ERRNO(read(sem, &v, 8), EAGAIN);
	close(fd);
	close(sem);
}

static void epoll_basics(void)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0x1122334455667788UL}, got[4];
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2];

	REQUIRE(ep >= 0 && pipe(p) == 0);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), 0);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), EEXIST);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &ev), ENOENT);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev), EINVAL);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, 250, &ev), EBADF);
	CHECK_ERRNO(epoll_wait(ep, got, 0, 0), EINVAL);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
	CHECK_EQ(write(p[1], "ab", 2), 2);
	for (int i = 0; i < 2; i++) { /* level-triggered: again and again */
		CHECK_EQ(epoll_wait(ep, got, 4, -1), 1);
		CHECK_EQ(got[0].events, EPOLLIN);
		CHECK(got[0].data.u64 == 0x1122334455667788UL);
	}
	ev.events = EPOLLIN | EPOLLET;
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev), 0);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0); /* edge: once */
	CHECK_EQ(write(p[1], "c", 1), 1);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
	ev.events = EPOLLIN | EPOLLONESHOT;
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev), 0);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 1);
	CHECK_EQ(write(p[1], "d", 1), 1);
	CHECK_EQ(epoll_wait(ep, got, 4, 0), 0);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), 0);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), ENOENT);
	close(p[0]);
	close(p[1]);
	close(ep);
}

static void epoll_nested(void)
{
	struct epoll_event ev = {.events = EPOLLIN}, got[4];
	int outer = epoll_create1(0), inner = epoll_create1(0), fd = eventfd(0, 0);
	uint64_t one = 1;

	ev.data.fd = fd;
	CHECK_EQ(epoll_ctl(inner, EPOLL_CTL_ADD, fd, &ev), 0);
	ev.data.fd = inner;
	CHECK_EQ(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &ev), 0);
	CHECK_ERRNO(epoll_ctl(inner, EPOLL_CTL_ADD, outer, &ev), ELOOP);
	CHECK_EQ(epoll_wait(outer, got, 4, 0), 0);
	CHECK_EQ(write(fd, &one, 8), 8);
	CHECK_EQ(epoll_wait(outer, got, 4, -1), 1);
	CHECK_EQ(got[0].data.fd, inner);
	CHECK_EQ(epoll_wait(inner, got, 4, -1), 1);
	CHECK_EQ(got[0].data.fd, fd);
	close(fd);
	CHECK_EQ(epoll_wait(inner, got, 4, 0), 0);
	close(inner);
	close(outer);
}

static int watch(int ep, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN};

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

/* Sets may be nested five deep, and a file may be reached on ten paths of that length, fifty of one less. */
static void epoll_paths(void)
{
	int chain[4], tops[52], fd = eventfd(0, 0), other = eventfd(0, 0);

	for (int i = 0; i < 4; i++)
		chain[i] = epoll_create1(0);
	for (int i = 0; i < 52; i++)
		tops[i] = epoll_create1(0);
	CHECK_EQ(watch(chain[0], fd), 0);
	for (int i = 1; i < 4; i++)
		CHECK_EQ(watch(chain[i], chain[i - 1]), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(watch(tops[i], chain[3]), 0);
	CHECK_ERRNO(watch(tops[10], chain[3]), EINVAL);
	CHECK_ERRNO(watch(tops[10], tops[9]), ELOOP);
	/* the paths of another file that goes in below are counted, too */
	CHECK_EQ(watch(chain[0], other), 0);
	CHECK_EQ(epoll_ctl(chain[0], EPOLL_CTL_DEL, other, NULL), 0);
	/* a refused one is not there */
	CHECK_EQ(epoll_ctl(tops[0], EPOLL_CTL_DEL, chain[3], NULL), 0);
	CHECK_EQ(watch(tops[10], chain[3]), 0);
	CHECK_ERRNO(watch(tops[0], chain[3]), EINVAL);
	for (int i = 1; i <= 10; i++)
		CHECK_EQ(epoll_ctl(tops[i], EPOLL_CTL_DEL, chain[3], NULL), 0);
	close(chain[3]);

	for (int i = 0; i < 50; i++)
		CHECK_EQ(watch(tops[i], chain[2]), 0);
	CHECK_ERRNO(watch(tops[50], chain[2]), EINVAL);
	/* without a file below nothing can wake up, so there is no limit but for the file that comes later */
	CHECK_EQ(epoll_ctl(chain[0], EPOLL_CTL_DEL, fd, NULL), 0);
	CHECK_EQ(watch(tops[50], chain[2]), 0);
	CHECK_ERRNO(watch(chain[0], fd), EINVAL);
	CHECK_EQ(watch(chain[2], fd), 0);
	close(tops[51]);
	close(tops[50]);
	CHECK_EQ(watch(chain[0], fd), 0);
	for (int i = 0; i < 50; i++)
		close(tops[i]);
	for (int i = 0; i < 3; i++)
		close(chain[i]);
	close(fd);
	close(other);
}

static void epoll_wakes(void)
{
	struct epoll_event ev = {.events = EPOLLIN}, got[4];
	int ep = epoll_create1(0), p[2], status;
	pid_t pid;

	REQUIRE(pipe(p) == 0);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), 0);
	pid = fork();
	if (!pid) {
		usleep(20000);
		_exit(write(p[1], "x", 1) == 1 ? 0 : 1);
	}
	CHECK_EQ(epoll_wait(ep, got, 4, 30000), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	close(p[0]);
	close(p[1]);
	close(ep);
}

ABI_MAIN(ABI_TEST(poll_pipe), ABI_TEST(interrupted), ABI_TEST(selecting), ABI_TEST(events), ABI_TEST(epoll_basics),
    ABI_TEST(epoll_nested), ABI_TEST(epoll_paths), ABI_TEST(epoll_wakes))
