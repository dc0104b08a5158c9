/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop, run by the main thread, and the event ring to the Sentry. event_post() is declared in hostcall.h.
 */
#ifndef VMM_EVENTS_H
#define VMM_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

int events_init(void);
/* Runs until vmm_stop(). */
void events_run(void);
/* Makes the loop look at what signal handlers have left. Async-signal-safe. */
void events_wake(void);

/* One-shot watch of an io number's descriptor: EPOLL* bits. -EPERM: it cannot be polled (always ready). */
int events_watch_io(int fd, unsigned io, uint32_t events);
/* Permanent edge-triggered watch of a host socket: EV_NET at each change. What holds already is in the ring on return. */
int events_watch_net(int fd, uint32_t number);
/* Puts what changed of host sockets into the ring. Any thread. kick: have somebody look at it. */
void events_collect_net(bool kick);
/* Permanent watches of the control server. */
int events_watch_control(int fd, uint32_t index);
void events_unwatch(int fd);
/* The sandbox ends when the gofer of the first container, at the other end of its socket, does. What a further container
 * asks of its gofer then fails. */
int events_watch_gofer(int fd);

#endif
