/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded formatting: the subset of C's printf that string.h names. No floating point, no wide characters, no %n.
 */
#include "lib/string.h"

struct out {
	char *buf;
	size_t size; /* room, with the NUL */
	size_t len;  /* length of the whole text so far */
};

struct spec {
	bool left, zero, plus, space, alt, upper;
	int width, precision; /* precision -1: none */
	int length;           /* bytes of the integer argument */
	unsigned base;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_string(struct out *o, const struct spec *sp, const char *s)
{
	if (!s)
		s = "(null)";
	int len = (int)(sp->precision >= 0 ? strnlen(s, (size_t)sp->precision) : strlen(s));

	if (!sp->left)
		pad(o, ' ', sp->width - len);
	for (int i = 0; i < len; i++)
		put(o, s[i]);
	if (sp->left)
		pad(o, ' ', sp->width - len);
}

static void put_number(struct out *o, const struct spec *sp, uint64_t value, bool negative)
{
	const char *digits = sp->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char tmp[24];
	int n = 0;
	char sign = negative ? '-' : sp->plus ? '+' : sp->space ? ' ' : 0;
	bool prefix = sp->alt && sp->base == 16 && value != 0;

	for (uint64_t v = value; v; v /= sp->base)
		tmp[n++] = digits[v % sp->base];
	if (n == 0 && sp->precision != 0)
		tmp[n++] = '0';
	int zeros = sp->precision > n ? sp->precision - n : 0;
	if (sp->alt && sp->base == 8 && zeros == 0 && (n == 0 || tmp[n - 1] != '0'))
		zeros = 1;
	int total = n + zeros + (sign ? 1 : 0) + (prefix ? 2 : 0);
	if (sp->zero && !sp->left && sp->precision < 0 && total < sp->width) {
		zeros += sp->width - total;
		total = sp->width;
	}
	if (!sp->left)
		pad(o, ' ', sp->width - total);
	if (sign)
		put(o, sign);
	if (prefix) {
		put(o, '0');
		put(o, sp->upper ? 'X' : 'x');
	}
	pad(o, '0', zeros);
	while (n > 0)
		put(o, tmp[--n]);
	if (sp->left)
		pad(o, ' ', sp->width - total);
}

static uint64_t truncate_to(uint64_t v, int bytes)
{
	return bytes >= 8 ? v : v & ((1ULL << (8 * bytes)) - 1);
}

static int64_t sign_extend(uint64_t v, int bytes)
{
	return (int64_t)(v << (64 - 8 * bytes)) >> (64 - 8 * bytes);
}

static const char *parse_flags(const char *f, struct spec *sp)
{
	for (;; f++) {
		switch (*f) {
		case '-': sp->left = true; break;
		case '0': sp->zero = true; break;
		case '+': sp->plus = true; break;
		case ' ': sp->space = true; break;
		case '#': sp->alt = true; break;
		default: return f;
		}
	}
}

static const char *parse_length(const char *f, struct spec *sp)
{
	sp->length = 4;
	if (*f == 'l' || *f == 'z' || *f == 'j' || *f == 't') {
		sp->length = 8;
		f += f[0] == 'l' && f[1] == 'l' ? 2 : 1;
	} else if (*f == 'h') {
		sp->length = f[1] == 'h' ? 1 : 2;
		f += f[1] == 'h' ? 2 : 1;
	}
	return f;
}

static int parse_decimal(const char **f)
{
	int n = 0;

	while (**f >= '0' && **f <= '9' && n < 100000)
		n = n * 10 + *(*f)++ - '0';
	return n;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = {buf, size, 0};
	va_list ap;

	va_copy(ap, args);
	for (const char *f = fmt; *f; f++) {
		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		struct spec sp = {.precision = -1, .base = 10};
		f = parse_flags(f + 1, &sp);
		if (*f == '*') {
			sp.width = va_arg(ap, int);
			if (sp.width < 0) {
				sp.left = true;
				sp.width = -sp.width;
			}
			f++;
		} else {
			sp.width = parse_decimal(&f);
		}
		if (*f == '.') {
			f++;
			if (*f == '*') {
				sp.precision = va_arg(ap, int);
				f++;
			} else {
				sp.precision = parse_decimal(&f);
			}
		}
		f = parse_length(f, &sp);
		switch (*f) {
		case 'd':
		case 'i': {
			uint64_t raw = sp.length == 8 ? va_arg(ap, uint64_t) : (uint64_t)(int64_t)va_arg(ap, int);
			int64_t v = sign_extend(raw, sp.length);
			put_number(&o, &sp, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
			break;
		}
		case 'X': sp.upper = true; /* fall through */
		case 'x':
		case 'o':
		case 'u': {
			sp.base = *f == 'o' ? 8 : *f == 'u' ? 10 : 16;
			uint64_t v = sp.length == 8 ? va_arg(ap, uint64_t) : va_arg(ap, unsigned);
			sp.plus = sp.space = false;
			put_number(&o, &sp, truncate_to(v, sp.length), false);
			break;
		}
		case 'p':
			sp.base = 16;
			sp.alt = true;
			put_number(&o, &sp, (uint64_t)va_arg(ap, void *), false);
			break;
		case 'c': {
			char one[2] = {(char)va_arg(ap, int), 0};
			pad(&o, ' ', sp.left ? 0 : sp.width - 1);
			put(&o, one[0]);
			pad(&o, ' ', sp.left ? sp.width - 1 : 0);
			break;
		}
		case 's': put_string(&o, &sp, va_arg(ap, const char *)); break;
		case '%': put(&o, '%'); break;
		case 0: f--; break; /* a lone % at the end */
		default: put(&o, '%'); put(&o, *f); break;
		}
	}
	va_end(ap);
	if (size)
		buf[MIN(o.len, size - 1)] = 0;
	return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
