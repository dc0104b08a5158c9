/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the CPU's odd corners share. */
#ifndef TESTS_ABI_X86_H
#define TESTS_ABI_X86_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NONCANONICAL 0x4000000000000000UL /* with five levels of page tables, too */
#define SEL_DATA     0x2b
#define SEL_CODE     0x33

/* QEMU's TCG, which tests/nested runs in, has neither alignment checks nor INT1 in ring 3, its far return reads the stack as
 * ring 0 would, it takes bases that are no addresses, and not each XRSTOR looks at MXCSR. */
static bool cpu_is_tcg(void)
{
	uint32_t brand[13] = {0};

	for (uint32_t i = 0; i < 3; i++)
		__asm__ volatile("cpuid"
				 : "=a"(brand[4 * i]), "=b"(brand[4 * i + 1]), "=c"(brand[4 * i + 2]), "=d"(brand[4 * i + 3])
				 : "a"(0x80000002 + i), "c"(0));
	return strstr((char *)brand, "QEMU TCG") != NULL;
}

/* XSETBV and its kin: not on CPUs before 2011. */
static inline bool cpu_has_xsave(void)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return c >> 27 & 1;
}

#endif
