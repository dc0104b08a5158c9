// SPDX-License-Identifier: Apache-2.0
/*
 * clock_params: monotonic, realtime and boottime as linear functions of the TSC.
 *
 * The rate is first taken from the platform (or measured over the sandbox's start) and then measured against
 * CLOCK_MONOTONIC over ever longer spans, up to a second, whenever a vCPU passes by in IDLE or TIMER. An idle sandbox
 * is not woken for it. A refresh never lets the clock step back: the line continues where it was, and its slope is
 * bent so that the error is gone a second later; only a lag of more than 10 ms is made up at once.
 */
#include "vmm/clock.h"

#include <cpuid.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "vmm/vmm_impl.h"

#define NS_PER_SEC 1000000000L
#define SPAN_FIRST (5 * 1000 * 1000L)
#define SPAN_MAX   NS_PER_SEC
#define STEP_LIMIT (10 * 1000 * 1000L)
#define MEASURE_NS (2 * 1000 * 1000L) /* how long a start without a known rate measures */

static struct {
	pthread_mutex_t lock;
	const char *_Atomic why; /* NULL: by the TSC */
	uint64_t tsc0, mono0;    /* where the rate's measurement began; protected by lock */
	int64_t span;            /* ns until the next refresh; protected by lock */
	struct clock_params p;   /* our own copy of what is shown; protected by lock */
	_Atomic uint64_t due_tsc;
} clk = { .lock = PTHREAD_MUTEX_INITIALIZER };

int64_t clock_read(int clockid)
{
	struct timespec ts;

	clock_gettime(clockid, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

const char *clock_host_tsc(void)
{
	char name[16] = "";
	unsigned a, b, c, d;
	int fd;

	if (!__get_cpuid(0x80000007, &a, &b, &c, &d) || !(d & 1u << 8))
		return "the CPU does not call its TSC invariant";
	fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL; /* not visible here: the CPU's word counts */
	if (read(fd, name, sizeof(name) - 1) < 0)
		name[0] = 0;
	close(fd);
	if (!strncmp(name, "tsc", 3) || !strncmp(name, "kvm-clock", 9) || !strncmp(name, "hyperv", 6))
		return NULL;
	return "the host keeps its own time by something else";
}

/* A TSC value and the monotonic time that belong together: the tightest of a few tries. */
static void sample(uint64_t *tsc, uint64_t *mono)
{
	uint64_t best = ~0UL;

	for (int i = 0; i < 4; i++) {
		uint64_t a = __rdtsc(), m = clock_read(CLOCK_MONOTONIC), b = __rdtsc();
		if (b - a < best) {
			best = b - a;
			*tsc = a + (b - a) / 2;
			*mono = m;
		}
	}
}

static uint64_t rate(uint64_t ns, uint64_t ticks) { return (uint64_t)(((unsigned __int128)ns << 32) / ticks); }

static uint64_t scale(uint64_t ticks, uint64_t mult) { return (uint64_t)(((unsigned __int128)ticks * mult) >> 32); }

static void publish(void)
{
	struct clock_params *out = &vmm.shared->clock;
	uint32_t seq = clk.p.seq;

	__atomic_store_n(&out->seq, seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	out->tsc_ok = clk.p.tsc_ok;
	out->tsc_base = clk.p.tsc_base;
	out->mult = clk.p.mult;
	out->mono_ns = clk.p.mono_ns;
	out->real_ns = clk.p.real_ns;
	out->boot_ns = clk.p.boot_ns;
	out->tsc_khz = clk.p.tsc_khz;
	__atomic_store_n(&out->seq, seq + 2, __ATOMIC_RELEASE);
	clk.p.seq = seq + 2;
}

static void set_offsets(void)
{
	int64_t mono = clock_read(CLOCK_MONOTONIC);

	clk.p.real_ns = clk.p.mono_ns + (clock_read(CLOCK_REALTIME) - mono);
	clk.p.boot_ns = clk.p.mono_ns + (clock_read(CLOCK_BOOTTIME) - mono);
}

static void set_due(uint64_t tsc)
{
	uint64_t ticks = clk.p.tsc_khz * (uint64_t)(clk.span / 1000000);

	__atomic_store_n((uint64_t *)&clk.due_tsc, tsc + ticks, __ATOMIC_RELAXED);
}

const char *clock_without_tsc(void) { return atomic_load_explicit(&clk.why, memory_order_relaxed); }

void clock_stop_tsc(const char *why)
{
	pthread_mutex_lock(&clk.lock);
	if (!clock_without_tsc()) {
		atomic_store(&clk.why, why);
		clk.p.tsc_ok = 0;
		publish();
	}
	pthread_mutex_unlock(&clk.lock);
}

void clock_start(const char *why, uint32_t tsc_khz)
{
	bool tsc_ok = !why;
	uint64_t tsc = 0, mono = 0;

	sample(&clk.tsc0, &clk.mono0);
	tsc = clk.tsc0;
	mono = clk.mono0;
	clk.p.mult = tsc_khz ? rate(1000000, tsc_khz) : 0;
	if (!clk.p.mult && tsc_ok) {
		while (mono - clk.mono0 < MEASURE_NS)
			sample(&tsc, &mono);
		clk.p.mult = rate(mono - clk.mono0, tsc - clk.tsc0);
		tsc_khz = 1000000UL * (tsc - clk.tsc0) / (mono - clk.mono0);
	}
	atomic_store(&clk.why, why);
	clk.p.tsc_ok = tsc_ok;
	clk.p.tsc_khz = tsc_khz;
	clk.p.tsc_base = tsc;
	clk.p.mono_ns = mono;
	clk.span = SPAN_FIRST;
	set_offsets();
	set_due(tsc);
	publish();
}

static void refresh_locked(void)
{
	uint64_t tsc = 0, mono = 0, est, base_rate;
	int64_t error;

	sample(&tsc, &mono);
	est = clk.p.mono_ns + scale(tsc - clk.p.tsc_base, clk.p.mult);
	error = (int64_t)(mono - est);
	base_rate = rate(mono - clk.mono0, tsc - clk.tsc0);
	if (clk.span < SPAN_MAX)
		clk.span *= 4;
	if (clk.span >= SPAN_MAX) {
		clk.span = SPAN_MAX;
		clk.tsc0 = tsc; /* a second's measurement is exact enough, and follows the host's slewing */
		clk.mono0 = mono;
	}
	if (error > STEP_LIMIT) {
		est = mono;
		error = 0;
	}
	/* Make up the error over the coming span; at most a tenth faster or slower. */
	if (error > clk.span / 10)
		error = clk.span / 10;
	if (error < -clk.span / 10)
		error = -clk.span / 10;
	clk.p.mult = base_rate + (int64_t)((__int128)base_rate * error / clk.span);
	clk.p.tsc_base = tsc;
	clk.p.mono_ns = est;
	set_offsets();
	set_due(tsc);
	publish();
}

void clock_refresh(void)
{
	if (clock_without_tsc() || __rdtsc() < __atomic_load_n((uint64_t *)&clk.due_tsc, __ATOMIC_RELAXED))
		return;
	if (pthread_mutex_trylock(&clk.lock))
		return;
	if (!clock_without_tsc() && __rdtsc() >= __atomic_load_n((uint64_t *)&clk.due_tsc, __ATOMIC_RELAXED))
		refresh_locked();
	pthread_mutex_unlock(&clk.lock);
}
