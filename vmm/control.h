/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control server: runsc's commands talk to the sandbox over a SOCK_SEQPACKET socket.
 *
 * A request is one device tree (include/abi/control.h) with the descriptors it needs attached. The server sets its id
 * and, for descriptors, io = <numbers>, and queues it for HC_CTL_NEXT; the Sentry's HC_CTL_REPLY goes back to the
 * connection; a request whose reply says "more" stays open, and the Sentry is told when its connection closes
 * (type = "closed"). One connection may carry several requests. type = "state" is answered here: { error = 0; status =
 * "running"; pid = <of this process> }.
 */
#ifndef VMM_CONTROL_H
#define VMM_CONTROL_H

#include <stdint.h>

#define CONTROL_LISTENER 0xffffffffu /* index of the listening socket; others are connections */

/* listen_fd: a listening socket, or -1 for none. */
int control_init(int listen_fd);
/* From the event loop. */
void control_event(uint32_t index, uint32_t events);

#endif
