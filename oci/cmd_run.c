/* SPDX-License-Identifier: Apache-2.0 */
/* runsc run: create and start the container of a bundle. */
#include "oci/command.h"
#include "oci/sandbox.h"
#include "oci/spec.h"

static struct {
	const char *bundle, *pid_file, *console_socket;
	bool detach;
} values = {.bundle = "."};

#define OFF(field) __builtin_offsetof(__typeof__(values), field)

static const struct flag flags[] = {
    {"bundle", 'b', FLAG_STRING, OFF(bundle), "DIR", "directory of config.json (default: the current one)"},
    {"detach", 'd', FLAG_BOOL, OFF(detach), NULL, "return when the container runs"},
    {"pid-file", 0, FLAG_STRING, OFF(pid_file), "FILE", "where to write the sandbox's process id"},
    {"console-socket", 0, FLAG_STRING, OFF(console_socket), "PATH", "unix socket that receives the container's terminal"},
    {0},
};

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	struct sandbox_config c = {.options = o, .id = argv[0], .detach = values.detach, .pid_file = values.pid_file,
	                           .console_socket = values.console_socket, .use_cgroups = !o->ignore_cgroups};
	struct spec spec;
	struct error *e = spec_load(values.bundle, &spec);

	c.spec = &spec;
	if (!e)
		e = options_overlay(o, OVERLAY_NONE, &c.overlay);
	return e ? e : error_wrap(sandbox_run(&c, status), "cannot run container \"%s\"", argv[0]);
}

const struct command cmd_run = {
    .name = "run", .args = "ID", .summary = "create and run a container", .flags = flags, .values = &values,
    .min_args = 1, .max_args = 1, .run = run,
};
