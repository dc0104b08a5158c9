/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp(2): what a filter says of a call by number, by argument and by address, alone and with others before it. */
#include "abi.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define LOAD(field)      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_EQ(v, t, f)   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, t, f)
#define IF_GE(v, t, f)   BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, v, t, f)
#define ANSWER(v)        BPF_STMT(BPF_RET | BPF_K, v)
#define ALLOW            ANSWER(SECCOMP_RET_ALLOW)
#define REFUSE(e)        ANSWER(SECCOMP_RET_ERRNO | (e))

static int install(const struct sock_filter *f, unsigned n)
{
	struct sock_fprog prog = {n, (struct sock_filter *)f};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

#define INSTALL(...) install((struct sock_filter[]){__VA_ARGS__}, sizeof((struct sock_filter[]){__VA_ARGS__}) / sizeof(struct sock_filter))

static void by_number(void)
{
	REQUIRE(INSTALL(LOAD(nr), IF_EQ(SYS_getppid, 0, 1), REFUSE(ENOTTY), ALLOW) == 0);
	CHECK_ERRNO(syscall(SYS_getppid), ENOTTY);
	CHECK(syscall(SYS_getpid) > 0);
	CHECK_ERRNO(syscall(SYS_getppid), ENOTTY);
}

static void by_range(void)
{
	/* From 400 on refused; a number that no system has among them. */
	REQUIRE(INSTALL(LOAD(arch), IF_EQ(AUDIT_ARCH_X86_64, 1, 0), ANSWER(SECCOMP_RET_KILL_PROCESS), LOAD(nr), IF_GE(400, 0, 1),
	                REFUSE(EXDEV), ALLOW) == 0);
	CHECK_ERRNO(syscall(434 /* pidfd_open */, getpid(), 0), EXDEV);
	CHECK_ERRNO(syscall(2000), EXDEV);
	CHECK(syscall(SYS_getpid) > 0);
}

static void by_argument(void)
{
	/* dup of descriptor 1 is refused, of others not. */
	REQUIRE(INSTALL(LOAD(nr), IF_EQ(SYS_dup, 0, 2), LOAD(args[0]), IF_EQ(1, 1, 0), ALLOW, REFUSE(EXDEV)) == 0);
	int fd = dup(2);
	CHECK(fd >= 0);
	close(fd);
	CHECK_ERRNO(dup(1), EXDEV);
	fd = dup(2);
	CHECK(fd >= 0);
	close(fd);
}

static void by_masked_number(void)
{
	/* An AND before the comparison: getpid (39) and what shares its low bits. */
	REQUIRE(INSTALL(LOAD(nr), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x3f), IF_EQ(SYS_getpid & 0x3f, 0, 1), REFUSE(EXDEV), ALLOW) == 0);
	CHECK_ERRNO(syscall(SYS_getpid), EXDEV);
	CHECK(syscall(SYS_getuid) == 0 || geteuid());
}

static void stacked(void)
{
	/* The second one refuses what the first allows, the first one what the second allows. */
	REQUIRE(INSTALL(LOAD(nr), IF_EQ(SYS_getppid, 0, 1), REFUSE(ENOTTY), ALLOW) == 0);
	REQUIRE(INSTALL(LOAD(nr), IF_EQ(SYS_getpgrp, 0, 1), REFUSE(EXDEV), ALLOW) == 0);
	CHECK_ERRNO(syscall(SYS_getppid), ENOTTY);
	CHECK_ERRNO(syscall(SYS_getpgrp), EXDEV);
	CHECK(syscall(SYS_getpid) > 0);
	/* A third one, which allows all, changes nothing. */
	REQUIRE(INSTALL(ALLOW) == 0);
	CHECK_ERRNO(syscall(SYS_getppid), ENOTTY);
	CHECK_ERRNO(syscall(SYS_getpgrp), EXDEV);
}

static void inherited(void)
{
	REQUIRE(INSTALL(LOAD(nr), IF_EQ(SYS_getppid, 0, 1), REFUSE(ENOTTY), ALLOW) == 0);
	pid_t pid = fork();
	int status = 0;
	if (!pid)
		_exit(syscall(SYS_getppid) < 0 && errno == ENOTTY ? 7 : 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void ask_tracer(int err)
{
	CHECK_EQ(ptrace(PTRACE_TRACEME, 0, 0, 0), 0);
	raise(SIGSTOP);
	REQUIRE(INSTALL(LOAD(nr), IF_EQ(SYS_getpgrp, 0, 1), ANSWER(SECCOMP_RET_TRACE), IF_EQ(SYS_getppid, 0, 1),
	                REFUSE(ENOTTY), ALLOW) == 0);
	if (err)
		CHECK_ERRNO(syscall(SYS_getpgrp), err);
	else
		CHECK_EQ(syscall(SYS_getpgrp), gettid());
}

/* What a tracer makes of a call is filtered, too, and is what happens even if the tracer leaves then. */
static void change_call(long nr, int err, int request)
{
	struct user_regs_struct regs;
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		ask_tracer(err);
		_exit(abi_failures != 0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	REQUIRE(WIFSTOPPED(status));
	CHECK_EQ(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL), 0);
	CHECK_EQ(ptrace(PTRACE_CONT, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status >> 8, SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
	CHECK_EQ(ptrace(PTRACE_GETREGS, pid, 0, &regs), 0);
	CHECK_EQ(regs.orig_rax, SYS_getpgrp);
	regs.orig_rax = (unsigned long)nr;
	CHECK_EQ(ptrace(PTRACE_SETREGS, pid, 0, &regs), 0);
	CHECK_EQ(ptrace(request, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void changed_by_tracer(void)
{
	change_call(SYS_getppid, ENOTTY, PTRACE_CONT);
	change_call(SYS_getppid, ENOTTY, PTRACE_DETACH);
	change_call(SYS_gettid, 0, PTRACE_CONT);
	change_call(SYS_gettid, 0, PTRACE_DETACH);
}

/* ---- SECCOMP_FILTER_FLAG_TSYNC ---- */
#define THREADS 4
#define EACH    30

static int install_for_all(void)
{
	struct sock_filter all = ALLOW;
	struct sock_fprog prog = {1, &all};
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog);
}

static void *install_each(void *arg)
{
	for (int i = 0; i < EACH; i++)
		CHECK_EQ(install_for_all(), 0);
	return arg;
}

static long filters_of(const char *status)
{
	char buf[4096] = "", *p;
	FILE *f = fopen(status, "r");
	if (f) {
		buf[fread(buf, 1, sizeof(buf) - 1, f)] = 0;
		fclose(f);
	}
	p = strstr(buf, "Seccomp_filters:");
	return p ? atol(p + 16) : -1;
}

/* Threads that install filters for all of them at the same time follow each other. */
static void all_at_once(void)
{
	pthread_t t[THREADS];
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (int i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&t[i], NULL, install_each, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	CHECK_EQ(filters_of("/proc/self/status"), THREADS * EACH);
}

static void *outlive(void *leader)
{
	pthread_join(*(pthread_t *)leader, NULL);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(install_for_all(), 0);
	CHECK_EQ(filters_of("/proc/thread-self/status"), 3);
	_exit(abi_failures ? 1 : 0);
}

/* A leader that has exited is no obstacle. */
static void without_leader(void)
{
	static pthread_t self;
	pthread_t t;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	self = pthread_self();
	REQUIRE(pthread_create(&t, NULL, outlive, &self) == 0);
	pthread_exit(NULL);
}

#define IN_CHILD(name) static void name##_test(void) { CHECK_EQ(abi_child(name), 0); }
IN_CHILD(by_number)
IN_CHILD(by_range)
IN_CHILD(by_argument)
IN_CHILD(by_masked_number)
IN_CHILD(stacked)
IN_CHILD(inherited)
IN_CHILD(all_at_once)
IN_CHILD(without_leader)

ABI_MAIN({"by_number", by_number_test}, {"by_range", by_range_test}, {"by_argument", by_argument_test},
         {"by_masked_number", by_masked_number_test}, {"stacked", stacked_test}, {"inherited", inherited_test},
         {"all_at_once", all_at_once_test}, {"without_leader", without_leader_test},
         ABI_TEST(changed_by_tracer))
