/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions in ring 0: expected ones continue at their fixup, any other is a bug of the Sentry and ends the sandbox. */
#include "arch/ring0/ring0.h"

#include "arch/cpu.h"
#include "lib/log.h"

extern const struct ex_entry __ex_start[], __ex_end[];

static uint64_t read_cr2(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}

void ring0_kernel_fault(struct fault_frame *f)
{
	if (f->rip == (uint64_t)ring0_iretq) {
		f->rip = (uint64_t)ring0_bad_iret;
		f->rdi = (uint64_t)ring0_cpu(this_vcpu());
		return;
	}
	for (const struct ex_entry *e = __ex_start; e < __ex_end; e++) {
		if (f->rip >= e->start && f->rip < e->end) {
			f->rip = e->fixup;
			return;
		}
	}
	panic("exception %lu in ring 0: rip 0x%lx, error 0x%lx, cr2 0x%lx, rsp 0x%lx", f->vector, f->rip, f->error, read_cr2(),
	      f->rsp);
}

/* frame: as the CPU pushed it, with an error code for #DF. */
NORETURN void ring0_fatal(const uint64_t *frame, uint64_t vector)
{
	const uint64_t *f = vector == 8 ? frame + 1 : frame;

	panic("%s in ring 0: rip 0x%lx, rsp 0x%lx, cr2 0x%lx", vector == 8 ? "double fault" : "machine check", f[0], f[3],
	      read_cr2());
}
