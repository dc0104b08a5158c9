/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX sockets (unix(7)), private to net/unix_*.c.
 *
 * A message waits in its receiver's queue and is paid for by its sender's buffer (wmem, SO_SNDBUF), which it also keeps
 * alive: the sender's name is looked up when the message is received. unix_sock.lock protects state, peer, queue and
 * backlog; two of these locks are taken by address (lock_two). recv_lock (a mutex) makes one reader at a time copy out
 * of the queue, so that copies happen without the spinlock. A closed socket stays the peer of the other end until that
 * closes too.
 *
 * Who polls a socket waits on its own queue only, which lives as long as its file. What happens in the peer's queue reaches
 * it by a relay: the lock of `room` comes before that of `wait`, and both after unix_sock.lock.
 *
 * Not offered: out-of-band data, SO_PEEK_OFF, security labels.
 */
#ifndef NET_UNIX_SOCK_H
#define NET_UNIX_SOCK_H

#include "net/socket.h"

#define UNIX_PATH_MAX_ 108

/* A bound name; shared by the socket and those it accepted. */
struct unix_addr {
	ref_t refs;
	struct sockaddr_buf name;
	struct list_node link;    /* table of abstract names; names_lock */
	struct unix_sock *owner;  /* abstract: who answers; names_lock */
	struct inode *inode;      /* path name: the socket inode, a reference */
};

struct unix_msg {
	struct list_node link;
	uint8_t *data;
	size_t len, off;          /* off: bytes already read (stream) */
	size_t charge;            /* what it takes of the sender's buffer */
	struct scm scm;
	struct unix_sock *from;   /* the sender, a reference */
};

enum unix_state { UNIX_UNCONNECTED, UNIX_LISTENING, UNIX_CONNECTED };

struct unix_sock {
	struct socket s;
	ref_t refs;
	spinlock_t lock;
	enum unix_state state;     /* lock */
	struct unix_sock *peer;    /* a reference; lock */
	uint32_t shutdown;         /* SHUT_RCV, SHUT_SEND; lock */
	struct list_node queue;    /* struct unix_msg; lock */
	size_t queued;             /* bytes in queue; lock */
	uint32_t nmsgs;            /* lock */
	uint64_t wmem;             /* charges of messages sent and not yet read; atomic */
	struct list_node backlog;  /* connections to accept, via backlog_link; lock */
	struct list_node backlog_link;
	uint32_t nbacklog, max_backlog;
	struct unix_addr *addr;    /* lock */
	struct sock_cred peer_cred; /* SO_PEERCRED; of a listener: its own at listen(2); lock */
	struct wait_queue wait;    /* readers, writers, accepters, who waits for room in queue or backlog */
	struct wait_queue room;    /* relays of senders that are polled; its callbacks wake their `wait` */
	struct waiter relay;       /* on the queue `room` of relay_to */
	struct unix_sock *relay_to; /* a reference, or NULL; lock */
	struct mutex recv_lock;
	bool embryo;               /* the server's end of a connection that is not accepted yet */
	bool dead;                 /* released; lock */
	struct list_node all_link; /* every socket, for /proc/net/unix */
	/* unix_gc.c; its lock: */
	struct list_node flight_link;
	struct file *file;         /* while in flight */
	uint32_t inflight;         /* messages that carry the file */
	uint32_t outside;          /* of these, in queues of no candidate */
	bool candidate;
};

#define SHUT_RCV  1u
#define SHUT_SEND 2u
#define SHUT_BOTH 3u

static inline struct unix_sock *unix_of(struct socket *s) { return container_of(s, struct unix_sock, s); }

void unix_put(struct unix_sock *u);
static inline void unix_get(struct unix_sock *u) { ref_get(&u->refs); }
/* Only the peer and everybody else's friends: may u's datagrams go to `to`? `to` is locked. */
static inline bool unix_may_send(const struct unix_sock *u, const struct unix_sock *to)
{
	return !to->peer || to->peer == u;
}
/* The send buffer is at most a quarter full. */
static inline bool unix_writable(const struct unix_sock *u)
{
	return READ_ONCE(u->wmem) * 4 <= u->s.sndbuf;
}
/* Something happened to u that readers, writers and, with EPOLLOUT, senders to it may wait for. Holds no locks. */
static inline void unix_tell(struct unix_sock *u, uint32_t events)
{
	wake_up_poll(&u->wait, events);
	if (events & EPOLLOUT)
		wake_up_poll(&u->room, EPOLLOUT);
}
/* unix(7) waits: -ETIMEDOUT is EAGAIN, and with a time limit a signal is EINTR. */
int unix_wait_error(int err, uint64_t timeout_ns);

/* unix_name.c */
int unix_bind(struct socket *s, const struct sockaddr_buf *addr);
/* A name for a socket that wants credentials and has none. */
int unix_autobind(struct unix_sock *u);
/* The socket bound to an address, with a reference, or ERR_PTR(-ECONNREFUSED, -ENOENT, ...). */
struct unix_sock *unix_find(const struct net_ns *net, const struct sockaddr_buf *addr, int type);
void unix_addr_put(struct unix_addr *a);
/* Called once by release: the name answers no more. */
void unix_unbind(struct unix_sock *u);

/* unix_msg.c */
ssize_t_ unix_sendmsg(struct socket *s, struct sock_msg *m);
ssize_t_ unix_recvmsg(struct socket *s, struct sock_msg *m);
/* Gives the charge back to the sender. Holds no locks: the message may own files. */
void unix_msg_free(struct unix_msg *msg);
/* unix_gc.c: a message carries these files from now on, or does no more. */
int unix_take_off(struct scm *scm) MUST_CHECK;
void unix_land(struct scm *scm);
/* A reader has copied references to files that stay in a message; before it makes them known to anybody. */
void unix_peeked(void);
/* Frees sockets that only refer to each other by messages in flight. Holds no locks. */
void unix_collect(void);
/* The end of a message with files, off its queue: lands and puts them, frees msg itself. */
void unix_drop_files(struct unix_msg *msg);
#define UNIX_MAX_DGRAMS 512u /* net.unix.max_dgram_qlen, as distributions set it */

#endif
