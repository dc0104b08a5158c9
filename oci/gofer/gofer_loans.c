/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which descriptors the sandbox may lend us: those on the mounts that it was given, and on mounts below them. Others that it
 * may have come by, such as inherited ones, stay out of reach of our privileges. Mounts are known by their ids: ours, being
 * copies of the host's in a namespace of our own, have ids that no descriptor from outside can have.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/gofer/gofer.h"
#include "oci/util.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000u /* Linux 5.8 */
#endif

#define MOUNTINFO_MAX (16u << 20)

static struct {
	struct loan_mount {
		uint64_t id;
		bool readonly;
	} *m;
	unsigned n, max;
} accepted;

/* 0 where the kernel does not tell. */
static uint64_t mount_id(int fd)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) == 0 && st.stx_mask & STATX_MNT_ID ? st.stx_mnt_id : 0;
}

static void add(uint64_t id, bool readonly)
{
	if (accepted.n == accepted.max) {
		accepted.max = accepted.max ? 2 * accepted.max : 16;
		accepted.m = xrealloc(accepted.m, accepted.max * sizeof(*accepted.m));
	}
	accepted.m[accepted.n++] = (struct loan_mount){id, readonly};
}

static const struct loan_mount *find(uint64_t id)
{
	for (unsigned i = 0; i < accepted.n; i++)
		if (accepted.m[i].id == id)
			return &accepted.m[i];
	return NULL;
}

bool loans_possible(void)
{
	int fd = open("/", O_PATH | O_CLOEXEC);
	bool possible = fd >= 0 && mount_id(fd);

	if (fd >= 0)
		close(fd);
	return possible;
}

void loans_accept(int fd, bool readonly)
{
	uint64_t id = mount_id(fd);

	if (id)
		add(id, readonly);
}

/* One pass over the lines of mountinfo (proc(5)): whose parent is accepted, or is the root, is accepted. How many are new. */
static unsigned accept_children(const char *text, uint64_t root)
{
	unsigned n = 0;

	for (const char *line = text; *line; line = strchrnul(line, '\n') + 1) {
		unsigned long long id, parent;
		char options[3];

		if (sscanf(line, "%llu %llu %*s %*s %*s %2s", &id, &parent, options) < 3)
			break;
		if (!find(id) && (parent == root || find(parent))) {
			add(id, strcmp(options, "ro") == 0); /* the first option of all: ro or rw */
			n++;
		}
		if (!strchr(line, '\n'))
			break;
	}
	return n;
}

struct error *loans_accept_below(void)
{
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t root = here < 0 ? 0 : mount_id(here);
	char *text;

	if (here >= 0)
		close(here);
	if (!root)
		return NULL; /* nothing will be lent */
	text = read_file_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, NULL);
	if (!text)
		return error_errno(errno, "cannot read /proc/self/mountinfo");
	/* Parents come first, as a rule. */
	while (accept_children(text, root))
		;
	free(text);
	return NULL;
}

bool loans_check(int fd, bool *readonly)
{
	uint64_t id = mount_id(fd);
	const struct loan_mount *m = id ? find(id) : NULL;

	if (m)
		*readonly = m->readonly;
	return m;
}
