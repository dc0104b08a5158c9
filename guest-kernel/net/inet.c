// SPDX-License-Identifier: Apache-2.0
/* AF_INET and AF_INET6: what TCP and UDP sockets share: life, names, queues (see inet.h). */
#include "net/inet.h"

#include "lib/string.h"
#include "task/task.h"
#include "task/user_ns.h"

struct inet_sock *inet_alloc(int family, int type, struct net_ns *net)
{
	struct inet_sock *u = kzalloc(sizeof(*u));
	if (!u)
		return NULL;
	bool tcp = type == SOCK_STREAM;
	socket_init(&u->s, tcp ? &tcp_ops : &udp_ops, family, type, tcp ? IPPROTO_TCP_ : IPPROTO_UDP_);
	if (tcp) {
		u->s.sndbuf = 16384;
		u->s.rcvbuf = 131072;
	}
	ref_init(&u->refs);
	spin_init(&u->lock);
	list_init(&u->bound);
	list_init(&u->queue);
	list_init(&u->errors);
	list_init(&u->backlog);
	list_init(&u->backlog_link);
	wait_queue_init(&u->wait);
	mutex_init(&u->recv_lock);
	u->self.addr = u->bind_addr = u->remote.addr = family == AF_INET ? INET_ANY4 : INET_ANY6;
	u->uid = current->cred->euid;
	if (net) { /* not the current task's */
		net_ns_put(u->s.net);
		u->s.net = net_ns_get(net);
	}
	inet_options_default(u);
	return u;
}

static void purge(struct list_node *q)
{
	while (!list_empty(q)) {
		struct inet_pkt *p = list_first(q, struct inet_pkt, link);
		list_del(&p->link);
		kfree(p);
	}
}

void inet_put(struct inet_sock *u)
{
	if (!ref_put(&u->refs))
		return;
	purge(&u->queue);
	purge(&u->errors);
	if (u->peer)
		inet_put(u->peer);
	socket_fini(&u->s);
	kfree(u);
}

int inet_create(int family, int type, int protocol, struct socket **out)
{
	if (type == SOCK_RAW)
		return ns_capable(current->nsproxy->net->ns.user_ns, CAP_NET_RAW) ? -EPROTONOSUPPORT : -EPERM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol && protocol != (type == SOCK_STREAM ? IPPROTO_TCP_ : IPPROTO_UDP_))
		return -EPROTONOSUPPORT;
	struct inet_sock *u = inet_alloc(family, type, NULL);
	if (!u)
		return -ENOMEM;
	*out = &u->s;
	return 0;
}

int inet_wait_error(int err, uint64_t timeout_ns)
{
	if (err == -ETIMEDOUT)
		return -EAGAIN;
	return err && timeout_ns ? -EINTR : err;
}

/* ---- names -------------------------------------------------------------------------------------------------------- */

struct sockaddr_in_ {
	uint16_t family, port; /* port and address: network order */
	uint32_t addr;
	uint8_t zero[8];
};

struct sockaddr_in6_ {
	uint16_t family, port;
	uint32_t flowinfo;
	uint64_t addr[2];
	uint32_t scope;
};

#define SIN6_MIN 24u /* without the scope, as of old */

int inet_name_in(struct inet_sock *u, const struct sockaddr_buf *a, struct inet_name *n, bool either)
{
	struct sockaddr_in_ sin;
	struct sockaddr_in6_ sin6 = {0};
	*n = (struct inet_name){.addr = INET_ANY4};
	bool four = u->s.family == AF_INET || (either && a->len >= sizeof(sin) && a->family == AF_INET);
	if (four) {
		if (a->len < sizeof(sin))
			return -EINVAL;
		memcpy(&sin, a->data, sizeof(sin));
		n->addr.lo = INET_MAPPED | __builtin_bswap32(sin.addr);
		n->port = __builtin_bswap16(sin.port);
		return sin.family == AF_INET ? 0 : -EAFNOSUPPORT;
	}
	if (a->len < SIN6_MIN)
		return -EINVAL;
	memcpy(&sin6, a->data, MIN((size_t)a->len, sizeof(sin6)));
	n->addr = (struct inet_addr){__builtin_bswap64(sin6.addr[0]), __builtin_bswap64(sin6.addr[1])};
	n->port = __builtin_bswap16(sin6.port);
	return sin6.family == AF_INET6 ? 0 : -EAFNOSUPPORT;
}

void inet_name_out(struct inet_sock *u, struct sockaddr_buf *a, struct inet_name n)
{
	struct sockaddr_in_ sin = {AF_INET, __builtin_bswap16(n.port), __builtin_bswap32((uint32_t)n.addr.lo), {0}};
	struct sockaddr_in6_ sin6 = {.family = AF_INET6, .port = sin.port,
	                             .addr = {__builtin_bswap64(n.addr.hi), __builtin_bswap64(n.addr.lo)}};
	bool four = u->s.family == AF_INET;
	a->len = four ? sizeof(sin) : 28;
	memcpy(a->data, four ? (void *)&sin : (void *)&sin6, a->len);
}

int inet_route(struct inet_sock *u, struct inet_name *n)
{
	if (inet_is_any(n->addr))
		n->addr = inet_is4(n->addr) || (inet_is4(u->self.addr) && u->s.family == AF_INET6) ? INET_LOOP4 : INET_LOOP6;
	if (u->s.family == AF_INET6) {
		bool self_is4 = inet_is4(u->self.addr), four = inet_is4(n->addr);
		/* What a connect chose is no obstacle, what bind(2) was given is. */
		if (four && (u->opt[OPT_V6ONLY] || (!inet_is_any(u->bind_addr) && !inet_is4(u->bind_addr))))
			return -ENETUNREACH;
		if (!four && self_is4 && !inet_is_any(u->self.addr))
			return -EAFNOSUPPORT;
	}
	return inet_is_local(n->addr) ? 0 : -ENETUNREACH;
}

int inet_getname(struct socket *s, struct sockaddr_buf *addr, int whose)
{
	struct inet_sock *u = inet_of(s);
	spin_lock(&u->lock);
	bool connected = u->state == INET_CONNECTED;
	struct inet_name n = whose ? u->remote : u->self;
	spin_unlock(&u->lock);
	if (whose == NAME_PEER && (!connected || !n.port))
		return -ENOTCONN;
	inet_name_out(u, addr, n);
	return 0;
}

/* ---- queues --------------------------------------------------------------------------------------------------------- */

struct inet_pkt *inet_pkt_make(struct iter *from, size_t n)
{
	struct inet_pkt *p = kmalloc(sizeof(*p) + n);
	if (!p)
		return ERR_PTR(-ENOBUFS);
	*p = (struct inet_pkt){.len = n};
	list_init(&p->link);
	if (iter_copy_from(from, p->data, n) != n) {
		kfree(p);
		return ERR_PTR(-EFAULT);
	}
	return p;
}

struct inet_pkt *inet_queue_front(struct inet_sock *u)
{
	spin_lock(&u->lock);
	struct inet_pkt *p = list_empty(&u->queue) ? NULL : list_first(&u->queue, struct inet_pkt, link);
	spin_unlock(&u->lock);
	return p;
}
