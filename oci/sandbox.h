/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a sandbox (gofer and boot processes), watching it, ending it. */
#ifndef OCI_SANDBOX_H
#define OCI_SANDBOX_H

#include <stdbool.h>

#include "oci/error.h"
#include "oci/options.h"
#include "oci/spec.h"
#include "oci/state.h"

struct sandbox_config {
	const struct options *options;
	const struct spec *spec;
	const char *id;
	enum overlay_mode overlay;
	bool detach;
	bool use_cgroups;
	bool hide_system;           /* leave out the host's /proc, /sys and /dev below the root */
	const char *pid_file;       /* or NULL */
	const char *console_socket; /* or NULL */
};

/* Runs the container; returns when it has ended, or, detached, when it runs. *status is what runsc exits with. A failure
 * leaves nothing behind. */
struct error *sandbox_run(const struct sandbox_config *cfg, int *status) MUST_CHECK;
/* Removes a container's processes, cgroups and state. The state is locked; it is gone afterwards. */
struct error *sandbox_destroy(struct state *s) MUST_CHECK;

#endif
