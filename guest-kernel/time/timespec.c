// SPDX-License-Identifier: Apache-2.0
/* Times in application memory. Ranges beyond KTIME_MAX (292 years) saturate, as in Linux. */
#include "time/timespec.h"

#include "mm/mm.h"
#include "time/cpu_clock.h"

int timespec_in(uva_t p, uint64_t *ns)
{
	struct __kernel_timespec ts;

	if (copy_in_struct(&ts, p))
		return -EFAULT;
	if (!timespec_valid(ts.tv_sec, ts.tv_nsec))
		return -EINVAL;
	*ns = timespec_ns(ts.tv_sec, ts.tv_nsec);
	return 0;
}

int timespec_out(uva_t p, uint64_t ns)
{
	struct __kernel_timespec ts = {.tv_sec = (int64_t)(ns / NSEC_PER_SEC), .tv_nsec = (int64_t)(ns % NSEC_PER_SEC)};

	return copy_out_struct(p, &ts);
}

int timeval_in(uva_t p, uint64_t *ns)
{
	struct __kernel_old_timeval tv;

	if (copy_in_struct(&tv, p))
		return -EFAULT;
	if (tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EINVAL;
	*ns = timespec_ns(tv.tv_sec, tv.tv_usec * (int64_t)NSEC_PER_USEC);
	return 0;
}

int timeval_out(uva_t p, uint64_t ns)
{
	struct __kernel_old_timeval tv = {
		.tv_sec = (int64_t)(ns / NSEC_PER_SEC),
		.tv_usec = (int64_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC),
	};

	return copy_out_struct(p, &tv);
}

int clock_check_wait(int clock)
{
	if (is_cpu_clock(clock))
		return 0;
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		return 0;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return capable(CAP_WAKE_ALARM) ? 0 : -EPERM;
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}
