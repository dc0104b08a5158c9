/* SPDX-License-Identifier: Apache-2.0 */
/* A VMM without a machine: RAM, files and descriptors are real, vCPUs and the platform do nothing. */
#ifndef TESTS_FUZZ_VMM_H
#define TESTS_FUZZ_VMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/vmm_impl.h"

#define ENSURE(cond) \
	do { \
		if (!(cond)) \
			__builtin_trap(); \
	} while (0)

/* A directory with `mount` (some files in it) and `secret` beside it; removed at exit. */
extern char fuzz_dir[64];
void fuzz_dir_init(void);
/* First in every run: hostile sizes must not fill the disk. Not earlier, since libFuzzer sets handlers of its own. */
void fuzz_begin(void);
/* Makes mount as it was at first. */
void fuzz_dir_reset(void);
/* Nothing outside mount has changed. */
void fuzz_dir_check(void);
/* RAM of 128 MiB, one mount, control_fd as given. */
void fuzz_vmm_init(int control_fd);

#endif
