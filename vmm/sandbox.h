/* SPDX-License-Identifier: Apache-2.0 */
/* What the sandbox process gives up before the Sentry runs. */
#ifndef VMM_SANDBOX_H
#define VMM_SANDBOX_H

#include <stdbool.h>
#include <stdio.h>

/* no_new_privs, not dumpable, capabilities reduced to those of directfs and of host sockets (or none). Before threads
 * exist. */
int sandbox_drop_privileges(bool directfs, bool host_network);
/* What decides which system calls are needed. */
struct seccomp_config {
	bool ptrace;       /* the platform: ptrace, else kvm */
	bool guest;        /* the Sentry runs in guest ring 0 */
	bool directfs;     /* this process opens files itself */
	bool host_network; /* and sockets */
};
/* The filter of system calls, for this thread and all later ones. */
int seccomp_install(const struct seccomp_config *c);
/* The tables of docs/security.md. */
void seccomp_print(FILE *f);

#endif
