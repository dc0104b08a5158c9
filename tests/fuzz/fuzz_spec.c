/* SPDX-License-Identifier: Apache-2.0 */
/* config.json as a bundle's author wrote it: accepted or refused with a message, never anything else. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char bundle[] = "/tmp/fuzz-spec-XXXXXX", config[64];

static void clean(void)
{
	unlink(config);
	rmdir(bundle);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (!mkdtemp(bundle) || !freopen("/dev/null", "w", stdout))
		abort();
	snprintf(config, sizeof(config), "%s/config.json", bundle);
	atexit(clean);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *f = fopen(config, "w");
	struct spec s;
	struct error *e;

	if (!f || (size && fwrite(data, size, 1, f) != 1) || fclose(f))
		abort();
	memset(&s, 0xee, sizeof(s));
	e = spec_load(bundle, &s);
	if (e) {
		if (!*e->msg || strchr(e->msg, '\n'))
			abort();
		error_free(e);
		return 0;
	}
	if (!s.args || !s.args[0] || s.cwd[0] != '/' || s.root[0] != '/')
		abort();
	for (unsigned i = 0; i < s.nmounts; i++)
		if (s.mounts[i].destination[0] != '/' || !s.mounts[i].type || !s.mounts[i].options)
			abort();
	return 0;
}
