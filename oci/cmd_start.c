/* SPDX-License-Identifier: Apache-2.0 */
/* runsc start: run the program of a created container. Once. */
#include "oci/command.h"
#include "oci/sandbox.h"
#include "oci/state.h"

static struct error *start(struct state *s)
{
	switch (state_status(s)) {
	case STATE_CREATED:
		return sandbox_start(s);
	case STATE_STOPPED:
		return error_new("cannot start a container that has stopped");
	default:
		return error_new("cannot start a container that is %s already", state_status_name(state_status(s)));
	}
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	struct state s;
	struct error *e = state_open(o->root, argv[0], true, &s);

	if (!e)
		e = start(&s);
	state_close(&s);
	return error_wrap(e, "start \"%s\"", argv[0]);
}

const struct command cmd_start = {
    .name = "start", .args = "ID", .summary = "run the program of a created container", .min_args = 1, .max_args = 1,
    .run = run,
};
