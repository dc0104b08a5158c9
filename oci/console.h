/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals on the host's side. The Sentry has a line discipline of its own, so the host's terminal (or the pty that is
 * handed to --console-socket) is put into raw mode and only carries bytes and window sizes.
 */
#ifndef OCI_CONSOLE_H
#define OCI_CONSOLE_H

#include <stdbool.h>

#include "oci/error.h"

/* Raw mode until console_restore, which is safe to call at any time, also when raw mode was never set. */
struct error *console_raw(int fd) MUST_CHECK;
void console_restore(void);
/* Makes a pty, sends its master over the unix socket at path (OCI runtimes' --console-socket) and returns the slave. */
struct error *console_send_pty(const char *path, int *slave) MUST_CHECK;

#endif
