/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "oci/util.h"

static unsigned line_of(const char *text, const char *at)
{
	unsigned line = 1;

	for (; text < at && *text; text++)
		line += *text == '\n';
	return line;
}

struct error *json_load(struct json *j, const char *path, size_t max_size)
{
	size_t len;
	char *text = read_file_at(AT_FDCWD, path, max_size, &len);
	const char *end = NULL;
	struct error *e = NULL;

	memset(j, 0, sizeof(*j));
	j->file = xstrdup(path);
	if (!text)
		return error_errno(errno, "cannot read %s", path);
	if (strlen(text) != len) {
		e = error_new("%s: line %u: a NUL byte is not JSON", path, line_of(text, text + strlen(text)));
	} else {
		/* The length includes the NUL, which is how cJSON is told to refuse what follows the document. */
		j->root = cJSON_ParseWithLengthOpts(text, len + 1, &end, true);
		if (!j->root)
			e = error_new("%s: line %u: not valid JSON", path, line_of(text, end ? end : text));
		else if (!cJSON_IsObject(j->root))
			e = error_new("%s: not a JSON object", path);
	}
	free(text);
	return e;
}

struct error *json_error(struct json *j)
{
	struct error *e = j->err;

	j->err = NULL;
	return e;
}

void json_fail(struct json *j, const char *field, const char *fmt, ...)
{
	va_list ap;
	char *msg;

	if (j->err)
		return;
	va_start(ap, fmt);
	msg = xvasprintf(fmt, ap);
	va_end(ap);
	j->err = error_new("%s: %s: %s", j->file, field, msg);
	free(msg);
}

const cJSON *json_get(struct json *j, const cJSON *obj, const char *field)
{
	const char *key = strrchr(field, '.');
	const cJSON *v;

	key = key ? key + 1 : field;
	if (j->err || !obj)
		return NULL;
	v = cJSON_GetObjectItemCaseSensitive(obj, key);
	return cJSON_IsNull(v) ? NULL : v;
}

static const cJSON *typed(struct json *j, const cJSON *obj, const char *field, bool required,
                          cJSON_bool (*is)(const cJSON *), const char *what)
{
	const cJSON *v = json_get(j, obj, field);

	if (!v && required)
		json_fail(j, field, "missing; it must be %s", what);
	if (v && !is(v)) {
		json_fail(j, field, "must be %s", what);
		v = NULL;
	}
	return v;
}

const cJSON *json_object(struct json *j, const cJSON *obj, const char *field, bool required)
{
	return typed(j, obj, field, required, cJSON_IsObject, "an object");
}

const cJSON *json_array(struct json *j, const cJSON *obj, const char *field, bool required)
{
	return typed(j, obj, field, required, cJSON_IsArray, "an array");
}

const char *json_string(struct json *j, const cJSON *obj, const char *field, bool required)
{
	const cJSON *v = typed(j, obj, field, required, cJSON_IsString, "a string");

	return v ? v->valuestring : NULL;
}

bool json_bool(struct json *j, const cJSON *obj, const char *field, bool dflt)
{
	const cJSON *v = typed(j, obj, field, false, cJSON_IsBool, "true or false");

	return v ? cJSON_IsTrue(v) : dflt;
}

int64_t json_int(struct json *j, const cJSON *obj, const char *field, int64_t dflt, int64_t min, int64_t max)
{
	const cJSON *v = typed(j, obj, field, false, cJSON_IsNumber, "a number");

	if (!v)
		return dflt;
	if (v->valuedouble < (double)min || v->valuedouble > (double)max || v->valuedouble != (double)(int64_t)v->valuedouble) {
		json_fail(j, field, "%g is not an integer between %lld and %lld", v->valuedouble, (long long)min, (long long)max);
		return dflt;
	}
	return (int64_t)v->valuedouble;
}

uint64_t json_u64(struct json *j, const cJSON *obj, const char *field, bool required)
{
	const cJSON *v = typed(j, obj, field, required, cJSON_IsNumber, "a number");
	double d = v ? v->valuedouble : 0;

	/* Numbers above 2^53 are rounded by the parser; the one that matters, 2^64-1, becomes 2^64. */
	if (d >= 18446744073709551615.0)
		return UINT64_MAX;
	if (d < 0 || d != (double)(uint64_t)d) {
		json_fail(j, field, "%g is not a whole number from 0 on", d);
		return 0;
	}
	return (uint64_t)d;
}

char **json_strings(struct json *j, const cJSON *obj, const char *field, bool required, unsigned *n)
{
	const cJSON *a = json_array(j, obj, field, required), *item;
	unsigned count = 0;
	char **out = xcalloc((a ? cJSON_GetArraySize(a) : 0) + 1, sizeof(*out));

	cJSON_ArrayForEach(item, a) {
		if (!cJSON_IsString(item)) {
			char *name = xasprintf("%s[%u]", field, count);

			json_fail(j, name, "must be a string");
			free(name);
			break;
		}
		out[count++] = item->valuestring;
	}
	out[count] = NULL;
	if (n)
		*n = count;
	return out;
}
