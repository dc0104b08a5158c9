/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container, one sandbox: a gofer process that prepares the mounts and a boot process that runs VMM and Sentry.
 * Both talk to us over one status socket: "E<text>" is an error, "W<text>" a warning, any other message says that the
 * container is set up (it waits for sandbox_start) or that its first program is about to run.
 *
 * In the foreground the boot process dies with us (PR_SET_PDEATHSIG); the gofer dies with the boot process.
 */
#include "oci/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "oci/cgroup_limits.h"
#include "oci/console.h"
#include "oci/control_client.h"
#include "oci/pid_file.h"
#include "oci/hooks.h"
#include "oci/rootless.h"
#include "oci/sandbox_impl.h"
#include "oci/util.h"

struct error *sandbox_prepare_state(struct sandbox *sb)
{
	const struct sandbox_config *c = sb->cfg;
	struct state *s = &sb->state;
	struct error *e = NULL;
	char stamp[64];
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	s->created_at = xasprintf("%s.%09ldZ", stamp, now.tv_nsec);
	s->bundle = c->spec->bundle;
	s->version = c->spec->version;
	s->rootfs = c->spec->root;
	s->platform = sb->platform;
	s->annotations = c->spec->annotations;
	s->hooks = c->spec->hooks;
	s->boot_id = state_boot_id();
	s->owner = geteuid();
	if (c->use_cgroups)
		e = cgroup_plan(c->spec->cgroups_path, c->id, c->options->systemd_cgroup, &sb->cgroup);
	s->cgroup_paths = sb->cgroup.made;
	if (e)
		return c->spec->cgroups_path ? error_wrap(e, "%s/config.json", c->spec->bundle) : e;
	/* Before the cgroups exist, so that `delete --force` finds them if we are killed now. */
	e = state_save(s);
	if (!e && c->use_cgroups) {
		sb->limits = (struct limits){.cpus = limits_cpus(c->options->cpus), .ptrace = strcmp(sb->platform, "ptrace") == 0};

		e = cgroup_create(&sb->cgroup, &c->spec->resources, &sb->limits);
		s->cgroup = cgroup_to_json(&sb->cgroup);
	}
	return e;
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
	bool spawned = sb->state.pid_start;
	struct error *e;

	end_process(&sb->state.pid); /* and with it the gofer */
	cgroup_remove(sb->state.cgroup_paths, false);
	e = state_remove(&sb->state);
	if (spawned)
		hooks_run_all(&sb->state, "poststop", STATE_STOPPED);
	return e;
}

struct error *sandbox_destroy(struct state *s)
{
	struct error *e = state_kill_processes(s);

	if (e)
		return e;
	if (s->sandbox_id)
		control_await_end(s->dir, s->id);
	cgroup_remove(s->cgroup_paths, !s->pid_start);
	e = state_remove(s);
	hooks_run_all(s, "poststop", STATE_STOPPED);
	return e;
}

/* ---- starting -------------------------------------------------------------------------------------------------------- */

/* A hook that fails then ends the container. */
struct error *sandbox_poststart(struct state *s)
{
	struct error *e = hooks_run(s, "poststart", STATE_RUNNING);

	if (e)
		error_free(state_kill_processes(s));
	return e;
}

struct error *sandbox_start(struct state *s)
{
	struct error *e = hooks_run_container(s);

	if (e) {
		error_free(state_kill_processes(s));
		return e;
	}
	e = control_start(s->dir, s->id);
	if (e)
		return e;
	s->started = true;
	e = state_save(s);
	if (!e)
		e = sandbox_poststart(s);
	return e;
}

/* Everything up to the container's start; *ended: it has come and gone. */
static struct error *create(struct sandbox *sb, bool *ended)
{
	const struct sandbox_config *c = sb->cfg;
	struct error *e = sandbox_prepare_state(sb);

	if (!e)
		e = sandbox_prepare_stdio(sb);
	if (!e && c->spec->terminal && !c->console_socket)
		e = console_save(0);
	if (!e)
		e = sandbox_spawn(sb);
	if (!e)
		e = sandbox_watch(sb, true, ended);
	if (e || *ended)
		return e;
	sb->state.created = true;
	sb->state.started = !sb->hold;
	e = state_save(&sb->state);
	if (!e && c->mode != SANDBOX_CREATE)
		e = sb->hold ? sandbox_start(&sb->state) : sandbox_poststart(&sb->state);
	return e;
}

static struct error *run(struct sandbox *sb, int *status)
{
	const struct sandbox_config *c = sb->cfg;
	bool ended = false;
	struct error *e = create(sb, &ended);

	if (!e && !ended && c->pid_file)
		e = pid_file_write(c->pid_file, sb->state.pid);
	if (!e && !ended) {
		state_unlock(&sb->state);
		if (c->mode != SANDBOX_FOREGROUND)
			return NULL;
		e = sandbox_watch(sb, false, &ended);
	}
	if (!e)
		e = sandbox_collect(sb, status);
	console_restore();
	return e;
}

struct error *sandbox_run(const struct sandbox_config *cfg, int *status)
{
	struct sandbox sb = {.cfg = cfg, .kvm = -1, .status = -1, .signals = -1, .boot_pidfd = -1,
	                     .hold = cfg->mode == SANDBOX_CREATE || hooks_any(cfg->spec->hooks, "startContainer")};
	struct error *e, *e2;
	const char *pod;

	pod = cfg->spec->pod;
	e = rootless_enter();
	if (!e && !pod)
		e = sandbox_choose_platform(&sb);
	/* From here on a signal ends us in order. */
	if (!e && !pod)
		e = sandbox_watch_signals(&sb);
	if (!e)
		e = state_create(cfg->options->root, cfg->id, &sb.state);
	if (e)
		return e;
	e = pod ? sandbox_join(&sb, pod, status) : run(&sb, status);
	console_restore();
	if (!e && (cfg->mode != SANDBOX_FOREGROUND ? sb.state.pid : cfg->keep))
		return NULL;
	e2 = tear_down(&sb);
	if (e) {
		error_free(e2);
		return e;
	}
	return e2;
}
