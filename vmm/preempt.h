/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that looks after the deadlines of running tasks (preempt.c). */
#ifndef VMM_PREEMPT_H
#define VMM_PREEMPT_H

/* WATCH: makes it look now. 0 or -errno: it could not be started. Any thread. */
int preempt_watch(void);

#endif
