/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small helpers of the host commands: owned descriptors, allocation that cannot fail, whole-file reads and writes.
 * A command is short-lived, so what it parses (flags, specs, states) lives until it exits; descriptors are owned.
 */
#ifndef OCI_UTIL_H
#define OCI_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

void fd_cleanup(int *fd);
#define AUTO_FD __attribute__((cleanup(fd_cleanup))) int

static inline int take_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

/* Memory or the end of the process with a message. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* Whole content of a file with a terminating NUL that *len (may be NULL) does not count; at most max bytes (EFBIG).
 * NULL with errno set. */
char *read_file_at(int dir, const char *path, size_t max, size_t *len);
/* One write(2) of the string to an existing file; 0 or -errno. */
int write_file_at(int dir, const char *path, const char *text);
/* As many descriptors as the hard limit allows. */
void raise_nofile(void);
/* Whether our ids are not simply the machine's: we are in a user namespace other than the first one. */
bool in_user_namespace(void);
/* Everything, through short writes; 0 or -errno. */
int write_all(int fd, const void *buf, size_t len);
/* Like mkdir -p; 0 or -errno. */
int mkdir_parents(const char *path, mode_t mode);
/* Our process id and our parent's, as /proc numbers them, which may be another pid namespace's; 0 if it cannot tell. */
pid_t process_self(void);
pid_t process_parent(void);
/* Takes control characters out, in place: what bundles, hooks and sandboxes wrote must be nothing but text to the terminal or the
 * log that it is shown on. Returns the text. */
char *one_line(char *text);
bool has_prefix(const char *s, const char *prefix);

#endif
