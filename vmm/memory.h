/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window of the sandbox process: RAM, file windows, and checks of addresses that the Sentry passes.
 * vmm_memory_backing() is declared in platform/platform.h.
 */
#ifndef VMM_MEMORY_H
#define VMM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reserves the window and maps RAM with the given limit (rounded up to whole chunks); the first chunk exists. */
int memory_init(uint64_t limit);
int memory_ram_fd(void);
/* The chunks that exist are told to the platform; later ones by memory_grow. Called once, after its init. */
int memory_attach_platform(void);
uint64_t memory_ram_end(void);
uint64_t memory_ram_limit(void);

/* New end of RAM, or -EINVAL, -ENOMEM at the limit. */
int64_t memory_grow(uint64_t bytes);
int memory_populate(uint64_t pa, uint64_t len);
int memory_reclaim(uint64_t pa, uint64_t len);
int memory_guard(uint64_t pa, bool on);

/* File windows: pages of fd from offset appear at pa, or a range becomes inaccessible again. Page-aligned, inside one
 * slot. The platform learns of a slot with its first use. fd may be closed afterwards. */
int memory_file_map(uint64_t pa, uint64_t len, int fd, uint64_t offset, bool write);
int memory_file_unmap(uint64_t pa, uint64_t len);

/* Both check [addr, addr + len) as a whole; see hc_ram_range and hc_io_range. */
bool memory_is_ram(uint64_t addr, uint64_t len);
bool memory_is_io(uint64_t addr, uint64_t len);

#endif
