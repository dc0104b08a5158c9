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
#define GUEST    128u /* the Sentry runs in the virtual machine */
#define OPENAT   64u /* directfs where the kernel has no openat2 */

static const struct {
	int nr;
	unsigned needed;
} calls[] = {
	/* vCPU threads: idling, kicking, timers */
	{ SCMP_SYS(futex), ALL },            /* idle waits, locks of libc, parking */
	{ SCMP_SYS(tgkill), ALL },           /* kicks */
	{ SCMP_SYS(rt_sigreturn), ALL },     /* end of a kick's handler */
	{ SCMP_SYS(timer_create), ALL },     /* HC_TIMER */
	{ SCMP_SYS(timer_settime), ALL },    /* HC_TIMER */
	{ SCMP_SYS(sched_yield), ALL },      /* HC_YIELD, waiting for other vCPUs */
	{ SCMP_SYS(restart_syscall), ALL },  /* the kernel's own, after a kick */
	{ SCMP_SYS(clock_gettime), ALL },    /* where the vDSO cannot answer */
	{ SCMP_SYS(getrandom), ALL },        /* HC_ENTROPY, libc's heap */
	{ SCMP_SYS(membarrier), KVM | HOST },/* proof that a vCPU is not in the guest */
	/* starting threads (vCPUs, workers); clone itself: allow_threads() */
	{ SCMP_SYS(set_robust_list), ALL },
	{ SCMP_SYS(rseq), ALL },
	{ SCMP_SYS(rt_sigprocmask), ALL },
	{ SCMP_SYS(sigaltstack), ALL },
	{ SCMP_SYS(gettid), ALL },           /* whom to kick */
	{ SCMP_SYS(exit_group), ALL },
	/* memory: RAM, file windows, stacks, libc's heap */
	{ SCMP_SYS(mmap), ALL },
	{ SCMP_SYS(munmap), ALL },
	{ SCMP_SYS(madvise), ALL },          /* populating RAM, giving it back */
	{ SCMP_SYS(mprotect), HOST },        /* HC_STACK_GUARD */
	/* events and control */
	{ SCMP_SYS(epoll_pwait), ALL },
	{ SCMP_SYS(epoll_ctl), ALL },
	{ SCMP_SYS(poll), ALL },             /* IO_POLL */
	{ SCMP_SYS(accept4), ALL },
	{ SCMP_SYS(recvmsg), ALL },
	{ SCMP_SYS(sendmsg), ALL },
	/* bytes of inherited descriptors and of host files */
	{ SCMP_SYS(read), ALL },
	{ SCMP_SYS(write), ALL },
	{ SCMP_SYS(preadv2), ALL },
	{ SCMP_SYS(pwritev2), ALL },
	{ SCMP_SYS(lseek), ALL },
	{ SCMP_SYS(close), ALL },
	{ SCMP_SYS(fcntl), ALL },            /* F_GETFL, F_DUPFD_CLOEXEC */
	{ __NR_statx, ALL },
	{ SCMP_SYS(fsync), ALL },
	{ SCMP_SYS(fdatasync), ALL },
	/* names, always relative to the gofer's descriptors, and attributes; what is rare the gofer does (fsops_rare) */
	{ __NR_openat2, DIRECTFS },
	{ SCMP_SYS(openat), OPENAT },
	{ SCMP_SYS(mkdirat), DIRECTFS },
	{ SCMP_SYS(unlinkat), DIRECTFS },
	{ SCMP_SYS(renameat2), DIRECTFS },
	{ SCMP_SYS(fchownat), DIRECTFS },
	{ __NR_fchmodat2, DIRECTFS },
	{ SCMP_SYS(utimensat), DIRECTFS },
	{ SCMP_SYS(ftruncate), DIRECTFS },
	{ SCMP_SYS(getdents64), DIRECTFS },
	/* host sockets; socket itself and their ioctls: allow_sockets() */
	{ SCMP_SYS(bind), NETWORK },
	{ SCMP_SYS(connect), NETWORK },
	{ SCMP_SYS(listen), NETWORK },
	{ SCMP_SYS(shutdown), NETWORK },
	{ SCMP_SYS(getsockname), NETWORK },
	{ SCMP_SYS(getpeername), NETWORK },
	{ SCMP_SYS(getsockopt), NETWORK },
	{ SCMP_SYS(setsockopt), NETWORK },
	/* ptrace: stubs are clones of a template that exists already, so making one is ptrace too */
	{ SCMP_SYS(ptrace), PTRACE },
	{ SCMP_SYS(wait4), PTRACE },
	{ SCMP_SYS(kill), PTRACE },
	{ SCMP_SYS(sched_setaffinity), PTRACE }, /* tracer and stub on one CPU */
	{ SCMP_SYS(getcpu), PTRACE },            /* which one, where the vDSO cannot say */
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
	{ KVM_SET_XCRS, KVM }, { KVM_SET_MSRS, KVM }, { KVM_GET_MSRS, KVM }, { KVM_SET_DEVICE_ATTR, KVM }, /* a new vCPU */
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

static int fill(scmp_filter_ctx ctx, const struct seccomp_config *c)
{
	unsigned have = ALL | (c->ptrace ? PTRACE : KVM) | (c->guest ? GUEST : HOST) | (c->directfs ? DIRECTFS : 0) |
			(c->directfs && !fsops_has_openat2() ? OPENAT : 0) | (c->host_network ? NETWORK : 0);
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
