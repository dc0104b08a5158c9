/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting the processes of a sandbox.
 *
 * The boot process comes first: it is the init of the sandbox's pid namespace. The gofer is born into that namespace and
 * left to its init. So whoever started us has one child, the sandbox, whose end takes the gofer along.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/console.h"
#include "oci/control_client.h"
#include "oci/hooks.h"
#include "oci/launch.h"
#include "oci/namespace.h"
#include "oci/network.h"
#include "oci/sandbox_impl.h"
#include "oci/util.h"
#include "platform/platform.h"

/* ---- platform ------------------------------------------------------------------------------------------------- */

static struct error *kvm_error(int err)
{
	switch (err) {
	case ENOENT:
		return error_new("--platform=kvm: /dev/kvm does not exist: enable virtualization (in the firmware, or nested "
		                 "virtualization in the cloud) and load the module kvm_intel or kvm_amd, or use --platform=ptrace");
	case EACCES:
	case EPERM:
		return error_new("--platform=kvm: no permission to open /dev/kvm: run as root or as a member of the group kvm, "
		                 "or use --platform=ptrace");
	case ENODEV:
	case ENXIO:
		return error_new("--platform=kvm: /dev/kvm has no driver: load the module kvm_intel or kvm_amd, or use "
		                 "--platform=ptrace");
	}
	return error_errno(err, "--platform=kvm: cannot open /dev/kvm");
}

struct error *sandbox_choose_platform(struct sandbox *sb)
{
	const char *wanted = sb->cfg->options->platform, *why = "";
	int err;

	sb->platform = "ptrace";
	if (strcmp(wanted, "ptrace") == 0)
		return NULL;
	sb->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	err = sb->kvm < 0 ? errno : 0;
	if (err && strcmp(wanted, "kvm") == 0)
		return kvm_error(err);
	if (err) {
		log_warn("--platform=auto: /dev/kvm: %s; using ptrace", strerror(err));
		return NULL;
	}
	err = platform_kvm_probe(sb->kvm, &why);
	if (err && strcmp(wanted, "kvm") == 0)
		return error_new("--platform=kvm: %s; --platform=ptrace works without", why);
	if (err) {
		log_warn("--platform=auto: %s; using ptrace", why);
		close(take_fd(&sb->kvm));
		return NULL;
	}
	log_debug("platform: kvm");
	sb->platform = "kvm";
	return NULL;
}

/* ---- standard streams --------------------------------------------------------------------------------------------- */

struct error *sandbox_prepare_stdio(struct sandbox *sb)
{
	const struct sandbox_config *c = sb->cfg;
	int slave, null;

	/* One that closes on exec is our own. */
	for (unsigned i = 0; i < c->preserve_fds; i++)
		if (fcntl(NR_STDIO + i, F_GETFD) != 0)
			return error_new("--preserve-fds: descriptor %u is not open", NR_STDIO + i);
	for (int i = 0; i < NR_STDIO; i++)
		sb->stdio[i] = i;
	if (c->console_socket && !c->spec->terminal)
		return error_new("--console-socket: process.terminal is not true");
	if (c->spec->terminal && c->console_socket) {
		struct error *e = console_send_pty(c->console_socket, c->spec->console_rows, c->spec->console_columns, &slave);

		for (int i = 0; !e && i < NR_STDIO; i++)
			sb->stdio[i] = slave;
		return e;
	}
	if (c->spec->terminal && c->mode != SANDBOX_FOREGROUND)
		return error_new("process.terminal is true: create and run --detach need --console-socket then");
	if (c->spec->terminal && !isatty(0))
		return error_new("process.terminal is true, but standard input is not a terminal; set it to false, or use "
		                 "--console-socket");
	/* Closed descriptors would become whatever is opened next. */
	for (int i = 0; i < NR_STDIO; i++)
		if (fcntl(i, F_GETFD) < 0) {
			null = open("/dev/null", O_RDWR | O_CLOEXEC);
			if (null < 0)
				return error_errno(errno, "cannot open /dev/null");
			sb->stdio[i] = null;
		}
	return NULL;
}

/* ---- processes ----------------------------------------------------------------------------------------------------- */

/* Our children inherit it; from a restoring write CAP_SYS_RESOURCE might be missing, so we keep it too. */
static void set_oom_score_adj(const struct spec *s)
{
	char text[16];
	int err;

	if (!s->has_oom_score_adj)
		return;
	snprintf(text, sizeof(text), "%d", s->oom_score_adj);
	err = write_file_at(AT_FDCWD, "/proc/self/oom_score_adj", text);
	if (err < 0)
		log_warn("process.oomScoreAdj: cannot be set to %s for the sandbox: %s", text, strerror(-err));
}

static unsigned push_fd(struct spawn *s, int fd)
{
	s->fds[s->nfds++] = fd;
	return SPAWN_FIRST_FD + s->nfds - 1;
}

/* The descriptors of both. The launch tree is the first one, so its place is known before the tree is. */
static void place_fds(struct sandbox *sb, struct launch *l, struct spawn *boot, struct spawn *gofer, int status_fd,
                      const int sockets[2], int control)
{
	for (int i = 0; i < NR_STDIO; i++) {
		boot->stdio[i] = sb->stdio[i];
		gofer->stdio[i] = fcntl(i, F_GETFD) < 0 ? sb->stdio[i] : i;
	}
	gofer->nfds = boot->nfds = 1;
	l->gofer.sandbox = push_fd(gofer, sockets[0]);
	l->gofer.status = push_fd(gofer, status_fd);
	l->gofer.userns = sb->cfg->spec->uid_map ? (int)push_fd(gofer, -1) : -1;
	l->boot.gofer = push_fd(boot, sockets[1]);
	l->boot.control = push_fd(boot, control);
	l->boot.status = push_fd(boot, status_fd);
	l->boot.kvm = strcmp(sb->platform, "kvm") == 0 ? (int)push_fd(boot, sb->kvm) : -1;
	l->boot.debug_log = log_debug_fd() >= 0 ? (int)push_fd(boot, log_debug_fd()) : -1;
	l->first_preserved = SPAWN_FIRST_FD + boot->nfds;
	for (unsigned i = 0; i < sb->cfg->preserve_fds; i++)
		push_fd(boot, NR_STDIO + i);
}

/* Root of the container's user namespace could not open what stands behind them again. Only what a new inode is made for:
 * nobody else's files, and as runc does it. */
static void own_stdio(const struct sandbox *sb)
{
	const struct spec *s = sb->cfg->spec;
	struct stat st;

	for (int i = 0; s->uid_map && i < NR_STDIO; i++)
		if (fstat(sb->stdio[i], &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(sb->stdio[i])) && st.st_uid != s->host_uid &&
		    fchown(sb->stdio[i], s->host_uid, st.st_gid) < 0)
			log_debug("standard stream %d keeps its owner: %s", i, strerror(errno));
}

static struct error *spawn_both(struct sandbox *sb, struct launch *l, int status_fd, const int sockets[2], int control)
{
	const struct sandbox_config *c = sb->cfg;
	char *gofer_argv[] = {"runsc", "gofer", (char *)c->id, NULL};
	char *boot_argv[] = {"runsc", "boot", (char *)c->id, NULL};
	struct spawn gofer = {.argv = gofer_argv, .flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS};
	struct spawn boot = {.argv = boot_argv, .pidfd = &sb->boot_pidfd,
	                     .flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS};
	struct network net;
	AUTO_FD tree = -1;
	AUTO_FD userns = -1;
	struct error *e;
	bool inside;

	boot.uid_map = c->spec->uid_map;
	boot.gid_map = c->spec->gid_map;
	own_stdio(sb);
	place_fds(sb, l, &boot, &gofer, status_fd, sockets, control);
	set_oom_score_adj(c->spec);
	inside = c->use_cgroups && cgroup_enter(&sb->cgroup);
	sb->join_cgroup = c->use_cgroups && !inside;
	/* What outlives us must not go on before its numbers are on record. */
	l->wait_for_go = c->mode != SANDBOX_FOREGROUND || sb->join_cgroup || hooks_any(c->spec->hooks, "prestart") ||
	                 hooks_any(c->spec->hooks, "createRuntime") || hooks_any(c->spec->hooks, "createContainer");
	e = launch_write(l, &tree);
	gofer.fds[0] = boot.fds[0] = tree;
	if (!e)
		e = network_enter(&net, c->options, c->spec, &boot.flags);
	if (!e) {
		e = spawn_process(&boot, &sb->state.pid);
		network_leave(&net);
	}
	gofer.under = sb->state.pid;
	if (!e && c->spec->uid_map)
		e = namespace_open_user(sb->state.pid, &userns);
	if (l->gofer.userns >= 0)
		gofer.fds[l->gofer.userns - SPAWN_FIRST_FD] = userns;
	if (!e)
		e = spawn_process(&gofer, &sb->state.gofer_pid);
	if (inside)
		cgroup_leave(&sb->cgroup);
	return e;
}

struct error *sandbox_create_hooks(const struct state *s, pid_t gofer, pid_t sandbox)
{
	struct error *e = hooks_run(s, "prestart", STATE_CREATING);

	if (!e)
		e = hooks_run(s, "createRuntime", STATE_CREATING);
	return e ? e : hooks_run_inside(s, "createContainer", STATE_CREATING, gofer, sandbox);
}

/* Into the cgroups, hooks, then on with both. */
static struct error *let_go(struct sandbox *sb)
{
	struct error *e = NULL;

	if (sb->join_cgroup) {
		const pid_t pids[] = {sb->state.pid, sb->state.gofer_pid};

		e = cgroup_take(&sb->cgroup, pids, 2);
		sb->state.cgroup = cgroup_to_json(&sb->cgroup);
	}
	if (!e)
		e = sandbox_create_hooks(&sb->state, sb->state.gofer_pid, sb->state.pid);
	/* Each of them takes one. */
	for (int i = 0; !e && i < 2; i++)
		if (send(sb->status, "", 1, MSG_NOSIGNAL) < 0)
			e = error_errno(errno, "cannot start the sandbox");
	return e;
}

/* Where --root lies below the container's root, relative to that; NULL: it does not. */
static const char *states_below(const struct sandbox_config *c)
{
	char *states = realpath(c->options->root, NULL), *root = realpath(c->spec->root, NULL);
	size_t len = root ? strlen(root) : 0;

	if (!states || !root || !has_prefix(states, root))
		return NULL;
	if (root[len - 1] != '/' && states[len] != '/')
		return NULL;
	return states[len] == '/' ? states + len + 1 : states + len;
}

struct error *sandbox_spawn(struct sandbox *sb)
{
	const struct sandbox_config *c = sb->cfg;
	AUTO_FD gofer_end = -1;
	AUTO_FD boot_end = -1;
	AUTO_FD status_end = -1;
	AUTO_FD control = -1;
	int sockets[2], status[2];
	struct launch l = {
	    .options = c->options, .spec = c->spec, .id = c->id, .platform = sb->platform, .work_dir = sb->state.path,
	    .overlay = c->overlay, .foreground = c->mode == SANDBOX_FOREGROUND, .hide_system = c->hide_system,
	    .shared_files = c->shared_files, .hold = sb->hold, .mortal_init = c->mode == SANDBOX_FOREGROUND,
	    .hide_path = c->hide_system ? states_below(c) : NULL, .nr_io = NR_STDIO + c->preserve_fds, .cgroup_v2 = sb->cgroup.v2 || !sb->cgroup.n,
	    .memory_cgroup = cgroup_dir(&sb->cgroup, "memory"),
	};
	struct error *e;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return error_errno(errno, "socketpair");
	gofer_end = sockets[0];
	boot_end = sockets[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, status) < 0)
		return error_errno(errno, "socketpair");
	sb->status = status[0];
	status_end = status[1];
	e = control_listen(sb->state.dir, &control);
	if (!e)
		e = spawn_both(sb, &l, status_end, sockets, control);
	/* One that nobody waits for before we do may have come to its end already, program and all. */
	sb->state.pid_start = state_process_start(sb->state.pid, true);
	sb->state.gofer_start = state_process_start(sb->state.gofer_pid, false);
	if (!e)
		e = state_save(&sb->state);
	return !e && l.wait_for_go ? let_go(sb) : e;
}
