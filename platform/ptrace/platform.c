/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ptrace platform: runs application code in stub processes, natively, with every system call intercepted. Needs
 * nothing but Linux; a trap costs two context switches. ptrace_impl.h has the overview.
 *
 * System calls of the VMM that this platform needs after start: ptrace, wait4, tgkill, kill, sched_setaffinity, getcpu,
 * futex, and what malloc uses.
 */
#include "ptrace/ptrace_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xsave.h"

struct ptrace_platform pt = {
	.table_lock = PTHREAD_MUTEX_INITIALIZER,
	.stub_lock = PTHREAD_MUTEX_INITIALIZER,
	.vcpu_lock = PTHREAD_MUTEX_INITIALIZER,
	.data_fd = -1,
};

static uint64_t read_xcr0(void)
{
	uint32_t lo, hi;

	__asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

static int init(const struct platform_config *cfg, struct platform_info *info)
{
	/* Every stop of a stub would send the VMM a signal. */
	struct sigaction sa = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP};
	int r;

	if (cfg->nr_vcpus > BOOT_VCPU_MAX)
		return -EINVAL;
	if (sigaction(SIGCHLD, &sa, NULL))
		return -errno;
	pt.nr_vcpus = cfg->nr_vcpus;
	pt_affinity_init();
	r = pt_stub_init();
	if (r)
		return r;
	memset(info->kernel_pml4, 0, sizeof(info->kernel_pml4));
	info->xcr0 = read_xcr0() & ~XFEATURE_XTILEDATA;
	pt.fpu_size = xsave_size(info->xcr0);
	if (pt.fpu_size > pt.xstate_size)
		pt.fpu_size = pt.xstate_size;
	info->fpu_size = pt.fpu_size;
	return 0;
}

static int add_memory(uint64_t pa, uint64_t len)
{
	if (pa < RAM_PA_END)
		__atomic_store_n(&pt.ram_end, pa + len, __ATOMIC_RELEASE);
	return 0;
}

static void shutdown(void)
{
	__atomic_store_n(&pt.stopping, true, __ATOMIC_RELEASE);
	pt_vcpu_kick_running();
	pt_as_kill_all();
	pt_stub_exit();
}

const struct platform_ops platform_ptrace = {
	.name = "ptrace",
	.init = init,
	.add_memory = add_memory,
	.vcpu_init = pt_vcpu_init,
	.run_user = pt_vcpu_run_user,
	.fpu_save = pt_fpu_save,
	.kick = pt_vcpu_kick,
	.vcpu_signal = pt_vcpu_signal,
	.as_create = pt_as_create,
	.as_destroy = pt_as_destroy,
	.as_map = pt_as_map,
	.as_flush = pt_as_flush,
	.memory_changed = pt_as_memory_changed,
	.shutdown = shutdown,
};

/* May a process here trace its child, and does SYSEMU work? */
int platform_ptrace_probe(const char **why)
{
	pid_t pid = fork();
	int status;
	bool ok;

	if (pid < 0) {
		*why = "cannot fork";
		return -errno;
	}
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			_exit(1);
		raise(SIGSTOP);
		getppid();
		_exit(0);
	}
	ok = waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) && !ptrace(PTRACE_SYSEMU, pid, 0, 0) &&
	     waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
		;
	if (ok)
		return 0;
	*why = "ptrace is not permitted here (seccomp profile, or kernel.yama.ptrace_scope=3?)";
	return -EPERM;
}
