/* SPDX-License-Identifier: Apache-2.0 */
/* Threads and futexes. */
#include "abi.h"

#include <asm/prctl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <time.h>

static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *timeout, uint32_t *word2, uint32_t v3)
{
	return syscall(SYS_futex, word, op, value, timeout, word2, v3);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long counter;

static void *add(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return (void *)((long)arg * 2);
}

static void mutual_exclusion(void)
{
	pthread_t t[4];
	void *result;

	for (long i = 0; i < 4; i++)
		REQUIRE(CHECK_OK(pthread_create(&t[i], NULL, add, (void *)i)));
	for (long i = 0; i < 4; i++) {
		CHECK_OK(pthread_join(t[i], &result));
		CHECK_EQ((long)result, i * 2);
	}
	CHECK_EQ(counter, 80000);
}

static int turn;

static void *ping(void *arg)
{
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mutex);
		while (turn != (int)(long)arg)
			pthread_cond_wait(&condition, &mutex);
		turn = !turn;
		pthread_cond_broadcast(&condition);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void conditions(void)
{
	pthread_t t;

	REQUIRE(CHECK_OK(pthread_create(&t, NULL, ping, (void *)1)));
	ping((void *)0);
	CHECK_OK(pthread_join(t, NULL));
	CHECK_EQ(turn, 0);
}

static void futex_errors(void)
{
	struct timespec soon = {0, 5000000}, bad = {0, 2000000000};
	uint32_t word = 1;

	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 2, NULL, NULL, 0), EAGAIN);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 1, &soon, NULL, 0), ETIMEDOUT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 1, &bad, NULL, 0), EINVAL);
	CHECK_ERRNO(futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(BAD_POINTER, FUTEX_WAIT, 1, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(&word, 77, 1, NULL, NULL, 0), ENOSYS);
	CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

static uint32_t gate, gate2, passed;

static void *wait_gate(void *arg)
{
	__atomic_store_n((pid_t *)arg, syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	while (futex(&gate, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) && errno == EINTR)
		;
	__atomic_add_fetch(&passed, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void requeue(void)
{
	pid_t tid[3] = {0};
	pthread_t t[3];
	long n;

	for (int i = 0; i < 3; i++) {
		REQUIRE(CHECK_OK(pthread_create(&t[i], NULL, wait_gate, &tid[i])));
		while (!__atomic_load_n(&tid[i], __ATOMIC_SEQ_CST))
			sched_yield();
		CHECK(abi_sleeps(tid[i]));
	}
	CHECK_ERRNO(futex(&gate, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)3L, &gate2, 5), EAGAIN);
	n = futex(&gate, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)3L, &gate2, 0);
	CHECK_EQ(n, 3);
	CHECK_EQ(futex(&gate, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
	CHECK_EQ(futex(&gate2, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 2);
	for (int i = 0; i < 3; i++)
		CHECK_OK(pthread_join(t[i], NULL));
	CHECK_EQ(passed, 3);
}

static void between_processes(void)
{
	sem_t *sem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	REQUIRE(sem != MAP_FAILED);
	sem_init(&sem[0], 1, 0);
	sem_init(&sem[1], 1, 0);
	pid = fork();
	if (!pid) {
		for (int i = 0; i < 50; i++) {
			sem_wait(&sem[0]);
			sem_post(&sem[1]);
		}
		_exit(0);
	}
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(sem_post(&sem[0]), 0);
		CHECK_EQ(sem_wait(&sem[1]), 0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	munmap(sem, 4096);
}

static pthread_mutex_t robust;

static void *die_holding(void *arg)
{
	pthread_mutex_lock(&robust);
	return NULL;
}

static void robust_mutex(void)
{
	pthread_mutexattr_t attr;
	pthread_t t;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	CHECK_OK(pthread_mutex_init(&robust, &attr));
	REQUIRE(CHECK_OK(pthread_create(&t, NULL, die_holding, NULL)));
	CHECK_OK(pthread_join(t, NULL));
	CHECK_EQ(pthread_mutex_lock(&robust), EOWNERDEAD);
	CHECK_OK(pthread_mutex_consistent(&robust));
	CHECK_OK(pthread_mutex_unlock(&robust));
}

static void priority_inheritance(void)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t pi;
	pthread_t t;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	CHECK_OK(pthread_mutex_init(&pi, &attr));
	CHECK_OK(pthread_mutex_lock(&pi));
	CHECK_EQ(pthread_mutex_trylock(&pi), EBUSY);
	CHECK_OK(pthread_mutex_unlock(&pi));
	(void)t;
	pthread_mutex_destroy(&pi);
}

static __thread int tls = 5;

static void *own_tls(void *arg)
{
	tls += (int)(long)arg;
	return (void *)(long)tls;
}

static void thread_local_storage(void)
{
	pthread_t t;
	void *r;

	tls = 50;
	REQUIRE(CHECK_OK(pthread_create(&t, NULL, own_tls, (void *)2)));
	pthread_join(t, &r);
	CHECK_EQ((long)r, 7);
	CHECK_EQ(tls, 50);
}

static volatile int spin_stop;
static void *spin(void *arg)
{
	while (!spin_stop)
		;
	return NULL;
}

/* More spinning threads than CPUs: everyone still gets its turn. */
static void preemption(void)
{
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		REQUIRE(CHECK_OK(pthread_create(&t[i], NULL, spin, NULL)));
	usleep(50000);
	spin_stop = 1;
	for (int i = 0; i < 8; i++)
		CHECK_OK(pthread_join(t[i], NULL));
}

static double sum_of(int n)
{
	volatile double s = 0;

	for (int i = 1; i <= n; i++)
		s += 1.0 / i;
	return s;
}

static void *float_thread(void *arg)
{
	double want = sum_of(1000);

	for (int i = 0; i < 100; i++) {
		if (sum_of(1000) != want)
			return (void *)1;
		sched_yield();
	}
	return NULL;
}

static void floating_point(void)
{
	pthread_t t[6];
	void *r;

	for (int i = 0; i < 6; i++)
		REQUIRE(CHECK_OK(pthread_create(&t[i], NULL, float_thread, NULL)));
	for (int i = 0; i < 6; i++) {
		CHECK_OK(pthread_join(t[i], &r));
		CHECK(r == NULL);
	}
}

/* ---- the GS base, which no system call has to tell of ---- */
#define FSGSBASE_USABLE 2 /* AT_HWCAP2: WRGSBASE works in ring 3 */

static void set_gs(unsigned long v)
{
	if (getauxval(AT_HWCAP2) & FSGSBASE_USABLE)
		__asm__ volatile("wrgsbase %0" ::"r"(v));
	else
		syscall(SYS_arch_prctl, ARCH_SET_GS, v);
}

static unsigned long get_gs(void)
{
	unsigned long v = 0;

	syscall(SYS_arch_prctl, ARCH_GET_GS, &v);
	return v;
}

static void *gs_thread(void *arg)
{
	unsigned long v = (unsigned long)arg << 20;

	for (int i = 0; i < 100; i++) {
		set_gs(v + (unsigned)i);
		if (i % 2)
			sched_yield();
		if (get_gs() != v + (unsigned)i)
			return (void *)1;
		syscall(SYS_arch_prctl, ARCH_SET_GS, v);
		sched_yield();
		if (get_gs() != v)
			return (void *)1;
	}
	return NULL;
}

static void gs_stops(void)
{
	CHECK_EQ(get_gs(), 0x123000);
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	set_gs(0x456000);
	raise(SIGSTOP);
	CHECK_EQ(get_gs(), 0x789000);
	_exit(abi_failures ? 1 : 0);
}

static void gs_base(void)
{
	pthread_t t[6];
	void *r;
	int status;

	for (long i = 0; i < 6; i++)
		REQUIRE(CHECK_OK(pthread_create(&t[i], NULL, gs_thread, (void *)(i + 1))));
	for (int i = 0; i < 6; i++) {
		CHECK_OK(pthread_join(t[i], &r));
		CHECK(r == NULL);
	}
	set_gs(0x123000); /* a child inherits it */
	pid_t pid = fork();
	if (!pid)
		gs_stops();
	set_gs(0x321000);
	REQUIRE(waitpid(pid, &status, 0) == pid);
	REQUIRE(WIFSTOPPED(status));
	CHECK_EQ(get_gs(), 0x321000);
	CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, gs_base), 0), 0x456000);
	CHECK_OK(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, gs_base), 0x789000));
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	REQUIRE(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
	set_gs(0);
}

static void exit_from_thread(void);
static void *exits(void *arg) { _exit(21); }
static void exit_from_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, exits, NULL);
	pause();
}

static void exit_group(void)
{
	int status = abi_child(exit_from_thread);

	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 21);
}

static void *set_group_of_thread(void *unused)
{
	CHECK_ERRNO(setpgid(gettid(), 0), EINVAL);
	CHECK_ERRNO(setpgid(gettid(), gettid()), EINVAL);
	return NULL;
}

/* Groups are made of processes: a thread is none, but not nobody either. */
static void group_of_thread(void)
{
	pthread_t t;

	REQUIRE(!pthread_create(&t, NULL, set_group_of_thread, NULL));
	pthread_join(t, NULL);
}

static void *try_word(void *word)
{
	CHECK_ERRNO(syscall(SYS_futex, word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
	return NULL;
}

/* Somebody else has the lock: the answer comes at once. */
static void pi_trylock(void)
{
	static uint32_t word;
	pthread_t t;

	CHECK_EQ(syscall(SYS_futex, &word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), 0);
	CHECK_EQ(word & FUTEX_TID_MASK, (uint32_t)gettid());
	REQUIRE(pthread_create(&t, NULL, try_word, &word) == 0);
	pthread_join(t, NULL);
	CHECK_EQ(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
	CHECK_EQ(word, 0);
}

ABI_MAIN(ABI_TEST(mutual_exclusion), ABI_TEST(conditions), ABI_TEST(futex_errors), ABI_TEST(requeue),
    ABI_TEST(between_processes), ABI_TEST(robust_mutex), ABI_TEST(priority_inheritance), ABI_TEST(pi_trylock),
    ABI_TEST(thread_local_storage),
    ABI_TEST(preemption), ABI_TEST(floating_point), ABI_TEST(gs_base), ABI_TEST(exit_group), ABI_TEST(group_of_thread))
