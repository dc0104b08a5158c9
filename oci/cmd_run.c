/* SPDX-License-Identifier: Apache-2.0 */
/* runsc run: create and start the container of a bundle. */
#include "oci/command.h"
#include "oci/create_flags.h"

static struct create_flags values = CREATE_FLAGS_DEFAULT;

static const struct flag flags[] = {
    CREATE_FLAGS,
    {"detach", 'd', FLAG_BOOL, CREATE_OFF(detach), NULL, "return when the container runs"},
    {"keep", 0, FLAG_BOOL, CREATE_OFF(keep), NULL, "do not delete the container when it has ended"},
    {0},
};

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	enum sandbox_mode mode = values.detach ? SANDBOX_DETACHED : SANDBOX_FOREGROUND;

	return error_wrap(create_container(o, &values, mode, argv[0], status), "cannot run container \"%s\"", argv[0]);
}

const struct command cmd_run = {
    .name = "run", .args = "ID", .summary = "create and run a container", .flags = flags, .values = &values,
    .min_args = 1, .max_args = 1, .run = run,
};
