// SPDX-License-Identifier: Apache-2.0
/*
 * The vDSO: application code. Reads the clock parameters that the host keeps in the page below the image (vvar), and makes
 * the real system call where the TSC is not usable. No data, no relocations; one page with all its ELF tables.
 */
#include <linux/time.h>
#include <linux/time_types.h>
#include <asm/unistd.h>
#include <stdbool.h>
#include <stddef.h>

#include "abi/boot.h"

#define NSEC_PER_SEC 1000000000UL
#define EXPORT __attribute__((visibility("default")))

/* Placed one page below the image by vdso.lds. */
extern const struct clock_params vdso_clock_params __attribute__((visibility("hidden")));

static long syscall2(long nr, long a, long b)
{
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return r;
}

static inline unsigned long read_tsc(void)
{
	unsigned lo, hi;

	/* Not before the sequence number was read. */
	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (unsigned long)hi << 32 | lo;
}

/* ns of one of the three base clocks; false: the TSC is not usable. */
static bool read_clock(size_t base_offset, unsigned long *ns)
{
	const struct clock_params *p = &vdso_clock_params;
	unsigned long base, start, mult, tsc;
	uint32_t seq;

	do {
		while ((seq = __atomic_load_n(&p->seq, __ATOMIC_ACQUIRE)) & 1)
			__builtin_ia32_pause();
		if (!*(volatile const uint32_t *)&p->tsc_ok)
			return false;
		base = *(const volatile unsigned long *)((const char *)p + base_offset);
		start = *(volatile const uint64_t *)&p->tsc_base;
		mult = *(volatile const uint64_t *)&p->mult;
		tsc = read_tsc();
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (*(volatile const uint32_t *)&p->seq != seq);
	*ns = base + (tsc > start ? (unsigned long)((unsigned __int128)(tsc - start) * mult >> 32) : 0);
	return true;
}

static bool clock_base(int clockid, size_t *offset)
{
	switch (clockid) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
		*offset = offsetof(struct clock_params, real_ns);
		return true;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
		*offset = offsetof(struct clock_params, mono_ns);
		return true;
	case CLOCK_BOOTTIME:
		*offset = offsetof(struct clock_params, boot_ns);
		return true;
	default:
		return false;
	}
}

EXPORT int __vdso_clock_gettime(int clockid, struct __kernel_timespec *ts);
EXPORT int __vdso_clock_getres(int clockid, struct __kernel_timespec *ts);
EXPORT int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz);
EXPORT long __vdso_time(long *t);
EXPORT long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);

int __vdso_clock_gettime(int clockid, struct __kernel_timespec *ts)
{
	unsigned long ns;
	size_t offset;

	if (!clock_base(clockid, &offset) || !read_clock(offset, &ns))
		return (int)syscall2(__NR_clock_gettime, clockid, (long)ts);
	ts->tv_sec = (long)(ns / NSEC_PER_SEC);
	ts->tv_nsec = (long)(ns % NSEC_PER_SEC);
	return 0;
}

int __vdso_clock_getres(int clockid, struct __kernel_timespec *ts)
{
	return (int)syscall2(__NR_clock_getres, clockid, (long)ts);
}

int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz)
{
	unsigned long ns;

	if (!read_clock(offsetof(struct clock_params, real_ns), &ns))
		return (int)syscall2(__NR_gettimeofday, (long)tv, (long)tz);
	if (tv) {
		tv->tv_sec = (long)(ns / NSEC_PER_SEC);
		tv->tv_usec = (long)(ns % NSEC_PER_SEC / 1000);
	}
	if (tz)
		tz->tz_minuteswest = tz->tz_dsttime = 0;
	return 0;
}

long __vdso_time(long *t)
{
	unsigned long ns;
	long s;

	if (!read_clock(offsetof(struct clock_params, real_ns), &ns))
		return syscall2(__NR_time, (long)t, 0);
	s = (long)(ns / NSEC_PER_SEC);
	if (t)
		*t = s;
	return s;
}

/* A system call: in host placement RDTSCP and LSL would show the host's CPU. */
long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	(void)unused;
	return syscall2(__NR_getcpu, (long)cpu, (long)node);
}

int clock_gettime(int clockid, struct __kernel_timespec *ts) __attribute__((weak, alias("__vdso_clock_gettime"), visibility("default")));
int clock_getres(int clockid, struct __kernel_timespec *ts) __attribute__((weak, alias("__vdso_clock_getres"), visibility("default")));
int gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz) __attribute__((weak, alias("__vdso_gettimeofday"), visibility("default")));
long time(long *t) __attribute__((weak, alias("__vdso_time"), visibility("default")));
long getcpu(unsigned *cpu, unsigned *node, void *unused) __attribute__((weak, alias("__vdso_getcpu"), visibility("default")));
