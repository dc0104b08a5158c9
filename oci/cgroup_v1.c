/* SPDX-License-Identifier: Apache-2.0 */
/* Directories and limits of cgroup v1. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/cgroup_impl.h"
#include "oci/util.h"

/* A new cpuset is empty and takes no process until it has CPUs and memory nodes: those of its parent, which another runsc may
 * have made this moment and not filled yet. */
static int fill(const char *dir, const char *file)
{
	char *parent = xasprintf("%.*s", (int)(strrchr(dir, '/') - dir), dir);
	char *from = xasprintf("%s/%s", parent, file), *to = xasprintf("%s/%s", dir, file);
	char *now = read_file_at(AT_FDCWD, to, 65536, NULL), *value = NULL;
	int err = now ? 0 : -errno;

	if (now && (!*now || *now == '\n')) {
		err = fill(parent, file);
		value = err ? NULL : read_file_at(AT_FDCWD, from, 65536, NULL);
		err = value ? write_file_at(AT_FDCWD, to, value) : err ? err : -errno;
	}
	free(value);
	free(now);
	free(to);
	free(from);
	free(parent);
	return err;
}

/* "0" is the writer itself: the kernel then needs no lock against all forks, and no grace period for it. */
int cgroup_v1_move_self(const char *dir)
{
	char *file = xasprintf("%s/tasks", dir);
	int err = write_file_at(AT_FDCWD, file, "0");

	free(file);
	return err;
}

int cgroup_v1_mkdir(const char *dir, bool cpuset)
{
	int err = 0;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (cpuset)
		err = fill(dir, "cpuset.cpus");
	if (cpuset && !err)
		err = fill(dir, "cpuset.mems");
	return err;
}

/* ---- limits ------------------------------------------------------------------------------------------------------- */

/* Numbers that are written as they are. */
static const struct {
	size_t offset;
	const char *controller, *file;
} plain[] = {
    {offsetof(struct resources, cpu.shares), "cpu", "cpu.shares"},
    {offsetof(struct resources, cpu.idle), "cpu", "cpu.idle"},
    {offsetof(struct resources, cpu.rt_period), "cpu", "cpu.rt_period_us"},
    {offsetof(struct resources, cpu.rt_runtime), "cpu", "cpu.rt_runtime_us"},
    {offsetof(struct resources, memory.reservation), "memory", "memory.soft_limit_in_bytes"},
    {offsetof(struct resources, memory.swappiness), "memory", "memory.swappiness"},
    {offsetof(struct resources, memory.kernel_tcp), "memory", "memory.kmem.tcp.limit_in_bytes"},
    {offsetof(struct resources, classid), "net_cls", "net_cls.classid"},
};

static struct error *apply_plain(const struct cgroup *cg, const struct resources *r)
{
	struct error *e = NULL;

	for (unsigned i = 0; !e && i < sizeof(plain) / sizeof(plain[0]); i++) {
		int64_t v = *(const int64_t *)((const char *)r + plain[i].offset);

		if (res_set(v))
			e = cgroup_write(cg, plain[i].controller, plain[i].file, "%lld", (long long)v);
	}
	return e;
}

/* Period, quota and burst limit each other: what is refused is tried again after the others. */
static struct error *apply_bandwidth(const struct cgroup *cg, const struct resources *r)
{
	static const char *const files[] = {"cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.cfs_burst_us"};
	const int64_t values[] = {r->cpu.period, r->cpu.quota, r->cpu.burst};
	struct error *e = NULL;

	for (unsigned round = 0; round < 2; round++) {
		bool again = false;

		for (unsigned i = 0; i < 3; i++) {
			if (!res_set(values[i]))
				continue;
			error_free(e);
			e = cgroup_write(cg, "cpu", files[i], "%lld", (long long)values[i]);
			if (e && round)
				return e;
			again |= e != NULL;
		}
		if (!again)
			break;
	}
	error_free(e);
	return NULL;
}

static struct error *write_memory(const struct cgroup *cg, int64_t limit)
{
	return res_set(limit) ? cgroup_write(cg, "memory", "memory.limit_in_bytes", "%lld", (long long)limit) : NULL;
}

static struct error *write_memsw(const struct cgroup *cg, int64_t swap)
{
	return res_set(swap) ? cgroup_write(cg, "memory", "memory.memsw.limit_in_bytes", "%lld", (long long)swap) : NULL;
}

/* memsw >= memory holds at every moment: a raise needs memsw first, a cut memory. */
static struct error *apply_memory(const struct cgroup *cg, const struct resources *r)
{
	int64_t limit = limits_memory(r->memory.limit), swap = limits_memory(r->memory.swap);
	struct error *e;

	/* Unlimited memory with a limit of both would be no change. */
	if (limit == -1 && !res_set(swap) && cgroup_has(cg, "memory", "memory.memsw.limit_in_bytes"))
		swap = -1;
	e = write_memory(cg, limit);
	if (e && res_set(swap)) {
		error_free(e);
		e = write_memsw(cg, swap);
		return e ? e : write_memory(cg, limit);
	}
	return e ? e : write_memsw(cg, swap);
}

static struct error *apply_oom(const struct cgroup *cg, const struct resources *r)
{
	return r->memory.disable_oom_killer ? cgroup_write(cg, "memory", "memory.oom_control", "1") : NULL;
}

/* BFQ's files where the old ones are gone (Linux 5.0). */
static const char *io_file(const struct cgroup *cg, const char *old, const char *bfq)
{
	return cgroup_has(cg, "blkio", old) || !cgroup_has(cg, "blkio", bfq) ? old : bfq;
}

static struct error *apply_io(const struct cgroup *cg, const struct resources *r)
{
	static const char *const files[RES_IO_LISTS] = {
	    [RES_READ_BPS] = "blkio.throttle.read_bps_device", [RES_WRITE_BPS] = "blkio.throttle.write_bps_device",
	    [RES_READ_IOPS] = "blkio.throttle.read_iops_device", [RES_WRITE_IOPS] = "blkio.throttle.write_iops_device",
	};
	struct error *e = NULL;

	if (res_set(r->io_weight))
		e = cgroup_write(cg, "blkio", io_file(cg, "blkio.weight", "blkio.bfq.weight"), "%lld", (long long)r->io_weight);
	if (!e && res_set(r->io_leaf_weight))
		e = cgroup_write(cg, "blkio", "blkio.leaf_weight", "%lld", (long long)r->io_leaf_weight);
	for (unsigned k = 0; k < RES_IO_LISTS; k++) {
		for (unsigned i = 0; !e && i < r->nio[k]; i++) {
			const struct res_io *d = &r->io[k][i];
			const char *file = k == RES_WEIGHT ? io_file(cg, "blkio.weight_device", "blkio.bfq.weight_device") : files[k];

			if (res_set(d->value))
				e = cgroup_write(cg, "blkio", file, "%lld:%lld %lld", (long long)d->major, (long long)d->minor, (long long)d->value);
			if (!e && res_set(d->leaf))
				e = cgroup_write(cg, "blkio", "blkio.leaf_weight_device", "%lld:%lld %lld", (long long)d->major,
				                 (long long)d->minor, (long long)d->leaf);
		}
	}
	return e;
}

static struct error *apply_named(const struct cgroup *cg, const struct resources *r)
{
	struct error *e = NULL;

	for (unsigned i = 0; !e && i < r->nhugepages; i++) {
		char *file = xasprintf("hugetlb.%s.limit_in_bytes", r->hugepages[i].name);

		e = cgroup_write(cg, "hugetlb", file, "%lld", (long long)r->hugepages[i].value);
		free(file);
	}
	for (unsigned i = 0; !e && i < r->nnet_prios; i++)
		e = cgroup_write(cg, "net_prio", "net_prio.ifpriomap", "%s %lld", r->net_prios[i].name, (long long)r->net_prios[i].value);
	for (unsigned i = 0; !e && i < r->nrdma; i++)
		e = cgroup_write_rdma(cg, &r->rdma[i]);
	if (!e && r->nunified)
		e = error_new("linux.resources.unified: \"%s\" is for cgroup v2, and this host has v1", r->unified[0].name);
	return e;
}

struct error *cgroup_v1_apply(const struct cgroup *cg, const struct resources *r, const struct limits *l)
{
	struct error *e = apply_plain(cg, r);

	if (!e && r->cpu.cpus)
		e = cgroup_write(cg, "cpuset", "cpuset.cpus", "%s", r->cpu.cpus);
	if (!e && r->cpu.mems)
		e = cgroup_write(cg, "cpuset", "cpuset.mems", "%s", r->cpu.mems);
	if (!e)
		e = apply_bandwidth(cg, r);
	if (!e)
		e = apply_memory(cg, r);
	if (!e)
		e = apply_oom(cg, r);
	if (!e && res_set(r->pids))
		e = cgroup_write_max(cg, "pids", "pids.max", limits_pids(l, r->pids));
	if (!e)
		e = apply_io(cg, r);
	return e ? e : apply_named(cg, r);
}
