// SPDX-License-Identifier: Apache-2.0
/*
 * A vCPU: its descriptors, tables, segment templates and MSRs, and running a piece of ring-0 code on it.
 *
 * Registers travel in the shared kvm_run page (KVM_SYNC_REGS). A vCPU belongs to one host thread.
 */
#include "platform/kvm/kvm_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>
#include <x86intrin.h>

#define TSC_TRIES 8

#define MSR_TSC     0x10
#define MSR_STAR    0xc0000081
#define MSR_LSTAR   0xc0000082
#define MSR_SFMASK  0xc0000084
#define MSR_TSC_AUX 0xc0000103

#define CR0_BITS 0x80050033UL /* PG AM WP NE ET MP PE */
#define CR4_BITS 0x6b0UL      /* PSE PAE PGE OSFXSR OSXMMEXCPT */
#define CR4_FSGSBASE (1UL << 16)
#define CR4_OSXSAVE  (1UL << 18)
#define EFER_BITS 0xd01UL     /* NXE LMA LME SCE */
#define SFMASK_BITS 0x47700UL /* TF IF DF IOPL NT AC off in ring 0 */

static int fail(const char *what)
{
	int err = -errno;
	vmm_log(LOG_ERR, "kvm: %s: %s", what, strerror(errno));
	return err;
}

static void fill_tables(struct platform_vcpu *pv)
{
	unsigned page = TRAMP_PG_VCPU + 2 * pv->id;
	uint64_t base = tramp_va(page), tss = base + offsetof(struct tramp_vcpu, tss);
	uint64_t rsp0 = tramp_va(page + 2), ist1 = rsp0 - PAGE_SIZE / 2;
	struct tramp_vcpu *t = tramp_page(page);

	t->gdt[SEL_KCODE >> 3] = 0x00af9b000000ffff;
	t->gdt[SEL_KDATA >> 3] = 0x00cf93000000ffff;
	t->gdt[SEL_UDATA >> 3] = 0x00cff3000000ffff;
	t->gdt[SEL_UCODE >> 3] = 0x00affb000000ffff;
	t->gdt[SEL_TSS >> 3] = 0x00008b0000000067UL | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
	t->gdt[(SEL_TSS >> 3) + 1] = tss >> 32;
	memcpy(&t->tss[1], &rsp0, 8);
	memcpy(&t->tss[9], &ist1, 8);
	t->tss[25] = 104 << 16; /* no I/O bitmap */
	pv->tables = t;
	pv->stack_top = (uint64_t *)((uint8_t *)tramp_page(page) + 2 * PAGE_SIZE);
}

static void fill_templates(struct platform_vcpu *pv, const struct kvm_sregs *reset)
{
	static const struct kvm_segment kcode = { .limit = 0xffffffff, .selector = SEL_KCODE, .type = 0xb, .present = 1,
		.s = 1, .l = 1, .g = 1 };
	static const struct kvm_segment kdata = { .limit = 0xffffffff, .selector = SEL_KDATA, .type = 3, .present = 1,
		.db = 1, .s = 1, .g = 1 };
	static const struct kvm_segment ucode = { .limit = 0xffffffff, .selector = SEL_UCODE, .type = 0xb, .present = 1,
		.dpl = 3, .s = 1, .l = 1, .g = 1 };
	static const struct kvm_segment udata = { .limit = 0xffffffff, .selector = SEL_UDATA, .type = 3, .present = 1,
		.dpl = 3, .db = 1, .s = 1, .g = 1 };
	uint64_t base = tramp_va(TRAMP_PG_VCPU + 2 * pv->id);
	struct kvm_sregs *s = &pv->kernel_sregs;

	*s = *reset;
	s->cr0 = CR0_BITS;
	s->cr3 = tramp_pa(TRAMP_PG_PML4);
	s->cr4 = CR4_BITS | (kvm.has_xcrs ? CR4_OSXSAVE : 0) | (kvm.has_fsgsbase ? CR4_FSGSBASE : 0);
	s->efer = EFER_BITS;
	s->cs = kcode;
	s->ss = s->ds = s->es = s->fs = s->gs = kdata;
	s->gdt.base = base;
	s->gdt.limit = sizeof(pv->tables->gdt) - 1;
	s->idt.base = tramp_va(TRAMP_PG_IDT);
	s->idt.limit = PAGE_SIZE - 1;
	/* At reset it is a table of 64 KiB at address 0, where an application might have memory one day. */
	s->ldt = (struct kvm_segment){ .unusable = 1, .type = 2 };
	s->tr = (struct kvm_segment){ .base = base + offsetof(struct tramp_vcpu, tss), .limit = 0x67, .selector = SEL_TSS,
		.type = 0xb, .present = 1 };
	pv->user_sregs = *s;
	pv->user_sregs.cs = ucode;
	pv->user_sregs.ss = pv->user_sregs.ds = pv->user_sregs.es = udata;
	pv->user_sregs.fs = pv->user_sregs.gs = udata;
}

static int set_msrs(struct platform_vcpu *pv)
{
	struct {
		struct kvm_msrs h;
		struct kvm_msr_entry e[3];
	} m = { .h.nmsrs = 3,
		.e = { { .index = MSR_STAR, .data = (uint64_t)(SEL_UCODE - 16) << 48 | (uint64_t)SEL_KCODE << 32 },
		       { .index = MSR_LSTAR, .data = tramp_sym(tramp_lstar) },
		       { .index = MSR_SFMASK, .data = SFMASK_BITS } } };
	struct {
		struct kvm_msrs h;
		struct kvm_msr_entry e[1];
	} aux = { .h.nmsrs = 1, .e = { { .index = MSR_TSC_AUX, .data = pv->id } } };

	if (ioctl(pv->fd, KVM_SET_MSRS, &m) != 3)
		return fail("KVM_SET_MSRS");
	/* What rdtscp and rdpid show; CPUs without them lack the register. */
	if (ioctl(pv->fd, KVM_SET_MSRS, &aux) != 1 && vmm_debug)
		vmm_log(LOG_DEBUG, "kvm: no TSC_AUX");
	return 0;
}

static int set_xcr0(struct platform_vcpu *pv)
{
	struct kvm_xcrs x = { .nr_xcrs = 1, .xcrs[0] = { .xcr = 0, .value = kvm.xcr0 } };

	if (kvm.has_xcrs && ioctl(pv->fd, KVM_SET_XCRS, &x))
		return fail("KVM_SET_XCRS");
	return 0;
}

/* Ring 3 should see the host's TSC, unshifted. Clears kvm.tsc_ok where it does not. Those of two CPUs may differ a little, and
 * this thread may have moved between the readings: so several tries. */
static void align_tsc(struct platform_vcpu *pv)
{
	uint64_t zero = 0, before, after;
	struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)&zero };
	struct {
		struct kvm_msrs h;
		struct kvm_msr_entry e[1];
	} m = { .h.nmsrs = 1, .e = { { .index = MSR_TSC } } };

	if (!kvm.tsc_ok)
		return;
	ioctl(pv->fd, KVM_SET_DEVICE_ATTR, &attr); /* judged by its effect */
	for (int i = 0; i < TSC_TRIES; i++) {
		before = __rdtsc();
		if (ioctl(pv->fd, KVM_GET_MSRS, &m) != 1)
			break;
		after = __rdtsc();
		if (m.e[0].data >= before && m.e[0].data <= after)
			return;
	}
	kvm.tsc_ok = false;
	if (pv->id)
		vmm_tsc_unusable(KVM_TSC_SHIFTED);
}

int kvm_vcpu_create(unsigned id, struct platform_vcpu **out)
{
	struct platform_vcpu *pv;
	struct kvm_sregs s;
	int rc;

	if (id >= BOOT_VCPU_MAX)
		return -EINVAL;
	pv = aligned_alloc(64, (sizeof(*pv) + 63) & ~63UL);
	if (!pv)
		return -ENOMEM;
	memset(pv, 0, sizeof(*pv));
	pv->id = id;
	pv->fd = ioctl(kvm.vm_fd, KVM_CREATE_VCPU, (unsigned long)id);
	if (pv->fd < 0) {
		rc = fail("KVM_CREATE_VCPU");
		goto out_free;
	}
	pv->run = mmap(NULL, kvm.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, pv->fd, 0);
	if (pv->run == MAP_FAILED) {
		rc = fail("mmap of a vCPU");
		goto out_close;
	}
	pv->xsave = aligned_alloc(64, (kvm.xsave_size + 63) & ~63U);
	rc = pv->xsave ? kvm_cpu_model_apply(pv->fd, id) : -ENOMEM;
	if (rc)
		goto out_unmap;
	if (ioctl(pv->fd, KVM_GET_SREGS, &s)) {
		rc = fail("KVM_GET_SREGS");
		goto out_unmap;
	}
	fill_tables(pv);
	fill_templates(pv, &s);
	if (ioctl(pv->fd, KVM_SET_SREGS, &pv->kernel_sregs)) {
		rc = fail("KVM_SET_SREGS");
		goto out_unmap;
	}
	rc = set_xcr0(pv);
	if (!rc)
		rc = set_msrs(pv);
	if (rc)
		goto out_unmap;
	align_tsc(pv);
	pv->run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	*out = pv;
	return 0;
out_unmap:
	free(pv->xsave);
	munmap(pv->run, kvm.run_size);
out_close:
	close(pv->fd);
out_free:
	free(pv);
	return rc;
}

int kvm_vcpu_init(unsigned id, struct vcpu *v, struct platform_vcpu **out)
{
	struct platform_vcpu *pv;
	int rc = 0;

	if (id >= BOOT_VCPU_MAX)
		return -EINVAL;
	pv = kvm.vcpu[id]; /* the first one was made by init */
	if (!pv)
		rc = kvm_vcpu_create(id, &pv);
	if (rc)
		return rc;
	pv->tid = syscall(SYS_gettid);
	pv->shared = v;
	if (kvm.guest)
		rc = kvm_guest_vcpu_init(pv);
	if (rc)
		return rc;
	__atomic_store_n(&kvm.vcpu[id], pv, __ATOMIC_RELEASE);
	*out = pv;
	return 0;
}

int kvm_vcpu_run_op(struct platform_vcpu *pv, uint64_t rip, uint64_t cr3, uint64_t rsi, uint64_t rcx)
{
	struct kvm_run *run = pv->run;

	memset(&run->s.regs.regs, 0, sizeof(run->s.regs.regs));
	run->s.regs.regs.rip = rip;
	run->s.regs.regs.rsi = rsi;
	run->s.regs.regs.rcx = rcx;
	run->s.regs.regs.rsp = tramp_va(TRAMP_PG_VCPU + 2 * pv->id + 2);
	run->s.regs.regs.rflags = 2;
	run->s.regs.sregs = pv->kernel_sregs;
	run->s.regs.sregs.cr3 = cr3;
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	for (;;) {
		run->immediate_exit = 0; /* a kick is remembered in kick_pending */
		if (!ioctl(pv->fd, KVM_RUN, 0)) {
			kvm_count_exit(pv, EXIT_RING0_CODE);
			break;
		}
		if (errno != EINTR && errno != EAGAIN)
			return fail("KVM_RUN in ring 0");
	}
	if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT_DONE)
		return 0;
	vmm_log(LOG_ERR, "kvm: ring-0 code at %#lx left with exit %u port %#x rip %#llx cr2 %#llx cr3 %#lx", rip,
		run->exit_reason, run->io.port, run->s.regs.regs.rip, run->s.regs.sregs.cr2, cr3);
	return -EIO;
}
