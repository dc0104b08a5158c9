/* SPDX-License-Identifier: Apache-2.0 */
/* The current task and vCPU, hostcalls, and CPU instructions that work at any privilege level. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "abi/boot.h"
#include "abi/hostcall.h"
#include "lib/types.h"

struct task;

static inline uint64_t arch_stack_pointer(void)
{
	uint64_t sp;
	__asm__ volatile("mov %%rsp, %0" : "=r"(sp));
	return sp;
}

/* The task whose kernel stack this is. Stable across switches: a stack belongs to one task. */
static inline struct task *task_current(void)
{
	return *(struct task **)((arch_stack_pointer() & ~(KSTACK_SIZE - 1)) + KSTACK_TASK_OFF);
}
#define current task_current()

/* The vCPU that runs this task now. Anything that may sleep or switch can change it: do not keep the result. */
struct vcpu *this_vcpu(void);

/* Before anything else on a vCPU: in guest placement ring 0 is made ready (arch/ring0/). */
void arch_vcpu_init(struct vcpu *v);
/* On the first vCPU, once the boot tree was read. */
void arch_boot_init(void);

/* Guest placement without a usable TSC: CLOCK_MONOTONIC as of the last entry into the guest plus what the TSC says since;
 * for the scheduler, which cannot leave the guest for every look at the time. 0: the ordinary clock is as cheap. */
uint64_t arch_clock(void);

/* Ring 3's segment selectors and bases of the current task, which fpu_cpu speaks of, too (abi/boot.h): into uc.regs, before
 * somebody reads them there; and from there, after somebody changed them. */
void arch_segments_save(void);
void arch_segments_load(void);

/* Saves callee-saved registers and the stack pointer at *save_sp, continues at load_sp. */
void arch_switch_context(uint64_t *save_sp, uint64_t load_sp);
/* A new stack's first frame: the first switch to it calls fn(arg), which never returns. Returns the initial sp. */
uint64_t arch_new_context(void *stack_base, void (*fn)(void *), void *arg);

/* Copy that survives a fault in a file window: returns the number of bytes NOT copied (0: done). */
size_t arch_copy_fault(void *dst, const void *src, size_t n);
/* Fault-tolerant 32-bit atomics on a frame: 0 or -EFAULT; *old receives the value seen. */
int arch_cmpxchg32_fault(uint32_t *p, uint32_t expect, uint32_t desired, uint32_t *old);
int arch_load32_fault(const uint32_t *p, uint32_t *out);

int64_t hostcall(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
#define HC_ARG(x) ((uint64_t)(x))
#define hostcall0(nr) hostcall(nr, 0, 0, 0, 0, 0, 0)
#define hostcall1(nr, a) hostcall(nr, HC_ARG(a), 0, 0, 0, 0, 0)
#define hostcall2(nr, a, b) hostcall(nr, HC_ARG(a), HC_ARG(b), 0, 0, 0, 0)
#define hostcall3(nr, a, b, c) hostcall(nr, HC_ARG(a), HC_ARG(b), HC_ARG(c), 0, 0, 0)
#define hostcall4(nr, a, b, c, d) hostcall(nr, HC_ARG(a), HC_ARG(b), HC_ARG(c), HC_ARG(d), 0, 0)
#define hostcall5(nr, a, b, c, d, e) hostcall(nr, HC_ARG(a), HC_ARG(b), HC_ARG(c), HC_ARG(d), HC_ARG(e), 0)
#define hostcall6(nr, a, b, c, d, e, f) hostcall(nr, HC_ARG(a), HC_ARG(b), HC_ARG(c), HC_ARG(d), HC_ARG(e), HC_ARG(f))

static inline uint64_t arch_rdtsc(void)
{
	uint32_t lo, hi;
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return ((uint64_t)hi << 32) | lo;
}

static inline void *direct(pa_t p) { return (void *)(DIRECT_BASE + p.v); }
static inline pa_t direct_to_pa(const void *p) { return (pa_t){(uint64_t)p - DIRECT_BASE}; }

#endif
