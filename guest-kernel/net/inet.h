/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_INET on the loopback interface: TCP and UDP sockets between tasks of this sandbox (ip(7), tcp(7), udp(7)).
 *
 * 127.0.0.0/8 is all there is: no packets, no routes. A connection is two sockets that know each other; bytes go straight
 * to the receiver's queue. Not there: urgent data, TIME_WAIT, raw sockets, multicast, ancillary data of IP.
 *
 * Locks: ports_lock (who is bound where) before a socket's lock; a socket's lock is never held together with another's.
 * recv_lock (a mutex, before the lock) makes one reader at a time copy out of the queue.
 */
#ifndef NET_INET_H
#define NET_INET_H

#include "net/socket.h"

#define INADDR_LOOP 0x7f000001u
#define IPPROTO_IP_  0
#define IPPROTO_ICMP_ 1
#define IPPROTO_TCP_ 6
#define IPPROTO_UDP_ 17
#define IPPROTO_ICMPV6_ 58
#define PKT_OVERHEAD 256u /* what a queued packet counts besides its bytes */

#define RCV_SHUT 1u
#define SEND_SHUT 2u

struct inet_name {
	uint32_t addr; /* host order; 0: any */
	uint16_t port; /* host order; 0: none */
};

struct inet_pkt {
	struct list_node link;
	size_t len, off; /* off: bytes already read (TCP) */
	struct inet_name from;
	uint8_t data[];
};

enum inet_state { INET_CLOSED, INET_CONNECTING, INET_LISTENING, INET_CONNECTED };

struct inet_sock {
	struct socket s;
	ref_t refs;
	spinlock_t lock;
	enum inet_state state;    /* lock; LISTENING is entered and left under ports_lock, too */
	struct inet_name self;    /* ports_lock to write */
	struct list_node bound;   /* in its port's list; ports_lock */
	uint32_t bind_addr;       /* what bind(2) asked for, and */
	bool bind_port;           /* whether it asked for a port: what a disconnect goes back to; ports_lock */
	struct inet_name remote;  /* lock */
	struct inet_sock *peer;   /* TCP: a reference; lock */
	bool told;                /* TCP: a connect(2) that did not wait has not been told of its success yet; lock */
	bool fin;                 /* TCP: the peer sends no more; lock */
	bool dead;                /* released; lock */
	uint32_t shutdown;        /* RCV_SHUT, SEND_SHUT; lock */
	struct list_node queue;   /* struct inet_pkt; lock */
	size_t queued, charge;    /* bytes in queue, and what they count; lock */
	struct list_node backlog; /* connections to accept, via backlog_link; lock */
	struct list_node backlog_link;
	uint32_t nbacklog, max_backlog;
	struct wait_queue wait;
	struct mutex recv_lock;
	int tcp_opt[32], ip_opt[64]; /* options that are remembered and have no effect here */
};

static inline struct inet_sock *inet_of(struct socket *s) { return container_of(s, struct inet_sock, s); }

/* inet.c */
struct inet_sock *inet_alloc(int type);
void inet_put(struct inet_sock *u);
static inline void inet_get(struct inet_sock *u) { ref_get(&u->refs); }
int inet_wait_error(int err, uint64_t timeout_ns);
/* sockaddr_in: 0, -EINVAL, -EAFNOSUPPORT. */
int inet_name_in(const struct sockaddr_buf *a, struct inet_name *n);
void inet_name_out(struct sockaddr_buf *a, struct inet_name n);
struct inet_pkt *inet_pkt_make(struct iter *from, size_t n);
/* The first packet, NULL if there is none; stays valid under recv_lock. */
struct inet_pkt *inet_queue_front(struct inet_sock *u);
void inet_queue_purge(struct inet_sock *u);
int inet_setsockopt(struct socket *s, int level, int name, const void *val, uint32_t len);
int inet_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len);
int inet_getname(struct socket *s, struct sockaddr_buf *addr, bool peer);

/* inet_port.c */
int inet_bind(struct socket *s, const struct sockaddr_buf *addr);
int inet_autobind(struct inet_sock *u);
/* An accepted socket shares its listener's name. */
void inet_bind_same(struct inet_sock *u, struct inet_name name);
void inet_unbind(struct inet_sock *u);
/* A connect gives an address to a socket that has none; a disconnect takes back what was not bound. */
void inet_bind_loop(struct inet_sock *u);
void inet_bind_revert(struct inet_sock *u);
/* Makes a bound TCP socket listen: 0 or -EADDRINUSE. */
int inet_start_listen(struct inet_sock *u, uint32_t backlog);
void inet_stop_listen(struct inet_sock *u);
/* Who gets what is sent to a name, with a reference, or NULL. from: the sender (UDP sockets that are connected hear only
 * their peer). */
struct inet_sock *inet_find(int type, struct inet_name to, struct inet_name from);

extern const struct socket_ops tcp_ops, udp_ops;

#endif
