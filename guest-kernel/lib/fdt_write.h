/* SPDX-License-Identifier: Apache-2.0 */
/* Writer of small flattened device trees: one root node with properties, for control replies. */
#ifndef LIB_FDT_WRITE_H
#define LIB_FDT_WRITE_H

#include "lib/types.h"

#define FDTW_STRINGS 256

struct fdt_writer {
	uint8_t *buf;
	uint32_t size, len;       /* len: end of the structure block so far */
	uint32_t strings_len;
	bool overflow;
	char strings[FDTW_STRINGS];
};

void fdtw_init(struct fdt_writer *w, void *buf, uint32_t size);
void fdtw_prop(struct fdt_writer *w, const char *name, const void *data, uint32_t len);
void fdtw_u32(struct fdt_writer *w, const char *name, uint32_t value);
void fdtw_string(struct fdt_writer *w, const char *name, const char *value);
/* Length of the finished tree; 0 if it did not fit. */
uint32_t fdtw_finish(struct fdt_writer *w);
void fdt_store32(void *p, uint32_t v);

#endif
