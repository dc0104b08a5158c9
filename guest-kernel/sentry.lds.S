/* SPDX-License-Identifier: Apache-2.0 */
/* Linked at the base of the window. Text and rodata are mapped from the runsc file itself, so every segment is
 * page-aligned in the file too. */
#include "abi/window.h"
#include "hot.lds.h"

ENTRY(sentry_entry)
PHDRS { text PT_LOAD FLAGS(5); rodata PT_LOAD FLAGS(4); data PT_LOAD FLAGS(6); }

SECTIONS
{
	. = IMAGE_BASE;
	.text : ALIGN(4096) {
		KEEP(*(.sentry_header))
		*(.text.entry)
		/* What each system call runs through: few pages. */
		*(.text.hot .text.hot.*)
		HOT_TEXT
		*(.text .text.* .plt .plt.* .iplt)
	} :text
	. = ALIGN(4096);
	__text_end = .;
	.rodata : ALIGN(4096) {
		*(.rodata .rodata.*)
		. = ALIGN(8);
		__ex_start = .;
		KEEP(*(.ex_table))
		__ex_end = .;
	} :rodata
	.eh_frame : { *(.eh_frame) *(.eh_frame_hdr) } :rodata
	. = ALIGN(4096);
	__rodata_end = .;
	.data : ALIGN(4096) { HOT_DATA *(.data .data.*) *(.got .got.plt .igot .igot.plt) } :data
	.bss : { *(.bss .bss.* COMMON) } :data
	. = ALIGN(4096);
	__image_end = .;
	.symtab 0 : { *(.symtab) }
	.strtab 0 : { *(.strtab) }
	.shstrtab 0 : { *(.shstrtab) }
	.debug_abbrev 0 : { *(.debug_abbrev) }
	.debug_aranges 0 : { *(.debug_aranges) }
	.debug_info 0 : { *(.debug_info) }
	.debug_line 0 : { *(.debug_line) }
	.debug_line_str 0 : { *(.debug_line_str) }
	.debug_loclists 0 : { *(.debug_loclists) }
	.debug_rnglists 0 : { *(.debug_rnglists) }
	.debug_str 0 : { *(.debug_str) }
	.debug_frame 0 : { *(.debug_frame) }
	.comment 0 : { *(.comment) }
	/DISCARD/ : { *(.note .note.*) *(.rela .rela.*) }
	ASSERT(__image_end - IMAGE_BASE <= IMAGE_MAX_SIZE, "the image outgrew its place in the window")
}
