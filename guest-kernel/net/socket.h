/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets: the layer between the socket system calls and address families (socket(2), recv(2), send(2), socket(7)).
 *
 * A family supplies struct socket_ops. Addresses and messages are kernel copies; user memory is reached only through
 * iterators. Operations may sleep; whether they may block is told by flags (MSG_DONTWAIT) with O_NONBLOCK folded in.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "fs/poll.h"
#include "lib/uio.h"
#include "net/net_abi.h"
#include "net/net_ns.h"

struct socket;

#define SOCKADDR_MAX 128

struct sockaddr_buf {
	uint32_t len;
	union {
		uint16_t family;
		uint8_t data[SOCKADDR_MAX];
	};
};

/* Process identity carried by SO_PEERCRED and SCM_CREDENTIALS, as an application sees it. */
struct ucred {
	uint32_t pid, uid, gid;
};

/* The same inside: ids of the initial user namespace, NO_ID for nobody's; pid is a reference, or NULL. */
struct pid;
struct sock_cred {
	struct pid *pid;
	uint32_t uid, gid;
};
struct sock_cred sock_cred_current(bool effective);
struct sock_cred sock_cred_get(const struct sock_cred *c); /* another one */
void sock_cred_put(struct sock_cred *c);
/* As the current task sees it. */
struct ucred sock_cred_out(const struct sock_cred *c);

#define SCM_MAX_FD 253

/* Ancillary data of one message: files hold references. */
struct scm {
	struct file **files;
	uint32_t nfiles;
	uint32_t sender;         /* files in flight: whose user_count they are in */
	bool has_creds;
	struct sock_cred creds;
};
void scm_destroy(struct scm *scm);

struct sock_msg {
	struct iter *iter;
	struct sockaddr_buf *addr; /* NULL: none given / not wanted; on receive len 0 when there is none */
	struct scm *scm;           /* NULL: the caller takes none (received files are dropped, MSG_CTRUNC) */
	uint32_t flags;            /* MSG_* of the caller */
	uint32_t out_flags;        /* of a receive: MSG_TRUNC, MSG_CTRUNC, MSG_EOR */
	/* Control data as in cmsg(3). Sending: all that was given, which the family looks through for what is its own.
	 * Receiving: room for control_room bytes (NULL: none), of which the family fills control_len. */
	uint8_t *control;
	uint32_t control_len, control_room;
};

enum { NAME_SELF, NAME_PEER, NAME_ACCEPTED };

struct socket_ops {
	int (*bind)(struct socket *s, const struct sockaddr_buf *addr);
	int (*connect)(struct socket *s, const struct sockaddr_buf *addr, uint32_t flags);
	int (*listen)(struct socket *s, int backlog);
	/* A new socket with one reference in *out. */
	int (*accept)(struct socket *s, uint32_t flags, struct socket **out);
	/* whose: NAME_SELF, NAME_PEER (-ENOTCONN), or NAME_ACCEPTED: whom accept(2) found, even if gone by now. */
	int (*getname)(struct socket *s, struct sockaddr_buf *addr, int whose);
	ssize_t_ (*sendmsg)(struct socket *s, struct sock_msg *m);
	ssize_t_ (*recvmsg)(struct socket *s, struct sock_msg *m);
	int (*shutdown)(struct socket *s, int how);
	uint32_t (*poll)(struct socket *s, struct file *f, struct poll_table *pt);
	int64_t (*ioctl)(struct socket *s, uint32_t cmd, uint64_t arg);
	/* Family-specific options; -ENOPROTOOPT lets the generic layer answer SOL_SOCKET. */
	int (*setsockopt)(struct socket *s, int level, int name, const void *val, uint32_t len);
	int (*getsockopt)(struct socket *s, int level, int name, void *val, uint32_t *len);
	void (*release)(struct socket *s); /* the file is gone */
	void (*owner_set)(struct socket *s); /* SIGURG may be wanted from now on; optional */
	void (*write_space)(struct socket *s); /* the send buffer's size changed; optional */
};

struct socket {
	const struct socket_ops *ops;  /* immutable */
	struct net_ns *net;            /* a reference; immutable */
	int family, type, protocol;    /* immutable */
	/* SOL_SOCKET options; written by setsockopt, read racily: */
	uint64_t rcvtimeo_ns, sndtimeo_ns; /* 0: none */
	uint32_t sndbuf, rcvbuf;
	int error;                     /* SO_ERROR: 0 or -errno; atomic exchange */
	bool passcred, reuseaddr, reuseport, keepalive, broadcast, dontroute, oobinline, timestamp, timestampns, no_check,
	    rxq_ovfl, filtered;
	int rcvlowat;                  /* SO_RCVLOWAT, at least 1 */
	int linger_on, linger_sec;
	int mark, incoming_cpu;        /* remembered only */
	char device[16];               /* SO_BINDTODEVICE: "" or "lo" */
	struct file *file;             /* that it is the socket of, while it is open; file_lock (socket.c) */
	uint64_t ino;                  /* of the socket's file; 0 before there is one */
	int priority;
};

/* Adds a control message to those of a receive; what has no room is cut off (MSG_CTRUNC). */
void sock_put_cmsg(struct sock_msg *m, int level, int type, const void *data, size_t len);
/* Calls fn for each control message of a send, until it fails. Malformed ones: -EINVAL. */
typedef int (*cmsg_fn)(void *ctx, int level, int type, const uint8_t *data, size_t len);
int sock_each_cmsg(const struct sock_msg *m, cmsg_fn fn, void *ctx);
/* SIGURG to the file's owner (F_SETOWN), if it has one. */
void socket_signal_urgent(struct socket *s);

/* A family's constructor: *out has one reference. */
int unix_create(int type, int protocol, struct socket **out);
int inet_create(int family, int type, int protocol, struct socket **out);
int unix_socketpair(int type, int protocol, struct socket **a, struct socket **b);
/* Contents of /proc/net/unix. */
struct seq;
void unix_show(struct seq *s, const struct net_ns *net);
/* In the network namespace of the current task; socket_fini before the memory is freed. */
void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type, int protocol);
void socket_fini(struct socket *s);

/* Wraps a socket in a file; on failure the socket is released. ERR_PTR. */
struct file *socket_file(struct socket *s, uint32_t flags);
/* The socket of an open file, or NULL. */
struct socket *file_socket(struct file *f);

/* Deadline (CLOCK_MONOTONIC ns) for an operation that may wait timeout_ns (0: forever). */
uint64_t socket_deadline(uint64_t timeout_ns);

#endif
