// SPDX-License-Identifier: Apache-2.0
/*
 * The system calls of the sandbox process: each with its reason. Anything else raises SIGSYS, which ends the sandbox
 * with the call's number. Calls marked for a platform, or for file operations by this process (directfs), are allowed only
 * there. Host sockets (--network=host) add a list of their own.
 */
#include "vmm/sandbox.h"

/* Before seccomp.h, whose elf.h defines macros with names of ours. */
#include "vmm/net_check.h"
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

enum { ANY, KVM, PTRACE, DIRECTFS, NETWORK };

static const struct {
	int nr;
	unsigned char platform;
} calls[] = {
	/* vCPU threads: idling, kicking, timers */
	{ SCMP_SYS(futex), ANY },            /* idle waits, locks of libc */
	{ SCMP_SYS(tgkill), ANY },           /* kicks, abort */
	{ SCMP_SYS(rt_sigreturn), ANY },     /* end of a kick's handler */
	{ SCMP_SYS(rt_sigprocmask), ANY },   /* starting and parking threads */
	{ SCMP_SYS(rt_sigaction), ANY },     /* libc: abort */
	{ SCMP_SYS(sigaltstack), ANY },      /* a new thread's handler stack */
	{ SCMP_SYS(timer_create), ANY },     /* HC_TIMER */
	{ SCMP_SYS(timer_settime), ANY },    /* HC_TIMER */
	{ SCMP_SYS(sched_yield), ANY },      /* HC_YIELD, waiting for other vCPUs */
	{ SCMP_SYS(pause), ANY },            /* threads of a sandbox that ends */
	{ SCMP_SYS(restart_syscall), ANY },  /* the kernel's own, after a kick */
	{ SCMP_SYS(clock_gettime), ANY },    /* where the vDSO cannot answer */
	{ SCMP_SYS(clock_nanosleep), ANY },  /* backing off */
	{ SCMP_SYS(getrandom), ANY },        /* HC_ENTROPY */
	{ SCMP_SYS(gettid), ANY },           /* a new thread's id */
	{ SCMP_SYS(getpid), ANY },           /* kicks, state */
	/* starting threads (vCPUs, workers); clone itself: allow_threads() */
	{ SCMP_SYS(set_robust_list), ANY },
	{ SCMP_SYS(rseq), ANY },
	{ SCMP_SYS(sched_getaffinity), ANY },/* libc: attributes of a new thread */
	{ SCMP_SYS(prlimit64), ANY },        /* libc: stack size of a new thread */
	{ SCMP_SYS(exit), ANY },
	{ SCMP_SYS(exit_group), ANY },
	/* memory: RAM, file windows, libc's heap */
	{ SCMP_SYS(mmap), ANY },
	{ SCMP_SYS(munmap), ANY },
	{ SCMP_SYS(mprotect), ANY },         /* stack guards */
	{ SCMP_SYS(madvise), ANY },          /* populating RAM */
	{ SCMP_SYS(mremap), ANY },           /* libc's realloc */
	{ SCMP_SYS(brk), ANY },
	{ SCMP_SYS(fallocate), ANY },        /* giving RAM back; FS_FALLOCATE */
	/* events and control */
	{ SCMP_SYS(epoll_wait), ANY },
	{ SCMP_SYS(epoll_pwait), ANY },
	{ SCMP_SYS(epoll_ctl), ANY },
	{ SCMP_SYS(poll), ANY },
	{ SCMP_SYS(ppoll), ANY },
	{ SCMP_SYS(accept4), ANY },
	{ SCMP_SYS(recvmsg), ANY },
	{ SCMP_SYS(sendmsg), ANY },
	{ SCMP_SYS(sendto), ANY },
	{ SCMP_SYS(recvfrom), ANY },
	{ SCMP_SYS(setsockopt), ANY },       /* room for a long reply */
	/* bytes of inherited descriptors and of host files */
	{ SCMP_SYS(read), ANY },
	{ SCMP_SYS(write), ANY },
	{ SCMP_SYS(readv), ANY },
	{ SCMP_SYS(writev), ANY },
	{ SCMP_SYS(preadv2), ANY },
	{ SCMP_SYS(pwritev2), ANY },
	{ SCMP_SYS(preadv), ANY },
	{ SCMP_SYS(pwritev), ANY },
	{ SCMP_SYS(pread64), ANY },
	{ SCMP_SYS(pwrite64), ANY },
	{ SCMP_SYS(lseek), ANY },
	{ SCMP_SYS(close), ANY },
	{ SCMP_SYS(copy_file_range), ANY },
	{ SCMP_SYS(fstat), ANY },
	{ SCMP_SYS(fcntl), ANY },            /* F_GETFL, F_DUPFD_CLOEXEC */
	/* file hostcalls on open files */
	{ SCMP_SYS(fchmod), ANY },
	{ __NR_fchmodat2, ANY },             /* AT_EMPTY_PATH */
	{ SCMP_SYS(fchown), ANY },
	{ SCMP_SYS(fchownat), ANY },         /* AT_EMPTY_PATH */
	{ SCMP_SYS(utimensat), ANY },
	{ SCMP_SYS(ftruncate), ANY },
	{ SCMP_SYS(getdents64), ANY },
	{ SCMP_SYS(fsync), ANY },
	{ SCMP_SYS(fdatasync), ANY },
	{ SCMP_SYS(fstatfs), ANY },
	{ SCMP_SYS(newfstatat), ANY },
	{ __NR_statx, ANY },
	{ SCMP_SYS(fgetxattr), ANY },
	{ SCMP_SYS(fsetxattr), ANY },
	{ SCMP_SYS(flistxattr), ANY },
	{ SCMP_SYS(fremovexattr), ANY },
	/* names, always relative to the gofer's descriptors */
	{ __NR_openat2, DIRECTFS },
	{ SCMP_SYS(openat), DIRECTFS },      /* "." below a descriptor */
	{ SCMP_SYS(mkdirat), DIRECTFS },
	{ SCMP_SYS(mknodat), DIRECTFS },
	{ SCMP_SYS(symlinkat), DIRECTFS },
	{ SCMP_SYS(linkat), DIRECTFS },
	{ SCMP_SYS(unlinkat), DIRECTFS },
	{ SCMP_SYS(renameat), DIRECTFS },    /* renameat2 without flags, in libc */
	{ SCMP_SYS(renameat2), DIRECTFS },
	{ SCMP_SYS(readlinkat), DIRECTFS },
	{ SCMP_SYS(fchmodat), DIRECTFS },
	{ SCMP_SYS(geteuid), DIRECTFS },     /* who owns what it makes */
	{ SCMP_SYS(fchdir), DIRECTFS },      /* xattr calls by name run in their directory */
	{ SCMP_SYS(chdir), DIRECTFS },
	{ SCMP_SYS(lgetxattr), DIRECTFS },
	{ SCMP_SYS(lsetxattr), DIRECTFS },
	{ SCMP_SYS(llistxattr), DIRECTFS },
	{ SCMP_SYS(lremovexattr), DIRECTFS },
	{ SCMP_SYS(membarrier), KVM },       /* proof that a vCPU is not in the guest */
	/* host sockets; socket itself and their ioctls: allow_sockets() */
	{ SCMP_SYS(bind), NETWORK },
	{ SCMP_SYS(connect), NETWORK },
	{ SCMP_SYS(listen), NETWORK },
	{ SCMP_SYS(shutdown), NETWORK },
	{ SCMP_SYS(getsockname), NETWORK },
	{ SCMP_SYS(getpeername), NETWORK },
	{ SCMP_SYS(getsockopt), NETWORK },
	/* ptrace: stubs are clones of a template that exists already, so making one is ptrace too */
	{ SCMP_SYS(ptrace), PTRACE },
	{ SCMP_SYS(wait4), PTRACE },
	{ SCMP_SYS(kill), PTRACE },
	{ SCMP_SYS(sched_setaffinity), PTRACE }, /* tracer and stub on one CPU */
	{ SCMP_SYS(getcpu), PTRACE },            /* which one, where the vDSO cannot say */
};

static const struct {
	unsigned long request;
	unsigned char platform;
} ioctls[] = {
	{ TCGETS, ANY }, { TCSETS, ANY }, { TCSETSW, ANY }, { TCSETSF, ANY }, /* IO_TTY and restoring the terminal */
	{ TIOCGWINSZ, ANY }, { TIOCSWINSZ, ANY },
	{ KVM_RUN, KVM },
	{ KVM_GET_XSAVE, KVM }, { KVM_GET_XSAVE2, KVM }, { KVM_SET_XSAVE, KVM },
	{ KVM_GET_VCPU_EVENTS, KVM },
	{ KVM_SET_USER_MEMORY_REGION, KVM }, /* RAM_GROW, first use of a file window */
	{ KVM_CREATE_VCPU, KVM }, { KVM_SET_CPUID2, KVM }, { KVM_GET_SREGS, KVM }, { KVM_SET_SREGS, KVM },
	{ KVM_SET_XCRS, KVM }, { KVM_SET_MSRS, KVM }, { KVM_GET_MSRS, KVM }, { KVM_SET_DEVICE_ATTR, KVM }, /* a new vCPU */
};

/* clone makes threads only. clone3 passes its flags in memory, where a filter cannot look: libc falls back to clone. */
static int allow_threads(scmp_filter_ctx ctx)
{
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

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

static bool applies(int where, int platform, bool directfs, bool host_network)
{
	return where == ANY || where == platform || (directfs && where == DIRECTFS) || (host_network && where == NETWORK);
}

static int fill(scmp_filter_ctx ctx, int platform, bool directfs, bool host_network)
{
	int rc = allow_threads(ctx);

	if (!rc && host_network)
		rc = allow_sockets(ctx);

	for (unsigned i = 0; !rc && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (applies(calls[i].platform, platform, directfs, host_network))
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i].nr, 0);
	for (unsigned i = 0; !rc && i < sizeof(ioctls) / sizeof(ioctls[0]); i++)
		if (ioctls[i].platform == ANY || ioctls[i].platform == platform)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
					      SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, ioctls[i].request));
	return rc;
}

int seccomp_install(const char *platform, bool directfs, bool host_network)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int rc;

	if (!ctx)
		return -ENOMEM;
	/* A hash of the list instead of a chain: the calls of a hot path are not all at its front. */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	rc = fill(ctx, !strcmp(platform, "kvm") ? KVM : PTRACE, directfs, host_network);
	if (!rc)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc)
		vmm_log(LOG_ERR, "cannot install the system-call filter: %s", strerror(-rc));
	return rc;
}
