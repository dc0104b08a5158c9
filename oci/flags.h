/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command-line flags as tables: one table per command yields the parser and the --help text. Flags are written
 * -name or --name; values as --name=value or --name value; a boolean takes no separate value (--name, --name=false),
 * as in Go programs, whose users runsc shares with gVisor. Letters of booleans may stand together (-it).
 */
#ifndef OCI_FLAGS_H
#define OCI_FLAGS_H

#include <stddef.h>

#include "oci/error.h"

enum flag_kind {
	FLAG_BOOL,   /* bool */
	FLAG_STRING, /* const char * */
	FLAG_CHOICE, /* const char *, one of choices ("a|b|c") */
	FLAG_UINT,   /* unsigned */
	FLAG_SIZE,   /* uint64_t; suffixes k m g t, powers of 1024 */
	FLAG_LIST,   /* char **: every value that was given, NULL-terminated */
};

struct flag {
	const char *name;
	char letter; /* short form or 0 */
	enum flag_kind kind;
	size_t offset; /* of the value in the options structure */
	const char *value; /* how --help calls the value; for FLAG_CHOICE the choices */
	const char *help;
};

/* Parses flags up to the first word that is none (or after "--"); *next is its index. Sets *help_wanted on -h/--help. */
struct error *flags_parse(const struct flag *flags, void *dst, int argc, char **argv, int *next, bool *help_wanted) MUST_CHECK;
/* Sets one flag by name; known: whether there is one of that name. */
struct error *flags_set(const struct flag *flags, void *dst, const char *name, const char *value, bool *known) MUST_CHECK;
void flags_print(const struct flag *flags);

#endif
