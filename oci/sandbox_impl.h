/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox as the runsc that starts it sees it. Private to sandbox*.c. */
#ifndef OCI_SANDBOX_IMPL_H
#define OCI_SANDBOX_IMPL_H

#include "oci/cgroup.h"
#include "oci/cgroup_limits.h"
#include "oci/sandbox.h"

#define NR_STDIO 3

struct sandbox {
	const struct sandbox_config *cfg;
	struct state state;
	struct cgroup cgroup;
	struct limits limits;
	const char *platform;
	int kvm, status, signals, boot_pidfd;
	int stdio[NR_STDIO]; /* of the container */
	bool join_cgroup;    /* the processes are not born into their cgroups */
	bool hold;           /* the container waits for sandbox_start once it is set up */
	bool ready;          /* it waits, or runs */
	int ended_by; /* signal for which forward_signal killed the sandbox, or 0 */
};

/* sandbox.c */
/* What state.json says, the cgroups. */
struct error *sandbox_prepare_state(struct sandbox *sb) MUST_CHECK;
/* Runs the poststart hooks; one that fails ends the container. */
struct error *sandbox_poststart(struct state *s) MUST_CHECK;

/* sandbox_join.c */
/* As sandbox_run, in the sandbox of another container. The state is made; what was done stays for the caller to tear down after a failure. */
struct error *sandbox_join(struct sandbox *sb, const char *pod, int *status) MUST_CHECK;

/* sandbox_spawn.c */
/* The hooks of creation; gofer and sandbox wait meanwhile. */
struct error *sandbox_create_hooks(const struct state *s, pid_t gofer, pid_t sandbox) MUST_CHECK;
struct error *sandbox_choose_platform(struct sandbox *sb) MUST_CHECK;
/* Descriptors of the container, its terminal. */
struct error *sandbox_prepare_stdio(struct sandbox *sb) MUST_CHECK;
/* Starts both processes and moves them to where they belong. The state is saved with their numbers. */
struct error *sandbox_spawn(struct sandbox *sb) MUST_CHECK;

/* sandbox_watch.c */
/* Blocks the signals that are passed on, from here on; before anything is made. */
struct error *sandbox_watch_signals(struct sandbox *sb) MUST_CHECK;
/* Until the boot process has ended, or (until_ready) the container is held or runs. *ended tells. */
struct error *sandbox_watch(struct sandbox *sb, bool until_ready, bool *ended) MUST_CHECK;
/* The status of the boot process, which has ended. */
struct error *sandbox_collect(struct sandbox *sb, int *status) MUST_CHECK;

#endif
