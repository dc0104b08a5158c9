/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The template stub: a process without capabilities, without any mapping but the two stub pages, with every signal
 * blocked, and under a seccomp filter that lets nothing through but the few calls of stub_entry.S, made from the stub's
 * code page. All stub processes are clones of it. It shares the VMM's descriptors, so that stubs can map the RAM memfd and
 * host files.
 */
#include "ptrace/ptrace_impl.h"

#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + 4)
#define ALLOW_IF(value) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define TRAP BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)

/* Under PTRACE_SYSEMU a system call never gets as far as seccomp; the emulated vsyscall page does, and is trapped here.
 * The rest is for the calls that the tracer makes a stub do. */
static const struct sock_filter stub_filter[] = {
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
	TRAP,
	LOAD_HIGH(instruction_pointer),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, STUB_CODE >> 32, 1, 0),
	TRAP,
	LOAD(instruction_pointer),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (uint32_t) ~(PAGE_SIZE - 1)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)STUB_CODE, 1, 0),
	TRAP,
	LOAD(nr),
	ALLOW_IF(__NR_mmap),     /* address_space.c: mirror */
	ALLOW_IF(__NR_munmap),   /* the same, and pt_stub_birth_entry */
	ALLOW_IF(__NR_clone),    /* stub.c: processes from the template, threads from a leader */
	ALLOW_IF(__NR_pause),    /* pt_stub_park_entry */
	TRAP,
};

static void unregister_rseq(void)
{
	/* glibc registers 32 bytes whatever __rseq_size says, later versions possibly more. */
	const size_t sizes[] = {32, __rseq_size};
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (!__rseq_size)
		return;
	for (unsigned i = 0; i < 2; i++)
		if (!syscall(SYS_rseq, area, sizes[i], RSEQ_FLAG_UNREGISTER, RSEQ_SIG))
			return;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {0};

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return (int)syscall(SYS_capset, &header, none);
}

/* In the new process. Exits with the number of the step that failed. */
static void template_main(int data_fd, pid_t parent)
{
	const struct sock_fprog filter = {.len = sizeof(stub_filter) / sizeof(stub_filter[0]),
	    .filter = (struct sock_filter *)stub_filter};
	uint64_t all_signals = ~0UL;
	void *code;

	unregister_rseq();
	if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all_signals, NULL, 8))
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(2);
	setsid();
	prctl(PR_SET_NAME, "runsc-stub");
	if (drop_capabilities() || prctl(PR_SET_DUMPABLE, 1) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		_exit(3);
	code = mmap((void *)STUB_CODE, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (code == MAP_FAILED)
		_exit(4);
	memcpy(code, pt_stub_code_begin, (size_t)(pt_stub_code_end - pt_stub_code_begin));
	if (mprotect(code, PAGE_SIZE, PROT_READ | PROT_EXEC))
		_exit(5);
	if (mmap((void *)STUB_DATA, PAGE_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, data_fd, 0) == MAP_FAILED)
		_exit(6);
	if (syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0))
		_exit(7);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter) &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter))
		_exit(8);
	((void (*)(void))pt_stub_address(pt_stub_birth_entry))();
	__builtin_unreachable();
}

/* The template stands at the int3 of pt_stub_birth_entry: check it, measure, and send it to its parking place. */
static int template_adopt(pid_t pid, uint32_t *xstate_size)
{
	const size_t max = 1 << 16;
	struct user_regs_struct regs;
	struct iovec iov = {.iov_base = malloc(max), .iov_len = max};
	int r;

	if (!iov.iov_base)
		return -ENOMEM;
	r = ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov) ? -errno : 0;
	free(iov.iov_base);
	if (r)
		return r;
	*xstate_size = (uint32_t)iov.iov_len;
	if (ptrace(PTRACE_GETREGS, pid, 0, &regs))
		return -errno;
	if (regs.rip != pt_stub_address(pt_stub_park_entry) || regs.r12)
		return -EPROTO;
	return ptrace(PTRACE_DETACH, pid, 0, 0) ? -errno : 0;
}

int pt_stub_template_start(int data_fd, pid_t *out, uint32_t *xstate_size)
{
	pid_t parent = getpid(), pid;
	int status, r;

	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		return -errno;
	if (!pid)
		template_main(data_fd, parent);
	r = pt_stub_wait(pid, &status);
	if (!r && !(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP)) {
		vmm_log(3, "ptrace: the template stub failed: status 0x%x", status);
		r = -EPROTO;
	}
	if (!r)
		r = template_adopt(pid, xstate_size);
	if (r) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, __WALL);
		return r;
	}
	*out = pid;
	return 0;
}
