// SPDX-License-Identifier: Apache-2.0
/*
 * The frame of a signal handler, byte for byte as x86-64 Linux lays it out (unwinders and runtimes read it): from the top
 * the XSAVE image with its software bytes, then struct rt_sigframe, whose first word is the return address.
 */
#include "signal/sigqueue.h"

#include "lib/string.h"
#include "mm/mm.h"

#define RED_ZONE 128

static bool altstack_contains(struct task *t, uint64_t sp)
{
	return sp > t->sig.altstack_sp && sp - t->sig.altstack_sp <= t->sig.altstack_size;
}

/* With SS_AUTODISARM a task is never "on" the stack: it was disarmed on entry. */
static bool on_altstack(struct task *t, uint64_t sp)
{
	return !(t->sig.altstack_flags & SS_AUTODISARM) && altstack_contains(t, sp);
}

int altstack_flags(struct task *t, uint64_t sp)
{
	if (!t->sig.altstack_size)
		return SS_DISABLE;
	return on_altstack(t, sp) ? SS_ONSTACK : 0;
}

/* Places frame and FPU image; false when they do not fit the alternate stack. */
static bool place_frame(struct task *t, uint64_t flags, uint64_t fpu_bytes, uint64_t *frame, uint64_t *fp)
{
	uint64_t sp = t->uc.regs.rsp - RED_ZONE;
	bool alt = on_altstack(t, sp);

	if ((flags & SA_ONSTACK) && altstack_flags(t, sp) == 0) {
		sp = t->sig.altstack_sp + t->sig.altstack_size;
		alt = true;
	}
	sp = ROUND_DOWN(sp - fpu_bytes, 64UL);
	*fp = sp;
	sp = ROUND_DOWN(sp - sizeof(struct rt_sigframe), 16UL) - 8;
	*frame = sp;
	return !alt || altstack_contains(t, sp);
}

static int write_fpstate(struct task *t, uint64_t fp)
{
	struct fpx_sw_bytes sw = {0};
	uint32_t magic2 = FP_XSTATE_MAGIC2_;

	if (copy_out(uva(fp), (void *)t->uc.fpu, t->uc.fpu_size))
		return -EFAULT;
	sw.magic1 = FP_XSTATE_MAGIC1_;
	sw.extended_size = t->uc.fpu_size + sizeof(magic2);
	sw.xfeatures = fpstate_features();
	sw.xstate_size = t->uc.fpu_size;
	if (copy_out(uva(fp + FPX_SW_OFFSET), &sw, sizeof(sw)))
		return -EFAULT;
	return copy_out(uva(fp + t->uc.fpu_size), &magic2, sizeof(magic2));
}

static void fill_context(struct task *t, struct rt_sigframe *f, uint64_t fp, ksigset_t saved)
{
	const struct user_regs *r = &t->uc.regs;

	f->uc.flags = UC_FP_XSTATE_ | UC_SIGCONTEXT_SS_ | UC_STRICT_RESTORE_SS_;
	f->uc.stack.sp = t->sig.altstack_sp;
	f->uc.stack.flags = (int32_t)t->sig.altstack_flags;
	f->uc.stack.size = t->sig.altstack_size;
	f->uc.mc = (struct sig_context){
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11, .r12 = r->r12, .r13 = r->r13, .r14 = r->r14,
		.r15 = r->r15, .rdi = r->rdi, .rsi = r->rsi, .rbp = r->rbp, .rbx = r->rbx, .rdx = r->rdx, .rax = r->rax,
		.rcx = r->rcx, .rsp = r->rsp, .rip = r->rip, .eflags = r->rflags, .cs = (uint16_t)r->cs,
		.ss = (uint16_t)r->ss, .err = t->sig.trap_error, .trapno = t->sig.trapno, .oldmask = saved,
		.cr2 = t->sig.trap_addr, .fpstate = fp,
	};
	f->uc.mask = saved;
}

int signal_build_frame(const struct ksignal *k, ksigset_t saved_mask)
{
	struct task *t = current;
	struct user_regs *r = &t->uc.regs;
	struct rt_sigframe f;
	uint64_t frame, fp;

	/* x86-64 has no default restorer. A handler out of the address space would fault on entry. */
	if (!(k->action.flags & SA_RESTORER) || k->action.handler >= USER_MAX)
		return -EFAULT;
	if (!place_frame(t, k->action.flags, t->uc.fpu_size + sizeof(uint32_t), &frame, &fp))
		return -EFAULT;
	fpstate_sync(t);
	memset(&f, 0, sizeof(f));
	f.pretcode = k->action.restorer;
	f.info = k->info;
	fill_context(t, &f, fp, saved_mask);
	if (write_fpstate(t, fp) || copy_out_struct(uva(frame), &f))
		return -EFAULT;

	fpstate_reset(t);
	if (t->sig.altstack_flags & SS_AUTODISARM)
		signal_altstack_reset(t);
	r->rdi = (uint64_t)k->signo;
	r->rsi = frame + offsetof(struct rt_sigframe, info);
	r->rdx = frame + offsetof(struct rt_sigframe, uc);
	r->rax = 0;
	r->rsp = frame;
	r->rip = k->action.handler;
	r->cs = USER_CS_;
	r->ss = USER_SS_;
	r->rflags &= ~(uint64_t)(X86_EFLAGS_DF_ | X86_EFLAGS_RF_ | X86_EFLAGS_TF_);
	return 0;
}
