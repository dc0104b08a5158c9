/* SPDX-License-Identifier: Apache-2.0 */
/* The linux object of config.json, but resources (resources.c) and seccomp (spec_seccomp.c). */
#include <sched.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "oci/spec.h"
#include "oci/util.h"

#define PER_LINUX   0
#define PER_LINUX32 8

static void parse_resources(struct json *j, const cJSON *linux_obj, struct spec *s)
{
	struct resources *r = &s->resources;

	resources_parse(j, json_object(j, linux_obj, "linux.resources", false), "linux.resources", r);
	s->memory_limit = res_limited(r->memory.limit) ? r->memory.limit : 0;
	s->pids_limit = res_limited(r->pids) ? r->pids : 0;
}

static const struct {
	const char *name;
	uint32_t flag;
	bool choice; /* a container of a pod may have its own or share it; the others it always has, or always shares */
} namespaces[] = {
    {"pid", CLONE_NEWPID, true}, {"network", CLONE_NEWNET, true}, {"mount", CLONE_NEWNS, false}, {"ipc", CLONE_NEWIPC, true},
    {"uts", CLONE_NEWUTS, true}, {"user", CLONE_NEWUSER, false}, {"cgroup", CLONE_NEWCGROUP, true}, {"time", CLONE_NEWTIME, false},
};

#define NR_NAMESPACES (sizeof(namespaces) / sizeof(namespaces[0]))

/* Whether a path names a namespace of the type. */
static void check_namespace(struct json *j, const char *type, uint32_t flag, const char *path)
{
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	int found = fd < 0 ? -1 : ioctl(fd, NS_GET_NSTYPE);

	if (fd < 0)
		json_fail(j, "linux.namespaces", "%s: %s", path, strerror(errno));
	else if (found != (int)flag)
		json_fail(j, "linux.namespaces", "%s is not a namespace of type %s", path, type);
}

static void parse_namespaces(struct json *j, const cJSON *linux_obj, struct spec *s)
{
	const cJSON *list = json_array(j, linux_obj, "linux.namespaces", false), *item;
	unsigned seen = 0;

	cJSON_ArrayForEach(item, list) {
		const char *type = json_string(j, item, "linux.namespaces.type", true);
		const char *path = json_string(j, item, "linux.namespaces.path", false);
		unsigned k = 0;

		while (type && k < NR_NAMESPACES && strcmp(namespaces[k].name, type) != 0)
			k++;
		if (!type)
			return;
		if (k == NR_NAMESPACES) {
			json_fail(j, "linux.namespaces", "\"%s\" is not a namespace", type);
			return;
		}
		if (seen & 1u << k)
			json_fail(j, "linux.namespaces", "names the %s namespace twice", type);
		seen |= 1u << k;
		path = path && *path ? path : NULL;
		if (path && !j->err)
			check_namespace(j, type, namespaces[k].flag, path);
		if (!path && namespaces[k].choice)
			s->own_namespaces |= namespaces[k].flag;
		if (strcmp(type, "network") == 0) {
			s->own_network = true;
			s->network_path = path;
		} else if (strcmp(type, "uts") == 0) {
			s->uts_path = path;
		} else if (strcmp(type, "user") == 0) {
			s->own_user = true;
			if (path && !s->pod)
				json_fail(j, "linux.namespaces", "joining a user namespace (%s) is not supported; give uidMappings and gidMappings", path);
		} else if (path && !s->pod) {
			log_warn("%s: linux.namespaces: the %s namespace %s is outside of the sandbox and not joined", j->file, type, path);
		}
	}
}

static void parse_device(struct json *j, const cJSON *item, const char *name, struct spec_device *d)
{
	char *field = xasprintf("%s.type", name);
	const char *type = json_string(j, item, field, true);
	char *path = xasprintf("%s.path", name), *major = xasprintf("%s.major", name), *minor = xasprintf("%s.minor", name);
	char *mode = xasprintf("%s.fileMode", name), *uid = xasprintf("%s.uid", name), *gid = xasprintf("%s.gid", name);

	d->path = json_string(j, item, path, true);
	d->major = json_int(j, item, major, 0, 0, 4095);
	d->minor = json_int(j, item, minor, 0, 0, 1 << 20);
	d->mode = json_int(j, item, mode, 0666, 0, 0177777) & 07777;
	d->uid = json_int(j, item, uid, 0, 0, UINT32_MAX - 1);
	d->gid = json_int(j, item, gid, 0, 0, UINT32_MAX - 1);
	if (d->path && *d->path != '/')
		json_fail(j, path, "\"%s\" is not an absolute path", d->path);
	if (type && (strcmp(type, "c") == 0 || strcmp(type, "u") == 0))
		d->mode |= S_IFCHR;
	else if (type && strcmp(type, "b") == 0)
		d->mode |= S_IFBLK;
	else if (type && strcmp(type, "p") == 0)
		d->mode |= S_IFIFO;
	else if (type)
		json_fail(j, field, "\"%s\" is not a type of device (c, b, u, p)", type);
	free(field);
	free(path);
	free(major);
	free(minor);
	free(mode);
	free(uid);
	free(gid);
}

/* Those of memory and terminals, which every container has. */
static bool sentry_has_driver(const struct spec_device *d)
{
	return S_ISFIFO(d->mode) || (S_ISCHR(d->mode) && ((d->major == 1 && d->minor >= 3 && d->minor <= 11) || d->major == 5));
}

static void parse_devices(struct json *j, const cJSON *linux_obj, struct spec *s)
{
	const cJSON *list = json_array(j, linux_obj, "linux.devices", false), *item;

	s->devices = xcalloc(list ? cJSON_GetArraySize(list) : 0, sizeof(*s->devices));
	cJSON_ArrayForEach(item, list) {
		char *name = xasprintf("linux.devices[%u]", s->ndevices);
		struct spec_device *d = &s->devices[s->ndevices];

		parse_device(j, item, name, d);
		free(name);
		if (j->err)
			return;
		if (!sentry_has_driver(d))
			log_warn("%s: linux.devices: %s: there is no such device in the sandbox; its node cannot be opened", j->file, d->path);
		s->ndevices++;
	}
}

static void parse_sysctl(struct json *j, const cJSON *linux_obj, struct spec *s)
{
	const cJSON *obj = json_object(j, linux_obj, "linux.sysctl", false), *item;
	unsigned n = 0;

	s->sysctls = xcalloc((obj ? cJSON_GetArraySize(obj) : 0) + 1, sizeof(char *));
	cJSON_ArrayForEach(item, obj) {
		char *field = xasprintf("linux.sysctl[\"%s\"]", item->string);

		if (!cJSON_IsString(item))
			json_fail(j, field, "must be a string");
		else if (strstr(item->string, "..") || strchr(item->string, '='))
			json_fail(j, field, "is not the name of a setting");
		else if (strcmp(item->string, "kernel.domainname") == 0 && !s->domainname)
			s->domainname = item->valuestring;
		else if (strcmp(item->string, "kernel.hostname") == 0)
			json_fail(j, field, "use the hostname field");
		else
			s->sysctls[n++] = xasprintf("%s=%s", item->string, item->valuestring);
		free(field);
	}
}

static void parse_paths(struct json *j, const cJSON *linux_obj, const char *field, char ***out)
{
	*out = json_strings(j, linux_obj, field, false, NULL);
	for (char **p = *out; *p; p++)
		if (**p != '/')
			json_fail(j, field, "\"%s\" is not an absolute path", *p);
}

static void parse_personality(struct json *j, const cJSON *linux_obj, struct spec *s)
{
	const cJSON *obj = json_object(j, linux_obj, "linux.personality", false);
	const char *domain = json_string(j, obj, "linux.personality.domain", obj != NULL);
	const cJSON *flags = json_array(j, obj, "linux.personality.flags", false);

	if (domain && strcmp(domain, "LINUX32") == 0)
		s->personality = PER_LINUX32;
	else if (domain && strcmp(domain, "LINUX") != 0)
		json_fail(j, "linux.personality.domain", "\"%s\" is neither LINUX nor LINUX32", domain);
	if (flags && flags->child)
		json_fail(j, "linux.personality.flags", "flags are not supported");
}

static void parse_time_offsets(struct json *j, const cJSON *linux_obj)
{
	const cJSON *obj = json_object(j, linux_obj, "linux.timeOffsets", false), *clock, *v;

	cJSON_ArrayForEach(clock, obj)
		cJSON_ArrayForEach(v, clock)
			if (!cJSON_IsNumber(v) || v->valuedouble != 0)
				json_fail(j, "linux.timeOffsets", "offsets of %s are not supported", clock->string);
}

static void parse_propagation(struct json *j, const cJSON *linux_obj, struct spec *s)
{
	static const char *const known[] = {"shared", "rshared", "slave", "rslave", "private", "rprivate", "unbindable", "runbindable"};
	const char *p = json_string(j, linux_obj, "linux.rootfsPropagation", false);

	for (unsigned i = 0; p && *p && i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(p, known[i]) == 0)
			s->root_propagation = p;
	if (p && *p && !s->root_propagation)
		json_fail(j, "linux.rootfsPropagation", "\"%s\" is not a propagation", p);
}

static void parse_cgroups_path(struct json *j, const cJSON *obj, struct spec *s)
{
	const char *p = json_string(j, obj, "linux.cgroupsPath", false);
	size_t len = p ? strlen(p) : 0;

	if (p && (strstr(p, "/../") || has_prefix(p, "../") || strcmp(p, "..") == 0 || (len >= 3 && strcmp(p + len - 3, "/..") == 0)))
		json_fail(j, "linux.cgroupsPath", "\"%s\" climbs with \"..\"", p);
	s->cgroups_path = len ? p : NULL;
}

/* In the form of /proc/PID/uid_map; *zero: what id 0 is outside. */
static char *parse_id_map(struct json *j, const cJSON *linux_obj, const char *field, uint32_t *zero)
{
	const cJSON *list = json_array(j, linux_obj, field, false), *item;
	char *map = xstrdup("");
	bool has_zero = false;

	cJSON_ArrayForEach(item, list) {
		uint32_t inside = json_int(j, item, "containerID", 0, 0, UINT32_MAX - 1);
		uint32_t outside = json_int(j, item, "hostID", 0, 0, UINT32_MAX - 1);
		uint32_t size = json_int(j, item, "size", 0, 1, UINT32_MAX);
		char *next = xasprintf("%s%u %u %u\n", map, inside, outside, size);

		if (inside == 0) {
			has_zero = true;
			*zero = outside;
		}
		free(map);
		map = next;
	}
	if (list && list->child && !has_zero)
		json_fail(j, field, "has nothing for id 0, which the sandbox itself needs");
	return map;
}

static void parse_id_maps(struct json *j, const cJSON *linux_obj, struct spec *s)
{
	char *uids = parse_id_map(j, linux_obj, "linux.uidMappings", &s->host_uid);
	char *gids = parse_id_map(j, linux_obj, "linux.gidMappings", &s->host_gid);

	if (s->own_user && *uids && *gids) {
		s->uid_map = uids;
		s->gid_map = gids;
	} else if (s->own_user && !*uids != !*gids) {
		json_fail(j, "linux.uidMappings", "uidMappings and gidMappings must be given both");
	} else if (!s->own_user && (*uids || *gids)) {
		json_fail(j, "linux.uidMappings", "needs a user namespace in linux.namespaces");
	}
}

void spec_parse_linux(struct json *j, struct spec *s)
{
	const cJSON *obj = json_object(j, j->root, "linux", false);

	parse_cgroups_path(j, obj, s);
	parse_resources(j, obj, s);
	parse_namespaces(j, obj, s);
	parse_id_maps(j, obj, s);
	parse_devices(j, obj, s);
	parse_sysctl(j, obj, s);
	parse_paths(j, obj, "linux.maskedPaths", &s->masked_paths);
	parse_paths(j, obj, "linux.readonlyPaths", &s->readonly_paths);
	parse_personality(j, obj, s);
	parse_time_offsets(j, obj);
	parse_propagation(j, obj, s);
	spec_parse_seccomp(j, json_object(j, obj, "linux.seccomp", false), s);
	spec_tell_fields(j, "linux", obj);
}
