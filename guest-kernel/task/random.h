/* SPDX-License-Identifier: Apache-2.0 */
/* The Sentry's random number generator (task/random.c): getrandom(2), /dev/urandom, address layout, AT_RANDOM. */
#ifndef TASK_RANDOM_H
#define TASK_RANDOM_H

#include "lib/types.h"

void random_init(void); /* from the boot seed; before the first user */
void random_bytes(void *buf, size_t n);
uint64_t random_u64(void);

#endif
