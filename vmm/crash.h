/* SPDX-License-Identifier: Apache-2.0 */
/* Signals of vCPU threads: kicks, faults with a fixup, and faults without one, which end the sandbox with a report. */
#ifndef VMM_CRASH_H
#define VMM_CRASH_H

#include <signal.h>
#include <stdint.h>

/* Installs the handlers; once, before threads start. */
int crash_init(void);
/* An alternate signal stack for the calling thread. */
int crash_thread_init(void);
/* Removes the fault signals from a mask of blocked ones. */
void crash_unblock(sigset_t *mask);
/* One line per frame, to the log and to standard error. rbp is trusted only as far as its stack reaches. */
void crash_backtrace(uint64_t rip, uint64_t rbp);

#endif
