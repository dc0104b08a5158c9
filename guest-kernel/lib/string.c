/* SPDX-License-Identifier: Apache-2.0 */
/*
 * String functions. The compiler emits calls to memcpy, memmove, memset and memcmp on its own, so those exist under
 * their C names and must not be turned into calls of themselves. Ring 0 has no SSE; the string instructions are the
 * fastest way to move bytes, plain stores win for the short ones.
 */
#include "lib/string.h"

#pragma GCC optimize("no-tree-loop-distribute-patterns")

typedef uint64_t __attribute__((may_alias, aligned(1))) word_t;

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	void *d = dst;

	if (n <= 64) {
		char *to = dst;
		const char *from = src;
		for (; n >= 8; n -= 8, to += 8, from += 8)
			*(word_t *)to = *(const word_t *)from;
		while (n--)
			*to++ = *from++;
		return dst;
	}
	/* By eight: as fast as bytes where the CPU has fast strings, and eight times faster where it has not. */
	size_t words = n / 8, tail = n % 8;
	__asm__ volatile("rep movsq\n mov %3, %2\n rep movsb" : "+D"(d), "+S"(src), "+c"(words) : "r"(tail) : "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	if ((uint64_t)d - (uint64_t)s >= n) {
		__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
		return dst;
	}
	while (n >= 8) {
		n -= 8;
		*(word_t *)(d + n) = *(const word_t *)(s + n);
	}
	while (n--)
		d[n] = s[n];
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	void *d = dst;

	if (n <= 64) {
		uint64_t pattern = (uint8_t)c * 0x0101010101010101UL;
		char *to = dst;
		for (; n >= 8; n -= 8, to += 8)
			*(word_t *)to = pattern;
		while (n--)
			*to++ = (char)c;
		return dst;
	}
	size_t words = n / 8, tail = n % 8;
	__asm__ volatile("rep stosq\n mov %2, %1\n rep stosb"
	                 : "+D"(d), "+c"(words)
	                 : "r"(tail), "a"((uint8_t)c * 0x0101010101010101UL)
	                 : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n >= 8 && *(const word_t *)x == *(const word_t *)y; n -= 8) {
		x += 8;
		y += 8;
	}
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	for (const uint8_t *p = s; n; n--, p++)
		if (*p == (uint8_t)c)
			return (void *)p;
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b)
			return (uint8_t)*a - (uint8_t)*b;
		if (!*a)
			break;
	}
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (!*s)
			return (char *)found;
	}
}

char *strstr(const char *haystack, const char *needle)
{
	size_t n = strlen(needle);

	for (; *haystack; haystack++)
		if (strncmp(haystack, needle, n) == 0)
			return (char *)haystack;
	return n ? NULL : (char *)haystack;
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t len = strlen(src);

	if (size) {
		size_t n = MIN(len, size - 1);
		memcpy(dst, src, n);
		dst[n] = 0;
	}
	return len;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return 99;
}

int parse_u64(const char *s, int base, uint64_t *out)
{
	uint64_t value = 0;

	if (base == 0) {
		base = 10;
		if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
			base = 16;
			s += 2;
		}
	}
	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		int d = digit_value(*s);
		if (d >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) || __builtin_add_overflow(value, (uint64_t)d, &value))
			return -ERANGE;
	}
	*out = value;
	return 0;
}

int parse_i64(const char *s, int base, int64_t *out)
{
	bool negative = *s == '-';
	uint64_t value;
	int err = parse_u64(negative || *s == '+' ? s + 1 : s, base, &value);

	if (err)
		return err;
	if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return -ERANGE;
	*out = negative ? (int64_t)(0 - value) : (int64_t)value;
	return 0;
}
