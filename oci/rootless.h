/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Without root: runsc moves into a user namespace of its own, where it is root, and goes on as ever. The user's own id is 0
 * there, and the subordinate ids of /etc/subuid and /etc/subgid follow from 1 on if newuidmap(1) and newgidmap(1) are
 * installed and grant them; else that one id is all there is.
 */
#ifndef OCI_ROOTLESS_H
#define OCI_ROOTLESS_H

#include "oci/error.h"

/* Before any thread is started. Nothing to do for root, also for root of a user namespace (rootless Podman). */
struct error *rootless_enter(void) MUST_CHECK;

#endif
