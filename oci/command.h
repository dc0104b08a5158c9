/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of runsc: one table (main.c), one file cmd_<name>.c each. */
#ifndef OCI_COMMAND_H
#define OCI_COMMAND_H

#include "oci/error.h"
#include "oci/flags.h"
#include "oci/options.h"

struct command {
	const char *name;
	const char *args;    /* what follows the flags, for --help */
	const char *summary; /* NULL hides the command */
	const struct flag *flags;
	void *values;        /* what the flags point into, with defaults */
	int min_args, max_args; /* max_args -1: any */
	/* Runs it; *status is the exit status of runsc when there is no error. */
	struct error *(*run)(const struct options *o, int argc, char **argv, int *status);
};

extern const struct command cmd_boot, cmd_create, cmd_debug, cmd_delete, cmd_do, cmd_events, cmd_exec, cmd_features, cmd_gofer, cmd_help, cmd_filter, cmd_hostcalls,
    cmd_kill, cmd_list, cmd_pause, cmd_ps, cmd_resume, cmd_run, cmd_spec, cmd_start, cmd_state, cmd_syscalls, cmd_update, cmd_version,
    cmd_wait;

/* All of them, in the order of the help text; ends with NULL. */
extern const struct command *const commands[];
void command_help(const struct command *c);
void command_help_all(void);

#endif
