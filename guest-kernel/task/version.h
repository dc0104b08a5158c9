/* SPDX-License-Identifier: Apache-2.0 */
/* What this kernel calls itself in uname(2) and /proc/version: the Linux release whose interfaces it follows. */
#ifndef TASK_VERSION_H
#define TASK_VERSION_H

#include "lib/types.h"

#define SENTRY_RELEASE       "6.1.0-runsc"
#define SENTRY_BUILD_VERSION "#1 SMP runsc Sentry"

/* One above the largest process number (pid.c). */
#define PID_MAX 4194304

/* The number most recently given to a task (pid.c). */
int pid_last(void);
/* Cryptographically secure random bytes (task/random.c). */
void random_bytes(void *buf, size_t n);

#endif
