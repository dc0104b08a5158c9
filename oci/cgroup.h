/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroups of a sandbox, v1 (one directory per hierarchy) and v2. A hybrid host counts as v1: its unified hierarchy has
 * no controllers. Directories that exist already are joined and left behind; those that we make are removed again.
 *
 * Moving a process costs an RCU grace period (10 to 20 ms) on kernels without favordynmods. A thread of v1 that moves
 * itself is spared that: so runsc goes into new cgroups, lets its children be born there, and comes back.
 */
#ifndef OCI_CGROUP_H
#define OCI_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "oci/error.h"
#include "oci/json.h"

#define CGROUP_MAX 24

struct resources;
struct limits;

struct cgroup {
	bool v2;
	bool rootless;                 /* what we may not do is left out, unless the spec asks for it */
	char *unit, *slice;            /* of systemd, or NULL: it makes what it knows of when processes are there */
	const struct resources *resources; /* with a unit: to be set then */
	const struct limits *limits;
	unsigned n;
	char *controllers[CGROUP_MAX]; /* v1: "cpu,cpuacct", "name=systemd"; v2: "" */
	char *mount[CGROUP_MAX];       /* where the hierarchy is mounted */
	char *path[CGROUP_MAX];        /* the directory to join */
	char *own[CGROUP_MAX];         /* v1: where we are, or NULL if that cannot be seen */
	char **made;                   /* directories to make, parents first; NULL-terminated */
};

/* Works out the directories for linux.cgroupsPath (NULL: ID below runsc's own cgroup). systemd: the path is slice:prefix:name.
 * Changes nothing. */
struct error *cgroup_plan(const char *cgroups_path, const char *id, bool systemd, struct cgroup *cg) MUST_CHECK;
/* Makes the directories and sets the limits; with systemd that is left to cgroup_take, and r and l must live until then. */
struct error *cgroup_create(struct cgroup *cg, const struct resources *r, const struct limits *l) MUST_CHECK;
/* Changes limits; devices stay as they are. */
struct error *cgroup_update(const struct cgroup *cg, const struct resources *r, const struct limits *l) MUST_CHECK;
/* Moves processes into the cgroups, which systemd makes for them if it is to. */
struct error *cgroup_take(struct cgroup *cg, const pid_t *pids, unsigned n) MUST_CHECK;
/* Takes the calling thread into the cgroups, if all of them are ours and v1 and nothing speaks against it; children are in
 * them from birth. True: cgroup_leave must follow. False: it is where it was, and children must be made to join. */
bool cgroup_enter(const struct cgroup *cg) MUST_CHECK;
void cgroup_leave(const struct cgroup *cg);
/* Removes what was made, once the container's processes have ended; a directory that others use now is left, and so are
 * they: containers may share one. orphans: some whose creator died before they were on record may be ending; wait longer. */
void cgroup_remove(char **made, bool orphans);

/* The directory of a controller ("memory"; on v2 they are all one), or NULL. */
const char *cgroup_dir(const struct cgroup *cg, const char *controller);
/* The data of runc's `events --stats`. */
cJSON *cgroup_stats(const struct cgroup *cg);
/* For checkBeforeUpdate: an error if the new limit is below what is in use. */
struct error *cgroup_check_memory(const struct cgroup *cg, const struct resources *r) MUST_CHECK;
/* For state.json, and back. */
cJSON *cgroup_to_json(const struct cgroup *cg);
struct error *cgroup_from_json(const cJSON *o, struct cgroup *cg) MUST_CHECK;
/* What cgroup_from_json made, also when it failed. */
void cgroup_free(struct cgroup *cg);
/* A user namespace, or not root: ids and cgroups are not ours to give. */
bool cgroup_is_rootless(void);

#endif
