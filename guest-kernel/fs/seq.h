/* SPDX-License-Identifier: Apache-2.0 */
/* A growing text buffer, for files whose contents are made when they are read. */
#ifndef FS_SEQ_H
#define FS_SEQ_H

#include "lib/types.h"

struct seq {
	char *buf;
	size_t len, cap;
	bool failed; /* memory ran out: the reader gets ENOMEM */
};

void seq_init(struct seq *s);
void seq_free(struct seq *s);
void seq_write(struct seq *s, const void *data, size_t n);
void seq_puts(struct seq *s, const char *text);
void seq_printf(struct seq *s, const char *fmt, ...) PRINTF(2, 3);
/* text with the characters of `escape` and backslash as \ooo, as /proc/mounts writes names. */
void seq_escape(struct seq *s, const char *text, const char *escape);

#endif
