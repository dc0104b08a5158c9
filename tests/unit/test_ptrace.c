/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ptrace platform without a Sentry: RAM and page tables are made here (ptrace_machine.c), little programs run in ring 3,
 * and every trap is checked against what the CPU would have reported.
 */
#include "ptrace_machine.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void test_syscall(void **state)
{
	struct space s = space_new();
	struct user_context *uc = task_new(&s);

	CODE_BYTES(&s, 0x0f, 0x05, 0xeb, 0xfc); /* 1: syscall; jmp 1b */
	uc->regs.rax = 39;
	uc->regs.rdi = 0x1234567890abcdefUL;
	uc->regs.fs_base = 0x7000;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run(uc), 0);
		assert_int_equal(uc->trap_kind, TRAP_SYSCALL);
		assert_int_equal(uc->regs.orig_rax, 39);
		assert_int_equal(uc->regs.rip, CODE + 2);
		assert_int_equal(uc->regs.rcx, CODE + 2);
		assert_int_equal(uc->regs.r11 & 0x200, 0x200);
		assert_int_equal(uc->regs.rdi, 0x1234567890abcdefUL);
		assert_int_equal(uc->regs.fs_base, 0x7000);
		uc->regs.rax = 39;
	}
	assert_int_equal(ops->as_destroy(cpu0.pv, s.cr3), 0);
}

static void expect_fault(struct user_context *uc, uint64_t addr, uint64_t error)
{
	assert_int_equal(run(uc), 0);
	assert_int_equal(uc->trap_kind, TRAP_PAGE_FAULT);
	assert_int_equal(uc->trap_addr, addr);
	assert_int_equal(uc->trap_error, error);
}

static void expect_syscall(struct user_context *uc)
{
	assert_int_equal(run(uc), 0);
	assert_int_equal(uc->trap_kind, TRAP_SYSCALL);
}

static void test_faults(void **state)
{
	struct space s = space_new();
	struct user_context *uc = task_new(&s);
	uint64_t pa = page_new();

	/* mov (%rdi),%rax ; syscall ; mov %rsi,(%rdi) ; syscall ; jmp *%rdi */
	CODE_BYTES(&s, 0x48, 0x8b, 0x07, 0x0f, 0x05, 0x48, 0x89, 0x37, 0x0f, 0x05, 0xff, 0xe7);
	uc->regs.rdi = DATA + 8;
	uc->regs.rsi = 77;
	expect_fault(uc, DATA + 8, 4);
	*(uint64_t *)((char *)ram(pa) + 8) = 99;
	*pte_of(s.cr3, DATA) = pa | P | U | NX;
	expect_syscall(uc);
	assert_int_equal(uc->regs.orig_rax, 99);
	expect_fault(uc, DATA + 8, 7);
	*pte_of(s.cr3, DATA) |= W;
	expect_syscall(uc);
	assert_int_equal(*(uint64_t *)((char *)ram(pa) + 8), 77);
	expect_fault(uc, DATA + 8, 0x15);
	/* Take it away, then another frame at the same place. */
	*pte_of(s.cr3, DATA) = 0;
	flush(s.cr3, DATA, PAGE_SIZE);
	uc->regs.rip = CODE;
	expect_fault(uc, DATA + 8, 4);
	pa = page_new();
	*(uint64_t *)((char *)ram(pa) + 8) = 55;
	*pte_of(s.cr3, DATA) = pa | P | U | W;
	expect_syscall(uc);
	assert_int_equal(uc->regs.orig_rax, 55);
	/* Less permissive. */
	*pte_of(s.cr3, DATA) = pa | P | U;
	flush(s.cr3, DATA, PAGE_SIZE);
	expect_fault(uc, DATA + 8, 6 + 1);
	/* The absent write. */
	*pte_of(s.cr3, DATA) = 0;
	flush(s.cr3, DATA, PAGE_SIZE);
	expect_fault(uc, DATA + 8, 6);
	/* Nothing of ours may be reached through the window, and wild addresses fault as on the CPU. */
	uc->regs.rdi = DIRECT_BASE;
	uc->regs.rip = CODE;
	expect_fault(uc, DIRECT_BASE, 4);
	uc->regs.rdi = 0xffff800000000000UL;
	uc->regs.rip = CODE;
	expect_fault(uc, 0xffff800000000000UL, 4);
	uc->regs.rdi = 0x8000000000000000UL;
	uc->regs.rip = CODE;
	assert_int_equal(run(uc), 0);
	assert_int_equal(uc->trap_kind, TRAP_EXCEPTION);
	assert_int_equal(uc->trap_vector, 13);
	/* The stub's data page is not writable by the application. */
	uc->regs.rdi = WINDOW_END - 0x10000 + PAGE_SIZE;
	uc->regs.rip = CODE + 5;
	assert_int_equal(run(uc), 0);
	assert_int_equal(uc->trap_kind, TRAP_PAGE_FAULT);
	assert_int_equal(ops->as_destroy(cpu0.pv, s.cr3), 0);
}

static void expect_exception(struct space *s, struct user_context *uc, unsigned vector)
{
	uc->regs.rip = CODE;
	assert_int_equal(run(uc), 0);
	assert_int_equal(uc->trap_kind, TRAP_EXCEPTION);
	assert_int_equal(uc->trap_vector, vector);
}

static void test_exceptions(void **state)
{
	struct space s = space_new();
	struct user_context *uc = task_new(&s);

	CODE_BYTES(&s, 0x0f, 0x0b); /* ud2 */
	expect_exception(&s, uc, 6);
	CODE_BYTES(&s, 0xcc); /* int3 */
	expect_exception(&s, uc, 3);
	CODE_BYTES(&s, 0xf4); /* hlt */
	expect_exception(&s, uc, 13);
	CODE_BYTES(&s, 0x31, 0xc9, 0xf7, 0xf9); /* xor %ecx,%ecx; idiv %ecx */
	expect_exception(&s, uc, 0);
	CODE_BYTES(&s, 0xcd, 0x80); /* int $0x80 */
	expect_exception(&s, uc, 13);
	assert_int_equal(uc->regs.rip, CODE);
	CODE_BYTES(&s, 0xf1); /* icebp */
	expect_exception(&s, uc, 1);
	/* ldmxcsr with everything unmasked, then 0/0: #XM. push $0; ldmxcsr (rsp); xorps; divss */
	*pte_of(s.cr3, DATA) = page_new() | P | U | W | NX;
	uc->regs.rsp = DATA + 64;
	CODE_BYTES(&s, 0x6a, 0x00, 0x0f, 0xae, 0x14, 0x24, 0x0f, 0x57, 0xc0, 0xf3, 0x0f, 0x5e, 0xc0);
	expect_exception(&s, uc, 19);
	/* push $0; fldcw (rsp); fldz; fldz; fdivp; fwait: #MF */
	uc->regs.rsp = DATA + 64;
	uc->fpu_cpu = -1;
	CODE_BYTES(&s, 0x6a, 0x00, 0xd9, 0x2c, 0x24, 0xd9, 0xee, 0xd9, 0xee, 0xde, 0xf9, 0x9b);
	expect_exception(&s, uc, 16);
	uc->fpu_cpu = -1;
	/* Wild state. */
	CODE_BYTES(&s, 0x0f, 0x05);
	uc->regs.cs = 0x10;
	expect_exception(&s, uc, 13);
	uc->regs.cs = 0x33;
	/* A base of the kernel's half, which PTRACE_SETREGS refuses and WRFSBASE does not: the program runs, and keeps it. */
	uc->regs.fs_base = 0xffff900000000000UL;
	uc->regs.rip = CODE;
	expect_syscall(uc);
	assert_int_equal(uc->regs.fs_base, 0xffff900000000000UL);
	uc->regs.fs_base = 0;
	uc->regs.rip = 0x9000000000000000UL;
	assert_int_equal(run(uc), 0);
	assert_int_equal(uc->trap_kind, TRAP_EXCEPTION);
	assert_int_equal(uc->trap_vector, 13);
	uc->regs.rip = CODE;
	expect_syscall(uc);
	/* vsyscall page */
	uc->regs.rip = 0xffffffffff600000UL;
	uc->regs.rsp = DATA + 64;
	expect_fault(uc, 0xffffffffff600000UL, 0x14);
	assert_int_equal(uc->regs.rip, 0xffffffffff600000UL);
	assert_int_equal(uc->regs.rsp, DATA + 64);
	assert_int_equal(ops->as_destroy(cpu0.pv, s.cr3), 0);
}

static void test_file_window(void **state)
{
	struct space s = space_new();
	struct user_context *uc = task_new(&s);
	uint64_t value = 4711;

	assert_int_equal(pwrite(window_fd, &value, 8, 0), 8);
	CODE_BYTES(&s, 0x48, 0x8b, 0x07, 0x0f, 0x05);
	uc->regs.rdi = DATA;
	*pte_of(s.cr3, DATA) = FILEWIN_PA | P | U | NX;
	*pte_of(s.cr3, DATA + PAGE_SIZE) = (FILEWIN_PA + PAGE_SIZE) | P | U | NX;
	expect_syscall(uc);
	assert_int_equal(uc->regs.orig_rax, 4711);
	uc->regs.rdi = DATA + PAGE_SIZE;
	uc->regs.rip = CODE;
	assert_int_equal(run(uc), 0);
	assert_int_equal(uc->trap_kind, TRAP_WINDOW_EFAULT);
	assert_int_equal(ops->as_destroy(cpu0.pv, s.cr3), 0);
}

/* Two tasks of one space keep their own registers xmm0 and ymm. */
static void test_fpu(void **state)
{
	struct space s = space_new(), s2 = space_new();
	struct user_context *a = task_new(&s), *b = task_new(&s), *c = task_new(&s2);
	/* movq %rdi,%xmm0 ; 1: syscall ; movq %xmm0,%rsi ; jmp 1b */
	const uint8_t text[] = {0x66, 0x48, 0x0f, 0x6e, 0xc7, 0x0f, 0x05, 0x66, 0x48, 0x0f, 0x7e, 0xc6, 0xeb, 0xf7};

	code(&s, text, sizeof(text));
	code(&s2, text, sizeof(text));
	a->regs.rdi = 1;
	b->regs.rdi = 2;
	c->regs.rdi = 3;
	for (int i = 0; i < 4; i++) {
		expect_syscall(a);
		expect_syscall(b);
		expect_syscall(c);
		if (i == 2)
			ops->fpu_save(cpu0.pv, c);
		if (i) {
			assert_int_equal(a->regs.rsi, 1);
			assert_int_equal(b->regs.rsi, 2);
			assert_int_equal(c->regs.rsi, 3);
		}
	}
	assert_int_equal(ops->fpu_save(cpu0.pv, b), 0);
	assert_int_equal(b->fpu_cpu, -1);
	assert_int_equal(*(uint64_t *)(b->fpu + 160), 2);
	/* A state that cannot be loaded is an exception, not a failure. */
	memset((char *)b->fpu + 512, 0xff, 64);
	assert_int_equal(run(b), 0);
	assert_int_equal(b->trap_kind, TRAP_EXCEPTION);
	expect_syscall(b);
	/* exec: the same task continues in another space */
	expect_syscall(a);
	a->cr3 = s2.cr3;
	expect_syscall(a);
	assert_int_equal(a->regs.rsi, 1);
	assert_int_equal(ops->as_destroy(cpu0.pv, s.cr3), 0);
	assert_int_equal(ops->as_destroy(cpu0.pv, s2.cr3), 0);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ---- kicks, from another thread and from a signal handler ---- */
#define KICKS       20000
#define KICKS_LEAST 500
#define KICKS_NS    5000000000
static uint32_t stop_kicker;
static unsigned kicks_sent;

static void *kicker(void *arg)
{
	while (!__atomic_load_n(&stop_kicker, __ATOMIC_ACQUIRE)) {
		if (!__atomic_exchange_n(&cpu0.v->kick_pending, 1, __ATOMIC_SEQ_CST)) {
			kicks_sent++;
			if (kicks_sent & 1)
				ops->kick(cpu0.pv);
			else
				pthread_kill(*(pthread_t *)arg, KICK_SIGNAL);
		}
		for (volatile int i = 0; i < 2000; i++)
			;
	}
	return NULL;
}

static void test_kick(void **state)
{
	struct space s = space_new();
	struct user_context *uc = task_new(&s);
	pthread_t self = pthread_self(), t;
	uint64_t start = now_ns();
	unsigned got = 0;

	CODE_BYTES(&s, 0xeb, 0xfe); /* jmp . */
	assert_int_equal(pthread_create(&t, NULL, kicker, &self), 0);
	/* Hangs if one is lost. Where kicker and spinner must share a CPU, each kick takes the time slices of both. */
	for (int i = 0; i < KICKS && (i < KICKS_LEAST || now_ns() - start < KICKS_NS); i++) {
		assert_int_equal(run(uc), 0);
		assert_int_equal(uc->trap_kind, TRAP_KICK);
		assert_int_equal(uc->regs.rip, CODE);
		got += __atomic_exchange_n(&cpu0.v->kick_pending, 0, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&stop_kicker, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	assert_true(got + 1 >= kicks_sent);
	__atomic_store_n(&cpu0.v->kick_pending, 0, __ATOMIC_SEQ_CST);
	assert_int_equal(ops->as_destroy(cpu0.pv, s.cr3), 0);
}

/* ---- two vCPUs in one space: no stale access after a flush has returned ---- */
static struct space shared;
static uint32_t stop_reader;
static uint64_t reader_faults, reader_reads, stale;
static uint64_t floor_value; /* every value below was flushed */

static void *reader(void *arg)
{
	struct cpu c = cpu_new(1);
	struct user_context *uc = task_new(&shared);

	own_vcpu = c.pv;
	while (!__atomic_load_n(&stop_reader, __ATOMIC_ACQUIRE)) {
		uint64_t least = __atomic_load_n(&floor_value, __ATOMIC_ACQUIRE);

		uc->regs.rip = CODE;
		uc->regs.rdi = DATA;
		if (ops->run_user(c.pv, uc))
			abort();
		if (uc->trap_kind == TRAP_SYSCALL) {
			reader_reads++;
			stale += uc->regs.orig_rax < least;
		} else {
			reader_faults++;
		}
	}
	return NULL;
}

static void test_two_vcpus(void **state)
{
	struct user_context *uc;
	uint64_t pa[2];
	pthread_t t;

	shared = space_new();
	uc = task_new(&shared);
	CODE_BYTES(&shared, 0x48, 0x8b, 0x07, 0x0f, 0x05);
	pa[0] = page_new();
	pa[1] = page_new();
	pte_of(shared.cr3, DATA);
	assert_int_equal(pthread_create(&t, NULL, reader, NULL), 0);
	for (uint64_t i = 1; i < 3000; i++) {
		*(uint64_t *)ram(pa[i & 1]) = i;
		__atomic_store_n(pte_of(shared.cr3, DATA), pa[i & 1] | P | U, __ATOMIC_RELEASE);
		if (i & 2) {
			uc->regs.rip = CODE;
			uc->regs.rdi = DATA;
			expect_syscall(uc);
			assert_int_equal(uc->regs.orig_rax, i);
		}
		__atomic_store_n(pte_of(shared.cr3, DATA), 0, __ATOMIC_RELEASE);
		flush(shared.cr3, DATA, PAGE_SIZE);
		__atomic_store_n(&floor_value, i + 1, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&stop_reader, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	printf("two vcpus: %lu reads, %lu faults, %lu stale\n", reader_reads, reader_faults, stale);
	assert_int_equal(stale, 0);
	assert_int_equal(ops->as_destroy(cpu0.pv, shared.cr3), 0);
}

/* Spaces come and go; what one mapped is not in the next. */
static void test_recycle(void **state)
{
	for (int i = 0; i < 40; i++) {
		struct space s = space_new();
		struct user_context *uc = task_new(&s);

		CODE_BYTES(&s, 0x48, 0x8b, 0x07, 0x0f, 0x05);
		uc->regs.rdi = DATA;
		expect_fault(uc, DATA, 4);
		*pte_of(s.cr3, DATA) = page_new() | P | U;
		expect_syscall(uc);
		assert_int_equal(uc->regs.orig_rax, 0);
		assert_int_equal(ops->as_destroy(cpu0.pv, s.cr3), 0);
	}
}

static void test_cost(void **state)
{
	enum { N = 20000 };
	struct space s = space_new();
	struct user_context *uc = task_new(&s);
	uint64_t t;

	CODE_BYTES(&s, 0x0f, 0x05, 0xeb, 0xfc);
	t = now_ns();
	for (int i = 0; i < N; i++)
		expect_syscall(uc);
	printf("system call trap: %.2f us\n", (double)(now_ns() - t) / N / 1000);
	assert_int_equal(ops->as_destroy(cpu0.pv, s.cr3), 0);
	t = now_ns();
	for (int i = 0; i < 200; i++) {
		s = space_new();
		uc = task_new(&s);
		CODE_BYTES(&s, 0x0f, 0x05);
		expect_syscall(uc);
		assert_int_equal(ops->as_destroy(cpu0.pv, s.cr3), 0);
	}
	printf("space from the pool: %.2f us\n", (double)(now_ns() - t) / 200 / 1000);
	{
		struct space many[100];

		t = now_ns();
		for (int i = 0; i < 100; i++) {
			many[i] = space_new();
			uc = task_new(&many[i]);
			CODE_BYTES(&many[i], 0x0f, 0x05);
			expect_syscall(uc);
		}
		printf("new space: %.2f us\n", (double)(now_ns() - t) / 100 / 1000);
		t = now_ns();
		for (int i = 0; i < 100; i++)
			assert_int_equal(ops->as_destroy(cpu0.pv, many[i].cr3), 0);
		printf("destroyed: %.2f us\n", (double)(now_ns() - t) / 100 / 1000);
	}
}

/* Busy vCPUs spread over the CPUs, although each shares one with its stub. Prints how long the same work takes. */
static void *worker(void *arg)
{
	struct cpu c = *(struct cpu *)arg;
	struct space s = space_new();
	struct user_context *uc = task_new(&s);

	/* 1: mov $100000,%ecx ; 2: dec %ecx ; jnz 2b ; syscall ; jmp 1b */
	CODE_BYTES(&s, 0xb9, 0xa0, 0x86, 0x01, 0x00, 0xff, 0xc9, 0x75, 0xfc, 0x0f, 0x05, 0xeb, 0xf3);
	own_vcpu = c.pv;
	for (int i = 0; i < 2000; i++)
		if (ops->run_user(c.pv, uc) || uc->trap_kind != TRAP_SYSCALL)
			abort();
	if (ops->as_destroy(c.pv, s.cr3))
		abort();
	return NULL;
}

static void test_parallel(void **state)
{
	struct cpu c[3];
	pthread_t t[3];
	uint64_t start = now_ns(), one, all;

	worker(&cpu0);
	one = now_ns() - start;
	start = now_ns();
	for (unsigned i = 0; i < 3; i++) {
		c[i] = cpu_new(i + 1);
		assert_int_equal(pthread_create(&t[i], NULL, worker, &c[i]), 0);
	}
	worker(&cpu0);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	all = now_ns() - start;
	printf("work of one vCPU: %lu ms alone, %lu ms beside three others (%ld CPUs)\n", one / 1000000, all / 1000000,
	    sysconf(_SC_NPROCESSORS_ONLN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syscall), cmocka_unit_test(test_faults), cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_file_window), cmocka_unit_test(test_fpu), cmocka_unit_test(test_recycle),
		cmocka_unit_test(test_two_vcpus), cmocka_unit_test(test_cost), cmocka_unit_test(test_kick),
		cmocka_unit_test(test_parallel),
	};

	return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
