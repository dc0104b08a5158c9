/* SPDX-License-Identifier: Apache-2.0 */
/* The dmesg ring, log lines for the host's debug log, and panic. */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include "lib/types.h"

enum log_level { LOG_ERR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_INFO = 6, LOG_DEBUG = 7 };

/* One line into the dmesg ring; LOG_WARNING and above, or everything with --debug, also to the host by HC_LOG.
 * Callable from any context, takes only the log's own spinlock. */
void klog(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

/* One line for the host's debug log only (--strace). */
void log_host(const char *fmt, ...) PRINTF(1, 2);

#define pr_err(...)   klog(LOG_ERR, __VA_ARGS__)
#define pr_warn(...)  klog(LOG_WARNING, __VA_ARGS__)
#define pr_info(...)  klog(LOG_INFO, __VA_ARGS__)
#define pr_debug(...) do { if (log_debug_enabled) klog(LOG_DEBUG, __VA_ARGS__); } while (0)
extern bool log_debug_enabled;

/* Copies the last size bytes of the ring (as syslog(2) SYSLOG_ACTION_READ_ALL formats them); returns the length. */
size_t log_read_all(char *buf, size_t size);
size_t log_size(void);
void log_clear(void);

/* A broken invariant: prints the message and a backtrace with symbols (resolved by the host), ends the sandbox. */
NORETURN void panic(const char *fmt, ...) PRINTF(1, 2);
#define BUG_ON(cond) do { if (unlikely(cond)) panic("%s:%d: %s", __FILE__, __LINE__, #cond); } while (0)

#endif
