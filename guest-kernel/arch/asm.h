/* SPDX-License-Identifier: Apache-2.0 */
/* Macros for assembly files. */
#ifndef ARCH_ASM_H
#define ARCH_ASM_H

#include "abi/window.h"

#define ENTRY(name) .globl name; .type name, @function; .balign 16; name:
#define END(name)   .size name, . - name

#endif
