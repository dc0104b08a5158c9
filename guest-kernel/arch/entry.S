/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every vCPU starts here, on its boot stack, with its struct vcpu in rdi. The topmost 16 bytes of a kernel stack hold
 * its task pointer, so the stack proper starts below them whatever the VMM used.
 */
#include "arch/asm.h"

	.text
ENTRY(sentry_entry)
	lea -1(%rsp), %rax
	and $-KSTACK_SIZE, %rax
	lea KSTACK_TASK_OFF(%rax), %rsp
	xor %ebp, %ebp
	cld
	call boot_entry
	ud2
END(sentry_entry)

	.section .note.GNU-stack, "", @progbits
