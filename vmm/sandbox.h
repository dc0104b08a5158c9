/* SPDX-License-Identifier: Apache-2.0 */
/* What the sandbox process gives up before the Sentry runs. */
#ifndef VMM_SANDBOX_H
#define VMM_SANDBOX_H

#include <stdbool.h>

/* no_new_privs, not dumpable, capabilities reduced to those of directfs and of host sockets (or none). Before threads
 * exist. */
int sandbox_drop_privileges(bool directfs, bool host_network);
/* The system-call filter of this platform, for this thread and all later ones. */
int seccomp_install(const char *platform, bool directfs, bool host_network);

#endif
