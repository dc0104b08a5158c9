/* SPDX-License-Identifier: Apache-2.0 */
/* Times of system calls: between struct timespec/timeval of applications and nanoseconds. */
#ifndef TIME_TIMESPEC_H
#define TIME_TIMESPEC_H

#include <linux/time.h>
#include <linux/time_types.h>

#include "lib/types.h"
#include "time/timer.h"

#define NSEC_PER_SEC  1000000000UL
#define NSEC_PER_MSEC 1000000UL
#define NSEC_PER_USEC 1000UL
#define KTIME_MAX     ((uint64_t)INT64_MAX)

/* Linux clock ids that linux/time.h of every release has; repeated here as plain numbers are used in tables. */
#define CLOCK_ID_MAX 16

/* a + b, saturating at KTIME_MAX. */
static inline uint64_t time_add(uint64_t a, uint64_t b) { return b > KTIME_MAX || a > KTIME_MAX - b ? KTIME_MAX : a + b; }
static inline bool timespec_valid(int64_t sec, int64_t nsec) { return sec >= 0 && nsec >= 0 && nsec < 1000000000; }
/* Saturating; the timespec is valid. */
static inline uint64_t timespec_ns(int64_t sec, int64_t nsec)
{
	return sec >= (int64_t)(KTIME_MAX / NSEC_PER_SEC) ? KTIME_MAX : (uint64_t)sec * NSEC_PER_SEC + (uint64_t)nsec;
}

/* Reads a struct timespec: 0, -EFAULT, -EINVAL. */
int timespec_in(uva_t p, uint64_t *ns) MUST_CHECK;
int timespec_out(uva_t p, uint64_t ns) MUST_CHECK;
/* Reads a struct timeval: 0, -EFAULT, -EINVAL (microseconds out of range or negative seconds). */
int timeval_in(uva_t p, uint64_t *ns) MUST_CHECK;
int timeval_out(uva_t p, uint64_t ns) MUST_CHECK;
/* Relative time-out of a system call to an absolute CLOCK_MONOTONIC deadline. */
uint64_t deadline_after(uint64_t ns);
/* May the caller sleep and set timers by this clock? 0, -EPERM (alarm clocks, CAP_WAKE_ALARM), -EOPNOTSUPP, -EINVAL. CPU-time
 * clocks pass; what more they demand is the caller's to check. */
int clock_check_wait(int clock) MUST_CHECK;
/* A deadline on an absolute clock (CLOCK_REALTIME, TAI, MONOTONIC, BOOTTIME and their alarms) as CLOCK_MONOTONIC. */
uint64_t deadline_of_clock(int clock, uint64_t ns);

#endif
