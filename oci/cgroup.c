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

#include "oci/util.h"

#define PROC_FILE_MAX (4u << 20)
#define REMOVE_TRIES 200 /* of 5 ms */

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

static void add_made(struct cgroup *cg, unsigned *n, const char *mount, const char *path)
{
	struct stat st;
	char *copy = xstrdup(path);

	for (char *p = copy + strlen(mount) + 1;; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = 0;
		if (stat(copy, &st) < 0 && errno == ENOENT) {
			cg->made = xrealloc(cg->made, (*n + 2) * sizeof(char *));
			cg->made[(*n)++] = xstrdup(copy);
			cg->made[*n] = NULL;
		}
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

struct error *cgroup_plan(const char *cgroups_path, const char *id, struct cgroup *cg)
{
	char *mounts = read_file_at(AT_FDCWD, "/proc/self/mountinfo", PROC_FILE_MAX, NULL);
	char *self = read_file_at(AT_FDCWD, "/proc/self/cgroup", PROC_FILE_MAX, NULL);
	const char *wanted = cgroups_path ? cgroups_path : id;
	char *v2_path = NULL, *v2_mount = NULL, *save = NULL, *seen[CGROUP_MAX];
	unsigned made = 0;

	memset(cg, 0, sizeof(*cg));
	cg->made = xcalloc(1, sizeof(char *));
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
			cg->cpuset[cg->n] = has_option(opts, "cpuset", 6);
			cg->n++;
		}
	}
	if (!cg->n && v2_path) {
		cg->v2 = true;
		cg->mount[0] = v2_mount;
		cg->path[0] = v2_path;
		cg->n = 1;
	}
	if (!cg->n)
		return error_new("cgroups: no cgroup file system is mounted; use --ignore-cgroups");
	for (unsigned i = 0; i < cg->n; i++)
		add_made(cg, &made, cg->mount[i], cg->path[i]);
	free(mounts);
	free(self);
	return NULL;
}

static bool in_cpuset(const struct cgroup *cg, const char *dir)
{
	for (unsigned i = 0; i < cg->n; i++)
		if (cg->cpuset[i] && has_prefix(dir, cg->mount[i]) && dir[strlen(cg->mount[i])] == '/')
			return true;
	return false;
}

struct error *cgroup_create(const struct cgroup *cg)
{
	for (char **dir = cg->made; *dir; dir++) {
		int err = cg->v2 ? cgroup_v2_mkdir(*dir) : cgroup_v1_mkdir(*dir, in_cpuset(cg, *dir));

		if (err < 0)
			return error_errno(err, "cgroups: cannot make %s (--ignore-cgroups does without)", *dir);
	}
	return NULL;
}

struct error *cgroup_join(const struct cgroup *cg, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	for (unsigned i = 0; i < cg->n; i++) {
		char *file = xasprintf("%s/cgroup.procs", cg->path[i]);
		int err = write_file_at(AT_FDCWD, file, text);

		free(file);
		if (err < 0)
			return error_errno(err, "cgroups: cannot join %s (--ignore-cgroups does without)", cg->path[i]);
	}
	return NULL;
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
	if (cg->v2)
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

void cgroup_remove(char **made, bool force)
{
	unsigned n = 0;

	while (made && made[n])
		n++;
	while (n--) {
		/* A process that has just died leaves its cgroup a moment later. A parent that others have moved into stays. */
		for (int i = 0; i < REMOVE_TRIES && rmdir(made[n]) < 0 && errno == EBUSY; i++) {
			struct timespec ts = {.tv_nsec = 5000000};
			char *procs = xasprintf("%s/cgroup.procs", made[n]);
			char *text = read_file_at(AT_FDCWD, procs, PROC_FILE_MAX, NULL);
			bool others = text && *text && !force;

			free(procs);
			free(text);
			if (others && i > 20)
				break;
			if (force)
				kill_members(made[n]);
			nanosleep(&ts, NULL);
		}
	}
}
