/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The code page of a stub process. Position-independent; copied to STUB_CODE. It uses no stack and writes no memory,
 * because all writable memory of a stub belongs to the application, whose other threads may be running. An application
 * that jumps here gains nothing: while it runs, every syscall instruction is intercepted (PTRACE_SYSEMU).
 *
 * Each entry ends with int3, which stops the thread for its tracer.
 */
#include <asm/unistd_64.h>
#include "stub_layout.h"

	.section .rodata
	.balign 16
	.globl pt_stub_code_begin, pt_stub_code_end, pt_stub_call_entry, pt_stub_list_entry, pt_stub_birth_entry, pt_stub_park_entry
pt_stub_code_begin:

/* One system call, number and arguments in registers. */
pt_stub_call_entry:
	syscall
	int3

/* r13 system calls from the array of struct stub_call at r12; stops at the first that fails. On return rax is the result
 * of the last one made and r13 how many were not made or failed. */
pt_stub_list_entry:
	test %r13, %r13
	jz 2f
	mov (%r12), %rax
	mov 8(%r12), %rdi
	mov 16(%r12), %rsi
	mov 24(%r12), %rdx
	mov 32(%r12), %r10
	mov 40(%r12), %r8
	mov 48(%r12), %r9
	syscall
	cmp $-4095, %rax
	jae 2f
	add $STUB_CALL_SIZE, %r12
	dec %r13
	jmp pt_stub_list_entry
2:	int3

/* First steps of the template: give up every mapping but the two pages. r12: 0, or an error. */
pt_stub_birth_entry:
	xor %edi, %edi
	movabs $STUB_CODE, %rsi
	mov $__NR_munmap, %eax
	syscall
	mov %rax, %r12
	movabs $STUB_END, %rdi
	movabs $(USER_END - STUB_END), %rsi
	mov $__NR_munmap, %eax
	syscall
	or %rax, %r12
	int3

/* Leaders wait here, traced by nobody, until a vCPU thread needs a new thread or process from them. */
pt_stub_park_entry:
	mov $__NR_pause, %eax
	syscall
	jmp pt_stub_park_entry
pt_stub_code_end:

	.section .note.GNU-stack, "", @progbits
