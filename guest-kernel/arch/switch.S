/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Context switch between kernel stacks: only what the C calling convention preserves. There is no FPU state in ring 0,
 * and flags need no saving: the direction flag is clear and interrupts are not the Sentry's.
 */
#include "arch/asm.h"

	.section .text.arch_switch_context, "ax", @progbits
/* void arch_switch_context(uint64_t *save_sp, uint64_t load_sp) */
ENTRY(arch_switch_context)
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, (%rdi)
	mov %rsi, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
END(arch_switch_context)

/* A new context returns here from its first switch: rbx = fn, r12 = arg (arch_new_context). */
ENTRY(arch_context_start)
	mov %r12, %rdi
	xor %ebp, %ebp
	call *%rbx
	ud2
END(arch_context_start)

	.section .note.GNU-stack, "", @progbits
