/* SPDX-License-Identifier: Apache-2.0 */
/* The machine of the ptrace platform's tests (ptrace_machine.h). */
#include "ptrace_machine.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM_SIZE RAM_CHUNK_SIZE

const struct platform_ops *const ops = &platform_ptrace;
static struct platform_info info;
static int ram_fd;
int window_fd;
static uint64_t next_pa = BOOT_RESERVED_END;
bool vmm_debug;

void vmm_log(int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int vmm_memory_backing(uint64_t pa, int *fd, uint64_t *offset, uint64_t *len, int *prot)
{
	if (pa < RAM_SIZE) {
		*fd = ram_fd;
		*offset = pa;
		*len = RAM_SIZE - pa;
	} else if (pa >= FILEWIN_PA && pa < FILEWIN_PA + FILEWIN_SLOT_SIZE) {
		*fd = window_fd;
		*offset = pa - FILEWIN_PA;
		*len = FILEWIN_SLOT_SIZE - (pa - FILEWIN_PA);
	} else {
		return -EFAULT;
	}
	*prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	return 0;
}

void *ram(uint64_t pa) { return (void *)(DIRECT_BASE + pa); }

uint64_t pages_new(uint64_t bytes)
{
	return __atomic_fetch_add(&next_pa, (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1), __ATOMIC_RELAXED);
}

uint64_t page_new(void)
{
	uint64_t pa = pages_new(PAGE_SIZE);

	memset(ram(pa), 0, PAGE_SIZE);
	return pa;
}

uint64_t *pte_of(uint64_t cr3, uint64_t va)
{
	uint64_t *table = ram(cr3);

	for (int shift = 39; shift > 12; shift -= 9) {
		uint64_t *e = &table[va >> shift & 511];

		if (!*e)
			*e = page_new() | P | W | U;
		table = ram(*e & 0x000ffffffffff000UL);
	}
	return &table[va >> 12 & 511];
}

/* ---- vCPUs, spaces and tasks ---- */
struct cpu cpu0;
__thread struct platform_vcpu *own_vcpu;

/* Kicks, and the platform's own_vcpu timer. */
static void on_kick(int sig)
{
	if (own_vcpu)
		ops->vcpu_signal(own_vcpu);
}

struct cpu cpu_new(unsigned id)
{
	struct cpu c = {.v = ram(BOOT_VCPU_PA + id * PAGE_SIZE)};

	c.v->id = id;
	assert_int_equal(ops->vcpu_init(id, c.v, &c.pv), 0);
	return c;
}

struct space space_new(void)
{
	struct space s;

	s.cr3 = page_new();
	s.code_pa = page_new();
	*pte_of(s.cr3, CODE) = s.code_pa | P | U;
	assert_int_equal(ops->as_create(s.cr3), 0);
	return s;
}

struct user_context *task_new(const struct space *s)
{
	struct user_context *uc = ram(page_new());
	uint64_t fpu = pages_new(info.fpu_size);

	*(uint16_t *)ram(fpu) = 0x37f;
	*(uint32_t *)((char *)ram(fpu) + 24) = 0x1f80;
	uc->cr3 = s->cr3;
	uc->fpu = (uint64_t)ram(fpu);
	uc->fpu_size = info.fpu_size;
	uc->fpu_cpu = -1;
	uc->regs.rip = CODE;
	uc->regs.cs = 0x33;
	uc->regs.ss = 0x2b;
	uc->regs.rflags = 0x202;
	return uc;
}

void code(const struct space *s, const void *bytes, size_t n) { memcpy(ram(s->code_pa), bytes, n); }

int run(struct user_context *uc) { return ops->run_user(cpu0.pv, uc); }

void flush(uint64_t cr3, uint64_t start, uint64_t len)
{
	struct hc_flush f = {.nranges = 1, .range = {{start, start + len}}};

	assert_int_equal(ops->as_flush(cpu0.pv, cr3, &f), 0);
}

/* ---- around the tests ---- */
int machine_setup(void **state)
{
	struct platform_config cfg = {.kvm_fd = -1, .nr_vcpus = 4};
	struct sigaction sa = {.sa_handler = on_kick, .sa_flags = SA_RESTART};
	char name[] = "/tmp/runsc-test-XXXXXX";
	const char *why = "";

	if (platform_ptrace_probe(&why)) {
		print_error("ptrace: %s\n", why);
		return -1;
	}
	ram_fd = memfd_create("ram", MFD_CLOEXEC);
	window_fd = mkstemp(name);
	unlink(name);
	if (ram_fd < 0 || window_fd < 0 || ftruncate(ram_fd, RAM_SIZE) || ftruncate(window_fd, PAGE_SIZE))
		return -1;
	if (mmap((void *)DIRECT_BASE, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, ram_fd, 0) ==
	    MAP_FAILED)
		return -1;
	cfg.ram_fd = ram_fd;
	if (ops->init(&cfg, &info) || ops->add_memory(0, RAM_SIZE))
		return -1;
	cpu0 = cpu_new(0);
	own_vcpu = cpu0.pv;
	sigaction(KICK_SIGNAL, &sa, NULL);
	return 0;
}

int machine_teardown(void **state)
{
	ops->shutdown();
	return 0;
}
