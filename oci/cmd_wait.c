/* SPDX-License-Identifier: Apache-2.0 */
/* runsc wait: wait for the end of a container's first process, or of another one, and print how it ended. */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "oci/command.h"
#include "oci/control_client.h"
#include "oci/launch.h"
#include "oci/state.h"
#include "oci/util.h"

static struct {
	unsigned pid;
} values;

static const struct flag flags[] = {
    {"pid", 0, FLAG_UINT, 0, "PID", "wait for this process (as numbered in the container)"},
    {0},
};

static struct error *wait_for(struct state *s, int *code)
{
	AUTO_FD fd = -1;
	struct error *e = control_connect(s->dir, &fd);
	void *reply = NULL;
	uint32_t status;
	struct tree t;

	if (e)
		return e;
	control_begin(&t, "wait", s->id);
	tree_u32(&t, "pid", values.pid);
	e = control_send(fd, &t, NULL, 0);
	if (!e)
		e = control_receive(fd, -1, &reply);
	if (e)
		return e;
	status = launch_u32(reply, 0, "status", 0);
	*code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	free(reply);
	return NULL;
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	struct state s;
	struct error *e = state_open(o->root, argv[0], false, &s);
	int code = 0;

	if (!e && state_status(&s) == STATE_STOPPED)
		e = error_new("container not running");
	if (!e)
		e = wait_for(&s, &code);
	if (e)
		return error_wrap(e, "wait \"%s\"", argv[0]);
	printf("{\"id\":\"%s\",\"exitStatus\":%d}\n", s.id, code);
	return NULL;
}

const struct command cmd_wait = {
    .name = "wait", .args = "ID", .summary = "wait for the end of a container and print its exit status", .flags = flags,
    .values = &values, .min_args = 1, .max_args = 1, .run = run,
};
