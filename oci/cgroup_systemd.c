/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --systemd-cgroup: systemd makes the container's cgroup, as a transient scope with the sandbox's processes in it, and is told
 * its limits, which it would undo otherwise; the files are written afterwards all the same, since systemd knows only some of
 * them and rounds. linux.cgroupsPath is "slice:prefix:name"; the scope is prefix-name.scope in that slice.
 *
 * libsystemd is loaded when it is needed: it would cost every other start of runsc a millisecond. A scope ends by itself when
 * its last process has gone, so there is nothing to do for `delete`. Version 1 has systemd's own hierarchy and those that
 * systemd uses; the same directories are made in the others, as runc does.
 *
 * Not told to systemd: cpusets and devices; a daemon-reload leaves what was written to delegated scopes alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "oci/cgroup_impl.h"
#include "oci/util.h"

#define SERVICE   "org.freedesktop.systemd1"
#define OBJECT    "/org/freedesktop/systemd1"
#define MANAGER   "org.freedesktop.systemd1.Manager"
#define JOB_USEC  30000000ull
#define ROUND_US  10000 /* systemd keeps the CPU limit in percent */
#define INFINITE  UINT64_MAX

#define FUNCTIONS(F) \
	F(sd_bus_open_system) F(sd_bus_open_user) F(sd_bus_flush_close_unref) F(sd_bus_message_new_method_call) \
	F(sd_bus_message_append) F(sd_bus_message_open_container) F(sd_bus_message_close_container) F(sd_bus_message_read) \
	F(sd_bus_message_unref) F(sd_bus_call) F(sd_bus_call_method) F(sd_bus_error_free) F(sd_bus_match_signal) \
	F(sd_bus_process) F(sd_bus_wait)

static struct {
#define FIELD(name) __typeof__(&name) name;
	FUNCTIONS(FIELD)
#undef FIELD
} sd;

struct job {
	char *path;
	bool done, ok;
	char result[32];
};

static struct error *load(void)
{
	void *lib = dlopen("libsystemd.so.0", RTLD_NOW);

	if (!lib)
		return error_new("--systemd-cgroup: %s (package libsystemd0)", dlerror());
#define LOAD(name) \
	sd.name = (__typeof__(&name))dlsym(lib, #name); \
	if (!sd.name) \
		return error_new("--systemd-cgroup: libsystemd has no %s", #name);
	FUNCTIONS(LOAD)
#undef LOAD
	return NULL;
}

static struct error *connect_bus(const struct cgroup *cg, sd_bus **bus)
{
	struct error *e = sd.sd_bus_call ? NULL : load();
	int err;

	if (e)
		return e;
	err = cg->rootless ? sd.sd_bus_open_user(bus) : sd.sd_bus_open_system(bus);
	if (err < 0)
		return error_errno(err, "--systemd-cgroup: cannot reach systemd (without it, leave the flag out)");
	return NULL;
}

/* ---- names ---------------------------------------------------------------------------------------------------------- */

/* "a-b.slice" is /a.slice/a-b.slice; NULL if it is no name of a slice. */
static char *slice_path(const char *slice)
{
	size_t len = strlen(slice);
	char *path = xstrdup(""), *next;

	if (strcmp(slice, "-.slice") == 0)
		return path;
	if (len <= 6 || strcmp(slice + len - 6, ".slice") != 0 || strchr(slice, '/') || *slice == '-' || slice[len - 7] == '-')
		return NULL;
	for (const char *p = slice; p < slice + len - 6; p++) {
		size_t part;

		p += strcspn(p, "-.");
		part = p - slice;
		if (*p == '-' && p[1] == '-')
			return NULL;
		if (*p == '.' && p != slice + len - 6)
			continue;
		next = xasprintf("%s/%.*s.slice", path, (int)part, slice);
		free(path);
		path = next;
	}
	return path;
}

struct error *cgroup_systemd_plan(const char *wanted, const char *id, struct cgroup *cg, char **path)
{
	const char *first = wanted ? strchr(wanted, ':') : NULL, *second = first ? strchr(first + 1, ':') : NULL;
	const char *name = second ? second + 1 : id;
	char *slices;

	if (wanted && (!second || strchr(second + 1, ':')))
		return error_new("config.json: linux.cgroupsPath: \"%s\" is not \"slice:prefix:name\", which --systemd-cgroup needs", wanted);
	cg->slice = wanted && first != wanted ? strndup(wanted, first - wanted)
	                                      : xstrdup(cg->rootless ? "user.slice" : "system.slice");
	if (second && second == first + 1)
		cg->unit = xasprintf("%s.scope", name);
	else if (second)
		cg->unit = xasprintf("%.*s-%s.scope", (int)(second - first - 1), first + 1, name);
	else
		cg->unit = xasprintf("runsc-%s.scope", name);
	slices = slice_path(cg->slice);
	if (!slices || strchr(cg->unit, '/') || !*name)
		return error_new("config.json: linux.cgroupsPath: \"%s\" names no slice and scope of systemd", wanted ? wanted : cg->unit);
	*path = xasprintf("%s/%s", slices, cg->unit);
	return NULL;
}

/* ---- properties ------------------------------------------------------------------------------------------------------- */

static int put_u64(sd_bus_message *m, const char *name, uint64_t v)
{
	return sd.sd_bus_message_append(m, "(sv)", name, "t", v);
}

static uint64_t or_infinite(int64_t v)
{
	return v < 0 || v >= INT64_C(1) << 62 ? INFINITE : (uint64_t)v;
}

static int put_cpu(sd_bus_message *m, const struct cgroup *cg, const struct resources *r)
{
	uint64_t period = res_set(r->cpu.period) && r->cpu.period > 0 ? (uint64_t)r->cpu.period : 100000, quota = INFINITE;
	int err = 0;

	if (res_set(r->cpu.shares))
		err = cg->v2 ? put_u64(m, "CPUWeight", cgroup_v2_weight(r->cpu.shares)) : put_u64(m, "CPUShares", (uint64_t)r->cpu.shares);
	if (err < 0 || !res_set(r->cpu.quota))
		return err;
	if (r->cpu.quota > 0) {
		quota = (uint64_t)r->cpu.quota * 1000000 / period;
		quota = (quota + ROUND_US - 1) / ROUND_US * ROUND_US;
	}
	return put_u64(m, "CPUQuotaPerSecUSec", quota);
}

static int put_limits(sd_bus_message *m, const struct cgroup *cg, const struct resources *r, const struct limits *l)
{
	int err = put_cpu(m, cg, r);

	if (err >= 0 && res_set(r->memory.limit))
		err = put_u64(m, cg->v2 ? "MemoryMax" : "MemoryLimit", or_infinite(limits_memory(r->memory.limit)));
	if (err >= 0 && cg->v2 && res_limited(r->memory.swap) && res_limited(r->memory.limit))
		err = put_u64(m, "MemorySwapMax", (uint64_t)(r->memory.swap - r->memory.limit));
	if (err >= 0 && cg->v2 && res_set(r->memory.reservation))
		err = put_u64(m, "MemoryLow", or_infinite(r->memory.reservation));
	if (err >= 0 && res_set(r->pids))
		err = put_u64(m, "TasksMax", or_infinite(limits_pids(l, r->pids)));
	if (err >= 0 && !cg->v2 && res_set(r->io_weight))
		err = put_u64(m, "BlockIOWeight", (uint64_t)r->io_weight);
	return err;
}

static int put_scope(sd_bus_message *m, const struct cgroup *cg, const pid_t *pids, unsigned n)
{
	static const char *const on[] = {"Delegate", "CPUAccounting", "MemoryAccounting", "TasksAccounting"};
	int err = sd.sd_bus_message_append(m, "(sv)(sv)(sv)", "Description", "s", "runsc container", "Slice", "s", cg->slice,
	                                   "DefaultDependencies", "b", 0);

	for (unsigned i = 0; err >= 0 && i < sizeof(on) / sizeof(on[0]); i++)
		err = sd.sd_bus_message_append(m, "(sv)", on[i], "b", 1);
	if (err >= 0)
		err = sd.sd_bus_message_append(m, "(sv)", cg->v2 ? "IOAccounting" : "BlockIOAccounting", "b", 1);
	/* The list of processes, item by item. */
	if (err >= 0)
		err = sd.sd_bus_message_open_container(m, 'r', "sv");
	if (err >= 0)
		err = sd.sd_bus_message_append(m, "s", "PIDs");
	if (err >= 0)
		err = sd.sd_bus_message_open_container(m, 'v', "au");
	if (err >= 0)
		err = sd.sd_bus_message_open_container(m, 'a', "u");
	for (unsigned i = 0; err >= 0 && i < n; i++)
		err = sd.sd_bus_message_append(m, "u", (uint32_t)pids[i]);
	for (unsigned i = 0; err >= 0 && i < 3; i++)
		err = sd.sd_bus_message_close_container(m);
	return err;
}

/* ---- calls -------------------------------------------------------------------------------------------------------------- */

static int job_removed(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct job *j = data;
	const char *path, *unit, *result;
	uint32_t id;

	if (sd.sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0 || !j->path || strcmp(path, j->path) != 0)
		return 0;
	j->done = true;
	j->ok = strcmp(result, "done") == 0;
	snprintf(j->result, sizeof(j->result), "%s", result);
	return 0;
}

static uint64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static struct error *wait_for_job(sd_bus *bus, struct job *j, const char *unit)
{
	uint64_t end = now_usec() + JOB_USEC;

	while (!j->done) {
		int err = sd.sd_bus_process(bus, NULL);

		if (err == 0)
			err = sd.sd_bus_wait(bus, JOB_USEC / 30);
		if (err < 0 && err != -EINTR)
			return error_errno(err, "--systemd-cgroup: waiting for %s", unit);
		if (now_usec() > end)
			return error_new("--systemd-cgroup: systemd did not start %s within %llu s", unit, JOB_USEC / 1000000);
	}
	return j->ok ? NULL : error_new("--systemd-cgroup: systemd could not start %s: %s", unit, j->result);
}

static struct error *call(sd_bus *bus, sd_bus_message *m, sd_bus_message **reply, const char *what, const char *unit)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int err = sd.sd_bus_call(bus, m, JOB_USEC, &error, reply);
	struct error *e = err < 0 ? error_new("--systemd-cgroup: %s %s: %s", what, unit, error.message ? error.message : strerror(-err)) : NULL;

	sd.sd_bus_error_free(&error);
	return e;
}

static struct error *start_unit(sd_bus *bus, const struct cgroup *cg, const pid_t *pids, unsigned n)
{
	sd_bus_message *m = NULL, *reply = NULL;
	struct job job = {0};
	struct error *e = NULL;
	const char *path;
	/* Before the call, so that the job cannot end unseen. */
	int err = sd.sd_bus_match_signal(bus, NULL, SERVICE, OBJECT, MANAGER, "JobRemoved", job_removed, &job);

	if (err >= 0)
		err = sd.sd_bus_call_method(bus, SERVICE, OBJECT, MANAGER, "Subscribe", NULL, NULL, "");
	if (err >= 0)
		err = sd.sd_bus_message_new_method_call(bus, &m, SERVICE, OBJECT, MANAGER, "StartTransientUnit");
	if (err >= 0)
		err = sd.sd_bus_message_append(m, "ss", cg->unit, "replace");
	if (err >= 0)
		err = sd.sd_bus_message_open_container(m, 'a', "(sv)");
	if (err >= 0)
		err = put_scope(m, cg, pids, n);
	if (err >= 0)
		err = put_limits(m, cg, cg->resources, cg->limits);
	if (err >= 0)
		err = sd.sd_bus_message_close_container(m);
	if (err >= 0)
		err = sd.sd_bus_message_append(m, "a(sa(sv))", 0);
	if (err < 0)
		e = error_errno(err, "--systemd-cgroup: cannot ask systemd for %s", cg->unit);
	if (!e)
		e = call(bus, m, &reply, "cannot start", cg->unit);
	if (!e && sd.sd_bus_message_read(reply, "o", &path) >= 0)
		job.path = xstrdup(path);
	if (!e)
		e = wait_for_job(bus, &job, cg->unit);
	sd.sd_bus_message_unref(reply);
	sd.sd_bus_message_unref(m);
	free(job.path);
	return e;
}

struct error *cgroup_systemd_start(const struct cgroup *cg, const pid_t *pids, unsigned n)
{
	sd_bus *bus = NULL;
	struct error *e = connect_bus(cg, &bus);

	if (!e)
		e = start_unit(bus, cg, pids, n);
	if (bus)
		sd.sd_bus_flush_close_unref(bus);
	return e;
}

struct error *cgroup_systemd_update(const struct cgroup *cg, const struct resources *r, const struct limits *l)
{
	sd_bus_message *m = NULL;
	sd_bus *bus = NULL;
	struct error *e = connect_bus(cg, &bus);
	int err;

	if (e)
		return e;
	err = sd.sd_bus_message_new_method_call(bus, &m, SERVICE, OBJECT, MANAGER, "SetUnitProperties");
	if (err >= 0)
		err = sd.sd_bus_message_append(m, "sb", cg->unit, 1);
	if (err >= 0)
		err = sd.sd_bus_message_open_container(m, 'a', "(sv)");
	if (err >= 0)
		err = put_limits(m, cg, r, l);
	if (err >= 0)
		err = sd.sd_bus_message_close_container(m);
	e = err < 0 ? error_errno(err, "--systemd-cgroup: cannot change %s", cg->unit) : call(bus, m, NULL, "cannot change", cg->unit);
	sd.sd_bus_message_unref(m);
	sd.sd_bus_flush_close_unref(bus);
	return e;
}
