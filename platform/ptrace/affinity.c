/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which host CPU a vCPU thread and its stub share. A stop and a resume cost several times more between two CPUs than on
 * one (docs/platforms.md), since each is a wake-up of the other side, so while traps come quickly both are bound to the CPU
 * where the vCPU thread is. That would also nail them to a CPU that others want: after REBIND_MS, and whenever the stub
 * computed for longer than LONG_RUN_MS or the vCPU was away that long, both are let loose for one trap and bound again
 * wherever the scheduler has put the vCPU thread by then. A stub that computes without end makes no trap: a timer ticks on
 * the vCPU's thread while it is bound and lets such a stub loose; it stops by itself when the vCPU is idle.
 */
#include "ptrace/ptrace_impl.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define REBIND_MS   20
#define LONG_RUN_MS 2
#define TICK_MS     4

static uint64_t tsc(void) { return __builtin_ia32_rdtsc(); }

void pt_affinity_init(void)
{
	struct timespec a, b;
	uint64_t t0, t1, ns;

	if (sched_getaffinity(0, sizeof(pt.cpus), &pt.cpus))
		CPU_ZERO(&pt.cpus);
	clock_gettime(CLOCK_MONOTONIC, &a);
	t0 = tsc();
	do {
		clock_gettime(CLOCK_MONOTONIC, &b);
		ns = (uint64_t)(b.tv_sec - a.tv_sec) * 1000000000 + (uint64_t)b.tv_nsec - (uint64_t)a.tv_nsec;
	} while (ns < 100000);
	t1 = tsc();
	pt.tsc_per_ms = (t1 - t0) * 1000000 / ns;
}

static void bind(pid_t tid, int cpu)
{
	cpu_set_t one;

	if (cpu < 0) {
		sched_setaffinity(tid, sizeof(pt.cpus), &pt.cpus);
		return;
	}
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(tid, sizeof(one), &one);
}

static void loosen(struct platform_vcpu *pv, struct stub_thread *t)
{
	if (pv->cpu >= 0)
		bind(0, -1);
	if (t->cpu >= 0)
		bind(t->tid, -1);
	pv->cpu = t->cpu = -1;
}

static void set_tick(struct platform_vcpu *pv, bool on)
{
	struct itimerspec its = {.it_interval.tv_nsec = on ? TICK_MS * 1000000 : 0, .it_value.tv_nsec = on ? TICK_MS * 1000000 : 0};

	pv->ticking = on;
	timer_settime(pv->timer, 0, &its, NULL);
}

static void start_tick(struct platform_vcpu *pv)
{
	struct sigevent sev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KICK_SIGNAL, .sigev_value.sival_int = PLATFORM_TIMER};

	if (!pv->have_timer) {
		sev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
		if (timer_create(CLOCK_MONOTONIC, &sev, &pv->timer))
			return; /* stubs stay where they are until their next trap */
		pv->have_timer = true;
	}
	set_tick(pv, true);
}

/* In the handler of KICK_SIGNAL, on the vCPU's thread. */
void pt_affinity_tick(struct platform_vcpu *pv)
{
	struct stub_thread *t = pv->in_ring3;
	uint64_t now = tsc(), limit = LONG_RUN_MS * pt.tsc_per_ms;

	if (!pv->ticking)
		return;
	if (t ? now - pv->entered_at > limit : now - pv->left_at > limit) {
		set_tick(pv, false);
		if (t && t->cpu >= 0) {
			bind(t->tid, -1);
			t->cpu = -1;
		}
	}
}

void pt_affinity_enter(struct platform_vcpu *pv, struct stub_thread *t)
{
	uint64_t now = tsc();
	int cpu;

	if (CPU_COUNT(&pt.cpus) < 2)
		return;
	pv->entered_at = now;
	pv->in_ring3 = t;
	if (now - pv->left_at > LONG_RUN_MS * pt.tsc_per_ms || pv->long_run ||
	    (pv->cpu >= 0 && now - pv->placed_at > REBIND_MS * pt.tsc_per_ms)) {
		loosen(pv, t);
	} else {
		cpu = pv->cpu;
		if (cpu < 0) {
			cpu = sched_getcpu();
			bind(0, cpu);
			pv->cpu = cpu;
			pv->placed_at = now;
		}
		if (t->cpu != cpu)
			bind(t->tid, cpu);
		t->cpu = cpu;
		if (!pv->ticking)
			start_tick(pv);
	}
}

void pt_affinity_leave(struct platform_vcpu *pv)
{
	pv->left_at = tsc();
	pv->in_ring3 = NULL;
	pv->long_run = pv->left_at - pv->entered_at > LONG_RUN_MS * pt.tsc_per_ms;
}
