/* SPDX-License-Identifier: Apache-2.0 */
/* The standard format of an XSAVE area (SDM vol. 1, 13.4). */
#ifndef PLATFORM_XSAVE_H
#define PLATFORM_XSAVE_H

#include <cpuid.h>
#include <stdint.h>

/* AMX's tile data. Nobody has it without asking Linux for permission, process by process, since 8 KiB more would not fit into the
 * stacks that programs reserve for signal frames: so the Sentry does not give it. */
#define XFEATURE_XTILEDATA (1UL << 18)

/* Bytes of an area with these state components, on this CPU. */
static inline uint32_t xsave_size(uint64_t xcr0)
{
	uint32_t end = 512 + 64;

	for (unsigned i = 2; i < 63; i++) {
		unsigned a, b, c, d;
		if (!(xcr0 >> i & 1) || !__get_cpuid_count(0xd, i, &a, &b, &c, &d))
			continue;
		if (a + b > end)
			end = a + b;
	}
	return end;
}

#endif
