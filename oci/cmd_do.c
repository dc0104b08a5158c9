/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runsc do: run a command in a sandbox over a directory, by default the host's root. The directory is read-only to the
 * sandbox; what the command writes stays in an overlay in memory and ends with it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "oci/command.h"
#include "oci/sandbox.h"
#include "oci/spec.h"
#include "oci/util.h"

static struct {
	const char *root, *cwd;
} values = {.root = "/"};

#define OFF(field) __builtin_offsetof(__typeof__(values), field)

static const struct flag flags[] = {
    {"root", 0, FLAG_STRING, OFF(root), "DIR", "root file system of the sandbox (default: the host's)"},
    {"cwd", 0, FLAG_STRING, OFF(cwd), "DIR", "working directory (default: the current one, or / with --root)"},
    {0},
};

static char **environment(void)
{
	static const char *const kept[] = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ"};
	char **env = xcalloc(16, sizeof(*env));
	const char *term = getenv("TERM");
	unsigned n = 0;

	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (getenv(kept[i]))
			env[n++] = xasprintf("%s=%s", kept[i], getenv(kept[i]));
	if (!getenv("PATH"))
		env[n++] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	env[n++] = xasprintf("TERM=%s", term ? term : "dumb");
	return env;
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	struct sandbox_config c = {.options = o, .hide_system = true, .shared_files = options_shared_files(o, false)};
	struct spec spec;
	struct error *e;
	struct stat st;
	char *root = realpath(values.root, NULL), *cwd = NULL;
	struct timespec now;

	if (!root || stat(root, &st) < 0)
		return error_errno(errno, "do: --root: %s", values.root);
	if (!S_ISDIR(st.st_mode))
		return error_new("do: --root: %s is not a directory", root);
	if (values.cwd && values.cwd[0] != '/')
		return error_new("do: --cwd: \"%s\" is not an absolute path", values.cwd);
	cwd = values.cwd ? xstrdup(values.cwd) : strcmp(root, "/") == 0 ? getcwd(NULL, 0) : NULL;
	if (!cwd)
		cwd = xstrdup("/");
	spec_for_command(&spec, root, cwd, argv, environment());
	spec.hostname = "runsc";
	spec.terminal = isatty(0) && isatty(1);
	clock_gettime(CLOCK_REALTIME, &now);
	c.id = xasprintf("do-%d-%09ld", getpid(), now.tv_nsec);
	c.spec = &spec;
	e = options_overlay(o, OVERLAY_ROOT, &c.overlay);
	return e ? e : error_wrap(sandbox_run(&c, status), "do");
}

const struct command cmd_do = {
    .name = "do", .args = "COMMAND [ARGUMENT...]", .summary = "run a command in a sandbox, without a bundle", .flags = flags,
    .values = &values, .min_args = 1, .max_args = -1, .run = run,
};
