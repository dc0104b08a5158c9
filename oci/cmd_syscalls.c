/* SPDX-License-Identifier: Apache-2.0 */
/* runsc syscalls: which system calls the Sentry has. runsc hostcalls and runsc filter
 * (internal): the sources of docs/hostcalls.md and of the tables in docs/security.md. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "abi/hostcall.h"
#include "oci/command.h"
#include "oci/gofer/fsops.h"
#include "vmm/sandbox.h"
#include "syscall/table.h"

static const struct {
	int nr;
	const char *name, *support, *note;
} table[] = {
#define ROW(nr, name, handler, support, note) {nr, #name, #support, note},
    SYSCALLS(ROW)
#undef ROW
};

static const struct {
	int nr;
	const char *name, *family, *args, *doc;
} hostcalls[] = {
#define ROW(nr, name, family, args, doc) {nr, #name, #family, args, doc},
    HOSTCALLS(ROW)
#undef ROW
};

static struct {
	const char *output;
} values = {.output = "table"};

static const struct flag flags[] = {
    {"output", 'o', FLAG_CHOICE, 0, "table|json", "how to print"},
    {0},
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void print_json(void)
{
	cJSON *a = cJSON_CreateArray();

	for (unsigned i = 0; i < N(table); i++) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddNumberToObject(o, "number", table[i].nr);
		cJSON_AddStringToObject(o, "name", table[i].name);
		cJSON_AddStringToObject(o, "support", table[i].support);
		cJSON_AddStringToObject(o, "note", table[i].note);
		cJSON_AddItemToArray(a, o);
	}
	puts(cJSON_Print(a));
	cJSON_Delete(a);
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	unsigned full = 0, partial = 0;

	if (strcmp(values.output, "json") == 0) {
		print_json();
		return NULL;
	}
	printf("%-6s %-26s %-8s %s\n", "NUMBER", "NAME", "SUPPORT", "NOTE");
	for (unsigned i = 0; i < N(table); i++) {
		printf("%-6d %-26s %-8s%s%s\n", table[i].nr, table[i].name, table[i].support, *table[i].note ? " " : "", table[i].note);
		full += strcmp(table[i].support, "FULL") == 0;
		partial += strcmp(table[i].support, "PARTIAL") == 0;
	}
	printf("\n%zu system calls: %u full, %u partial, %zu not there (ENOSYS)\n", N(table), full, partial, N(table) - full - partial);
	return NULL;
}

static struct error *run_hostcalls(const struct options *o, int argc, char **argv, int *status)
{
	const char *family = "";

	puts("# Hostcalls\n\nGenerated from `include/abi/hostcall.h` by `runsc hostcalls`; edit that file.\n\n"
	     "A hostcall is the only way out of the Sentry: `int64_t hostcall(nr, a0..a5)`, a result or `-errno`. Pointers (`*`)\n"
	     "are addresses in the direct map of guest RAM; the VMM checks each as a range and copies control structures once.");
	for (unsigned i = 0; i < N(hostcalls); i++) {
		if (strcmp(family, hostcalls[i].family) != 0) {
			family = hostcalls[i].family;
			printf("\n## %s\n\n| nr | name | arguments | what it does |\n| ---: | --- | --- | --- |\n", family);
		}
		printf("| %d | %s | %s | %s |\n", hostcalls[i].nr, hostcalls[i].name, hostcalls[i].args, hostcalls[i].doc);
	}
	return NULL;
}

const struct command cmd_syscalls = {
    .name = "syscalls", .args = "", .summary = "print which system calls are supported", .flags = flags, .values = &values,
    .run = run,
};
const struct command cmd_hostcalls = {.name = "hostcalls", .args = "", .run = run_hostcalls};

static struct error *run_filter(const struct options *o, int argc, char **argv, int *status)
{
	fsops_init();
	seccomp_print(stdout);
	return NULL;
}

const struct command cmd_filter = {.name = "filter", .args = "", .run = run_filter};
