/* SPDX-License-Identifier: Apache-2.0 */
/* What signals and timers say to each other: a periodic timer starts its next period when its signal is taken. */
#ifndef TIME_POSIX_TIMER_H
#define TIME_POSIX_TIMER_H

#include <asm/siginfo.h>

#include "task/task.h"

struct posix_timer;

void posix_timer_put(struct posix_timer *t);
/* The signal of a timer was taken: fills in the overrun count, re-arms, drops the queue's reference. No locks held. */
void posix_timer_dequeued(struct posix_timer *t, siginfo_t *si);
void posix_timers_delete_all(struct process *p);
/* SIGALRM was taken from the process's queue: ITIMER_REAL goes on. */
void itimer_real_dequeued(struct process *p);
void itimer_real_fn(struct ktimer *k); /* callback of process_timers.real */

#endif
