/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/flags.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/util.h"

static bool one_of(const char *choices, const char *value)
{
	size_t len = strlen(value);

	for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
		if (len && strncmp(p, value, len) == 0 && (p[len] == '|' || !p[len]))
			return true;
	return false;
}

static struct error *parse_bool(const char *name, const char *value, bool *out)
{
	if (!value || one_of("true|1|t|T|TRUE|True", value))
		*out = true;
	else if (one_of("false|0|f|F|FALSE|False", value))
		*out = false;
	else
		return error_new("--%s: \"%s\" is neither true nor false", name, value);
	return NULL;
}

static struct error *parse_number(const char *name, const char *value, bool suffix, uint64_t max, uint64_t *out)
{
	static const char units[] = "kmgt";
	char *end;
	uint64_t n;
	unsigned shift = 0;

	errno = 0;
	n = strtoull(value, &end, 10);
	if (!isdigit((unsigned char)value[0]) || errno)
		return error_new("--%s: \"%s\" is not a number", name, value);
	if (suffix && *end) {
		const char *u = strchr(units, tolower((unsigned char)*end));

		if (u) {
			shift = 10 * (u - units + 1);
			end++;
			if (*end == 'b' || *end == 'B')
				end++;
		}
	}
	if (*end)
		return error_new("--%s: \"%s\" is not a %s", name, value, suffix ? "size (such as 512m or 2g)" : "number");
	if (n > max >> shift)
		return error_new("--%s: %s is too large", name, value);
	*out = n << shift;
	return NULL;
}

static void append(char ***list, const char *value)
{
	unsigned n = 0;

	while (*list && (*list)[n])
		n++;
	*list = xrealloc(*list, (n + 2) * sizeof(**list));
	(*list)[n] = (char *)value;
	(*list)[n + 1] = NULL;
}

static struct error *store(const struct flag *f, void *dst, const char *value)
{
	void *p = (char *)dst + f->offset;
	struct error *e;
	uint64_t n;

	switch (f->kind) {
	case FLAG_BOOL:
		return parse_bool(f->name, value, p);
	case FLAG_CHOICE:
		if (!one_of(f->value, value))
			return error_new("--%s: \"%s\" is not one of %s", f->name, value, f->value);
		/* fall through */
	case FLAG_STRING:
		*(const char **)p = value;
		return NULL;
	case FLAG_LIST:
		append(p, value);
		return NULL;
	case FLAG_UINT:
		e = parse_number(f->name, value, false, UINT_MAX, &n);
		if (!e)
			*(unsigned *)p = n;
		return e;
	case FLAG_SIZE:
		return parse_number(f->name, value, true, UINT64_MAX, p);
	}
	return NULL;
}

static const struct flag *find(const struct flag *flags, const char *word, size_t len)
{
	for (; flags && flags->name; flags++)
		if ((strlen(flags->name) == len && memcmp(flags->name, word, len) == 0) ||
		    (len == 1 && flags->letter == *word))
			return flags;
	return NULL;
}

struct error *flags_set(const struct flag *flags, void *dst, const char *name, const char *value, bool *known)
{
	const struct flag *f = strlen(name) > 1 ? find(flags, name, strlen(name)) : NULL;

	*known = f != NULL;
	return f ? store(f, dst, value) : NULL;
}

/* Letters of booleans behind one dash. */
static bool store_letters(const struct flag *flags, void *dst, const char *word)
{
	const struct flag *f;

	for (const char *p = word; *p; p++) {
		f = find(flags, p, 1);
		if (!f || f->kind != FLAG_BOOL || f->letter != *p)
			return false;
	}
	for (const char *p = word; *p; p++)
		*(bool *)((char *)dst + find(flags, p, 1)->offset) = true;
	return true;
}

struct error *flags_parse(const struct flag *flags, void *dst, int argc, char **argv, int *next, bool *help_wanted)
{
	int i = *next;

	for (; i < argc; i++) {
		const char *word = argv[i], *eq, *value;
		const struct flag *f;
		struct error *e;
		size_t len;

		if (word[0] != '-' || !word[1])
			break;
		if (strcmp(word, "--") == 0) {
			i++;
			break;
		}
		word += word[1] == '-' ? 2 : 1;
		eq = strchr(word, '=');
		len = eq ? (size_t)(eq - word) : strlen(word);
		value = eq ? eq + 1 : NULL;
		if (len && (strcmp(word, "help") == 0 || strcmp(word, "h") == 0)) {
			*help_wanted = true;
			continue;
		}
		f = find(flags, word, len);
		if (!f && word == argv[i] + 1 && store_letters(flags, dst, word))
			continue;
		if (!f)
			return error_new("unknown flag %s (see --help)", argv[i]);
		if (!value && f->kind != FLAG_BOOL) {
			if (i + 1 >= argc)
				return error_new("--%s needs a value", f->name);
			value = argv[++i];
		}
		e = store(f, dst, value);
		if (e)
			return e;
	}
	*next = i;
	return NULL;
}

void flags_print(const struct flag *flags)
{
	for (; flags && flags->name; flags++) {
		char head[128];

		if (!flags->help)
			continue;
		snprintf(head, sizeof(head), "%s%c%s--%s%s%s", flags->letter ? "-" : "", flags->letter ? flags->letter : ' ',
		         flags->letter ? ", " : "   ", flags->name, flags->kind == FLAG_BOOL ? "" : "=",
		         flags->kind == FLAG_BOOL ? "" : flags->value);
		if (strlen(head) <= 30)
			printf("  %-30s  %s\n", head, flags->help);
		else
			printf("  %s\n  %30s  %s\n", head, "", flags->help);
	}
}
