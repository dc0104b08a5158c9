/* SPDX-License-Identifier: Apache-2.0 */
/* runsc help, runsc version. */
#include <stdio.h>
#include <string.h>

#include "oci/command.h"
#include "oci/spec.h"
#include "version_commit.h"

static struct error *run_help(const struct options *o, int argc, char **argv, int *status)
{
	if (!argc) {
		command_help_all();
		return NULL;
	}
	for (const struct command *const *c = commands; *c; c++)
		if (strcmp((*c)->name, argv[0]) == 0) {
			command_help(*c);
			return NULL;
		}
	return error_new("help: unknown command \"%s\"", argv[0]);
}

static struct error *run_version(const struct options *o, int argc, char **argv, int *status)
{
	printf("runsc version %s\ncommit: %s\nspec: %s\n", RUNSC_VERSION, RUNSC_COMMIT, SPEC_VERSION);
	return NULL;
}

const struct command cmd_help = {
    .name = "help", .args = "[COMMAND]", .summary = "explain a command", .max_args = 1, .run = run_help,
};
const struct command cmd_version = {
    .name = "version", .args = "", .summary = "print the version", .run = run_version,
};
