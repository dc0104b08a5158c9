/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that share a CPU: one that computes does not keep others from running, whatever both did before. */
#include "abi.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <time.h>

/* Who does not run within the first does not run before the second is over, when its rival stops. */
#define STARVED_NS  10000000000L
#define PATIENCE_NS 30000000000L

static long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void pause_ms(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

/* What two processes share. */
static volatile struct {
	uint32_t done; /* rounds that the partner has seen the end of */
	uint32_t turn;
} *shared;

static int to[2], from[2];

static bool on_one_cpu(void)
{
	cpu_set_t all, one;

	CPU_ZERO(&one);
	if (!CHECK(sched_getaffinity(0, sizeof(all), &all) == 0))
		return false;
	for (int cpu = 0; !CPU_COUNT(&one); cpu++)
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	return CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
}

static bool set_up(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return CHECK(shared != MAP_FAILED) && CHECK(pipe(to) == 0) && CHECK(pipe(from) == 0);
}

static void tear_down(pid_t pid)
{
	int status;

	close(to[1]);
	close(from[0]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	munmap((void *)shared, 4096);
}

/* Answers each byte; and counts, which the other one sees without a system call. */
static pid_t partner(void)
{
	pid_t pid = fork();
	char c;

	if (pid) {
		close(to[0]);
		close(from[1]);
		return pid;
	}
	close(to[1]);
	close(from[0]);
	while (read(to[0], &c, 1) == 1) {
		if (c == 's')
			shared->done++;
		else if (write(from[1], &c, 1) != 1)
			_exit(1);
	}
	_exit(0);
}

/* Wakes the partner and computes until that has run: how long that took, in ns. */
static long wake_and_compute(void)
{
	uint32_t before = shared->done;
	long start = now_ns();

	if (!CHECK(write(to[1], "s", 1) == 1))
		return PATIENCE_NS;
	while (shared->done == before && now_ns() - start < PATIENCE_NS)
		;
	return now_ns() - start;
}

static void hand_over(int times)
{
	char c = 'p';

	for (int i = 0; i < times; i++)
		if (!CHECK(write(to[1], &c, 1) == 1 && read(from[0], &c, 1) == 1))
			return;
}

static void woken_runs(bool one_cpu)
{
	long longest = 0;
	pid_t pid;

	if (one_cpu && !on_one_cpu())
		_exit(1);
	if (!set_up())
		_exit(1);
	pid = partner();
	for (int i = 0; i < 12; i++) {
		hand_over(i % 4 * 25);
		if (i % 3 == 2)
			pause_ms(60); /* whatever looked after them may have gone to sleep */
		long t = wake_and_compute();
		longest = t > longest ? t : longest;
	}
	tear_down(pid);
	CHECK(longest < STARVED_NS);
	_exit(abi_failures != 0);
}

static void in_child_one_cpu(void) { woken_runs(true); }
static void in_child_any_cpu(void) { woken_runs(false); }

static void woken_runs_on_one_cpu(void) { CHECK_EQ(abi_child(in_child_one_cpu), 0); }
static void woken_runs_on_any_cpu(void) { CHECK_EQ(abi_child(in_child_any_cpu), 0); }

#define TURNS 40

/* Takes every second turn, without a system call. */
static void take_turns(uint32_t mine)
{
	for (uint32_t i = mine; i < TURNS; i += 2) {
		long start = now_ns();

		while (shared->turn != i && now_ns() - start < PATIENCE_NS)
			;
		if (!CHECK_EQ(shared->turn, i))
			return;
		shared->turn = i + 1;
	}
}

/* Nobody sleeps: only the end of a time slice lets the other one run. */
static void spinners(void)
{
	int status;
	pid_t pid;

	if (!on_one_cpu() || !set_up())
		_exit(1);
	pid = fork();
	take_turns(pid == 0);
	if (!pid)
		_exit(abi_failures != 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(shared->turn, TURNS);
	_exit(abi_failures != 0);
}

static void slices(void) { CHECK_EQ(abi_child(spinners), 0); }

/* Computes and sleeps by turns beside one that only computes: both come along, and a sleep is not much longer than it is
 * to be. */
static void sleeper_beside_spinner(void)
{
	long longest = 0;
	int status;
	pid_t pid;

	if (!on_one_cpu() || !set_up())
		_exit(1);
	pid = fork();
	if (!pid)
		for (;;)
			shared->done++;
	long begin = now_ns();
	/* Not before the other one has come along, too. */
	for (int i = 0; i < 30 || (!shared->done && now_ns() - begin < PATIENCE_NS); i++) {
		long start = now_ns(), t;

		pause_ms(2);
		t = now_ns() - start;
		longest = t > longest ? t : longest;
	}
	CHECK(longest < STARVED_NS);
	CHECK(shared->done);
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	_exit(abi_failures != 0);
}

static void sleeper(void) { CHECK_EQ(abi_child(sleeper_beside_spinner), 0); }

/* A critical section (rseq(2)) that counts n down. True if it was left by its abort handler. */
static bool section_is_aborted(volatile struct rseq *area, uint64_t n)
{
	uint64_t scratch;
	bool aborted = false;

	__asm__ volatile(".pushsection .data\n"
	                 ".balign 32\n"
	                 "9: .long 0, 0\n"
	                 ".quad 1f, 2f - 1f, 4f\n"
	                 ".popsection\n"
	                 "lea 9b(%%rip), %[scratch]\n"
	                 "mov %[scratch], %[link]\n"
	                 "1: dec %[n]\n"
	                 "jnz 1b\n"
	                 "2: jmp 5f\n"
	                 ".long %c[sig]\n"
	                 "4: movb $1, %[aborted]\n"
	                 "5:\n"
	                 : [aborted] "+m"(aborted), [n] "+r"(n), [scratch] "=&r"(scratch), [link] "=m"(area->rseq_cs)
	                 : [sig] "i"(RSEQ_SIG)
	                 : "memory", "cc");
	return aborted;
}

/* A task may be preempted just before the first instruction, when the section is forgotten, or within a section of one. */
static bool section_ends(bool aborted, volatile struct rseq *area, uint64_t n)
{
	for (int i = 0; i < 5; i++)
		if (section_is_aborted(area, n) == aborted)
			return true;
	return false;
}

/* Preemption ends a critical section; a sleep before it changes nothing about that. */
static void sections(void)
{
	volatile struct rseq *area = (volatile struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	int status;
	pid_t pid;

	if (!CHECK(__rseq_size) || !on_one_cpu())
		_exit(1);
	pid = fork();
	if (!pid)
		for (;;)
			;
	for (int i = 0; i < 3; i++) {
		pause_ms(1);
		CHECK(section_ends(false, area, 1));
		CHECK(section_ends(true, area, 20000000000UL));
		CHECK(area->rseq_cs == 0);
		CHECK_EQ(area->cpu_id, sched_getcpu());
	}
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	_exit(abi_failures != 0);
}

static void critical_sections(void) { CHECK_EQ(abi_child(sections), 0); }

ABI_MAIN(ABI_TEST(woken_runs_on_one_cpu), ABI_TEST(woken_runs_on_any_cpu), ABI_TEST(slices), ABI_TEST(sleeper),
    ABI_TEST(critical_sections))
