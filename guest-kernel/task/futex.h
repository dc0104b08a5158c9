/* SPDX-License-Identifier: Apache-2.0 */
/* Futexes (futex(2)): what the rest of the Sentry needs of them. */
#ifndef TASK_FUTEX_H
#define TASK_FUTEX_H

#include "task/task.h"

/* At clone, before the task can run. */
void futex_task_init(struct task *t);
/* The current task exits (signal_task_exiting was called) or execs, before the old address space goes: walks its robust
 * list, hands over the PI locks it owns. Needs t->mm; may sleep. */
void futex_exit(struct task *t);
/* Wakes up to nr waiters of a word of the current mm (clear_child_tid, which is a shared futex). Number woken or -errno. */
int futex_wake_user(uva_t addr, bool shared, int nr);

#endif
