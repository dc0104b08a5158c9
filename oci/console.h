/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals on the host's side. The Sentry has a line discipline of its own: it takes the settings over, puts the host's
 * terminal (or the pty that is handed to --console-socket) into raw mode, and back at its end. Here they are kept for a
 * sandbox that does not come to its end.
 */
#ifndef OCI_CONSOLE_H
#define OCI_CONSOLE_H

#include <stdbool.h>

#include "oci/error.h"

/* Remembers the terminal's settings. A background job is stopped here by the terminal, until it is in the foreground. */
struct error *console_save(int fd) MUST_CHECK;
/* Puts back what console_save found; nothing if it was not called. Once. */
void console_restore(void);
/* Makes a pty, sends its master over the unix socket at path (OCI runtimes' --console-socket) and returns the slave.
 * rows, columns: its size, if not 0. */
struct error *console_send_pty(const char *path, unsigned rows, unsigned columns, int *slave) MUST_CHECK;

#endif
