// SPDX-License-Identifier: Apache-2.0
/*
 * Running a vCPU in guest placement: ring 0 is the Sentry's, and comes out by `out` for hostcalls.
 *
 * Kicks. A signal makes KVM_RUN return; if kick_pending is set and the guest says that it is in ring 3, it gets an
 * interrupt, at once or as soon as interrupts are on. IF tells the rings apart (abi/guest.h). A Sentry that lies about
 * either only loses its own kicks.
 *
 * General registers travel in the shared kvm_run page, the rest stays in KVM.
 */
#include "platform/kvm/kvm_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <syslog.h>

#define RFLAGS_IF 0x200UL

static int fail(const char *what)
{
	int err = -errno;
	vmm_log(LOG_ERR, "kvm: %s: %s", what, strerror(errno));
	return err;
}

int kvm_guest_vcpu_init(struct platform_vcpu *pv)
{
	struct kvm_enable_cap hide = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args = { 1 } };
	struct kvm_sregs s = pv->kernel_sregs;

	/* Before Linux 5.10 KVM's own registers and hypercalls are only not announced. */
	if (ioctl(pv->fd, KVM_ENABLE_CAP, &hide) && vmm_debug)
		vmm_log(LOG_DEBUG, "kvm: no KVM_CAP_ENFORCE_PV_FEATURE_CPUID");
	pv->run->s.regs.regs = (struct kvm_regs){
		.rip = kvm.image->entry,
		.rsp = DIRECT_BASE + BOOT_STACK_PA + pv->id * KSTACK_SIZE + KSTACK_TASK_OFF,
		.rdi = DIRECT_BASE + BOOT_VCPU_PA + pv->id * PAGE_SIZE,
		.rflags = 2,
	};

	s.cr3 = tramp_pa(TRAMP_PG_GUEST_PML4);
	s.gdt.base = s.gdt.limit = s.idt.base = s.idt.limit = 0;
	s.tr.base = 0;
	if (ioctl(pv->fd, KVM_SET_SREGS, &s))
		return fail("KVM_SET_SREGS");
	pv->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	pv->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	return 0;
}

static bool in_ring3(const struct platform_vcpu *pv)
{
	return pv->run->s.regs.regs.rflags & RFLAGS_IF;
}

static int interrupt(struct platform_vcpu *pv, unsigned vector)
{
	struct kvm_interrupt irq = { .irq = vector };

	return ioctl(pv->fd, KVM_INTERRUPT, &irq) ? fail("KVM_INTERRUPT") : 0;
}

/* Before each entry: a kick that is due goes in. */
static int deliver_kick(struct platform_vcpu *pv)
{
	struct kvm_run *run = pv->run;

	run->request_interrupt_window = 0;
	if (!__atomic_load_n(&pv->shared->kick_pending, __ATOMIC_SEQ_CST) ||
	    __atomic_load_n(&pv->shared->guest_mode, __ATOMIC_SEQ_CST) != GUEST_MODE_USER)
		return 0;
	if (run->ready_for_interrupt_injection)
		return interrupt(pv, GUEST_VECTOR_KICK);
	run->request_interrupt_window = 1;
	return 0;
}

/*
 * A file window was touched where its file ends. The instruction has not happened. In ring 3 the Sentry hears of it by an
 * interrupt, which must not wait: in the shadow of a MOV SS the instruction would only fail again, so the shadow goes.
 */
static int window_fault(struct platform_vcpu *pv)
{
	struct kvm_regs *r = &pv->run->s.regs.regs;
	uint64_t fixup;

	if (in_ring3(pv)) {
		kvm_count_exit(pv, EXIT_EFAULT_RING3);
		if (!pv->run->ready_for_interrupt_injection) {
			struct kvm_vcpu_events ev;

			if (ioctl(pv->fd, KVM_GET_VCPU_EVENTS, &ev))
				return fail("KVM_GET_VCPU_EVENTS");
			ev.interrupt.shadow = 0;
			ev.flags = KVM_VCPUEVENT_VALID_SHADOW;
			if (ioctl(pv->fd, KVM_SET_VCPU_EVENTS, &ev))
				return fail("KVM_SET_VCPU_EVENTS");
		}
		return interrupt(pv, GUEST_VECTOR_EFAULT);
	}
	kvm_count_exit(pv, EXIT_EFAULT_RING0);
	fixup = kvm.image_fixup(r->rip);
	if (!fixup)
		return -EFAULT;
	r->rip = fixup;
	pv->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	return 0;
}

static void say(struct guest_call *call, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct guest_call *call, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(call->why, sizeof(call->why), fmt, ap);
	va_end(ap);
}

static void say_exit(const struct kvm_run *run, struct guest_call *call)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		say(call, "port %#x, %u times %u bytes %s: no hostcall", run->io.port, run->io.count, run->io.size,
		    run->io.direction == KVM_EXIT_IO_OUT ? "out" : "in");
		break;
	case KVM_EXIT_HLT:
		say(call, "HLT");
		break;
	case KVM_EXIT_SHUTDOWN:
		say(call, "triple fault");
		break;
	case KVM_EXIT_MMIO:
		say(call, "no memory at guest-physical %#llx, %u bytes %s", run->mmio.phys_addr, run->mmio.len,
		    run->mmio.is_write ? "to write" : "to read");
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		say(call, "KVM cannot emulate it (internal error %u, %#llx %#llx %#llx)", run->internal.suberror, run->internal.data[0],
		    run->internal.data[1], run->internal.data[2]);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		say(call, "the CPU refuses the vCPU's state (%#llx)", run->fail_entry.hardware_entry_failure_reason);
		break;
	default:
		say(call, "exit %u of KVM", run->exit_reason);
		break;
	}
}

static int unexpected(struct platform_vcpu *pv, struct guest_call *call)
{
	const struct kvm_regs *r = &pv->run->s.regs.regs;
	struct kvm_sregs s = { 0 };

	say_exit(pv->run, call);
	ioctl(pv->fd, KVM_GET_SREGS, &s); /* only for the debug log */
	vmm_log(LOG_WARNING, "kvm: unexpected exit %u: rip %#llx rsp %#llx rflags %#llx cs %#x cr2 %#llx cr3 %#llx", pv->run->exit_reason,
		r->rip, r->rsp, r->rflags, s.cs.selector, s.cr2, s.cr3);
	return -EIO;
}

/* One byte, once, by ring 0: anything else that leaves the guest is none. */
static bool is_hostcall(const struct platform_vcpu *pv)
{
	const struct kvm_run *run = pv->run;

	return run->exit_reason == KVM_EXIT_IO && run->io.port == GUEST_PORT_HOSTCALL && run->io.direction == KVM_EXIT_IO_OUT &&
	       run->io.size == 1 && run->io.count == 1 && !in_ring3(pv);
}

static void take_call(const struct platform_vcpu *pv, struct guest_call *c)
{
	const struct kvm_regs *r = &pv->run->s.regs.regs;

	*c = (struct guest_call){ .nr = r->rax, .args = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 }, .rip = r->rip,
				  .rbp = r->rbp };
}

int kvm_guest_run(struct platform_vcpu *pv, struct guest_call *call)
{
	struct kvm_run *run = pv->run;

	for (;;) {
		int rc = deliver_kick(pv);

		if (!rc && ioctl(pv->fd, KVM_RUN, 0)) {
			rc = -errno;
			if (rc == -EINTR || rc == -EAGAIN) {
				kvm_count_exit(pv, EXIT_KICK);
				__atomic_store_n(&run->immediate_exit, 0, __ATOMIC_SEQ_CST);
				return -EINTR;
			}
			if (rc == -EFAULT)
				rc = window_fault(pv);
			if (!rc)
				continue;
		}
		take_call(pv, call);
		if (rc) {
			say(call, rc == -EFAULT ? "it touched memory that is not there" : "KVM_RUN: %s", strerror(-rc));
			return rc;
		}
		kvm_count_exit(pv, run->exit_reason);
		if (run->exit_reason == KVM_EXIT_IRQ_WINDOW_OPEN || run->exit_reason == KVM_EXIT_INTR)
			continue;
		return is_hostcall(pv) ? 0 : unexpected(pv, call);
	}
}

void kvm_guest_return(struct platform_vcpu *pv, int64_t result)
{
	pv->run->s.regs.regs.rax = (uint64_t)result;
	pv->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
}

const char *kvm_exit_name(unsigned kind)
{
	static const char *const names[PLATFORM_EXITS] = {
		[KVM_EXIT_UNKNOWN] = "unknown", [KVM_EXIT_IO] = "io", [KVM_EXIT_HLT] = "hlt", [KVM_EXIT_MMIO] = "mmio",
		[KVM_EXIT_IRQ_WINDOW_OPEN] = "interrupt-window", [KVM_EXIT_SHUTDOWN] = "shutdown",
		[KVM_EXIT_FAIL_ENTRY] = "fail-entry", [KVM_EXIT_INTR] = "signal", [KVM_EXIT_INTERNAL_ERROR] = "internal-error",
		[EXIT_KICK] = "kick", [EXIT_RING0_CODE] = "page-tables", [EXIT_EFAULT_RING0] = "file-end-ring0",
		[EXIT_EFAULT_RING3] = "file-end-ring3",
	};

	return kind < PLATFORM_EXITS ? names[kind] : NULL;
}
