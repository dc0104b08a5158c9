/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "oci/util.h"

static struct {
	bool json, debug;
	int fd;       /* log file or -1 */
	int debug_fd; /* debug log or -1 */
} logger = {.fd = -1, .debug_fd = -1};

static struct error *error_make(char *msg)
{
	struct error *e = xcalloc(1, sizeof(*e));

	e->msg = one_line(msg);
	return e;
}

struct error *error_new(const char *fmt, ...)
{
	va_list ap;
	char *msg;

	va_start(ap, fmt);
	msg = xvasprintf(fmt, ap);
	va_end(ap);
	return error_make(msg);
}

struct error *error_errno(int err, const char *fmt, ...)
{
	va_list ap;
	char *ctx, *msg;

	va_start(ap, fmt);
	ctx = xvasprintf(fmt, ap);
	va_end(ap);
	msg = xasprintf("%s: %s", ctx, strerror(err < 0 ? -err : err));
	free(ctx);
	return error_make(msg);
}

struct error *error_wrap(struct error *e, const char *fmt, ...)
{
	va_list ap;
	char *ctx, *msg;

	if (!e)
		return NULL;
	va_start(ap, fmt);
	ctx = xvasprintf(fmt, ap);
	va_end(ap);
	msg = xasprintf("%s: %s", ctx, e->msg);
	free(ctx);
	free(e->msg);
	e->msg = one_line(msg);
	return e;
}

void error_free(struct error *e)
{
	if (!e)
		return;
	free(e->msg);
	free(e);
}

static int open_append(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

struct error *log_open(const struct log_config *cfg)
{
	logger.json = cfg->json;
	logger.debug = cfg->debug;
	if (cfg->path && *cfg->path) {
		logger.fd = open_append(cfg->path);
		if (logger.fd < 0)
			return error_errno(errno, "--log: cannot open %s", cfg->path);
	}
	if (cfg->debug_path && *cfg->debug_path) {
		const char *path = cfg->debug_path;

		if (path[strlen(path) - 1] == '/') {
			int err = mkdir_parents(path, 0755);

			if (err < 0)
				return error_errno(err, "--debug-log: cannot make %s", path);
			path = xasprintf("%srunsc.%d.%s.log", path, getpid(), cfg->command);
		}
		logger.debug_fd = open_append(path);
		if (logger.debug_fd < 0)
			return error_errno(errno, "--debug-log: cannot open %s", path);
	}
	return NULL;
}

int log_debug_fd(void)
{
	return logger.debug_fd;
}

/* Appends s as a JSON string body. */
static void json_escape(FILE *f, const char *s)
{
	for (; *s; s++) {
		unsigned char c = *s;

		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", f);
		else if (c < 0x20)
			fprintf(f, "\\u%04x", c);
		else
			fputc(c, f);
	}
}

static void emit(int fd, const char *level, const char *msg, bool json)
{
	char stamp[64];
	struct timespec now;
	struct tm tm;
	char *line = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&line, &len);

	if (!f)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	if (json) {
		fprintf(f, "{\"level\":\"%s\",\"msg\":\"", level);
		json_escape(f, msg);
		fprintf(f, "\",\"time\":\"%s.%06ldZ\"}\n", stamp, now.tv_nsec / 1000);
	} else {
		fprintf(f, "time=\"%s.%06ldZ\" level=%s msg=\"", stamp, now.tv_nsec / 1000, level);
		json_escape(f, msg);
		fputs("\"\n", f);
	}
	fclose(f);
	if (write_all(fd, line, len) < 0) {
		/* A log that cannot be written (disk full) must not stop the command. */
	}
	free(line);
}

static void emit_stderr(const char *level, const char *msg)
{
	if (logger.json)
		emit(STDERR_FILENO, level, msg, true);
	else
		dprintf(STDERR_FILENO, "runsc: %s%s\n", strcmp(level, "error") ? "warning: " : "", msg);
}

void log_error(const struct error *e)
{
	if (logger.fd >= 0) {
		emit(logger.fd, "error", e->msg, logger.json);
		dprintf(STDERR_FILENO, "runsc: %s\n", e->msg);
	} else {
		emit_stderr("error", e->msg);
	}
	if (logger.debug_fd >= 0)
		emit(logger.debug_fd, "error", e->msg, false);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;
	char *msg;

	va_start(ap, fmt);
	msg = one_line(xvasprintf(fmt, ap));
	va_end(ap);
	if (logger.fd >= 0)
		emit(logger.fd, "warning", msg, logger.json);
	else
		emit_stderr("warning", msg);
	if (logger.debug_fd >= 0)
		emit(logger.debug_fd, "warning", msg, false);
	free(msg);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;
	char *msg;

	if (!logger.debug && logger.debug_fd < 0)
		return;
	va_start(ap, fmt);
	msg = xvasprintf(fmt, ap);
	va_end(ap);
	if (logger.debug_fd >= 0)
		emit(logger.debug_fd, "debug", msg, false);
	else if (logger.fd >= 0)
		emit(logger.fd, "debug", msg, logger.json);
	else
		emit(STDERR_FILENO, "debug", msg, logger.json);
	free(msg);
}
