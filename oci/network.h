/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network namespace of the sandbox process. With --network=host it is the container's: the one that config.json names,
 * a new one, or runsc's own where it names none. With --network=none it is a new and empty one that nothing uses.
 */
#ifndef OCI_NETWORK_H
#define OCI_NETWORK_H

#include "oci/options.h"
#include "oci/spec.h"

struct network {
	int own; /* runsc's own namespace to go back to, or -1 */
};

/* Before the sandbox process is cloned: joins the namespace by path, or adds to its clone flags. */
struct error *network_enter(struct network *n, const struct options *o, const struct spec *s, unsigned long *flags) MUST_CHECK;
/* Afterwards. */
void network_leave(struct network *n);
/* Does the container have a network namespace that is not runsc's own? */
bool network_is_own(const struct spec *s);
/* In the sandbox process, in a namespace that is the container's alone: the loopback interface comes up, the Sentry alone
 * decides who may bind which port, and the settings net.* of the list of strings "sysctls" in the node are made. */
struct error *network_prepare(const void *tree, int node) MUST_CHECK;

#endif
