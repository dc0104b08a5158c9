/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/resources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/util.h"

#define FIELD_MAX 256

static const int64_t pairs_max = INT64_C(0xffffffff);

void resources_init(struct resources *r)
{
	memset(r, 0, sizeof(*r));
	r->memory.limit = r->memory.reservation = r->memory.swap = r->memory.swappiness = r->memory.kernel_tcp = RES_UNSET;
	r->cpu.shares = r->cpu.quota = r->cpu.period = r->cpu.burst = r->cpu.rt_runtime = r->cpu.rt_period = r->cpu.idle = RES_UNSET;
	r->pids = r->io_weight = r->io_leaf_weight = r->classid = RES_UNSET;
}

/* A whole number from min on. Numbers beyond 2^63 (some clients write "no limit" so) become the largest. */
static int64_t number(struct json *j, const cJSON *obj, const char *parent, const char *key, int64_t min)
{
	char field[FIELD_MAX];
	const cJSON *v;

	snprintf(field, sizeof(field), "%.150s.%.80s", parent, key);
	v = json_get(j, obj, field);
	if (v && cJSON_IsNumber(v) && v->valuedouble >= 9223372036854775807.0)
		return INT64_MAX;
	return json_int(j, obj, field, RES_UNSET, min, INT64_C(9223372036854774784)); /* the largest double below 2^63 */
}

/* The same where 0 stands for "not given". */
static int64_t limit(struct json *j, const cJSON *obj, const char *parent, const char *key, int64_t min)
{
	int64_t v = number(j, obj, parent, key, min);

	return v == 0 ? RES_UNSET : v;
}

static const cJSON *object(struct json *j, const cJSON *obj, const char *parent, const char *key, char field[FIELD_MAX])
{
	snprintf(field, FIELD_MAX, "%.150s.%.80s", parent, key);
	return json_object(j, obj, field, false);
}

static const cJSON *array(struct json *j, const cJSON *obj, const char *parent, const char *key, char field[FIELD_MAX], unsigned *n)
{
	const cJSON *a;

	snprintf(field, FIELD_MAX, "%.150s.%.80s", parent, key);
	a = json_array(j, obj, field, false);
	*n = a ? cJSON_GetArraySize(a) : 0;
	return a;
}

static const char *string(struct json *j, const cJSON *obj, const char *parent, const char *key, bool required)
{
	char field[FIELD_MAX];
	const char *s;

	snprintf(field, sizeof(field), "%.150s.%.80s", parent, key);
	s = json_string(j, obj, field, required);
	/* They become lines of cgroup files. */
	if (s && strpbrk(s, "\n"))
		json_fail(j, field, "contains a line break");
	return s && *s ? s : NULL;
}

static void parse_memory(struct json *j, const cJSON *res, const char *parent, struct resources *r)
{
	char f[FIELD_MAX], sub[FIELD_MAX + 24];
	const cJSON *o = object(j, res, parent, "memory", f);

	r->memory.limit = limit(j, o, f, "limit", -1);
	r->memory.reservation = limit(j, o, f, "reservation", -1);
	r->memory.swap = limit(j, o, f, "swap", -1);
	r->memory.kernel_tcp = limit(j, o, f, "kernelTCP", -1);
	r->memory.swappiness = number(j, o, f, "swappiness", -1);
	if (r->memory.swappiness == -1)
		r->memory.swappiness = RES_UNSET;
	snprintf(sub, sizeof(sub), "%.200s.disableOOMKiller", f);
	r->memory.disable_oom_killer = json_bool(j, o, sub, false);
	snprintf(sub, sizeof(sub), "%.200s.checkBeforeUpdate", f);
	r->memory.check_before_update = json_bool(j, o, sub, false);
	snprintf(sub, sizeof(sub), "%.200s.kernel", f);
	if (json_get(j, o, sub) && limit(j, o, f, "kernel", -1) != RES_UNSET)
		log_debug("%s: %s is ignored, as kernels and the specification do", j->file, sub);
	snprintf(sub, sizeof(sub), "%.200s.swappiness", f);
	if (r->memory.swappiness > 100)
		json_fail(j, sub, "must be between 0 and 100");
	snprintf(sub, sizeof(sub), "%.200s.swap", f);
	if (res_limited(r->memory.swap) && res_limited(r->memory.limit) && r->memory.swap < r->memory.limit)
		json_fail(j, sub, "memory and swap together cannot be less than memory.limit");
}

static void parse_cpu(struct json *j, const cJSON *res, const char *parent, struct resources *r)
{
	char f[FIELD_MAX];
	const cJSON *o = object(j, res, parent, "cpu", f);

	r->cpu.shares = limit(j, o, f, "shares", 0);
	r->cpu.quota = limit(j, o, f, "quota", -1);
	r->cpu.period = limit(j, o, f, "period", 0);
	r->cpu.burst = number(j, o, f, "burst", 0);
	r->cpu.rt_runtime = limit(j, o, f, "realtimeRuntime", -1);
	r->cpu.rt_period = limit(j, o, f, "realtimePeriod", 0);
	r->cpu.idle = number(j, o, f, "idle", 0);
	r->cpu.cpus = string(j, o, f, "cpus", false);
	r->cpu.mems = string(j, o, f, "mems", false);
}

static void parse_io(struct json *j, const cJSON *res, const char *parent, struct resources *r)
{
	static const char *const keys[RES_IO_LISTS] = {
	    [RES_WEIGHT] = "weightDevice", [RES_READ_BPS] = "throttleReadBpsDevice", [RES_WRITE_BPS] = "throttleWriteBpsDevice",
	    [RES_READ_IOPS] = "throttleReadIOPSDevice", [RES_WRITE_IOPS] = "throttleWriteIOPSDevice",
	};
	char f[FIELD_MAX], lf[FIELD_MAX];
	const cJSON *o = object(j, res, parent, "blockIO", f), *item;

	r->io_weight = limit(j, o, f, "weight", 0);
	r->io_leaf_weight = limit(j, o, f, "leafWeight", 0);
	for (unsigned k = 0; k < RES_IO_LISTS; k++) {
		unsigned n;
		const cJSON *list = array(j, o, f, keys[k], lf, &n);

		r->io[k] = xcalloc(n, sizeof(*r->io[k]));
		cJSON_ArrayForEach(item, list) {
			struct res_io *d = &r->io[k][r->nio[k]++];

			d->major = json_int(j, item, "major", 0, 0, pairs_max);
			d->minor = json_int(j, item, "minor", 0, 0, pairs_max);
			d->value = number(j, item, lf, k == RES_WEIGHT ? "weight" : "rate", 0);
			d->leaf = k == RES_WEIGHT ? limit(j, item, lf, "leafWeight", 0) : RES_UNSET;
			if (!j->err && d->value == RES_UNSET && k != RES_WEIGHT)
				json_fail(j, lf, "an entry has no rate");
		}
	}
}

static void parse_named(struct json *j, const cJSON *res, const char *parent, struct resources *r)
{
	char f[FIELD_MAX], nf[FIELD_MAX];
	const cJSON *list = array(j, res, parent, "hugepageLimits", f, &r->nhugepages), *item, *net;
	unsigned i = 0;

	r->hugepages = xcalloc(r->nhugepages, sizeof(*r->hugepages));
	cJSON_ArrayForEach(item, list) {
		r->hugepages[i] = (struct res_named){.name = string(j, item, f, "pageSize", true), .value = number(j, item, f, "limit", 0)};
		if (!j->err && (!r->hugepages[i].name || strchr(r->hugepages[i].name, '/') || !res_set(r->hugepages[i].value)))
			json_fail(j, f, "an entry lacks pageSize or limit");
		i++;
	}
	net = object(j, res, parent, "network", nf);
	r->classid = number(j, net, nf, "classID", 0);
	list = array(j, net, nf, "priorities", f, &r->nnet_prios);
	r->net_prios = xcalloc(r->nnet_prios, sizeof(*r->net_prios));
	i = 0;
	cJSON_ArrayForEach(item, list) {
		r->net_prios[i].name = string(j, item, f, "name", true);
		r->net_prios[i++].value = number(j, item, f, "priority", 0);
	}
}

static void parse_maps(struct json *j, const cJSON *res, const char *parent, struct resources *r)
{
	char f[FIELD_MAX];
	const cJSON *o = object(j, res, parent, "rdma", f), *item;

	r->rdma = xcalloc(o ? cJSON_GetArraySize(o) : 0, sizeof(*r->rdma));
	cJSON_ArrayForEach(item, o)
		r->rdma[r->nrdma++] = (struct res_named){.name = item->string, .value = number(j, item, f, "hcaHandles", 0),
		                                         .value2 = number(j, item, f, "hcaObjects", 0)};
	o = object(j, res, parent, "unified", f);
	r->unified = xcalloc(o ? cJSON_GetArraySize(o) : 0, sizeof(*r->unified));
	cJSON_ArrayForEach(item, o) {
		if (!cJSON_IsString(item) || strchr(item->string, '/') || !strchr(item->string, '.') || item->string[0] == '.')
			json_fail(j, f, "\"%s\" must be a file of cgroup v2 with a string", item->string);
		else
			r->unified[r->nunified++] = (struct res_named){.name = item->string, .text = item->valuestring};
	}
}

static void parse_device(struct json *j, const cJSON *item, const char *f, struct res_device *d)
{
	const char *type = string(j, item, f, "type", false), *access = string(j, item, f, "access", false);
	char sub[FIELD_MAX + 8];

	snprintf(sub, sizeof(sub), "%.200s.allow", f);
	d->allow = json_bool(j, item, sub, false);
	d->type = type ? *type : 'a';
	d->major = json_int(j, item, "major", RES_ANY, -1, pairs_max);
	d->minor = json_int(j, item, "minor", RES_ANY, -1, pairs_max);
	if ((type && type[1]) || !strchr("abc", d->type))
		json_fail(j, f, "type \"%s\" is none of a, b, c", type);
	for (const char *a = access ? access : "rwm"; *a; a++) {
		d->read |= *a == 'r';
		d->write |= *a == 'w';
		d->mknod |= *a == 'm';
		if (!strchr("rwm", *a))
			json_fail(j, f, "access \"%s\" is not made of r, w, m", access);
	}
}

void resources_parse(struct json *j, const cJSON *res, const char *field, struct resources *r)
{
	char f[FIELD_MAX];
	const cJSON *list, *item, *pids;
	unsigned n;

	resources_init(r);
	parse_memory(j, res, field, r);
	parse_cpu(j, res, field, r);
	pids = object(j, res, field, "pids", f);
	r->pids = limit(j, pids, f, "limit", -1);
	parse_io(j, res, field, r);
	parse_named(j, res, field, r);
	parse_maps(j, res, field, r);
	list = array(j, res, field, "devices", f, &n);
	r->devices = xcalloc(n, sizeof(*r->devices));
	cJSON_ArrayForEach(item, list)
		parse_device(j, item, f, &r->devices[r->ndevices++]);
}
