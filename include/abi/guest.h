/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest placement: what the VMM and the Sentry in ring 0 of the virtual machine agree on, besides abi/boot.h.
 *
 * Start. Every vCPU starts at the image's entry in 64-bit mode with interrupts off, rdi = its struct vcpu, rsp = its
 * boot stack, CR3 = a root that holds the window alone: the image at IMAGE_BASE, and the direct map of RAM, of file
 * windows and of the tables themselves (below TRAMP_PA_END). v->hostcall, run_user and fpu_save are NULL: the Sentry
 * sets them. GDT, IDT and TSS are the Sentry's to make.
 *
 * Hostcall. `out %al, $GUEST_PORT_HOSTCALL` with the number in rax and the arguments in rdi, rsi, rdx, r10, r8, r9; the
 * result is in rax. AS_* and STACK_GUARD never leave the guest.
 *
 * Interrupts. Ring 0 runs with IF clear, ring 3 with IF set: so the VMM tells them apart. It injects GUEST_VECTOR_KICK in
 * ring 3 when kick_pending is set, and GUEST_VECTOR_EFAULT when ring 3 touched a file window beyond the end of its file. The
 * same in ring 0 moves RIP to the fixup of the image's exception table.
 */
#ifndef ABI_GUEST_H
#define ABI_GUEST_H

#include "abi/window.h"

#define GUEST_PORT_HOSTCALL 0x40

#define GUEST_VECTOR_KICK   32
#define GUEST_VECTOR_EFAULT 33

/* struct vcpu.guest_mode, written by the Sentry. A vCPU stores GUEST_MODE_USER, then looks at kick_pending; a kicker stores
 * kick_pending, then looks at the mode: only a vCPU in GUEST_MODE_USER needs more. */
#define GUEST_MODE_KERNEL 0
#define GUEST_MODE_USER   1
#define GUEST_MODE_HOST   2 /* in a hostcall */

/* Segment selectors, those of Linux. */
#define SEL_KCODE 0x10
#define SEL_KDATA 0x18
#define SEL_UDATA 0x2b
#define SEL_UCODE 0x33
#define SEL_TSS   0x40

/* The Sentry's per-vCPU entry pages (arch/ring0/): the PML4 slot of the trampoline, which host placement alone has. */
#define ENTRY_BASE TRAMP_BASE

#endif
