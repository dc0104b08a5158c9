/* SPDX-License-Identifier: Apache-2.0 */
/* Directories and limits of cgroup v2. The specification speaks of v1; runc's conversions are what engines expect. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/cgroup_impl.h"
#include "oci/util.h"

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; *p; p += strcspn(p, " \n"), p += strspn(p, " \n"))
		if (strncmp(p, word, len) == 0 && (!p[len] || p[len] == ' ' || p[len] == '\n'))
			return true;
	return false;
}

/* A child has the controllers that its parent hands down. Those that the parent must not hand down because it has
 * processes of its own are refused one by one; a limit that needs one is an error when it is set. */
static void hand_down(const char *parent)
{
	char *have_file = xasprintf("%s/cgroup.controllers", parent), *file = xasprintf("%s/cgroup.subtree_control", parent);
	char *have = read_file_at(AT_FDCWD, have_file, 4096, NULL), *on = read_file_at(AT_FDCWD, file, 4096, NULL), *save = NULL;

	for (char *c = have ? strtok_r(have, " \n", &save) : NULL; c; c = strtok_r(NULL, " \n", &save)) {
		char *word = xasprintf("+%s", c);
		int err = on && has_word(on, c) ? 0 : write_file_at(AT_FDCWD, file, word);

		if (err < 0)
			log_debug("cgroups: %s: %s: %s", file, word, strerror(-err));
		free(word);
	}
	free(on);
	free(have);
	free(file);
	free(have_file);
}

int cgroup_v2_mkdir(const char *dir)
{
	return mkdir(dir, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* From the mount's root down to the parent of the cgroup. */
void cgroup_v2_hand_down(const struct cgroup *cg)
{
	char *dir = xstrdup(cg->path[0]);

	for (char *p = dir + strlen(cg->mount[0]); p && *p; p = strchr(p + 1, '/')) {
		*p = 0;
		hand_down(dir);
		*p = '/';
	}
	free(dir);
}

/* ---- limits ------------------------------------------------------------------------------------------------------- */

static int64_t weight(int64_t v, int64_t min, int64_t max)
{
	v = v < min ? min : v > max ? max : v;
	return 1 + (v - min) * 9999 / (max - min);
}

uint64_t cgroup_v2_weight(int64_t shares)
{
	return (uint64_t)weight(shares, 2, 262144);
}

/* memory.swap.max is swap alone; the specification's number is memory and swap. */
static struct error *apply_swap(const struct cgroup *cg, const struct resources *r)
{
	int64_t swap = r->memory.swap;

	if (!res_set(swap) && r->memory.limit != -1)
		return NULL;
	/* Without swap in the kernel there is nothing to limit. */
	if (!cgroup_has(cg, "memory", "memory.swap.max"))
		return NULL;
	if (!res_limited(swap))
		return cgroup_write(cg, "memory", "memory.swap.max", "max");
	if (!res_limited(r->memory.limit))
		return error_new("linux.resources.memory.swap: memory.limit must be given too on cgroup v2");
	return cgroup_write_max(cg, "memory", "memory.swap.max", swap - r->memory.limit);
}

static struct error *apply_memory(const struct cgroup *cg, const struct resources *r)
{
	struct error *e = apply_swap(cg, r);

	if (!e && res_set(r->memory.limit))
		e = cgroup_write_max(cg, "memory", "memory.max", limits_memory(r->memory.limit));
	if (!e && res_set(r->memory.reservation))
		e = cgroup_write_max(cg, "memory", "memory.low", r->memory.reservation);
	if (res_set(r->memory.swappiness) || res_set(r->memory.kernel_tcp) || r->memory.disable_oom_killer)
		log_warn("linux.resources.memory: swappiness, kernelTCP and disableOOMKiller do not exist on cgroup v2 and are ignored");
	return e;
}

static struct error *apply_cpu(const struct cgroup *cg, const struct resources *r)
{
	struct error *e = NULL;

	if (res_set(r->cpu.shares))
		e = cgroup_write(cg, "cpu", "cpu.weight", "%llu", (unsigned long long)cgroup_v2_weight(r->cpu.shares));
	if (!e && res_set(r->cpu.idle))
		e = cgroup_write(cg, "cpu", "cpu.idle", "%lld", (long long)r->cpu.idle);
	if (!e && res_set(r->cpu.quota) && r->cpu.quota > 0)
		e = cgroup_write(cg, "cpu", "cpu.max", "%lld %lld", (long long)r->cpu.quota,
		                 (long long)(res_set(r->cpu.period) ? r->cpu.period : 100000));
	else if (!e && (res_set(r->cpu.quota) || res_set(r->cpu.period)))
		e = cgroup_write(cg, "cpu", "cpu.max", "max %lld", (long long)(res_set(r->cpu.period) ? r->cpu.period : 100000));
	if (!e && res_set(r->cpu.burst))
		e = cgroup_write(cg, "cpu", "cpu.max.burst", "%lld", (long long)r->cpu.burst);
	if (!e && r->cpu.cpus)
		e = cgroup_write(cg, "cpuset", "cpuset.cpus", "%s", r->cpu.cpus);
	if (!e && r->cpu.mems)
		e = cgroup_write(cg, "cpuset", "cpuset.mems", "%s", r->cpu.mems);
	if (res_set(r->cpu.rt_period) || res_set(r->cpu.rt_runtime))
		log_warn("linux.resources.cpu: realtime limits do not exist on cgroup v2 and are ignored");
	return e;
}

static struct error *apply_io(const struct cgroup *cg, const struct resources *r)
{
	static const char *const keys[RES_IO_LISTS] = {
	    [RES_READ_BPS] = "rbps", [RES_WRITE_BPS] = "wbps", [RES_READ_IOPS] = "riops", [RES_WRITE_IOPS] = "wiops",
	};
	bool bfq = cgroup_has(cg, "io", "io.bfq.weight");
	struct error *e = NULL;

	if (res_set(r->io_weight))
		e = bfq ? cgroup_write(cg, "io", "io.bfq.weight", "%lld", (long long)r->io_weight)
		        : cgroup_write(cg, "io", "io.weight", "%lld", (long long)weight(r->io_weight, 10, 1000));
	for (unsigned k = 0; k < RES_IO_LISTS; k++) {
		for (unsigned i = 0; !e && i < r->nio[k]; i++) {
			const struct res_io *d = &r->io[k][i];

			if (k == RES_WEIGHT && res_set(d->value))
				e = cgroup_write(cg, "io", bfq ? "io.bfq.weight" : "io.weight", "%lld:%lld %lld", (long long)d->major,
				                 (long long)d->minor, (long long)(bfq ? d->value : weight(d->value, 10, 1000)));
			else if (k != RES_WEIGHT)
				e = cgroup_write(cg, "io", "io.max", "%lld:%lld %s=%lld", (long long)d->major, (long long)d->minor, keys[k],
				                 (long long)d->value);
		}
	}
	if (res_set(r->io_leaf_weight))
		log_warn("linux.resources.blockIO: leaf weights do not exist on cgroup v2 and are ignored");
	return e;
}

static struct error *apply_named(const struct cgroup *cg, const struct resources *r)
{
	struct error *e = NULL;

	for (unsigned i = 0; !e && i < r->nhugepages; i++) {
		char *file = xasprintf("hugetlb.%s.max", r->hugepages[i].name);

		e = cgroup_write_max(cg, "hugetlb", file, r->hugepages[i].value);
		free(file);
	}
	for (unsigned i = 0; !e && i < r->nrdma; i++)
		e = cgroup_write_rdma(cg, &r->rdma[i]);
	/* Last: they are the more exact ones. */
	for (unsigned i = 0; !e && i < r->nunified; i++)
		e = cgroup_write(cg, "unified", r->unified[i].name, "%s", r->unified[i].text);
	if (r->nnet_prios || res_set(r->classid))
		log_warn("linux.resources.network: does not exist on cgroup v2 and is ignored");
	return e;
}

struct error *cgroup_v2_apply(const struct cgroup *cg, const struct resources *r, const struct limits *l)
{
	struct error *e = apply_memory(cg, r);

	if (!e)
		e = apply_cpu(cg, r);
	if (!e && res_set(r->pids))
		e = cgroup_write_max(cg, "pids", "pids.max", limits_pids(l, r->pids));
	if (!e)
		e = apply_io(cg, r);
	return e ? e : apply_named(cg, r);
}
