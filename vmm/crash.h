/* SPDX-License-Identifier: Apache-2.0 */
/* Signals of the sandbox process: kicks, faults with a fixup, faults without one, which end the sandbox with a report, and
 * signals for the container. */
#ifndef VMM_CRASH_H
#define VMM_CRASH_H

#include <signal.h>
#include <stdint.h>

/* What the sandbox process gets when the runsc that it belongs to dies. Nothing else sends it on x86. */
#define PARENT_DEATH_SIGNAL SIGSTKFLT

/* Installs the handlers; once, before threads start. Signals that others send to this process (kill(2)) become events for
 * the container's init, but those of faults, SIGSTKFLT, SIGPIPE, SIGXFSZ, SIGCHLD and the terminal's SIGTSTP, SIGTTIN and
 * SIGTTOU, which mean something to this process itself. */
int crash_init(void);
/* An alternate signal stack for the calling thread. */
int crash_thread_init(void);
/* Removes the fault signals from a mask of blocked ones. */
void crash_unblock(sigset_t *mask);
/* One line per frame, to the log and to standard error. rbp is trusted only as far as its stack reaches. */
void crash_backtrace(uint64_t rip, uint64_t rbp);

#endif
