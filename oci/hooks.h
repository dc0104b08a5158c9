/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks of config.json ("POSIX-platform Hooks" of the runtime specification): programs that run at points of a container's
 * life, with its state on standard input.
 *
 * prestart, createRuntime, poststart and poststop run in runsc's own namespaces; createContainer in the gofer's mount
 * namespace, before it has bound anything, and the container's network, ipc and uts namespaces; startContainer in the
 * container itself.
 */
#ifndef OCI_HOOKS_H
#define OCI_HOOKS_H

#include <stdbool.h>

#include "oci/json.h"
#include "oci/state.h"

/* Checks the hooks object of a config.json (spec_load). */
void hooks_check(struct json *j, const cJSON *hooks);
/* Whether there are any of the kind. */
bool hooks_any(const cJSON *hooks, const char *kind);
/* Runs those of a kind in order until one fails; status: what the state on their standard input says. */
struct error *hooks_run(const struct state *s, const char *kind, enum state_status status) MUST_CHECK;
/* As hooks_run, in the mount namespace of process mounts and the other namespaces of process rest. */
struct error *hooks_run_inside(const struct state *s, const char *kind, enum state_status status, pid_t mounts, pid_t rest) MUST_CHECK;
/* Runs all of a kind; failures are warnings (poststop). */
void hooks_run_all(const struct state *s, const char *kind, enum state_status status);
/* hooks_inside.c: those of startContainer, in a container that is held. */
struct error *hooks_run_container(const struct state *s) MUST_CHECK;

/* For the files of hooks: a hook's list of strings, with room for one more. */
char **hooks_strings(const cJSON *hook, const char *key);
/* A file that holds the state. */
struct error *hooks_state_input(const struct state *s, enum state_status status, int *fd) MUST_CHECK;
/* What a wait status means; output: a file with what the hook wrote. */
struct error *hooks_result(const char *kind, unsigned number, const char *path, int status, int output) MUST_CHECK;
/* The names of all kinds, NULL-terminated. */
extern const char *const hook_kinds[];

#endif
