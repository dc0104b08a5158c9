// SPDX-License-Identifier: Apache-2.0
/*
 * Which of the features that KVM supports the virtual machine has. An allow list where new features appear: what needs a
 * state in XCR0, a bit of CR4 or a register that nobody here sets would only mislead programs (protection keys, AMX, MPX,
 * CET, LAM, user interrupts, APX, SGX). And who has taken the Sentry over shall find as little as possible of KVM itself: no
 * virtual machines inside this one, no performance counters, none of KVM's own registers and hypercalls
 * (kvm_guest_vcpu_init makes them follow the leaf).
 *
 * A KVM that runs ring 3 natively may show the host's CPUID there, whatever it was told.
 */
#include "platform/kvm/kvm_impl.h"

#include <asm/kvm_para.h>

#define ALL 0xffffffffu
#define B(n) (1u << (n))
#define BITS(from, to) (ALL >> (31 - (to)) & ALL << (from))

/* What may remain of leaves that list features. Those of leaf 1 and 0x80000001 are old: what must go is named. */
static const struct leaf_mask {
	uint32_t leaf, index, eax, ebx, ecx, edx;
} masks[] = {
	{ 1, 0, ALL, ALL, ~(B(5) | B(6) | B(15)) /* VMX SMX PDCM */, ~B(21) /* DS */ },
	{ 7, 0, ALL,
	  /* FSGSBASE TSC_ADJUST, BMI1 to RTM, no FPU CS and DS, AVX512F to SMAP, AVX512IFMA, CLFLUSHOPT CLWB, AVX512PF to VL */
	  BITS(0, 1) | BITS(3, 11) | B(13) | BITS(16, 21) | BITS(23, 24) | BITS(26, 31),
	  /* PREFETCHWT1 AVX512VBMI UMIP, WAITPKG VBMI2, GFNI to BITALG, VPOPCNTDQ, RDPID, CLDEMOTE, MOVDIRI MOVDIR64B */
	  BITS(0, 2) | BITS(5, 6) | BITS(8, 12) | B(14) | B(22) | B(25) | BITS(27, 28),
	  /* 4VNNIW 4FMAPS FSRM, VP2INTERSECT to RTM_ALWAYS_ABORT, SERIALIZE, TSXLDTRK, AVX512_FP16, speculation control */
	  BITS(2, 4) | BITS(8, 11) | BITS(13, 14) | B(16) | B(23) | BITS(26, 29) | B(31) },
	{ 7, 1,
	  /* SHA512 to AVX512_BF16, CMPCCXADD, FZRM FSRS FSRC, AVX_IFMA, MOVRS */
	  BITS(0, 5) | B(7) | BITS(10, 12) | B(23) | B(31), 0, 0,
	  /* AVX_VNNI_INT8 AVX_NE_CONVERT, AVX_VNNI_INT16, PREFETCHI, AVX10 */
	  BITS(4, 5) | B(10) | B(14) | B(19) },
	{ 7, 2, 0, 0, 0, BITS(0, 5) /* speculation control */ },
	/* SVM IBS SKINIT LWP and the counters; MWAITX */
	{ 0x80000001, 0, ALL, ALL, ~(B(2) | B(10) | B(12) | B(15) | BITS(23, 24) | BITS(28, 29)), ALL },
	{ KVM_CPUID_FEATURES, 0, 0, 0, 0, 0 },
};

/* Other leaves that remain: identity, caches, topology, frequencies, address sizes, and those above. Not the performance
 * counters (0xa), SGX (0x12), traces (0x14), key locker (0x19), tiles (0x1d, 0x1e), SVM (0x8000000a), SEV (0x8000001f). */
static bool leaf_remains(uint32_t leaf)
{
	static const uint32_t rest[] = { 0xb, 0xd, 0x15, 0x16, 0x18, 0x1a, 0x1f, 0x24, KVM_CPUID_SIGNATURE, KVM_CPUID_FEATURES,
		0x80000019, 0x8000001a, 0x8000001d, 0x8000001e, 0x80000021 };

	if (leaf <= 7 || (leaf >= 0x80000000 && leaf <= 0x80000008))
		return true;
	for (unsigned i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		if (leaf == rest[i])
			return true;
	return false;
}

static void clear(struct kvm_cpuid_entry2 *e) { e->eax = e->ebx = e->ecx = e->edx = 0; }

/* States: those of xcr0, none that fault on first use, none of IA32_XSS: nobody uses XSAVES, for which KVM would switch that
 * register. KVM fills in the sizes that depend on XCR0. */
static void restrict_states(struct kvm_cpuid_entry2 *e, uint64_t xcr0, uint32_t fpu_size)
{
	if (e->index == 0) {
		e->eax = (uint32_t)xcr0;
		e->ebx = e->ecx = fpu_size;
		e->edx = (uint32_t)(xcr0 >> 32);
	} else if (e->index == 1) {
		e->eax &= BITS(0, 2); /* XSAVEOPT XSAVEC XGETBV_ECX_1 */
		e->ecx = e->edx = 0;
	} else if (e->index > 63 || !(xcr0 >> e->index & 1)) {
		clear(e);
	}
}

void kvm_cpu_policy_apply(struct kvm_cpuid2 *c, uint64_t xcr0, uint32_t fpu_size)
{
	for (unsigned i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (!leaf_remains(e->function) || (e->function == 7 && e->index > 2))
			clear(e);
		if (e->function == 7 && e->index == 0 && e->eax > 2)
			e->eax = 2;
		if (e->function == 0x80000008) /* no LA57, so these are all that an address has */
			e->eax = (e->eax & ~0xff00u) | 48 << 8;
		if (e->function == 0xd)
			restrict_states(e, xcr0, fpu_size);
		for (unsigned k = 0; k < sizeof(masks) / sizeof(masks[0]); k++) {
			const struct leaf_mask *m = &masks[k];

			if (m->leaf != e->function || m->index != e->index)
				continue;
			e->eax &= m->eax;
			e->ebx &= m->ebx;
			e->ecx &= m->ecx;
			e->edx &= m->edx;
		}
	}
}
