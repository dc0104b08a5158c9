/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "oci/cgroup_impl.h"
#include "oci/util.h"

#define PROC_FILE_MAX (4u << 20)
#define REMOVE_TRIES 200 /* of 5 ms */
#define MAKE_TRIES 20

static bool has_option(const char *list, const char *option, size_t len)
{
	for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, option, len) == 0 && (p[len] == ',' || !p[len] || p[len] == '\n'))
			return true;
	return false;
}

/* runsc's own path in the hierarchy whose controllers (or "name=...") are named; "" stands for v2. */
static char *own_path(const char *self, const char *super_options, bool v2)
{
	const char *line = self;

	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *names = strchr(line, ':'), *path, *end = strchrnul(line, '\n');
		size_t first;

		if (!names || !(path = strchr(names + 1, ':')) || path > end)
			continue;
		names++;
		first = strcspn(names, ",:");
		if (v2 ? first == 0 : first > 0 && has_option(super_options, names, first))
			return strndup(path + 1, end - path - 1);
	}
	return NULL;
}

/* Undoes the octal escapes of mountinfo, in place. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*out++ = (s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0');
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = 0;
}

/* The directory below a mount: absolute paths count from the hierarchy's root, others from our own cgroup. */
static char *join_path(const char *mount, const char *mount_root, const char *own, const char *wanted)
{
	const char *base = "";

	if (*wanted != '/' && own) {
		size_t len = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);

		base = strncmp(own, mount_root, len) == 0 ? own + len : own;
		if (strcmp(base, "/") == 0)
			base = "";
	}
	while (*wanted == '/')
		wanted++;
	return xasprintf("%s%s/%s", mount, base, wanted);
}

/* Our own directory as the mount shows it. */
static char *own_dir(const char *mount, const char *mount_root, const char *own)
{
	size_t len = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);

	if (!own || strncmp(own, mount_root, len) != 0 || (own[len] && own[len] != '/'))
		return NULL;
	return xasprintf("%s%s", mount, own + len);
}

static void push_made(struct cgroup *cg, unsigned *n, const char *dir)
{
	cg->made = xrealloc(cg->made, (*n + 2) * sizeof(char *));
	cg->made[(*n)++] = xstrdup(dir);
	cg->made[*n] = NULL;
}

static void add_made(struct cgroup *cg, unsigned *n, const char *mount, const char *path)
{
	struct stat st;
	char *copy = xstrdup(path);

	for (char *p = copy + strlen(mount) + 1;; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = 0;
		if (stat(copy, &st) < 0 && errno == ENOENT)
			push_made(cg, n, copy);
		*p = c;
		if (!c)
			break;
	}
	free(copy);
}

/* A hierarchy may be mounted in several places, under other roots, too; one is enough, the first. */
static bool mounted_before(char *const *seen, unsigned n, const char *opts)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(seen[i], opts) == 0)
			return true;
	return false;
}

/* The controllers among the options of a super block, "cpu,cpuacct". */
static char *controllers_of(const char *opts)
{
	static const char *const not[] = {"rw", "ro", "xattr", "noprefix", "clone_children", "favordynmods", "cpuset_v2_mode", "release_agent"};
	char *out = xcalloc(1, strlen(opts) + 1);

	for (const char *p = opts; *p; p += strspn(p, ",")) {
		size_t len = strcspn(p, ",");
		bool skip = false;

		for (unsigned i = 0; i < sizeof(not) / sizeof(not[0]); i++)
			skip |= strncmp(p, not[i], strlen(not[i])) == 0 && (len == strlen(not[i]) || p[strlen(not[i])] == '=');
		if (!skip) {
			strcat(out, *out ? "," : "");
			strncat(out, p, len);
		}
		p += len;
	}
	return out;
}

bool cgroup_is_rootless(void)
{
	return geteuid() != 0 || in_user_namespace();
}

struct error *cgroup_plan(const char *cgroups_path, const char *id, bool systemd, struct cgroup *cg)
{
	char *mounts = read_file_at(AT_FDCWD, "/proc/self/mountinfo", PROC_FILE_MAX, NULL);
	char *self = read_file_at(AT_FDCWD, "/proc/self/cgroup", PROC_FILE_MAX, NULL);
	const char *wanted = cgroups_path ? cgroups_path : id;
	char *v2_path = NULL, *v2_mount = NULL, *save = NULL, *seen[CGROUP_MAX], *unit_path = NULL;
	unsigned made = 0;

	memset(cg, 0, sizeof(*cg));
	cg->made = xcalloc(1, sizeof(char *));
	cg->explicit = cgroups_path != NULL;
	cg->rootless = cgroup_is_rootless();
	if (systemd) {
		struct error *e = cgroup_systemd_plan(cgroups_path, id, cg, &unit_path);

		if (e)
			return e;
		wanted = unit_path;
	} else if (strchr(wanted, ':')) {
		return error_new("linux.cgroupsPath: \"%s\" is in systemd's notation, which needs --systemd-cgroup", wanted);
	}
	if (!mounts || !self)
		return error_errno(errno, "cgroups: cannot read /proc/self/%s", mounts ? "cgroup" : "mountinfo");
	for (char *line = strtok_r(mounts, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *sep = strstr(line, " - cgroup"), *root, *mount, *opts;
		bool v2;

		if (!sep)
			continue;
		*sep = 0;
		v2 = sep[9] == '2';
		opts = strrchr(sep + 9, ' ');
		if (!opts || sscanf(line, "%*s %*s %*s %ms %ms", &root, &mount) != 2)
			continue;
		unescape(root);
		unescape(mount);
		opts++;
		if (v2 && !v2_mount) {
			v2_mount = mount;
			v2_path = join_path(mount, root, own_path(self, "", true), wanted);
		} else if (!v2 && cg->n < CGROUP_MAX && !mounted_before(seen, cg->n, opts)) {
			seen[cg->n] = opts;
			cg->mount[cg->n] = mount;
			cg->path[cg->n] = join_path(mount, root, own_path(self, opts, false), wanted);
			cg->own[cg->n] = own_dir(mount, root, own_path(self, opts, false));
			cg->controllers[cg->n] = controllers_of(opts);
			cg->n++;
		}
	}
	if (!cg->n && v2_path) {
		cg->v2 = true;
		cg->controllers[0] = xstrdup("");
		cg->mount[0] = v2_mount;
		cg->path[0] = v2_path;
		cg->n = 1;
	}
	if (!cg->n && !cg->rootless)
		return error_new("cgroups: no cgroup file system is mounted; use --ignore-cgroups");
	for (unsigned i = 0; i < cg->n; i++) {
		/* Slices are systemd's. */
		if (cg->unit)
			push_made(cg, &made, cg->path[i]);
		else
			add_made(cg, &made, cg->mount[i], cg->path[i]);
	}
	free(mounts);
	free(self);
	return NULL;
}

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
	return cgroup_v1_mkdir(dir, has_option(cg->controllers[hierarchy_of(cg, dir)], "cpuset", 6));
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
		if (has_option(cg->controllers[i], controller, strlen(controller)))
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
	char *file = xasprintf("/proc/%d/cgroup", pid), *self = read_file_at(AT_FDCWD, file, PROC_FILE_MAX, NULL);
	char *path = self && cg->v2 ? own_path(self, "", true) : NULL;

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

static void kill_members(const char *dir)
{
	char *file = xasprintf("%s/cgroup.procs", dir), *text, *save = NULL;

	text = read_file_at(AT_FDCWD, file, PROC_FILE_MAX, NULL);
	for (char *p = text ? strtok_r(text, "\n", &save) : NULL; p; p = strtok_r(NULL, "\n", &save))
		if (atoi(p) > 0 && atoi(p) != getpid())
			kill(atoi(p), SIGKILL);
	free(text);
	free(file);
}

static bool is_leaf(char **made, unsigned i)
{
	return !made[i + 1] || !has_prefix(made[i + 1], made[i]) || made[i + 1][strlen(made[i])] != '/';
}

/* A process that has just died leaves its cgroup a moment later. */
static void remove_leaf(const char *dir, bool force)
{
	for (int i = 0; i < REMOVE_TRIES && rmdir(dir) < 0 && errno == EBUSY; i++) {
		struct timespec ts = {.tv_nsec = 5000000};
		char *procs = xasprintf("%s/cgroup.procs", dir);
		char *text = read_file_at(AT_FDCWD, procs, PROC_FILE_MAX, NULL);
		bool others = text && *text && !force;

		free(procs);
		free(text);
		if (others && i > 20)
			break;
		if (force)
			kill_members(dir);
		nanosleep(&ts, NULL);
	}
}

void cgroup_remove(char **made, bool force)
{
	unsigned n = 0;

	while (made && made[n])
		n++;
	/* A parent that has other containers by now stays for good, as every parent does with runc. */
	while (n--) {
		if (is_leaf(made, n))
			remove_leaf(made[n], force);
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
