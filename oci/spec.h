/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container as the OCI runtime specification describes it (config.json), checked and typed. What runsc does not
 * handle is refused or warned of by name, never passed over in silence. A spec lives until the command exits.
 */
#ifndef OCI_SPEC_H
#define OCI_SPEC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "oci/error.h"
#include "oci/json.h"
#include "oci/resources.h"

enum spec_caps { CAPS_EFFECTIVE, CAPS_PERMITTED, CAPS_INHERITABLE, CAPS_BOUNDING, CAPS_AMBIENT, CAPS_SETS };

#define SPEC_VERSION "1.2.0" /* of the runtime specification, the newest that is implemented */

struct spec_rlimit {
	uint32_t resource; /* RLIMIT_* */
	uint64_t soft, hard;
};

struct spec_mount {
	const char *destination; /* absolute, inside the container */
	const char *type;        /* as the Sentry names it; "gofer" for a bind mount */
	const char *source;      /* absolute host path of a bind mount, else as given (may be "") */
	char **options;          /* those that are left for the Sentry, NULL-terminated */
	bool readonly, recursive;
};

struct spec_device {
	const char *path;        /* absolute, inside the container */
	uint32_t mode, uid, gid; /* mode with S_IF* */
	uint32_t major, minor;
};

struct spec {
	const char *bundle;      /* absolute */
	const char *version;     /* ociVersion */
	char **args, **env;
	const char *cwd, *hostname, *domainname;
	uint32_t uid, gid, umask;
	uint32_t *gids;
	unsigned ngids;
	uint64_t caps[CAPS_SETS]; /* bit n: capability n */
	uint32_t own_namespaces;  /* CLONE_NEW* of linux.namespaces without a path */
	bool no_new_privs, terminal;
	unsigned console_rows, console_columns; /* of a new pseudo-terminal; 0: not given */
	int sched_policy;        /* SCHED_*, or -1: not given */
	int sched_priority, sched_nice;
	uint32_t io_priority;    /* as ioprio_set(2), or 0 */
	uint32_t personality;
	int oom_score_adj;
	bool has_oom_score_adj;
	struct spec_rlimit *rlimits;
	unsigned nrlimits;
	const char *root;        /* absolute host path */
	bool root_readonly;
	struct spec_mount *mounts;
	unsigned nmounts;
	const cJSON *annotations; /* object or NULL */
	const char *pod;          /* ID of the container whose sandbox this one is to go into, or NULL */
	const cJSON *hooks;       /* object, checked, or NULL */
	const char *cgroups_path; /* NULL if not given */
	struct resources resources;
	uint64_t memory_limit, pids_limit; /* of the container itself; 0: none */
	bool own_user;
	char *uid_map, *gid_map; /* of the container's user namespace, as /proc/PID/uid_map wants them; NULL: none */
	uint32_t host_uid, host_gid; /* what its ids 0 are outside */
	bool own_network;        /* the container has a network namespace: */
	const char *network_path; /* the one at this path, or NULL: a new one */
	const char *uts_path;    /* the uts namespace that it joins, or NULL */
	char **masked_paths, **readonly_paths; /* NULL-terminated */
	char **sysctls;          /* "name=value", NULL-terminated */
	struct spec_device *devices;
	unsigned ndevices;
	const char *root_propagation; /* or NULL */
	void *seccomp;           /* a program of struct sock_filter, or NULL */
	unsigned seccomp_len;    /* its bytes */
	bool seccomp_log;
};

/* Reads BUNDLE/config.json. */
struct error *spec_load(const char *bundle, struct spec *s) MUST_CHECK;
/* Only what its process object says. */
struct error *spec_load_process(const char *bundle, struct spec *s) MUST_CHECK;
/* A spec that runs args over the host directory root with the usual mounts and all capabilities (runsc do). */
void spec_for_command(struct spec *s, const char *root, const char *cwd, char **args, char **env);
/* The config.json that `runsc spec` writes. */
extern const char spec_template[];

/* spec_mounts.c */
void spec_parse_mounts(struct json *j, struct spec *s);
/* Every option of mounts that means something, NULL-terminated. */
const char *const *spec_mount_options(void);
/* The mounts that every container has: /dev if the list lacks it. */
void spec_default_mounts(struct spec *s);
/* spec_linux.c, spec_seccomp.c */
void spec_parse_linux(struct json *j, struct spec *s);
void spec_parse_seccomp(struct json *j, const cJSON *seccomp, struct spec *s);
/* spec_fields.c: tells what of an object runsc does not act upon. */
void spec_tell_fields(struct json *j, const char *parent, const cJSON *obj);
/* A table of all fields in Markdown, for docs/oci.md. */
void spec_print_fields(void);
/* spec_process.c */
void spec_parse_process(struct json *j, const cJSON *process, struct spec *s);

#endif
