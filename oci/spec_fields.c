/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every field of config.json (runtime specification 1.2, POSIX and Linux) and what runsc does about it: the table behind
 * warnings, `runsc spec --fields` and docs/oci.md. A field that is not in it is not the specification's.
 */
#include <stdio.h>
#include <string.h>

#include "oci/spec.h"

enum field_use {
	DONE,    /* acted upon */
	GIVEN,   /* what it asks for is so in any sandbox: noted in the debug log only */
	IGNORED, /* not done, with a warning */
	REFUSED, /* an error, where the field is read */
};

struct field {
	const char *parent, *key;
	enum field_use use;
	const char *note;
};

static const struct field fields[] = {
    {"", "ociVersion", DONE, "1.x"},
    {"", "process", DONE, ""},
    {"", "root", DONE, ""},
    {"", "hostname", DONE, ""},
    {"", "domainname", DONE, ""},
    {"", "mounts", DONE, ""},
    {"", "hooks", DONE, ""},
    {"", "annotations", DONE, "kept for `state`; `dev.gvisor.flag.*` with --allow-flag-override"},
    {"", "linux", DONE, ""},
    {"", "solaris", IGNORED, "another system's"},
    {"", "windows", IGNORED, "another system's"},
    {"", "vm", IGNORED, "another runtime's"},
    {"", "zos", IGNORED, "another system's"},
    {"root", "path", DONE, "absolute, or below the bundle"},
    {"root", "readonly", DONE, ""},
    {"process", "terminal", DONE, ""},
    {"process", "consoleSize", DONE, "of a pseudo-terminal made for --console-socket"},
    {"process", "cwd", DONE, "made if it is missing"},
    {"process", "env", DONE, ""},
    {"process", "args", DONE, ""},
    {"process", "commandLine", IGNORED, "another system's"},
    {"process", "user", DONE, ""},
    {"process", "capabilities", DONE, "all five sets; unknown names are warned of"},
    {"process", "rlimits", DONE, "those not given are those of runsc itself"},
    {"process", "noNewPrivileges", DONE, ""},
    {"process", "oomScoreAdj", DONE, "of the process inside, and of the sandbox"},
    {"process", "scheduler", DONE, "inside the sandbox; SCHED_DEADLINE is refused"},
    {"process", "ioPriority", DONE, "kept and shown inside; the host schedules the sandbox's I/O"},
    {"process", "execCPUAffinity", IGNORED, "the sandbox's threads serve all processes"},
    {"process", "apparmorProfile", GIVEN, "the application makes no system call of the host's"},
    {"process", "selinuxLabel", GIVEN, "likewise"},
    {"process.user", "uid", DONE, ""},
    {"process.user", "gid", DONE, ""},
    {"process.user", "umask", DONE, ""},
    {"process.user", "additionalGids", DONE, ""},
    {"process.user", "username", IGNORED, "another system's"},
    {"linux", "namespaces", DONE, "`network` by path is joined, `user` by path is refused; the others are the Sentry's own, a path to one is warned of"},
    {"linux", "uidMappings", DONE, "of the sandbox's own user namespace; id 0 must be mapped"},
    {"linux", "gidMappings", DONE, ""},
    {"linux", "timeOffsets", REFUSED, "where an offset is not zero"},
    {"linux", "devices", DONE, "nodes are made; those that the Sentry has no driver for cannot be opened, with a warning"},
    {"linux", "netDevices", IGNORED, ""},
    {"linux", "cgroupsPath", DONE, "containers may share one; `delete` leaves a cgroup that others are in"},
    {"linux", "resources", DONE, "see below"},
    {"linux", "intelRdt", IGNORED, ""},
    {"linux", "sysctl", DONE, "in the Sentry; net.* in the container's network namespace"},
    {"linux", "seccomp", DONE, "compiled on the host, run by the Sentry; see below"},
    {"linux", "rootfsPropagation", DONE, "inside the sandbox"},
    {"linux", "maskedPaths", DONE, ""},
    {"linux", "readonlyPaths", DONE, ""},
    {"linux", "mountLabel", GIVEN, "as selinuxLabel"},
    {"linux", "personality", DONE, "flags are refused"},
    {"linux.seccomp", "defaultAction", DONE, "SCMP_ACT_NOTIFY is refused"},
    {"linux.seccomp", "defaultErrnoRet", DONE, ""},
    {"linux.seccomp", "architectures", GIVEN, "system calls of x86-64 are the only ones"},
    {"linux.seccomp", "flags", DONE, "SECCOMP_FILTER_FLAG_LOG; the others change nothing here"},
    {"linux.seccomp", "listenerPath", REFUSED, "no notifications"},
    {"linux.seccomp", "listenerMetadata", REFUSED, "no notifications"},
    {"linux.seccomp", "syscalls", DONE, ""},
};

#define NR_FIELDS (sizeof(fields) / sizeof(fields[0]))

static bool is_empty(const cJSON *v)
{
	return cJSON_IsNull(v) || ((cJSON_IsArray(v) || cJSON_IsObject(v)) && !v->child) ||
	       (cJSON_IsString(v) && !*v->valuestring);
}

static const struct field *find(const char *parent, const char *key)
{
	for (unsigned i = 0; i < NR_FIELDS; i++)
		if (strcmp(fields[i].parent, parent) == 0 && strcmp(fields[i].key, key) == 0)
			return &fields[i];
	return NULL;
}

void spec_tell_fields(struct json *j, const char *parent, const cJSON *obj)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, obj) {
		const struct field *f = find(parent, v->string);
		const char *dot = *parent ? "." : "";

		if (is_empty(v))
			continue;
		if (!f)
			log_debug("%s: %s%s%s: unknown field", j->file, parent, dot, v->string);
		else if (f->use == GIVEN)
			log_debug("%s: %s%s%s is not needed in a sandbox", j->file, parent, dot, v->string);
		else if (f->use == IGNORED)
			log_warn("%s: %s%s%s is not supported and ignored", j->file, parent, dot, v->string);
	}
}

void spec_print_fields(void)
{
	static const char *const words[] = {[DONE] = "handled", [GIVEN] = "not needed", [IGNORED] = "ignored, with a warning",
	                                    [REFUSED] = "refused"};

	printf("| field | | note |\n| --- | --- | --- |\n");
	for (unsigned i = 0; i < NR_FIELDS; i++)
		printf("| `%s%s%s` | %s | %s |\n", fields[i].parent, *fields[i].parent ? "." : "", fields[i].key, words[fields[i].use],
		       fields[i].note);
}
