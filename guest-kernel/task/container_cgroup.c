/* SPDX-License-Identifier: Apache-2.0 */
#include "task/container_cgroup.h"

#include "lib/fdt.h"
#include "lib/string.h"
#include "task/task.h"

static spinlock_t container_cgroup_lock = SPINLOCK_INIT;

static void read_u64(const struct fdt *f, int node, const char *name, uint64_t *out)
{
	uint32_t len;

	if (fdt_prop(f, node, name, &len) && len == 8)
		WRITE_ONCE(*out, fdt_u64(f, node, name, 0));
}

static void read_list(const struct fdt *f, int node, const char *name, char out[CGROUP_CPUS_MAX])
{
	const char *s = fdt_string(f, node, name);

	if (!s)
		return;
	spin_lock(&container_cgroup_lock);
	strlcpy(out, s, CGROUP_CPUS_MAX);
	spin_unlock(&container_cgroup_lock);
}

void container_read_limits(const struct fdt *f, int node, struct container *c)
{
	uint32_t len;

	read_u64(f, node, "memory-limit", &c->memory_limit);
	read_u64(f, node, "pids-limit", &c->pids_limit);
	read_u64(f, node, "cpu-shares", &c->cgroup.cpu_shares);
	read_u64(f, node, "cpu-quota", (uint64_t *)&c->cgroup.cpu_quota);
	read_u64(f, node, "cpu-period", &c->cgroup.cpu_period);
	read_list(f, node, "cpuset-cpus", c->cgroup.cpus);
	read_list(f, node, "cpuset-mems", c->cgroup.mems);
	if (fdt_prop(f, node, "oom-disabled", &len))
		WRITE_ONCE(c->cgroup.oom_disabled, true);
}

void container_cpuset(const struct container *c, bool mems, char out[CGROUP_CPUS_MAX])
{
	spin_lock(&container_cgroup_lock);
	strlcpy(out, mems ? c->cgroup.mems : c->cgroup.cpus, CGROUP_CPUS_MAX);
	spin_unlock(&container_cgroup_lock);
}
