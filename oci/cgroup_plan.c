/* SPDX-License-Identifier: Apache-2.0 */
/* Which hierarchies there are, where they are mounted, and where a container's cgroup is in them. Changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/cgroup_impl.h"
#include "oci/util.h"

bool cgroup_has_option(const char *list, const char *option, size_t len)
{
	for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, option, len) == 0 && (p[len] == ',' || !p[len] || p[len] == '\n'))
			return true;
	return false;
}

char *cgroup_own_path(const char *self, const char *super_options, bool v2)
{
	const char *line = self;

	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *names = strchr(line, ':'), *path, *end = strchrnul(line, '\n');
		size_t first;

		if (!names || !(path = strchr(names + 1, ':')) || path > end)
			continue;
		names++;
		first = strcspn(names, ",:");
		if (v2 ? first == 0 : first > 0 && cgroup_has_option(super_options, names, first))
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
	char *mounts = read_file_at(AT_FDCWD, "/proc/self/mountinfo", CGROUP_FILE_MAX, NULL);
	char *self = read_file_at(AT_FDCWD, "/proc/self/cgroup", CGROUP_FILE_MAX, NULL);
	const char *wanted = cgroups_path ? cgroups_path : id;
	char *v2_path = NULL, *v2_mount = NULL, *save = NULL, *seen[CGROUP_MAX], *unit_path = NULL;
	unsigned made = 0;

	memset(cg, 0, sizeof(*cg));
	cg->made = xcalloc(1, sizeof(char *));
	cg->rootless = cgroup_is_rootless();
	if (systemd) {
		struct error *e = cgroup_systemd_plan(cgroups_path, id, cg, &unit_path);

		if (e)
			return e;
		wanted = unit_path;
	} else if (strchr(wanted, ':')) {
		return error_new("config.json: linux.cgroupsPath: \"%s\" is in systemd's notation, which needs --systemd-cgroup", wanted);
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
			v2_path = join_path(mount, root, cgroup_own_path(self, "", true), wanted);
		} else if (!v2 && cg->n < CGROUP_MAX && !mounted_before(seen, cg->n, opts)) {
			seen[cg->n] = opts;
			cg->mount[cg->n] = mount;
			cg->path[cg->n] = join_path(mount, root, cgroup_own_path(self, opts, false), wanted);
			cg->own[cg->n] = own_dir(mount, root, cgroup_own_path(self, opts, false));
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
