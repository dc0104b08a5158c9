/* SPDX-License-Identifier: Apache-2.0 */
/* struct sentry_header (abi/boot.h): the first bytes of the image; arch/cpu.c asserts the layout. */
	.section .sentry_header, "a"
	.globl sentry_header
sentry_header:
	.quad 0x31595254544e4553 /* SENTRY_MAGIC */
	.quad 1                  /* SENTRY_VERSION */
	.quad sentry_entry
	.quad __ex_start
	.quad __ex_end
	.quad __text_end
	.quad __rodata_end
	.quad __image_end

	.section .note.GNU-stack, "", @progbits
