/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ring-0 code of host placement, copied to TRAMP_BASE. Every stub leaves the VM; none returns by itself, since the
 * VMM enters ring 3 by setting registers. General registers only: a software KVM emulates ring 0.
 */
#include "platform/kvm/kvm_impl.h"

	.section .rodata.trampoline, "a", @progbits
	.code64
	.balign 64
	.globl tramp_start, tramp_end, tramp_lstar, tramp_vectors, tramp_op_list, tramp_op_entries, tramp_op_time
tramp_start:

/* LSTAR. A CPU that enters ring 0 gets here; one that stays in ring 3 faults here, which says the same. */
tramp_lstar:
	out	%al, $PORT_SYSCALL
	.balign 64

/* One stub per exception vector, 8 bytes apart. The frame is on the vCPU's ring-0 stack. */
tramp_vectors:
	.set	vec, 0
	.rept	32
	out	%al, $(PORT_VECTOR + vec)
	.balign	8
	.set	vec, vec + 1
	.endr
	.balign 64

/* rsi: list of page addresses, rcx: how many. A misaligned store that changes nothing makes KVM drop what it has
 * shadowed of the page. Locked: other vCPUs edit entries meanwhile. */
tramp_op_list:
	jrcxz	2f
1:	mov	(%rsi), %rax
	lock orw $0, 1(%rax)
	add	$8, %rsi
	dec	%rcx
	jnz	1b
2:	mov	%cr3, %rax
	mov	%rax, %cr3
	out	%al, $PORT_DONE
	.balign 64

/* rsi: list of entry addresses, rcx: how many. Touches single entries: cheaper below about five in a page. */
tramp_op_entries:
	jrcxz	2f
1:	mov	(%rsi), %rax
	lock orq $0, (%rax)
	add	$8, %rsi
	dec	%rcx
	jnz	1b
2:	mov	%cr3, %rax
	mov	%rax, %cr3
	out	%al, $PORT_DONE
	.balign 64

/* Result in eax: TSC ticks that 200 instructions take. */
tramp_op_time:
	rdtsc
	mov	%eax, %esi
	mov	$100, %ecx
1:	dec	%ecx
	jnz	1b
	rdtsc
	sub	%esi, %eax
	out	%al, $PORT_DONE
tramp_end:

	.section .note.GNU-stack, "", @progbits
