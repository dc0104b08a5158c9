/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX sockets (unix(7)), private to net/unix_*.c.
 *
 * A message queue belongs to its receiver. unix_sock.lock protects state, peer, queue and backlog; it is never held
 * together with another socket's lock: a sender takes a reference to its peer under its own lock, drops it, then locks
 * the peer. recv_lock (a mutex) makes one reader at a time copy out of the queue, so that copies happen without the
 * spinlock. A socket that is in flight over itself (a reference cycle through SCM_RIGHTS) lives as long as the sandbox.
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
	struct scm scm;
	struct unix_addr *from;   /* sender's name, a reference, or NULL */
};

enum unix_state { UNIX_UNCONNECTED, UNIX_LISTENING, UNIX_CONNECTED };

struct unix_sock {
	struct socket s;
	ref_t refs;
	spinlock_t lock;
	enum unix_state state;     /* lock */
	struct unix_sock *peer;    /* a reference; lock */
	bool peer_closed;          /* stream: the other end is gone; lock */
	bool reset;                /* it left unread data of ours: ECONNRESET once; lock */
	uint32_t shutdown;         /* 1: no more receives, 2: no more sends; lock */
	struct list_node queue;    /* struct unix_msg; lock */
	size_t queued;             /* bytes in queue; lock */
	uint32_t nmsgs;            /* lock */
	struct list_node backlog;  /* connections to accept, via backlog_link; lock */
	struct list_node backlog_link;
	uint32_t nbacklog, max_backlog;
	struct unix_addr *addr;    /* lock */
	struct ucred cred, peer_cred; /* at socket, connect or listen */
	struct wait_queue wait;    /* readers, writers to this queue, accepters */
	struct mutex recv_lock;
	bool dead;                 /* released; lock */
};

static inline struct unix_sock *unix_of(struct socket *s) { return container_of(s, struct unix_sock, s); }

struct unix_sock *unix_alloc(int type);
void unix_put(struct unix_sock *u);
static inline void unix_get(struct unix_sock *u) { ref_get(&u->refs); }
struct ucred ucred_current(void);

/* unix_name.c */
int unix_bind(struct socket *s, const struct sockaddr_buf *addr);
/* The socket bound to an address, with a reference, or ERR_PTR(-ECONNREFUSED, -ENOENT, ...). */
struct unix_sock *unix_find(const struct sockaddr_buf *addr, int type);
void unix_addr_put(struct unix_addr *a);
/* Called once by release: the name answers no more. */
void unix_unbind(struct unix_sock *u);

/* unix_msg.c */
ssize_t_ unix_sendmsg(struct socket *s, struct sock_msg *m);
ssize_t_ unix_recvmsg(struct socket *s, struct sock_msg *m);
void unix_msg_free(struct unix_msg *msg);

#endif
