/* SPDX-License-Identifier: Apache-2.0 */
/* The clock parameters shown to the Sentry and to ring 3. */
#ifndef VMM_CLOCK_H
#define VMM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Is the host's TSC invariant, and does the host itself keep time by it? */
bool clock_host_tsc_ok(void);
/* First parameters. tsc_khz: 0 if the platform does not know it. */
void clock_start(bool tsc_ok, uint32_t tsc_khz);
/* Follows the host's clock; cheap when nothing is due. Any thread. */
void clock_refresh(void);
int64_t clock_read(int clockid);

#endif
