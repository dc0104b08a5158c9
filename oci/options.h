/* SPDX-License-Identifier: Apache-2.0 */
/* The global flags, named as gVisor names them. */
#ifndef OCI_OPTIONS_H
#define OCI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "oci/error.h"
#include "oci/flags.h"
#include "oci/json.h"

struct options {
	const char *root; /* directory of container states */
	const char *log, *log_format, *debug_log;
	bool debug, strace;
	const char *platform; /* auto, kvm, ptrace */
	const char *sentry;   /* auto, guest, host */
	const char *tsc;      /* auto, trust, never */
	const char *network;  /* none, host, sandbox (refused) */
	const char *host_uds, *host_fifo; /* none; all else is refused */
	const char *file_access; /* exclusive, shared; NULL: the command's default */
	const char *overlay2; /* NULL: the command's default */
	bool directfs, allow_suid, ignore_cgroups, systemd_cgroup;
	unsigned cpus;        /* 0: all that may be used */
	uint64_t memory;      /* 0: the host's */
	bool allow_flag_override;
	bool show_version;
	const char *ignored_string;
};

extern const struct flag global_flags[];
void options_default(struct options *o);
/* Checks what a table cannot. */
struct error *options_check(struct options *o) MUST_CHECK;
/* Flags that a container's annotations dev.gvisor.flag.NAME set (dev.runsc.flag.NAME is the same), where
 * --allow-flag-override permits it: *out is o with these, checked. Those that name files or directories of the host, or what
 * is allowed, cannot be set so. */
struct error *options_override(const struct options *o, const cJSON *annotations, struct options *out) MUST_CHECK;

enum overlay_mode { OVERLAY_NONE, OVERLAY_ROOT, OVERLAY_ALL };
struct error *options_overlay(const struct options *o, enum overlay_mode dflt, enum overlay_mode *out) MUST_CHECK;
/* Whether files and names are asked for anew each time, since others change them too. */
bool options_shared_files(const struct options *o, bool dflt);

#endif
