/* SPDX-License-Identifier: Apache-2.0 */
/* The commands' side of a sandbox's control socket (abi/control.h). */
#ifndef OCI_CONTROL_CLIENT_H
#define OCI_CONTROL_CLIENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "oci/error.h"
#include "oci/tree.h"

#define CONTROL_SOCKET "control.sock"

/* Makes the listening socket in the container's directory. */
struct error *control_listen(int dir, int *fd) MUST_CHECK;
/* Sends a signal to the container's process pid (0: its init), or to all of its processes. id NULL: of the sandbox's
 * first container. */
struct error *control_signal(int dir, const char *id, int signo, pid_t pid, bool all) MUST_CHECK;
/* Lets a held container run; returns when its program runs. */
struct error *control_start(int dir, const char *id) MUST_CHECK;

/* A connection. Closing it ends what its requests own (exec). */
struct error *control_connect(int dir, int *fd) MUST_CHECK;
/* Begins a request; properties may follow. id: of the container, or NULL for the sandbox's first one. */
void control_begin(struct tree *t, const char *type, const char *id);
/* Finishes and sends it, with descriptors. */
struct error *control_send(int fd, struct tree *t, const int *fds, unsigned nfds) MUST_CHECK;
/* The next reply, checked, in memory that is the caller's to free; its error, if it has one, is returned (and no reply).
 * seconds: how long to wait, -1: for ever. */
struct error *control_receive(int fd, int seconds, void **reply) MUST_CHECK;
/* Whether the n bytes at p (8-aligned) are a tree that libfdt may read; a sandbox may be hostile. */
bool control_is_tree(const void *p, ssize_t n);
/* Waits until the container has ended, or at most some seconds. */
void control_await_end(int dir, const char *id);
/* What to send of a descriptor for the container: pipes and terminals are opened once more, non-blocking, since the sandbox
 * cannot do that, and ours must not become so. fd itself where that is not possible or needed. */
int control_reopened(int fd);
/* One request and its reply (may be NULL: not wanted). */
struct error *control_call(int dir, struct tree *t, void **reply) MUST_CHECK;
struct resources;
/* Changes the limits that the Sentry enforces or shows. id: of a container of the sandbox, or NULL for its first one. */
struct error *control_update(int dir, const char *id, const struct resources *r) MUST_CHECK;

#endif
