/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runsc update: change the limits of a container, on the host and in the Sentry. What is not given stays as it is. The host's
 * limits come first: the kernel may refuse one, and then the Sentry's stay in line with it.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "oci/cgroup.h"
#include "oci/cgroup_limits.h"
#include "oci/command.h"
#include "oci/control_client.h"
#include "oci/state.h"
#include "oci/util.h"

#define RESOURCES_MAX (1u << 20)

static struct {
	const char *resources;
	const char *blkio_weight, *cpu_period, *cpu_quota, *cpu_burst, *cpu_share, *cpu_rt_period, *cpu_rt_runtime, *cpu_idle;
	const char *cpus, *mems, *memory, *reservation, *swap, *kernel, *kernel_tcp, *pids, *l3, *bandwidth;
} values;

#define OFF(field) __builtin_offsetof(__typeof__(values), field)
#define TEXT(name, field, what, help) {name, 0, FLAG_STRING, OFF(field), what, help}

static const struct flag flags[] = {
    {"resources", 'r', FLAG_STRING, OFF(resources), "FILE", "limits as in linux.resources of config.json; - reads standard input"},
    TEXT("memory", memory, "BYTES", "memory limit; -1: none"),
    TEXT("memory-reservation", reservation, "BYTES", "soft limit of memory"),
    TEXT("memory-swap", swap, "BYTES", "limit of memory and swap together; -1: none"),
    TEXT("kernel-memory", kernel, "BYTES", NULL),
    TEXT("kernel-memory-tcp", kernel_tcp, "BYTES", "limit of memory in TCP buffers (cgroup v1)"),
    TEXT("cpu-share", cpu_share, "N", "relative weight"),
    TEXT("cpu-period", cpu_period, "US", "period of the CPU limit"),
    TEXT("cpu-quota", cpu_quota, "US", "CPU time in a period; -1: no limit"),
    TEXT("cpu-burst", cpu_burst, "US", "unused CPU time that may be saved up"),
    TEXT("cpu-rt-period", cpu_rt_period, "US", "period of the realtime limit (cgroup v1)"),
    TEXT("cpu-rt-runtime", cpu_rt_runtime, "US", "realtime CPU time in a period (cgroup v1)"),
    TEXT("cpu-idle", cpu_idle, "0|1", "run only when nothing else does"),
    TEXT("cpuset-cpus", cpus, "LIST", "CPUs to use"),
    TEXT("cpuset-mems", mems, "LIST", "memory nodes to use"),
    TEXT("blkio-weight", blkio_weight, "N", "weight of disk operations, 10 to 1000"),
    TEXT("pids-limit", pids, "N", "processes and threads of the container; -1: no limit"),
    TEXT("l3-cache-schema", l3, "SCHEMA", NULL),
    TEXT("mem-bw-schema", bandwidth, "SCHEMA", NULL),
    {0},
};

/* Where each flag belongs in the resources object. */
static const struct {
	size_t offset;
	const char *flag, *object, *key;
	bool bytes, text;
} places[] = {
    {OFF(memory), "memory", "memory", "limit", true},
    {OFF(reservation), "memory-reservation", "memory", "reservation", true},
    {OFF(swap), "memory-swap", "memory", "swap", true},
    {OFF(kernel_tcp), "kernel-memory-tcp", "memory", "kernelTCP", true},
    {OFF(cpu_share), "cpu-share", "cpu", "shares"},
    {OFF(cpu_period), "cpu-period", "cpu", "period"},
    {OFF(cpu_quota), "cpu-quota", "cpu", "quota"},
    {OFF(cpu_burst), "cpu-burst", "cpu", "burst"},
    {OFF(cpu_rt_period), "cpu-rt-period", "cpu", "realtimePeriod"},
    {OFF(cpu_rt_runtime), "cpu-rt-runtime", "cpu", "realtimeRuntime"},
    {OFF(cpu_idle), "cpu-idle", "cpu", "idle"},
    {OFF(cpus), "cpuset-cpus", "cpu", "cpus", false, true},
    {OFF(mems), "cpuset-mems", "cpu", "mems", false, true},
    {OFF(blkio_weight), "blkio-weight", "blockIO", "weight"},
    {OFF(pids), "pids-limit", "pids", "limit"},
};

/* A number, for sizes with a unit ("512m"). */
static struct error *parse(const char *flag, const char *text, bool bytes, double *out)
{
	static const char units[] = "bkmgt";
	long long n;
	char *end;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (end == text || errno)
		return error_new("--%s: \"%s\" is not a number", flag, text);
	*out = (double)n;
	if (bytes && *end) {
		const char *u = strchr(units, tolower((unsigned char)*end));

		for (int i = u ? (int)(u - units) : 0; i > 0; i--)
			*out *= 1024;
		if (u)
			end++;
		if (u && u != units && (*end == 'b' || *end == 'B'))
			end++;
	}
	return *end ? error_new("--%s: \"%s\" is not a number", flag, text) : NULL;
}

static struct error *from_flags(struct json *j)
{
	j->file = "update";
	j->root = cJSON_CreateObject();
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *text = *(const char **)((char *)&values + places[i].offset);
		struct error *e;
		cJSON *o;
		double n = 0;

		if (!text)
			continue;
		o = cJSON_GetObjectItemCaseSensitive(j->root, places[i].object);
		if (!o)
			o = cJSON_AddObjectToObject(j->root, places[i].object);
		if (places[i].text) {
			cJSON_AddStringToObject(o, places[i].key, text);
			continue;
		}
		e = parse(places[i].flag, text, places[i].bytes, &n);
		if (e)
			return e;
		cJSON_AddNumberToObject(o, places[i].key, n);
	}
	if (values.l3 || values.bandwidth)
		log_warn("update: --l3-cache-schema and --mem-bw-schema are not supported and ignored");
	return NULL;
}

static struct error *read_resources(struct resources *r)
{
	struct json *j = xcalloc(1, sizeof(*j));
	struct error *e;

	if (!values.resources)
		e = from_flags(j);
	else
		e = json_load(j, strcmp(values.resources, "-") == 0 ? "/dev/stdin" : values.resources, RESOURCES_MAX);
	if (e)
		return e;
	resources_parse(j, j->root, "linux.resources", r);
	e = json_error(j);
	return e ? e : limits_check(r);
}

static struct error *update(const struct options *o, const struct state *s, const struct resources *r)
{
	struct limits l = {.cpus = limits_cpus(o->cpus), .ptrace = strcmp(s->platform, "ptrace") == 0};
	struct error *e = NULL;

	if (state_status(s) == STATE_STOPPED)
		return error_new("container not running");
	if (s->cgroup) {
		struct cgroup cg;

		e = cgroup_from_json(s->cgroup, &cg);
		if (!e && r->memory.check_before_update)
			e = cgroup_check_memory(&cg, r);
		if (!e)
			e = cgroup_update(&cg, r, &l);
		cgroup_free(&cg);
	}
	return e ? e : control_update(s->dir, s->id, r);
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	struct resources r;
	struct error *e = read_resources(&r);
	struct state s;

	if (e)
		return error_wrap(e, "update \"%s\"", argv[0]);
	e = state_open(o->root, argv[0], true, &s);
	if (!e)
		e = update(o, &s, &r);
	state_close(&s);
	return error_wrap(e, "update \"%s\"", argv[0]);
}

const struct command cmd_update = {
    .name = "update", .args = "ID", .summary = "change the limits of a container", .flags = flags, .values = &values,
    .min_args = 1, .max_args = 1, .run = run,
};
