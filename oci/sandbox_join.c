/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A further container of a pod: it goes into the sandbox of the pod's first container, as annotations say. It has a gofer
 * of its own, whose mounts go to that sandbox with a control message; a proxy (exec_proxy.h) stands for its first process on
 * the host. In its directory control.sock is a link to that of the sandbox.
 */
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "oci/console.h"
#include "oci/container_fdt.h"
#include "oci/control_client.h"
#include "oci/exec_proxy.h"
#include "oci/gofer/proto.h"
#include "oci/hooks.h"
#include "oci/launch.h"
#include "oci/namespace.h"
#include "oci/pid_file.h"
#include "oci/sandbox_impl.h"
#include "oci/util.h"

#define CREATE_SECONDS 60
#define FDS_MAX        (1 + VMM_MAX_MOUNTS + VMM_MAX_IO)

struct join {
	struct sandbox *sb;
	struct state pod;
	struct launch launch;
	struct exec_proxy proxy;
	int control, signals;
	int gofer;                /* our end of its socket */
	int mount[VMM_MAX_MOUNTS];
	uint32_t mount_flags[VMM_MAX_MOUNTS];
	unsigned nr_mounts;
	uint32_t request;
};

/* ---- which sandbox ------------------------------------------------------------------------------------------------- */

static struct error *open_pod(struct join *j, const char *id)
{
	struct error *e = state_open(j->sb->cfg->options->root, id, false, &j->pod);

	if (e)
		return error_wrap(e, "annotations: the sandbox to join");
	if (j->pod.sandbox_id)
		return error_new("annotations: \"%s\" is itself a container in the sandbox of \"%s\"", id, j->pod.sandbox_id);
	if (state_status(&j->pod) != STATE_RUNNING && state_status(&j->pod) != STATE_CREATED)
		return error_new("annotations: the sandbox \"%s\" is %s", id, state_status_name(state_status(&j->pod)));
	return NULL;
}

static struct error *link_control(struct join *j)
{
	char *target = xasprintf("../%s/" CONTROL_SOCKET, j->pod.id);
	int err = symlinkat(target, j->sb->state.dir, CONTROL_SOCKET) < 0 ? errno : 0;

	free(target);
	return err ? error_errno(err, "cannot link the control socket of the sandbox") : NULL;
}

/* ---- the gofer ------------------------------------------------------------------------------------------------------- */

static struct error *spawn_gofer(struct join *j, int sandbox_end, int status_end)
{
	struct sandbox *sb = j->sb;
	char *argv[] = {"runsc", "gofer", (char *)sb->cfg->id, NULL};
	struct spawn s = {.argv = argv, .flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS, .nfds = 3, .under = j->pod.pid};
	AUTO_FD tree = -1;
	AUTO_FD userns = -1;
	struct error *e = NULL;

	/* Its id mappings are the sandbox's, as all containers of a pod have the same. */
	if (sb->cfg->spec->uid_map)
		e = namespace_open_user(j->pod.pid, &userns);
	if (e)
		return e;
	for (int i = 0; i < NR_STDIO; i++)
		s.stdio[i] = sb->stdio[i];
	s.fds[1] = sandbox_end;
	s.fds[2] = status_end;
	j->launch.gofer.sandbox = SPAWN_FIRST_FD + 1;
	j->launch.gofer.status = SPAWN_FIRST_FD + 2;
	j->launch.gofer.userns = userns >= 0 ? SPAWN_FIRST_FD + (int)s.nfds : -1;
	s.fds[3] = userns;
	s.nfds += userns >= 0;
	j->launch.wait_for_go = true;
	e = launch_write(&j->launch, &tree);
	s.fds[0] = tree;
	if (!e)
		e = spawn_process(&s, &sb->state.gofer_pid);
	sb->state.gofer_start = state_process_start(sb->state.gofer_pid, false);
	return e;
}

/* What the gofer says of its failure, in place of ours. */
static struct error *gofer_error(struct sandbox *sb, struct error *e)
{
	char buf[8192];
	ssize_t n = e ? recv(sb->status, buf, sizeof(buf) - 1, MSG_DONTWAIT) : 0;

	if (n < 2 || buf[0] != 'E')
		return e;
	buf[n] = 0;
	error_free(e);
	return error_new("%s", buf + 1);
}

static struct error *prepare_mounts(struct join *j)
{
	struct sandbox *sb = j->sb;
	const struct spec *s = sb->cfg->spec;
	AUTO_FD gofer_end = -1;
	AUTO_FD status_end = -1;
	int sockets[2], status[2];
	struct error *e;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return error_errno(errno, "socketpair");
	gofer_end = sockets[0];
	j->gofer = sockets[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, status) < 0)
		return error_errno(errno, "socketpair");
	sb->status = status[0];
	status_end = status[1];
	e = spawn_gofer(j, gofer_end, status_end);
	close(take_fd(&gofer_end));
	close(take_fd(&status_end));
	if (!e)
		e = state_save(&sb->state);
	if (!e)
		e = sandbox_create_hooks(&sb->state, sb->state.gofer_pid, j->pod.pid);
	if (!e && send(sb->status, "", 1, MSG_NOSIGNAL) < 0)
		e = error_errno(errno, "the gofer has died");
	j->mount_flags[j->nr_mounts++] = container_root_readonly(&j->launch) ? VMM_MOUNT_READONLY : 0;
	for (unsigned i = 0; i < s->nmounts; i++)
		if (strcmp(s->mounts[i].type, "gofer") == 0 && j->nr_mounts < VMM_MAX_MOUNTS)
			j->mount_flags[j->nr_mounts++] = container_mount_readonly(&j->launch, i) ? VMM_MOUNT_READONLY : 0;
	for (unsigned i = 0; i < VMM_MAX_MOUNTS; i++)
		j->mount[i] = -1;
	if (!e)
		e = gofer_receive_mounts(j->gofer, j->nr_mounts, j->mount, j->mount_flags);
	return gofer_error(sb, e);
}

/* ---- the request ------------------------------------------------------------------------------------------------------ */

static struct error *request(struct join *j)
{
	const struct sandbox_config *c = j->sb->cfg;
	fdt32_t flags[VMM_MAX_MOUNTS];
	int fds[FDS_MAX];
	unsigned n = 0;
	struct error *e;
	struct tree t;
	void *reply;

	control_begin(&t, "create", NULL);
	tree_u32(&t, "host-pid", j->proxy.pid);
	for (unsigned i = 0; i < j->nr_mounts; i++)
		flags[i] = cpu_to_fdt32(j->mount_flags[i]);
	tree_prop(&t, "mount-flags", flags, j->nr_mounts * sizeof(flags[0]));
	if (c->options->directfs)
		tree_flag(&t, "directfs");
	container_fdt_write(&t, &j->launch);
	fds[n++] = j->gofer;
	for (unsigned i = 0; c->options->directfs && i < j->nr_mounts; i++)
		fds[n++] = j->mount[i];
	for (unsigned i = 0; i < j->launch.nr_io; i++)
		fds[n++] = control_reopened(i < NR_STDIO ? j->sb->stdio[i] : (int)i);
	e = control_send(j->control, &t, fds, n);
	if (!e)
		e = control_receive(j->control, CREATE_SECONDS, &reply);
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= (int)(NR_STDIO + c->preserve_fds))
			close(fds[i]);
	j->gofer = -1;
	if (e)
		return e;
	j->request = launch_u32(reply, 0, "exec", 0);
	free(reply);
	return NULL;
}

static struct error *set_up(struct join *j)
{
	struct sandbox *sb = j->sb;
	const struct sandbox_config *c = sb->cfg;
	bool foreground = c->mode == SANDBOX_FOREGROUND, on_terminal = c->spec->terminal && c->console_socket;
	struct error *e = sandbox_prepare_state(sb);

	if (!e)
		e = link_control(j);
	if (!e)
		e = sandbox_prepare_stdio(sb);
	if (!e && c->spec->terminal && !c->console_socket)
		e = console_save(0);
	if (!e)
		e = exec_proxy_signals(foreground, &j->signals);
	if (!e)
		e = control_connect(j->pod.dir, &j->control);
	if (!e && foreground)
		j->proxy = (struct exec_proxy){.pid = getpid(), .go = -1};
	else if (!e)
		e = exec_proxy_fork(j->control, j->signals, on_terminal ? sb->stdio[0] : -1, c->id, c->spec->args, &j->proxy);
	if (e)
		return e;
	sb->state.pid = j->proxy.pid;
	sb->state.pid_start = state_process_start(j->proxy.pid, false);
	if (c->use_cgroups && !foreground)
		e = cgroup_take(&sb->cgroup, &j->proxy.pid, 1);
	if (!e)
		e = prepare_mounts(j);
	return e ? e : request(j);
}

static struct error *run(struct join *j, int *status)
{
	struct sandbox *sb = j->sb;
	const struct sandbox_config *c = sb->cfg;
	struct error *e = set_up(j);

	if (e)
		return e;
	sb->state.created = true;
	sb->state.started = !sb->hold;
	e = state_save(&sb->state);
	if (!e && c->pid_file)
		e = pid_file_write(c->pid_file, j->proxy.pid);
	if (!e && c->mode != SANDBOX_FOREGROUND)
		e = exec_proxy_go(&j->proxy, j->request);
	if (!e && c->mode != SANDBOX_CREATE)
		e = sb->hold ? sandbox_start(&sb->state) : sandbox_poststart(&sb->state);
	state_unlock(&sb->state);
	if (!e && c->mode == SANDBOX_FOREGROUND)
		*status = exec_proxy_run(j->control, j->signals, c->id, j->request);
	return e;
}

struct error *sandbox_join(struct sandbox *sb, const char *pod, int *status)
{
	const struct sandbox_config *c = sb->cfg;
	struct join j = {.sb = sb, .control = -1, .signals = -1, .gofer = -1, .proxy = {.go = -1}};
	struct error *e = open_pod(&j, pod);

	sb->state.sandbox_id = pod;
	j.launch = (struct launch){
	    .options = c->options, .spec = c->spec, .id = c->id, .platform = j.pod.platform, .work_dir = sb->state.path,
	    .overlay = c->overlay, .hold = sb->hold, .nr_io = NR_STDIO + c->preserve_fds, .boot = {-1, -1, -1, -1, -1},
	};
	sb->platform = j.pod.platform;
	if (!e)
		e = run(&j, status);
	/* It must not be killed by its own runsc. */
	if (c->mode == SANDBOX_FOREGROUND)
		sb->state.pid = 0;
	return e;
}
