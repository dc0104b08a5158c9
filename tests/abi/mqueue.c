/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX message queues: mq_overview(7). */
#include "abi.h"

#include <mqueue.h>
#include <poll.h>
#include <sys/resource.h>
#include <time.h>

static char name[32];

static mqd_t fresh(int flags, long maxmsg, long msgsize)
{
	static int n;
	struct mq_attr attr = {.mq_maxmsg = maxmsg, .mq_msgsize = msgsize};

	snprintf(name, sizeof(name), "/abi-%d-%d", getpid(), n++);
	return mq_open(name, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &attr);
}

static void open_and_unlink(void)
{
	mqd_t q = fresh(0, 4, 100), again;
	struct mq_attr attr;
	struct stat st;

	REQUIRE(q >= 0);
	CHECK_EQ(fcntl(q, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
	again = mq_open(name, O_RDONLY | O_NONBLOCK);
	REQUIRE(again >= 0);
	CHECK_OK(mq_getattr(again, &attr));
	CHECK_EQ(attr.mq_flags, O_NONBLOCK);
	CHECK_EQ(attr.mq_maxmsg, 4);
	CHECK_EQ(attr.mq_msgsize, 100);
	CHECK_EQ(attr.mq_curmsgs, 0);
	CHECK_ERRNO(mq_send(again, "x", 1, 0), EBADF);
	CHECK_OK(fstat(q, &st));
	CHECK(S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0600);
	CHECK_EQ(st.st_nlink, 1);
	CHECK_OK(mq_close(again));
	CHECK_OK(mq_unlink(name));
	CHECK_ERRNO(mq_unlink(name), ENOENT);
	CHECK_ERRNO(mq_open(name, O_RDWR), ENOENT);
	CHECK_OK(mq_send(q, "still", 5, 0));
	CHECK_OK(fstat(q, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_OK(mq_close(q));

	CHECK_ERRNO(syscall(SYS_mq_open, "a/b", O_RDWR, 0, NULL), EACCES);
	CHECK_ERRNO(syscall(SYS_mq_open, "", O_RDWR, 0, NULL), ENOENT);
	CHECK_ERRNO(syscall(SYS_mq_open, "..", O_RDWR, 0, NULL), EACCES);
	CHECK_ERRNO(fresh(0, 0, 100), EINVAL);
	CHECK_ERRNO(fresh(0, 4, 0), EINVAL);
	CHECK_ERRNO(fresh(0, 4, 1 << 30), EINVAL);
	CHECK_ERRNO(mq_send(0, "x", 1, 0), EBADF);
}

static void priorities(void)
{
	mqd_t q = fresh(O_NONBLOCK, 4, 16);
	struct mq_attr attr;
	char buf[16];
	unsigned prio;

	REQUIRE(q >= 0);
	CHECK_OK(mq_send(q, "low", 3, 1));
	CHECK_OK(mq_send(q, "high", 4, 9));
	CHECK_OK(mq_send(q, "high2", 5, 9));
	CHECK_OK(mq_send(q, "", 0, 0));
	CHECK_ERRNO(mq_send(q, "full", 4, 0), EAGAIN);
	CHECK_ERRNO(mq_send(q, "seventeen letters", 17, 0), EMSGSIZE);
	CHECK_ERRNO(mq_send(q, "x", 1, 32768), EINVAL);
	CHECK_OK(mq_getattr(q, &attr));
	CHECK_EQ(attr.mq_curmsgs, 4);
	CHECK_ERRNO(mq_receive(q, buf, 15, NULL), EMSGSIZE);
	CHECK_EQ(mq_receive(q, buf, 16, &prio), 4);
	CHECK(prio == 9 && !memcmp(buf, "high", 4));
	CHECK_EQ(mq_receive(q, buf, 16, &prio), 5);
	CHECK_EQ(mq_receive(q, buf, 16, &prio), 3);
	CHECK_EQ(prio, 1);
	CHECK_EQ(mq_receive(q, buf, 16, &prio), 0);
	CHECK_ERRNO(mq_receive(q, buf, 16, &prio), EAGAIN);
	CHECK_OK(mq_setattr(q, &(struct mq_attr){.mq_flags = 0}, &attr));
	CHECK_EQ(attr.mq_flags, O_NONBLOCK);
	CHECK_OK(mq_getattr(q, &attr));
	CHECK_EQ(attr.mq_flags, 0);
	CHECK_ERRNO(mq_setattr(q, &(struct mq_attr){.mq_flags = O_APPEND}, NULL), EINVAL);
	mq_unlink(name);
	mq_close(q);
}

static void blocking(void)
{
	mqd_t q = fresh(0, 1, 16);
	char buf[16];
	struct timespec t;
	int status;
	pid_t child;

	REQUIRE(q >= 0);
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 20000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	CHECK_ERRNO(mq_timedreceive(q, buf, 16, NULL, &t), ETIMEDOUT);
	CHECK_OK(mq_send(q, "1", 1, 0));
	CHECK_ERRNO(mq_timedsend(q, "2", 1, 0, &t), ETIMEDOUT);
	t.tv_nsec = 1000000000;
	CHECK_ERRNO(mq_timedsend(q, "2", 1, 0, &t), EINVAL);

	child = fork();
	if (!child)
		_exit(mq_send(q, "2", 1, 5) ? errno : 0);
	CHECK(abi_sleeps(child));
	CHECK_EQ(mq_receive(q, buf, 16, NULL), 1);
	CHECK_EQ(buf[0], '1');
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(mq_receive(q, buf, 16, NULL), 1);
	CHECK_EQ(buf[0], '2');

	child = fork();
	if (!child)
		_exit(mq_receive(q, buf, 16, NULL) == 5 ? 0 : 1);
	CHECK(abi_sleeps(child));
	CHECK_OK(mq_send(q, "hello", 5, 0));
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	mq_unlink(name);
	mq_close(q);
}

static void polled(void)
{
	mqd_t q = fresh(0, 1, 16);
	struct pollfd p = {.fd = q, .events = POLLIN | POLLOUT};
	char buf[16];

	REQUIRE(q >= 0);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	mq_send(q, "x", 1, 0);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
	p.events = POLLOUT;
	pid_t child = fork();
	if (!child) {
		usleep(20000);
		_exit(mq_receive(q, buf, 16, NULL) == 1 ? 0 : 1);
	}
	CHECK_EQ(poll(&p, 1, 30000), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK(read(q, buf, 6) == 6 && !memcmp(buf, "QSIZE:", 6));
	mq_unlink(name);
	mq_close(q);
}

static volatile siginfo_t got;
static volatile int signals;

static void on_message(int s, siginfo_t *si, void *c)
{
	got = *si;
	signals++;
}

static void notification(void)
{
	struct sigaction sa = {.sa_sigaction = on_message, .sa_flags = SA_SIGINFO};
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 4711};
	mqd_t q = fresh(0, 4, 16);
	char buf[16];
	int status;

	REQUIRE(q >= 0);
	sigaction(SIGUSR1, &sa, NULL);
	CHECK_OK(mq_notify(q, &ev));
	CHECK_ERRNO(mq_notify(q, &ev), EBUSY);
	CHECK_OK(mq_send(q, "a", 1, 0));
	CHECK_EQ(signals, 1);
	CHECK_EQ(got.si_code, SI_MESGQ);
	CHECK_EQ(got.si_value.sival_int, 4711);
	CHECK_EQ(got.si_pid, getpid());
	/* Once only, and only when the queue was empty. */
	CHECK_OK(mq_notify(q, &ev));
	CHECK_OK(mq_send(q, "b", 1, 0));
	CHECK_EQ(signals, 1);
	mq_receive(q, buf, 16, NULL);
	mq_receive(q, buf, 16, NULL);
	CHECK_OK(mq_notify(q, NULL));
	CHECK_OK(mq_send(q, "c", 1, 0));
	CHECK_EQ(signals, 1);
	mq_receive(q, buf, 16, NULL);

	/* The registration of a process goes with its descriptor. */
	pid_t child = fork();
	if (!child)
		_exit(mq_notify(q, &ev) ? errno : 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_OK(mq_notify(q, &ev));
	ev.sigev_notify = 99;
	CHECK_ERRNO(mq_notify(q, &ev), EINVAL);
	ev = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
	CHECK_ERRNO(mq_notify(q, &ev), EINVAL);
	mq_unlink(name);
	mq_close(q);
	CHECK_EQ(signals, 1);
}

/* RLIMIT_MSGQUEUE counts what queues may hold, per user; in a child of a user of its own, so that only it is counted. */
static void limited(void)
{
	struct rlimit r = {20000, 20000};
	mqd_t a, b;

	if (setuid(100000 + (uid_t)getpid()))
		return; /* not root: nothing to see */
	CHECK_OK(setrlimit(RLIMIT_MSGQUEUE, &r));
	a = fresh(0, 10, 1024);
	CHECK(a >= 0);
	mq_unlink(name);
	CHECK_ERRNO(fresh(0, 10, 1024), EMFILE);
	mq_close(a);
	b = fresh(0, 10, 1024);
	CHECK(b >= 0);
	mq_unlink(name);
	mq_close(b);
	CHECK_ERRNO(fresh(0, 11, 16), EINVAL);
	CHECK_ERRNO(fresh(0, 1, 8193), EINVAL);
}

static void limits(void)
{
	CHECK_OK(abi_child(limited));
}

ABI_MAIN(ABI_TEST(open_and_unlink), ABI_TEST(priorities), ABI_TEST(blocking), ABI_TEST(polled), ABI_TEST(notification),
         ABI_TEST(limits))
