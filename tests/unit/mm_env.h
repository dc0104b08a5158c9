/* SPDX-License-Identifier: Apache-2.0 */
/* See mm_env.c. */
#ifndef TESTS_MM_ENV_H
#define TESTS_MM_ENV_H

#include "mm/mm.h"

#define ENV_RAM_LIMIT (4 * RAM_CHUNK_SIZE)

extern struct env_counts {
	uint64_t grown, populated, reclaimed, flushes, maps, files_gone, oom, signals;
	int64_t spaces;
} env_counts;

/* Runs fn on a stack on which `current` works; its result, or 77 where the address range is taken. */
int env_run(int (*fn)(void));
void env_set_mm(struct mm *mm);

#endif
