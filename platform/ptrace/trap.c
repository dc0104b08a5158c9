/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stop of a stub thread means in terms of the CPU: Linux has turned exceptions into signals, this turns them back.
 *
 * The page-fault error code is lost on the way. SEGV_ACCERR says that the page was mapped in the mirror without the right
 * that was needed, which is writing or, at rip, executing (all mirrored pages are readable). For SEGV_MAPERR the
 * instruction is looked at; where that does not tell, PF_UNKNOWN.
 */
#include "ptrace/ptrace_impl.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define VSYSCALL_PAGE 0xffffffffff600000UL
#define INSN_MAX 15

enum vector { V_DE = 0, V_DB = 1, V_BP = 3, V_UD = 6, V_SS = 12, V_GP = 13, V_MF = 16, V_AC = 17, V_MC = 18, V_XM = 19 };

void pt_trap_exception(struct user_context *uc, uint32_t vector, uint64_t error)
{
	uc->trap_kind = TRAP_EXCEPTION;
	uc->trap_vector = vector;
	uc->trap_error = error;
	uc->trap_addr = 0;
}

static int exception(struct user_context *uc, uint32_t vector)
{
	pt_trap_exception(uc, vector, 0);
	return 1;
}

static int page_fault(struct user_context *uc, uint64_t addr, uint64_t error)
{
	uc->trap_kind = TRAP_PAGE_FAULT;
	uc->trap_vector = 14;
	uc->trap_addr = addr;
	uc->trap_error = error | PF_USER;
	return 1;
}

static int decode_syscall(struct user_context *uc)
{
	/* `syscall` leaves rip in rcx and rflags in r11. `int $0x80` does not: here it is a gate that user code may not use. */
	if (uc->regs.rcx != uc->regs.rip) {
		uc->regs.rip -= 2;
		uc->regs.rax = uc->regs.orig_rax;
		pt_trap_exception(uc, V_GP, 0x80 << 3 | 2);
		return 1;
	}
	uc->regs.rax = uc->regs.orig_rax;
	uc->trap_kind = TRAP_SYSCALL;
	return 1;
}

/* Read or write, from the instruction; both of its pages must be at hand. */
static uint64_t access_kind(const struct user_context *uc)
{
	uint8_t code[INSN_MAX];
	unsigned have = 0, len;

	if (uc->regs.cs != 0x33)
		return PF_UNKNOWN;
	while (have < INSN_MAX) {
		const uint8_t *p = pt_page_peek(uc->cr3, uc->regs.rip + have, &len);

		if (!p)
			break;
		if (len > INSN_MAX - have)
			len = INSN_MAX - have;
		memcpy(code + have, p, len);
		have += len;
	}
	switch (pt_insn_writes_memory(code, have)) {
	case 0:
		return 0;
	case 1:
		return PF_WRITE;
	default:
		return PF_UNKNOWN;
	}
}

/* Counts repetitions of a fault that was thought to be resolved. */
static unsigned count_retry(struct platform_vcpu *pv, uint64_t addr)
{
	if (pv->retry_addr != addr) {
		pv->retry_addr = addr;
		pv->retries = 0;
	}
	return pv->retries++;
}

static int decode_segv(struct platform_vcpu *pv, struct address_space *as, struct stub_thread *t, struct user_context *uc,
    uint64_t addr, bool was_mapped)
{
	bool fetch = addr == uc->regs.rip;
	unsigned again = count_retry(pv, addr);
	uint64_t pte;
	int r;

	/* An instruction that begins on the page before. */
	if (again >= 2 && was_mapped && !(addr & (PAGE_SIZE - 1)) && addr - uc->regs.rip < INSN_MAX)
		fetch = true;
	r = pt_as_resolve(as, t, addr, was_mapped, fetch, &pte);
	if (r)
		return r < 0 ? r : 0;
	if (fetch)
		return page_fault(uc, addr, PF_INSTR | (pte ? PF_PRESENT : 0));
	if (pte)
		return page_fault(uc, addr, PF_PRESENT | PF_WRITE);
	return page_fault(uc, addr, access_kind(uc));
}

static int decode_sigsegv(struct platform_vcpu *pv, struct address_space *as, struct stub_thread *t,
    struct user_context *uc, const siginfo_t *si)
{
	if (si->si_code == SEGV_MAPERR || si->si_code == SEGV_ACCERR)
		return decode_segv(pv, as, t, uc, (uint64_t)si->si_addr, si->si_code == SEGV_ACCERR);
	/* The kernel could not read the return address for an emulated vsyscall. */
	if ((uc->regs.rip & ~(PAGE_SIZE - 1)) == VSYSCALL_PAGE)
		return page_fault(uc, uc->regs.rip, PF_INSTR);
	return exception(uc, V_GP);
}

static int decode_sigbus(struct address_space *as, struct user_context *uc, const siginfo_t *si)
{
	uint64_t addr = (uint64_t)si->si_addr, skip, pte;

	switch (si->si_code) {
	case BUS_ADRALN:
		return exception(uc, V_AC);
	case BUS_MCEERR_AR:
	case BUS_MCEERR_AO:
		return exception(uc, V_MC);
	case BUS_ADRERR:
		break;
	default: /* SI_KERNEL: stack segment or segment not present */
		return exception(uc, V_SS);
	}
	pte = addr < USER_END ? pt_page_walk(uc->cr3, addr, &skip) : 0;
	if (!pte) /* unmapped meanwhile */
		return page_fault(uc, addr, PF_UNKNOWN);
	if ((pte & PT_ADDR) < FILEWIN_PA) {
		vmm_log(3, "ptrace: the host has no memory for %#lx", addr);
		return -ENOMEM;
	}
	uc->trap_kind = TRAP_WINDOW_EFAULT;
	uc->trap_addr = addr;
	uc->trap_error = 0;
	return 1;
}

/* Division and overflow have codes of their own; else an unmasked exception flag tells SSE from x87. */
static int decode_sigfpe(struct stub_thread *t, struct user_context *uc, const siginfo_t *si)
{
	struct user_fpregs_struct fpu;

	if (si->si_code == FPE_INTDIV || si->si_code == FPE_INTOVF)
		return exception(uc, V_DE);
	if (ptrace(PTRACE_GETFPREGS, t->tid, 0, &fpu))
		return -errno;
	return exception(uc, fpu.mxcsr & 0x3f & ~(fpu.mxcsr >> 7) ? V_XM : V_MF);
}

/* A call through the vsyscall page that seccomp refused: the kernel has done its `ret` already. */
static int decode_sigsys(struct user_context *uc, const siginfo_t *si)
{
	uc->regs.rip = (uint64_t)si->si_call_addr;
	uc->regs.rsp -= 8;
	return page_fault(uc, uc->regs.rip, PF_INSTR);
}

/* A stop that belongs to somebody else's kick of an earlier visit is none. */
static int decode_kick(struct platform_vcpu *pv, struct user_context *uc)
{
	if (!__atomic_load_n(&pv->kick_sent, __ATOMIC_SEQ_CST))
		return 0;
	uc->trap_kind = TRAP_KICK;
	return 1;
}

int pt_trap_decode(struct platform_vcpu *pv, struct address_space *as, struct stub_thread *t, struct user_context *uc,
    int status)
{
	int sig = WSTOPSIG(status);
	siginfo_t si;

	if (sig == (SIGTRAP | 0x80))
		return decode_syscall(uc);
	if (status >> 16) /* group stop and the like */
		return 0;
	if (sig == KICK_SIGNAL)
		return decode_kick(pv, uc);
	if (ptrace(PTRACE_GETSIGINFO, t->tid, 0, &si))
		return -errno;
	if (si.si_code <= 0) /* sent by some process of the host */
		return 0;
	switch (sig) {
	case SIGSEGV:
		return decode_sigsegv(pv, as, t, uc, &si);
	case SIGBUS:
		return decode_sigbus(as, uc, &si);
	case SIGFPE:
		return decode_sigfpe(t, uc, &si);
	case SIGILL:
		return exception(uc, V_UD);
	case SIGTRAP:
		return exception(uc, si.si_code == SI_KERNEL ? V_BP : V_DB);
	case SIGSYS:
		return decode_sigsys(uc, &si);
	default:
		return 0;
	}
}
