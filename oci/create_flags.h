/* SPDX-License-Identifier: Apache-2.0 */
/* The flags that create and run share. */
#ifndef OCI_CREATE_FLAGS_H
#define OCI_CREATE_FLAGS_H

#include <stdbool.h>

#include "oci/flags.h"
#include "oci/sandbox.h"

struct create_flags {
	const char *bundle, *pid_file, *console_socket;
	unsigned preserve_fds;
	bool detach, keep;
	bool ignored;
};

#define CREATE_FLAGS_DEFAULT {.bundle = "."}
#define CREATE_OFF(field) __builtin_offsetof(struct create_flags, field)

/* Those without help text are runc's, and mean nothing here: there is no pivot_root of the application's to replace, the
 * Sentry has no key rings, and nobody is made a subreaper. */
#define CREATE_FLAGS \
	{"bundle", 'b', FLAG_STRING, CREATE_OFF(bundle), "DIR", "directory of config.json (default: the current one)"}, \
	{"pid-file", 0, FLAG_STRING, CREATE_OFF(pid_file), "FILE", "where to write the sandbox's process id"}, \
	{"console-socket", 0, FLAG_STRING, CREATE_OFF(console_socket), "PATH", \
	 "unix socket that receives the container's terminal"}, \
	{"preserve-fds", 0, FLAG_UINT, CREATE_OFF(preserve_fds), "N", "pass descriptors 3 to N+2 to the container, too"}, \
	{"no-pivot", 0, FLAG_BOOL, CREATE_OFF(ignored), NULL, NULL}, \
	{"no-new-keyring", 0, FLAG_BOOL, CREATE_OFF(ignored), NULL, NULL}, \
	{"no-subreaper", 0, FLAG_BOOL, CREATE_OFF(ignored), NULL, NULL}

/* Loads the bundle and runs it in the given mode (cmd_create.c). */
struct error *create_container(const struct options *o, const struct create_flags *f, enum sandbox_mode mode, const char *id,
                               int *status) MUST_CHECK;

#endif
