/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers that a tracer, or a handler in its signal frame, made of garbage: what Linux takes is taken, what it refuses is
 * refused or ends the program with the signal that Linux sends.
 */
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/ucontext.h>
#include <sys/user.h>

#include "abi.h"
#include "x86.h"

/* ---- what a tracer makes of the registers ---- */
static uint64_t random_word(void)
{
	static uint64_t x = 88172645463325252;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static const uint64_t bad_rips[] = {NONCANONICAL, 0x8000000000000000, 0xffff800000000000, 0x680000000000, 0x690000150000, 0x6f8000001000,
	0, ~0UL, 0x7ffffffff000, 0xffffffffff5ff000};

static void garbage_regs(struct user_regs_struct *r, const struct user_regs_struct *own, unsigned round)
{
	uint64_t *w = (uint64_t *)r;

	for (unsigned i = 0; i < sizeof(*r) / 8; i++)
		w[i] = random_word();
	r->rip = bad_rips[round % (sizeof(bad_rips) / sizeof(bad_rips[0]))];
	if (round & 1) { /* selectors and bases that are taken */
		r->cs = own->cs, r->ss = own->ss, r->ds = own->ds, r->es = own->es, r->fs = own->fs, r->gs = own->gs;
		r->fs_base &= 0x3fffffffffff;
		r->gs_base &= 0x3fffffffffff;
	}
	r->eflags = round & 2 ? ~0UL : r->eflags;
}

static void traced_garbage(void)
{
	struct user_regs_struct own, r, now;

	for (unsigned round = 0; round < 40; round++) {
		int status = 0;
		pid_t pid = fork();

		if (!pid) {
			ptrace(PTRACE_TRACEME, 0, 0, 0);
			raise(SIGSTOP);
			_exit(0);
		}
		REQUIRE(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
		CHECK(ptrace(PTRACE_GETREGS, pid, 0, &own) == 0);
		garbage_regs(&r, &own, round);
		if (ptrace(PTRACE_SETREGS, pid, 0, &r)) {
			CHECK(errno == EIO && !(round & 1));
		} else {
			CHECK(ptrace(PTRACE_GETREGS, pid, 0, &now) == 0);
			CHECK((now.eflags & 0x200) && !(now.eflags & 0x3000) && now.cs == own.cs && now.ss == own.ss);
			CHECK(ptrace(PTRACE_CONT, pid, 0, 0) == 0 && waitpid(pid, &status, 0) == pid);
			if (!CHECK(WIFSTOPPED(status) && (WSTOPSIG(status) == SIGSEGV || WSTOPSIG(status) == SIGBUS || WSTOPSIG(status) == SIGTRAP)))
				printf("round %u: status %#x\n", round, status);
		}
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
}

/* ---- what a handler makes of the frame ---- */
enum part { CS, STACK_SEGMENT, RIP, FLAGS, FP_MXCSR, FP_FEATURES, FP_COMPACT, FP_RESERVED, FP_PADDING, FP_MAGIC1, FP_MAGIC2, FP_SIZE_SMALL,
	FP_SIZE_LARGE, FP_NONE, FP_MISALIGNED, FP_NOWHERE, FP_NONCANONICAL, FP_FEWER };
static enum part part;
static uint64_t value;

static void spoil_xstate(ucontext_t *uc)
{
	uint8_t *fp = (uint8_t *)uc->uc_mcontext.fpregs;
	uint32_t size, zero = 0;

	memcpy(&size, fp + 464 + 16, sizeof(size)); /* of struct _fpx_sw_bytes */
	switch (part) {
	case FP_MXCSR: memset(fp + 24, 0xff, 4); break;
	case FP_FEATURES: fp[512 + 7] = 0x40; break;
	case FP_COMPACT: fp[520 + 7] = 0x80; break;
	case FP_RESERVED: fp[528] = 1; break;
	case FP_PADDING: fp[512 + 40] = 1; break;
	case FP_MAGIC1: memcpy(fp + 464, &zero, 4); break;
	case FP_MAGIC2: memcpy(fp + size, &zero, 4); break;
	case FP_SIZE_SMALL: memcpy(fp + 464 + 16, &zero, 4); break;
	case FP_SIZE_LARGE: memset(fp + 464 + 16, 0x7f, 4); break;
	case FP_NONE: uc->uc_mcontext.fpregs = NULL; break;
	case FP_MISALIGNED: uc->uc_mcontext.fpregs = (void *)(fp + 8); break;
	case FP_NOWHERE: uc->uc_mcontext.fpregs = (void *)64; break;
	case FP_NONCANONICAL: uc->uc_mcontext.fpregs = (void *)NONCANONICAL; break;
	case FP_FEWER: memset(fp + 464 + 8, 0, 8), fp[464 + 8] = 3; break;
	default: break;
	}
}

static void on_usr1(int signo, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;
	greg_t *g = uc->uc_mcontext.gregs;

	switch (part) {
	case CS: g[REG_CSGSFS] = (greg_t)((g[REG_CSGSFS] & ~0xffffUL) | value); break;
	case STACK_SEGMENT: g[REG_CSGSFS] = (greg_t)((g[REG_CSGSFS] & 0xffffffffffffUL) | value << 48); break;
	case RIP: g[REG_RIP] = (greg_t)value; break;
	case FLAGS: g[REG_EFL] = (greg_t)value; break;
	default: spoil_xstate(uc); break;
	}
}

static void take_usr1(void)
{
	struct sigaction sa = {.sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO};

	sigaction(SIGUSR1, &sa, NULL);
	signal(SIGTRAP, SIG_IGN);
	raise(SIGUSR1);
	__asm__ volatile("pushfq; andq $~0x40100, (%%rsp); popfq; cld" ::: "memory", "cc");
}

/* 0: the program went on; else the signal that ended it. */
static int frame_with(enum part p, uint64_t v)
{
	int status;

	part = p;
	value = v;
	status = abi_child(take_usr1);
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) ? -1 : 0;
}

static void frames(void)
{
	static const unsigned codes[] = {0, 3, 0x08, 0x10, 0x13, 0x18, 0x28, 0x2b, 0x40, 0x50, 0x37, 0xffff, 0xfff8};
	static const struct {
		enum part part;
		int signo;
	} fp[] = {{FP_MXCSR, SIGSEGV}, {FP_FEATURES, SIGSEGV}, {FP_COMPACT, SIGSEGV}, {FP_RESERVED, SIGSEGV}, {FP_PADDING, 0}, {FP_MAGIC1, 0},
		{FP_MAGIC2, 0}, {FP_SIZE_SMALL, 0}, {FP_SIZE_LARGE, 0}, {FP_NONE, 0}, {FP_MISALIGNED, SIGSEGV}, {FP_NOWHERE, SIGSEGV},
		{FP_NONCANONICAL, SIGSEGV}, {FP_FEWER, 0}};

	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		int signo = frame_with(CS, codes[i]), other = frame_with(STACK_SEGMENT, codes[i]);

		if (!CHECK(signo == SIGSEGV || signo == SIGBUS || signo == SIGILL))
			printf("cs %#x: %d\n", codes[i], signo);
		if (!CHECK(other == (codes[i] >> 3 == SEL_DATA >> 3 ? 0 : SIGSEGV) || (other == SIGBUS && codes[i] >> 3 != SEL_DATA >> 3)))
			printf("ss %#x: %d\n", codes[i], other);
	}
	CHECK(frame_with(CS, SEL_CODE & ~3) == 0);
	for (unsigned i = 0; i < sizeof(bad_rips) / sizeof(bad_rips[0]); i++)
		CHECK_EQ(frame_with(RIP, bad_rips[i]), SIGSEGV);
	CHECK_EQ(frame_with(FLAGS, 0), 0);
	CHECK_EQ(frame_with(FLAGS, ~0x40100UL), 0); /* all but AC and TF */
	for (unsigned i = 0; i < sizeof(fp) / sizeof(fp[0]); i++) {
		int signo = frame_with(fp[i].part, 0);

		if (fp[i].part == FP_MXCSR && cpu_is_tcg() && !signo)
			continue; /* its XRSTOR does not look */
		if (!CHECK_EQ(signo, fp[i].signo))
			printf("part %d of the frame\n", fp[i].part);
	}
}

ABI_MAIN(ABI_TEST(traced_garbage), ABI_TEST(frames))
