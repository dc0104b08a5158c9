/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/spec.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/hooks.h"
#include "oci/util.h"

#define CONFIG_MAX (16u << 20)

static void parse_root(struct json *j, struct spec *s)
{
	const cJSON *root = json_object(j, j->root, "root", true);
	const char *path = json_string(j, root, "root.path", true);
	struct stat st;

	s->root_readonly = json_bool(j, root, "root.readonly", false);
	if (!path)
		return;
	if (!*path) {
		json_fail(j, "root.path", "is empty");
		return;
	}
	s->root = *path == '/' ? path : xasprintf("%s/%s", s->bundle, path);
	if (stat(s->root, &st) < 0)
		json_fail(j, "root.path", "%s: %s", s->root, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		json_fail(j, "root.path", "%s is not a directory", s->root);
}

static const char *annotation(const struct spec *s, const char *name)
{
	const cJSON *v = s->annotations ? cJSON_GetObjectItemCaseSensitive(s->annotations, name) : NULL;

	return cJSON_IsString(v) && *v->valuestring ? v->valuestring : NULL;
}

/* A container of a pod, as CRI's implementations say it. */
static const char *sandbox_to_join(const struct spec *s)
{
	static const struct {
		const char *type, *id;
	} kinds[] = {
	    {"io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id"},
	    {"io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri-o.SandboxID"},
	};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *type = annotation(s, kinds[i].type);

		if (type && strcmp(type, "container") == 0)
			return annotation(s, kinds[i].id);
	}
	return NULL;
}

static void parse_annotations(struct json *j, struct spec *s)
{
	const cJSON *item;

	s->annotations = json_object(j, j->root, "annotations", false);
	cJSON_ArrayForEach(item, s->annotations)
		if (!cJSON_IsString(item)) {
			char *name = xasprintf("annotations[\"%s\"]", item->string);

			json_fail(j, name, "must be a string");
			free(name);
		}
}

/* Docker's and containerd's configs say 1.0.x to 1.2.x; what changes between these is optional fields. */
static void parse_version(struct json *j, struct spec *s)
{
	s->version = json_string(j, j->root, "ociVersion", true);
	if (s->version && !has_prefix(s->version, "1."))
		json_fail(j, "ociVersion", "\"%s\" is not supported (1.x is)", s->version);
}

struct error *spec_load_process(const char *bundle, struct spec *s)
{
	struct json *j = xcalloc(1, sizeof(*j));
	struct error *e;

	memset(s, 0, sizeof(*s));
	e = json_load(j, xasprintf("%s/config.json", bundle), CONFIG_MAX);
	if (e)
		return e;
	spec_parse_process(j, json_object(j, j->root, "process", true), s);
	return json_error(j);
}

struct error *spec_load(const char *bundle, struct spec *s)
{
	struct json *j = xcalloc(1, sizeof(*j));
	char *real = realpath(bundle, NULL);
	struct error *e;
	char *path;

	memset(s, 0, sizeof(*s));
	if (!real)
		return error_errno(errno, "--bundle: %s", bundle);
	s->bundle = real;
	path = xasprintf("%s/config.json", real);
	e = json_load(j, path, CONFIG_MAX);
	if (e)
		return e;
	parse_version(j, s);
	parse_root(j, s);
	spec_parse_process(j, json_object(j, j->root, "process", true), s);
	s->hostname = json_string(j, j->root, "hostname", false);
	if (s->hostname && strlen(s->hostname) > 64)
		json_fail(j, "hostname", "is longer than 64 bytes");
	s->domainname = json_string(j, j->root, "domainname", false);
	if (s->domainname && strlen(s->domainname) > 64)
		json_fail(j, "domainname", "is longer than 64 bytes");
	spec_parse_mounts(j, s);
	parse_annotations(j, s);
	s->pod = sandbox_to_join(s);
	spec_parse_linux(j, s);
	s->hooks = json_object(j, j->root, "hooks", false);
	hooks_check(j, s->hooks);
	e = json_error(j);
	if (e)
		return e;
	spec_tell_fields(j, "", j->root);
	spec_tell_fields(j, "root", cJSON_GetObjectItemCaseSensitive(j->root, "root"));
	spec_default_mounts(s);
	return NULL;
}

void spec_for_command(struct spec *s, const char *root, const char *cwd, char **args, char **env)
{
	static char *no_options[] = {NULL};
	static const struct spec_mount mounts[] = {
	    {.destination = "/proc", .type = "proc", .source = "proc", .options = no_options},
	    {.destination = "/dev", .type = "devtmpfs", .source = "dev", .options = no_options},
	    {.destination = "/dev/pts", .type = "devpts", .source = "devpts", .options = no_options},
	    {.destination = "/dev/shm", .type = "tmpfs", .source = "shm", .options = no_options},
	    {.destination = "/dev/mqueue", .type = "mqueue", .source = "mqueue", .options = no_options},
	    {.destination = "/sys", .type = "sysfs", .source = "sysfs", .options = no_options},
	};
	unsigned n = sizeof(mounts) / sizeof(mounts[0]);

	memset(s, 0, sizeof(*s));
	resources_init(&s->resources);
	s->masked_paths = s->readonly_paths = s->sysctls = no_options;
	s->sched_policy = -1;
	s->bundle = root;
	s->version = "1.0.2";
	s->root = root;
	s->root_readonly = false;
	s->args = args;
	s->env = env;
	s->cwd = cwd;
	s->umask = 022;
	for (unsigned i = 0; i < CAPS_SETS; i++)
		s->caps[i] = i == CAPS_AMBIENT || i == CAPS_INHERITABLE ? 0 : (1ull << 41) - 1;
	s->mounts = xcalloc(n, sizeof(*s->mounts));
	memcpy(s->mounts, mounts, sizeof(mounts));
	s->nmounts = n;
}
