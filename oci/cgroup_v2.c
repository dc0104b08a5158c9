/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "oci/cgroup.h"
#include "oci/util.h"

/* A child has the controllers that its parent hands down. Those that the parent lacks, or must not hand down because it
 * has processes of its own, are refused one by one, and the container does without them. */
static void hand_down(const char *dir)
{
	static const char *const controllers[] = {"+cpu", "+cpuset", "+io", "+memory", "+pids"};
	char *file = xasprintf("%.*s/cgroup.subtree_control", (int)(strrchr(dir, '/') - dir), dir);

	for (unsigned i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		int err = write_file_at(AT_FDCWD, file, controllers[i]);

		if (err < 0)
			log_debug("cgroups: %s: %s: %s", file, controllers[i], strerror(-err));
	}
	free(file);
}

int cgroup_v2_mkdir(const char *dir)
{
	hand_down(dir);
	return mkdir(dir, 0755) < 0 && errno != EEXIST ? -errno : 0;
}
