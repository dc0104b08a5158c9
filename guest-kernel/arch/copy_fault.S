/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads and stores on frames of file windows, whose host file may shrink under them: a fault between start and end
 * continues at fixup (struct ex_entry of abi/boot.h) with all registers as the fault left them.
 */
.macro EX start, end, fixup
	.pushsection .ex_table, "a"
	.balign 8
	.quad \start, \end, \fixup
	.popsection
.endm

	.text

/* size_t arch_copy_fault(void *dst, const void *src, size_t n): bytes not copied */
	.globl arch_copy_fault
	.type arch_copy_fault, @function
arch_copy_fault:
	mov	%rdx, %rcx
	shr	$3, %rcx
	and	$7, %edx
1:	rep movsq
2:	mov	%rdx, %rcx
3:	rep movsb
4:	mov	%rcx, %rax
	ret
5:	lea	(%rdx, %rcx, 8), %rcx	/* the rest byte by byte, up to the very end */
	jmp	3b
	EX	1b, 2b, 5b
	EX	3b, 4b, 4b
	.size arch_copy_fault, . - arch_copy_fault

/* int arch_cmpxchg32_fault(uint32_t *p, uint32_t expect, uint32_t desired, uint32_t *old) */
	.globl arch_cmpxchg32_fault
	.type arch_cmpxchg32_fault, @function
arch_cmpxchg32_fault:
	mov	%esi, %eax
	mov	%rcx, %r8
1:	lock cmpxchg %edx, (%rdi)
2:	mov	%eax, (%r8)
	xor	%eax, %eax
	ret
3:	mov	$-14, %eax		/* -EFAULT */
	ret
	EX	1b, 2b, 3b
	.size arch_cmpxchg32_fault, . - arch_cmpxchg32_fault

/* int arch_load32_fault(const uint32_t *p, uint32_t *out) */
	.globl arch_load32_fault
	.type arch_load32_fault, @function
arch_load32_fault:
1:	mov	(%rdi), %eax
2:	mov	%eax, (%rsi)
	xor	%eax, %eax
	ret
3:	mov	$-14, %eax
	ret
	EX	1b, 2b, 3b
	.size arch_load32_fault, . - arch_load32_fault

	.section .note.GNU-stack, "", @progbits
