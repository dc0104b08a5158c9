/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets of the host (--network=host): AF_INET, AF_INET6 and NETLINK_ROUTE, each one host socket behind the NET_*
 * hostcalls, in the network namespace that is the container's.
 *
 * The host's calls never block. A task that must wait registers the socket with the host's event loop, once and for good;
 * from then on every change of readiness is told (edge-triggered, EV_NET), which also gives epoll's edges. `ready` collects
 * what was told since an operation last looked, so that nothing between a look and a sleep is lost.
 *
 * Not there: SO_LINGER with a time (the option is kept, close does not wait), IO on raw and packet sockets, MSG_ZEROCOPY.
 */
#ifndef NET_HOST_SOCK_H
#define NET_HOST_SOCK_H

#include "net/socket.h"

struct host_sock {
	struct socket s;
	uint32_t num;                /* the host's number for it; immutable */
	spinlock_t lock;
	uint32_t ready;              /* EPOLL* told by the host, cleared by who looks; lock */
	struct hc_sockaddr accepted; /* whom accept(2) found; immutable */
	uint32_t uid;                /* who made it, for /proc/net; immutable */
	bool recv_shut;              /* shutdown(2): datagram readers do not wait any more; racy */
	struct mutex watch_lock;     /* makes one caller register the socket */
	bool watched;                /* watch_lock to change */
	struct wait_queue pollers;   /* poll and epoll: woken by the host's events only */
	struct wait_queue sleepers;  /* tasks inside operations */
};

static inline struct host_sock *host_sock_of(struct socket *s) { return container_of(s, struct host_sock, s); }

/* socket(2) of a family that is the host's: *out has one reference. */
int host_sock_create(int family, int type, int protocol, struct socket **out);
/* The event loop's part: any context, does not sleep. */
void host_sock_event(uint32_t num, uint32_t events);
/* Before an operation that may answer EAGAIN: forgets what was told of events. */
void host_sock_look(struct host_sock *h, uint32_t events);
/* After one that succeeded: others may find more. */
void host_sock_more(struct host_sock *h, uint32_t events);
/* Sleeps until the host tells of events: 0, -ETIMEDOUT, -ERESTARTSYS. */
int host_sock_wait(struct host_sock *h, uint32_t events, uint64_t deadline);
/* The errno of an interrupted or timed-out wait, as Linux's sockets tell it. */
int host_sock_wait_error(int err, uint64_t timeout_ns);

/* host_msg.c */
ssize_t_ host_sock_sendmsg(struct socket *s, struct sock_msg *m);
ssize_t_ host_sock_recvmsg(struct socket *s, struct sock_msg *m);

/* A request about network interfaces (SIOCGIF*) in the host's namespace; buf is kernel memory. Bytes or -errno. */
int64_t host_net_ioctl(uint32_t cmd, void *buf, uint32_t len);

#endif
