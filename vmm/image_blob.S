/* SPDX-License-Identifier: Apache-2.0 */
/* sentry.elf as a part of this executable, alone on its pages so that image.c can move them. */
	.section .rodata.image_blob, "a", @progbits
	.balign 4096
	.globl image_blob_start, image_blob_end
image_blob_start:
	.incbin SENTRY_ELF
	.balign 4096
image_blob_end:
	.section .note.GNU-stack, "", @progbits
