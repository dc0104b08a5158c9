// SPDX-License-Identifier: Apache-2.0
/* AF_INET: what TCP and UDP sockets share: life, names, queues, options (see inet.h). */
#include "net/inet.h"

#include "lib/string.h"
#include "task/task.h"

/* <linux/in.h> and <linux/tcp.h> by number: they clash with each other's structures here. */
enum { OPT_IP_TOS = 1, OPT_IP_TTL = 2, OPT_IP_MTU_DISCOVER = 10, OPT_IP_MULTICAST_TTL = 33, OPT_IP_MULTICAST_LOOP = 34 };
enum { OPT_TCP_MAXSEG = 2, OPT_TCP_KEEPIDLE = 4, OPT_TCP_KEEPINTVL = 5, OPT_TCP_KEEPCNT = 6, OPT_TCP_SYNCNT = 7,
       OPT_TCP_INFO = 11, OPT_TCP_QUICKACK = 12, OPT_TCP_CONGESTION = 13 };
#define IP_REMEMBERED  (1UL << OPT_IP_TOS | 1UL << OPT_IP_TTL | 1UL << OPT_IP_MTU_DISCOVER | 1UL << OPT_IP_MULTICAST_TTL | \
                        1UL << OPT_IP_MULTICAST_LOOP)
/* NODELAY, MAXSEG, CORK, KEEP*, SYNCNT, LINGER2, DEFER_ACCEPT, WINDOW_CLAMP, QUICKACK, USER_TIMEOUT, FASTOPEN */
#define TCP_REMEMBERED (0x17feUL | 1UL << 18 | 1UL << 23)

struct inet_sock *inet_alloc(int type)
{
	struct inet_sock *u = kzalloc(sizeof(*u));
	if (!u)
		return NULL;
	bool tcp = type == SOCK_STREAM;
	socket_init(&u->s, tcp ? &tcp_ops : &udp_ops, AF_INET, type, tcp ? IPPROTO_TCP_ : IPPROTO_UDP_);
	if (tcp) {
		u->s.sndbuf = 16384;
		u->s.rcvbuf = 131072;
	}
	ref_init(&u->refs);
	spin_init(&u->lock);
	list_init(&u->bound);
	list_init(&u->queue);
	list_init(&u->backlog);
	list_init(&u->backlog_link);
	wait_queue_init(&u->wait);
	mutex_init(&u->recv_lock);
	u->ip_opt[OPT_IP_TTL] = 64;
	u->ip_opt[OPT_IP_MTU_DISCOVER] = u->ip_opt[OPT_IP_MULTICAST_TTL] = u->ip_opt[OPT_IP_MULTICAST_LOOP] = 1;
	u->tcp_opt[OPT_TCP_MAXSEG] = 536;
	u->tcp_opt[OPT_TCP_KEEPIDLE] = 7200;
	u->tcp_opt[OPT_TCP_KEEPINTVL] = 75;
	u->tcp_opt[OPT_TCP_KEEPCNT] = 9;
	u->tcp_opt[OPT_TCP_SYNCNT] = 6;
	u->tcp_opt[OPT_TCP_QUICKACK] = 1;
	return u;
}

void inet_put(struct inet_sock *u)
{
	if (!ref_put(&u->refs))
		return;
	inet_queue_purge(u);
	if (u->peer)
		inet_put(u->peer);
	socket_fini(&u->s);
	kfree(u);
}

int inet_create(int type, int protocol, struct socket **out)
{
	if (type == SOCK_RAW)
		return capable(CAP_NET_RAW) ? -EPROTONOSUPPORT : -EPERM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol && protocol != (type == SOCK_STREAM ? IPPROTO_TCP_ : IPPROTO_UDP_))
		return -EPROTONOSUPPORT;
	struct inet_sock *u = inet_alloc(type);
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

int inet_name_in(const struct sockaddr_buf *a, struct inet_name *n)
{
	struct sockaddr_in_ sin;
	*n = (struct inet_name){0};
	if (a->len < sizeof(sin))
		return -EINVAL;
	memcpy(&sin, a->data, sizeof(sin));
	n->addr = __builtin_bswap32(sin.addr);
	n->port = __builtin_bswap16(sin.port);
	return sin.family == AF_INET ? 0 : -EAFNOSUPPORT;
}

void inet_name_out(struct sockaddr_buf *a, struct inet_name n)
{
	struct sockaddr_in_ sin = {AF_INET, __builtin_bswap16(n.port), __builtin_bswap32(n.addr), {0}};
	a->len = sizeof(sin);
	memcpy(a->data, &sin, sizeof(sin));
}

int inet_getname(struct socket *s, struct sockaddr_buf *addr, bool peer)
{
	struct inet_sock *u = inet_of(s);
	spin_lock(&u->lock);
	bool connected = u->state == INET_CONNECTED;
	struct inet_name n = peer ? u->remote : u->self;
	spin_unlock(&u->lock);
	if (peer && (!connected || !n.port))
		return -ENOTCONN;
	inet_name_out(addr, n);
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

void inet_queue_purge(struct inet_sock *u)
{
	while (!list_empty(&u->queue)) {
		struct inet_pkt *p = list_first(&u->queue, struct inet_pkt, link);
		list_del(&p->link);
		kfree(p);
	}
	u->queued = u->charge = 0;
}

/* ---- options ---------------------------------------------------------------------------------------------------------- */

/* Where an option is remembered, or NULL. */
static int *option(struct inet_sock *u, int level, int name)
{
	if (level == IPPROTO_IP_ && name >= 0 && name < 64 && IP_REMEMBERED >> name & 1)
		return &u->ip_opt[name];
	if (level == IPPROTO_TCP_ && u->s.type == SOCK_STREAM && name >= 0 && name < 32 && TCP_REMEMBERED >> name & 1)
		return &u->tcp_opt[name];
	return NULL;
}

int inet_setsockopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	int *o = option(inet_of(s), level, name), v = 0;
	if (!o)
		return -ENOPROTOOPT;
	if (len >= sizeof(v))
		memcpy(&v, val, sizeof(v));
	else if (level == IPPROTO_IP_ && len)
		v = *(const uint8_t *)val;
	else
		return -EINVAL;
	if (level == IPPROTO_IP_ && name == OPT_IP_TTL && v != -1 && (v < 1 || v > 255))
		return -EINVAL;
	if (level == IPPROTO_IP_ && name == OPT_IP_TTL && v == -1)
		v = 64;
	*o = v;
	return 0;
}

int inet_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	static const char congestion[16] = "cubic";
	struct inet_sock *u = inet_of(s);
	int *o = option(u, level, name), v = o ? *o : 0;
	const void *from = &v;
	uint32_t size = sizeof(v);
	uint8_t info[104] = {0};
	if (level == SOL_SOCKET && name == SO_ACCEPTCONN) {
		v = READ_ONCE(u->state) == INET_LISTENING;
	} else if (level == IPPROTO_TCP_ && s->type == SOCK_STREAM && name == OPT_TCP_INFO) {
		enum inet_state st = READ_ONCE(u->state);
		/* tcpi_state */
		info[0] = st == INET_LISTENING ? 10 : st == INET_CONNECTED ? (u->fin ? 8 : 1) : 7;
		from = info;
		size = sizeof(info);
	} else if (level == IPPROTO_TCP_ && s->type == SOCK_STREAM && name == OPT_TCP_CONGESTION) {
		from = congestion;
		size = sizeof(congestion);
	} else if (!o) {
		return level == SOL_SOCKET || level == IPPROTO_IP_ || level == IPPROTO_TCP_ ? -ENOPROTOOPT : -EOPNOTSUPP;
	}
	*len = MIN(*len, size);
	memcpy(val, from, *len);
	return 0;
}
