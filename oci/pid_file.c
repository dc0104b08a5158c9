/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "oci/util.h"

struct error *pid_file_write(const char *path, pid_t pid)
{
	char *tmp = xasprintf("%s.%d.tmp", path, getpid());
	AUTO_FD fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", pid);
	int err = fd < 0 ? -errno : write_all(fd, text, n);

	if (!err && rename(tmp, path) < 0)
		err = -errno;
	if (err)
		unlink(tmp);
	free(tmp);
	return err ? error_errno(err, "--pid-file: cannot write %s", path) : NULL;
}
