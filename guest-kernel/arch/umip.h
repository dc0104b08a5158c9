/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ARCH_UMIP_H
#define ARCH_UMIP_H

#include "lib/types.h"

struct task;

/*
 * After #GP with error code 0: if the current task stands at SGDT, SIDT, SLDT, STR or SMSW, which UMIP forbids to ring 3, the
 * instruction is done for it with the constants that Linux shows (arch/x86/kernel/umip.c), and true returned. Where the
 * result cannot be stored the task gets its SIGSEGV, and the answer is true as well.
 */
bool umip_emulate(struct task *t);

#endif
