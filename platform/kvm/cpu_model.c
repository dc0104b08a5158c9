// SPDX-License-Identifier: Apache-2.0
/*
 * What CPU the application sees: CPUID as KVM supports it, less what cpu_policy.c takes away, XCR0 with every state component
 * that can be used, and the size of an XSAVE area that follows from it.
 */
#include "platform/kvm/kvm_impl.h"

#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <syslog.h>

#include "platform/xsave.h"

#define CPUID_MAX 256
/* x87, SSE, AVX, AVX-512 (three). PKRU, though CR4.PKE is off: where XCR0 is not the host's, KVM switches it at each entry and
 * exit. Not the MPX pair (gone) and not AMX (needs a permission per process). */
#define XCR0_WANTED 0x2e7UL

static struct kvm_cpuid_entry2 *find_leaf(uint32_t function, uint32_t index)
{
	for (unsigned i = 0; i < kvm.cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &kvm.cpuid->entries[i];
		if (e->function == function && (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index))
			return e;
	}
	return NULL;
}

static bool host_has_xsave(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_OSXSAVE);
}

static uint64_t host_xcr0(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo | (uint64_t)hi << 32;
}

/* KVM leaves the CPU's name out. */
static void add_brand(void)
{
	for (uint32_t leaf = 0x80000002; leaf <= 0x80000004; leaf++) {
		struct kvm_cpuid_entry2 *e = find_leaf(leaf, 0);

		if (!e && kvm.cpuid->nent < CPUID_MAX) {
			e = &kvm.cpuid->entries[kvm.cpuid->nent++];
			*e = (struct kvm_cpuid_entry2){ .function = leaf };
		}
		if (e && !__get_cpuid(leaf, &e->eax, &e->ebx, &e->ecx, &e->edx))
			return;
	}
}

int kvm_cpu_model_init(void)
{
	struct kvm_cpuid_entry2 *e;
	int rc;

	kvm.cpuid = calloc(1, sizeof(*kvm.cpuid) + CPUID_MAX * sizeof(kvm.cpuid->entries[0]));
	if (!kvm.cpuid)
		return -ENOMEM;
	kvm.cpuid->nent = CPUID_MAX;
	if (ioctl(kvm.kvm_fd, KVM_GET_SUPPORTED_CPUID, kvm.cpuid)) {
		rc = -errno;
		vmm_log(LOG_ERR, "kvm: KVM_GET_SUPPORTED_CPUID: %s", strerror(errno));
		return rc;
	}
	add_brand();
	kvm.has_xcrs = ioctl(kvm.vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XCRS) > 0 && host_has_xsave();
	e = find_leaf(0xd, 0);
	kvm.xcr0 = 3;
	if (kvm.has_xcrs && e && e->eax)
		kvm.xcr0 = (e->eax | (uint64_t)e->edx << 32) & XCR0_WANTED & host_xcr0();
	else
		kvm.has_xcrs = false;
	kvm.xcr0 |= 3;
	if ((kvm.xcr0 & 0xe0) != 0xe0)
		kvm.xcr0 &= ~0xe0UL;
	kvm.fpu_size = kvm.has_xcrs ? xsave_size(kvm.xcr0) : 512 + 64;
	rc = ioctl(kvm.vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);
	kvm.has_xsave2 = rc > (int)sizeof(struct kvm_xsave);
	kvm.xsave_size = kvm.has_xsave2 ? (uint32_t)rc : sizeof(struct kvm_xsave);
	if (kvm.fpu_size > kvm.xsave_size)
		return -EINVAL;
	e = find_leaf(7, 0);
	kvm.has_fsgsbase = e && (e->ebx & 1);
	kvm_cpu_policy_apply(kvm.cpuid, kvm.xcr0, kvm.fpu_size);
	return 0;
}

/* The template with this vCPU's identity in the leaves that hold it. */
int kvm_cpu_model_apply(int vcpu_fd, unsigned id)
{
	size_t size = sizeof(*kvm.cpuid) + kvm.cpuid->nent * sizeof(kvm.cpuid->entries[0]);
	struct kvm_cpuid2 *c = malloc(size);
	int rc = 0;

	if (!c)
		return -ENOMEM;
	memcpy(c, kvm.cpuid, size);
	for (unsigned i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];
		if (e->function == 1)
			e->ebx = (e->ebx & 0x00ffffff) | id << 24;
		else if (e->function == 0xb || e->function == 0x1f)
			e->edx = id;
	}
	if (ioctl(vcpu_fd, KVM_SET_CPUID2, c)) {
		rc = -errno;
		vmm_log(LOG_ERR, "kvm: KVM_SET_CPUID2: %s", strerror(errno));
	}
	free(c);
	return rc;
}
