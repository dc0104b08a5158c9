/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a stub process keeps the two pages of ours, for C and assembly. They lie at the top of the window, where no
 * application address ever is; everything else of a stub's address space belongs to the application.
 */
#ifndef PLATFORM_PTRACE_STUB_LAYOUT_H
#define PLATFORM_PTRACE_STUB_LAYOUT_H

#include "abi/window.h"

#define STUB_CODE (WINDOW_END - ABI_UL(0x10000)) /* read-only, executable: stub_entry.S */
#define STUB_DATA (STUB_CODE + PAGE_SIZE)        /* read-only in the stub, written by the VMM: struct stub_call[] */
#define STUB_END  (STUB_DATA + PAGE_SIZE)
#define USER_END  ABI_UL(0x7ffffffff000)         /* TASK_SIZE_MAX with four-level page tables */

/* struct stub_call, eight words */
#define STUB_CALL_SIZE 64
#define STUB_CALL_MAX  64

#endif
