/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors and messages of the host commands. A function that can fail returns a struct error *, NULL for success; each
 * caller adds its context in front; main prints the result once. Exit status 128 tells callers that the runtime failed
 * before the container had a status of its own, as runc does.
 */
#ifndef OCI_ERROR_H
#define OCI_ERROR_H

#include <stdbool.h>

#define EXIT_RUNTIME 128

struct error {
	char *msg;
};

#define MUST_CHECK __attribute__((warn_unused_result))

struct error *error_new(const char *fmt, ...) __attribute__((format(printf, 1, 2))) MUST_CHECK;
/* "<fmt>: <strerror(err)>"; err may be negative. */
struct error *error_errno(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3))) MUST_CHECK;
/* "<fmt>: <e>"; takes e. NULL stays NULL. */
struct error *error_wrap(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3))) MUST_CHECK;
void error_free(struct error *e);

struct log_config {
	const char *path;       /* --log, or NULL */
	bool json;              /* --log-format=json */
	bool debug;
	const char *debug_path; /* --debug-log, or NULL; a directory if it ends in '/' */
	const char *command;    /* names the debug log in a directory */
};

struct error *log_open(const struct log_config *cfg) MUST_CHECK;
/* The descriptor of the debug log for child processes, or -1. */
int log_debug_fd(void);
/* To the log file (if there is one) and to standard error. */
void log_error(const struct error *e);
/* To the log file and the debug log; to standard error only if there is no log file. */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Only with --debug: to the debug log, else the log file, else standard error. */
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
