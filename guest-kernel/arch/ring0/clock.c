/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clock for the scheduler where the TSC is not to be trusted: the host's time at the last entry into the guest, and the
 * TSC's word for the little that passed since. Never steps back on one vCPU; those of two vCPUs differ a little.
 */
#include "arch/ring0/ring0.h"

#include "arch/cpu.h"
#include "boot/boot.h"

#define TRUST_NS 20000000UL /* longer than this no vCPU stays in the guest unless nothing else wants to run */

uint64_t ring0_clock(struct ring0_cpu *cpu)
{
	uint64_t host = READ_ONCE(cpu->v->host_ns), tsc = arch_rdtsc(), ns = 0;

	if (host != cpu->clock_host) {
		cpu->clock_host = host;
		cpu->clock_tsc = tsc;
	} else if (tsc > cpu->clock_tsc) {
		ns = (uint64_t)((unsigned __int128)(tsc - cpu->clock_tsc) * READ_ONCE(boot_shared()->clock.mult) >> 32);
	}
	cpu->clock_last = MAX(cpu->clock_last, host + MIN(ns, TRUST_NS));
	return cpu->clock_last;
}
