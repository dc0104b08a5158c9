/* SPDX-License-Identifier: Apache-2.0 */
/* struct rusage of getrusage(2) and wait4(2). */
#ifndef TASK_RUSAGE_H
#define TASK_RUSAGE_H

#include <linux/resource.h>

#include "task/task.h"

void rusage_fill(struct rusage *ru, const struct rusage_acc *u);

#endif
