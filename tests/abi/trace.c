/* SPDX-License-Identifier: Apache-2.0 */
/* ptrace(2): stops, system calls, steps, registers, memory, events, threads, attaching and leaving. */
#include "abi.h"

#include <elf.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

static volatile long word = 0x1122334455667788;

static pid_t traced_child(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		fn();
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	return pid;
}

static void end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void exit_with_word(void)
{
	_exit((int)word);
}

static void memory_and_registers(void)
{
	pid_t pid = traced_child(exit_with_word);
	struct user_regs_struct regs, again;
	struct user_fpregs_struct fp;
	struct iovec v = {&again, sizeof(again)};
	int status;

	errno = 0;
	CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, &word, 0), word);
	CHECK_EQ(errno, 0);
	CHECK_EQ(ptrace(PTRACE_POKEDATA, pid, &word, 42), 0);
	CHECK_ERRNO(ptrace(PTRACE_PEEKDATA, pid, BAD_POINTER, 0), EIO);
	CHECK_EQ(ptrace(PTRACE_GETREGS, pid, 0, &regs), 0);
	CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rsp), 0), (long)regs.rsp);
	CHECK_EQ(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v), 0);
	CHECK_EQ(v.iov_len, sizeof(regs));
	CHECK(!memcmp(&regs, &again, sizeof(regs)));
	CHECK_EQ(regs.cs, 0x33);
	CHECK_EQ(ptrace(PTRACE_GETFPREGS, pid, 0, &fp), 0);
	CHECK_EQ(fp.mxcsr, 0x1f80);
	CHECK_EQ(ptrace(PTRACE_SETFPREGS, pid, 0, &fp), 0);
	regs.cs = 0;
	CHECK_ERRNO(ptrace(PTRACE_SETREGS, pid, 0, &regs), EIO);
	CHECK_EQ(ptrace(PTRACE_CONT, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	CHECK_ERRNO(ptrace(PTRACE_CONT, pid, 0, 0), ESRCH);
}

static void call_getppid(void)
{
	_exit(syscall(SYS_getppid) == 4711 && syscall(SYS_getuid) == -ENOSYS ? 0 : 1);
}

/* A system call stops twice; its result can be changed, and the call skipped. */
static void system_calls(void)
{
	pid_t pid = traced_child(call_getppid);
	struct user_regs_struct r;
	int status, stops = 0;

	CHECK_EQ(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD), 0);
	for (;;) {
		CHECK_EQ(ptrace(PTRACE_SYSCALL, pid, 0, 0), 0);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status))
			break;
		if (!CHECK_EQ(WSTOPSIG(status), SIGTRAP | 0x80))
			break;
		stops++;
		REQUIRE(ptrace(PTRACE_GETREGS, pid, 0, &r) == 0);
		if (r.orig_rax == SYS_getppid && stops % 2 == 0) {
			CHECK_EQ(r.rax, getpid());
			r.rax = 4711;
			CHECK_EQ(ptrace(PTRACE_SETREGS, pid, 0, &r), 0);
		} else if (r.orig_rax == SYS_getuid && stops % 2) {
			CHECK_EQ((long)r.rax, -ENOSYS);
			r.orig_rax = (unsigned long)-1;
			CHECK_EQ(ptrace(PTRACE_SETREGS, pid, 0, &r), 0);
		}
	}
	CHECK_EQ(stops, 5); /* exit_group stops once */
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1); /* syscall() turns -ENOSYS into -1 */
}

static void spin_a_bit(void)
{
	__asm__ volatile("nop; nop; nop; nop; nop; nop; nop; nop");
	raise(SIGUSR1);
}

static void steps(void)
{
	pid_t pid = traced_child(spin_a_bit);
	struct user_regs_struct r;
	unsigned long last = 0;
	siginfo_t si;
	int status;

	for (int i = 0; i < 200; i++) {
		REQUIRE(ptrace(PTRACE_SINGLESTEP, pid, 0, 0) == 0);
		REQUIRE(waitpid(pid, &status, 0) == pid);
		REQUIRE(WIFSTOPPED(status));
		if (WSTOPSIG(status) != SIGTRAP)
			break;
		CHECK_EQ(ptrace(PTRACE_GETREGS, pid, 0, &r), 0);
		CHECK(!(r.eflags & 0x100));
		CHECK(r.rip != last);
		last = r.rip;
		CHECK_EQ(ptrace(PTRACE_GETSIGINFO, pid, 0, &si), 0);
		CHECK_EQ(si.si_signo, SIGTRAP);
	}
	CHECK_EQ(WSTOPSIG(status), SIGUSR1);
	end(pid);
}

static volatile int handled;

static void count(int signo)
{
	handled += signo;
}

static void take_signals(void)
{
	signal(SIGUSR1, count);
	signal(SIGUSR2, count);
	raise(SIGUSR1); /* suppressed */
	raise(SIGUSR1); /* becomes SIGUSR2 */
	_exit(handled);
}

static void signals(void)
{
	pid_t pid = traced_child(take_signals);
	siginfo_t si;
	int status;

	CHECK_EQ(ptrace(PTRACE_CONT, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGUSR1);
	CHECK_EQ(ptrace(PTRACE_GETSIGINFO, pid, 0, &si), 0);
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(ptrace(PTRACE_CONT, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(ptrace(PTRACE_CONT, pid, 0, SIGUSR2), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == SIGUSR2);
}

static void *nothing(void *arg)
{
	return arg;
}

static void make_tasks(void)
{
	pthread_t t;
	int status;

	if (pthread_create(&t, NULL, nothing, NULL) == 0)
		pthread_join(t, NULL);
	pid_t pid = fork();
	if (!pid)
		_exit(3);
	waitpid(pid, &status, 0);
	_exit(WEXITSTATUS(status));
}

/* As a debugger that follows threads and children. */
static void events(void)
{
	pid_t pid = traced_child(make_tasks), other;
	int status, seen = 0, ended = 0;
	unsigned long message;

	CHECK_EQ(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT), 0);
	CHECK_EQ(ptrace(PTRACE_CONT, pid, 0, 0), 0);
	for (;;) {
		other = waitpid(-1, &status, __WALL);
		if (other < 0)
			break;
		if (!WIFSTOPPED(status)) {
			CHECK(WIFEXITED(status));
			ended++;
			continue;
		}
		int event = status >> 16, signo = WSTOPSIG(status);
		if (event) {
			seen |= 1 << event;
			CHECK_EQ(ptrace(PTRACE_GETEVENTMSG, other, 0, &message), 0);
			if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK)
				CHECK(message && message != (unsigned long)pid);
			signo = 0;
		} else if (signo == SIGSTOP) {
			signo = 0;
		}
		CHECK_EQ(ptrace(PTRACE_CONT, other, 0, signo), 0);
	}
	CHECK_EQ(errno, ECHILD);
	CHECK_EQ(seen, 1 << PTRACE_EVENT_CLONE | 1 << PTRACE_EVENT_FORK | 1 << PTRACE_EVENT_EXIT);
	CHECK_EQ(ended, 3);
}

static void seize(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	CHECK_ERRNO(ptrace(PTRACE_GETSIGINFO, pid, 0, 0), ESRCH);
	CHECK_EQ(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD), 0);
	CHECK_ERRNO(ptrace(PTRACE_SEIZE, pid, 0, 0), EPERM);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status >> 8, SIGTRAP | PTRACE_EVENT_STOP << 8);
	CHECK_EQ(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(ptrace(PTRACE_ATTACH, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK_ERRNO(ptrace(PTRACE_INTERRUPT, pid, 0, 0), EIO);
	end(pid);
	CHECK_ERRNO(ptrace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
}

/* A tracer that goes away leaves its tracee running. */
static void tracer_leaves(void)
{
	int status, p[2];
	char c;

	REQUIRE(pipe(p) == 0);
	pid_t pid = fork();
	if (!pid) {
		close(p[1]);
		_exit(read(p[0], &c, 1) == 1 ? 5 : 6);
	}
	pid_t tracer = fork();
	if (!tracer) {
		if (ptrace(PTRACE_ATTACH, pid, 0, 0) || waitpid(pid, &status, 0) != pid)
			_exit(1);
		_exit(0);
	}
	CHECK_EQ(waitpid(tracer, &status, 0), tracer);
	CHECK_EQ(status, 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	close(p[0]);
	close(p[1]);
}

static void trap_here(void)
{
	__asm__ volatile("int3");
}

/* What debuggers look at to know their breakpoints. */
static void breakpoint(void)
{
	pid_t pid = traced_child(trap_here);
	struct user_regs_struct r;
	siginfo_t si;
	int status;

	CHECK_EQ(ptrace(PTRACE_CONT, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
	CHECK_EQ(ptrace(PTRACE_GETSIGINFO, pid, 0, &si), 0);
	CHECK_EQ(si.si_code, SI_KERNEL);
	CHECK_EQ(ptrace(PTRACE_GETREGS, pid, 0, &r), 0);
	CHECK_EQ(ptrace(PTRACE_PEEKTEXT, pid, r.rip - 1, 0) & 0xff, 0xcc);
	CHECK_EQ(ptrace(PTRACE_CONT, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void execs(void)
{
	char *argv[] = {(char *)"/proc/self/exe", (char *)"none", NULL};
	pid_t pid = fork();
	int status;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execv(argv[0], argv);
		_exit(9);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
	CHECK_EQ(ptrace(PTRACE_CONT, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

ABI_MAIN(ABI_TEST(memory_and_registers), ABI_TEST(system_calls), ABI_TEST(steps), ABI_TEST(signals), ABI_TEST(events),
    ABI_TEST(seize), ABI_TEST(tracer_leaves), ABI_TEST(breakpoint), ABI_TEST(execs))
