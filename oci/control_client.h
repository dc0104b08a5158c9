/* SPDX-License-Identifier: Apache-2.0 */
/* The commands' side of a sandbox's control socket (abi/control.h). */
#ifndef OCI_CONTROL_CLIENT_H
#define OCI_CONTROL_CLIENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "oci/error.h"

#define CONTROL_SOCKET "control.sock"

/* Makes the listening socket in the container's directory. */
struct error *control_listen(int dir, int *fd) MUST_CHECK;
/* Sends a signal to the container's process pid (0: its init), or to all of its processes. */
struct error *control_signal(int dir, int signo, pid_t pid, bool all) MUST_CHECK;
/* Lets a held container run; returns when its program runs. */
struct error *control_start(int dir) MUST_CHECK;

#endif
