/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window: the part of every address space that belongs to the Sentry, and how guest-physical addresses
 * are laid out inside it. Included by C, assembly and the linker script of both sides.
 *
 *   WINDOW_BASE  image of the Sentry (text, rodata, data, bss)            PML4 slot 208
 *   DIRECT_BASE  direct map: every guest-physical address pa is readable
 *                at DIRECT_BASE + pa once the VMM has backed it           PML4 slots 210..211
 *   TRAMP_BASE   the ring-0 trampoline of platform/kvm (host placement)   PML4 slot 223
 *
 * Guest-physical space stays below 2^39 so that every CPU with nested paging can address it but desktop ones before 2013, which
 * have 36 bits:
 *   [0, RAM_PA_END)                 RAM, one sparse memfd, grown in chunks
 *   [FILEWIN_PA, FILEWIN_PA_END)    host file windows, in slots of FILEWIN_SLOT_SIZE
 *   [IMAGE_PA, IMAGE_PA_END)        the Sentry image
 *   [TRAMP_PA, TRAMP_PA_END)        trampoline pages of platform/kvm
 */
#ifndef ABI_WINDOW_H
#define ABI_WINDOW_H

#ifdef __ASSEMBLER__
#define ABI_UL(x) x
#else
#define ABI_UL(x) x##UL
#endif

#define WINDOW_BASE       ABI_UL(0x680000000000)
#define WINDOW_END        ABI_UL(0x700000000000)
#define WINDOW_PML4_FIRST 208
#define WINDOW_PML4_LAST  223

#define IMAGE_BASE WINDOW_BASE
#define IMAGE_MAX_SIZE ABI_UL(0x2000000)

#define DIRECT_BASE ABI_UL(0x690000000000)
#define DIRECT_SIZE ABI_UL(0x8000000000)

#define TRAMP_BASE ABI_UL(0x6f8000000000)

#define GUEST_PA_BITS     39
#define RAM_PA_END        ABI_UL(0x4000000000) /* 256 GiB */
#define RAM_CHUNK_SIZE    ABI_UL(0x8000000)    /* 128 MiB: RAM grows by this; each chunk starts with its page array */
#define FILEWIN_PA        ABI_UL(0x4000000000)
#define FILEWIN_PA_END    ABI_UL(0x7000000000) /* 192 GiB of windows */
#define FILEWIN_SLOT_SIZE ABI_UL(0x10000000)   /* 256 MiB */
#define IMAGE_PA          ABI_UL(0x7f00000000)
#define IMAGE_PA_END      ABI_UL(0x7f02000000)
#define TRAMP_PA          ABI_UL(0x7f40000000)
#define TRAMP_PA_END      ABI_UL(0x7f40400000)

#define PAGE_SIZE  ABI_UL(4096)
#define PAGE_SHIFT 12

/* Kernel stacks: KSTACK_SIZE bytes, aligned to their size; the lowest page is a guard. The task that owns the
 * stack is stored in the topmost 16 bytes (KSTACK_TASK_OFF), which is how `current` is found. */
#define KSTACK_SIZE     ABI_UL(0x8000)
#define KSTACK_TASK_OFF ABI_UL(0x7ff0)

/* Fixed places in the first chunk of RAM, filled by the VMM before the first vCPU starts. */
#define BOOT_FDT_PA      ABI_UL(0x100000) /* boot parameters, at most BOOT_FDT_MAX */
#define BOOT_FDT_MAX     ABI_UL(0x40000)
#define BOOT_SHARED_PA   ABI_UL(0x140000) /* struct boot_shared: clock parameters, event ring */
#define BOOT_SHARED_MAX  ABI_UL(0x10000)
#define BOOT_VCPU_PA     ABI_UL(0x150000) /* struct vcpu[], one page each */
#define BOOT_VCPU_MAX    256
#define BOOT_STACK_PA    ABI_UL(0x400000) /* KSTACK_SIZE per vCPU: its boot and idle stack */
#define BOOT_RESERVED_END ABI_UL(0xc00000) /* RAM below this is never given to the page allocator (its page
                                              array occupies [0, BOOT_FDT_PA)) */
#endif
