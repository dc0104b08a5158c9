/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts array of config.json: bind mounts become mounts of the gofer, the others file systems of the Sentry. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "oci/spec.h"
#include "oci/util.h"

static const char *const sentry_types[] = {"proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "devtmpfs"};

/* Options of bind mounts that change nothing here: propagation ends at the sandbox, and the gofer's mounts are nodev
 * in any case. */
static bool bind_option_ignored(const char *o)
{
	static const char *const ignored[] = {"private", "rprivate", "slave", "rslave", "nodev", "dev", "relatime", "norelatime",
	                                      "strictatime", "nostrictatime", "atime", "async", "defaults", "loud", "silent",
	                                      "bind", "rbind", "ro", "rw", "exec", "suid", "diratime", "nodiratime", "nosymfollow",
	                                      "tmpcopyup"};

	for (unsigned i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (strcmp(o, ignored[i]) == 0)
			return true;
	return false;
}

static bool is_sentry_type(const char *type)
{
	for (unsigned i = 0; i < sizeof(sentry_types) / sizeof(sentry_types[0]); i++)
		if (strcmp(sentry_types[i], type) == 0)
			return true;
	return false;
}

static void check_bind_options(struct json *j, const char *field, struct spec_mount *m)
{
	unsigned n = 0;

	for (unsigned i = 0; m->options[i]; i++) {
		const char *o = m->options[i];

		if (strcmp(o, "nosuid") == 0 || strcmp(o, "noexec") == 0 || strcmp(o, "noatime") == 0)
			m->options[n++] = m->options[i];
		else if (strcmp(o, "shared") == 0 || strcmp(o, "rshared") == 0 || strcmp(o, "unbindable") == 0 ||
		         strcmp(o, "runbindable") == 0 || strcmp(o, "idmap") == 0 || strcmp(o, "ridmap") == 0)
			json_fail(j, field, "\"%s\" is not supported", o);
		else if (!bind_option_ignored(o))
			log_warn("%s: %s: unknown option \"%s\" ignored", j->file, field, o);
	}
	m->options[n] = NULL;
}

static void parse_bind(struct json *j, struct spec *s, unsigned i, struct spec_mount *m)
{
	char *field = xasprintf("mounts[%u].source", i);
	char *options = xasprintf("mounts[%u].options", i);
	struct stat st;

	m->type = "gofer";
	if (!*m->source)
		json_fail(j, field, "missing; a bind mount needs it");
	else if (*m->source != '/')
		m->source = xasprintf("%s/%s", s->bundle, m->source);
	if (!j->err && stat(m->source, &st) < 0)
		json_fail(j, field, "%s: %s", m->source, strerror(errno));
	check_bind_options(j, options, m);
	free(field);
	free(options);
}

static void parse_mount(struct json *j, struct spec *s, unsigned i, const cJSON *obj, struct spec_mount *m)
{
	char *dest = xasprintf("mounts[%u].destination", i);
	char *type = xasprintf("mounts[%u].type", i);
	char *source = xasprintf("mounts[%u].source", i);
	char *options = xasprintf("mounts[%u].options", i);
	bool bind;

	m->destination = json_string(j, obj, dest, true);
	m->type = json_string(j, obj, type, false);
	m->source = json_string(j, obj, source, false);
	m->options = json_strings(j, obj, options, false, NULL);
	if (!m->source)
		m->source = "";
	bind = m->type && strcmp(m->type, "bind") == 0;
	for (unsigned k = 0; m->options[k]; k++) {
		if (strcmp(m->options[k], "bind") == 0 || strcmp(m->options[k], "rbind") == 0)
			bind = true;
		m->recursive |= strcmp(m->options[k], "rbind") == 0;
		if (strcmp(m->options[k], "ro") == 0)
			m->readonly = true;
		if (strcmp(m->options[k], "rw") == 0)
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
		/* runc fills a tmpfs with the default devices; the Sentry has a file system of devices. */
		if (m->destination && strcmp(m->destination, "/dev") == 0 && strcmp(m->type, "tmpfs") == 0)
			m->type = "devtmpfs";
	}
	free(dest);
	free(type);
	free(source);
	free(options);
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
