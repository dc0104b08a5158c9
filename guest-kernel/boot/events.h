/* SPDX-License-Identifier: Apache-2.0 */
/* The event ring from the host, and completion of asynchronous hostcalls. */
#ifndef BOOT_EVENTS_H
#define BOOT_EVENTS_H

#include "lib/types.h"

/* Drains the ring: I/O readiness, control messages, completions. Called by the scheduler after kicks and from idle;
 * any vCPU, no locks held, does not sleep. */
void events_drain(void);
void events_init(void);
/* A host socket is watched now. What held already has been handled on return. */
void events_net_watched(void);
/* Before an answer about readiness: what the host's sockets have to tell, at once. Nothing where none is watched. May not
 * be called under a spinlock. */
void events_refresh(void);

/* A token for one asynchronous hostcall, or 0 when all are in use (then make the call synchronously). */
uint32_t async_token(void);
/* Sleeps until the host has answered; returns the call's result and frees the token. Uninterruptible. */
int64_t async_wait(uint32_t token);
/* The host refused to start the call: no answer will come. */
void async_cancel(uint32_t token);

/* control.c: a control message waits. */
void control_wake(void);
void control_init(void);

#endif
