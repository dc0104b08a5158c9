/* SPDX-License-Identifier: Apache-2.0 */
/* runsc features: what this runtime supports, as features.md of the OCI runtime specification describes it. */
#include <cap-ng.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "oci/command.h"
#include "oci/hooks.h"
#include "oci/spec.h"
#include "oci/util.h"

static cJSON *string_array(const char *const *strings)
{
	cJSON *a = cJSON_CreateArray();

	for (; *strings; strings++)
		cJSON_AddItemToArray(a, cJSON_CreateString(*strings));
	return a;
}

static cJSON *capabilities(void)
{
	cJSON *a = cJSON_CreateArray();

	for (unsigned c = 0; c <= CAP_LAST_CAP; c++) {
		const char *name = capng_capability_to_name(c);
		char *upper = name ? xasprintf("CAP_%s", name) : NULL;

		for (char *p = upper; p && *p; p++)
			*p = *p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p;
		if (upper)
			cJSON_AddItemToArray(a, cJSON_CreateString(upper));
		free(upper);
	}
	return a;
}

static void add_enabled(cJSON *o, const char *name, bool enabled)
{
	cJSON_AddBoolToObject(cJSON_AddObjectToObject(o, name), "enabled", enabled);
}

static cJSON *linux_features(void)
{
	static const char *const namespaces[] = {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts", NULL};
	cJSON *o = cJSON_CreateObject(), *cg;

	cJSON_AddItemToObject(o, "namespaces", string_array(namespaces));
	cJSON_AddItemToObject(o, "capabilities", capabilities());
	cg = cJSON_AddObjectToObject(o, "cgroup");
	cJSON_AddBoolToObject(cg, "v1", true);
	cJSON_AddBoolToObject(cg, "v2", true);
	cJSON_AddBoolToObject(cg, "rdma", true);
	add_enabled(o, "apparmor", false);
	add_enabled(o, "selinux", false);
	add_enabled(o, "intelRdt", false);
	return o;
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	const struct scmp_version *v = seccomp_version();
	cJSON *f = cJSON_CreateObject(), *a;

	cJSON_AddStringToObject(f, "ociVersionMin", "1.0.0");
	cJSON_AddStringToObject(f, "ociVersionMax", SPEC_VERSION);
	cJSON_AddItemToObject(f, "hooks", string_array(hook_kinds));
	cJSON_AddItemToObject(f, "mountOptions", string_array(spec_mount_options()));
	cJSON_AddItemToObject(f, "linux", linux_features());
	a = cJSON_AddObjectToObject(f, "annotations");
	cJSON_AddStringToObject(a, "dev.runsc.version", RUNSC_VERSION);
	if (v) {
		char *text = xasprintf("%u.%u.%u", v->major, v->minor, v->micro);

		cJSON_AddStringToObject(a, "io.github.seccomp.libseccomp.version", text);
		free(text);
	}
	puts(cJSON_Print(f));
	cJSON_Delete(f);
	return NULL;
}

const struct command cmd_features = {
    .name = "features", .args = "", .summary = "print what this runtime supports, as JSON", .run = run,
};
