/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "oci/cgroup.h"
#include "oci/util.h"

/* A new cpuset is empty and takes no process until it has CPUs and memory nodes: those of its parent. */
static int inherit(const char *dir, const char *file)
{
	char *from = xasprintf("%.*s/%s", (int)(strrchr(dir, '/') - dir), dir, file);
	char *to = xasprintf("%s/%s", dir, file);
	char *value = read_file_at(AT_FDCWD, from, 65536, NULL);
	int err = value ? write_file_at(AT_FDCWD, to, value) : -errno;

	free(value);
	free(to);
	free(from);
	return err;
}

/* "0" is the writer itself: the kernel then needs no lock against all forks, and no grace period for it. */
int cgroup_v1_move_self(const char *dir)
{
	char *file = xasprintf("%s/tasks", dir);
	int err = write_file_at(AT_FDCWD, file, "0");

	free(file);
	return err;
}

int cgroup_v1_mkdir(const char *dir, bool cpuset)
{
	int err = 0;

	if (mkdir(dir, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	if (cpuset)
		err = inherit(dir, "cpuset.cpus");
	if (cpuset && !err)
		err = inherit(dir, "cpuset.mems");
	return err;
}
