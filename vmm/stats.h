/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of the sandbox, for `runsc debug`. */
#ifndef VMM_STATS_H
#define VMM_STATS_H

/* The reply to a "stats" message (abi/control.h): a tree to be freed, or NULL when memory is out. */
void *stats_tree(void);

#endif
