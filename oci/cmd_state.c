/* SPDX-License-Identifier: Apache-2.0 */
/* runsc state: a container's state as the OCI runtime specification defines it. */
#include <stdio.h>

#include "oci/command.h"
#include "oci/state.h"

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	struct state s;
	struct error *e = state_open(o->root, argv[0], false, &s);

	if (e)
		return e;
	puts(cJSON_Print(state_json(&s, state_status(&s))));
	state_close(&s);
	return NULL;
}

const struct command cmd_state = {
    .name = "state", .args = "ID", .summary = "print a container's state", .min_args = 1, .max_args = 1, .run = run,
};
