/* SPDX-License-Identifier: Apache-2.0 */
/* What governs processes: affinity, policies, limits, no_new_privs, __WNOTHREAD, parent-death signals of threads. */
#include "abi.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static void affinity(void)
{
	cpu_set_t all, one, now;

	REQUIRE(sched_getaffinity(0, sizeof(all), &all) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
		CHECK_EQ(sched_getaffinity(0, sizeof(now), &now), 0);
		CHECK(CPU_EQUAL(&one, &now));
		CHECK_EQ(sched_getcpu(), cpu);
	}
	CHECK_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CHECK_ERRNO(sched_setaffinity(0, sizeof(one), &one), EINVAL);
}

static void attributes(void)
{
	uint32_t attr[64] = {sizeof(attr)};

	memset(&attr[32], 7, sizeof(attr) / 2);
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, attr, 0), E2BIG);
	CHECK(attr[0] >= 48 && attr[0] < sizeof(attr));
	CHECK_ERRNO(syscall(SYS_ioprio_set, 1, 0, 1), EINVAL);
	CHECK_EQ(syscall(SYS_ioprio_set, 1, 0, 0), 0);
}

static void spin_to_death(void)
{
	struct rlimit limit = {1, 60};

	setrlimit(RLIMIT_CPU, &limit);
	for (;;)
		__asm__ volatile("");
}

/* A limit set just before a loop without system calls. */
static void cpu_limit(void)
{
	int status = abi_child(spin_to_death);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGXCPU);
}

static void wait_options(void)
{
	siginfo_t si;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	CHECK_EQ(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	/* What has ended will never stop. */
	CHECK_ERRNO(waitid(P_PID, (id_t)pid, &si, WSTOPPED), ECHILD);
	CHECK_EQ(waitid(P_PID, (id_t)pid, &si, WEXITED), 0);
}

static void *wait_for_other(void *arg)
{
	(void)arg;
	CHECK_ERRNO(waitpid(-1, NULL, __WNOTHREAD), ECHILD);
	return NULL;
}

static void own_children(void)
{
	pthread_t t;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	CHECK_OK(pthread_create(&t, NULL, wait_for_other, NULL));
	pthread_join(t, NULL);
	CHECK_EQ(waitpid(-1, NULL, __WNOTHREAD), pid);
}

static void *make_child(void *arg)
{
	int ready[2];
	char c;

	if (pipe(ready))
		return NULL;
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	*(pid_t *)arg = pid;
	return NULL;
}

static void thread_death_signal(void)
{
	pthread_t t;
	pid_t pid = 0;
	int status;

	CHECK_OK(pthread_create(&t, NULL, make_child, &pid));
	pthread_join(t, NULL);
	CHECK_EQ(waitpid(pid, &status, __WNOTHREAD), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static pthread_barrier_t barrier;

static void *sibling(void *arg)
{
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	*(int *)arg = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	return NULL;
}

static void synchronise(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = {1, &allow};
	int other = 0;
	pthread_t t;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK_OK(pthread_create(&t, NULL, sibling, &other));
	pthread_barrier_wait(&barrier);
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog), 0);
	pthread_barrier_wait(&barrier);
	pthread_join(t, NULL);
	CHECK_EQ(other, 1);
}

static void no_new_privs(void)
{
	CHECK_EQ(abi_child(synchronise), 0);
}

static void locked_memory(void)
{
	char *p = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(p != MAP_FAILED);
	CHECK_ERRNO(mlock(p, 8192), ENOMEM);
	CHECK_EQ(munmap(p, 8192), 0);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(p != MAP_FAILED);
	CHECK(mremap(p, 0, 4096, 0) == MAP_FAILED && errno == ENOMEM);
	CHECK_EQ(munmap(p, 4096), 0);
}

static void run_memfd(void)
{
	static const char script[] = "#!/proc/self/exe none\n";
	int fd = memfd_create("script", 0);
	char *argv[] = {(char *)"script", NULL};

	if (write(fd, script, sizeof(script) - 1) != sizeof(script) - 1)
		_exit(1);
	fexecve(fd, argv, argv + 1);
	_exit(errno);
}

/* The descriptor that a memfd was made with is no writer that keeps it from being executed. */
static void exec_memfd(void)
{
	CHECK_EQ(abi_child(run_memfd), 0);
}

ABI_MAIN(ABI_TEST(affinity), ABI_TEST(attributes), ABI_TEST(cpu_limit), ABI_TEST(wait_options), ABI_TEST(own_children),
    ABI_TEST(thread_death_signal), ABI_TEST(no_new_privs), ABI_TEST(locked_memory), ABI_TEST(exec_memfd))
