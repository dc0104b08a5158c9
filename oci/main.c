/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runsc: an OCI runtime whose containers never reach the host kernel's system calls directly. This file parses the
 * global flags, picks the command and prints its error once.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "oci/command.h"
#include "oci/gofer/gofer.h"

const struct command *const commands[] = {
    &cmd_create,
    &cmd_start,
    &cmd_run,
    &cmd_exec,
    &cmd_do,
    &cmd_spec,
    &cmd_list,
    &cmd_state,
    &cmd_ps,
    &cmd_events,
    &cmd_kill,
    &cmd_pause,
    &cmd_resume,
    &cmd_wait,
    &cmd_update,
    &cmd_debug,
    &cmd_delete,
    &cmd_syscalls,
    &cmd_features,
    &cmd_help,
    &cmd_version,
    &cmd_hostcalls,
    &cmd_filter,
    &cmd_boot,
    &cmd_gofer,
    NULL,
};

void command_help(const struct command *c)
{
	printf("Usage: runsc [global flags] %s%s%s%s\n\n%s\n", c->name, c->flags ? " [flags]" : "", *c->args ? " " : "", c->args,
	       c->summary ? c->summary : "Internal command.");
	if (c->flags) {
		printf("\nFlags:\n");
		flags_print(c->flags);
	}
	printf("\n\"runsc --help\" lists the global flags.\n");
}

void command_help_all(void)
{
	printf("Usage: runsc [global flags] COMMAND [flags] [arguments]\n\n"
	       "Runs containers whose system calls are served by a kernel of their own.\n\nCommands:\n");
	for (const struct command *const *c = commands; *c; c++)
		if ((*c)->summary)
			printf("  %-10s %s\n", (*c)->name, (*c)->summary);
	printf("\nGlobal flags:\n");
	flags_print(global_flags);
	printf("\n\"runsc COMMAND --help\" tells more.\n");
}

static struct error *run_command(const struct options *o, const struct command *c, int argc, char **argv, int *status)
{
	bool help = false;
	struct error *e;
	int next = 0;

	e = flags_parse(c->flags, c->values, argc, argv, &next, &help);
	if (e)
		return error_wrap(e, "%s", c->name);
	argc -= next;
	argv += next;
	if (help) {
		command_help(c);
		return NULL;
	}
	if (argc < c->min_args || (c->max_args >= 0 && argc > c->max_args))
		return error_new("usage: runsc %s%s%s%s", c->name, c->flags ? " [flags]" : "", *c->args ? " " : "", c->args);
	return c->run(o, argc, argv, status);
}

static struct error *dispatch(struct options *o, int argc, char **argv, int *status)
{
	const struct command *const *c;
	struct log_config log = {0};
	struct error *e;
	bool help = false;
	int next = 1;

	e = flags_parse(global_flags, o, argc, argv, &next, &help);
	if (e)
		return e;
	if (o->show_version)
		return cmd_version.run(o, 0, NULL, status);
	if (help || next >= argc) {
		command_help_all();
		*status = help ? 0 : EXIT_RUNTIME;
		return NULL;
	}
	for (c = commands; *c && strcmp((*c)->name, argv[next]) != 0; c++)
		;
	log.path = o->log;
	log.json = strcmp(o->log_format, "json") == 0;
	log.debug = o->debug || o->strace;
	log.debug_path = o->debug_log;
	log.command = *c ? (*c)->name : "unknown";
	e = log_open(&log);
	if (!e && o->directfs && !loans_possible()) {
		log_debug("this kernel is older than Linux 5.8: --directfs=false");
		o->directfs = false;
	}
	if (!e && !*c)
		e = error_new("unknown command \"%s\" (see runsc --help)", argv[next]);
	if (!e)
		e = options_check(o);
	return e ? e : run_command(o, *c, argc - next - 1, argv + next + 1, status);
}

int main(int argc, char **argv)
{
	struct options o;
	struct error *e;
	int status = 0;

	options_default(&o);
	e = dispatch(&o, argc, argv, &status);
	if (e) {
		log_error(e);
		return EXIT_RUNTIME;
	}
	fflush(stdout);
	return status;
}
