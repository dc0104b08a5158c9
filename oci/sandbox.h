/* SPDX-License-Identifier: Apache-2.0 */
/* Creating a sandbox (boot and gofer processes), starting its container, watching it, ending it. */
#ifndef OCI_SANDBOX_H
#define OCI_SANDBOX_H

#include <stdbool.h>

#include "oci/error.h"
#include "oci/options.h"
#include "oci/spec.h"
#include "oci/state.h"

enum sandbox_mode {
	SANDBOX_FOREGROUND, /* until the container has ended */
	SANDBOX_DETACHED,   /* until its program runs */
	SANDBOX_CREATE,     /* until it is set up; sandbox_start lets it run */
};

struct sandbox_config {
	const struct options *options;
	const struct spec *spec;
	const char *id;
	enum overlay_mode overlay;
	enum sandbox_mode mode;
	bool keep;                  /* in the foreground: leave the stopped container behind */
	unsigned preserve_fds;      /* descriptors 3.. that the container gets too */
	bool use_cgroups;
	bool shared_files;          /* others change the container's files too */
	bool hide_system;           /* leave out the host's /proc, /sys and /dev below the root */
	const char *pid_file;       /* or NULL */
	const char *console_socket; /* or NULL */
};

/* Creates the container and runs it as far as the mode says. *status is what runsc exits with. A failure leaves nothing
 * behind. */
struct error *sandbox_run(const struct sandbox_config *cfg, int *status) MUST_CHECK;
/* Lets a created container run. The state is locked. */
struct error *sandbox_start(struct state *s) MUST_CHECK;
/* Removes a container's processes, cgroups and state. The state is locked; it is gone afterwards. */
struct error *sandbox_destroy(struct state *s) MUST_CHECK;

#endif
