/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "oci/cgroup_impl.h"
#include "oci/util.h"

#define REMOVE_TRIES 200 /* of 5 ms */
#define OTHERS_TRIES 20  /* of them, before processes that are still there count as somebody else's */
#define MAKE_TRIES 20

/* ---- making ---------------------------------------------------------------------------------------------------------- */

/* The hierarchy that a directory belongs to. */
static unsigned hierarchy_of(const struct cgroup *cg, const char *dir)
{
	for (unsigned i = 0; i < cg->n; i++)
		if (has_prefix(dir, cg->mount[i]) && dir[strlen(cg->mount[i])] == '/')
			return i;
	return 0;
}

static int make_one(const struct cgroup *cg, const char *dir)
{
	if (cg->v2)
		return cgroup_v2_mkdir(dir);
	return cgroup_v1_mkdir(dir, cgroup_has_option(cg->controllers[hierarchy_of(cg, dir)], "cpuset", 6));
}

/* Parents that existed a moment ago may be gone: another container's, which has just been deleted. */
static int make_again(const struct cgroup *cg, const char *dir)
{
	char *copy = xstrdup(dir);
	int err = 0;

	for (char *p = copy + strlen(cg->mount[hierarchy_of(cg, dir)]) + 1; !err && (p = strchr(p, '/')); p++) {
		*p = 0;
		err = make_one(cg, copy);
		*p = '/';
	}
	free(copy);
	return err ? err : make_one(cg, dir);
}

static void drop_hierarchy(struct cgroup *cg, unsigned i)
{
	for (cg->n--; i < cg->n; i++) {
		cg->controllers[i] = cg->controllers[i + 1];
		cg->mount[i] = cg->mount[i + 1];
		cg->path[i] = cg->path[i + 1];
		cg->own[i] = cg->own[i + 1];
	}
}

static bool may_do_without(const struct cgroup *cg, int err)
{
	return cg->rootless && (err == -EACCES || err == -EPERM || err == -EROFS);
}

static struct error *make_all(struct cgroup *cg)
{
	for (char **dir = cg->made; *dir;) {
		int err = make_one(cg, *dir), tries;

		for (tries = 0; err == -ENOENT && tries < MAKE_TRIES; tries++)
			err = make_again(cg, *dir);
		if (err < 0 && may_do_without(cg, err)) {
			unsigned h = hierarchy_of(cg, *dir);
			char *mount = cg->mount[h];

			log_debug("cgroups: cannot make %s (%s): going without", *dir, strerror(-err));
			drop_hierarchy(cg, h);
			/* and what would have been below it */
			while (*dir && has_prefix(*dir, mount) && (*dir)[strlen(mount)] == '/')
				for (char **p = dir; *p; p++)
					*p = p[1];
			continue;
		}
		if (err < 0)
			return error_errno(err, "cgroups: cannot make %s (--ignore-cgroups does without)", *dir);
		dir++;
	}
	return NULL;
}

static struct error *apply(const struct cgroup *cg, const struct resources *r, const struct limits *l)
{
	return cg->v2 ? cgroup_v2_apply(cg, r, l) : cgroup_v1_apply(cg, r, l);
}

static struct error *set_up(struct cgroup *cg, const struct resources *r, const struct limits *l)
{
	struct error *e = make_all(cg);

	if (e)
		return e;
	if (cg->v2 && cg->n && !cg->unit)
		cgroup_v2_hand_down(cg);
	if (r->ndevices && cg->n && !cg->rootless)
		e = cg->v2 ? cgroup_v2_devices(cg, r) : cgroup_dir(cg, "devices") ? cgroup_v1_devices(cg, r) : NULL;
	return e ? e : apply(cg, r, l);
}

struct error *cgroup_create(struct cgroup *cg, const struct resources *r, const struct limits *l)
{
	struct error *e = limits_check(r);

	if (e || !cg->unit)
		return e ? e : set_up(cg, r, l);
	cg->resources = r;
	cg->limits = l;
	return NULL;
}

/* ---- limits ---------------------------------------------------------------------------------------------------------- */

const char *cgroup_dir(const struct cgroup *cg, const char *controller)
{
	if (cg->v2)
		return cg->n ? cg->path[0] : NULL;
	for (unsigned i = 0; i < cg->n; i++)
		if (cgroup_has_option(cg->controllers[i], controller, strlen(controller)))
			return cg->path[i];
	return NULL;
}

bool cgroup_has(const struct cgroup *cg, const char *controller, const char *file)
{
	const char *dir = cgroup_dir(cg, controller);
	char *path = dir ? xasprintf("%s/%s", dir, file) : NULL;
	bool has = path && access(path, F_OK) == 0;

	free(path);
	return has;
}

struct error *cgroup_write(const struct cgroup *cg, const char *controller, const char *file, const char *fmt, ...)
{
	const char *dir = cgroup_dir(cg, controller);
	struct error *e = NULL;
	char *path, *value;
	va_list ap;
	int err;

	if (!dir)
		return error_new("cgroups: cannot set %s: the %s controller is not available%s", file, controller,
		                 cg->rootless ? " without root" : "");
	va_start(ap, fmt);
	value = xvasprintf(fmt, ap);
	va_end(ap);
	path = xasprintf("%s/%s", dir, file);
	err = write_file_at(AT_FDCWD, path, value);
	log_debug("cgroups: %s = %s: %s", path, value, err < 0 ? strerror(-err) : "ok");
	if (err == -ENOENT && cg->v2)
		e = error_new("cgroups: cannot set %s to %s: %s has no such file (is the %s controller enabled in its parents?)", file, value,
		              dir, controller);
	else if (err < 0)
		e = error_errno(err, "cgroups: cannot set %s to %s", path, value);
	free(path);
	free(value);
	return e;
}

struct error *cgroup_write_max(const struct cgroup *cg, const char *controller, const char *file, int64_t v)
{
	if (v < 0 || v >= INT64_C(1) << 62)
		return cgroup_write(cg, controller, file, "max");
	return cgroup_write(cg, controller, file, "%lld", (long long)v);
}

struct error *cgroup_write_rdma(const struct cgroup *cg, const struct res_named *r)
{
	char handles[40] = "", objects[40] = "";

	if (res_set(r->value))
		snprintf(handles, sizeof(handles), " hca_handle=%lld", (long long)r->value);
	if (res_set(r->value2))
		snprintf(objects, sizeof(objects), " hca_object=%lld", (long long)r->value2);
	return cgroup_write(cg, "rdma", "rdma.max", "%s%s%s", r->name, handles, objects);
}

struct error *cgroup_update(const struct cgroup *cg, const struct resources *r, const struct limits *l)
{
	struct error *e = cg->unit ? cgroup_systemd_update(cg, r, l) : NULL;

	return e ? e : apply(cg, r, l);
}

/* ---- joining --------------------------------------------------------------------------------------------------------- */

static struct error *join(const struct cgroup *cg, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	for (unsigned i = 0; i < cg->n; i++) {
		char *file = xasprintf("%s/cgroup.procs", cg->path[i]);
		int err = write_file_at(AT_FDCWD, file, text);

		free(file);
		if (err < 0 && may_do_without(cg, err)) {
			log_debug("cgroups: cannot join %s (%s): going without", cg->path[i], strerror(-err));
			continue;
		}
		if (err < 0)
			return error_errno(err, "cgroups: cannot join %s (--ignore-cgroups does without)", cg->path[i]);
	}
	return NULL;
}

/* Where systemd has put the process, if that is elsewhere than planned: a user's own systemd works below the user's service. */
static void follow_unit(struct cgroup *cg, pid_t pid)
{
	char *file = xasprintf("/proc/%d/cgroup", pid), *self = read_file_at(AT_FDCWD, file, CGROUP_FILE_MAX, NULL);
	char *path = self && cg->v2 ? cgroup_own_path(self, "", true) : NULL;

	if (path) {
		cg->path[0] = xasprintf("%s%s", cg->mount[0], path);
		cg->made[0] = cg->path[0];
	}
	free(path);
	free(self);
	free(file);
}

struct error *cgroup_take(struct cgroup *cg, const pid_t *pids, unsigned n)
{
	struct error *e = NULL;

	if (cg->unit) {
		e = cgroup_systemd_start(cg, pids, n);
		if (!e)
			follow_unit(cg, pids[0]);
		if (!e)
			e = set_up(cg, cg->resources, cg->limits);
	}
	for (unsigned i = 0; !e && i < n; i++)
		e = join(cg, pids[i]);
	return e;
}

static bool is_made(const struct cgroup *cg, const char *dir)
{
	for (char **m = cg->made; *m; m++)
		if (strcmp(*m, dir) == 0)
			return true;
	return false;
}

static void leave_first(const struct cgroup *cg, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int err = cgroup_v1_move_self(cg->own[i]);

		if (err < 0)
			log_debug("cgroups: cannot go back to %s: %s", cg->own[i], strerror(-err));
	}
}

bool cgroup_enter(const struct cgroup *cg)
{
	if (cg->v2 || cg->unit)
		return false;
	/* One that exists already may be frozen, or its limits too narrow for us. */
	for (unsigned i = 0; i < cg->n; i++)
		if (!cg->own[i] || !is_made(cg, cg->path[i]))
			return false;
	for (unsigned i = 0; i < cg->n; i++) {
		if (cgroup_v1_move_self(cg->path[i]) < 0) {
			leave_first(cg, i);
			return false;
		}
	}
	return true;
}

void cgroup_leave(const struct cgroup *cg)
{
	leave_first(cg, cg->n);
}

static bool is_leaf(char **made, unsigned i)
{
	return !made[i + 1] || !has_prefix(made[i + 1], made[i]) || made[i + 1][strlen(made[i])] != '/';
}

/* A process that has just died leaves its cgroup a moment later. */
static void remove_leaf(const char *dir, bool orphans)
{
	for (int i = 0; i < REMOVE_TRIES && rmdir(dir) < 0 && errno == EBUSY; i++) {
		struct timespec ts = {.tv_nsec = 5000000};
		char *procs = xasprintf("%s/cgroup.procs", dir);
		char *text = read_file_at(AT_FDCWD, procs, CGROUP_FILE_MAX, NULL);
		bool others = text && *text && !orphans;

		free(procs);
		free(text);
		if (others && i > OTHERS_TRIES)
			break;
		nanosleep(&ts, NULL);
	}
}

void cgroup_remove(char **made, bool orphans)
{
	unsigned n = 0;

	while (made && made[n])
		n++;
	/* A parent that has other containers by now stays for good, as every parent does with runc. */
	while (n--) {
		if (is_leaf(made, n))
			remove_leaf(made[n], orphans);
		else
			(void)rmdir(made[n]);
	}
}

/* ---- state ----------------------------------------------------------------------------------------------------------- */

cJSON *cgroup_to_json(const struct cgroup *cg)
{
	cJSON *o = cJSON_CreateObject(), *paths = cJSON_AddArrayToObject(o, "paths");

	cJSON_AddBoolToObject(o, "v2", cg->v2);
	if (cg->unit)
		cJSON_AddStringToObject(o, "unit", cg->unit);
	for (unsigned i = 0; i < cg->n; i++) {
		cJSON *p = cJSON_CreateObject();

		cJSON_AddStringToObject(p, "controllers", cg->controllers[i]);
		cJSON_AddStringToObject(p, "path", cg->path[i]);
		cJSON_AddItemToArray(paths, p);
	}
	return o;
}

struct error *cgroup_from_json(const cJSON *o, struct cgroup *cg)
{
	struct json j = {.file = "state.json"};
	const cJSON *item;
	const char *unit = json_string(&j, o, "cgroup.unit", false);

	memset(cg, 0, sizeof(*cg));
	cg->v2 = json_bool(&j, o, "cgroup.v2", false);
	cg->unit = unit ? xstrdup(unit) : NULL;
	cg->rootless = cgroup_is_rootless();
	cJSON_ArrayForEach(item, json_array(&j, o, "cgroup.paths", true)) {
		const char *controllers = json_string(&j, item, "controllers", true), *path = json_string(&j, item, "path", true);

		if (!controllers || !path || cg->n == CGROUP_MAX)
			break;
		cg->controllers[cg->n] = xstrdup(controllers);
		cg->path[cg->n++] = xstrdup(path);
	}
	return json_error(&j);
}

void cgroup_free(struct cgroup *cg)
{
	for (unsigned i = 0; i < cg->n; i++) {
		free(cg->controllers[i]);
		free(cg->path[i]);
	}
	free(cg->unit);
	memset(cg, 0, sizeof(*cg));
}
