/* SPDX-License-Identifier: Apache-2.0 */
/* The /container node of the launch tree (abi/control.h), made from the spec. */
#ifndef OCI_CONTAINER_FDT_H
#define OCI_CONTAINER_FDT_H

#include "oci/launch.h"
#include "oci/tree.h"

void container_fdt_write(struct tree *t, const struct launch *l);
/* The properties of its process alone, without its descriptors. */
void container_fdt_process(struct tree *t, const struct spec *s);
/* The limits that are set, as properties of the open node: of a container, or of a message "update". */
void container_limits_write(struct tree *t, const struct resources *r);
/* Whether the gofer's mount of the root, or of spec mount i, is read-only: as asked, or since an overlay takes the
 * writes. */
bool container_root_readonly(const struct launch *l);
bool container_mount_readonly(const struct launch *l, unsigned i);

#endif
