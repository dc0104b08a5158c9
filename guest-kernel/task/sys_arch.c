/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arch_prctl(2), personality(2), set_tid_address(2). Registers of the current task are changed in its saved context:
 * the next entry of ring 3 loads them.
 */
#include <asm/prctl.h>

#include "boot/boot.h"
#include "mm/mm.h"
#include "syscall/syscall.h"
#include "task/task.h"

#ifndef ARCH_GET_CPUID
#define ARCH_GET_CPUID 0x1011
#define ARCH_SET_CPUID 0x1012
#endif
#ifndef ARCH_GET_XCOMP_SUPP
#define ARCH_GET_XCOMP_SUPP 0x1021
#define ARCH_GET_XCOMP_PERM 0x1022
#define ARCH_REQ_XCOMP_PERM 0x1023
#endif

#define XFEATURE_XTILEDATA 18

static int64_t xcomp(int op, uint64_t arg)
{
	uint64_t features = boot.xcr0;

	switch (op) {
	case ARCH_GET_XCOMP_SUPP:
	case ARCH_GET_XCOMP_PERM:
		return copy_out_struct(uva(arg), &features);
	default:
		/* What the platform enabled is permitted from the start; nothing else can be. */
		if (arg != XFEATURE_XTILEDATA)
			return -EINVAL;
		return features >> XFEATURE_XTILEDATA & 1 ? 0 : -EOPNOTSUPP;
	}
}

int64_t sys_arch_prctl(const struct sysargs *a)
{
	struct user_regs *r = &current->uc.regs;
	int op = arg_int(a, 0);
	uint64_t arg = arg_u64(a, 1);

	switch (op) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (arg >= USER_MAX)
			return -EPERM;
		arch_segments_save();
		*(op == ARCH_SET_FS ? &r->fs_base : &r->gs_base) = arg;
		arch_segments_load();
		return 0;
	case ARCH_GET_FS:
		arch_segments_save();
		return copy_out_struct(uva(arg), &r->fs_base);
	case ARCH_GET_GS:
		arch_segments_save();
		return copy_out_struct(uva(arg), &r->gs_base);
	case ARCH_GET_CPUID:
		return 1;
	case ARCH_SET_CPUID:
		return -ENODEV;
	case ARCH_GET_XCOMP_SUPP:
	case ARCH_GET_XCOMP_PERM:
	case ARCH_REQ_XCOMP_PERM:
		return xcomp(op, arg);
	default:
		return -EINVAL;
	}
}

int64_t sys_personality(const struct sysargs *a)
{
	uint32_t want = arg_u32(a, 0), old = current->personality;

	if (want != 0xffffffff)
		current->personality = want;
	return old;
}

int64_t sys_set_tid_address(const struct sysargs *a)
{
	current->clear_child_tid = arg_u64(a, 0);
	return current->vtid;
}
