// SPDX-License-Identifier: Apache-2.0
/*
 * What a trap costs at least under ptrace: PTRACE_SYSEMU stop, registers out, registers in, resume, with tracer and
 * tracee on one CPU. Prints microseconds, the best of 25 rounds. Exit status 77: ptrace is not permitted.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 25
#define TRAPS  1000

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int one_trap(pid_t pid)
{
	struct user_regs_struct regs;
	int status;

	if (ptrace(PTRACE_SYSEMU, pid, 0, 0) || waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		return -1;
	if (ptrace(PTRACE_GETREGS, pid, 0, &regs))
		return -1;
	regs.rax = 1;
	return (int)ptrace(PTRACE_SETREGS, pid, 0, &regs);
}

int main(void)
{
	double best = 1e9, t;
	cpu_set_t one;
	pid_t pid;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	pid = fork();
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			_exit(1);
		raise(SIGSTOP);
		for (;;)
			syscall(SYS_getppid);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) != pid || one_trap(pid)) {
		if (pid > 0)
			kill(pid, SIGKILL);
		return 77;
	}
	for (int r = 0; r < ROUNDS; r++) {
		double t0 = now();
		for (int i = 0; i < TRAPS; i++)
			one_trap(pid);
		t = (now() - t0) / TRAPS;
		best = t < best ? t : best;
	}
	kill(pid, SIGKILL);
	printf("%.3f\n", best * 1e6);
	return 0;
}
