/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vCPU under the current task, hostcalls, and the first frame of a new kernel stack. The vCPU is found through the
 * task (its sched.cpu), never through a segment register, so that both placements work alike.
 */
#include "arch/cpu.h"

#include "arch/ring0/ring0.h"
#include "boot/boot.h"
#include "task/task.h"

_Static_assert(offsetof(struct sentry_header, entry) == 16, "header.S");
_Static_assert(offsetof(struct sentry_header, image_end) == 56 && sizeof(struct sentry_header) == 64, "header.S");
_Static_assert(SENTRY_MAGIC == 0x31595254544e4553UL && SENTRY_VERSION == 1, "header.S");

void arch_context_start(void);

struct vcpu *this_vcpu(void)
{
	return boot_vcpu((uint32_t)current->sched.cpu);
}

/* Whoever runs the Sentry in its own process has set the pointers; a virtual machine cannot. */
void arch_vcpu_init(struct vcpu *v)
{
	if (!v->hostcall)
		ring0_vcpu_init(v);
}

void arch_boot_init(void)
{
	if (boot.guest_placement)
		ring0_boot_init();
}

uint64_t arch_clock(void)
{
	return boot.guest_placement ? ring0_clock(ring0_cpu(this_vcpu())) : 0;
}

int64_t hostcall(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	const uint64_t args[6] = {a0, a1, a2, a3, a4, a5};
	struct vcpu *v = this_vcpu();

	return v->hostcall(v, nr, args);
}

uint64_t arch_new_context(void *stack_base, void (*fn)(void *), void *arg)
{
	uint64_t *sp = (uint64_t *)((char *)stack_base + KSTACK_TASK_OFF);

	*--sp = 0; /* ends backtraces; keeps rsp 16-byte aligned at arch_context_start's call */
	*--sp = 0;
	*--sp = (uint64_t)arch_context_start;
	*--sp = (uint64_t)fn;  /* rbx */
	*--sp = 0;             /* rbp */
	*--sp = (uint64_t)arg; /* r12 */
	*--sp = 0;             /* r13 */
	*--sp = 0;             /* r14 */
	*--sp = 0;             /* r15 */
	return (uint64_t)sp;
}
