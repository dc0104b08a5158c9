/* SPDX-License-Identifier: Apache-2.0 */
/* What the gofer keeps once its mounts stand: files below its root. */
#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "oci/gofer/gofer.h"

#define NR_FCHMODAT2 452

static const int calls[] = {
    /* waiting for the sandbox, ending, and what libc does on the way */
    SCMP_SYS(recvmsg),       /* the next request, or the sandbox's end */
    SCMP_SYS(sendmsg),       /* answers */
    SCMP_SYS(close),         /* handles, descriptors that came with a request */
    SCMP_SYS(exit_group),    SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
    SCMP_SYS(brk),           /* growth of the handle table */
    SCMP_SYS(mmap),          SCMP_SYS(munmap),       SCMP_SYS(mremap),
    /* fsops: none takes a descriptor outside the gofer's root, as there is none */
    SCMP_SYS(openat2),       SCMP_SYS(statx),        SCMP_SYS(mkdirat),    SCMP_SYS(mknodat),    SCMP_SYS(symlinkat),
    SCMP_SYS(linkat),        SCMP_SYS(unlinkat),     SCMP_SYS(renameat2),  SCMP_SYS(readlinkat), SCMP_SYS(fchownat),
    SCMP_SYS(ftruncate),     SCMP_SYS(utimensat),    SCMP_SYS(getdents64), SCMP_SYS(lseek),      SCMP_SYS(fstatfs),
    SCMP_SYS(fallocate),     SCMP_SYS(copy_file_range),
    SCMP_SYS(fchdir),        SCMP_SYS(chdir), /* xattr calls by name run in their directory */
    SCMP_SYS(lgetxattr),     SCMP_SYS(lsetxattr),    SCMP_SYS(llistxattr), SCMP_SYS(lremovexattr),
    SCMP_SYS(fgetxattr),     SCMP_SYS(fsetxattr),    SCMP_SYS(flistxattr), SCMP_SYS(fremovexattr),
    NR_FCHMODAT2,
};

/* Where the kernel has no fchmodat2, or no openat2. */
static const int old_chmod[] = {SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(newfstatat)};
static const int old_open[] = {SCMP_SYS(openat)};

/* gofer_oom.c. Reading and writing is for its descriptors only, clone for a child process without any sharing. */
static const int oom_calls[] = {
    SCMP_SYS(sched_yield), /* the child, until it may begin */
    SCMP_SYS(wait4),       /* its end */
};

static int allow(scmp_filter_ctx ctx, const int *list, unsigned n)
{
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, list[i], 0);
	return err;
}

static int allow_oom(scmp_filter_ctx ctx)
{
	int fds[GOFER_OOM_FDS], err = 0;
	unsigned n = gofer_oom_fds(fds);

	if (!n)
		return 0;
	for (unsigned i = 0; i < n && !err; i++) {
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(pread64), 1, SCMP_A0(SCMP_CMP_EQ, fds[i]));
		if (!err)
			err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(pwrite64), 1, SCMP_A0(SCMP_CMP_EQ, fds[i]));
	}
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_EQ, SIGCHLD));
	return err ? err : allow(ctx, oom_calls, sizeof(oom_calls) / sizeof(oom_calls[0]));
}

static struct error *install_filter(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err;

	if (!ctx)
		return error_new("seccomp: out of memory");
	err = allow(ctx, calls, sizeof(calls) / sizeof(calls[0]));
	if (!err)
		err = allow_oom(ctx);
	if (!err && fsops_no_fchmodat2)
		err = allow(ctx, old_chmod, sizeof(old_chmod) / sizeof(old_chmod[0]));
	if (!err && !fsops_has_openat2())
		err = allow(ctx, old_open, sizeof(old_open) / sizeof(old_open[0]));
	if (!err)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err ? error_errno(err, "cannot install the gofer's seccomp filter") : NULL;
}

struct error *gofer_enter_userns(int fd)
{
	if (fd < 0)
		return NULL;
	if (setns(fd, CLONE_NEWUSER) < 0 || setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return error_errno(errno, "the gofer cannot enter the container's user namespace");
	close(fd);
	return NULL;
}

struct error *gofer_confine(void)
{
	fsops_init();
	capng_clear(CAPNG_SELECT_BOTH);
	capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH,
	              CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP, -1);
	if (capng_apply(CAPNG_SELECT_BOTH) < 0)
		return error_new("cannot give up the gofer's capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return error_errno(errno, "prctl");
	return install_filter();
}
