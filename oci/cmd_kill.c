/* SPDX-License-Identifier: Apache-2.0 */
/* runsc kill: send a signal to a container's init process, or to all of its processes. */
#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "oci/command.h"
#include "oci/control_client.h"
#include "oci/state.h"
#include "oci/util.h"

#define ENDING_MS    10000 /* for the end of a sandbox that takes no requests any more */
#define ANSWERING_MS 20    /* for one that does */

static struct {
	bool all;
	unsigned pid;
} values;

#define OFF(field) __builtin_offsetof(__typeof__(values), field)

static const struct flag flags[] = {
    {"all", 'a', FLAG_BOOL, OFF(all), NULL, "signal every process of the container"},
    {"pid", 0, FLAG_UINT, OFF(pid), "PID", "signal this process (as numbered in the container)"},
    {0},
};

static struct error *parse_signal(const char *text, int *signo)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (isdigit((unsigned char)*text) && !*end) {
		*signo = n;
		return n > 0 && n <= 64 ? NULL : error_new("kill: %s is not a signal number", text);
	}
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int i = 1; i < 32; i++)
		if (sigabbrev_np(i) && strcasecmp(sigabbrev_np(i), text) == 0) {
			*signo = i;
			return NULL;
		}
	if (strncasecmp(text, "RTMIN", 5) == 0 || strncasecmp(text, "RTMAX", 5) == 0) {
		/* Numbers as libc gives them to programs in the container. */
		long off = strtol(text + 5, &end, 10);

		n = (strncasecmp(text, "RTMIN", 5) == 0 ? 34 : 64) + off;
		if (!*end && n >= 34 && n <= 64) {
			*signo = n;
			return NULL;
		}
	}
	return error_new("kill: \"%s\" is not a signal", text);
}

/* Whether the signal came too late: a sandbox that ends closes its sockets a moment before its process has ended. */
static bool has_ended(const struct state *s)
{
	const struct timespec step = {.tv_nsec = 1000000};

	for (unsigned ms = 0; state_status(s) != STATE_STOPPED; ms++) {
		AUTO_FD fd = -1;
		struct error *e = control_connect(s->dir, &fd);

		if (ms >= (e ? ENDING_MS : ANSWERING_MS)) {
			error_free(e);
			return false;
		}
		error_free(e);
		nanosleep(&step, NULL);
	}
	return true;
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	int signo = SIGTERM;
	struct state s;
	struct error *e = argc > 1 ? parse_signal(argv[1], &signo) : NULL;

	if (!e)
		e = state_open_created(o->root, argv[0], &s);
	if (e)
		return e;
	/* There is none left to be signalled, which is what --all is for. */
	if (state_status(&s) == STATE_STOPPED && values.all)
		return NULL;
	/* Engines look for "container not running". */
	if (state_status(&s) == STATE_STOPPED || state_status(&s) == STATE_CREATING)
		return error_new("kill \"%s\": container not running (it is %s)", argv[0], state_status_name(state_status(&s)));
	e = control_signal(s.dir, s.id, signo, values.pid, values.all);
	/* SIGKILL works on a sandbox that does not answer any more, too. */
	if (e && signo == SIGKILL && !values.pid) {
		log_debug("kill: %s; killing the sandbox", e->msg);
		error_free(e);
		e = state_kill_processes(&s);
	}
	if (e && has_ended(&s)) {
		error_free(e);
		e = values.all ? NULL : error_new("container not running (it has ended)");
	}
	state_close(&s);
	return error_wrap(e, "kill \"%s\"", argv[0]);
}

const struct command cmd_kill = {
    .name = "kill", .args = "ID [SIGNAL]", .summary = "send a signal to a container (default: SIGTERM)", .flags = flags,
    .values = &values, .min_args = 1, .max_args = 2, .run = run,
};
