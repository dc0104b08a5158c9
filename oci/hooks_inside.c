/* SPDX-License-Identifier: Apache-2.0 */
/* The startContainer hooks: processes inside the container, beside its first one, which is held. */
#include <errno.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/container_fdt.h"
#include "oci/control_client.h"
#include "oci/hooks.h"
#include "oci/launch.h"
#include "oci/util.h"

#define KIND "startContainer"

static const char *program_of(const cJSON *hook)
{
	return cJSON_GetObjectItemCaseSensitive(hook, "path")->valuestring;
}

/* Root with all capabilities: the container's process has not given its own up yet. */
static void fill_spec(const cJSON *hook, struct spec *s)
{
	static char *no_env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	char **args = hooks_strings(hook, "args"), **env = hooks_strings(hook, "env");

	if (!args[0])
		args[0] = (char *)program_of(hook);
	spec_for_command(s, "/", "/", args, env[0] ? env : no_env);
}

static struct error *run_one(const struct state *s, const cJSON *hook, unsigned number, int input)
{
	const cJSON *timeout = cJSON_GetObjectItemCaseSensitive(hook, "timeout");
	int seconds = timeout ? timeout->valueint : -1, status;
	AUTO_FD output = memfd_create("output", MFD_CLOEXEC);
	AUTO_FD control = -1;
	void *started = NULL, *ended = NULL;
	struct error *e = output < 0 ? error_errno(errno, "memfd_create") : control_connect(s->dir, &control);
	struct spec spec;
	struct tree t;

	if (!e) {
		fill_spec(hook, &spec);
		control_begin(&t, "exec", s->id);
		tree_node(&t, "process");
		container_fdt_process(&t, &spec);
		tree_string(&t, "program", program_of(hook));
		tree_node_end(&t);
		e = control_send(control, &t, (int[]){input, output, output}, 3);
	}
	/* It is killed when the connection closes. */
	if (!e)
		e = control_receive(control, seconds, &started);
	if (!e)
		e = control_receive(control, seconds, &ended);
	if (e)
		return error_wrap(e, "hooks." KIND "[%u]: %s", number, program_of(hook));
	status = launch_u32(ended, 0, "status", 0);
	free(started);
	free(ended);
	return hooks_result(KIND, number, program_of(hook), status, output);
}

struct error *hooks_run_container(const struct state *s)
{
	const cJSON *hook, *list = s->hooks ? cJSON_GetObjectItemCaseSensitive(s->hooks, KIND) : NULL;
	struct error *e = NULL;
	unsigned i = 0;

	cJSON_ArrayForEach(hook, list) {
		int input = -1;

		if (e)
			break;
		e = hooks_state_input(s, STATE_CREATED, &input);
		if (!e && lseek(input, 0, SEEK_SET) < 0)
			e = error_errno(errno, "hooks: cannot read the state back");
		if (!e)
			e = run_one(s, hook, i++, input);
		if (input >= 0)
			close(input);
	}
	return e;
}
