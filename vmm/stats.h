/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of the sandbox, for `runsc debug` and the debug log. */
#ifndef VMM_STATS_H
#define VMM_STATS_H

#include <stdbool.h>

/*
 * The start: from the first KVM_RUN, or the Sentry's first instruction where that comes earlier, until the application's first
 * instruction. Any vCPU thread.
 */
/* vCPU 0 is about to enter the Sentry. */
void stats_sentry_starts(void);
/* Has the application executed an instruction? Cheap. */
bool stats_application_runs(void);
/* It is about to be entered, perhaps only to fault at its first instruction: the latest of these calls counts. */
void stats_application_entered(void);
/* It executed its first instruction after the latest entry. */
void stats_application_began(void);
/* The first container is set up and held until its start: the application's start is not one of the sandbox. */
void stats_held(void);

/* The reply to a "stats" message (abi/control.h): a tree to be freed, or NULL when memory is out. */
void *stats_tree(void);
/* All counters to the debug log, for the sandbox's end. */
void stats_log(void);

#endif
