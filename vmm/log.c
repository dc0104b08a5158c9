// SPDX-License-Identifier: Apache-2.0
/*
 * The VMM's log: lines to the debug log, errors to standard error as well. Levels are those of syslog(2).
 */
#include "vmm/vmm_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN 1024

bool vmm_debug;
static int log_fd = -1;

void log_init(int fd, bool debug)
{
	log_fd = fd;
	vmm_debug = debug;
}

static void put(int fd, const char *s, unsigned len)
{
	while (len) {
		ssize_t n = write(fd, s, len);
		if (n <= 0)
			return;
		s += n;
		len -= n;
	}
}

void log_raw(const char *line, unsigned len)
{
	if (log_fd >= 0)
		put(log_fd, line, len);
	if (log_fd != STDERR_FILENO)
		put(STDERR_FILENO, line, len);
}

void vmm_log(int level, const char *fmt, ...)
{
	static const char letters[] = "EACEWNID";
	char line[LINE_MAX_LEN];
	struct timespec now;
	va_list ap;
	int n, head;
	bool to_err = level <= LOG_ERR || (vmm_debug && log_fd < 0);

	if (log_fd < 0 && !to_err)
		return;
	if (level > LOG_INFO && !vmm_debug)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	head = snprintf(line, sizeof(line), "%c %5ld.%06ld ", letters[level & 7], (long)now.tv_sec, now.tv_nsec / 1000);
	va_start(ap, fmt);
	n = vsnprintf(line + head, sizeof(line) - head - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	n += head;
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	if (line[n - 1] != '\n')
		line[n++] = '\n';
	if (log_fd >= 0)
		put(log_fd, line, n);
	if (to_err && log_fd != STDERR_FILENO) {
		put(STDERR_FILENO, "runsc: ", 7);
		put(STDERR_FILENO, line + head, n - head);
	}
}
