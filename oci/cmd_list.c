/* SPDX-License-Identifier: Apache-2.0 */
/* runsc list: the containers under --root. */
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/command.h"
#include "oci/state.h"
#include "oci/util.h"

static struct {
	const char *format;
	bool quiet;
} values = {.format = "table"};

#define OFF(field) __builtin_offsetof(__typeof__(values), field)

static const struct flag flags[] = {
    {"format", 'f', FLAG_CHOICE, OFF(format), "table|json", "how to print"},
    {"quiet", 'q', FLAG_BOOL, OFF(quiet), NULL, "IDs only"},
    {0},
};

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct state *)a)->id, ((const struct state *)b)->id);
}

static struct error *load_all(const char *root, struct state **out, unsigned *n)
{
	DIR *d = opendir(root);
	struct dirent *ent;

	*n = 0;
	*out = NULL;
	if (!d)
		return errno == ENOENT ? NULL : error_errno(errno, "list: cannot read %s", root);
	while ((ent = readdir(d))) {
		struct state s;
		struct error *e;

		if (ent->d_name[0] == '.')
			continue;
		e = state_open(root, ent->d_name, false, &s);
		state_close(&s);
		if (e) {
			log_debug("list: %s", e->msg); /* being deleted, or not a container */
			error_free(e);
			continue;
		}
		*out = xrealloc(*out, (*n + 1) * sizeof(s));
		(*out)[(*n)++] = s;
	}
	closedir(d);
	if (*n)
		qsort(*out, *n, sizeof(**out), by_id);
	return NULL;
}

static void print_json(const struct state *list, unsigned n)
{
	cJSON *a = cJSON_CreateArray();

	for (unsigned i = 0; i < n; i++)
		cJSON_AddItemToArray(a, state_json(&list[i], state_status(&list[i])));
	puts(cJSON_PrintUnformatted(a));
	cJSON_Delete(a);
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	struct state *list;
	unsigned n;
	struct error *e = load_all(o->root, &list, &n);

	if (e)
		return e;
	if (values.quiet) {
		for (unsigned i = 0; i < n; i++)
			puts(list[i].id);
	} else if (strcmp(values.format, "json") == 0) {
		print_json(list, n);
	} else {
		printf("%-24s %-8s %-9s %-32s %-21s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
		for (unsigned i = 0; i < n; i++) {
			enum state_status st = state_status(&list[i]);
			struct passwd *pw = getpwuid(list[i].owner);

			printf("%-24s %-8d %-9s %-32s %-21s %s\n", list[i].id, st == STATE_STOPPED ? 0 : list[i].pid,
			       state_status_name(st), list[i].bundle, list[i].created_at, pw ? pw->pw_name : "?");
		}
	}
	return NULL;
}

const struct command cmd_list = {
    .name = "list", .args = "", .summary = "list containers", .flags = flags, .values = &values, .run = run,
};
