// SPDX-License-Identifier: Apache-2.0
/*
 * run_user: straight into ring 3 and back with the next trap.
 *
 * A kick sets immediate_exit from the signal handler. The order that loses none: clear immediate_exit, say in_guest,
 * look at kick_pending and the flush generation, then KVM_RUN; the kicker stores its flag first and looks at in_guest
 * after. An interrupted vCPU may be inside a ring-0 stub or about to deliver an exception; it then runs on until the
 * stub has left the VM, so a context is only ever taken away at an instruction boundary of ring 3.
 */
#include "platform/kvm/kvm_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <syslog.h>

#define RFLAGS_USER  0x254dd5UL /* what ring 3 may choose: CF PF AF ZF SF TF DF OF NT RF AC ID */
#define RFLAGS_FORCE 0x202UL    /* IF and the bit that is always one */

/* Exceptions that push an error code. */
#define HAS_ERROR_CODE ((1u << 8) | (1u << 10) | (1u << 11) | (1u << 12) | (1u << 13) | (1u << 14) | (1u << 17) | \
			(1u << 21) | (1u << 29) | (1u << 30))

_Atomic bool kvm_emulates_ring0;

static void load_user(struct platform_vcpu *pv, const struct user_context *uc, uint64_t cr3)
{
	struct kvm_regs *r = &pv->run->s.regs.regs;
	struct kvm_sregs *s = &pv->run->s.regs.sregs;
	const struct user_regs *u = &uc->regs;

	*r = (struct kvm_regs){
		.rax = u->rax, .rbx = u->rbx, .rcx = u->rcx, .rdx = u->rdx, .rsi = u->rsi, .rdi = u->rdi, .rsp = u->rsp,
		.rbp = u->rbp, .r8 = u->r8, .r9 = u->r9, .r10 = u->r10, .r11 = u->r11, .r12 = u->r12, .r13 = u->r13,
		.r14 = u->r14, .r15 = u->r15, .rip = u->rip,
		.rflags = (u->rflags & RFLAGS_USER) | RFLAGS_FORCE,
	};
	*s = pv->user_sregs;
	s->cr3 = cr3;
	s->fs.base = u->fs_base;
	s->gs.base = u->gs_base;
	pv->run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
}

static void store_user(const struct platform_vcpu *pv, struct user_context *uc)
{
	const struct kvm_regs *r = &pv->run->s.regs.regs;
	const struct kvm_sregs *s = &pv->run->s.regs.sregs;

	uc->regs = (struct user_regs){
		.rax = r->rax, .rbx = r->rbx, .rcx = r->rcx, .rdx = r->rdx, .rsi = r->rsi, .rdi = r->rdi, .rsp = r->rsp,
		.rbp = r->rbp, .r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11, .r12 = r->r12, .r13 = r->r13,
		.r14 = r->r14, .r15 = r->r15, .rip = r->rip, .rflags = r->rflags, .orig_rax = ~0UL,
		.cs = SEL_UCODE, .ss = SEL_UDATA, .fs_base = s->fs.base, .gs_base = s->gs.base,
	};
}

static void trap_syscall(struct platform_vcpu *pv, struct user_context *uc, uint64_t rsp)
{
	store_user(pv, uc);
	uc->regs.orig_rax = uc->regs.rax;
	uc->regs.rip = uc->regs.rcx;
	uc->regs.rflags = uc->regs.r11;
	uc->regs.rsp = rsp;
	uc->trap_kind = TRAP_SYSCALL;
}

/* An exception stub was reached: the frame lies at the top of the vCPU's ring-0 stack. */
static int trap_exception(struct platform_vcpu *pv, struct user_context *uc, unsigned vector)
{
	const struct kvm_sregs *s = &pv->run->s.regs.sregs;
	const uint64_t *frame = pv->stack_top - 5;
	uint64_t error = 0;

	if (vector == 8)
		frame -= PAGE_SIZE / 2 / 8;
	if (HAS_ERROR_CODE >> vector & 1)
		error = frame[-1];
	if (vector == 14 && s->cr2 == tramp_sym(tramp_lstar) && frame[0] == s->cr2 &&
	    error == (PF_PRESENT | PF_USER | PF_INSTR)) {
		kvm_emulates_ring0 = true;
		trap_syscall(pv, uc, frame[3]);
		return 0;
	}
	if ((frame[1] & 3) != 3) {
		vmm_log(LOG_ERR, "kvm: exception %u in ring 0, rip %#lx, error %#lx, cr2 %#llx", vector, frame[0], error,
			s->cr2);
		return -EIO;
	}
	store_user(pv, uc);
	uc->regs.rip = frame[0];
	uc->regs.rflags = frame[2];
	uc->regs.rsp = frame[3];
	uc->trap_vector = vector;
	uc->trap_error = error;
	uc->trap_addr = vector == 14 ? s->cr2 : 0;
	uc->trap_kind = vector == 14 ? TRAP_PAGE_FAULT : TRAP_EXCEPTION;
	return 0;
}

static int unexpected(const struct platform_vcpu *pv)
{
	const struct kvm_run *run = pv->run;
	const struct kvm_regs *r = &run->s.regs.regs;

	vmm_log(LOG_ERR, "kvm: unexpected exit %u: rip %#llx rsp %#llx cs %#x cr2 %#llx cr3 %#llx", run->exit_reason,
		r->rip, r->rsp, run->s.regs.sregs.cs.selector, run->s.regs.sregs.cr2, run->s.regs.sregs.cr3);
	if (run->exit_reason == KVM_EXIT_MMIO)
		vmm_log(LOG_ERR, "kvm: guest-physical %#llx, %u bytes, %s: no memory there", run->mmio.phys_addr,
			run->mmio.len, run->mmio.is_write ? "write" : "read");
	else if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		vmm_log(LOG_ERR, "kvm: internal error %u: data %#llx %#llx %#llx", run->internal.suberror,
			run->internal.data[0], run->internal.data[1], run->internal.data[2]);
	return -EIO;
}

/* A trap left the VM: 0 with uc filled, or -errno. */
static int decode(struct platform_vcpu *pv, struct user_context *uc)
{
	const struct kvm_run *run = pv->run;

	if (run->exit_reason != KVM_EXIT_IO || (run->s.regs.sregs.cs.selector & 3))
		return unexpected(pv);
	if (run->io.port == PORT_SYSCALL) {
		trap_syscall(pv, uc, run->s.regs.regs.rsp);
		return 0;
	}
	if (run->io.port >= PORT_VECTOR && run->io.port < PORT_VECTOR + 32)
		return trap_exception(pv, uc, run->io.port - PORT_VECTOR);
	return unexpected(pv);
}

/*
 * At an instruction boundary of ring 3, with nothing half delivered? Where an interrupt could be injected it is. Else an
 * exception may be on its way: KVM_GET_VCPU_EVENTS keeps INT3 and INTO to itself, which a software KVM does not repeat. So
 * only the shadow of a MOV SS is innocent.
 */
static bool at_boundary(const struct platform_vcpu *pv)
{
	struct kvm_vcpu_events ev;

	if ((pv->run->s.regs.sregs.cs.selector & 3) != 3)
		return false;
	if (pv->run->ready_for_interrupt_injection || ioctl(pv->fd, KVM_GET_VCPU_EVENTS, &ev))
		return true;
	return !ev.exception.injected && !ev.exception.pending && ev.interrupt.shadow;
}

static inline void leave_guest(struct platform_vcpu *pv)
{
	atomic_store_explicit(&pv->in_guest, pv->in_guest + 1, memory_order_release);
}

enum { RUN_TRAP, RUN_AGAIN, RUN_INTERRUPTED, RUN_EFAULT };

static int run_once(struct platform_vcpu *pv)
{
	struct kvm_run *run = pv->run;

	for (;;) {
		int err = ioctl(pv->fd, KVM_RUN, 0) ? errno : 0;

		run->request_interrupt_window = 0;
		if (!err) {
			kvm_count_exit(pv, run->exit_reason);
			if (run->exit_reason == KVM_EXIT_IRQ_WINDOW_OPEN)
				return RUN_INTERRUPTED;
			return RUN_TRAP;
		}
		kvm_count_exit(pv, err == EFAULT ? EXIT_EFAULT_RING3 : EXIT_KICK);
		if (err == EFAULT)
			return (run->s.regs.sregs.cs.selector & 3) == 3 ? RUN_EFAULT : -EFAULT;
		if (err != EINTR && err != EAGAIN)
			return -err;
		if (at_boundary(pv))
			return RUN_INTERRUPTED;
		/* Let the stub finish, or stop as soon as ring 3 goes on. kick_pending remembers the kick. */
		run->request_interrupt_window = 1;
		run->immediate_exit = 0;
	}
}

/* One entry of ring 3. RUN_AGAIN: something must be done first. */
static int enter(struct platform_vcpu *pv, struct user_context *uc, struct kvm_as *as)
{
	int rc = RUN_AGAIN;

	pv->run->immediate_exit = 0;
	atomic_store_explicit(&pv->in_guest, pv->in_guest + 1, memory_order_seq_cst);
	if (__atomic_load_n(&pv->shared->kick_pending, __ATOMIC_SEQ_CST))
		rc = RUN_INTERRUPTED;
	else if (atomic_load(&as->gen) == atomic_load_explicit(&as->seen[pv->id], memory_order_relaxed))
		rc = run_once(pv);
	leave_guest(pv);
	return rc;
}

int kvm_run_user(struct platform_vcpu *pv, struct user_context *uc)
{
	uint64_t cr3 = __atomic_load_n(&uc->cr3, __ATOMIC_RELAXED);
	struct kvm_as *as = kvm_as_use(pv, cr3);
	int rc;

	if (!as)
		return -EINVAL;
	rc = kvm_fpu_switch(pv, uc);
	if (rc) {
		vmm_log(LOG_WARNING, "kvm: FPU state of a task: %s", strerror(-rc));
		return rc;
	}
	for (;;) {
		rc = kvm_as_catch_up(pv, as);
		if (rc)
			return rc;
		load_user(pv, uc, cr3);
		rc = enter(pv, uc, as);
		switch (rc) {
		case RUN_TRAP:
			return decode(pv, uc);
		case RUN_AGAIN:
			continue;
		case RUN_EFAULT:
			store_user(pv, uc);
			uc->trap_kind = TRAP_WINDOW_EFAULT;
			return 0;
		case RUN_INTERRUPTED:
			store_user(pv, uc);
			if (!__atomic_load_n(&pv->shared->kick_pending, __ATOMIC_ACQUIRE))
				continue; /* a flush, or a late signal */
			uc->trap_kind = TRAP_KICK;
			return 0;
		default:
			vmm_log(LOG_ERR, "kvm: KVM_RUN: %s", strerror(-rc));
			return rc;
		}
	}
}
