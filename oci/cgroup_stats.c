/* SPDX-License-Identifier: Apache-2.0 */
/* What a container's cgroups count, in the form of runc's `events --stats`. What a host does not count is absent or 0. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/cgroup_impl.h"
#include "oci/util.h"

#define FILE_MAX (1u << 20)

static char *slurp(const struct cgroup *cg, const char *controller, const char *file)
{
	const char *dir = cgroup_dir(cg, controller);
	char *path = dir ? xasprintf("%s/%s", dir, file) : NULL;
	char *text = path ? read_file_at(AT_FDCWD, path, FILE_MAX, NULL) : NULL;

	free(path);
	return text;
}

/* A number; "max" is the largest. */
static double number(const struct cgroup *cg, const char *controller, const char *file)
{
	char *text = slurp(cg, controller, file);
	double v = !text ? 0 : strncmp(text, "max", 3) == 0 ? 18446744073709551615.0 : strtod(text, NULL);

	free(text);
	return v;
}

/* "key value" lines. */
static double keyed(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (strncmp(p, key, len) == 0 && p[len] == ' ')
			return strtod(p + len + 1, NULL);
	return 0;
}

static cJSON *object(cJSON *parent, const char *name)
{
	return cJSON_AddObjectToObject(parent, name);
}

static void add(cJSON *o, const char *name, double v)
{
	cJSON_AddNumberToObject(o, name, v);
}

/* ---- CPU ------------------------------------------------------------------------------------------------------------ */

static void cpu_v1(const struct cgroup *cg, cJSON *usage, cJSON *throttling)
{
	char *stat = slurp(cg, "cpuacct", "cpuacct.stat"), *percpu = slurp(cg, "cpuacct", "cpuacct.usage_percpu");
	char *cpu = slurp(cg, "cpu", "cpu.stat"), *save = NULL;
	const double tick = 1e9 / 100; /* USER_HZ */
	cJSON *list;

	add(usage, "total", number(cg, "cpuacct", "cpuacct.usage"));
	list = percpu ? cJSON_AddArrayToObject(usage, "percpu") : NULL;
	for (char *p = percpu ? strtok_r(percpu, " \n", &save) : NULL; p; p = strtok_r(NULL, " \n", &save))
		cJSON_AddItemToArray(list, cJSON_CreateNumber(strtod(p, NULL)));
	add(usage, "kernel", keyed(stat, "system") * tick);
	add(usage, "user", keyed(stat, "user") * tick);
	add(throttling, "periods", keyed(cpu, "nr_periods"));
	add(throttling, "throttledPeriods", keyed(cpu, "nr_throttled"));
	add(throttling, "throttledTime", keyed(cpu, "throttled_time"));
	free(cpu);
	free(percpu);
	free(stat);
}

static void cpu_v2(const struct cgroup *cg, cJSON *usage, cJSON *throttling)
{
	char *stat = slurp(cg, "cpu", "cpu.stat");

	add(usage, "total", keyed(stat, "usage_usec") * 1000);
	add(usage, "kernel", keyed(stat, "system_usec") * 1000);
	add(usage, "user", keyed(stat, "user_usec") * 1000);
	add(throttling, "periods", keyed(stat, "nr_periods"));
	add(throttling, "throttledPeriods", keyed(stat, "nr_throttled"));
	add(throttling, "throttledTime", keyed(stat, "throttled_usec") * 1000);
	free(stat);
}

/* "0-2,5" as [0,1,2,5]. */
static void add_list(cJSON *o, const char *name, char *text)
{
	cJSON *a = cJSON_AddArrayToObject(o, name);
	char *p = text;

	while (p && isdigit((unsigned char)*p)) {
		unsigned long first = strtoul(p, &p, 10), last = *p == '-' ? strtoul(p + 1, &p, 10) : first;

		for (; first <= last && last < 8192; first++)
			cJSON_AddItemToArray(a, cJSON_CreateNumber((double)first));
		p += *p == ',';
	}
	free(text);
}

static void put_cpu(const struct cgroup *cg, cJSON *o)
{
	cJSON *cpu = object(o, "cpu"), *usage = object(cpu, "usage"), *throttling = object(cpu, "throttling"), *set = object(o, "cpuset");

	(cg->v2 ? cpu_v2 : cpu_v1)(cg, usage, throttling);
	add_list(set, "cpus", slurp(cg, "cpuset", cg->v2 ? "cpuset.cpus.effective" : "cpuset.effective_cpus"));
	add_list(set, "mems", slurp(cg, "cpuset", cg->v2 ? "cpuset.mems.effective" : "cpuset.effective_mems"));
}

/* ---- memory --------------------------------------------------------------------------------------------------------- */

static void memory_entry(const struct cgroup *cg, cJSON *memory, const char *name, const char *prefix)
{
	static const struct {
		const char *name, *file;
	} files[] = {{"limit", "limit_in_bytes"}, {"usage", "usage_in_bytes"}, {"max", "max_usage_in_bytes"}, {"failcnt", "failcnt"}};
	cJSON *e = object(memory, name);

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char *file = xasprintf("%s.%s", prefix, files[i].file);

		add(e, files[i].name, number(cg, "memory", file));
		free(file);
	}
}

static void memory_v2(const struct cgroup *cg, cJSON *m)
{
	char *events = slurp(cg, "memory", "memory.events");
	cJSON *usage = object(m, "usage"), *swap = object(m, "swap");

	add(usage, "limit", number(cg, "memory", "memory.max"));
	add(usage, "usage", number(cg, "memory", "memory.current"));
	add(usage, "max", number(cg, "memory", "memory.peak"));
	add(usage, "failcnt", keyed(events, "max"));
	add(swap, "limit", number(cg, "memory", "memory.swap.max"));
	add(swap, "usage", number(cg, "memory", "memory.swap.current"));
	add(swap, "failcnt", 0);
	free(events);
}

static void put_memory(const struct cgroup *cg, cJSON *o)
{
	char *stat = slurp(cg, "memory", "memory.stat"), *save = NULL;
	cJSON *m = object(o, "memory"), *raw;

	add(m, "cache", keyed(stat, cg->v2 ? "file" : "cache"));
	if (cg->v2) {
		memory_v2(cg, m);
	} else {
		memory_entry(cg, m, "usage", "memory");
		memory_entry(cg, m, "swap", "memory.memsw");
		memory_entry(cg, m, "kernel", "memory.kmem");
		memory_entry(cg, m, "kernelTCP", "memory.kmem.tcp");
	}
	raw = object(m, "raw");
	for (char *p = stat ? strtok_r(stat, "\n", &save) : NULL; p; p = strtok_r(NULL, "\n", &save)) {
		char *space = strchr(p, ' ');

		if (!space)
			continue;
		*space = 0;
		add(raw, p, strtod(space + 1, NULL));
	}
	free(stat);
}

/* ---- disks ---------------------------------------------------------------------------------------------------------- */

static void io_entry(cJSON *list, unsigned major, unsigned minor, const char *op, double v)
{
	cJSON *e = cJSON_CreateObject();

	add(e, "major", major);
	add(e, "minor", minor);
	cJSON_AddStringToObject(e, "op", op);
	add(e, "value", v);
	cJSON_AddItemToArray(list, e);
}

/* "8:0 Read 4096" lines. */
static void io_v1(const struct cgroup *cg, cJSON *o, const char *name, const char *file)
{
	char *text = slurp(cg, "blkio", file), *save = NULL, op[32];
	cJSON *list = cJSON_AddArrayToObject(o, name);
	unsigned major, minor;
	double v;

	for (char *p = text ? strtok_r(text, "\n", &save) : NULL; p; p = strtok_r(NULL, "\n", &save))
		if (sscanf(p, "%u:%u %31s %lf", &major, &minor, op, &v) == 4)
			io_entry(list, major, minor, op, v);
	free(text);
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ..." lines. */
static void io_v2(const struct cgroup *cg, cJSON *o)
{
	static const struct {
		const char *key, *op;
		bool bytes;
	} keys[] = {{"rbytes=", "Read", true}, {"wbytes=", "Write", true}, {"rios=", "Read", false}, {"wios=", "Write", false}};
	cJSON *bytes = cJSON_AddArrayToObject(o, "ioServiceBytesRecursive"), *ops = cJSON_AddArrayToObject(o, "ioServicedRecursive");
	char *text = slurp(cg, "io", "io.stat"), *save = NULL;
	unsigned major, minor;

	for (char *p = text ? strtok_r(text, "\n", &save) : NULL; p; p = strtok_r(NULL, "\n", &save))
		for (unsigned i = 0; sscanf(p, "%u:%u ", &major, &minor) == 2 && i < sizeof(keys) / sizeof(keys[0]); i++) {
			const char *at = strstr(p, keys[i].key);

			if (at)
				io_entry(keys[i].bytes ? bytes : ops, major, minor, keys[i].op, strtod(at + strlen(keys[i].key), NULL));
		}
	free(text);
}

/* ---- huge pages ------------------------------------------------------------------------------------------------------- */

/* hugetlb.2MB.usage_in_bytes, hugetlb.2MB.current: a page size per file. */
static void put_hugetlb(const struct cgroup *cg, cJSON *o)
{
	const char *dir = cgroup_dir(cg, "hugetlb"), *tail = cg->v2 ? ".current" : ".usage_in_bytes";
	cJSON *all = object(o, "hugetlb");
	DIR *d = dir ? opendir(dir) : NULL;
	struct dirent *ent;

	while (d && (ent = readdir(d))) {
		char size[32], file[96];
		cJSON *e;

		if (sscanf(ent->d_name, "hugetlb.%31[0-9KMGB]", size) != 1 || strcmp(ent->d_name + 8 + strlen(size), tail) != 0)
			continue;
		e = object(all, size);
		add(e, "usage", number(cg, "hugetlb", ent->d_name));
		if (!cg->v2) {
			snprintf(file, sizeof(file), "hugetlb.%s.max_usage_in_bytes", size);
			add(e, "max", number(cg, "hugetlb", file));
			snprintf(file, sizeof(file), "hugetlb.%s.failcnt", size);
			add(e, "failcnt", number(cg, "hugetlb", file));
		} else {
			char *events;

			snprintf(file, sizeof(file), "hugetlb.%s.events", size);
			events = slurp(cg, "hugetlb", file);
			add(e, "failcnt", keyed(events, "max"));
			free(events);
		}
	}
	if (d)
		closedir(d);
}

cJSON *cgroup_stats(const struct cgroup *cg)
{
	cJSON *o = cJSON_CreateObject(), *pids, *blkio;
	double limit;

	put_cpu(cg, o);
	put_memory(cg, o);
	pids = object(o, "pids");
	add(pids, "current", number(cg, "pids", "pids.current"));
	limit = number(cg, "pids", "pids.max");
	if (limit < 1e18)
		add(pids, "limit", limit);
	blkio = object(o, "blkio");
	if (cg->v2) {
		io_v2(cg, blkio);
	} else {
		io_v1(cg, blkio, "ioServiceBytesRecursive", "blkio.throttle.io_service_bytes_recursive");
		io_v1(cg, blkio, "ioServicedRecursive", "blkio.throttle.io_serviced_recursive");
	}
	put_hugetlb(cg, o);
	object(o, "intel_rdt");
	cJSON_AddNullToObject(o, "network_interfaces");
	return o;
}

/* ---- before a limit is cut --------------------------------------------------------------------------------------------- */

struct error *cgroup_check_memory(const struct cgroup *cg, const struct resources *r)
{
	double usage = number(cg, "memory", cg->v2 ? "memory.current" : "memory.usage_in_bytes");

	if (res_limited(r->memory.limit) && usage >= (double)limits_memory(r->memory.limit))
		return error_new("linux.resources.memory.limit: %lld is below what the container uses (%.0f with the sandbox's own)",
		                 (long long)r->memory.limit, usage);
	return NULL;
}
