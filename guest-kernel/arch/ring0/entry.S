/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to ring 3 and back. ring0_sysret and ring0_iret are calls that return at the next trap, to whoever called run_user;
 * a trap stores the registers straight into the user_context that they were given.
 *
 * The system-call stub runs on the application's stack pointer, which may be anything: it touches no memory through it.
 * Its page is mapped once per vCPU with that vCPU's struct ring0_cpu behind it, so it needs no GS. Traps of ring 3 arrive
 * on a stack inside struct ring0_cpu, at whose start the structure is found.
 */
#include "arch/asm.h"
#include "arch/ring0/ring0.h"

#define CPU(field) ring0_entry_page + PAGE_SIZE + field(%rip)

/* What the application left in registers shall not be there while the Sentry speculates. The rest of them are the Sentry's
 * own again before it does anything. */
.macro CLEAR_SCRATCH
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
.endm

.macro PUSH_CALLEE_SAVED
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
.endm

.macro POP_CALLEE_SAVED
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
.endm

/* All but rax, rcx, rsi and r11. */
.macro LOAD_USER
	mov	UC_R15(%rsi), %r15
	mov	UC_R14(%rsi), %r14
	mov	UC_R13(%rsi), %r13
	mov	UC_R12(%rsi), %r12
	mov	UC_RBP(%rsi), %rbp
	mov	UC_RBX(%rsi), %rbx
	mov	UC_R10(%rsi), %r10
	mov	UC_R9(%rsi), %r9
	mov	UC_R8(%rsi), %r8
	mov	UC_RDI(%rsi), %rdi
	mov	UC_RDX(%rsi), %rdx
.endm

	.section .text.entry, "ax"
	.balign 4096
	.globl ring0_entry_page, ring0_entry_bad32
ring0_entry_page:
	mov	%rsp, CPU(R0_USER_RSP)
	mov	CPU(R0_UC), %rsp
	movl	$UC_TRAP_SYSCALL, UC_TRAP_KIND(%rsp)
	lea	UC_FS_BASE(%rsp), %rsp
	push	$SEL_UDATA
	push	CPU(R0_USER_RSP)
	push	%r11
	push	$SEL_UCODE
	push	%rcx
	push	%rax			/* orig_rax */
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	push	%rax
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	CPU(R0_KRSP), %rsp
	mov	CPU(R0_VCPU), %rax
	movl	$GUEST_MODE_KERNEL, VCPU_GUEST_MODE(%rax)
	xor	%eax, %eax
	xor	%esi, %esi
	xor	%edi, %edi
	CLEAR_SCRATCH
	POP_CALLEE_SAVED
	ret				/* run_user returns 0 */
	.balign 16
	/* CSTAR: no selector of 32-bit code exists, so nothing gets here. */
ring0_entry_bad32:
	ud2
	.balign 4096

	.section .text.hot, "ax"
/* int64_t ring0_sysret(struct ring0_cpu *cpu, struct user_context *uc) */
ENTRY(ring0_sysret)
	PUSH_CALLEE_SAVED
	mov	%rsp, R0_KRSP(%rdi)
	LOAD_USER
	mov	UC_RAX(%rsi), %rax
	mov	UC_RFLAGS(%rsi), %r11
	mov	UC_RIP(%rsi), %rcx
	mov	UC_RSP(%rsi), %rsp
	mov	UC_RSI(%rsi), %rsi
	sysretq
END(ring0_sysret)

/* int64_t ring0_iret(struct ring0_cpu *cpu, struct user_context *uc) */
ENTRY(ring0_iret)
	PUSH_CALLEE_SAVED
	mov	%rsp, R0_KRSP(%rdi)
	LOAD_USER
	pushq	$SEL_UDATA
	pushq	UC_RSP(%rsi)
	pushq	UC_RFLAGS(%rsi)
	pushq	$SEL_UCODE
	pushq	UC_RIP(%rsi)
	mov	UC_R11(%rsi), %r11
	mov	UC_RCX(%rsi), %rcx
	mov	UC_RAX(%rsi), %rax
	mov	UC_RSI(%rsi), %rsi
	.globl ring0_iretq
ring0_iretq:
	iretq
	/* iretq faulted: the fault handler comes back here, with iretq's frame still on the stack and rdi = struct ring0_cpu. */
	.globl ring0_bad_iret
ring0_bad_iret:
	add	$40, %rsp
	mov	$R0_BAD_IRET, %esi
	xor	%eax, %eax
	CLEAR_SCRATCH
	POP_CALLEE_SAVED
	jmp	ring0_trap
END(ring0_iret)

	.text
/* Exceptions. Those without an error code get a zero, so that all frames are alike:
 * vector, error, rip, cs, rflags, rsp, ss. */
	.balign R0_VECTOR_STRIDE
	.globl ring0_vectors
ring0_vectors:
	.set	vec, 0
	.rept	R0_VECTORS
	.balign	R0_VECTOR_STRIDE
	.if	vec == 2
	jmp	nmi
	.elseif	vec == 8 || vec == 18
	push	$vec
	jmp	fatal
	.else
	.if	!((vec >= 10 && vec <= 14) || vec == 17 || vec == 21 || vec == 29 || vec == 30)
	push	$0
	.endif
	push	$vec
	jmp	trap
	.endif
	.set	vec, vec + 1
	.endr
	.balign 16

/* Nobody sends any. */
nmi:
	iretq

/* #DF and #MC, on stacks of their own: nothing can be saved, and the stack that was in use cannot be trusted. */
fatal:
	cld
	pop	%rsi
	mov	%rsp, %rdi
	mov	%rsp, %rax
	and	$-PAGE_SIZE, %rax
	mov	R0_BOOT_STACK(%rax), %rsp
	call	ring0_fatal
	ud2

trap:
	testb	$3, 24(%rsp)
	jz	trap_in_ring0
	push	%rdi
	mov	%rsp, %rdi
	and	$-PAGE_SIZE, %rdi
	mov	R0_UC(%rdi), %rdi
	mov	%r15, UC_R15(%rdi)
	mov	%r14, UC_R14(%rdi)
	mov	%r13, UC_R13(%rdi)
	mov	%r12, UC_R12(%rdi)
	mov	%rbp, UC_RBP(%rdi)
	mov	%rbx, UC_RBX(%rdi)
	mov	%r11, UC_R11(%rdi)
	mov	%r10, UC_R10(%rdi)
	mov	%r9, UC_R9(%rdi)
	mov	%r8, UC_R8(%rdi)
	mov	%rax, UC_RAX(%rdi)
	mov	%rcx, UC_RCX(%rdi)
	mov	%rdx, UC_RDX(%rdi)
	mov	%rsi, UC_RSI(%rdi)
	mov	(%rsp), %rcx
	mov	16(%rsp), %rdx
	mov	24(%rsp), %rsi
	mov	40(%rsp), %r8
	mov	48(%rsp), %r9
	mov	%rcx, UC_RDI(%rdi)
	mov	%rdx, UC_TRAP_ERROR(%rdi)
	mov	%rsi, UC_RIP(%rdi)
	mov	%r8, UC_RFLAGS(%rdi)
	mov	%r9, UC_RSP(%rdi)
	movq	$-1, UC_ORIG_RAX(%rdi)
	movq	$SEL_UCODE, UC_CS(%rdi)
	movq	$SEL_UDATA, UC_SS(%rdi)
	mov	8(%rsp), %esi
	mov	%rsp, %rdi
	and	$-PAGE_SIZE, %rdi
	mov	R0_KRSP(%rdi), %rsp
	pushq	$2			/* gates leave AC and DF as the application had them */
	popfq
	xor	%eax, %eax
	CLEAR_SCRATCH
	POP_CALLEE_SAVED
	jmp	ring0_trap

/* A fault-tolerant routine, or the end. A single step that an application smuggled in is let go. */
trap_in_ring0:
	cmpl	$1, (%rsp)
	je	1f
	push	%rax
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	mov	%rsp, %rdi
	call	ring0_kernel_fault
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq
1:	andq	$~0x100, 32(%rsp)
	add	$16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
