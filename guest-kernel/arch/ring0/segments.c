/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ring 3's data-segment selectors and FS and GS bases. The Sentry uses none of them, so they stay in the registers for as
 * long as the FPU state does: user_context.fpu_cpu and ring0_cpu.uc say whose they are. Ring 3 changes them as it likes, by
 * MOV and where there is FSGSBASE by WRFSBASE, without any trap.
 */
#include "arch/ring0/ring0.h"

#include "boot/boot.h"
#include "task/task.h"

#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101

static inline uint64_t read_base(const struct ring0_cpu *cpu, uint32_t msr)
{
	uint64_t v;
	uint32_t lo, hi;

	if (cpu->has_fsgsbase) {
		if (msr == MSR_FS_BASE)
			__asm__ volatile("rdfsbase %0" : "=r"(v));
		else
			__asm__ volatile("rdgsbase %0" : "=r"(v));
		return v;
	}
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return lo | (uint64_t)hi << 32;
}

/* A base that is no address is left as it is: arch_prctl(2) and ptrace(2) refuse such. */
static inline void write_base(const struct ring0_cpu *cpu, uint32_t msr, uint64_t v)
{
	if (!cpu->has_fsgsbase)
		__asm__ volatile("1: wrmsr\n2:\n" EX_SKIP ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
	else if (msr == MSR_FS_BASE)
		__asm__ volatile("1: wrfsbase %0\n2:\n" EX_SKIP ::"r"(v) : "memory");
	else
		__asm__ volatile("1: wrgsbase %0\n2:\n" EX_SKIP ::"r"(v) : "memory");
}

#define STORE_SEGMENT(seg) ({ uint32_t _s; __asm__ volatile("mov %%" #seg ", %0" : "=r"(_s)); (uint16_t)_s; })
/* A selector that the GDT does not have becomes zero. */
#define LOAD_SEGMENT(seg, value) do { \
	if (unlikely(STORE_SEGMENT(seg) != (uint16_t)(value))) \
		__asm__ volatile("1: mov %0, %%" #seg "\n jmp 3f\n2: xor %%eax, %%eax\n mov %%eax, %%" #seg "\n3:\n" EX_SKIP \
		                 ::"r"((uint32_t)(uint16_t)(value)) : "rax", "memory"); \
} while (0)

void ring0_segments_load(const struct ring0_cpu *cpu, const struct user_regs *r)
{
	LOAD_SEGMENT(ds, r->ds);
	LOAD_SEGMENT(es, r->es);
	LOAD_SEGMENT(fs, r->fs);
	LOAD_SEGMENT(gs, r->gs);
	/* After the selectors, which bring bases of their own. */
	write_base(cpu, MSR_FS_BASE, r->fs_base);
	write_base(cpu, MSR_GS_BASE, r->gs_base);
}

void ring0_segments_save(const struct ring0_cpu *cpu, struct user_regs *r)
{
	r->fs_base = read_base(cpu, MSR_FS_BASE);
	r->gs_base = read_base(cpu, MSR_GS_BASE);
	r->ds = STORE_SEGMENT(ds);
	r->es = STORE_SEGMENT(es);
	r->fs = STORE_SEGMENT(fs);
	r->gs = STORE_SEGMENT(gs);
}

/* The vCPU whose registers hold those of the current task, or NULL. */
static const struct ring0_cpu *live_in(const struct task *t)
{
	const struct ring0_cpu *cpu = boot.guest_placement ? ring0_cpu(this_vcpu()) : NULL;

	return cpu && cpu->uc == &t->uc && t->uc.fpu_cpu == (int32_t)cpu->id ? cpu : NULL;
}

void arch_segments_save(void)
{
	const struct ring0_cpu *cpu = live_in(current);

	if (cpu)
		ring0_segments_save(cpu, &current->uc.regs);
}

void arch_segments_load(void)
{
	const struct ring0_cpu *cpu = live_in(current);

	if (cpu)
		ring0_segments_load(cpu, &current->uc.regs);
}
