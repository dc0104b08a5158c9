/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts array of config.json: bind mounts become mounts of the gofer, the others file systems of the Sentry. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "oci/spec.h"
#include "oci/util.h"

static const char *const sentry_types[] = {"proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "devtmpfs"};

/* What an option of mounts means here. The Sentry takes mount flags, propagation, and what is left for file systems. */
enum option_use {
	FLAG,     /* a flag of the mount, for the Sentry; of a bind mount for the gofer too, where it has an effect */
	KIND,     /* has been seen to: bind, ro ... */
	PROPAGATE,/* how mounts below it spread, for the Sentry */
	NOTHING,  /* asks for what is so anyway, or changes nothing that a container could see */
	IGNORED,  /* is not done, and said so */
	REFUSED,
};

static const struct {
	const char *name;
	enum option_use use;
	const char *plain; /* of a recursive attribute: the same without the recursion, which bind mounts have anyway */
} options[] = {
    {"acl", NOTHING, 0},          {"async", FLAG, 0},           {"atime", FLAG, 0},          {"bind", KIND, 0},
    {"copy", IGNORED, 0},         {"defaults", NOTHING, 0},     {"dev", FLAG, 0},            {"diratime", FLAG, 0},
    {"dirsync", FLAG, 0},         {"exec", FLAG, 0},            {"idmap", REFUSED, 0},       {"iversion", NOTHING, 0},
    {"lazytime", NOTHING, 0},     {"loud", NOTHING, 0},         {"mand", IGNORED, 0},        {"noacl", IGNORED, 0},
    {"noatime", FLAG, 0},         {"nodev", FLAG, 0},           {"nodiratime", FLAG, 0},     {"noexec", FLAG, 0},
    {"noiversion", NOTHING, 0},   {"nolazytime", NOTHING, 0},   {"nomand", NOTHING, 0},      {"norelatime", FLAG, 0},
    {"nostrictatime", FLAG, 0},   {"nosuid", FLAG, 0},          {"nosymfollow", IGNORED, 0}, {"private", PROPAGATE, 0},
    {"rbind", KIND, 0},           {"relatime", FLAG, 0},        {"remount", NOTHING, 0},     {"ridmap", REFUSED, 0},
    {"ro", KIND, 0},              {"rprivate", PROPAGATE, 0},   {"rshared", PROPAGATE, 0},   {"rslave", PROPAGATE, 0},
    {"runbindable", PROPAGATE, 0},{"rw", KIND, 0},              {"shared", PROPAGATE, 0},    {"silent", NOTHING, 0},
    {"slave", PROPAGATE, 0},      {"strictatime", FLAG, 0},     {"suid", FLAG, 0},           {"symfollow", NOTHING, 0},
    {"sync", FLAG, 0},            {"tmpcopyup", NOTHING, 0},    {"unbindable", PROPAGATE, 0},
    {"ratime", FLAG, "atime"},    {"rdev", FLAG, "dev"},        {"rdiratime", FLAG, "diratime"}, {"rexec", FLAG, "exec"},
    {"rnoatime", FLAG, "noatime"},{"rnodev", FLAG, "nodev"},    {"rnodiratime", FLAG, "nodiratime"},
    {"rnoexec", FLAG, "noexec"},  {"rnorelatime", FLAG, "norelatime"}, {"rnostrictatime", FLAG, "nostrictatime"},
    {"rnosuid", FLAG, "nosuid"},  {"rnosymfollow", IGNORED, 0}, {"rrelatime", FLAG, "relatime"}, {"rro", KIND, 0},
    {"rrw", KIND, 0},             {"rstrictatime", FLAG, "strictatime"}, {"rsuid", FLAG, "suid"}, {"rsymfollow", NOTHING, 0},
};

#define NR_OPTIONS (sizeof(options) / sizeof(options[0]))

const char *const *spec_mount_options(void)
{
	static const char *names[NR_OPTIONS + 1];
	unsigned n = 0;

	for (unsigned i = 0; i < NR_OPTIONS; i++)
		if (options[i].use != IGNORED && options[i].use != REFUSED)
			names[n++] = options[i].name;
	return names;
}

static int find_option(const char *name)
{
	for (unsigned i = 0; i < NR_OPTIONS; i++)
		if (strcmp(options[i].name, name) == 0)
			return i;
	return -1;
}

static bool is_sentry_type(const char *type)
{
	for (unsigned i = 0; i < sizeof(sentry_types) / sizeof(sentry_types[0]); i++)
		if (strcmp(sentry_types[i], type) == 0)
			return true;
	return false;
}

/* Leaves those that the Sentry and the gofer shall see. */
static void filter_options(struct json *j, const char *field, struct spec_mount *m)
{
	bool bind = strcmp(m->type, "gofer") == 0;
	unsigned n = 0;

	for (unsigned i = 0; m->options[i]; i++) {
		char *o = m->options[i];
		int k = find_option(o);
		enum option_use use = k < 0 ? FLAG : options[k].use;

		if (use == REFUSED)
			json_fail(j, field, "\"%s\" is not supported", o);
		if (use == IGNORED || (k < 0 && bind)) {
			log_warn("%s: %s: option \"%s\" is not supported and ignored", j->file, field, o);
			continue;
		}
		if (bind && use == PROPAGATE && strstr(o, "shared"))
			log_warn("%s: %s: \"%s\": what the container mounts there does not show on the host", j->file, field, o);
		/* What is no option of mounts is one of the file system (size=, mode=). */
		if (use == FLAG || use == PROPAGATE || (strcmp(o, "tmpcopyup") == 0 && strcmp(m->type, "tmpfs") == 0))
			m->options[n++] = k >= 0 && options[k].plain ? (char *)options[k].plain : o;
	}
	m->options[n] = NULL;
}

static void parse_bind(struct json *j, struct spec *s, unsigned i, struct spec_mount *m)
{
	char *field = xasprintf("mounts[%u].source", i);
	struct stat st;

	m->type = "gofer";
	if (!*m->source)
		json_fail(j, field, "missing; a bind mount needs it");
	else if (*m->source != '/')
		m->source = xasprintf("%s/%s", s->bundle, m->source);
	if (!j->err && stat(m->source, &st) < 0)
		json_fail(j, field, "%s: %s", m->source, strerror(errno));
	free(field);
}

static void parse_mount(struct json *j, struct spec *s, unsigned i, const cJSON *obj, struct spec_mount *m)
{
	char *dest = xasprintf("mounts[%u].destination", i);
	char *type = xasprintf("mounts[%u].type", i);
	char *source = xasprintf("mounts[%u].source", i);
	char *option_field = xasprintf("mounts[%u].options", i);
	bool bind;

	m->destination = json_string(j, obj, dest, true);
	m->type = json_string(j, obj, type, false);
	m->source = json_string(j, obj, source, false);
	m->options = json_strings(j, obj, option_field, false, NULL);
	if (!m->source)
		m->source = "";
	bind = m->type && strcmp(m->type, "bind") == 0;
	for (unsigned k = 0; m->options[k]; k++) {
		if (strcmp(m->options[k], "bind") == 0 || strcmp(m->options[k], "rbind") == 0)
			bind = true;
		m->recursive |= strcmp(m->options[k], "rbind") == 0;
		if (strcmp(m->options[k], "ro") == 0 || strcmp(m->options[k], "rro") == 0)
			m->readonly = true;
		if (strcmp(m->options[k], "rw") == 0 || strcmp(m->options[k], "rrw") == 0)
			m->readonly = false;
	}
	if (m->destination && *m->destination != '/')
		json_fail(j, dest, "\"%s\" is not an absolute path", m->destination);
	if (bind) {
		parse_bind(j, s, i, m);
	} else if (!m->type) {
		json_fail(j, type, "missing; it must be a string");
	} else {
		if (strcmp(m->type, "cgroup2") == 0)
			m->type = "cgroup";
		if (!is_sentry_type(m->type))
			json_fail(j, type, "file system type \"%s\" is not supported", m->type);
	}
	if (m->type)
		filter_options(j, option_field, m);
	free(dest);
	free(type);
	free(source);
	free(option_field);
}

void spec_parse_mounts(struct json *j, struct spec *s)
{
	const cJSON *list = json_array(j, j->root, "mounts", false), *item;
	unsigned n = list ? cJSON_GetArraySize(list) : 0, i = 0;

	s->mounts = xcalloc(n + 1, sizeof(*s->mounts));
	cJSON_ArrayForEach(item, list) {
		if (!cJSON_IsObject(item)) {
			char *field = xasprintf("mounts[%u]", i);

			json_fail(j, field, "must be an object");
			free(field);
		}
		if (j->err)
			return;
		parse_mount(j, s, i, item, &s->mounts[i]);
		i++;
	}
	s->nmounts = i;
}

void spec_default_mounts(struct spec *s)
{
	struct spec_mount dev = {.destination = "/dev", .type = "devtmpfs", .source = "dev"};

	for (unsigned i = 0; i < s->nmounts; i++)
		if (strcmp(s->mounts[i].destination, "/dev") == 0)
			return;
	/* Before the others, which may be mounted below it. spec_parse_mounts left room for one more. */
	dev.options = xcalloc(1, sizeof(char *));
	memmove(s->mounts + 1, s->mounts, s->nmounts * sizeof(*s->mounts));
	s->mounts[0] = dev;
	s->nmounts++;
}
