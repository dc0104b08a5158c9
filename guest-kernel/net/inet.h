/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_INET and AF_INET6 on the loopback interface (--network=none): TCP and UDP sockets between tasks of this sandbox (ip(7),
 * ipv6(7), tcp(7), udp(7)).
 *
 * 127.0.0.0/8 and ::1 are all there is: no packets, no routes. A connection is two sockets that know each other; bytes go
 * straight to the receiver's queue. Inside, every address is one of IPv6: those of IPv4 are mapped (::ffff:a.b.c.d), so a
 * dual-stack socket is nothing special. Not there: TIME_WAIT, raw and ping sockets, multicast, IP options, socket filters.
 *
 * Locks: the namespace's ports_lock (who is bound where) before a socket's lock; a socket's lock is never held together
 * with another's. recv_lock (a mutex, before the lock) makes one reader at a time copy out of the queue.
 */
#ifndef NET_INET_H
#define NET_INET_H

#include "net/net_ns.h"
#include "net/socket.h"

#define IPPROTO_IP_     0
#define IPPROTO_ICMP_   1
#define IPPROTO_TCP_    6
#define IPPROTO_UDP_    17
#define IPPROTO_IPV6_   41
#define IPPROTO_ICMPV6_ 58
#define PKT_OVERHEAD 256u /* what a queued packet counts besides its bytes */

#define RCV_SHUT 1u
#define SEND_SHUT 2u

/* The halves of an address, in host order. */
struct inet_addr {
	uint64_t hi, lo;
};

#define INET_MAPPED  0xffff00000000UL
#define INET_ANY6    ((struct inet_addr){0, 0})
#define INET_LOOP6   ((struct inet_addr){0, 1})
#define INET_ANY4    ((struct inet_addr){0, INET_MAPPED})
#define INET_LOOP4   ((struct inet_addr){0, INET_MAPPED | 0x7f000001})

static inline bool inet_is4(struct inet_addr a) { return !a.hi && a.lo >> 32 == 0xffff; }
static inline bool inet_is_any6(struct inet_addr a) { return !a.hi && !a.lo; }
static inline bool inet_is_any(struct inet_addr a) { return !a.hi && (!a.lo || a.lo == INET_MAPPED); }
static inline bool inet_equal(struct inet_addr a, struct inet_addr b) { return a.hi == b.hi && a.lo == b.lo; }
/* Of the loopback interface. */
static inline bool inet_is_local(struct inet_addr a)
{
	return inet_is4(a) ? (uint32_t)a.lo >> 24 == 127 : !a.hi && a.lo == 1;
}

struct inet_name {
	struct inet_addr addr;
	uint16_t port; /* host order; 0: none */
};

struct inet_pkt {
	struct list_node link;
	size_t len, off;      /* off: bytes already read (TCP) */
	struct inet_name from;
	struct inet_addr to;  /* UDP */
	uint64_t when;        /* UDP: CLOCK_REALTIME, ns */
	uint8_t tos, ttl;     /* UDP */
	bool urgent;          /* TCP: one byte, sent with MSG_OOB */
	uint8_t data[];
};

enum inet_state { INET_CLOSED, INET_CONNECTING, INET_LISTENING, INET_CONNECTED };

/* Options that are plain integers: places in inet_sock.opt, listed in inet_options.c. */
enum inet_opt {
	OPT_TOS, OPT_TTL, OPT_PKTINFO, OPT_RECVTTL, OPT_RECVTOS, OPT_RECVERR, OPT_MTU_DISCOVER, OPT_MC_TTL, OPT_MC_LOOP,
	OPT_MC_ALL, OPT_FREEBIND, OPT_NO_PORT, OPT_RECVORIGDST,
	OPT_V6ONLY, OPT_HOPS, OPT_MC_HOPS, OPT_MC_LOOP6, OPT_TCLASS, OPT_PKTINFO6, OPT_RECVHOPS, OPT_RECVTCLASS, OPT_RECVERR6,
	OPT_MTU_DISCOVER6, OPT_RECVORIGDST6, OPT_FREEBIND6,
	OPT_NODELAY, OPT_MAXSEG, OPT_CORK, OPT_KEEPIDLE, OPT_KEEPINTVL, OPT_KEEPCNT, OPT_SYNCNT, OPT_LINGER2, OPT_DEFER,
	OPT_CLAMP, OPT_QUICKACK, OPT_USER_TIMEOUT, OPT_FASTOPEN, OPT_NOTSENT, OPT_INQ,
	OPT_COUNT
};

struct inet_sock {
	struct socket s;
	ref_t refs;
	spinlock_t lock;
	enum inet_state state;    /* lock; LISTENING is entered and left under ports_lock, too */
	struct inet_name self;    /* ports_lock to write */
	struct list_node bound;   /* in its port's list; ports_lock */
	struct inet_addr bind_addr; /* what bind(2) asked for, and */
	bool bind_port;           /* whether it asked for a port: what a disconnect goes back to; ports_lock */
	struct inet_name remote;  /* lock */
	struct inet_sock *peer;   /* TCP: a reference; lock */
	bool told;                /* TCP: a connect(2) that did not wait has not been told of its success yet; lock */
	bool fin;                 /* TCP: the peer sends no more; lock */
	bool dead;                /* released; lock */
	uint32_t shutdown;        /* RCV_SHUT, SEND_SHUT; lock */
	struct list_node queue;   /* struct inet_pkt; lock */
	struct list_node errors;  /* UDP: struct inet_pkt that came back, from: where they went; lock */
	size_t queued, charge;    /* bytes in queue, and what they and the errors count; lock */
	uint64_t stamp;           /* UDP: when the last datagram came that was read (SIOCGSTAMP); lock */
	struct inet_pkt *mark;    /* TCP: the urgent byte while it is in the queue; lock */
	bool urgent_new;          /* TCP: urgent_byte was not read yet; lock */
	uint8_t urgent_byte;      /* lock */
	struct list_node backlog; /* connections to accept, via backlog_link; lock */
	struct list_node backlog_link;
	uint32_t nbacklog, max_backlog;
	struct wait_queue wait;
	struct mutex recv_lock;
	uint32_t uid;             /* who made it, or its listener: for /proc/net and SO_REUSEPORT */
	int opt[OPT_COUNT];       /* read racily */
};

static inline struct inet_sock *inet_of(struct socket *s) { return container_of(s, struct inet_sock, s); }

/* inet.c */
/* net: the namespace, NULL for the current task's. */
struct inet_sock *inet_alloc(int family, int type, struct net_ns *net);
void inet_put(struct inet_sock *u);
static inline void inet_get(struct inet_sock *u) { ref_get(&u->refs); }
int inet_wait_error(int err, uint64_t timeout_ns);
/* The address that the user gave for socket u: 0, -EINVAL, -EAFNOSUPPORT. either: an IPv6 socket takes IPv4's form, too. */
int inet_name_in(struct inet_sock *u, const struct sockaddr_buf *a, struct inet_name *n, bool either);
void inet_name_out(struct inet_sock *u, struct sockaddr_buf *a, struct inet_name n);
/* Where a connection or datagram to n goes: 0, with "any" made the loopback address; -ENETUNREACH. */
int inet_route(struct inet_sock *u, struct inet_name *n);
struct inet_pkt *inet_pkt_make(struct iter *from, size_t n);
/* The first packet, NULL if there is none; stays valid under recv_lock. */
struct inet_pkt *inet_queue_front(struct inet_sock *u);
int inet_getname(struct socket *s, struct sockaddr_buf *addr, int whose);

/* inet_options.c */
void inet_options_default(struct inet_sock *u);
int inet_setsockopt(struct socket *s, int level, int name, const void *val, uint32_t len);
int inet_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len);
/* The state of a TCP socket as /proc/net/tcp and TCP_INFO number it. */
int inet_tcp_state(struct inet_sock *u);

/* inet_port.c */
/* Ports below need CAP_NET_BIND_SERVICE. */
uint32_t inet_privileged(const struct net_ns *net);
int inet_bind(struct socket *s, const struct sockaddr_buf *addr);
int inet_autobind(struct inet_sock *u);
/* An accepted socket shares its listener's name. */
void inet_bind_same(struct inet_sock *u, struct inet_name name);
void inet_unbind(struct inet_sock *u);
/* A connect to an address gives one to a socket that has none; a disconnect takes back what was not bound. */
void inet_bind_loop(struct inet_sock *u, struct inet_addr to);
void inet_bind_revert(struct inet_sock *u);
/* Makes a bound TCP socket listen: 0 or -EADDRINUSE. */
int inet_start_listen(struct inet_sock *u, uint32_t backlog);
void inet_stop_listen(struct inet_sock *u);
/* Who gets what is sent to a name, with a reference, or NULL. from: the sender (UDP sockets that are connected hear only
 * their peer). */
struct inet_sock *inet_find(struct net_ns *net, int type, struct inet_name to, struct inet_name from);

/* tcp_data.c */
ssize_t_ tcp_sendmsg(struct socket *s, struct sock_msg *m);
ssize_t_ tcp_recvmsg(struct socket *s, struct sock_msg *m);
uint32_t tcp_poll(struct socket *s, struct file *f, struct poll_table *pt);
int64_t tcp_ioctl(struct socket *s, uint32_t cmd, uint64_t arg);
/* tcp.c: the peer with a reference, or NULL; the connection of u with peer is broken, if it has it still. */
struct inet_sock *tcp_peer_get(struct inet_sock *u);
void tcp_reset(struct inet_sock *u, const struct inet_sock *peer, int err);
#define TCP_ALL_EVENTS (EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLERR | EPOLLRDHUP)

extern const struct socket_ops tcp_ops, udp_ops;

#endif
