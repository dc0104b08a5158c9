/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers, masks, queues, restart, alternate stacks, timed waits, signalfd. */
#include "abi.h"

#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/mman.h>
#include <ucontext.h>

static volatile sig_atomic_t count, last_code, last_value;
static siginfo_t last;

static void on_signal(int sig, siginfo_t *si, void *context)
{
	count++;
	last = *si;
}

static void handle(int sig, int flags)
{
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags};

	count = 0;
	CHECK_EQ(sigaction(sig, &sa, NULL), 0);
}

static void deliver(void)
{
	handle(SIGUSR1, 0);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK_EQ(count, 1);
	CHECK_EQ(last.si_signo, SIGUSR1);
	CHECK_EQ(last.si_code, SI_USER);
	CHECK_EQ(last.si_pid, getpid());
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(last.si_code, SI_TKILL);
	CHECK_EQ(count, 2);
	CHECK_ERRNO(kill(getpid(), 65), EINVAL);
	CHECK_ERRNO(sigaction(SIGKILL, &(struct sigaction){.sa_handler = SIG_IGN}, NULL), EINVAL);
	handle(SIGUSR1, SA_RESETHAND);
	raise(SIGUSR1);
	struct sigaction now;
	sigaction(SIGUSR1, NULL, &now);
	CHECK(now.sa_handler == SIG_DFL);
}

static void masks(void)
{
	sigset_t set, old, pending;

	handle(SIGUSR2, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, &old), 0);
	raise(SIGUSR2);
	raise(SIGUSR2);
	CHECK_EQ(count, 0);
	sigpending(&pending);
	CHECK(sigismember(&pending, SIGUSR2));
	CHECK_EQ(sigprocmask(SIG_SETMASK, &old, NULL), 0);
	CHECK_EQ(count, 1); /* standard signals do not queue */
	signal(SIGUSR2, SIG_DFL);
}

static int order[8];

static void on_rt(int sig, siginfo_t *si, void *context)
{
	if (count < 8)
		order[count] = si->si_value.sival_int;
	count++;
}

static void realtime_queue(void)
{
	struct sigaction sa = {.sa_sigaction = on_rt, .sa_flags = SA_SIGINFO};
	sigset_t set, old;

	sigfillset(&sa.sa_mask);
	sigaction(SIGRTMIN + 1, &sa, NULL);
	sigaction(SIGRTMIN + 2, &sa, NULL);
	count = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGRTMIN + 2);
	sigprocmask(SIG_BLOCK, &set, &old);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 10 + i}), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i}), 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	CHECK_EQ(count, 6);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(order[i], i);
		CHECK_EQ(order[3 + i], 10 + i);
	}
}

static void alarm_in(unsigned ms)
{
	struct itimerval it = {.it_value = {.tv_usec = ms * 1000}};

	setitimer(ITIMER_REAL, &it, NULL);
}

/* Again and again: on a busy machine the first may come before the call that it is to interrupt. 0: no more. */
static void alarm_every(unsigned ms)
{
	struct itimerval it = {.it_interval = {.tv_usec = ms * 1000}, .it_value = {.tv_usec = ms * 1000}};

	setitimer(ITIMER_REAL, &it, NULL);
}

static volatile uint32_t *shared;
static void count_shared(int sig) { (*shared)++; }

static void restart(void)
{
	int p[2], status;
	char c;
	pid_t pid;

	REQUIRE(pipe(p) == 0);
	handle(SIGALRM, 0);
	alarm_every(20);
	CHECK_ERRNO(read(p[0], &c, 1), EINTR);
	alarm_every(0);
	CHECK(count >= 1);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(shared != MAP_FAILED);
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = count_shared, .sa_flags = SA_RESTART}, NULL);
	pid = fork();
	if (!pid) {
		/* In the read, then interrupted in it. */
		bool sleeps = abi_sleeps(getppid());
		uint32_t before = *shared;
		for (int i = 0; i < 20000 && *shared < before + 2; i++)
			usleep(1000);
		_exit(write(p[1], "r", 1) == 1 && sleeps ? 0 : 1);
	}
	alarm_every(20);
	CHECK_EQ(read(p[0], &c, 1), 1);
	alarm_every(0);
	CHECK(*shared >= 2);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	munmap((void *)shared, 4096);
	handle(SIGALRM, SA_RESTART);
	alarm_every(20);
	CHECK_ERRNO(pause(), EINTR);
	alarm_every(0);
	close(p[0]);
	close(p[1]);
	signal(SIGALRM, SIG_DFL);
}

static void *volatile seen_sp;
static void on_altstack(int sig) { seen_sp = __builtin_frame_address(0); }

static void alternate_stack(void)
{
	static char stack[65536];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)}, old;
	struct sigaction sa = {.sa_handler = on_altstack, .sa_flags = SA_ONSTACK};

	CHECK_EQ(sigaltstack(&ss, &old), 0);
	CHECK_EQ(old.ss_flags, SS_DISABLE);
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	CHECK((char *)seen_sp > stack && (char *)seen_sp < stack + sizeof(stack));
	ss.ss_size = 100;
	CHECK_ERRNO(sigaltstack(&ss, NULL), ENOMEM);
	ss.ss_flags = SS_DISABLE;
	CHECK_EQ(sigaltstack(&ss, NULL), 0);
	signal(SIGUSR1, SIG_DFL);
}

/* A handler may change the registers that the program continues with. */
static void on_trap(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	uc->uc_mcontext.gregs[REG_RIP] += 2; /* over ud2 */
	uc->uc_mcontext.gregs[REG_RAX] = 1234;
}

static void context(void)
{
	struct sigaction sa = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
	long rax = 1;
	double before = 1.5, after;

	sigaction(SIGILL, &sa, NULL);
	__asm__ volatile("movsd %2, %%xmm7; ud2; movsd %%xmm7, %1" : "+a"(rax), "=m"(after) : "m"(before) : "xmm7");
	CHECK_EQ(rax, 1234);
	CHECK(after == 1.5);
	signal(SIGILL, SIG_DFL);
}

static void timed_wait(void)
{
	struct timespec ts = {0, 20000000};
	siginfo_t si;
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	CHECK_ERRNO(sigtimedwait(&set, &si, &ts), EAGAIN);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(sigtimedwait(&set, &si, &ts), SIGUSR1);
	CHECK_EQ(si.si_pid, getpid());
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void descriptor(void)
{
	struct signalfd_siginfo si;
	sigset_t set, old;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	REQUIRE(fd >= 0);
	CHECK_ERRNO(read(fd, &si, sizeof(si)), EAGAIN);
	raise(SIGUSR2);
	CHECK_EQ(read(fd, &si, sizeof(si)), sizeof(si));
	CHECK_EQ(si.ssi_signo, SIGUSR2);
	CHECK_EQ(si.ssi_pid, getpid());
	close(fd);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void suspend(void)
{
	sigset_t set, old;

	handle(SIGALRM, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, &old);
	alarm_in(10);
	usleep(30000);
	CHECK_EQ(count, 0);
	CHECK_ERRNO(sigsuspend(&old), EINTR);
	CHECK_EQ(count, 1);
	sigset_t now;
	sigprocmask(SIG_SETMASK, &old, &now);
	CHECK(sigismember(&now, SIGALRM));
	signal(SIGALRM, SIG_DFL);
}

static void overflow(void)
{
	/* A stack overflow without an alternate stack kills. */
	struct sigaction sa = {.sa_handler = on_altstack};

	sigaction(SIGSEGV, &sa, NULL);
	__asm__ volatile("mov $64, %%rsp; push %%rax" ::: "memory");
}

static void no_stack(void)
{
	int status = abi_child(overflow);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

ABI_MAIN(ABI_TEST(deliver), ABI_TEST(masks), ABI_TEST(realtime_queue), ABI_TEST(restart), ABI_TEST(alternate_stack),
    ABI_TEST(context), ABI_TEST(timed_wait), ABI_TEST(descriptor), ABI_TEST(suspend), ABI_TEST(no_stack))
