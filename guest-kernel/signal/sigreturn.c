// SPDX-License-Identifier: Apache-2.0
/*
 * rt_sigreturn(2). The frame is whatever the application made of it: selectors, flags, the instruction pointer and the
 * XSAVE image are checked, and what cannot be restored is SIGSEGV, as in Linux.
 */
#include "signal/sigqueue.h"

#include "lib/string.h"
#include "mm/mm.h"
#include "mm/page.h"
#include "syscall/syscall.h"

/* Does the image at fp carry our extended state? Else only its first 512 bytes count. */
static bool frame_has_xstate(struct task *t, uint64_t fp, const struct fpx_sw_bytes *sw)
{
	uint32_t magic2;

	if (t->uc.fpu_size < 576 || sw->magic1 != FP_XSTATE_MAGIC1_ || sw->xstate_size < 576 ||
	    sw->xstate_size > t->uc.fpu_size || sw->xstate_size > sw->extended_size)
		return false;
	return !copy_in_struct(&magic2, uva(fp + sw->xstate_size)) && magic2 == FP_XSTATE_MAGIC2_;
}

static int restore_fpstate(struct task *t, uint64_t fp)
{
	struct fpx_sw_bytes sw;
	uint8_t *buf;
	bool extended;
	int err;

	if (!fp) {
		fpstate_reset(t);
		return 0;
	}
	if (fp % 64 || copy_in_struct(&sw, uva(fp + FPX_SW_OFFSET)))
		return -EFAULT;
	buf = kzalloc(t->uc.fpu_size);
	if (!buf)
		return -ENOMEM;
	extended = frame_has_xstate(t, fp, &sw);
	err = copy_in(buf, uva(fp), extended ? sw.xstate_size : 512);
	if (!err)
		err = fpstate_load(t, buf, extended);
	kfree(buf);
	return err;
}

static int restore_context(struct task *t, const struct user_ucontext *uc)
{
	const struct sig_context *c = &uc->mc;
	struct user_regs *r = &t->uc.regs;
	uint16_t ss = uc->flags & UC_STRICT_RESTORE_SS_ ? c->ss | 3 : USER_SS_;

	/* There is no 32-bit code segment and no local descriptor table. */
	if ((c->cs | 3) != USER_CS_ || ss != USER_SS_)
		return -EINVAL;
	if (restore_fpstate(t, c->fpstate))
		return -EFAULT;
	r->r8 = c->r8, r->r9 = c->r9, r->r10 = c->r10, r->r11 = c->r11;
	r->r12 = c->r12, r->r13 = c->r13, r->r14 = c->r14, r->r15 = c->r15;
	r->rdi = c->rdi, r->rsi = c->rsi, r->rbp = c->rbp, r->rbx = c->rbx;
	r->rdx = c->rdx, r->rax = c->rax, r->rcx = c->rcx, r->rsp = c->rsp;
	r->rip = c->rip;
	r->cs = USER_CS_;
	r->ss = USER_SS_;
	r->rflags = (r->rflags & ~(uint64_t)X86_EFLAGS_USER) | (c->eflags & X86_EFLAGS_USER) | 0x202;
	r->orig_rax = UINT64_MAX; /* nothing to restart */
	return 0;
}

/* Where no code can be the instruction fetch faults, or the return to such an address; no platform is bothered with it. */
static void fault_of_rip(uint64_t rip)
{
	bool canonical = (uint64_t)((int64_t)(rip << 16) >> 16) == rip;

	if (canonical)
		signal_fault(SIGSEGV, SEGV_MAPERR, rip, 14, PF_PRESENT | PF_USER | PF_INSTR);
	else
		signal_fault(SIGSEGV, SI_KERNEL, 0, 13, 0);
}

int64_t sys_rt_sigreturn(const struct sysargs *a)
{
	struct task *t = current;
	struct user_ucontext uc;

	(void)a;
	/* The handler's ret took the return address. */
	if (copy_in_struct(&uc, uva(t->uc.regs.rsp - 8 + offsetof(struct rt_sigframe, uc))))
		goto bad;
	signal_set_blocked(uc.mask);
	t->restart_fn = NULL;
	if (restore_context(t, &uc))
		goto bad;
	/* Errors of the alternate stack are not reported; a stack in use stays. */
	(void)altstack_set(&uc.stack, t->uc.regs.rsp);
	if (t->uc.regs.rip >= USER_MAX)
		fault_of_rip(t->uc.regs.rip);
	return (int64_t)t->uc.regs.rax;
bad:
	t->uc.regs.orig_rax = UINT64_MAX;
	signal_force_segv(0);
	return (int64_t)t->uc.regs.rax;
}
