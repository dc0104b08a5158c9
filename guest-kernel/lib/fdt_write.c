/* SPDX-License-Identifier: Apache-2.0 */
/* Layout: header (40 bytes), empty reservation map (16), structure block, strings block. */
#include "lib/fdt_write.h"

#include "lib/string.h"

#define STRUCT_OFF 56u

void fdt_store32(void *p, uint32_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)(v >> 24);
	b[1] = (uint8_t)(v >> 16);
	b[2] = (uint8_t)(v >> 8);
	b[3] = (uint8_t)v;
}

static void append(struct fdt_writer *w, const void *data, uint32_t n)
{
	uint32_t padded = ROUND_UP(n, 4u);

	if (w->overflow || padded < n || padded > w->size - w->len) {
		w->overflow = true;
		return;
	}
	memcpy(w->buf + w->len, data, n);
	memset(w->buf + w->len + n, 0, padded - n);
	w->len += padded;
}

static void append32(struct fdt_writer *w, uint32_t v)
{
	uint8_t b[4];

	fdt_store32(b, v);
	append(w, b, 4);
}

void fdtw_init(struct fdt_writer *w, void *buf, uint32_t size)
{
	*w = (struct fdt_writer){.buf = buf, .size = size, .len = STRUCT_OFF};
	memset(buf, 0, STRUCT_OFF);
	append32(w, 1); /* FDT_BEGIN_NODE */
	append32(w, 0); /* its name: "" */
}

void fdtw_prop(struct fdt_writer *w, const char *name, const void *data, uint32_t len)
{
	uint32_t n = (uint32_t)strlen(name) + 1;

	if (w->strings_len + n > FDTW_STRINGS) {
		w->overflow = true;
		return;
	}
	append32(w, 3); /* FDT_PROP */
	append32(w, len);
	append32(w, w->strings_len);
	append(w, data, len);
	memcpy(w->strings + w->strings_len, name, n);
	w->strings_len += n;
}

void fdtw_u32(struct fdt_writer *w, const char *name, uint32_t value)
{
	uint8_t b[4];

	fdt_store32(b, value);
	fdtw_prop(w, name, b, 4);
}

void fdtw_string(struct fdt_writer *w, const char *name, const char *value)
{
	fdtw_prop(w, name, value, (uint32_t)strlen(value) + 1);
}

uint32_t fdtw_finish(struct fdt_writer *w)
{
	append32(w, 2); /* FDT_END_NODE */
	append32(w, 9); /* FDT_END */
	uint32_t strings_off = w->len;
	append(w, w->strings, w->strings_len);
	if (w->overflow)
		return 0;
	fdt_store32(w->buf, 0xd00dfeed);
	fdt_store32(w->buf + 4, w->len);
	fdt_store32(w->buf + 8, STRUCT_OFF);
	fdt_store32(w->buf + 12, strings_off);
	fdt_store32(w->buf + 16, 40);
	fdt_store32(w->buf + 20, 17);
	fdt_store32(w->buf + 24, 16);
	fdt_store32(w->buf + 32, w->strings_len);
	fdt_store32(w->buf + 36, strings_off - STRUCT_OFF);
	return w->len;
}
