/* SPDX-License-Identifier: Apache-2.0 */
/* The status socket on the side of boot and gofer: errors go to the runsc that started us, which prints them. */
#ifndef OCI_STATUS_H
#define OCI_STATUS_H

#include <stdbool.h>

#include "oci/error.h"

void status_attach(int fd);
/* Waits for the message that lets us go on. False: whoever would send it has died. */
bool status_wait_for_go(void);
/* False if nobody listens (any more). */
bool status_send_error(const struct error *e);

#endif
