/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runsc pause, runsc resume. The Sentry keeps the container's tasks out of ring 3, which leaves the sandbox's CPUs idle;
 * its host processes go on to answer requests, so signals, exec and delete need no thaw. SIGKILL works at once.
 */
#include "oci/command.h"
#include "oci/control_client.h"
#include "oci/state.h"

static struct error *set_paused(const struct options *o, const char *id, bool pause)
{
	struct state s;
	struct error *e = state_open(o->root, id, true, &s);
	enum state_status st;
	struct tree t;

	if (e)
		return e;
	st = state_status(&s);
	if (st != (pause ? STATE_RUNNING : STATE_PAUSED)) {
		e = error_new("container not %s", pause ? "running" : "paused");
	} else {
		control_begin(&t, pause ? "pause" : "resume", s.id);
		e = control_call(s.dir, &t, NULL);
		s.paused = pause;
		if (!e)
			e = state_save(&s);
	}
	state_close(&s);
	return error_wrap(e, "%s \"%s\"", pause ? "pause" : "resume", id);
}

static struct error *run_pause(const struct options *o, int argc, char **argv, int *status)
{
	return set_paused(o, argv[0], true);
}

static struct error *run_resume(const struct options *o, int argc, char **argv, int *status)
{
	return set_paused(o, argv[0], false);
}

const struct command cmd_pause = {
    .name = "pause", .args = "ID", .summary = "stop all processes of a container", .min_args = 1, .max_args = 1,
    .run = run_pause,
};

const struct command cmd_resume = {
    .name = "resume", .args = "ID", .summary = "let the processes of a paused container go on", .min_args = 1,
    .max_args = 1, .run = run_resume,
};
