/* SPDX-License-Identifier: Apache-2.0 */
/* The status socket on the side of boot and gofer: errors go to the runsc that started us, which prints them. */
#ifndef OCI_STATUS_H
#define OCI_STATUS_H

#include <stdbool.h>

#include "oci/error.h"

void status_attach(int fd);
/* False if nobody listens (any more). */
bool status_send_error(const struct error *e);

#endif
