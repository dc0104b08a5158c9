/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dmesg ring: text lines "<level>[seconds] message" in a byte ring, oldest overwritten. Lines that matter to the
 * operator also go to the host (HC_LOG). log_lock is the innermost lock of the Sentry.
 */
#include "lib/log.h"

#include "arch/cpu.h"
#include "boot/boot.h"
#include "lib/string.h"
#include "task/lock.h"
#include "time/timer.h"

#define LOG_RING_SIZE 0x10000u /* power of two */
#define LOG_LINE_MAX  480

static struct {
	spinlock_t lock;
	uint64_t end;   /* bytes ever written; protected by lock */
	uint64_t start; /* first byte that READ_ALL shows (log_clear moves it); protected by lock */
	char ring[LOG_RING_SIZE];
} logbuf;

bool log_debug_enabled;

static void ring_append(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		logbuf.ring[logbuf.end++ & (LOG_RING_SIZE - 1)] = s[i];
	if (logbuf.end - logbuf.start > LOG_RING_SIZE) {
		logbuf.start = logbuf.end - LOG_RING_SIZE;
		while (logbuf.start < logbuf.end && logbuf.ring[logbuf.start & (LOG_RING_SIZE - 1)] != '\n')
			logbuf.start++; /* drop the cut line */
		logbuf.start++;
	}
}

static void log_line(enum log_level level, const char *msg, size_t len)
{
	char prefix[40];
	uint64_t us = boot.clock_ready ? clock_since_start() / 1000 : 0;
	int n = snprintf(prefix, sizeof(prefix), "<%d>[%5lu.%06lu] ", level, us / 1000000, us % 1000000);

	spin_lock(&logbuf.lock);
	ring_append(prefix, (size_t)n);
	ring_append(msg, len);
	ring_append("\n", 1);
	spin_unlock(&logbuf.lock);
	if (level <= LOG_WARNING || log_debug_enabled)
		(void)hostcall3(HC_LOG, level, msg, len);
}

void klog(enum log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_MAX]; /* on the stack: hostcalls take addresses of RAM only, never of the image */
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	size_t len = MIN((size_t)n, sizeof(line) - 1);
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)line[i] < 32 && line[i] != '\t')
			line[i] = '?'; /* an application's bytes must not forge lines */
	log_line(level, line, len);
}

void log_host(const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	(void)hostcall3(HC_LOG, LOG_DEBUG, line, MIN((size_t)n, sizeof(line) - 1));
}

size_t log_size(void)
{
	return LOG_RING_SIZE;
}

size_t log_read_all(char *buf, size_t size)
{
	spin_lock(&logbuf.lock);
	uint64_t from = logbuf.start;
	if (logbuf.end - from > size) {
		from = logbuf.end - size;
		while (from < logbuf.end && logbuf.ring[(from - 1) & (LOG_RING_SIZE - 1)] != '\n')
			from++;
	}
	size_t n = 0;
	for (; from < logbuf.end; from++)
		buf[n++] = logbuf.ring[from & (LOG_RING_SIZE - 1)];
	spin_unlock(&logbuf.lock);
	return n;
}

void log_clear(void)
{
	spin_lock(&logbuf.lock);
	logbuf.start = logbuf.end;
	spin_unlock(&logbuf.lock);
}
