/* SPDX-License-Identifier: Apache-2.0 */
/* Directory entries: the record of getdents64(2) and the DT_* types, which no UAPI header defines. */
#ifndef FS_DIRENT_H
#define FS_DIRENT_H

#include <stdint.h>

struct dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
} __attribute__((packed));

#ifndef DT_UNKNOWN
#define DT_UNKNOWN 0
#define DT_FIFO    1
#define DT_CHR     2
#define DT_DIR     4
#define DT_BLK     6
#define DT_REG     8
#define DT_LNK     10
#define DT_SOCK    12
#define DT_WHT     14
#endif

/* The DT_* type of a mode. */
#define MODE_TO_DT(mode) (((mode) & 0170000) >> 12)

#endif
