/* SPDX-License-Identifier: Apache-2.0 */
/* The usual string functions (C11 7.24 semantics) and bounded formatting; kernel memory only. */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include "lib/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *haystack, const char *needle);
/* Copies at most size - 1 bytes and terminates; returns strlen(src). */
size_t strlcpy(char *dst, const char *src, size_t size);

/* printf subset: %d %i %u %x %X %o %c %s %p %% with flags 0 - + space #, width, precision, * and h hh l ll z.
 * Returns the length that the whole text would have. */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int snprintf(char *buf, size_t size, const char *fmt, ...) PRINTF(3, 4);

/* Decimal, or 0x hexadecimal when base is 0. Returns 0 or -EINVAL, -ERANGE. The whole string must be used. */
int parse_u64(const char *s, int base, uint64_t *out) MUST_CHECK;
int parse_i64(const char *s, int base, int64_t *out) MUST_CHECK;

#endif
