/* SPDX-License-Identifier: Apache-2.0 */
/* The built vDSO inside the Sentry; VDSO_SO is its path. */
	.section .rodata.vdso, "a", @progbits
	.balign 16
	.globl vdso_image_start, vdso_image_end
vdso_image_start:
	.incbin VDSO_SO
vdso_image_end:
	.section .note.GNU-stack, "", @progbits
