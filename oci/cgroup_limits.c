/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/cgroup_limits.h"

#include <sched.h>

unsigned limits_cpus(unsigned wanted)
{
	cpu_set_t set;

	if (!wanted && sched_getaffinity(0, sizeof(set), &set) == 0)
		wanted = CPU_COUNT(&set);
	return wanted ? wanted : 1;
}

int64_t limits_memory(int64_t limit)
{
	if (!res_set(limit) || !res_limited(limit))
		return res_set(limit) ? -1 : limit;
	return limit + LIMITS_MEMORY_BASE + limit / 32;
}

int64_t limits_pids(const struct limits *l, int64_t limit)
{
	if (limit <= 0 || limit > INT32_MAX)
		return res_set(limit) ? -1 : limit;
	return limit + LIMITS_PIDS_BASE + 2 * l->cpus + (l->ptrace ? limit * l->cpus : 0);
}

struct error *limits_check(const struct resources *r)
{
	if (r->memory.limit > 0 && r->memory.limit < LIMITS_MEMORY_MIN)
		return error_new("linux.resources.memory.limit: %lld bytes are too few to run a program in a sandbox; the least is %lld",
		                 (long long)r->memory.limit, LIMITS_MEMORY_MIN);
	return NULL;
}
