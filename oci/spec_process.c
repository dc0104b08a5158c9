/* SPDX-License-Identifier: Apache-2.0 */
/* The process object of config.json. */
#include <cap-ng.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "oci/spec.h"
#include "oci/util.h"

#define NOFILE_MAX 1048576 /* /proc/sys/fs/nr_open of the sandbox */

static const struct {
	const char *name;
	uint32_t resource;
} rlimit_names[] = {
    {"RLIMIT_AS", RLIMIT_AS},           {"RLIMIT_CORE", RLIMIT_CORE},         {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},       {"RLIMIT_FSIZE", RLIMIT_FSIZE},       {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK}, {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE}, {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},   {"RLIMIT_NPROC", RLIMIT_NPROC},       {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},   {"RLIMIT_RTTIME", RLIMIT_RTTIME},     {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};

static int rlimit_number(const char *name)
{
	for (unsigned i = 0; i < sizeof(rlimit_names) / sizeof(rlimit_names[0]); i++)
		if (strcmp(rlimit_names[i].name, name) == 0)
			return rlimit_names[i].resource;
	return -1;
}

static void parse_rlimits(struct json *j, const cJSON *process, struct spec *s)
{
	const cJSON *list = json_array(j, process, "process.rlimits", false), *item;
	unsigned i = 0;

	s->rlimits = xcalloc(list ? cJSON_GetArraySize(list) : 0, sizeof(*s->rlimits));
	cJSON_ArrayForEach(item, list) {
		char *type_field = xasprintf("process.rlimits[%u].type", i);
		char *soft_field = xasprintf("process.rlimits[%u].soft", i);
		char *hard_field = xasprintf("process.rlimits[%u].hard", i);
		const char *type = json_string(j, item, type_field, true);
		struct spec_rlimit r = {0};
		int number = type ? rlimit_number(type) : -1;

		r.soft = json_u64(j, item, soft_field, true);
		r.hard = json_u64(j, item, hard_field, true);
		if (type && number < 0)
			json_fail(j, type_field, "\"%s\" is not a resource limit", type);
		for (unsigned k = 0; k < s->nrlimits; k++)
			if (s->rlimits[k].resource == number)
				json_fail(j, type_field, "\"%s\" occurs twice", type);
		if (r.soft > r.hard)
			json_fail(j, soft_field, "is above the hard limit");
		r.resource = number;
		s->rlimits[s->nrlimits++] = r;
		free(type_field);
		free(soft_field);
		free(hard_field);
		i++;
	}
}

/* A limit that is not given is runsc's own, as a process inherits it: what an engine's own limits are is what containers
 * expect theirs to be. */
static void inherit_rlimits(struct spec *s)
{
	const unsigned n = sizeof(rlimit_names) / sizeof(rlimit_names[0]);
	unsigned given = s->nrlimits;

	s->rlimits = xrealloc(s->rlimits, (given + n) * sizeof(*s->rlimits));
	for (unsigned i = 0; i < n; i++) {
		struct spec_rlimit r = {.resource = rlimit_names[i].resource};
		struct rlimit own;
		unsigned k = 0;

		while (k < given && s->rlimits[k].resource != r.resource)
			k++;
		if (k < given || getrlimit((int)r.resource, &own) < 0)
			continue;
		r.soft = own.rlim_cur;
		r.hard = own.rlim_max;
		if (r.resource == RLIMIT_NOFILE) {
			r.soft = r.soft < NOFILE_MAX ? r.soft : NOFILE_MAX;
			r.hard = r.hard < NOFILE_MAX ? r.hard : NOFILE_MAX;
		}
		s->rlimits[s->nrlimits++] = r;
	}
}

static uint64_t parse_cap_set(struct json *j, const cJSON *caps, const char *field)
{
	char **names = json_strings(j, caps, field, false, NULL);
	uint64_t set = 0;

	for (unsigned i = 0; names[i]; i++) {
		int n = has_prefix(names[i], "CAP_") ? capng_name_to_capability(names[i] + 4) : -1;

		/* As runc: a capability that does not exist cannot be given; newer ones must not break older runtimes. */
		if (n < 0 || n > 63)
			log_warn("%s: %s[%u]: unknown capability \"%s\" ignored", j->file, field, i, names[i]);
		else
			set |= 1ull << n;
	}
	free(names);
	return set;
}

static void parse_caps(struct json *j, const cJSON *process, struct spec *s)
{
	static const char *const fields[CAPS_SETS] = {
	    [CAPS_EFFECTIVE] = "process.capabilities.effective",   [CAPS_PERMITTED] = "process.capabilities.permitted",
	    [CAPS_INHERITABLE] = "process.capabilities.inheritable", [CAPS_BOUNDING] = "process.capabilities.bounding",
	    [CAPS_AMBIENT] = "process.capabilities.ambient",
	};
	const cJSON *caps = json_object(j, process, "process.capabilities", false);

	for (unsigned i = 0; caps && i < CAPS_SETS; i++)
		s->caps[i] = parse_cap_set(j, caps, fields[i]);
}

static void parse_user(struct json *j, const cJSON *process, struct spec *s)
{
	const cJSON *user = json_object(j, process, "process.user", false);
	const cJSON *gids = json_array(j, user, "process.user.additionalGids", false), *item;

	s->uid = json_int(j, user, "process.user.uid", 0, 0, UINT32_MAX - 1);
	s->gid = json_int(j, user, "process.user.gid", 0, 0, UINT32_MAX - 1);
	s->umask = json_int(j, user, "process.user.umask", 022, 0, 0777);
	s->gids = xcalloc(gids ? cJSON_GetArraySize(gids) : 0, sizeof(*s->gids));
	cJSON_ArrayForEach(item, gids) {
		if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble >= UINT32_MAX ||
		    item->valuedouble != (double)(uint32_t)item->valuedouble) {
			char *field = xasprintf("process.user.additionalGids[%u]", s->ngids);

			json_fail(j, field, "is not a group id");
			free(field);
			return;
		}
		s->gids[s->ngids++] = item->valuedouble;
	}
	if (s->ngids > 65536)
		json_fail(j, "process.user.additionalGids", "has more than 65536 entries");
}

static void parse_scheduler(struct json *j, const cJSON *process, struct spec *s)
{
	static const struct {
		const char *name;
		int policy;
	} policies[] = {{"SCHED_OTHER", SCHED_OTHER}, {"SCHED_FIFO", SCHED_FIFO}, {"SCHED_RR", SCHED_RR},
	                {"SCHED_BATCH", SCHED_BATCH}, {"SCHED_IDLE", SCHED_IDLE}};
	const cJSON *obj = json_object(j, process, "process.scheduler", false);
	const char *name = json_string(j, obj, "process.scheduler.policy", obj != NULL);

	s->sched_policy = -1;
	for (unsigned i = 0; name && i < sizeof(policies) / sizeof(policies[0]); i++)
		if (strcmp(policies[i].name, name) == 0)
			s->sched_policy = policies[i].policy;
	if (name && s->sched_policy < 0)
		json_fail(j, "process.scheduler.policy", "\"%s\" is not supported", name);
	s->sched_nice = json_int(j, obj, "process.scheduler.nice", 0, -20, 19);
	s->sched_priority = json_int(j, obj, "process.scheduler.priority", 0, 0, 99);
	if (name && (s->sched_priority > 0) != (s->sched_policy == SCHED_FIFO || s->sched_policy == SCHED_RR))
		json_fail(j, "process.scheduler.priority", "%d does not go with %s", s->sched_priority, name);
}

static void parse_io_priority(struct json *j, const cJSON *process, struct spec *s)
{
	static const char *const classes[] = {"", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"};
	const cJSON *obj = json_object(j, process, "process.ioPriority", false);
	const char *name = json_string(j, obj, "process.ioPriority.class", obj != NULL);
	uint32_t priority = json_int(j, obj, "process.ioPriority.priority", 0, 0, 7);

	for (uint32_t i = 1; name && i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strcmp(classes[i], name) == 0)
			s->io_priority = i << 13 | priority;
	if (name && !s->io_priority)
		json_fail(j, "process.ioPriority.class", "\"%s\" is not a class", name);
}

static void parse_console(struct json *j, const cJSON *process, struct spec *s)
{
	const cJSON *size = json_object(j, process, "process.consoleSize", false);

	s->terminal = json_bool(j, process, "process.terminal", false);
	s->console_rows = json_int(j, size, "process.consoleSize.height", 0, 0, UINT16_MAX);
	s->console_columns = json_int(j, size, "process.consoleSize.width", 0, 0, UINT16_MAX);
}

void spec_parse_process(struct json *j, const cJSON *process, struct spec *s)
{
	unsigned nargs = 0;

	s->args = json_strings(j, process, "process.args", true, &nargs);
	if (!j->err && !nargs)
		json_fail(j, "process.args", "is empty");
	s->env = json_strings(j, process, "process.env", false, NULL);
	s->cwd = json_string(j, process, "process.cwd", true);
	if (s->cwd && *s->cwd != '/')
		json_fail(j, "process.cwd", "\"%s\" is not an absolute path", s->cwd);
	parse_user(j, process, s);
	parse_caps(j, process, s);
	parse_rlimits(j, process, s);
	inherit_rlimits(s);
	s->no_new_privs = json_bool(j, process, "process.noNewPrivileges", false);
	parse_console(j, process, s);
	parse_scheduler(j, process, s);
	parse_io_priority(j, process, s);
	spec_tell_fields(j, "process", process);
	spec_tell_fields(j, "process.user", cJSON_GetObjectItemCaseSensitive(process, "user"));
	s->has_oom_score_adj = json_get(j, process, "process.oomScoreAdj") != NULL;
	s->oom_score_adj = json_int(j, process, "process.oomScoreAdj", 0, -1000, 1000);
}
