/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runsc ps: the processes of a container. As a table: those inside, as the Sentry knows them. As JSON: the host's process
 * ids that stand for them, which engines look up on the host (docker top): the sandbox for the first process, a proxy for
 * each one that exec started.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "oci/command.h"
#include "oci/control_client.h"
#include "oci/launch.h"
#include "oci/state.h"
#include "oci/util.h"

static struct {
	const char *format;
} values = {.format = "table"};

static const struct flag flags[] = {
    {"format", 'f', FLAG_CHOICE, 0, "table|json", "table: processes in the container; json: what stands for them on the host"},
    {0},
};

/* A column of the answer; n: how many there are. */
static const fdt32_t *column(const void *reply, const char *name, int *n)
{
	int len = 0;
	const fdt32_t *v = fdt_getprop(reply, 0, name, &len);

	*n = v && len > 0 ? len / (int)sizeof(*v) : 0;
	return v;
}

static void print_json(const struct state *s, const void *reply)
{
	int n;
	const fdt32_t *pids = column(reply, "host-pids", &n);

	printf("[%d", s->pid);
	for (int i = 0; i < n; i++)
		if (fdt32_ld(pids + i) != (uint32_t)s->pid) /* the first process of a pod's container has a proxy, too */
			printf(",%u", fdt32_ld(pids + i));
	printf("]\n");
}

static void tty_name(uint32_t tty, char *out, size_t size)
{
	if (!tty)
		snprintf(out, size, "?");
	else if (tty >> 20 == 136)
		snprintf(out, size, "pts/%u", tty & 0xfffff);
	else
		snprintf(out, size, "console");
}

struct row {
	uint32_t pid, ppid, uid, tty, start, cpu_ms;
	const char *name;
};

static void print_row(const struct row *r, uint32_t uptime, time_t now)
{
	uint32_t age = uptime > r->start ? uptime - r->start : 0, cpu = r->cpu_ms / 1000;
	time_t start = now - age;
	char tty[16], when[16];
	struct tm tm;

	localtime_r(&start, &tm);
	strftime(when, sizeof(when), age < 86400 ? "%H:%M" : "%b%d", &tm);
	tty_name(r->tty, tty, sizeof(tty));
	printf("%-8u %7u %7u %2u %-5s %-8s %02u:%02u:%02u %s\n", r->uid, r->pid, r->ppid, age ? r->cpu_ms / 10 / age : 0, when, tty,
	       cpu / 3600, cpu / 60 % 60, cpu % 60, r->name);
}

static struct error *print_table(const void *reply)
{
	static const char *const names[6] = {"pids", "ppids", "uids", "ttys", "starts", "cpu-ms"};
	const fdt32_t *c[6];
	int n = 0, rows = 0;
	uint32_t uptime = launch_u32(reply, 0, "uptime", 0);
	time_t now = time(NULL);

	for (int i = 0; i < 6; i++) {
		c[i] = column(reply, names[i], &n);
		if (i && n != rows)
			return error_new("the sandbox's answer is malformed");
		rows = n;
	}
	printf("UID          PID    PPID  C STIME TTY          TIME CMD\n");
	for (int i = 0; i < rows; i++) {
		const char *given = fdt_stringlist_get(reply, 0, "names", i, NULL);
		char *name = one_line(xstrdup(given ? given : "?")); /* a process can give itself any */
		struct row r = {fdt32_ld(c[0] + i), fdt32_ld(c[1] + i), fdt32_ld(c[2] + i), fdt32_ld(c[3] + i),
		                fdt32_ld(c[4] + i), fdt32_ld(c[5] + i), name};

		print_row(&r, uptime, now);
		free(name);
	}
	return NULL;
}

static struct error *list(struct state *s)
{
	struct error *e;
	struct tree t;
	void *reply = NULL;

	control_begin(&t, "processes", s->id);
	e = control_call(s->dir, &t, &reply);
	if (e)
		return e;
	if (strcmp(values.format, "json") == 0)
		print_json(s, reply);
	else
		e = print_table(reply);
	free(reply);
	return e;
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	struct state s;
	struct error *e = state_open_created(o->root, argv[0], &s);

	if (!e && argc > 1)
		e = error_new("options for ps are not supported: run ps in the container, with runsc exec");
	if (!e && (state_status(&s) == STATE_STOPPED || state_status(&s) == STATE_CREATING))
		e = error_new("container not running");
	if (!e)
		e = list(&s);
	return error_wrap(e, "ps \"%s\"", argv[0]);
}

const struct command cmd_ps = {
    .name = "ps", .args = "ID", .summary = "list the processes of a container", .flags = flags, .values = &values,
    .min_args = 1, .max_args = -1, .run = run,
};
