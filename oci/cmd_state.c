/* SPDX-License-Identifier: Apache-2.0 */
/* runsc state: a container's state as the OCI runtime specification defines it. */
#include <stdio.h>

#include "oci/command.h"
#include "oci/state.h"

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	struct state s;
	struct error *e = state_open(o->root, argv[0], false, &s);
	enum state_status st;
	cJSON *j;

	if (e)
		return e;
	st = state_status(&s);
	j = cJSON_CreateObject();
	cJSON_AddStringToObject(j, "ociVersion", s.version);
	cJSON_AddStringToObject(j, "id", s.id);
	cJSON_AddStringToObject(j, "status", state_status_name(st));
	if (st == STATE_RUNNING)
		cJSON_AddNumberToObject(j, "pid", s.pid);
	cJSON_AddStringToObject(j, "bundle", s.bundle);
	cJSON_AddStringToObject(j, "rootfs", s.rootfs);
	cJSON_AddStringToObject(j, "created", s.created);
	if (s.annotations)
		cJSON_AddItemToObject(j, "annotations", cJSON_Duplicate(s.annotations, true));
	puts(cJSON_Print(j));
	state_close(&s);
	return NULL;
}

const struct command cmd_state = {
    .name = "state", .args = "ID", .summary = "print a container's state", .min_args = 1, .max_args = 1, .run = run,
};
