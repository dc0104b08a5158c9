/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile ring 3: privileged instructions, software interrupts, odd registers brought in by sigreturn, the single-step
 * and alignment flags across system calls, segments. The program dies, or goes on, exactly as on Linux on hardware without
 * 32-bit emulation where the two could differ.
 */
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ucontext.h>

#include "abi.h"
#include "faults.h"
#include "x86.h"

static sigjmp_buf back;
static volatile int got_signo, got_code;
static volatile uint64_t got_addr, got_rip;

static void on_fault(int signo, siginfo_t *si, void *ctx)
{
	const ucontext_t *uc = ctx;

	got_signo = signo;
	got_code = si->si_code;
	got_addr = (uint64_t)si->si_addr;
	got_rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
	siglongjmp(back, 1);
}

/* The signal that the code raises, 0: none. */
#define SIGNAL_OF(...) ({ \
	got_signo = got_code = 0; \
	if (!sigsetjmp(back, 1)) { \
		__VA_ARGS__; \
	} \
	got_signo; })
#define INSN(text) SIGNAL_OF(__asm__ volatile(text ::: "rax", "rbx", "rcx", "rdx", "memory", "cc"))

/* ---- instructions ---- */
static void privileged(void)
{
	catch_faults(on_fault);
	CHECK(INSN("hlt") == SIGSEGV && got_code == SI_KERNEL && got_addr == 0);
	CHECK(INSN("cli") == SIGSEGV);
	CHECK(INSN("sti") == SIGSEGV);
	CHECK(INSN("mov %%cr0, %%rax") == SIGSEGV);
	CHECK(INSN("mov %%cr3, %%rax") == SIGSEGV);
	CHECK(INSN("xor %%eax, %%eax; mov %%rax, %%cr3") == SIGSEGV);
	CHECK(INSN("mov %%cr4, %%rax") == SIGSEGV);
	CHECK(INSN("mov %%rax, %%cr8") == SIGSEGV);
	CHECK(INSN("mov %%dr7, %%rax") == SIGSEGV);
	CHECK(INSN("mov $0xc0000082, %%ecx; rdmsr") == SIGSEGV);
	CHECK(INSN("mov $0xc0000082, %%ecx; wrmsr") == SIGSEGV);
	CHECK(INSN("invlpg (%%rsp)") == SIGSEGV);
	CHECK(INSN("wbinvd") == SIGSEGV);
	CHECK(INSN("clts") == SIGSEGV);
	CHECK(INSN("lgdt (%%rsp)") == SIGSEGV);
	CHECK(INSN("lidt (%%rsp)") == SIGSEGV);
	CHECK(INSN("xor %%eax, %%eax; lldt %%ax") == SIGSEGV);
	CHECK(INSN("mov $0x40, %%eax; ltr %%ax") == SIGSEGV);
	CHECK(INSN("mov $1, %%eax; lmsw %%ax") == SIGSEGV);
	CHECK(INSN("swapgs") == SIGSEGV);
	CHECK(INSN("sysretq") == SIGSEGV);
	CHECK(INSN("xor %%ecx, %%ecx; xor %%edx, %%edx; mov $7, %%eax; xsetbv") == (cpu_has_xsave() ? SIGSEGV : SIGILL));
	CHECK(INSN("ud2") == SIGILL && got_code == ILL_ILLOPN && got_addr == got_rip);
	let_faults_kill();
}

static void io_ports(void)
{
	catch_faults(on_fault);
	for (unsigned port = 0; port < 0x100; port++) {
		CHECK(SIGNAL_OF(__asm__ volatile("out %%al, %%dx" ::"d"(port), "a"(0))) == SIGSEGV);
		CHECK(SIGNAL_OF(__asm__ volatile("in %%dx, %%eax" ::"d"(port) : "rax")) == SIGSEGV);
	}
	let_faults_kill();
}

/* int n: breakpoints trap, everything else is a protection fault. Left out: int $0x80, since Linux may have 32-bit
 * emulation, and the vectors 22 to 27, reserved ones that a software KVM was seen to take as calls to itself. */
static void software_interrupts(void)
{
	uint8_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile unsigned bad = 0, odd = 0;

	REQUIRE(code != MAP_FAILED);
	catch_faults(on_fault);
	for (unsigned n = 0; n < 256; n++) {
		int signo;

		if (n == 0x80 || (n >= 22 && n <= 27))
			continue;
		code[0] = 0xcd;
		code[1] = (uint8_t)n;
		code[2] = 0xc3;
		signo = SIGNAL_OF(((void (*)(void))code)());
		if (n == 3)
			CHECK(signo == SIGTRAP && got_rip == (uint64_t)code + 2);
		else if (n == 4)
			CHECK(signo == SIGSEGV);
		else if (signo != SIGSEGV || got_code != SI_KERNEL || got_rip != (uint64_t)code)
			odd = bad++ ? odd : n; /* one line for all of them */
	}
	if (!CHECK(!bad))
		printf("int $%#x and %u others\n", odd, bad - 1);
	code[0] = 0xf1; /* int1 */
	code[1] = 0xc3;
	CHECK(cpu_is_tcg() || SIGNAL_OF(((void (*)(void))code)()) == SIGTRAP);
	let_faults_kill();
	munmap(code, 4096);
}

/* ---- memory that is not the program's ---- */
static void foreign_memory(void)
{
	static const uint64_t places[] = {0x680000000000, 0x690000000000, 0x690000150000, 0x6900c0000000, 0x694000000000,
		0x6f8000000000, 0x6f8000001000, 0x6fffffffe000, 0xffff800000000000, 0xffffffff81000000, 0xffffffffff5fe000};

	catch_faults(on_fault);
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		volatile uint64_t *p = (volatile uint64_t *)places[i];

		CHECK(SIGNAL_OF((void)*p) == SIGSEGV && got_addr == places[i]);
		CHECK(SIGNAL_OF(*p = 1) == SIGSEGV && got_addr == places[i]);
		/* Jumping to the system-call entry may be a system call where KVM is software, which is as good. */
		if (places[i] != 0x6f8000000000)
			CHECK(SIGNAL_OF(((void (*)(void))(uintptr_t)places[i])()) == SIGSEGV && got_rip == places[i]);
		errno = 0;
		CHECK(write(-1, (void *)places[i], 8) == -1 && errno == EBADF);
		CHECK(syscall(SYS_getcwd, places[i], 4096) == -1 && errno == EFAULT);
	}
	let_faults_kill();
}

/* ---- registers from a signal frame ---- */
enum change { RIP_NONCANONICAL, RSP_NONCANONICAL, FLAGS_IOPL, FLAGS_NT, SELECTORS, MXCSR, XSTATE, RIP_KERNEL };
static enum change change;
static volatile int stage;

/* Kernel's layout of the area behind the 512 bytes of FXSAVE. */
static void spoil_fpu(ucontext_t *uc)
{
	uint8_t *fp = (uint8_t *)uc->uc_mcontext.fpregs;
	uint32_t mxcsr = 0xffffffff;
	uint64_t ones = ~0UL;

	if (change == MXCSR) {
		memcpy(fp + 24, &mxcsr, sizeof(mxcsr));
	} else {
		memcpy(fp + 512, &ones, sizeof(ones)); /* xstate_bv */
		memcpy(fp + 512 + 16, &ones, sizeof(ones));
	}
}

static void on_change(int signo, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;
	greg_t *g = uc->uc_mcontext.gregs;

	if (signo != SIGUSR1) {
		on_fault(signo, si, ctx);
		return;
	}
	stage = 1;
	switch (change) {
	case RIP_NONCANONICAL:
		g[REG_RIP] = 0x0000800000000000;
		break;
	case RIP_KERNEL:
		g[REG_RIP] = (greg_t)0xffff800000000000;
		break;
	case RSP_NONCANONICAL:
		g[REG_RSP] = (greg_t)0x8000000000000000;
		break;
	case FLAGS_IOPL:
		g[REG_EFL] |= 0x3000 | 0x20000 | 0x80000 | 0x100000; /* IOPL VM VIF VIP */
		break;
	case FLAGS_NT:
		g[REG_EFL] |= 0x40000 | 0x400; /* AC DF, which a program may have */
		break;
	case SELECTORS:
		g[REG_CSGSFS] = (g[REG_CSGSFS] & ~0xffffL) | 0x10;
		break;
	case MXCSR:
	case XSTATE:
		spoil_fpu(uc);
		break;
	}
}

/* Sends itself a signal whose handler changes the context that is returned to. */
static int changed(enum change c)
{
	struct sigaction sa = {.sa_sigaction = on_change, .sa_flags = SA_SIGINFO};

	change = c;
	stage = 0;
	sigaction(SIGUSR1, &sa, NULL);
	return SIGNAL_OF(raise(SIGUSR1));
}

static void sigreturn_registers(void)
{
	int signo;

	catch_faults(on_fault);
	CHECK(changed(RIP_NONCANONICAL) == SIGSEGV && got_rip == 0x0000800000000000);
	CHECK(changed(RIP_KERNEL) == SIGSEGV && got_rip == 0xffff800000000000);
	signo = changed(RSP_NONCANONICAL); /* the next push: a stack fault */
	CHECK(signo == SIGBUS || signo == SIGSEGV);
	CHECK(changed(FLAGS_IOPL) == 0 && stage == 1);
	CHECK(INSN("cli") == SIGSEGV);
	let_faults_kill();
}

/* A child does it, since it may die of it or go on as the kernel likes: never more than that. */
static int status_of(void (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		fn();
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static void bad_selectors(void) { changed(SELECTORS); }
static void bad_mxcsr(void) { changed(MXCSR); }
static void bad_xstate(void) { changed(XSTATE); }

static void sigreturn_garbage(void)
{
	int status = status_of(bad_selectors);
	uint32_t mxcsr;

	CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGSEGV : WIFEXITED(status));
	status = status_of(bad_mxcsr);
	CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGSEGV : WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = status_of(bad_xstate);
	CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGSEGV : WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* Whatever became of them: the FPU of this process is whole. */
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	CHECK((mxcsr & 0x1f80) == 0x1f80 && !(mxcsr & 0x6000));
}

/* ---- flags ---- */
static uint64_t flags_after(uint64_t set)
{
	uint64_t flags, nr = SYS_getppid;

	__asm__ volatile("pushfq; orq %[set], (%%rsp); popfq\n\tsyscall\n\tpushfq; pop %[flags]\n\t"
			 "push %[flags]; andq %[clear], (%%rsp); popfq; cld"
			 : [flags] "=&r"(flags), "+a"(nr)
			 : [set] "r"(set), [clear] "r"(~set)
			 : "rcx", "r11", "memory", "cc");
	return flags;
}

static void flags_across_system_calls(void)
{
	CHECK((flags_after(0x400) & 0x400) == 0x400);       /* DF */
	CHECK((flags_after(0x40000) & 0x40000) == 0x40000); /* AC */
	CHECK(flags_after(0x4000) & 0x200);                 /* NT: does no harm; a software KVM loses it */
	CHECK((flags_after(0x200000) & 0x200000) == 0x200000); /* ID */
	CHECK((flags_after(0x3000) & 0x3000) == 0);         /* IOPL is not ours to set */
	CHECK((flags_after(0) & 0x200) == 0x200);           /* IF stays on */
}

static volatile unsigned steps;
static volatile uint64_t last_step;

static void on_step(int signo, siginfo_t *si, void *ctx)
{
	const ucontext_t *uc = ctx;

	steps++;
	last_step = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
}

/* Single steps through a system call: every instruction of ring 3 counts once, none of the kernel does. */
static void single_step(void)
{
	struct sigaction sa = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
	uint64_t nr = SYS_getppid;

	sigaction(SIGTRAP, &sa, NULL);
	steps = 0;
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq\n\tnop\n\tsyscall\n\tnop\n\tnop\n\t"
			 "pushfq; andq $~0x100, (%%rsp); popfq\n\tnop"
			 : "+a"(nr)
			 :
			 : "rcx", "r11", "memory", "cc");
	CHECK(steps >= 6 && steps <= 8);
	CHECK((pid_t)nr == getppid());
	signal(SIGTRAP, SIG_DFL);
}

static void alignment_check(void)
{
	static uint64_t buf[2];

	if (cpu_is_tcg())
		return;
	catch_faults(on_fault);
	CHECK(SIGNAL_OF(__asm__ volatile("pushfq; orq $0x40000, (%%rsp); popfq\n\tmov 1(%0), %%rax\n\t"
					 "pushfq; andq $~0x40000, (%%rsp); popfq" ::"r"(buf) : "rax", "memory", "cc")) == SIGBUS &&
	      got_code == BUS_ADRALN);
	__asm__ volatile("pushfq; andq $~0x40000, (%%rsp); popfq" ::: "memory", "cc");
	let_faults_kill();
}

/* ---- segments ---- */
static void segments(void)
{
	uint16_t sel;

	catch_faults(on_fault);
	/* Null and the user's data segment may be loaded, the kernel's may not. */
	CHECK(SIGNAL_OF(__asm__ volatile("xor %%eax, %%eax; mov %%eax, %%ds; mov %%eax, %%es" ::: "rax")) == 0);
	CHECK(SIGNAL_OF(__asm__ volatile("mov $0x2b, %%eax; mov %%eax, %%ds; mov %%eax, %%es" ::: "rax")) == 0);
	CHECK(SIGNAL_OF(__asm__ volatile("mov $0x18, %%eax; mov %%eax, %%ds" ::: "rax")) == SIGSEGV);
	CHECK(SIGNAL_OF(__asm__ volatile("mov $0x10, %%eax; mov %%eax, %%es" ::: "rax")) == SIGSEGV);
	CHECK(SIGNAL_OF(__asm__ volatile("mov $0x40, %%eax; mov %%eax, %%ss" ::: "rax")) == SIGSEGV);
	CHECK(SIGNAL_OF(__asm__ volatile("mov $7, %%eax; mov %%eax, %%ds" ::: "rax")) == SIGSEGV); /* no local table */
	CHECK(cpu_is_tcg() ||
	      SIGNAL_OF(__asm__ volatile("pushq $0x10; lea 1f(%%rip), %%rax; pushq %%rax; lretq; 1:" ::: "rax", "memory")) == SIGSEGV);
	__asm__ volatile("mov %%cs, %0" : "=r"(sel));
	CHECK(sel == 0x33);
	__asm__ volatile("mov %%ss, %0" : "=r"(sel));
	CHECK(sel == 0x2b);
	let_faults_kill();
}

/* A child with the registers of the stack gone: a system call works all the same. */
static void odd_stack(void)
{
	uint64_t nr = SYS_getppid, saved;

	__asm__ volatile("mov %%rsp, %[saved]; mov $0x8000000000000000, %%rsp; syscall; mov %[saved], %%rsp"
			 : "+a"(nr), [saved] "=&r"(saved)
			 :
			 : "rcx", "r11", "memory", "cc");
	CHECK((pid_t)nr == getppid());
	nr = SYS_getppid;
	__asm__ volatile("mov %%rsp, %[saved]; mov $0x690000c00000, %%rsp; syscall; mov %[saved], %%rsp"
			 : "+a"(nr), [saved] "=&r"(saved)
			 :
			 : "rcx", "r11", "memory", "cc");
	CHECK((pid_t)nr == getppid());
}

ABI_MAIN(ABI_TEST(privileged), ABI_TEST(io_ports), ABI_TEST(software_interrupts), ABI_TEST(foreign_memory),
    ABI_TEST(sigreturn_registers), ABI_TEST(sigreturn_garbage), ABI_TEST(flags_across_system_calls), ABI_TEST(single_step),
    ABI_TEST(alignment_check), ABI_TEST(segments), ABI_TEST(odd_stack))
