/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of a container between sandboxes: the Sentry has a uts namespace of its own, so containers that share one (Podman's
 * pods) are given the same name. The sandbox process keeps it in the host's uts namespace that it is in; a container that
 * joins that one starts with the name found there. Changes made inside later stay inside.
 */
#ifndef OCI_UTS_H
#define OCI_UTS_H

#include "oci/spec.h"

/* Before the container is described: the names of the namespace that it joins, where config.json gives none. */
struct error *uts_read(struct spec *s) MUST_CHECK;
/* In the sandbox process, in a uts namespace of its own: tells the names (NULL: as they are) to those who join it. */
void uts_prepare(const char *hostname, const char *domainname);

#endif
