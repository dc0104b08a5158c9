/* SPDX-License-Identifier: Apache-2.0 */
/* runsc create: set the container of a bundle up; nothing of the user's runs before `runsc start`. */
#include <stdlib.h>
#include <unistd.h>

#include "oci/command.h"
#include "oci/create_flags.h"
#include "oci/spec.h"
#include "oci/util.h"
#include "oci/uts.h"
#include "vmm/vmm.h"

static struct create_flags values = CREATE_FLAGS_DEFAULT;

static const struct flag flags[] = {CREATE_FLAGS, {0}};

/* Sockets of systemd's socket activation are passed on (sd_listen_fds(3)): ahead of those of --preserve-fds. */
static unsigned listen_fds(struct spec *s)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	unsigned n = 0, count = fds ? strtoul(fds, NULL, 10) : 0;
	char **env;

	if (!count || (pid && *pid && atoi(pid) != getpid()))
		return 0;
	while (s->env[n])
		n++;
	env = xcalloc(n + 3, sizeof(*env));
	for (unsigned i = 0; i < n; i++)
		env[i] = s->env[i];
	env[n] = xasprintf("LISTEN_FDS=%u", count);
	env[n + 1] = "LISTEN_PID=1";
	s->env = env;
	return count;
}

struct error *create_container(const struct options *o, const struct create_flags *f, enum sandbox_mode mode, const char *id,
                               int *status)
{
	struct sandbox_config c = {.id = id, .mode = mode, .keep = f->keep, .pid_file = f->pid_file,
	                           .console_socket = f->console_socket && *f->console_socket ? f->console_socket : NULL};
	struct options own;
	struct spec spec;
	struct error *e = spec_load(f->bundle, &spec);

	if (!e)
		e = uts_read(&spec);
	if (!e)
		e = options_override(o, spec.annotations, &own);
	if (e)
		return e;
	o = c.options = &own;
	c.use_cgroups = !o->ignore_cgroups;
	c.shared_files = options_shared_files(o, true);
	c.spec = &spec;
	c.preserve_fds = f->preserve_fds + listen_fds(&spec);
	if (c.preserve_fds > VMM_MAX_IO - 3)
		return error_new("--preserve-fds: %u descriptors are more than the %d that are supported", c.preserve_fds, VMM_MAX_IO - 3);
	e = options_overlay(o, OVERLAY_NONE, &c.overlay);
	return e ? e : sandbox_run(&c, status);
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	return error_wrap(create_container(o, &values, SANDBOX_CREATE, argv[0], status), "cannot create container \"%s\"", argv[0]);
}

const struct command cmd_create = {
    .name = "create", .args = "ID", .summary = "create a container, to be run by start", .flags = flags, .values = &values,
    .min_args = 1, .max_args = 1, .run = run,
};
