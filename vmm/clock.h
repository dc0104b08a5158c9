/* SPDX-License-Identifier: Apache-2.0 */
/* The clock parameters shown to the Sentry and to ring 3. */
#ifndef VMM_CLOCK_H
#define VMM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Is the host's TSC invariant, and does the host itself keep time by it? NULL, or why not: a sentence, static. While /sys is
 * there. */
const char *clock_host_tsc(void);
/* First parameters. why: NULL if the TSC is to be used, else why not. tsc_khz: 0 if the platform does not know it. */
void clock_start(const char *why, uint32_t tsc_khz);
/* Follows the host's clock; cheap when nothing is due. Any thread. */
void clock_refresh(void);
/* Do the clocks follow the TSC? NULL, or why not: a sentence, static. Any thread. */
const char *clock_without_tsc(void);
/* From now on they do not: each reading is a hostcall. Any thread, after clock_start. */
void clock_stop_tsc(const char *why);
int64_t clock_read(int clockid);

#endif
