// SPDX-License-Identifier: Apache-2.0
/*
 * Reading the clocks. The VMM publishes parameters of the TSC in the shared page (struct clock_params, a sequence lock);
 * where it finds the TSC unusable each reading is a hostcall. Clocks cannot be set from inside: the sandbox shows
 * the host's time.
 */
#include "time/timer.h"

#include "arch/cpu.h"
#include "task/wait_queue.h"
#include "time/timespec.h"

static struct {
	const struct clock_params *params; /* immutable after clock_init() */
	uint64_t start_mono;               /* CLOCK_MONOTONIC when the Sentry started */
} clock;

/* Inlined into each clock: two are read per system call. */
static inline __attribute__((always_inline)) uint64_t clock_read_base(uint64_t clockid)
{
	const struct clock_params *p = clock.params;
	uint32_t seq;
	uint64_t base, start, mult, tsc, ns;

	if (!p || !READ_ONCE(p->tsc_ok))
		goto host;
	do {
		while ((seq = atomic_load(&p->seq)) & 1)
			cpu_relax();
		base = clockid == CLOCK_REALTIME ? p->real_ns : clockid == CLOCK_BOOTTIME ? p->boot_ns : p->mono_ns;
		start = p->tsc_base;
		mult = p->mult;
		tsc = arch_rdtsc();
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (READ_ONCE(p->seq) != seq);
	if (!READ_ONCE(p->tsc_ok))
		goto host;
	/* TSCs of two CPUs may differ by a little: never before the base. */
	ns = tsc > start ? (uint64_t)((unsigned __int128)(tsc - start) * mult >> 32) : 0;
	return base + ns;
host:
	ns = (uint64_t)hostcall1(HC_CLOCK, clockid);
	return (int64_t)ns < 0 ? 0 : ns;
}

uint64_t clock_monotonic(void) { return clock_read_base(CLOCK_MONOTONIC); }

uint64_t clock_sched(void)
{
	uint64_t ns = likely(clock.params && READ_ONCE(clock.params->tsc_ok)) ? 0 : arch_clock();

	return ns ? ns : clock_read_base(CLOCK_MONOTONIC);
}

uint64_t clock_realtime(void) { return clock_read_base(CLOCK_REALTIME); }
uint64_t clock_boottime(void) { return clock_read_base(CLOCK_BOOTTIME); }
uint64_t clock_since_start(void) { return clock_monotonic() - clock.start_mono; }

/* CLOCK_REALTIME deadline to CLOCK_MONOTONIC, saturating. */
static uint64_t clock_real_to_mono(uint64_t real_ns)
{
	uint64_t real = clock_realtime(), mono = clock_monotonic();

	return real_ns <= real ? (mono > real - real_ns ? mono - (real - real_ns) : 0) : time_add(mono, real_ns - real);
}

uint64_t deadline_after(uint64_t ns) { return ns >= KTIME_MAX ? DEADLINE_NEVER : time_add(clock_monotonic(), ns); }

uint64_t deadline_of_clock(int clockid, uint64_t ns)
{
	uint64_t boot, mono;

	if (ns >= KTIME_MAX)
		return DEADLINE_NEVER;
	switch (clockid) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		return clock_real_to_mono(ns);
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		boot = clock_boottime();
		mono = clock_monotonic();
		return boot >= mono && ns >= boot - mono ? ns - (boot - mono) : 0;
	default:
		return ns;
	}
}

void clock_init(void)
{
	clock.params = &((const struct boot_shared *)direct(pa(BOOT_SHARED_PA)))->clock;
	clock.start_mono = clock_monotonic();
}
