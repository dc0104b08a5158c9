/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FPU state, and the segments with it: loaded when another task enters ring 3, saved when the next one does. The rule of
 * user_context.fpu_cpu (abi/boot.h) says whose state the registers hold; ring0_cpu.uc alone is only a hint, as a context may
 * have been freed.
 *
 * XSAVE, not XSAVEOPT: signal frames and tracers copy the area, and parts in their initial state must be written there.
 */
#include "arch/ring0/ring0.h"

#include "boot/boot.h"
#include "lib/atomic.h"

#define XSAVE_HEADER 512

static void save(struct ring0_cpu *cpu, struct user_context *uc)
{
	void *area = (void *)uc->fpu;

	if (cpu->has_xsave) {
		__asm__ volatile("xsave64 (%0)" ::"r"(area), "a"((uint32_t)boot.xcr0), "d"((uint32_t)(boot.xcr0 >> 32)) : "memory");
	} else {
		__asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
		*(uint64_t *)((uint8_t *)area + XSAVE_HEADER) = 3;
	}
	ring0_segments_save(cpu, &uc->regs);
	atomic_store(&uc->fpu_cpu, -1);
}

/* Where x87 was last is the Sentry's affair then. */
static void forget_fip(void)
{
	static const uint32_t something;

	__asm__ volatile("fnclex\n emms\n fildl %0" ::"m"(something));
}

/* 0, or -EFAULT: the CPU refuses what the area holds. */
static int load(struct ring0_cpu *cpu, const struct user_context *uc)
{
	const void *area = (const void *)uc->fpu;
	int err = -EFAULT;

	if (cpu->keeps_fip)
		forget_fip();
	if (cpu->has_xsave)
		__asm__ volatile("1: xrstor64 (%1)\n xor %0, %0\n2:\n" EX_SKIP
		                 : "+r"(err)
		                 : "r"(area), "a"((uint32_t)boot.xcr0), "d"((uint32_t)(boot.xcr0 >> 32))
		                 : "memory", "cc");
	else
		__asm__ volatile("1: fxrstor64 (%1)\n xor %0, %0\n2:\n" EX_SKIP : "+r"(err) : "r"(area) : "memory", "cc");
	return err;
}

int ring0_fpu_switch(struct ring0_cpu *cpu, struct user_context *uc)
{
	struct user_context *owner = cpu->uc;
	int err;

	if (owner == uc && uc->fpu_cpu == (int32_t)cpu->id)
		return 0;
	if (owner && owner != uc && owner->fpu_cpu == (int32_t)cpu->id)
		save(cpu, owner);
	cpu->uc = NULL;
	err = load(cpu, uc);
	if (err)
		return err;
	ring0_segments_load(cpu, &uc->regs);
	cpu->uc = uc;
	atomic_store(&uc->fpu_cpu, (int32_t)cpu->id);
	return 0;
}

int64_t ring0_fpu_save(struct vcpu *v, struct user_context *uc)
{
	struct ring0_cpu *cpu = ring0_cpu(v);

	if (cpu->uc == uc) {
		if (uc->fpu_cpu == (int32_t)cpu->id)
			save(cpu, uc);
		cpu->uc = NULL;
	}
	return 0;
}
