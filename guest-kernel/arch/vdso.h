/* SPDX-License-Identifier: Apache-2.0 */
/* The vDSO: clock_gettime and friends without a system call (arch/vdso/vdso.c is its code, vdso_map.c maps it). */
#ifndef ARCH_VDSO_H
#define ARCH_VDSO_H

#include "mm/mm.h"

/* Maps [vvar] and [vdso] into a new address space. The address of the ELF header (AT_SYSINFO_EHDR) or -errno. */
int64_t vdso_map(struct mm *mm);

#endif
