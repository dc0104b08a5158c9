/* SPDX-License-Identifier: Apache-2.0 */
/* Restartable sequences (rseq(2), linux/rseq.h). */
#ifndef TASK_RSEQ_H
#define TASK_RSEQ_H

#include "task/task.h"

/* Before ring 3, when the task was preempted, migrated or registered its area since it was there (rseq_event): writes the vCPU number and
 * moves rip to the abort handler if it was inside a critical section. A bad area is SIGSEGV, as on Linux. */
void rseq_update(struct task *t);
/* Before a signal frame is built: aborts a critical section, so that the handler returns to the abort address. */
void rseq_signal(struct task *t);
/* exec: the area belonged to the old program. */
void rseq_exec(struct task *t);

#endif
