/* SPDX-License-Identifier: Apache-2.0 */
/* runsc gofer: the process beside the sandbox that owns the mounts. */
#include <errno.h>
#include <libfdt.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/command.h"
#include "oci/gofer/gofer.h"
#include "oci/launch.h"
#include "oci/namespace.h"
#include "oci/status.h"
#include "oci/util.h"

static struct error *read_mounts(const void *t, int node, struct gofer_mount *m, unsigned *n)
{
	int sub;

	*n = 0;
	fdt_for_each_subnode(sub, t, node) {
		if (*n == VMM_MAX_MOUNTS || !launch_string(t, sub, "source"))
			return error_new("the launch tree's mounts are malformed");
		m[(*n)++] = (struct gofer_mount){
		    .source = launch_string(t, sub, "source"), .readonly = launch_flag(t, sub, "readonly"),
		    .recursive = launch_flag(t, sub, "recursive"), .nosuid = launch_flag(t, sub, "nosuid"),
		    .noexec = launch_flag(t, sub, "noexec"), .noatime = launch_flag(t, sub, "noatime"), .fd = -1,
		};
	}
	return *n ? NULL : error_new("the launch tree has no mounts");
}

static struct error *hand_over(int sock, const struct gofer_mount *m, unsigned n, bool directfs)
{
	struct proto_mounts msg = {.n = n};
	int fds[VMM_MAX_MOUNTS];
	int64_t r;

	for (unsigned i = 0; i < n; i++) {
		msg.is_file[i] = m[i].is_file;
		fds[i] = m[i].fd;
	}
	r = proto_send(sock, &msg, sizeof(msg), NULL, 0, fds, directfs ? n : 0);
	return r < 0 ? error_errno(r, "cannot hand the mounts to the sandbox") : NULL;
}

/* Ends with the sandbox. It keeps the mount namespace, and with it the mounts below mounts, alive. */
static struct error *gofer(void)
{
	static struct gofer_mount m[VMM_MAX_MOUNTS];
	struct error *e;
	const void *t;
	unsigned n;
	bool directfs;
	int node, sock;

	e = launch_read(SPAWN_FIRST_FD, &t);
	if (e)
		return e;
	node = fdt_path_offset(t, "/gofer");
	if (node < 0)
		return error_new("the launch tree has no /gofer");
	status_attach(launch_u32(t, node, "status-fd", -1));
	sock = launch_u32(t, node, "sandbox-fd", -1);
	directfs = launch_flag(t, node, "directfs");
	prctl(PR_SET_NAME, "runsc-gofer");
	umask(0);
	raise_nofile();
	e = mounts_detach();
	/* Hooks run in between. */
	if (!e && launch_flag(t, node, "wait-for-go") && !status_wait_for_go())
		e = error_new("runsc has died");
	if (!e)
		gofer_oom_prepare(launch_string(t, node, "oom-dir"));
	if (!e)
		e = read_mounts(t, node, m, &n);
	if (!e)
		e = mounts_prepare(launch_string(t, node, "work-dir"), m, n, launch_flag(t, node, "hide-system"), launch_string(t, node, "hide-path"));
	if (!e)
		e = hand_over(sock, m, n, directfs);
	if (!e)
		e = gofer_enter_userns(launch_u32(t, node, "userns-fd", -1));
	if (!e)
		e = gofer_confine();
	if (e)
		return e;
	/* Holding these would keep the readers of the container's output waiting, and runsc from seeing its sandbox end. */
	for (int fd = 0; fd <= SPAWN_FIRST_FD; fd++)
		close(fd);
	close(launch_u32(t, node, "status-fd", -1));
	if (directfs)
		for (unsigned i = 0; i < n; i++)
			close(m[i].fd);
	gofer_serve(sock, m, directfs ? 0 : n);
	return NULL;
}

static struct error *run(const struct options *o, int argc, char **argv, int *status)
{
	struct error *e = gofer();

	if (e && status_send_error(e)) {
		error_free(e);
		e = NULL;
		*status = EXIT_RUNTIME;
	}
	return e;
}

const struct command cmd_gofer = {.name = "gofer", .args = "ID", .min_args = 1, .max_args = 1, .run = run};
