/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runsc debug: what a sandbox is doing. Always says on which platform it runs, where its Sentry is and why, and what clocks go
 * by, and whether the CPU has Meltdown; --stats prints how often each vCPU left the virtual machine, by reason, and the Sentry's
 * hostcalls, since the start and until the application's first instruction, and how long that took.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/command.h"
#include "oci/control_client.h"
#include "oci/launch.h"
#include "oci/state.h"
#include "oci/util.h"

static struct {
	bool stats;
} values;

static const struct flag flags[] = {
    {"stats", 0, FLAG_BOOL, 0, NULL, "print counters of exits and hostcalls, per vCPU"},
    {0},
};

static void print_counts(const void *t, int vcpu, const char *kind)
{
	int node = fdt_subnode_offset(t, vcpu, kind), prop;

	printf("  %s:", kind);
	if (node >= 0) {
		fdt_for_each_property_offset(prop, t, node) {
			const char *name;
			int len;
			const void *v = fdt_getprop_by_offset(t, prop, &name, &len);

			if (v && len == 8)
				printf(" %s %llu", name, (unsigned long long)fdt64_ld(v));
		}
	}
	putchar('\n');
}

static void print_start(const void *t, int node)
{
	const char *from = launch_string(t, node, "from");

	printf("start: %.3f ms from %s to the first instruction of the application%s\n", launch_u64(t, node, "ns", 0) / 1e6,
	       from ? from : "?", launch_flag(t, node, "held") ? ", which was held meanwhile" : "");
}

static void print(const void *t)
{
	const char *platform = launch_string(t, 0, "platform"), *placement = launch_string(t, 0, "placement");
	const char *why = launch_string(t, 0, "why"), *tsc_why = launch_string(t, 0, "tsc-why");
	int node;

	printf("platform %s, Sentry in the %s%s%s, clocks %s the TSC%s%s\n", platform ? platform : "?", placement ? placement : "?",
	       why && *why ? ": " : "", why ? why : "", tsc_why ? "without" : "by", tsc_why ? ": " : "", tsc_why ? tsc_why : "");
	if (launch_flag(t, 0, "meltdown"))
		puts("the CPU has Meltdown: programs in this sandbox can read each other's memory, though nothing outside of it");
	if (!values.stats)
		return;
	fdt_for_each_subnode(node, t, 0) {
		const char *name = fdt_get_name(t, node, NULL);

		if (strcmp(name, "start") == 0)
			print_start(t, node);
		else
			printf("%s\n", name);
		print_counts(t, node, "exits");
		print_counts(t, node, "hostcalls");
	}
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	void *reply = NULL;
	struct state s;
	struct error *e = state_open(o->root, argv[0], false, &s);
	struct tree t;

	if (!e && state_status(&s) == STATE_STOPPED)
		e = error_new("container not running");
	if (!e) {
		control_begin(&t, "stats", NULL);
		e = control_call(s.dir, &t, &reply);
	}
	if (e)
		return error_wrap(e, "debug \"%s\"", argv[0]);
	print(reply);
	free(reply);
	state_close(&s);
	return NULL;
}

const struct command cmd_debug = {
    .name = "debug", .args = "ID", .summary = "print what a sandbox is doing", .flags = flags, .values = &values, .min_args = 1,
    .max_args = 1, .run = run,
};
