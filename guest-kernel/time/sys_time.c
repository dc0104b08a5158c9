// SPDX-License-Identifier: Apache-2.0
/*
 * Reading and setting clocks. The sandbox shows the host's clocks and cannot set them: setting is EPERM for everyone,
 * after the argument checks that Linux makes. TAI is shown with an offset of 0, as on a host without NTP.
 */
#include <linux/timex.h>

#include "lib/string.h"
#include "mm/mm.h"
#include "syscall/syscall.h"
#include "time/cpu_clock.h"
#include "time/timespec.h"

#define COARSE_RES_NS (4 * NSEC_PER_MSEC)

/* 0 and the time in *ns, or -EINVAL. */
static int clock_read(int clockid, uint64_t *ns)
{
	struct cpu_clock cpu;
	int err;

	if (is_cpu_clock(clockid)) {
		err = cpu_clock_open(clockid, true, &cpu);
		if (err)
			return err;
		*ns = cpu_clock_read(&cpu);
		process_put(cpu.proc);
		return 0;
	}
	switch (clockid) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = clock_realtime();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
		*ns = clock_monotonic();
		return 0;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = clock_boottime();
		return 0;
	default:
		return -EINVAL;
	}
}

int64_t sys_clock_gettime(const struct sysargs *a)
{
	uint64_t ns;
	int err = clock_read(arg_int(a, 0), &ns);

	return err ? err : timespec_out(arg_uva(a, 1), ns);
}

int64_t sys_clock_getres(const struct sysargs *a)
{
	int clockid = arg_int(a, 0), err;
	uva_t res = arg_uva(a, 1);
	uint64_t ns = 1;

	err = clock_read(clockid, &ns);
	if (err)
		return err;
	ns = 1;
	if (clockid == CLOCK_REALTIME_COARSE || clockid == CLOCK_MONOTONIC_COARSE ||
	    (clockid < 0 && (clockid & 3) != CPU_CLOCK_SCHED))
		ns = COARSE_RES_NS;
	return res.v ? timespec_out(res, ns) : 0;
}

int64_t sys_clock_settime(const struct sysargs *a)
{
	uint64_t ns;
	int err;

	if (arg_int(a, 0) != CLOCK_REALTIME && !is_cpu_clock(arg_int(a, 0)))
		return -EINVAL;
	err = timespec_in(arg_uva(a, 1), &ns);
	return err ? err : -EPERM;
}

int64_t sys_gettimeofday(const struct sysargs *a)
{
	uva_t tv = arg_uva(a, 0), tz = arg_uva(a, 1);

	if (tv.v && timeval_out(tv, clock_realtime()))
		return -EFAULT;
	if (tz.v && clear_user(tz, sizeof(struct timezone)))
		return -EFAULT;
	return 0;
}

int64_t sys_settimeofday(const struct sysargs *a)
{
	uva_t utv = arg_uva(a, 0), utz = arg_uva(a, 1);
	struct timezone tz;
	uint64_t ns;
	int err;

	if (utv.v && (err = timeval_in(utv, &ns)))
		return err;
	if (utz.v) {
		if (copy_in_struct(&tz, utz))
			return -EFAULT;
		if (tz.tz_minuteswest > 15 * 60 || tz.tz_minuteswest < -15 * 60)
			return -EINVAL;
	}
	return -EPERM;
}

int64_t sys_time(const struct sysargs *a)
{
	uva_t out = arg_uva(a, 0);
	int64_t seconds = (int64_t)(clock_realtime() / NSEC_PER_SEC);

	if (out.v && copy_out_struct(out, &seconds))
		return -EFAULT;
	return seconds;
}

/* struct __kernel_timex; the same layout as struct timex on x86-64. */
static int64_t adjtime(int clockid, uva_t utx)
{
	struct __kernel_timex tx;
	uint64_t now;

	if (clockid != CLOCK_REALTIME)
		return is_cpu_clock(clockid) || clockid > CLOCK_TAI ? -EINVAL : -EOPNOTSUPP;
	if (copy_in_struct(&tx, utx))
		return -EFAULT;
	if (tx.modes && tx.modes != ADJ_OFFSET_SS_READ)
		return -EPERM;
	now = clock_realtime();
	memset(&tx, 0, sizeof(tx));
	/* What an unsynchronised clock says. */
	tx.maxerror = tx.esterror = 16000000;
	tx.status = STA_UNSYNC;
	tx.constant = 2;
	tx.precision = 1;
	tx.tolerance = 32768000;
	tx.tick = 10000;
	tx.time.tv_sec = (long long)(now / NSEC_PER_SEC);
	tx.time.tv_usec = (long long)(now % NSEC_PER_SEC / NSEC_PER_USEC);
	if (copy_out_struct(utx, &tx))
		return -EFAULT;
	return TIME_ERROR;
}

int64_t sys_adjtimex(const struct sysargs *a) { return adjtime(CLOCK_REALTIME, arg_uva(a, 0)); }
int64_t sys_clock_adjtime(const struct sysargs *a) { return adjtime(arg_int(a, 0), arg_uva(a, 1)); }
