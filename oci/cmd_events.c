/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runsc events: what a container uses, as its cgroups count it, once or at intervals until it ends. One JSON object per
 * line, as runc prints them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "oci/cgroup.h"
#include "oci/command.h"
#include "oci/state.h"

#define INTERVAL_MAX_MS 86400e3

static struct {
	bool stats;
	const char *interval;
} values = {.interval = "5s"};

#define OFF(field) __builtin_offsetof(__typeof__(values), field)

static const struct flag flags[] = {
    {"stats", 0, FLAG_BOOL, OFF(stats), NULL, "print the figures once"},
    {"interval", 0, FLAG_STRING, OFF(interval), "TIME", "time between two figures, such as 500ms or 5s (default 5s)"},
    {0},
};

static struct error *parse_interval(struct timespec *ts)
{
	char *end;
	double n = strtod(values.interval, &end), unit;
	uint64_t ms;

	if (strcmp(end, "ms") == 0)
		unit = 1;
	else if (strcmp(end, "s") == 0 || !*end)
		unit = 1e3;
	else if (strcmp(end, "m") == 0)
		unit = 60e3;
	else
		return error_new("--interval: \"%s\" is not a time (ms, s and m are units)", values.interval);
	/* So put, the condition refuses what is no number, too. */
	if (end == values.interval || !(n * unit >= 1 && n * unit <= INTERVAL_MAX_MS))
		return error_new("--interval: \"%s\" is not a time between 1ms and a day", values.interval);
	ms = n * unit;
	*ts = (struct timespec){ms / 1000, ms % 1000 * 1000000};
	return NULL;
}

static void print_event(const char *id, const char *type, cJSON *data)
{
	cJSON *o = cJSON_CreateObject();
	char *text;

	cJSON_AddStringToObject(o, "type", type);
	cJSON_AddStringToObject(o, "id", id);
	if (data)
		cJSON_AddItemToObject(o, "data", data);
	text = cJSON_PrintUnformatted(o);
	puts(text);
	fflush(stdout);
	free(text);
	cJSON_Delete(o);
}

static struct error *figures(const struct state *s, cJSON **out)
{
	struct cgroup cg;
	struct error *e;

	if (!s->cgroup)
		return error_new("the container has no cgroups");
	e = cgroup_from_json(s->cgroup, &cg);
	if (!e)
		*out = cgroup_stats(&cg);
	cgroup_free(&cg);
	return e;
}

static struct error *events(const struct options *o, const char *id)
{
	struct timespec interval;
	struct error *e = parse_interval(&interval);
	bool seen = false;

	while (!e) {
		struct state s;
		cJSON *data = NULL;

		e = seen ? state_open(o->root, id, false, &s) : state_open_created(o->root, id, &s);
		if (e && seen) { /* deleted meanwhile */
			error_free(e);
			return NULL;
		}
		if (!e && (state_status(&s) == STATE_STOPPED || state_status(&s) == STATE_CREATING)) {
			state_close(&s);
			return seen ? NULL : error_new("container not running");
		}
		seen = true;
		if (!e)
			e = figures(&s, &data);
		if (!e)
			print_event(id, "stats", data);
		state_close(&s);
		if (e || values.stats)
			break;
		nanosleep(&interval, NULL);
	}
	return e;
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	return error_wrap(events(o, argv[0]), "events \"%s\"", argv[0]);
}

const struct command cmd_events = {
    .name = "events", .args = "ID", .summary = "print what a container uses", .flags = flags, .values = &values, .min_args = 1,
    .max_args = 1, .run = run,
};
