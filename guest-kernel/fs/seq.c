// SPDX-License-Identifier: Apache-2.0
/* Growing text buffers (see seq.h). The buffer doubles; a failed allocation is remembered, not reported per call. */
#include "fs/seq.h"

#include "lib/string.h"
#include "mm/page.h"

#define SEQ_FIRST 1024

void seq_init(struct seq *s)
{
	*s = (struct seq){0};
}

void seq_free(struct seq *s)
{
	kfree(s->buf);
	seq_init(s);
}

/* Room for n more bytes and a NUL. */
static bool seq_reserve(struct seq *s, size_t n)
{
	if (s->failed)
		return false;
	if (s->len + n < s->cap)
		return true;
	size_t cap = s->cap ? s->cap : SEQ_FIRST;
	while (cap <= s->len + n)
		cap *= 2;
	char *buf = krealloc(s->buf, cap);
	if (!buf) {
		s->failed = true;
		return false;
	}
	s->buf = buf;
	s->cap = cap;
	return true;
}

void seq_write(struct seq *s, const void *data, size_t n)
{
	if (!seq_reserve(s, n))
		return;
	memcpy(s->buf + s->len, data, n);
	s->len += n;
}

void seq_puts(struct seq *s, const char *text)
{
	seq_write(s, text, strlen(text));
}

void seq_printf(struct seq *s, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	size_t room = s->cap - s->len;
	int n = vsnprintf(s->buf ? s->buf + s->len : NULL, s->buf ? room : 0, fmt, ap);
	va_end(ap);
	if (n >= 0 && (!s->buf || (size_t)n >= room)) {
		if (!seq_reserve(s, (size_t)n)) {
			va_end(again);
			return;
		}
		vsnprintf(s->buf + s->len, s->cap - s->len, fmt, again);
	}
	va_end(again);
	if (n > 0)
		s->len += (size_t)n;
}

void seq_escape(struct seq *s, const char *text, const char *escape)
{
	for (; *text; text++) {
		if (*text == '\\' || strchr(escape, *text))
			seq_printf(s, "\\%03o", (unsigned char)*text);
		else
			seq_write(s, text, 1);
	}
}
