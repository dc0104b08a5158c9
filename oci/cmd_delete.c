/* SPDX-License-Identifier: Apache-2.0 */
/* runsc delete: remove what is left of a stopped container, or one that was never started; with --force also a running one. */
#include <signal.h>

#include "oci/command.h"
#include "oci/control_client.h"
#include "oci/sandbox.h"
#include "oci/state.h"

static struct {
	bool force;
} values;

static const struct flag flags[] = {
    {"force", 'f', FLAG_BOOL, 0, NULL, "kill the container if it runs; succeed if it does not exist"},
    {0},
};

/* The creator holds the lock while it waits for its sandbox, which may not answer: it hears of the end, and gives up. */
static void end_creation(const struct options *o, const char *id)
{
	struct state s;
	struct error *e = state_open(o->root, id, false, &s);

	if (!e && s.pid && state_status(&s) == STATE_CREATING)
		e = state_kill_processes(&s);
	error_free(e);
	state_close(&s);
}

static struct error *delete_one(const struct options *o, const char *id)
{
	struct state s;
	struct error *e;
	bool missing;

	if (values.force)
		end_creation(o, id);
	e = state_open(o->root, id, true, &s);
	missing = e && s.dir < 0;

	if (missing && values.force) {
		error_free(e);
		return NULL;
	}
	if (e && !(values.force && s.dir >= 0))
		return e;
	/* A damaged state.json must not keep the container for ever. */
	if (e) {
		log_warn("delete: %s; its cgroups, if any, stay", e->msg);
		error_free(e);
		error_free(control_signal(s.dir, s.id, SIGKILL, 0, false)); /* the sandbox ends, and the gofer with it */
		s.pid = s.gofer_pid = 0;
		s.cgroup_paths = NULL;
	} else if (!values.force && state_status(&s) != STATE_STOPPED && state_status(&s) != STATE_CREATED) {
		return error_new("delete: container \"%s\" is %s; stop it first, or use --force", id,
		                 state_status_name(state_status(&s)));
	}
	e = sandbox_destroy(&s);
	state_close(&s);
	return error_wrap(e, "delete \"%s\"", id);
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	struct error *first = NULL;

	for (int i = 0; i < argc; i++) {
		struct error *e = delete_one(o, argv[i]);

		if (!first)
			first = e;
		else if (e)
			log_error(e), error_free(e);
	}
	return first;
}

const struct command cmd_delete = {
    .name = "delete", .args = "ID...", .summary = "remove a container", .flags = flags, .values = &values, .min_args = 1,
    .max_args = -1, .run = run,
};
