/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions that ring 3 may not execute, or not like this, byte by byte: each ends in the signal, code and address that
 * Linux sends, or does what it does on Linux. Where CPUs differ (SYSENTER of AMD and Intel) or the emulated CPU of tests/nested is
 * wrong, more than one answer is right. Then every selector in every segment register, flags across traps, and single steps.
 */
#include <asm/prctl.h>
#include <setjmp.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/ucontext.h>

#include "abi.h"
#include "faults.h"
#include "x86.h"

#define HWCAP2_FSGSBASE 2 /* asm/hwcap2.h */

static sigjmp_buf back;
static volatile int got_signo, got_code;
static volatile uint64_t got_addr, got_rip, got_flags;
static uint8_t *page; /* of code */

static void on_fault(int signo, siginfo_t *si, void *ctx)
{
	const ucontext_t *uc = ctx;

	__asm__ volatile("pushfq; pop %0" : "=r"(got_flags));
	got_signo = signo;
	got_code = si->si_code;
	got_addr = (uint64_t)si->si_addr;
	got_rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
	siglongjmp(back, 1);
}

static void begin_faults(void)
{
	if (!page)
		page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	catch_faults(on_fault);
}

static void end_faults(void)
{
	let_faults_kill();
	if (page)
		munmap(page, 4096);
	page = NULL;
}

/* Runs the bytes with a stack of their own below this one, then returns; the signal or 0. */
static int run_bytes(const char *bytes, size_t n)
{
	memcpy(page, bytes, n);
	page[n] = 0xc3;
	got_signo = got_code = 0;
	got_addr = got_rip = 0;
	if (!sigsetjmp(back, 0))
		__asm__ volatile("sub $1024, %%rsp; mov %%rsp, %%r12; call *%0; mov %%r12, %%rsp; add $1024, %%rsp; cld"
				 : "+a"((uint64_t){(uint64_t)page})
				 :
				 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
	return got_signo;
}

/* ---- the table ---- */
enum {
	GP = 1,   /* SIGSEGV of a general protection fault at the instruction */
	UD = 2,   /* SIGILL at it */
	SS = 4,   /* SIGBUS of a stack fault */
	PF = 8,   /* SIGSEGV of a page fault */
	OK = 16,  /* nothing */
	GPR = 32, /* as GP, wherever the instruction pointer is by then */
};

struct insn {
	const char *name;
	unsigned may;
	unsigned at; /* where the instruction that counts begins */
	const char *bytes;
	size_t n;
};
#define INSN(name, may, at, bytes) {name, may, at, bytes, sizeof(bytes) - 1}
#define RAX_NONCANONICAL "\x48\xb8\0\0\0\0\0\0\0\x40" /* ten bytes */
#define RSP_NONCANONICAL "\x48\xbc\x08\0\0\0\0\0\0\x40"
#define DX_PORT          "\x66\xba\x40\0"

#define XSETBV "\x31\xc9\x31\xd2\xb8\x07\0\0\0\x0f\x01\xd1"

static const struct insn xsetbv = INSN("xsetbv", GP, 9, XSETBV), no_xsetbv = INSN("xsetbv", UD, 9, XSETBV);
static const struct insn privileged_insns[] = {
	INSN("hlt", GP, 0, "\xf4"), INSN("cli", GP, 0, "\xfa"), INSN("sti", GP, 0, "\xfb"), INSN("clts", GP, 0, "\x0f\x06"),
	INSN("invd", GP, 0, "\x0f\x08"), INSN("wbinvd", GP, 0, "\x0f\x09"), INSN("wbnoinvd", GP, 0, "\xf3\x0f\x09"),
	INSN("lgdt", GP, 0, "\x0f\x01\x14\x24"), INSN("lidt", GP, 0, "\x0f\x01\x1c\x24"), INSN("lmsw", GP, 0, "\x0f\x01\xf0"),
	INSN("lldt", GP, 2, "\x31\xc0\x0f\x00\xd0"), INSN("ltr", GP, 5, "\xb8\x40\0\0\0\x0f\x00\xd8"),
	INSN("invlpg", GP, 0, "\x0f\x01\x3c\x24"), INSN("swapgs", GP, 0, "\x0f\x01\xf8"),
	INSN("mov cr0, rax", GP, 0, "\x0f\x20\xc0"), INSN("mov rax, cr0", GP, 0, "\x0f\x22\xc0"), INSN("mov cr1", GP | UD, 0, "\x0f\x20\xc8"),
	INSN("mov cr2, rax", GP, 0, "\x0f\x20\xd0"), INSN("mov rax, cr2", GP, 0, "\x0f\x22\xd0"), INSN("mov cr3, rax", GP, 0, "\x0f\x20\xd8"),
	INSN("mov rax, cr3", GP, 0, "\x0f\x22\xd8"), INSN("mov cr4, rax", GP, 0, "\x0f\x20\xe0"), INSN("mov rax, cr4", GP, 0, "\x0f\x22\xe0"),
	INSN("mov cr8, rax", GP, 0, "\x44\x0f\x20\xc0"), INSN("mov rax, cr8", GP, 0, "\x44\x0f\x22\xc0"),
	INSN("mov dr0, rax", GP, 0, "\x0f\x21\xc0"), INSN("mov rax, dr0", GP, 0, "\x0f\x23\xc0"), INSN("mov dr6, rax", GP, 0, "\x0f\x21\xf0"),
	INSN("mov dr7, rax", GP, 0, "\x0f\x21\xf8"), INSN("mov rax, dr7", GP, 0, "\x0f\x23\xf8"),
	INSN("rdmsr", GP, 0, "\x0f\x32"), INSN("wrmsr", GP, 0, "\x0f\x30"), INSN("rdpmc", GP, 2, "\x31\xc9\x0f\x33"),
	INSN("sysretl", GP, 0, "\x0f\x07"), INSN("sysretq", GP, 0, "\x48\x0f\x07"), INSN("sysexit", GP | UD, 0, "\x0f\x35"),
	INSN("sysenter", GP | UD, 0, "\x0f\x34"), INSN("rsm", UD, 0, "\x0f\xaa"),
	INSN("monitor", GP | UD, 0, "\x0f\x01\xc8"), INSN("mwait", GP | UD, 0, "\x0f\x01\xc9"), INSN("clac", UD, 0, "\x0f\x01\xca"),
	INSN("stac", UD, 0, "\x0f\x01\xcb"), INSN("encls", UD, 0, "\x0f\x01\xcf"), INSN("getsec", GP | UD, 2, "\x31\xc0\x0f\x37"),
	/* A hypervisor below may answer its own calls. */
	INSN("vmcall", GP | UD | OK, 2, "\x31\xc0\x0f\x01\xc1"), INSN("vmmcall", GP | UD | OK, 2, "\x31\xc0\x0f\x01\xd9"),
	INSN("vmlaunch", UD, 0, "\x0f\x01\xc2"), INSN("vmresume", UD, 0, "\x0f\x01\xc3"), INSN("vmxoff", UD, 0, "\x0f\x01\xc4"),
	INSN("vmfunc", UD, 0, "\x0f\x01\xd4"), INSN("vmrun", GP | UD, 0, "\x0f\x01\xd8"), INSN("vmload", GP | UD, 0, "\x0f\x01\xda"),
	INSN("vmsave", GP | UD, 0, "\x0f\x01\xdb"), INSN("stgi", GP | UD, 0, "\x0f\x01\xdc"), INSN("clgi", GP | UD, 0, "\x0f\x01\xdd"),
	INSN("skinit", GP | UD, 0, "\x0f\x01\xde"), INSN("invlpga", GP | UD, 0, "\x0f\x01\xdf"),
	INSN("invept", UD, 0, "\x66\x0f\x38\x80\x04\x24"), INSN("invvpid", UD, 0, "\x66\x0f\x38\x81\x04\x24"),
	INSN("invpcid", GP | UD, 2, "\x31\xc0\x66\x0f\x38\x82\x04\x24"), INSN("xsaves", GP | UD, 4, "\x31\xc0\x31\xd2\x48\x0f\xc7\x2c\x24"),
	INSN("xrstors", GP | UD, 4, "\x31\xc0\x31\xd2\x48\x0f\xc7\x1c\x24"), INSN("invlpgb", GP | UD, 0, "\x0f\x01\xfe"),
	INSN("tlbsync", GP | UD, 0, "\x0f\x01\xff"),
	INSN("in al, imm", GP, 0, "\xe4\x40"), INSN("in eax, imm", GP, 0, "\xe5\x40"), INSN("out imm, al", GP, 0, "\xe6\x40"),
	INSN("out imm, eax", GP, 0, "\xe7\x40"), INSN("in al, dx", GP, 4, DX_PORT "\xec"), INSN("out dx, ax", GP, 4, DX_PORT "\x66\xef"),
	INSN("insb", GP, 9, DX_PORT "\x48\x8d\x7c\x24\x80\x6c"), INSN("insl", GP, 9, DX_PORT "\x48\x8d\x7c\x24\x80\x6d"),
	INSN("outsb", GP, 7, DX_PORT "\x48\x89\xe6\x6e"), INSN("outsl", GP, 7, DX_PORT "\x48\x89\xe6\x6f"),
	INSN("rep outsb", GP, 12, "\xb9\x04\0\0\0" DX_PORT "\x48\x89\xe6\xf3\x6e"),
	INSN("rep insb", GP, 14, "\xb9\x04\0\0\0" DX_PORT "\x48\x8d\x7c\x24\x80\xf3\x6c"),
	INSN("rep outsb of none", GP, 9, "\x31\xc9" DX_PORT "\x48\x89\xe6\xf3\x6e"),
};

static const struct insn malformed_insns[] = {
	INSN("ud0", UD, 0, "\x0f\xff\xc0"), INSN("ud1", UD, 0, "\x0f\xb9\xc0"), INSN("ud2", UD, 0, "\x0f\x0b"), INSN("into", UD, 0, "\xce"),
	INSN("aam", UD, 0, "\xd4\x0a"), INSN("pusha", UD, 0, "\x60"), INSN("les", UD, 0, "\xc4\x00"), INSN("lcall", UD, 0, "\x9a"),
	INSN("lock nop", UD, 0, "\xf0\x90"), INSN("mov cs, ax", UD, 0, "\x8e\xc8"), INSN("loadall", UD, 0, "\x0f\x04"),
	INSN("sixteen bytes", GP, 0, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90"),
	/* To the kernel's code, to its task segment, to nowhere; to code of 32 bits, where Linux may have some. */
	INSN("far jump to 0x10", GP, 15, "\xc7\x44\x24\x80\0\0\0\0\x66\xc7\x44\x24\x84\x10\0\xff\x6c\x24\x80"),
	INSN("far call to 0x40", GP | UD, 15, "\xc7\x44\x24\x80\0\0\0\0\x66\xc7\x44\x24\x84\x40\0\xff\x5c\x24\x80"),
	INSN("far call to 0", GP | UD, 15, "\xc7\x44\x24\x80\0\0\0\0\x66\xc7\x44\x24\x84\0\0\xff\x5c\x24\x80"),
	INSN("far call to the local table", GP | UD, 15, "\xc7\x44\x24\x80\0\0\0\0\x66\xc7\x44\x24\x84\x07\0\xff\x5c\x24\x80"),
	INSN("far jump to 0x23", GP | UD | PF, 15, "\xc7\x44\x24\x80\0\0\0\0\x66\xc7\x44\x24\x84\x23\0\xff\x6c\x24\x80"),
	INSN("jmp", GPR | PF, 10, RAX_NONCANONICAL "\xff\xe0"), INSN("call", GPR | PF, 10, RAX_NONCANONICAL "\xff\xd0"),
	INSN("ret", GPR | PF, 11, RAX_NONCANONICAL "\x50\xc3"), INSN("load", GP | PF, 10, RAX_NONCANONICAL "\x48\x8b\x00"),
	INSN("push", SS | GP | PF, 10, RSP_NONCANONICAL "\x50"), INSN("pop", SS | GP | PF, 10, "\x48\xbc\0\0\0\0\0\0\0\x40\x58"),
	INSN("call on it", SS | GP | PF, 10, RSP_NONCANONICAL "\xe8\0\0\0\0"), INSN("enter", SS | GP | PF, 10, RSP_NONCANONICAL "\xc8\0\0\0"),
	INSN("load by rsp", SS | GP | PF, 10, RSP_NONCANONICAL "\x48\x8b\x44\x24\xf8"),
	INSN("pushf", SS | GP | PF, 10, RSP_NONCANONICAL "\x9c"), INSN("ud2 on it", UD, 10, RSP_NONCANONICAL "\x0f\x0b"),
	INSN("hlt on it", GP, 10, RSP_NONCANONICAL "\xf4"), INSN("fxrstor", GP | PF, 10, RAX_NONCANONICAL "\x0f\xae\x08"),
	INSN("misaligned movaps", GP, 0, "\x0f\x28\x44\x24\x81"), INSN("misaligned cmpxchg16b", GP, 5, "\x48\x8d\x74\x24\x81\xf0\x48\x0f\xc7\x0e"),
	INSN("mov ss, ax; ud2", UD, 4, "\x8c\xd0\x8e\xd0\x0f\x0b"), INSN("mov ss, ax; hlt", GP, 4, "\x8c\xd0\x8e\xd0\xf4"),
	INSN("mov ss, ax; syscall", OK, 0, "\x8c\xd0\x8e\xd0\xb8\x6e\0\0\0\x0f\x05"),
	/* With TF: the fault comes first. */
	INSN("stepped ud2", UD, 9, "\x9c\x81\x0c\x24\0\x01\0\0\x9d\x0f\x0b"), INSN("stepped hlt", GP, 9, "\x9c\x81\x0c\x24\0\x01\0\0\x9d\xf4"),
	INSN("stepped sysenter", GP | UD, 9, "\x9c\x81\x0c\x24\0\x01\0\0\x9d\x0f\x34"),
};

/* What of the allowed the last run was; 0: something else. */
static unsigned outcome(const struct insn *i)
{
	uint64_t at = (uint64_t)page + i->at;

	if (!got_signo)
		return OK;
	if (got_signo == SIGILL)
		return got_code == ILL_ILLOPN && got_addr == at && got_rip == at ? UD : 0;
	if (got_signo == SIGBUS)
		return got_code == SI_KERNEL && got_addr == 0 && got_rip == at ? SS : 0;
	if (got_signo != SIGSEGV)
		return 0;
	if (got_code != SI_KERNEL)
		return got_code == SEGV_MAPERR ? PF : 0;
	return got_addr ? 0 : got_rip == at ? GP | GPR : GPR;
}

static void run_table(const struct insn *i, size_t n)
{
	begin_faults();
	for (; n; n--, i++) {
		run_bytes(i->bytes, i->n);
		if (!CHECK(outcome(i) & i->may))
			printf("%s: signal %d code %d address %#lx rip %#lx (page %p)\n", i->name, got_signo, got_code, got_addr, got_rip,
			       (void *)page);
		__asm__ volatile("pushfq; andq $~0x40100, (%%rsp); popfq" ::: "memory", "cc");
	}
	end_faults();
}

static void privileged(void)
{
	run_table(privileged_insns, sizeof(privileged_insns) / sizeof(privileged_insns[0]));
	run_table(cpu_has_xsave() ? &xsetbv : &no_xsetbv, 1);
}

static void malformed(void) { run_table(malformed_insns, sizeof(malformed_insns) / sizeof(malformed_insns[0])); }

/* Forbidden by UMIP, and then done by the kernel: programs go on either way, in all forms of operands. */
static void descriptor_tables(void)
{
	struct {
		uint8_t before[8];
		uint16_t limit;
		uint64_t base;
		uint8_t after[8];
	} __attribute__((packed)) t;
	uint64_t at = (uint64_t)&t.limit, index = 3;
	volatile uint64_t answer;
	uint64_t v;
	uint8_t *nowhere = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	begin_faults();
	for (unsigned i = 0; i < 5; i++) {
		memset(&t, 0xaa, sizeof(t));
		got_signo = 0;
		if (!sigsetjmp(back, 0)) {
			if (i == 0)
				__asm__ volatile("sgdt %0" : "+m"(t.limit)::"memory");
			else if (i == 1)
				__asm__ volatile("sidt -24(%0, %1, 8)" ::"r"(at), "r"(index) : "memory");
			else if (i == 2)
				__asm__ volatile("mov %0, %%r13; mov %1, %%r9; sidt -0x300(%%r13, %%r9, 1)" ::"r"(at), "r"(0x300L) : "r9", "r13", "memory");
			else if (i == 3)
				__asm__ volatile("mov %0, %%r12; sgdt (%%r12)" ::"r"(at) : "r12", "memory");
			else if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)
				__asm__ volatile("wrgsbase %0; sgdt %%gs:0x40; wrgsbase %1" ::"r"(at - 0x40), "r"(0L) : "memory");
			else
				__asm__ volatile("sgdt (%0)" ::"r"(at) : "memory");
		}
		CHECK(got_signo == 0 && t.base != 0xaaaaaaaaaaaaaaaa);
		CHECK(t.before[7] == 0xaa && t.after[0] == 0xaa);
	}
	got_signo = 0;
	answer = 0;
	if (!sigsetjmp(back, 0)) {
		__asm__ volatile("smsw %0" : "=r"(v) : "0"(~0UL));
		answer = v;
	}
	CHECK(got_signo == 0 && (answer & 0x80000001) == 0x80000001); /* PG, PE */
	answer = 0;
	if (!sigsetjmp(back, 0)) {
		__asm__ volatile("mov %1, %%r14; str %%r14w; sldt %%ax; mov %%r14, %0" : "=r"(v) : "0"(~0UL) : "r14", "rax");
		answer = v;
	}
	CHECK(got_signo == 0 && answer >> 16 == 0xffffffffffff && (answer & 0xffff) != 0xffff);
	memset(&t, 0xaa, sizeof(t));
	if (!sigsetjmp(back, 0))
		__asm__ volatile("str %0; smsw %1" : "+m"(t.limit), "+m"(t.after)::"memory");
	CHECK(got_signo == 0 && t.limit != 0xaaaa && (t.base & 0xffff) == 0xaaaa && t.after[0] != 0xaa && t.after[2] == 0xaa);
	/* Where there is no room for the answer. */
	munmap(nowhere + 4096, 4096);
	if (!sigsetjmp(back, 0))
		__asm__ volatile("sgdt (%0)" ::"r"(nowhere + 4096) : "memory");
	CHECK(got_signo == SIGSEGV && got_code == SEGV_MAPERR && got_addr == (uint64_t)nowhere + 4096);
	munmap(nowhere, 4096);
	end_faults();
}

/* ---- segments ---- */
/* Of 64-bit Linux: user data and code of both sizes, its processor number, thread-local ones if there are. */
static bool loadable(unsigned sel, bool stack)
{
	unsigned index = sel >> 3;

	if (sel < 4)
		return !stack;
	if (sel & 4)
		return false;
	if (stack)
		return sel == SEL_DATA || (index >= 12 && index <= 15);
	return index == 4 || index == 5 || index == 6 || (index >= 12 && index <= 15);
}

#define LOAD(seg, sel) ({ \
	got_signo = 0; \
	if (!sigsetjmp(back, 0)) \
		__asm__ volatile("mov %0, %%" #seg ::"r"((uint32_t)(sel)) : "memory"); \
	got_signo; })
/* Their bases go with them. */
#define LOAD_BASED(seg, sel, set, base) ({ \
	got_signo = 0; \
	if (!sigsetjmp(back, 0)) \
		__asm__ volatile("mov %k0, %%" #seg "; syscall" ::"r"((uint64_t)(sel)), "a"((long)SYS_arch_prctl), "D"((long)(set)), "S"(base) \
				 : "rcx", "r11", "memory"); \
	got_signo; })

static void check_load(const char *seg, unsigned sel, int signo)
{
	if (!signo && !loadable(sel, !strcmp(seg, "ss")))
		abi_fail(__FILE__, __LINE__, "%s takes %#x", seg, sel);
	if (signo && signo != SIGSEGV && signo != SIGBUS)
		abi_fail(__FILE__, __LINE__, "%s, selector %#x: signal %d", seg, sel, signo);
	if (signo && sel == SEL_DATA)
		abi_fail(__FILE__, __LINE__, "%s refuses the user's data segment", seg);
}

static void selectors(void)
{
	uint64_t fs, gs, fs_after, gs_after;
	unsigned bad = abi_failures;

	begin_faults();
	syscall(SYS_arch_prctl, ARCH_GET_FS, &fs);
	syscall(SYS_arch_prctl, ARCH_GET_GS, &gs);
	/* All that a table could hold, then some of each kind. */
	for (unsigned sel = 0; sel < 0x10000 && abi_failures < bad + 10; sel += sel < 0x100 ? 1 : 509) {
		check_load("ds", sel, LOAD(ds, sel));
		check_load("es", sel, LOAD(es, sel));
		check_load("ss", sel, LOAD(ss, sel));
		__asm__ volatile("mov %0, %%ss" ::"r"(SEL_DATA));
		check_load("fs", sel, LOAD_BASED(fs, sel, ARCH_SET_FS, fs));
		check_load("gs", sel, LOAD_BASED(gs, sel, ARCH_SET_GS, gs));
	}
	__asm__ volatile("mov %0, %%ds; mov %0, %%es" ::"r"(0));
	(void)LOAD_BASED(fs, 0, ARCH_SET_FS, fs);
	(void)LOAD_BASED(gs, 0, ARCH_SET_GS, gs);
	syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_after);
	syscall(SYS_arch_prctl, ARCH_GET_GS, &gs_after);
	CHECK(fs == fs_after && gs == gs_after);
	/* Questions about selectors are never faults. */
	got_signo = 0;
	if (!sigsetjmp(back, 0))
		for (unsigned sel = 0; sel < 0x10000; sel++)
			__asm__ volatile("verr %w0; verw %w0; lar %0, %%eax; lsl %0, %%eax" ::"r"(sel) : "rax", "cc");
	CHECK(got_signo == 0);
	end_faults();
}

/* ---- bases ---- */
static void bases(void)
{
	uint64_t gs, seen;

	CHECK(syscall(SYS_arch_prctl, ARCH_SET_FS, NONCANONICAL) == -1 && errno == EPERM);
	CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, NONCANONICAL) == -1 && errno == EPERM);
	CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0xffff800000000000) == -1 && errno == EPERM);
	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		return;
	begin_faults();
	syscall(SYS_arch_prctl, ARCH_GET_GS, &gs);
	/* The kernel's addresses may be in there, and be of no use. */
	__asm__ volatile("wrgsbase %1; syscall; rdgsbase %0"
			 : "=r"(seen)
			 : "r"(0xffff800000000000), "a"((long)SYS_getppid)
			 : "rcx", "r11", "memory");
	CHECK(seen == 0xffff800000000000);
	got_signo = 0;
	if (!sigsetjmp(back, 0))
		__asm__ volatile("mov %%gs:0, %%rax" ::: "rax", "memory");
	CHECK(got_signo == SIGSEGV);
	/* TCG takes what is no address. */
	CHECK(cpu_is_tcg() || (run_bytes(RAX_NONCANONICAL "\xf3\x48\x0f\xae\xd0", 15) == SIGSEGV && got_rip == (uint64_t)page + 10));
	CHECK(cpu_is_tcg() || (run_bytes(RAX_NONCANONICAL "\xf3\x48\x0f\xae\xd8", 15) == SIGSEGV && got_rip == (uint64_t)page + 10));
	__asm__ volatile("wrgsbase %0" ::"r"(gs));
	end_faults();
}

/* ---- flags across faults ---- */
#define FLAG_DF 0x400UL
#define FLAG_AC 0x40000UL

/* The kernel clears pages while the program's string instructions run downwards; the program gets its flags back. */
static void flags_across_faults(void)
{
	enum { PAGES = 16 };
	uint8_t *m = mmap(NULL, (PAGES + 1) * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t flags;
	unsigned wrong = 0;

	REQUIRE(m != MAP_FAILED);
	memset(m, 0x55, 4096);
	for (unsigned i = 1; i <= PAGES; i++) {
		uint8_t *p = m + i * 4096;

		__asm__ volatile("pushfq; orq %2, (%%rsp); popfq; movb $0x55, 4095(%1); pushfq; popq %0; pushq %0; andq %3, (%%rsp); popfq"
				 : "=&r"(flags)
				 : "r"(p), "r"(FLAG_DF | FLAG_AC), "r"(~(FLAG_DF | FLAG_AC))
				 : "memory", "cc");
		wrong += (flags & (FLAG_DF | FLAG_AC)) != (FLAG_DF | FLAG_AC) || p[-1] != 0x55 || p[0] || p[4094];
		memset(p, 0x55, 4096);
	}
	CHECK_EQ(wrong, 0);
	munmap(m, (PAGES + 1) * 4096);
	/* A handler starts with none of them. */
	begin_faults();
	CHECK(run_bytes("\xfd\xf4", 2) == SIGSEGV && !(got_flags & FLAG_DF));
	CHECK(run_bytes("\xfd\x0f\x0b", 3) == SIGILL && !(got_flags & FLAG_DF));
	end_faults();
}

static long backwards_syscall(long nr, long a, const void *b, long c)
{
	long r;

	__asm__ volatile("pushfq; orq %5, (%%rsp); popfq; syscall; cld; pushq %%r11; andq %6, (%%rsp); popfq"
			 : "=a"(r)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "i"(FLAG_DF | FLAG_AC), "i"(~(FLAG_DF | FLAG_AC))
			 : "rcx", "r11", "memory", "cc");
	return r;
}

/* And while it copies. */
static void flags_across_copies(void)
{
	static uint8_t out[3 * 4096], back_in[3 * 4096];
	int p[2];

	REQUIRE(pipe(p) == 0);
	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	memset(back_in, 0x55, sizeof(back_in));
	CHECK_EQ(backwards_syscall(SYS_write, p[1], out + 4096, 4096), 4096);
	CHECK_EQ(backwards_syscall(SYS_read, p[0], back_in + 4096, 4096), 4096);
	CHECK(!memcmp(out + 4096, back_in + 4096, 4096) && back_in[4095] == 0x55 && back_in[8192] == 0x55);
	close(p[0]);
	close(p[1]);
}

/* The last instruction of the address space is a system call: there is nowhere to return to. */
static void end_of_memory(void)
{
	uint64_t end = 0x7ffffffff000;
	uint8_t *last = mmap((void *)(end - 4096), 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (last != (void *)(end - 4096))
		return; /* the stack is there */
	begin_faults();
	memcpy(last + 4094, "\x0f\x05", 2);
	got_signo = 0;
	if (!sigsetjmp(back, 0))
		__asm__ volatile("jmp *%0" ::"r"(last + 4094), "a"((long)SYS_getppid) : "rcx", "r11", "memory");
	CHECK(got_signo == SIGSEGV && got_code == SEGV_MAPERR && got_addr == end && got_rip == end);
	end_faults();
	munmap(last, 4096);
}

/* ---- single steps ---- */
static volatile unsigned steps, odd_steps;

static void on_step(int signo, siginfo_t *si, void *ctx)
{
	const ucontext_t *uc = ctx;

	steps++;
	if (si->si_code != TRAP_TRACE || (uint64_t)si->si_addr != (uint64_t)uc->uc_mcontext.gregs[REG_RIP])
		odd_steps++;
}

/* The last one is that of the POPF that takes TF away. */
static void step_codes(void)
{
	struct sigaction sa = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};

	sigaction(SIGTRAP, &sa, NULL);
	steps = odd_steps = 0;
	__asm__ volatile("pushfq; pushfq; orq $0x100, (%%rsp); popfq; nop; popfq; nop" ::: "memory", "cc");
	CHECK(steps == 2 && odd_steps == 0);
	steps = odd_steps = 0;
	__asm__ volatile("mov %%ss, %%ecx; pushfq; pushfq; orq $0x100, (%%rsp); popfq; mov %%ecx, %%ss; syscall; popfq; nop"
			 : "+a"((uint64_t){SYS_getppid})
			 :
			 : "rcx", "r11", "memory", "cc");
	CHECK(steps >= 1 && steps <= 3 && odd_steps == 0);
	signal(SIGTRAP, SIG_DFL);
	if (cpu_is_tcg())
		return;
	begin_faults();
	CHECK(run_bytes("\xf1", 1) == SIGTRAP && got_code == TRAP_BRKPT);
	end_faults();
}

static volatile unsigned breakpoints;
static void on_breakpoint(int signo) { breakpoints++; }
static void on_alarm(int signo) {}

/* An interrupt that comes with a breakpoint takes nothing away from it. */
static void interrupted_breakpoints(void)
{
	struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};

	signal(SIGTRAP, on_breakpoint);
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &often, NULL);
	for (unsigned i = 0; i < 8000; i++)
		__asm__ volatile("int3");
	setitimer(ITIMER_REAL, &never, NULL);
	CHECK_EQ(breakpoints, 8000);
	signal(SIGTRAP, SIG_DFL);
	signal(SIGALRM, SIG_DFL);
}

ABI_MAIN(ABI_TEST(privileged), ABI_TEST(malformed), ABI_TEST(descriptor_tables), ABI_TEST(selectors), ABI_TEST(bases),
    ABI_TEST(flags_across_faults), ABI_TEST(flags_across_copies), ABI_TEST(end_of_memory), ABI_TEST(step_codes), ABI_TEST(interrupted_breakpoints))
