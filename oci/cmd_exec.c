/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runsc exec: run one more process in a running container. Its descriptors go to the sandbox over the control socket; on
 * the host a proxy stands for it (exec_proxy.h). Errors that precede the process end runsc with status 255, as runc's do.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cap-ng.h>
#include <libfdt.h>

#include "oci/command.h"
#include "oci/console.h"
#include "oci/container_fdt.h"
#include "oci/control_client.h"
#include "oci/exec_proxy.h"
#include "oci/launch.h"
#include "oci/pid_file.h"
#include "oci/state.h"
#include "oci/util.h"

#define EXIT_EXEC     255
#define PROCESS_MAX   (16u << 20)
#define START_SECONDS 60
#define FDS_MAX       64

static struct {
	const char *process, *cwd, *user, *gids, *console_socket, *pid_file, *apparmor, *label;
	char **env, **caps;
	bool terminal, interactive, detach, no_new_privs, ignore_paused;
	unsigned preserve_fds;
} values;

#define OFF(field) __builtin_offsetof(__typeof__(values), field)

static const struct flag flags[] = {
    {"process", 'p', FLAG_STRING, OFF(process), "FILE", "the process as in config.json, in place of most flags"},
    {"cwd", 0, FLAG_STRING, OFF(cwd), "DIR", "working directory in the container"},
    {"env", 'e', FLAG_LIST, OFF(env), "NAME=VALUE", "set an environment variable; may be repeated"},
    {"user", 'u', FLAG_STRING, OFF(user), "UID[:GID]", "user and group of the process"},
    {"additional-gids", 'g', FLAG_STRING, OFF(gids), "GID,...", "further groups of the process"},
    {"cap", 'c', FLAG_LIST, OFF(caps), "CAP_NAME", "add a capability; may be repeated"},
    {"no-new-privs", 0, FLAG_BOOL, OFF(no_new_privs), NULL, "set the process's no_new_privs"},
    {"tty", 't', FLAG_BOOL, OFF(terminal), NULL, "give the process a terminal"},
    {"interactive", 'i', FLAG_BOOL, OFF(interactive), NULL, "accepted: standard input is always passed"},
    {"apparmor", 0, FLAG_STRING, OFF(apparmor), "PROFILE", "accepted: nothing reaches the host's kernel"},
    {"process-label", 0, FLAG_STRING, OFF(label), "LABEL", "accepted, likewise"},
    {"console-socket", 0, FLAG_STRING, OFF(console_socket), "PATH", "unix socket that receives the terminal"},
    {"detach", 'd', FLAG_BOOL, OFF(detach), NULL, "return when the process runs"},
    {"pid-file", 0, FLAG_STRING, OFF(pid_file), "FILE", "where to write the process id that stands for the process"},
    {"preserve-fds", 0, FLAG_UINT, OFF(preserve_fds), "N", "pass N further descriptors, from 3 on"},
    {"ignore-paused", 0, FLAG_BOOL, OFF(ignore_paused), NULL, "also in a paused container; it runs when that is resumed"},
    {0},
};

struct exec {
	struct state state;
	struct spec spec;
	int fds[FDS_MAX];
	unsigned nfds;
	int control, signals, terminal; /* terminal: the host's end for the proxy, or -1 */
};

/* ---- what to run ------------------------------------------------------------------------------------------------ */

static struct error *parse_id(const char *text, const char *flag, char **end, uint32_t *out)
{
	unsigned long v;

	errno = 0;
	v = strtoul(text, end, 10);
	if (*text < '0' || *text > '9' || errno || v >= UINT32_MAX)
		return error_new("--%s: \"%s\" is not a number", flag, text);
	*out = v;
	return NULL;
}

static struct error *parse_user(struct spec *s)
{
	char *end;
	struct error *e = parse_id(values.user, "user", &end, &s->uid);

	if (!e && *end == ':')
		e = parse_id(end + 1, "user", &end, &s->gid);
	if (!e && *end)
		return error_new("--user: \"%s\" is not UID[:GID]", values.user);
	return e;
}

static struct error *parse_gids(struct spec *s)
{
	const char *p = values.gids;

	for (;;) {
		struct error *e;
		char *end;

		s->gids = xrealloc(s->gids, (s->ngids + 1) * sizeof(*s->gids));
		e = parse_id(p, "additional-gids", &end, &s->gids[s->ngids++]);
		if (e)
			return e;
		if (!*end)
			return NULL;
		if (*end != ',')
			return error_new("--additional-gids: \"%s\" is not a list of numbers", values.gids);
		p = end + 1;
	}
}

static struct error *add_caps(struct spec *s)
{
	for (char **c = values.caps; c && *c; c++) {
		const char *name = has_prefix(*c, "CAP_") ? *c + 4 : *c;
		int n = capng_name_to_capability(name);

		if (n < 0 || n > 63)
			return error_new("--cap: unknown capability \"%s\"", *c);
		s->caps[CAPS_BOUNDING] |= 1ull << n;
		s->caps[CAPS_EFFECTIVE] |= 1ull << n;
		s->caps[CAPS_PERMITTED] |= 1ull << n;
	}
	return NULL;
}

static void add_env(struct spec *s)
{
	unsigned n = 0, more = 0;
	char **env;

	while (s->env[n])
		n++;
	while (values.env && values.env[more])
		more++;
	env = xcalloc(n + more + 1, sizeof(*env));
	memcpy(env, s->env, n * sizeof(*env));
	for (unsigned i = 0; i < more; i++)
		env[n + i] = values.env[i];
	s->env = env;
}

/* The container's own process with what the flags say. */
static struct error *process_from_flags(struct exec *x, char **argv)
{
	struct spec *s = &x->spec;
	struct error *e = spec_load_process(x->state.bundle, s);

	if (e)
		return e;
	if (!*argv)
		return error_new("process args cannot be empty");
	s->args = argv;
	s->terminal = values.terminal;
	if (values.cwd)
		s->cwd = values.cwd;
	if (s->cwd[0] != '/')
		return error_new("--cwd: \"%s\" is not an absolute path", s->cwd);
	s->no_new_privs |= values.no_new_privs;
	add_env(s);
	if (values.user)
		e = parse_user(s);
	if (!e && values.gids)
		e = parse_gids(s);
	return e ? e : add_caps(s);
}

/* From the file; what it leaves open is as for the container's own process. */
static struct error *process_from_file(struct exec *x)
{
	struct json *j = xcalloc(1, sizeof(*j));
	struct error *e = json_load(j, values.process, PROCESS_MAX);
	bool caps, limits, privs;
	struct spec base;

	if (e)
		return e;
	spec_parse_process(j, j->root, &x->spec);
	caps = json_get(j, j->root, "capabilities");
	limits = json_get(j, j->root, "rlimits");
	privs = json_get(j, j->root, "noNewPrivileges");
	e = json_error(j);
	if (e || (caps && limits && privs))
		return e;
	e = spec_load_process(x->state.bundle, &base);
	if (e)
		return e;
	if (!caps)
		memcpy(x->spec.caps, base.caps, sizeof(base.caps));
	if (!limits) {
		x->spec.rlimits = base.rlimits;
		x->spec.nrlimits = base.nrlimits;
	}
	if (!privs)
		x->spec.no_new_privs = base.no_new_privs;
	x->spec.terminal |= values.terminal;
	return NULL;
}

/* ---- its descriptors ------------------------------------------------------------------------------------------- */

static struct error *collect_fds(struct exec *x)
{
	unsigned n = 3 + values.preserve_fds;

	if (n > FDS_MAX)
		return error_new("--preserve-fds: %u is more than the %d that are supported", values.preserve_fds, FDS_MAX - 3);
	while (x->nfds < n) {
		int fd = x->nfds;

		if (x->terminal >= 0 && fd < 3) {
			fd = x->terminal;
		} else if (fd >= 3 && fcntl(fd, F_GETFD) != 0) { /* one that closes on exec is our own */
			return error_new("--preserve-fds: descriptor %d is not open", fd);
		} else if (fcntl(fd, F_GETFD) < 0) {
			fd = open("/dev/null", O_RDWR | O_CLOEXEC);
			if (fd < 0)
				return error_errno(errno, "cannot open /dev/null");
		}
		x->fds[x->nfds++] = control_reopened(fd);
	}
	return NULL;
}

static struct error *prepare_terminal(struct exec *x)
{
	if (values.console_socket && !x->spec.terminal)
		return error_new("--console-socket: process.terminal is not true");
	if (!x->spec.terminal)
		return NULL;
	if (values.console_socket)
		return console_send_pty(values.console_socket, x->spec.console_rows, x->spec.console_columns, &x->terminal);
	if (values.detach)
		return error_new("cannot allocate tty if runsc will detach without setting console socket");
	if (!isatty(0))
		return error_new("the process is to have a terminal, but standard input is none; leave --tty out, or use "
		                 "--console-socket");
	return console_save(0);
}

/* ---- running it ------------------------------------------------------------------------------------------------- */

static struct error *request(struct exec *x, pid_t host_pid, uint32_t *number)
{
	struct error *e;
	struct tree t;
	void *reply;

	control_begin(&t, "exec", x->state.id);
	tree_u32(&t, "host-pid", host_pid);
	tree_node(&t, "process");
	container_fdt_process(&t, &x->spec);
	tree_node_end(&t);
	e = control_send(x->control, &t, x->fds, x->nfds);
	if (!e)
		e = control_receive(x->control, START_SECONDS, &reply);
	if (e)
		return error_wrap(e, "unable to start container process");
	*number = launch_u32(reply, 0, "exec", 0);
	free(reply);
	return NULL;
}

static struct error *run_detached(struct exec *x)
{
	struct exec_proxy proxy;
	uint32_t number = 0;
	struct error *e = exec_proxy_fork(x->control, x->signals, x->terminal, x->state.id, x->spec.args, &proxy);

	if (!e)
		e = request(x, proxy.pid, &number);
	if (!e && values.pid_file)
		e = pid_file_write(values.pid_file, proxy.pid);
	return e ? e : exec_proxy_go(&proxy, number);
}

static struct error *run_foreground(struct exec *x, int *status)
{
	uint32_t number = 0;
	struct error *e = request(x, getpid(), &number);

	for (unsigned i = 0; i < x->nfds; i++)
		if (x->fds[i] > 2)
			close(x->fds[i]);
	if (!e && values.pid_file)
		e = pid_file_write(values.pid_file, getpid());
	if (!e)
		*status = exec_proxy_run(x->control, x->signals, x->state.id, number);
	console_restore();
	return e;
}

static struct error *check_state(const struct exec *x)
{
	enum state_status st = state_status(&x->state);

	if (st == STATE_PAUSED && !values.ignore_paused)
		return error_new("cannot exec in a paused container (use --ignore-paused to override)");
	if (st == STATE_STOPPED)
		return error_new("cannot exec in a stopped container");
	return st == STATE_CREATING ? error_new("container \"%s\" is still being created", x->state.id) : NULL;
}

static struct error *exec(const struct options *o, char **argv, int *status)
{
	struct exec x = {.control = -1, .signals = -1, .terminal = -1};
	struct error *e = state_open_created(o->root, argv[0], &x.state);

	if (!e)
		e = check_state(&x);
	if (!e)
		e = values.process ? process_from_file(&x) : process_from_flags(&x, argv + 1);
	if (!e)
		e = prepare_terminal(&x);
	if (!e)
		e = collect_fds(&x);
	if (!e)
		e = exec_proxy_signals(!values.detach, &x.signals);
	if (!e)
		e = control_connect(x.state.dir, &x.control);
	if (!e)
		e = values.detach ? run_detached(&x) : run_foreground(&x, status);
	console_restore();
	return e;
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	struct error *e = error_wrap(exec(o, argv, status), "exec failed");

	if (!e)
		return NULL;
	log_error(e);
	error_free(e);
	*status = EXIT_EXEC;
	return NULL;
}

const struct command cmd_exec = {
    .name = "exec", .args = "ID [COMMAND [ARGUMENT...]]", .summary = "run a process in a running container", .flags = flags,
    .values = &values, .min_args = 1, .max_args = -1, .run = run,
};
