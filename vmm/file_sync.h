/* SPDX-License-Identifier: Apache-2.0 */
/* fsync off the vCPU threads. */
#ifndef VMM_FILE_SYNC_H
#define VMM_FILE_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/file_handles.h"

/* Queues the sync and takes over the reference (also on failure). EV_DONE with the token tells its result. 0, -EAGAIN when
 * too many are queued, or -errno when no worker can be started. */
int file_sync_queue(struct host_file *h, bool datasync, uint32_t token);

#endif
