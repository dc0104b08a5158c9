/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container, one sandbox: a gofer process that prepares the mounts and a boot process that runs VMM and Sentry,
 * started side by side. Both talk to us over one status socket: "E<text>" is an error, any other message says that the
 * container's first task is about to run.
 *
 * In the foreground the boot process dies with us (PR_SET_PDEATHSIG), and the gofer when the boot process is gone.
 */
#include "oci/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "oci/cgroup.h"
#include "oci/cgroup_limits.h"
#include "oci/console.h"
#include "oci/control_client.h"
#include "oci/launch.h"
#include "oci/namespace.h"
#include "oci/network.h"
#include "oci/util.h"
#include "platform/platform.h"

#define STATUS_MAX 8192
#define NR_STDIO   3

struct sandbox {
	const struct sandbox_config *cfg;
	struct state state;
	struct cgroup cgroup;
	const char *platform;
	int kvm, status, signals, boot_pidfd;
	int stdio[NR_STDIO]; /* of the container */
	bool ready;
	int ended_by; /* signal for which forward_signal killed the sandbox, or 0 */
};

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

static struct error *choose_platform(struct sandbox *sb)
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

static struct error *prepare_stdio(struct sandbox *sb)
{
	const struct sandbox_config *c = sb->cfg;
	int slave, null;

	for (int i = 0; i < NR_STDIO; i++)
		sb->stdio[i] = i;
	if (c->console_socket && !c->spec->terminal)
		return error_new("--console-socket: process.terminal is not true");
	if (c->spec->terminal && c->console_socket) {
		struct error *e = console_send_pty(c->console_socket, &slave);

		for (int i = 0; !e && i < NR_STDIO; i++)
			sb->stdio[i] = slave;
		return e;
	}
	if (c->spec->terminal && c->detach)
		return error_new("process.terminal is true: with --detach it needs --console-socket");
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

/* ---- starting ----------------------------------------------------------------------------------------------------- */

static struct error *prepare_state(struct sandbox *sb)
{
	const struct sandbox_config *c = sb->cfg;
	struct state *s = &sb->state;
	struct error *e = NULL;
	char stamp[64];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	s->bundle = c->spec->bundle;
	s->version = c->spec->version;
	s->rootfs = c->spec->root;
	s->created = xstrdup(stamp);
	s->platform = sb->platform;
	s->annotations = c->spec->annotations;
	s->owner = geteuid();
	if (c->use_cgroups)
		e = cgroup_plan(c->spec->cgroups_path, c->id, &sb->cgroup);
	s->cgroup_paths = sb->cgroup.made;
	if (e)
		return e;
	/* Before the cgroups exist, so that `delete --force` finds them if we are killed now. */
	e = state_save(s);
	if (!e && c->use_cgroups) {
		struct limits l = {.cpus = limits_cpus(c->options->cpus), .ptrace = strcmp(sb->platform, "ptrace") == 0};

		e = cgroup_create(&sb->cgroup, &c->spec->resources, &l);
		s->cgroup = cgroup_to_json(&sb->cgroup);
	}
	return e;
}

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

static struct error *spawn_both(struct sandbox *sb, struct launch *l, int status_fd, int sockets[2], int control)
{
	const struct sandbox_config *c = sb->cfg;
	char *gofer_argv[] = {"runsc", "gofer", (char *)c->id, NULL};
	char *boot_argv[] = {"runsc", "boot", (char *)c->id, NULL};
	struct spawn gofer = {.argv = gofer_argv, .flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS, .stdio = {0, 1, 2}};
	struct spawn boot = {.argv = boot_argv, .pidfd = &sb->boot_pidfd,
	                     .flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS};
	struct network net;
	AUTO_FD tree = -1;
	struct error *e;
	bool inside;

	for (int i = 0; i < NR_STDIO; i++) {
		boot.stdio[i] = sb->stdio[i];
		gofer.stdio[i] = fcntl(i, F_GETFD) < 0 ? sb->stdio[i] : i;
	}
	/* The launch tree is the first descriptor of both, so its place is known before the tree is. */
	gofer.nfds = boot.nfds = 1;
	l->gofer.sandbox = push_fd(&gofer, sockets[0]);
	l->gofer.status = push_fd(&gofer, status_fd);
	l->boot.gofer = push_fd(&boot, sockets[1]);
	l->boot.control = push_fd(&boot, control);
	l->boot.status = push_fd(&boot, status_fd);
	l->boot.kvm = strcmp(sb->platform, "kvm") == 0 ? (int)push_fd(&boot, sb->kvm) : -1;
	l->boot.debug_log = log_debug_fd() >= 0 ? (int)push_fd(&boot, log_debug_fd()) : -1;
	set_oom_score_adj(c->spec);
	inside = c->use_cgroups && cgroup_enter(&sb->cgroup);
	l->wait_for_go = c->use_cgroups && !inside;
	e = launch_write(l, &tree);
	gofer.fds[0] = boot.fds[0] = tree;
	if (!e)
		e = spawn_process(&gofer, &sb->state.gofer_pid);
	if (!e)
		e = network_enter(&net, c->options, c->spec, &boot.flags);
	if (!e) {
		e = spawn_process(&boot, &sb->state.pid);
		network_leave(&net);
	}
	if (inside)
		cgroup_leave(&sb->cgroup);
	return e;
}

static struct error *start(struct sandbox *sb)
{
	const struct sandbox_config *c = sb->cfg;
	AUTO_FD gofer_end = -1;
	AUTO_FD boot_end = -1;
	AUTO_FD status_end = -1;
	AUTO_FD control = -1;
	int sockets[2], status[2];
	struct launch l = {
	    .options = c->options, .spec = c->spec, .id = c->id, .platform = sb->platform, .work_dir = sb->state.path,
	    .overlay = c->overlay, .foreground = !c->detach, .hide_system = c->hide_system, .nr_io = NR_STDIO,
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
	if (e)
		return e;
	sb->state.pid_start = state_process_start(sb->state.pid);
	sb->state.gofer_start = state_process_start(sb->state.gofer_pid);
	e = state_save(&sb->state);
	if (!e && l.wait_for_go) {
		e = cgroup_join(&sb->cgroup, sb->state.pid);
		if (!e)
			e = cgroup_join(&sb->cgroup, sb->state.gofer_pid);
		if (!e && send(sb->status, "", 1, MSG_NOSIGNAL) < 0)
			e = error_errno(errno, "cannot start the sandbox");
	}
	return e;
}

/* ---- watching ------------------------------------------------------------------------------------------------------- */

/* What a foreground runsc passes on. */
static const int forwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH};

static struct error *watch_signals(struct sandbox *sb)
{
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(&set, forwarded[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sb->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return sb->signals < 0 ? error_errno(errno, "signalfd") : NULL;
}

static void forward_signal(struct sandbox *sb)
{
	struct signalfd_siginfo si;
	struct error *e = NULL;
	bool fatal;

	if (read(sb->signals, &si, sizeof(si)) != sizeof(si))
		return;
	fatal = si.ssi_signo == SIGINT || si.ssi_signo == SIGTERM || si.ssi_signo == SIGQUIT || si.ssi_signo == SIGHUP;
	/* The terminal is not the sandbox's controlling one, so the kernel tells only us. */
	if (si.ssi_signo == SIGWINCH) {
		if (sb->cfg->spec->terminal && !sb->cfg->console_socket)
			kill(sb->state.pid, SIGWINCH);
		return;
	}
	if (sb->ready)
		e = control_signal(sb->state.dir, si.ssi_signo, 0, false);
	if (e)
		log_warn("cannot pass signal %u on: %s", si.ssi_signo, e->msg);
	if ((e || !sb->ready) && fatal) {
		sb->ended_by = si.ssi_signo;
		kill(sb->state.pid, SIGKILL);
	}
	error_free(e);
}

/* The next message of the status socket. Sets *closed at its end. */
static struct error *read_status(struct sandbox *sb, bool *closed)
{
	char buf[STATUS_MAX + 1];
	ssize_t n = recv(sb->status, buf, STATUS_MAX, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return NULL;
	if (n <= 0) {
		*closed = true;
		return NULL;
	}
	buf[n] = 0;
	if (n > 1 && buf[0] == 'E')
		return error_new("%s", buf + 1);
	sb->ready = true;
	return NULL;
}

/* Until the boot process has ended, or (until_ready) the container runs. *ended tells. */
static struct error *watch(struct sandbox *sb, bool until_ready, bool *ended)
{
	struct pollfd p[3] = {
	    {.fd = sb->boot_pidfd, .events = POLLIN}, {.fd = sb->status, .events = POLLIN}, {.fd = sb->signals, .events = POLLIN}};

	while (!(until_ready && sb->ready)) {
		struct error *e = NULL;
		bool closed = false;

		if (poll(p, 3, -1) < 0 && errno != EINTR)
			return error_errno(errno, "poll");
		if (p[1].revents)
			e = read_status(sb, &closed);
		if (e)
			return e;
		if (closed)
			p[1].fd = -1;
		if (p[2].revents)
			forward_signal(sb);
		/* Last, and only when no message is left. */
		if (p[0].revents && (closed || p[1].fd < 0 || !p[1].revents)) {
			*ended = true;
			return NULL;
		}
	}
	return NULL;
}

static struct error *collect(struct sandbox *sb, int *status)
{
	int w;

	while (waitpid(sb->state.pid, &w, 0) < 0)
		if (errno != EINTR)
			return error_errno(errno, "waitpid");
	sb->state.pid = 0;
	if (!sb->ready && WIFSIGNALED(w))
		return error_new("the sandbox was killed by signal %d (%s) before the container started", WTERMSIG(w),
		                 strsignal(WTERMSIG(w)));
	if (!sb->ready)
		return error_new("the sandbox ended before the container started (status %d)", WEXITSTATUS(w));
	*status = WEXITSTATUS(w);
	/* The status of a container whose init was killed is one of a sandbox that exited. */
	if (WIFSIGNALED(w) && sb->ended_by) {
		*status = 128 + sb->ended_by; /* our own doing: the container became ready at that moment */
	} else if (WIFSIGNALED(w)) {
		struct error *e = error_new("container \"%s\": the sandbox was killed by signal %d (%s)", sb->cfg->id, WTERMSIG(w),
		                            strsignal(WTERMSIG(w)));

		log_error(e);
		error_free(e);
		*status = 128 + WTERMSIG(w);
	}
	return NULL;
}

/* ---- ending ---------------------------------------------------------------------------------------------------------- */

static void end_process(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		;
	*pid = 0;
}

static struct error *tear_down(struct sandbox *sb)
{
	end_process(&sb->state.pid);
	end_process(&sb->state.gofer_pid);
	cgroup_remove(sb->state.cgroup_paths, true);
	return state_remove(&sb->state);
}

static struct error *write_pid_file(const char *path, pid_t pid)
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

static struct error *run_locked(struct sandbox *sb, int *status)
{
	const struct sandbox_config *c = sb->cfg;
	struct error *e = prepare_state(sb);
	bool ended = false;

	if (!e)
		e = prepare_stdio(sb);
	if (!e && c->spec->terminal && !c->console_socket)
		e = console_save(0);
	if (!e)
		e = start(sb);
	if (!e && c->pid_file)
		e = write_pid_file(c->pid_file, sb->state.pid);
	if (!e)
		e = watch(sb, true, &ended);
	if (!e && c->detach && !ended) {
		state_unlock(&sb->state);
		return NULL;
	}
	if (!e && !ended) {
		state_unlock(&sb->state);
		e = watch(sb, false, &ended);
	}
	if (!e)
		e = collect(sb, status);
	console_restore();
	return e;
}

struct error *sandbox_run(const struct sandbox_config *cfg, int *status)
{
	struct sandbox sb = {.cfg = cfg, .kvm = -1, .status = -1, .signals = -1, .boot_pidfd = -1};
	struct error *e, *e2;

	e = choose_platform(&sb);
	/* From here on a signal ends us in order. */
	if (!e)
		e = watch_signals(&sb);
	if (!e)
		e = state_create(cfg->options->root, cfg->id, &sb.state);
	if (e)
		return e;
	e = run_locked(&sb, status);
	console_restore();
	if (!e && cfg->detach && sb.state.pid)
		return NULL;
	e2 = tear_down(&sb);
	if (e) {
		error_free(e2);
		return e;
	}
	return e2;
}

struct error *sandbox_destroy(struct state *s)
{
	struct error *e = state_kill_processes(s);

	if (e)
		return e;
	cgroup_remove(s->cgroup_paths, true);
	return state_remove(s);
}
