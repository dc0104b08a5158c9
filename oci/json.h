/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed, checked access to JSON documents. A reader keeps the first error, which names file and field; after it every
 * accessor returns its default, so that a parser reads straight down and asks once at its end.
 *
 * A field is named by its full path ("process.user.uid"); the last component is looked up in the given object.
 */
#ifndef OCI_JSON_H
#define OCI_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "oci/error.h"

struct json {
	const char *file; /* for messages */
	cJSON *root;
	struct error *err; /* the first one */
};

/* Reads and parses; on failure the error is returned (and nothing needs to be freed). */
struct error *json_load(struct json *j, const char *path, size_t max_size) MUST_CHECK;
/* Takes the first error. */
struct error *json_error(struct json *j) MUST_CHECK;
void json_fail(struct json *j, const char *field, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The member that field's last component names, NULL if absent or null. */
const cJSON *json_get(struct json *j, const cJSON *obj, const char *field);
/* NULL if absent (an error if required) or of another type (an error). */
const cJSON *json_object(struct json *j, const cJSON *obj, const char *field, bool required);
const cJSON *json_array(struct json *j, const cJSON *obj, const char *field, bool required);
const char *json_string(struct json *j, const cJSON *obj, const char *field, bool required);
bool json_bool(struct json *j, const cJSON *obj, const char *field, bool dflt);
/* An integer in [min, max]. */
int64_t json_int(struct json *j, const cJSON *obj, const char *field, int64_t dflt, int64_t min, int64_t max);
uint64_t json_u64(struct json *j, const cJSON *obj, const char *field, bool required);
/* NULL-terminated array of the strings of an array field; an empty one if absent. *n may be NULL. */
char **json_strings(struct json *j, const cJSON *obj, const char *field, bool required, unsigned *n);

#endif
