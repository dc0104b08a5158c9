/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU's extended state: all vector and mask registers across system calls, switches between tasks, and signals; frames that
 * hold it; what CPUID and XGETBV say of it. */
#include "abi.h"

#include <cpuid.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

#define ROUNDS 200
#define TASKS  4

enum { SSE, AVX, AVX512 };

/* What the registers are loaded from, or stored to. */
struct image {
	uint8_t v[32][64];
	uint64_t k[8];
} __attribute__((aligned(64)));

static uint64_t xcr0(void)
{
	uint32_t a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 3;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (uint64_t)d << 32 | a;
}

static int level(void)
{
	uint32_t a, b, c, d;
	uint64_t states = xcr0();

	if ((states & 0xe6) == 0xe6 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX512F) && (b & bit_AVX512BW))
		return AVX512;
	return (states & 6) == 6 && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_AVX) ? AVX : SSE;
}

static unsigned registers(int lvl) { return lvl == AVX512 ? 32 : 16; }
static unsigned width(int lvl) { return lvl == AVX512 ? 64 : lvl == AVX ? 32 : 16; }

#define EACH8(f, n) f(n##0) f(n##1) f(n##2) f(n##3) f(n##4) f(n##5) f(n##6) f(n##7)
#define EACH16(f)   EACH8(f, ) f(8) f(9) f(10) f(11) f(12) f(13) f(14) f(15)
#define EACH32(f)   EACH16(f) f(16) f(17) f(18) f(19) f(20) f(21) f(22) f(23) f(24) f(25) f(26) f(27) f(28) f(29) f(30) f(31)
#define LOAD_XMM(n)  "movups 64*" #n "(%[in]), %%xmm" #n "\n"
#define STORE_XMM(n) "movups %%xmm" #n ", 64*" #n "(%[out])\n"
#define LOAD_YMM(n)  "vmovups 64*" #n "(%[in]), %%ymm" #n "\n"
#define STORE_YMM(n) "vmovups %%ymm" #n ", 64*" #n "(%[out])\n"
#define LOAD_ZMM(n)  "vmovups 64*" #n "(%[in]), %%zmm" #n "\n"
#define STORE_ZMM(n) "vmovups %%zmm" #n ", 64*" #n "(%[out])\n"
#define LOAD_K(n)    "kmovq 2048+8*" #n "(%[in]), %%k" #n "\n"
#define STORE_K(n)   "kmovq %%k" #n ", 2048+8*" #n "(%[out])\n"

/* Loads all registers, makes a system call with up to two arguments, stores all registers. */
#define THROUGH(load, store) \
	__asm__ volatile(load "syscall\n" store \
			 : "+a"(r) \
			 : [in] "r"(in), [out] "r"(out), "D"(a0), "S"(a1) \
			 : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
			   "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")
static long through_call(int lvl, const struct image *in, struct image *out, long nr, long a0, long a1)
{
	long r = nr;

	if (lvl == AVX512)
		THROUGH(EACH32(LOAD_ZMM) EACH8(LOAD_K, ), EACH32(STORE_ZMM) EACH8(STORE_K, ));
	else if (lvl == AVX)
		THROUGH(EACH16(LOAD_YMM), EACH16(STORE_YMM));
	else
		THROUGH(EACH16(LOAD_XMM), EACH16(STORE_XMM));
	return r;
}

static void fill(struct image *m, uint32_t seed)
{
	uint8_t *p = (uint8_t *)m;

	for (size_t i = 0; i < sizeof(*m); i++)
		p[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
}

/* The number of registers that differ. */
static unsigned differ(int lvl, const struct image *a, const struct image *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < registers(lvl); i++)
		n += memcmp(a->v[i], b->v[i], width(lvl)) != 0;
	return n + (lvl == AVX512 && memcmp(a->k, b->k, sizeof(a->k)));
}

/* ---- switches ---- */
static unsigned lost_registers(uint32_t seed)
{
	static __thread struct image in, out;
	int lvl = level();
	unsigned lost = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct timespec ts = {.tv_nsec = 10000};

		fill(&in, seed + i);
		memset(&out, 0, sizeof(out));
		through_call(lvl, &in, &out, i % 8 ? SYS_sched_yield : SYS_nanosleep, (long)&ts, 0);
		lost += differ(lvl, &in, &out);
	}
	return lost;
}

static void *thread(void *arg) { return (void *)(uintptr_t)lost_registers((uint32_t)(uintptr_t)arg); }

static void across_threads(void)
{
	pthread_t t[TASKS];
	void *lost;

	for (unsigned i = 0; i < TASKS; i++)
		REQUIRE(CHECK_OK(pthread_create(&t[i], NULL, thread, (void *)(uintptr_t)(1000 * i))));
	for (unsigned i = 0; i < TASKS; i++) {
		CHECK_OK(pthread_join(t[i], &lost));
		CHECK_EQ((uintptr_t)lost, 0);
	}
}

static void across_processes(void)
{
	pid_t pid[TASKS];
	int status;

	for (unsigned i = 0; i < TASKS; i++) {
		pid[i] = fork();
		REQUIRE(pid[i] >= 0);
		if (!pid[i])
			_exit(lost_registers(1000 * i) != 0);
	}
	for (unsigned i = 0; i < TASKS; i++) {
		CHECK_EQ(waitpid(pid[i], &status, 0), pid[i]);
		CHECK_EQ(status, 0);
	}
}

/* A child begins with its parent's registers. */
static void across_fork(void)
{
	static struct image in, out;
	int lvl = level(), status;
	long pid;

	fill(&in, 4711);
	pid = through_call(lvl, &in, &out, SYS_fork, 0, 0);
	if (!pid)
		_exit(differ(lvl, &in, &out) != 0);
	REQUIRE(pid > 0);
	CHECK_EQ(differ(lvl, &in, &out), 0);
	CHECK_EQ(waitpid((pid_t)pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

/* ---- signals ---- */
/* Software bytes of the frame, at offset 464 of the legacy area. */
struct sw_bytes {
	uint32_t magic1, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size;
};

static int handler_level;
static volatile unsigned handled;
static struct sw_bytes seen;
static uint8_t *low_mark; /* lowest address that the handler's frame uses */

static void spoil(int signo, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;
	static struct image in, out;

	fill(&in, handled + 1);
	through_call(handler_level, &in, &out, SYS_getppid, 0, 0);
	memcpy(&seen, (uint8_t *)uc->uc_mcontext.fpregs + 464, sizeof(seen));
	low_mark = (uint8_t *)uc;
	handled++;
}

static void across_signals(void)
{
	static struct image in, out;
	size_t min = getauxval(AT_MINSIGSTKSZ), size = (min + 8192) & ~4095UL;
	struct sigaction sa = {.sa_sigaction = spoil, .sa_flags = SA_SIGINFO | SA_ONSTACK}, old;
	uint8_t *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t ss = {.ss_sp = stack, .ss_size = size}, old_ss;

	REQUIRE(stack != MAP_FAILED);
	handler_level = level();
	handled = 0;
	CHECK_EQ(sigaltstack(&ss, &old_ss), 0);
	CHECK_EQ(sigaction(SIGUSR1, &sa, &old), 0);
	for (unsigned i = 0; i < 50; i++) {
		fill(&in, 77 + i);
		CHECK_EQ(through_call(handler_level, &in, &out, SYS_kill, getpid(), SIGUSR1), 0);
		CHECK_EQ(differ(handler_level, &in, &out), 0);
	}
	CHECK_EQ(handled, 50);
	if (xcr0() != 3) {
		CHECK_EQ(seen.magic1, 0x46505853);
		CHECK_EQ(seen.xfeatures & ~xcr0(), 0);
		CHECK_EQ(seen.xfeatures & 0xe7, xcr0() & 0xe7);
		CHECK(seen.xstate_size >= 576 && seen.extended_size == seen.xstate_size + 4);
		CHECK(seen.extended_size < min);
	}
	CHECK((size_t)(stack + size - low_mark) <= min);
	sigaction(SIGUSR1, &old, NULL);
	sigaltstack(&old_ss, NULL);
	munmap(stack, size);
}

/* ---- what the CPU says ---- */
static void sizes(void)
{
	uint64_t states = xcr0();
	uint32_t a, b, c, d, end = 576, max;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return;
	REQUIRE(__get_cpuid_count(0xd, 0, &a, &max, &c, &d));
	CHECK_EQ(states & ~((uint64_t)d << 32 | a), 0);
	CHECK((states & 3) == 3 && ((states & 0xe0) == 0 || (states & 0xe6) == 0xe6));
	for (unsigned i = 2; i < 63; i++) {
		if (!(states >> i & 1))
			continue;
		__cpuid_count(0xd, i, a, b, c, d);
		CHECK(a && b >= 576);
		end = a + b > end ? a + b : end;
	}
	CHECK_EQ(max, end);
}

/* Protection keys work where CPUID says that the system has enabled them, and raise SIGILL elsewhere. */
static void rdpkru_alone(void)
{
	__asm__ volatile("rdpkru" ::"c"(0) : "rax", "rdx");
	_exit(0);
}

static void protection_keys(void)
{
	uint32_t a, b, c = 0, d;
	bool enabled = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & bit_OSPKE);
	pid_t pid = fork();
	int status;

	REQUIRE(pid >= 0);
	if (!pid)
		rdpkru_alone();
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, enabled ? 0 : SIGILL);
	CHECK(!enabled || (xcr0() & 0x200));
}

/* ---- where x87 was last ---- */
__asm__(".pushsection .text\n x87_elsewhere: fld1\n fstp %st(0)\n ret\n .popsection");
void x87_elsewhere(void);

/* The address of the last x87 instruction, its low half, as the registers have it. */
static uint32_t x87_pointer(void)
{
	uint32_t env[7];

	__asm__ volatile("fnstenv %0" : "=m"(env));
	return env[3];
}

/* Another task on this CPU: what it did last is none of ours, also on a CPU that restores that with a pending exception only. */
static void x87_pointers(void)
{
	cpu_set_t all, one;
	int p[2][2], status;
	char c = 0;
	pid_t pid;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	REQUIRE(pipe(p[0]) == 0 && pipe(p[1]) == 0);
	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	pid = fork();
	if (!pid) {
		close(p[0][1]);
		while (read(p[0][0], &c, 1) == 1) {
			x87_elsewhere();
			if (write(p[1][1], &c, 1) != 1)
				break;
		}
		_exit(0);
	}
	__asm__ volatile("fninit");
	for (int i = 0; i < ROUNDS; i++) {
		REQUIRE(write(p[0][1], &c, 1) == 1 && read(p[1][0], &c, 1) == 1);
		if (!CHECK(x87_pointer() - (uint32_t)(uintptr_t)x87_elsewhere > 4))
			break;
	}
	for (int i = 0; i < 4; i++)
		close(p[i / 2][i % 2]);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK_OK(sched_setaffinity(0, sizeof(all), &all));
}

ABI_MAIN(ABI_TEST(across_threads), ABI_TEST(across_processes), ABI_TEST(across_fork), ABI_TEST(across_signals), ABI_TEST(sizes),
    ABI_TEST(protection_keys), ABI_TEST(x87_pointers))
