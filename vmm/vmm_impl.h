/* SPDX-License-Identifier: Apache-2.0 */
/* State of the one sandbox that this process runs, and how it ends. Private to vmm/. */
#ifndef VMM_IMPL_H
#define VMM_IMPL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "platform/platform.h"
#include "vmm/vmm.h"

struct vmm {
	pid_t pid;               /* of this process */
	struct vmm_config cfg;             /* immutable after start */
	const struct platform_ops *ops;    /* immutable after start */
	struct platform_info info;         /* immutable after start */
	struct boot_shared *shared;        /* in RAM, written by the Sentry too */
	_Atomic bool stopping;             /* the sandbox is ending: nothing returns to the Sentry or to ring 3 */
	int stop_fd;                       /* eventfd: the main thread shall end the sandbox */
	_Atomic int result;                /* what vmm_run returns; valid once stopping */
	_Atomic uint64_t signals;          /* bit n - 1: signal n came from outside and is to go to the container's init */
};
extern struct vmm vmm;

/* Ends the sandbox with the given result of vmm_run; the first caller wins. Async-signal-safe. Returns at once. */
void vmm_stop(int result);
/* Ends the sandbox because of an error of the host's side or of the Sentry; the reason is for the user. Not from a signal
 * handler. */
void vmm_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* main.c: the CPU shows an application whatever of the sandbox's memory its page tables map for ring 0 (Meltdown). */
bool vmm_shows_memory(void);

/* memory.c: the text of a file of /proc that is held open, cut to size; "" if it cannot be read. */
void vmm_read_text(int fd, char *text, size_t size);

/* log.c */
void log_init(int fd, bool debug);
/* Async-signal-safe: a whole line, as it is. */
void log_raw(const char *line, unsigned len);

#endif
