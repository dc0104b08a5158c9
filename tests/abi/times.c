/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, sleeping, POSIX timers, interval timers, timerfd. */
#include "abi.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>

static int64_t ns(clockid_t clock)
{
	struct timespec ts = {0, 0};

	CHECK_EQ(clock_gettime(clock, &ts), 0);
	CHECK(ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
	return ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void clocks(void)
{
	static const clockid_t ids[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME,
	    CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
	struct timespec ts, direct;
	struct timeval tv;

	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		CHECK_EQ(clock_getres(ids[i], &ts), 0);
		int64_t first = ns(ids[i]);
		CHECK(first <= ns(ids[i]));
	}
	CHECK_ERRNO(clock_gettime(99, &ts), EINVAL);
	for (int64_t i = 0, last = 0, now; i < 10000; i++, last = now) {
		now = ns(CLOCK_MONOTONIC);
		if (!CHECK(now >= last))
			break;
	}
	/* The vDSO and the system call agree. */
	for (int i = 0; i < 100; i++) {
		int64_t a = ns(CLOCK_MONOTONIC), b, c;

		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &direct);
		b = direct.tv_sec * 1000000000 + direct.tv_nsec;
		c = ns(CLOCK_MONOTONIC);
		if (!CHECK(a <= b && b <= c))
			break;
	}
	int64_t before = ns(CLOCK_REALTIME) / 1000000000;
	CHECK_EQ(gettimeofday(&tv, NULL), 0);
	CHECK(tv.tv_sec > 1600000000 && before <= tv.tv_sec && tv.tv_sec <= ns(CLOCK_REALTIME) / 1000000000);
	time_t coarse = time(NULL); /* may be a tick behind */
	CHECK(tv.tv_sec - 1 <= coarse && coarse <= ns(CLOCK_REALTIME) / 1000000000);
}

static void sleeping(void)
{
	struct timespec ts = {0, 30000000}, bad = {0, -1}, past = {1, 0}, at;
	int64_t start = ns(CLOCK_MONOTONIC), took;

	CHECK_EQ(nanosleep(&ts, NULL), 0);
	took = ns(CLOCK_MONOTONIC) - start;
	CHECK(took >= 30000000 && took < 30000000000);
	CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += 20000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL), 0);
	CHECK(ns(CLOCK_MONOTONIC) >= at.tv_sec * 1000000000 + at.tv_nsec);
	CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL), EINVAL);
}

static volatile sig_atomic_t ticks;
static void on_tick(int sig) { ticks++; }

static void interrupted_sleep(void)
{
	/* Again and again: on a busy machine the first may come before the sleep. */
	struct itimerval it = {.it_interval = {.tv_usec = 20000}, .it_value = {.tv_usec = 20000}}, off = {0};
	struct timespec ts = {5, 0}, rest = {0, 0};
	struct sigaction sa = {.sa_handler = on_tick, .sa_flags = SA_RESTART};

	sigaction(SIGALRM, &sa, NULL);
	ticks = 0;
	setitimer(ITIMER_REAL, &it, NULL);
	CHECK_ERRNO(nanosleep(&ts, &rest), EINTR);
	setitimer(ITIMER_REAL, &off, NULL);
	CHECK(ticks >= 1);
	CHECK(rest.tv_sec < 5 && (rest.tv_sec || rest.tv_nsec));
}

static void interval_timer(void)
{
	struct itimerval it = {{0, 5000}, {0, 5000}}, off = {0}, now;

	ticks = 0;
	signal(SIGALRM, on_tick);
	setitimer(ITIMER_REAL, &it, NULL);
	while (ticks < 5)
		pause();
	CHECK_EQ(getitimer(ITIMER_REAL, &now), 0);
	CHECK_EQ(now.it_interval.tv_usec, 5000);
	CHECK_EQ(setitimer(ITIMER_REAL, &off, NULL), 0);
	int64_t start = ns(CLOCK_MONOTONIC);
	CHECK_EQ(alarm(100), 0);
	int64_t left = alarm(0), passed = ns(CLOCK_MONOTONIC) - start; /* what is left is rounded to seconds */
	CHECK(left <= 100 && left >= (100500000000 - passed) / 1000000000);
	signal(SIGALRM, SIG_DFL);
}

static volatile sig_atomic_t timer_value;
static void on_timer(int sig, siginfo_t *si, void *context)
{
	ticks++;
	timer_value = si->si_value.sival_int;
	CHECK_EQ(si->si_code, SI_TIMER);
}

static void posix_timer(void)
{
	struct sigaction sa = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value = {.sival_int = 77}};
	struct itimerspec its = {{0, 4000000}, {0, 4000000}}, now;
	timer_t t;

	sigaction(SIGRTMIN, &sa, NULL);
	REQUIRE(timer_create(CLOCK_MONOTONIC, &ev, &t) == 0);
	ticks = 0;
	CHECK_EQ(timer_settime(t, 0, &its, NULL), 0);
	while (ticks < 3)
		pause();
	CHECK_EQ(timer_value, 77);
	CHECK_EQ(timer_gettime(t, &now), 0);
	CHECK_EQ(now.it_interval.tv_nsec, 4000000);
	CHECK(timer_getoverrun(t) >= 0);
	CHECK_EQ(timer_delete(t), 0);
	CHECK_ERRNO(syscall(SYS_timer_delete, 12345), EINVAL);
}

static void descriptor(void)
{
	struct itimerspec its = {{0, 10000000}, {0, 10000000}};
	uint64_t expirations = 0;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	REQUIRE(fd >= 0);
	CHECK_ERRNO(read(fd, &expirations, 8), EAGAIN);
	CHECK_EQ(timerfd_settime(fd, 0, &its, NULL), 0);
	usleep(55000);
	CHECK_EQ(read(fd, &expirations, 8), 8);
	CHECK(expirations >= 5 && expirations < 6000);
	CHECK_ERRNO(read(fd, &expirations, 4), EINVAL);
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	CHECK_EQ(read(fd, &expirations, 8), 8);
	CHECK(expirations >= 1);
	close(fd);
	CHECK_ERRNO(timerfd_create(99, 0), EINVAL);
}

static void cpu_time(void)
{
	int64_t start = ns(CLOCK_PROCESS_CPUTIME_ID), wall = ns(CLOCK_MONOTONIC);
	struct tms t;

	while (ns(CLOCK_PROCESS_CPUTIME_ID) - start < 20000000)
		if (ns(CLOCK_MONOTONIC) - wall > 10000000000)
			break;
	CHECK(ns(CLOCK_PROCESS_CPUTIME_ID) - start >= 20000000);
	CHECK(times(&t) != (clock_t)-1);
	CHECK(t.tms_utime + t.tms_stime >= 1);
}

/* What others set of the CPU time of a process that has ended is nothing to whoever comes into its place. */
static void cpu_time_of_the_dead(void)
{
	const struct itimerspec its = {.it_value.tv_sec = 100};
	const struct rlimit most = {100, 100};

	for (int i = 0; i < 100; i++) {
		struct sigevent none = {.sigev_notify = SIGEV_NONE};
		clockid_t clock;
		timer_t timer;
		siginfo_t si;
		pid_t child = fork();

		REQUIRE(child >= 0);
		if (!child)
			_exit(0);
		CHECK_EQ(clock_getcpuclockid(child, &clock), 0);
		CHECK_EQ(timer_create(clock, &none, &timer), 0);
		CHECK_EQ(waitid(P_PID, (id_t)child, &si, WEXITED | WNOWAIT), 0);
		CHECK_EQ(prlimit(child, RLIMIT_CPU, &most, NULL), 0);
		CHECK_EQ(timer_settime(timer, 0, &its, NULL), 0);
		CHECK_EQ(waitpid(child, NULL, 0), child);
		(void)timer_settime(timer, 0, &its, NULL); /* ESRCH, or the clock stands */
		CHECK_EQ(timer_delete(timer), 0);
	}
}

ABI_MAIN(ABI_TEST(clocks), ABI_TEST(sleeping), ABI_TEST(interrupted_sleep), ABI_TEST(interval_timer),
    ABI_TEST(posix_timer), ABI_TEST(descriptor), ABI_TEST(cpu_time),
    ABI_TEST(cpu_time_of_the_dead))
