// SPDX-License-Identifier: Apache-2.0
/*
 * The system calls of the sandbox process: each with its reason. Anything else raises SIGSYS, which ends the sandbox
 * with the call's number. Calls marked for a platform, or for file operations by this process (directfs), are allowed only
 * there. Host sockets (--network=host) add a list of their own.
 */
#include "vmm/sandbox.h"

/* Before seccomp.h, whose elf.h defines macros with names of ours. */
#include "vmm/net_check.h"
#include "oci/gofer/fsops.h"
#include "vmm/vmm_impl.h"

#include <asm/termbits.h>
#include <errno.h>
#include <linux/kvm.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <syslog.h>

#ifndef __NR_openat2
#define __NR_openat2 437
#endif
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif
#ifndef __NR_statx
#define __NR_statx 332
#endif

/* Who needs a call. */
#define ALL      1u
#define KVM      2u  /* the platform, in either placement */
#define PTRACE   4u
#define HOST     8u  /* the Sentry runs in this process */
#define DIRECTFS 16u
#define NETWORK  32u
#define OPENAT   64u  /* directfs where the kernel has no openat2 */
#define GUEST    128u /* the Sentry runs in the virtual machine */

/* Besides these: clone of threads (allow_threads), ioctl with the requests below, and with host sockets socket
 * (allow_sockets). Names are always relative to descriptors of the gofer's; what is rare it does itself (fsops_rare). */
#define CALLS(C) \
	C(futex, ALL, "idle waits, locks of libc, parking") \
	C(tgkill, ALL, "kicks") \
	C(rt_sigreturn, ALL, "end of a kick's handler") \
	C(timer_create, ALL, "HC_TIMER") \
	C(timer_settime, ALL, "HC_TIMER") \
	C(sched_yield, ALL, "HC_YIELD, waiting for other vCPUs") \
	C(restart_syscall, ALL, "the kernel's own, after a kick") \
	C(clock_gettime, ALL, "where the vDSO cannot answer") \
	C(getrandom, ALL, "HC_ENTROPY, libc's heap") \
	C(membarrier, KVM | HOST, "proof that a vCPU is not in the guest") \
	C(set_robust_list, ALL, "starting a thread") \
	C(rseq, ALL, "starting a thread") \
	C(rt_sigprocmask, ALL, "starting and parking threads") \
	C(sigaltstack, ALL, "a new thread's handler stack") \
	C(gettid, ALL, "whom to kick") \
	C(exit_group, ALL, "the end") \
	C(mmap, ALL, "file windows, stacks, libc's heap") \
	C(munmap, ALL, "the same") \
	C(madvise, ALL, "populating RAM, giving it back") \
	C(mprotect, HOST, "HC_STACK_GUARD") \
	C(epoll_pwait, ALL, "the event loop") \
	C(epoll_ctl, ALL, "what it watches") \
	C(poll, ALL, "IO_POLL") \
	C(accept4, ALL, "commands of runsc") \
	C(recvmsg, ALL, "commands, the gofer's answers") \
	C(sendmsg, ALL, "answers, requests to the gofer") \
	C(read, ALL, "inherited descriptors") \
	C(write, ALL, "inherited descriptors, the debug log") \
	C(preadv2, ALL, "files, without copies") \
	C(pwritev2, ALL, "files, without copies") \
	C(lseek, ALL, "FS_LSEEK, FS_READDIR") \
	C(close, ALL, "FS_CLOSE") \
	C(fcntl, ALL, "F_GETFL, F_DUPFD_CLOEXEC") \
	C(statx, ALL, "FS_STAT, IO_STAT") \
	C(fsync, ALL, "FS_FSYNC") \
	C(fdatasync, ALL, "FS_FSYNC") \
	C(openat2, DIRECTFS, "FS_WALK, FS_OPEN, FS_CREATE: beneath a descriptor of the gofer's") \
	C(openat, OPENAT, "the same on kernels without openat2") \
	C(mkdirat, DIRECTFS, "FS_MKDIR") \
	C(unlinkat, DIRECTFS, "FS_UNLINK") \
	C(renameat2, DIRECTFS, "FS_RENAME") \
	C(fchownat, DIRECTFS, "FS_SETATTR, owners of what is made") \
	C(fchmodat2, DIRECTFS, "FS_SETATTR") \
	C(utimensat, DIRECTFS, "FS_SETATTR") \
	C(ftruncate, DIRECTFS, "FS_SETATTR") \
	C(getdents64, DIRECTFS, "FS_READDIR") \
	C(bind, NETWORK, "NET_BIND") \
	C(connect, NETWORK, "NET_CONNECT") \
	C(listen, NETWORK, "NET_LISTEN") \
	C(shutdown, NETWORK, "NET_SHUTDOWN") \
	C(getsockname, NETWORK, "NET_GETNAME") \
	C(getpeername, NETWORK, "NET_GETNAME") \
	C(getsockopt, NETWORK, "NET_GETSOCKOPT") \
	C(setsockopt, NETWORK, "NET_SETSOCKOPT") \
	C(ptrace, PTRACE, "the tracer; stubs are clones of a template that exists already, so making one is ptrace too") \
	C(wait4, PTRACE, "a stub's stops") \
	C(kill, PTRACE, "a stub's end") \
	C(sched_setaffinity, PTRACE, "tracer and stub on one CPU") \
	C(getcpu, PTRACE, "which one, where the vDSO cannot say")

static const struct {
	int nr;
	unsigned needed;
	const char *name, *why;
} calls[] = {
#define CALL(name, needed, why) { __NR_##name, needed, #name, why },
	CALLS(CALL)
#undef CALL
};

/* Refused with an answer at which libc takes another way: its heap grows by mmap, threads start by clone. clone3 passes its
 * flags in memory, where a filter cannot look. */
static const struct {
	int nr, error;
} refused[] = {
	{ SCMP_SYS(brk), 0 },           /* it answers with the new end, so that 0 says no */
	{ SCMP_SYS(mremap), ENOMEM },
	{ SCMP_SYS(clone3), ENOSYS },
};

static const struct {
	unsigned long request;
	unsigned needed;
} ioctls[] = {
	{ TCGETS, ALL }, { TCSETS, ALL }, { TCSETSW, ALL }, { TCSETSF, ALL }, /* IO_TTY and restoring the terminal */
	{ TIOCGWINSZ, ALL }, { TIOCSWINSZ, ALL },
	{ KVM_RUN, KVM },
	{ KVM_GET_XSAVE, KVM | HOST }, { KVM_GET_XSAVE2, KVM | HOST }, { KVM_SET_XSAVE, KVM | HOST },
	{ KVM_GET_VCPU_EVENTS, KVM }, { KVM_INTERRUPT, GUEST }, { KVM_SET_VCPU_EVENTS, GUEST }, /* kicks, files that shrank */
	{ KVM_SET_USER_MEMORY_REGION, KVM }, /* RAM_GROW, first use of a file window */
	{ KVM_CREATE_VCPU, KVM }, { KVM_SET_CPUID2, KVM }, { KVM_GET_SREGS, KVM }, { KVM_SET_SREGS, KVM },
	{ KVM_SET_XCRS, KVM }, { KVM_SET_MSRS, KVM }, { KVM_GET_MSRS, KVM }, { KVM_SET_DEVICE_ATTR, KVM }, { KVM_ENABLE_CAP, GUEST }, /* a new vCPU */
};

/* clone makes threads only. */
static int allow_threads(scmp_filter_ctx ctx)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < sizeof(refused) / sizeof(refused[0]); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(refused[i].error), refused[i].nr, 0);
	return rc ? rc : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
					  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
}

/* The kinds of sockets and the requests that the hostcalls check for, once more. */
static int allow_sockets(scmp_filter_ctx ctx)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < net_kinds_count; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3, SCMP_A0(SCMP_CMP_EQ, net_kinds[i].family),
				      SCMP_A1(SCMP_CMP_EQ, net_kinds[i].type | SOCK_NONBLOCK | SOCK_CLOEXEC),
				      SCMP_A2(SCMP_CMP_EQ, net_kinds[i].protocol));
	for (unsigned i = 0; !rc && i < net_ioctls_count; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				      SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, net_ioctls[i]));
	return rc;
}

static unsigned have_of(const struct seccomp_config *c)
{
	return ALL | (c->ptrace ? PTRACE : KVM) | (c->guest ? GUEST : HOST) | (c->directfs ? DIRECTFS : 0) |
	       (c->directfs && !fsops_has_openat2() ? OPENAT : 0) | (c->host_network ? NETWORK : 0);
}

static int fill(scmp_filter_ctx ctx, const struct seccomp_config *c)
{
	unsigned have = have_of(c);
	int rc = allow_threads(ctx);

	if (!rc && c->host_network)
		rc = allow_sockets(ctx);
	/* An entry applies when all that it names is there. */
	for (unsigned i = 0; !rc && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!(calls[i].needed & ~have))
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i].nr, 0);
	for (unsigned i = 0; !rc && i < sizeof(ioctls) / sizeof(ioctls[0]); i++)
		if (!(ioctls[i].needed & ~have))
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
					      SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, ioctls[i].request));
	return rc;
}

int seccomp_install(const struct seccomp_config *c)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int rc;

	if (!ctx)
		return -ENOMEM;
	/* A hash of the list instead of a chain: the calls of a hot path are not all at its front. */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	rc = fill(ctx, c);
	if (!rc)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc)
		vmm_log(LOG_ERR, "cannot install the system-call filter: %s", strerror(-rc));
	return rc;
}

/* ---- docs/security.md ---- */

static unsigned count(const struct seccomp_config *c)
{
	unsigned have = have_of(c), n = 2 + c->host_network; /* clone, ioctl; socket */

	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		n += !(calls[i].needed & ~have);
	return n;
}

static void print_needed(unsigned needed, FILE *f)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ KVM, "kvm" }, { PTRACE, "ptrace" }, { HOST, "Sentry in this process" }, { GUEST, "Sentry in the guest" },
		{ DIRECTFS, "directfs" }, { OPENAT, "directfs without openat2" }, { NETWORK, "host network" },
	};
	const char *and = "";

	if (needed == ALL)
		fputs("always", f);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(needed & names[i].bit))
			continue;
		fprintf(f, "%s%s", and, names[i].name);
		and = ", ";
	}
}

void seccomp_print(FILE *f)
{
	static const struct {
		const char *name;
		struct seccomp_config c;
	} configs[] = {
		{ "kvm, Sentry in the guest", { .guest = true, .directfs = true } },
		{ "kvm, Sentry in the guest, `--directfs=false`", { .guest = true } },
		{ "kvm, Sentry in the process", { .directfs = true } },
		{ "ptrace", { .ptrace = true, .directfs = true } },
		{ "kvm, Sentry in the guest, `--network=host`", { .guest = true, .directfs = true, .host_network = true } },
	};

	fputs("| configuration | system calls |\n| --- | ---: |\n", f);
	for (unsigned i = 0; i < sizeof(configs) / sizeof(configs[0]); i++)
		fprintf(f, "| %s | %u |\n", configs[i].name, count(&configs[i].c));
	fputs("\n| call | when | why |\n| --- | --- | --- |\n", f);
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		fprintf(f, "| %s | ", calls[i].name);
		print_needed(calls[i].needed, f);
		fprintf(f, " | %s |\n", calls[i].why);
	}
	fputs("| clone | always | threads only (CLONE_THREAD) |\n"
	      "| ioctl | always | of terminals and KVM, each by its number |\n"
	      "| socket | host network | by family, type and protocol |\n", f);
}
