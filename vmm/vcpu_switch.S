/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the Sentry's stacks and the thread's own. The vCPU is found through the thread (TLS), never through what the
 * Sentry passes. Callee-saved registers survive both ways; the FPU is not touched by the Sentry.
 */
#include "vmm/vcpu.h"

	.text

/* vcpu_enter(vv, v, stack_top, entry) */
	.globl	vcpu_enter
	.type	vcpu_enter, @function
vcpu_enter:
	push	%rbp			/* rsp is now a multiple of 16, as calls from the thunks need it */
	mov	%rsp, VV_HOST_RSP(%rdi)
	mov	%rdx, %rsp
	mov	%rsi, %rdi
	xor	%ebp, %ebp
	call	*%rcx
	ud2				/* the Sentry's entry does not return */
	.size	vcpu_enter, . - vcpu_enter

	.macro	THUNK name, target
	.globl	\name
	.type	\name, @function
\name:
	push	%rbp
	mov	%rsp, %rbp
	mov	vcpu_self@gottpoff(%rip), %rax
	mov	%fs:(%rax), %rdi
	mov	%rbp, VV_SENTRY_RBP(%rdi)
	mov	VV_HOST_RSP(%rdi), %rsp
	call	\target
	mov	%rbp, %rsp
	pop	%rbp
	ret
	.size	\name, . - \name
	.endm

	THUNK	vcpu_hostcall_thunk, vcpu_do_hostcall
	THUNK	vcpu_run_user_thunk, vcpu_do_run_user
	THUNK	vcpu_fpu_save_thunk, vcpu_do_fpu_save

	.section .note.GNU-stack, "", @progbits
