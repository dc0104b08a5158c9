/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each mapped part of the file windows shows, for platforms that mirror mappings (they ask through
 * vmm_memory_backing) rather than follow the host's. Keeps a descriptor per file of its own. All calls are made under
 * the lock of memory.c. Records nothing until file_windows_enable().
 */
#ifndef VMM_FILE_WINDOWS_H
#define VMM_FILE_WINDOWS_H

#include <stdint.h>

void file_windows_enable(void);
int file_windows_add(uint64_t pa, uint64_t len, int fd, uint64_t offset, int prot);
int file_windows_remove(uint64_t pa, uint64_t len);
/* As vmm_memory_backing. The descriptor stays open at least as long as the mapping. */
int file_windows_find(uint64_t pa, int *fd, uint64_t *offset, uint64_t *len, int *prot);

#endif
