/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands on the host for a process inside the sandbox that is not its first one: a small process that passes signals
 * on and exits as the other one does; when it dies, the other one is killed. In the foreground runsc itself does that.
 */
#ifndef OCI_EXEC_PROXY_H
#define OCI_EXEC_PROXY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "oci/error.h"

struct exec_proxy {
	pid_t pid; /* of the proxy */
	int go;    /* what tells a separate one to begin, or -1 */
};

/* Blocks and collects the signals that are to be passed on: all, or (foreground) those that do not stop runsc itself. To be
 * called before a proxy is made; a descriptor for exec_proxy_run. */
struct error *exec_proxy_signals(bool foreground, int *fd) MUST_CHECK;
/* Makes a separate proxy over the control connection, in a session of its own; terminal (or -1) becomes its controlling
 * one, so that it hears of changes of the window. It waits for exec_proxy_go, and ends if we end before. ps shows it
 * with args, those of the process that it stands for. */
struct error *exec_proxy_fork(int control, int signals, int terminal, const char *container, char *const *args,
                              struct exec_proxy *p) MUST_CHECK;
/* request: the "exec" of the first reply. */
struct error *exec_proxy_go(struct exec_proxy *p, uint32_t request) MUST_CHECK;
/* Passes signals on until the process has ended: an exit status, 128 + n for a signal; 137 when the sandbox ended. */
int exec_proxy_run(int control, int signals, const char *container, uint32_t request);

#endif
