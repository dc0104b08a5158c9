// SPDX-License-Identifier: Apache-2.0
/*
 * Does KVM notice what host stores did to page tables once platform/kvm has flushed? The rule leans on KVM's behaviour
 * rather than on a documented ABI, so this runs wherever a KVM does: software, shadow paging, nested paging.
 *
 *     page_tables [ROUNDS]      exit status 0: nothing stale; 1: something was; 77: no usable /dev/kvm
 *
 * Drives the platform's functions as the VMM does, with page tables made here instead of by the Sentry.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "platform/platform.h"

#define RAM_SIZE RAM_CHUNK_SIZE
#define PTE_P  1UL
#define PTE_W  2UL
#define PTE_U  4UL
#define PTE_A  0x20UL
#define PTE_D  0x40UL
#define USER_TABLE (PTE_P | PTE_W | PTE_U | PTE_A)
#define USER_PAGE  (USER_TABLE | PTE_D)

/* User addresses, one 2 MiB region (one leaf table) each. */
#define VA_CODE  0x400000UL
#define VA_TEST  0x600000UL
#define VA_SHARE 0x800000UL
#define VA_MOVE  0xa00000UL

bool vmm_debug;
void vmm_tsc_unusable(const char *why) {}
void vmm_log(int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int vmm_memory_backing(uint64_t pa, int *fd, uint64_t *offset, uint64_t *len, int *prot) { return -EFAULT; }

/* Ring-3 code. */
extern const char code_start[], code_end[], code_read[], code_write[], code_follow[], code_spin[], code_xmm[];
__asm__(".section .rodata\n"
	"code_start:\n"
	".balign 16\ncode_read: mov (%rdi), %rbx\n mov $1000, %eax\n syscall\n ud2\n"
	".balign 16\ncode_write: mov %rsi, (%rdi)\n mov $1001, %eax\n syscall\n ud2\n"
	/* copy *rdi to *rsi and count, for ever */
	".balign 16\ncode_follow: mov (%rdi), %rax\n mov %rax, (%rsi)\n incq 8(%rsi)\n jmp code_follow\n"
	".balign 16\ncode_spin: incq (%rsi)\n jmp code_spin\n"
	/* xmm0 += rdi, result in rbx */
	".balign 16\ncode_xmm: movq %rdi, %xmm1\n paddq %xmm1, %xmm0\n movq %xmm0, %rbx\n mov $1002, %eax\n syscall\n ud2\n"
	"code_end:\n.text\n");

static uint8_t *const ram = (uint8_t *)DIRECT_BASE;
static uint64_t next_pa = BOOT_RESERVED_END;
static struct platform_info info;
static uint64_t pml4;
static struct vcpu *const shared[2] = { (struct vcpu *)(DIRECT_BASE + BOOT_VCPU_PA),
	(struct vcpu *)(DIRECT_BASE + BOOT_VCPU_PA + PAGE_SIZE) };
static __thread struct platform_vcpu *self;
static unsigned failures;

static void check(bool ok, const char *fmt, ...)
{
	va_list ap;

	if (ok)
		return;
	if (failures++ < 20) {
		va_start(ap, fmt);
		printf("FAIL: ");
		vprintf(fmt, ap);
		printf("\n");
		va_end(ap);
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static uint64_t new_page(void)
{
	uint64_t pa = next_pa;

	next_pa += PAGE_SIZE;
	if (next_pa > RAM_SIZE) {
		fprintf(stderr, "out of test memory\n");
		exit(1);
	}
	return pa;
}

static uint64_t *entry_at(uint64_t table, unsigned index) { return (uint64_t *)(ram + table) + index; }

/* The leaf entry of va; tables on the way are made. */
static uint64_t *leaf(uint64_t va, uint64_t *table_pa)
{
	uint64_t table = pml4;

	for (int shift = 39; shift > 12; shift -= 9) {
		uint64_t *e = entry_at(table, va >> shift & 511);
		if (!*e)
			*e = new_page() | USER_TABLE;
		table = *e & ~0xfffUL;
	}
	if (table_pa)
		*table_pa = table;
	return entry_at(table, va >> 12 & 511);
}

static volatile uint64_t *word(uint64_t pa) { return (uint64_t *)(ram + pa); }

static void flush(uint64_t start, uint64_t end, uint64_t table)
{
	struct hc_flush f = { .nranges = 1, .nptpages = 1 };
	int rc;

	f.range[0].start = start;
	f.range[0].end = end;
	f.ptpage[0] = table;
	rc = platform_kvm.as_flush(self, pml4, &f);
	check(!rc, "as_flush: %s", strerror(-rc));
}

static void context(struct user_context *uc, const char *code, uint64_t rdi, uint64_t rsi)
{
	static uint64_t areas[8];
	static _Atomic unsigned n;
	unsigned i = atomic_fetch_add(&n, 1) % 8;

	if (!areas[i])
		areas[i] = new_page(), new_page(), new_page();
	memset(uc, 0, sizeof(*uc));
	uc->cr3 = pml4;
	uc->fpu = DIRECT_BASE + areas[i];
	uc->fpu_size = info.fpu_size;
	uc->fpu_cpu = -1;
	memset((void *)uc->fpu, 0, info.fpu_size);
	*(uint16_t *)uc->fpu = 0x37f;
	*(uint32_t *)(uc->fpu + 24) = 0x1f80;
	*(uint64_t *)(uc->fpu + 512) = 3;
	uc->regs.rip = VA_CODE + (code - code_start);
	uc->regs.rdi = rdi;
	uc->regs.rsi = rsi;
	uc->regs.rflags = 0x202;
}

/* Restarts the context at code and runs to its trap. */
static int go(struct user_context *uc, const char *code, uint64_t rdi, uint64_t rsi)
{
	int rc;

	uc->regs.rip = VA_CODE + (code - code_start);
	uc->regs.rdi = rdi;
	uc->regs.rsi = rsi;
	do {
		rc = platform_kvm.run_user(self, uc);
	} while (!rc && uc->trap_kind == TRAP_KICK && !(shared[0]->kick_pending = 0));
	check(!rc, "run_user: %s", strerror(-rc));
	return rc ? rc : (int)uc->trap_kind;
}

/* ---- one vCPU ---------------------------------------------------------------------------------------------- */

static void test_traps(struct user_context *uc)
{
	uint64_t *e = leaf(VA_TEST, NULL), frame = new_page();

	*e = 0;
	check(go(uc, code_read, VA_TEST, 0) == TRAP_PAGE_FAULT && uc->trap_addr == VA_TEST &&
	      uc->trap_error == PF_USER, "read of an absent page: kind %u addr %#lx error %#lx", uc->trap_kind,
	      uc->trap_addr, uc->trap_error);
	*e = frame | (USER_PAGE & ~PTE_W);
	*word(frame) = 77;
	check(go(uc, code_read, VA_TEST, 0) == TRAP_SYSCALL && uc->regs.rbx == 77 && uc->regs.orig_rax == 1000,
	      "read: kind %u rbx %lu nr %lu", uc->trap_kind, uc->regs.rbx, uc->regs.orig_rax);
	check(uc->regs.rip == uc->regs.rcx && (uc->regs.r11 & ~0x10000UL) == (uc->regs.rflags & ~0x10000UL),
	      "syscall state: rip %#lx rcx %#lx", uc->regs.rip, uc->regs.rcx);
	check(go(uc, code_write, VA_TEST, 78) == TRAP_PAGE_FAULT && uc->trap_error == (PF_USER | PF_WRITE | PF_PRESENT),
	      "write to a read-only page: kind %u error %#lx", uc->trap_kind, uc->trap_error);
	*e |= PTE_W; /* more permissive: no flush needed */
	check(go(uc, code_write, VA_TEST, 78) == TRAP_SYSCALL && *word(frame) == 78, "write after it became writable");
	uc->regs.rip = uc->regs.rip; /* at ud2 */
	check(!platform_kvm.run_user(self, uc) && uc->trap_kind == TRAP_EXCEPTION && uc->trap_vector == 6,
	      "ud2: kind %u vector %u", uc->trap_kind, uc->trap_vector);
	check(go(uc, code_read, 0x8000000000000000UL, 0) == TRAP_EXCEPTION && uc->trap_vector == 13,
	      "non-canonical address: kind %u vector %u", uc->trap_kind, uc->trap_vector);
	check(go(uc, code_read, DIRECT_BASE, 0) == TRAP_PAGE_FAULT && (uc->trap_error & PF_USER),
	      "the Sentry's memory is out of reach: kind %u", uc->trap_kind);
}

static void test_edits(struct user_context *uc, unsigned rounds)
{
	uint64_t a = new_page(), b = new_page(), table, *e = leaf(VA_TEST, &table);
	unsigned stale = 0;
	double t0 = now();

	*e = a | USER_PAGE;
	flush(VA_TEST, VA_TEST + PAGE_SIZE, table);
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t f = i & 1 ? a : b;

		*word(f) = 1000 + i;
		__atomic_store_n(e, f | USER_PAGE, __ATOMIC_RELEASE);
		flush(VA_TEST, VA_TEST + PAGE_SIZE, table);
		*word(f == a ? b : a) = 1; /* whoever reads the old frame sees this */
		stale += go(uc, code_read, VA_TEST, 0) != TRAP_SYSCALL || uc->regs.rbx != 1000 + i;
		if (i % 4 == 1) { /* to read-only */
			*e &= ~PTE_W;
			flush(VA_TEST, VA_TEST + PAGE_SIZE, table);
			stale += go(uc, code_write, VA_TEST, 5) != TRAP_PAGE_FAULT;
		}
		if (i % 4 == 3) { /* absent */
			*e = 0;
			flush(VA_TEST, VA_TEST + PAGE_SIZE, table);
			stale += go(uc, code_read, VA_TEST, 0) != TRAP_PAGE_FAULT;
		}
	}
	printf("single entries: %u stale of %u rounds, %.1f us each\n", stale, rounds, (now() - t0) * 1e6 / rounds);
	check(!stale, "single entries");
}

static void test_whole_table(struct user_context *uc, unsigned rounds)
{
	uint64_t frames[2][512], table, *e = leaf(VA_TEST, &table);
	unsigned stale = 0, reads = 0;

	for (int s = 0; s < 2; s++)
		for (int i = 0; i < 512; i++)
			*word(frames[s][i] = new_page()) = s * 1000 + i;
	for (unsigned r = 0; r < rounds; r++) {
		for (int i = 0; i < 512; i++)
			__atomic_store_n(&e[i], frames[r & 1][i] | USER_PAGE, __ATOMIC_RELAXED);
		flush(VA_TEST, VA_TEST + 512 * PAGE_SIZE, table);
		for (unsigned i = r % 7; i < 512; i += 37, reads++)
			stale += go(uc, code_read, VA_TEST + i * PAGE_SIZE, 0) != TRAP_SYSCALL || uc->regs.rbx != (r & 1) * 1000 + i;
	}
	printf("whole tables: %u stale of %u reads\n", stale, reads);
	check(!stale, "whole tables");
}

/* A leaf table is freed and used again, elsewhere, with other entries. */
static void test_recycled(struct user_context *uc, unsigned rounds)
{
	uint64_t table = new_page(), frame[2] = { new_page(), new_page() }, pd;
	uint64_t *dir;
	unsigned stale = 0;

	leaf(VA_MOVE, NULL);
	pd = *entry_at(*entry_at(pml4, 0) & ~0xfffUL, 0) & ~0xfffUL;
	dir = entry_at(pd, 0);
	for (unsigned r = 0; r < rounds; r++) {
		uint64_t va = VA_MOVE + (r % 3) * 0x200000;
		unsigned slot = r * 5 % 512;
		struct hc_flush f = { .nranges = 1, .nptpages = 2, .range[0] = { va, va + 0x200000 }, .ptpage = { pd, table } };

		memset(ram + table, 0, PAGE_SIZE);
		*word(frame[r & 1]) = 5000 + r;
		for (int i = 0; i < 512; i++)
			*entry_at(table, i) = frame[r & 1] | USER_PAGE;
		dir[va >> 21] = table | USER_TABLE;
		if (go(uc, code_read, va + slot * PAGE_SIZE, 0) != TRAP_SYSCALL || uc->regs.rbx != 5000 + r)
			stale++;
		dir[va >> 21] = 0;
		check(!platform_kvm.as_flush(self, pml4, &f), "as_flush of a freed table");
		if (go(uc, code_read, va + slot * PAGE_SIZE, 0) != TRAP_PAGE_FAULT)
			stale++;
	}
	printf("recycled tables: %u stale of %u rounds\n", stale, rounds);
	check(!stale, "recycled tables");
}

/* Address spaces come and go over the same few frames: each frame is a table of every level, and data, in turn. */
static void test_address_spaces(struct user_context *uc, unsigned rounds)
{
	uint64_t pages[5], code = *leaf(VA_CODE, NULL) & ~0xfffUL, home = pml4;
	unsigned stale = 0, purges = 0;
	int rc;
	double t0 = now();

	for (int i = 0; i < 5; i++)
		pages[i] = new_page();
	for (unsigned r = 0; r < rounds; r++) {
		uint64_t *p[4], data = pages[(r + 4) % 5], root = pages[r % 5];

		for (int i = 0; i < 5; i++)
			memset(ram + pages[i], 0, PAGE_SIZE);
		for (int i = 0; i < 4; i++)
			p[i] = entry_at(pages[(r + i) % 5], 0);
		memcpy(p[0] + WINDOW_PML4_FIRST, info.kernel_pml4, sizeof(info.kernel_pml4));
		p[0][0] = pages[(r + 1) % 5] | USER_TABLE;
		p[1][0] = pages[(r + 2) % 5] | USER_TABLE;
		/* One leaf table serves as the region of the code and of the test: entry 0 and the others. */
		p[2][VA_CODE >> 21] = p[2][VA_TEST >> 21] = pages[(r + 3) % 5] | USER_TABLE;
		p[3][0] = code | (USER_PAGE & ~PTE_W);
		p[3][1 + r % 7] = data | USER_PAGE;
		*word(data) = 9000 + r;
		check(!platform_kvm.as_create(root), "as_create");
		uc->cr3 = root;
		stale += go(uc, code_read, VA_TEST + (1 + r % 7) * PAGE_SIZE, 0) != TRAP_SYSCALL || uc->regs.rbx != 9000 + r;
		stale += go(uc, code_write, VA_TEST + (1 + r % 7) * PAGE_SIZE, r) != TRAP_SYSCALL || *word(data) != r;
		stale += go(uc, code_read, VA_TEST + (1 + (r + 1) % 7) * PAGE_SIZE, 0) != TRAP_PAGE_FAULT;
		rc = platform_kvm.as_destroy(self, root);
		purges += rc == 1;
		if (rc == 1)
			rc = platform_kvm.as_purge();
		check(!rc, "as_destroy: %d", rc);
	}
	uc->cr3 = home;
	printf("address spaces: %u stale of %u, %u by dropping all shadows, %.1f us each\n", stale, rounds, purges,
	       (now() - t0) * 1e6 / rounds);
	check(!stale, "address spaces");
}

static void test_fpu(struct user_context *uc, unsigned rounds)
{
	struct user_context *other = (struct user_context *)(ram + new_page());
	uint64_t sum[2] = { 0, 0 };
	unsigned wrong = 0;

	context(other, code_xmm, 0, 0);
	uc->fpu_cpu = -1;
	for (unsigned i = 0; i < rounds; i++) {
		struct user_context *c = i % 3 ? uc : other;

		if (i % 5 == 0)
			check(!platform_kvm.fpu_save(self, uc), "fpu_save");
		sum[c == uc] += i;
		wrong += go(c, code_xmm, i, 0) != TRAP_SYSCALL || c->regs.rbx != sum[c == uc];
	}
	check(!platform_kvm.fpu_save(self, other), "fpu_save");
	check(*(uint64_t *)(other->fpu + 160) == sum[0] || uc->fpu_cpu == 0, "xmm0 in memory");
	printf("FPU state: %u wrong of %u switches\n", wrong, rounds);
	check(!wrong, "FPU state");
}

/* ---- two vCPUs --------------------------------------------------------------------------------------------- */

static _Atomic bool stop;
static _Atomic int ready;
static pthread_t thread_b;
static struct platform_vcpu *vcpu_b;
static __thread struct platform_vcpu *signal_target;
static unsigned b_faults;

static void on_kick(int sig)
{
	if (signal_target)
		platform_kvm.vcpu_signal(signal_target);
}

static void *run_b(void *arg)
{
	struct user_context *uc = arg;
	sigset_t s;
	int rc = platform_kvm.vcpu_init(1, shared[1], &self);

	vcpu_b = signal_target = self;
	sigemptyset(&s);
	sigaddset(&s, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &s, NULL);
	atomic_store(&ready, rc ? -1 : 1);
	while (!rc && !atomic_load(&stop)) {
		__atomic_exchange_n(&shared[1]->kick_pending, 0, __ATOMIC_SEQ_CST);
		rc = platform_kvm.run_user(self, uc);
		if (!rc && uc->trap_kind == TRAP_PAGE_FAULT)
			b_faults++;
		else if (!rc && uc->trap_kind != TRAP_KICK)
			check(false, "second vCPU: kind %u", uc->trap_kind);
	}
	check(!rc, "second vCPU: %s", strerror(-rc));
	return NULL;
}

static void kick_b(void)
{
	__atomic_store_n(&shared[1]->kick_pending, 1, __ATOMIC_SEQ_CST);
	platform_kvm.kick(vcpu_b);
	pthread_kill(thread_b, KICK_SIGNAL);
}

/* Where two that spin share a CPU, each round takes their time slices: then some of the rounds will do. */
static bool enough(unsigned done, unsigned rounds, double since)
{
	return done >= rounds || (done >= rounds / 10 && now() - since > 5);
}

static bool wait_progress(volatile uint64_t *counter, uint64_t from)
{
	double t0 = now();

	while (*counter == from)
		if (now() - t0 > 60) /* as with kicks: the host may have other things to do */
			return false;
	return true;
}

static void test_second_vcpu(unsigned rounds)
{
	struct user_context *uc = (struct user_context *)(ram + new_page());
	uint64_t a = new_page(), b = new_page(), report = new_page(), table, *e = leaf(VA_TEST, &table);
	volatile uint64_t *seen = word(report);
	unsigned stale = 0, stuck = 0, done;
	double t0;

	*leaf(VA_SHARE, NULL) = report | USER_PAGE;
	*word(a) = 1;
	*e = a | USER_PAGE;
	flush(VA_TEST, VA_TEST + PAGE_SIZE, table);
	context(uc, code_follow, VA_TEST, VA_SHARE);
	pthread_create(&thread_b, NULL, run_b, uc);
	while (!atomic_load(&ready))
		usleep(100);
	if (!wait_progress(seen + 1, 0))
		check(false, "the second vCPU does not run");
	t0 = now();
	for (done = 0; !enough(done, rounds, t0) && stuck < 3; done++) {
		unsigned i = done + 2;
		uint64_t f = i & 1 ? a : b, old = f == a ? b : a, count;

		*word(f) = i;
		__atomic_store_n(e, f | USER_PAGE, __ATOMIC_RELEASE);
		flush(VA_TEST, VA_TEST + PAGE_SIZE, table);
		*word(old) = 0xdead; /* nobody may read the old frame any more */
		count = seen[1];
		if (!wait_progress(seen + 1, count) || !wait_progress(seen + 1, count + 1))
			stuck++;
		stale += *seen != i;
	}
	printf("remaps under a second vCPU: %u stale of %u, %.1f us each; %u stuck\n", stale, done,
	       (now() - t0) * 1e6 / done, stuck);
	check(!stale && !stuck, "remaps under a second vCPU");
}

static void test_kicks(unsigned rounds)
{
	unsigned lost = 0, i;
	double begin = now();

	for (i = 0; !enough(i, rounds, begin) && lost < 3; i++) {
		double t0 = now();

		if (i % 3 == 0)
			for (volatile int k = 0; k < (int)(i * 7919 % 30000); k++)
				;
		kick_b();
		while (__atomic_load_n(&shared[1]->kick_pending, __ATOMIC_SEQ_CST)) {
			if (now() - t0 > 20) { /* long enough for a thread that the host does not run; a lost one never comes */
				lost++;
				break;
			}
		}
	}
	printf("kicks: %u lost of %u\n", lost, i);
	check(!lost, "kicks");
}

/* RAM grows past 4 GiB, just below which KVM has a page of its own for some CPUs, if it is let. Nothing lies behind the slot. */
static void test_growth(void)
{
	check(!platform_kvm.add_memory((4UL << 30) - RAM_CHUNK_SIZE, RAM_CHUNK_SIZE), "a slot below 4 GiB");
}

/* ---- set up -------------------------------------------------------------------------------------------------- */

static int set_up(void)
{
	struct platform_config cfg = { .nr_vcpus = 2 };
	const char *why = "";
	uint64_t code;
	int rc;

	cfg.kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (platform_kvm_probe(cfg.kvm_fd, &why)) {
		printf("skipped: %s\n", why);
		exit(77);
	}
	cfg.ram_fd = memfd_create("ram", MFD_CLOEXEC);
	if (cfg.ram_fd < 0 || ftruncate(cfg.ram_fd, RAM_SIZE) ||
	    mmap(ram, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, cfg.ram_fd, 0) == MAP_FAILED)
		return -errno;
	rc = platform_kvm.init(&cfg, &info);
	if (!rc)
		rc = platform_kvm.add_memory(0, RAM_SIZE);
	if (!rc)
		rc = platform_kvm.vcpu_init(0, shared[0], &self);
	if (rc)
		return rc;
	signal_target = self;
	pml4 = new_page();
	memcpy(entry_at(pml4, WINDOW_PML4_FIRST), info.kernel_pml4, sizeof(info.kernel_pml4));
	code = new_page();
	memcpy(ram + code, code_start, code_end - code_start);
	*leaf(VA_CODE, NULL) = code | (USER_PAGE & ~PTE_W);
	return platform_kvm.as_create(pml4);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;
	struct user_context *uc;
	struct sigaction sa = { .sa_handler = on_kick };
	int rc;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(KICK_SIGNAL, &sa, NULL);
	rc = set_up();
	if (rc) {
		printf("FAIL: set-up: %s\n", strerror(-rc));
		return 1;
	}
	uc = (struct user_context *)(ram + new_page());
	context(uc, code_read, 0, 0);
	test_traps(uc);
	test_edits(uc, rounds);
	test_whole_table(uc, 20);
	test_recycled(uc, rounds);
	test_address_spaces(uc, rounds);
	test_fpu(uc, rounds);
	test_second_vcpu(rounds);
	test_kicks(10 * rounds);
	test_growth();
	atomic_store(&stop, true);
	kick_b();
	pthread_join(thread_b, NULL);
	printf("%s: %u failures\n", failures ? "FAIL" : "ok", failures);
	return failures ? 1 : 0;
}
