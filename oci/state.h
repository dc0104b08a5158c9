/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runsc remembers of a container: ROOT/ID/state.json, beside the control socket of its sandbox. The directory is
 * the container's existence (made exclusively, removed last); its flock serializes commands; state.json is replaced
 * atomically. Whether the container lives is not stored but asked of the kernel: the sandbox's pid and start time, on
 * this boot of the machine.
 */
#ifndef OCI_STATE_H
#define OCI_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "oci/error.h"
#include "oci/json.h"

struct state {
	const char *id, *bundle, *version, *rootfs, *created_at;
	const char *platform;
	const cJSON *annotations;    /* or NULL */
	pid_t pid, gofer_pid;        /* on the host; 0 before they exist */
	uint64_t pid_start, gofer_start; /* field 22 of /proc/PID/stat */
	unsigned owner;              /* uid of the creator */
	const cJSON *cgroup;         /* cgroup_to_json, NULL: none */
	char **cgroup_paths;         /* directories that we made, parents first; NULL-terminated */
	const cJSON *hooks;          /* of config.json, or NULL */
	const char *boot_id;         /* of the machine that the pids were valid on */
	bool created;                /* set up completely: waits for `start`, or ... */
	bool started;                /* ... was started */
	const char *sandbox_id;      /* whose sandbox it is in, NULL: its own */
	bool paused;                 /* nothing of it runs until it is resumed */
	bool abandoned;              /* whoever was creating it has died on the way */
	int dir;                     /* the directory */
	const char *path;            /* its name */
};

/* Makes the directory of a new container and locks it. */
struct error *state_create(const char *root, const char *id, struct state *s) MUST_CHECK;
/* Opens an existing container; locked: waits for other commands to finish with it. A directory without state.json
 * (runsc was killed very early) loads as an empty state. */
struct error *state_open(const char *root, const char *id, bool locked, struct state *s) MUST_CHECK;
/* The same, not locked. A program may run a moment before its creator has that, or even the sandbox, on record: waits until it
 * has, ten seconds at most, for those who saw the program work and now want something of it. */
struct error *state_open_created(const char *root, const char *id, struct state *s) MUST_CHECK;
struct error *state_save(struct state *s) MUST_CHECK;
void state_unlock(struct state *s);
/* Removes everything under the directory and the directory. */
struct error *state_remove(struct state *s) MUST_CHECK;
void state_close(struct state *s);

enum state_status { STATE_CREATING, STATE_CREATED, STATE_RUNNING, STATE_PAUSED, STATE_STOPPED };
enum state_status state_status(const struct state *s);
const char *state_status_name(enum state_status st);
/* The state object of the OCI runtime specification, with what runc adds. st: as which it is to show. */
cJSON *state_json(const struct state *s, enum state_status st);
/* Names this boot of the machine. */
const char *state_boot_id(void);
/* Start time of a process (field 22 of its stat), 0 if it is gone or, unless ended ones count too, a zombie. */
uint64_t state_process_start(pid_t pid, bool ended);
/* Kills and waits (at most 10 s) until the processes of the sandbox are gone. */
struct error *state_kill_processes(const struct state *s) MUST_CHECK;

#endif
