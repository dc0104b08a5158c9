/* SPDX-License-Identifier: Apache-2.0 */
/* The table of inherited host descriptors that the container's standard files are, by io number. */
#ifndef VMM_IO_H
#define VMM_IO_H

#include <stdint.h>

#define IO_MAX 1024

/* Takes the configured descriptors over, with what vmm_prepare_io opened for them. */
int io_init(const int *fds, const int *own, unsigned n);
/* Takes a descriptor that came with a control message: an io number, or -errno and the descriptor stays the caller's. */
int io_add(int fd);
/* As if the container had closed it. */
void io_drop(unsigned io);
/* The event loop saw events on a watched one. */
void io_event(unsigned io, uint32_t events);

#endif
