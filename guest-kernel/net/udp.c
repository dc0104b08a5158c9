// SPDX-License-Identifier: Apache-2.0
/* SOCK_DGRAM on loopback (udp(7); see inet.h). A datagram that finds nobody is lost, and tells a connected sender. */
#include <asm/ioctls.h>
#include <linux/sockios.h>

#include "lib/string.h"
#include "net/inet.h"
#include "task/task.h"

#define UDP_MAX 65507u
#define LO_INDEX 1

/* Types of control messages: <linux/in.h> and <linux/in6.h> by number, since they define what net_abi.h does. */
enum { CMSG_IP_RECVERR = 11, CMSG_IPV6_RECVERR = 25, CMSG_IP_TOS = 1,
       CMSG_IP_TTL = 2, CMSG_IP_PKTINFO = 8, CMSG_IP_ORIGDSTADDR = 20, CMSG_IPV6_PKTINFO = 50,
       CMSG_IPV6_HOPLIMIT = 52, CMSG_IPV6_TCLASS = 67 };

static int udp_connect(struct socket *s, const struct sockaddr_buf *addr, uint32_t flags)
{
	struct inet_sock *u = inet_of(s);
	struct inet_name to = {0};
	int err = 0;
	if (addr->family == AF_UNSPEC) {
		spin_lock(&u->lock);
		u->remote = (struct inet_name){.addr = s->family == AF_INET ? INET_ANY4 : INET_ANY6};
		u->state = INET_CLOSED;
		u->shutdown = 0;
		spin_unlock(&u->lock);
		inet_bind_revert(u);
		return 0;
	}
	err = inet_name_in(u, addr, &to, true);
	if (!err)
		err = inet_route(u, &to);
	if (!err)
		err = inet_autobind(u);
	if (err)
		return err;
	spin_lock(&u->lock);
	u->remote = to;
	u->state = INET_CONNECTED;
	spin_unlock(&u->lock);
	inet_bind_loop(u, to.addr);
	return 0;
}

static int udp_target(struct inet_sock *u, struct sock_msg *m, struct inet_name *to)
{
	if (m->addr && m->addr->len) {
		int err = inet_name_in(u, m->addr, to, true);
		if (err)
			return err;
		return to->port ? inet_route(u, to) : -EINVAL;
	}
	spin_lock(&u->lock);
	*to = u->remote;
	bool connected = u->state == INET_CONNECTED;
	spin_unlock(&u->lock);
	return connected ? 0 : -EDESTADDRREQ;
}

/* ---- sending ------------------------------------------------------------------------------------------------------- */

/* What control data says of one datagram. */
struct extras {
	struct inet_sock *u;
	struct inet_addr from; /* any: as bound */
	int ttl, tos;          /* -1: the socket's */
};

struct in_pktinfo_ {
	int ifindex;
	uint32_t spec_dst, addr; /* network order */
};

struct in6_pktinfo_ {
	uint64_t addr[2]; /* network order */
	uint32_t ifindex;
} __attribute__((packed));

static int take_source(struct extras *x, struct inet_addr a, int ifindex)
{
	if (ifindex && ifindex != LO_INDEX)
		return -ENODEV;
	if (!inet_is_any(a) && !inet_is_local(a))
		return -EINVAL;
	x->from = a;
	return 0;
}

static int take_extra(void *ctx, int level, int type, const uint8_t *data, size_t len)
{
	struct extras *x = ctx;
	struct in_pktinfo_ p;
	struct in6_pktinfo_ p6;
	int v = 0;
	if (level != IPPROTO_IP_ && level != IPPROTO_IPV6_)
		return level == SOL_SOCKET || level == IPPROTO_UDP_ ? -EINVAL : 0;
	if (level == IPPROTO_IP_ && type == CMSG_IP_PKTINFO && len == sizeof(p)) {
		memcpy(&p, data, sizeof(p));
		return take_source(x, (struct inet_addr){0, INET_MAPPED | __builtin_bswap32(p.spec_dst)}, p.ifindex);
	}
	if (level == IPPROTO_IPV6_ && type == CMSG_IPV6_PKTINFO && len >= sizeof(p6)) {
		memcpy(&p6, data, sizeof(p6));
		struct inet_addr a = {__builtin_bswap64(p6.addr[0]), __builtin_bswap64(p6.addr[1])};
		return take_source(x, a, (int)p6.ifindex);
	}
	if (len == 1 && level == IPPROTO_IP_ && type == CMSG_IP_TOS)
		v = data[0];
	else if (len == sizeof(v))
		memcpy(&v, data, sizeof(v));
	else
		return -EINVAL;
	if (v < -1 || v > 255)
		return -EINVAL;
	if (level == IPPROTO_IP_ ? type == CMSG_IP_TTL : type == CMSG_IPV6_HOPLIMIT)
		x->ttl = v;
	else if (level == IPPROTO_IP_ ? type == CMSG_IP_TOS : type == CMSG_IPV6_TCLASS)
		x->tos = v;
	else
		return -EINVAL;
	return 0;
}

static void label(struct inet_pkt *k, const struct extras *x, struct inet_name to)
{
	const struct inet_sock *u = x->u;
	bool four = inet_is4(to.addr);
	k->from = u->self;
	if (!inet_is_any(x->from))
		k->from.addr = x->from;
	if (inet_is_any(k->from.addr) || inet_is4(k->from.addr) != four) /* 127.0.0.1 speaks to all of 127/8 */
		k->from.addr = four ? INET_LOOP4 : INET_LOOP6;
	k->to = to.addr;
	k->ttl = (uint8_t)(x->ttl >= 0 ? x->ttl : u->opt[four ? OPT_TTL : OPT_HOPS]);
	k->tos = (uint8_t)(x->tos >= 0 ? x->tos : u->opt[four ? OPT_TOS : OPT_TCLASS]);
	k->when = clock_realtime();
}

/* Nobody is there: what was sent comes back by the error queue (IP_RECVERR), or is gone. */
static void refused(struct inet_sock *u, struct inet_pkt *k, struct inet_name to)
{
	bool keep = u->opt[inet_is4(to.addr) ? OPT_RECVERR : OPT_RECVERR6];
	bool tell = keep || READ_ONCE(u->state) == INET_CONNECTED;
	k->from = to;
	spin_lock(&u->lock);
	keep = keep && u->charge <= u->s.rcvbuf;
	if (keep) {
		list_add_tail(&k->link, &u->errors);
		u->charge += k->len + PKT_OVERHEAD;
	}
	spin_unlock(&u->lock);
	if (!keep)
		kfree(k);
	if (!tell)
		return;
	WRITE_ONCE(u->s.error, -ECONNREFUSED);
	wake_up_poll(&u->wait, EPOLLERR | EPOLLIN);
}

static ssize_t_ udp_sendmsg(struct socket *s, struct sock_msg *m)
{
	struct inet_sock *u = inet_of(s);
	struct inet_name to;
	size_t n = m->iter->count;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	struct extras x = {u, INET_ANY6, -1, -1};
	int err = udp_target(u, m, &to);
	if (!err && m->control_len)
		err = sock_each_cmsg(m, take_extra, &x);
	if (!err && n > UDP_MAX)
		err = -EMSGSIZE;
	if (!err)
		err = atomic_xchg(&s->error, 0);
	if (!err && READ_ONCE(u->shutdown) & SEND_SHUT)
		err = -EPIPE;
	if (!err)
		err = inet_autobind(u);
	if (err)
		return err;
	struct inet_pkt *k = inet_pkt_make(m->iter, n);
	if (IS_ERR(k))
		return PTR_ERR(k);
	label(k, &x, to);
	struct inet_sock *p = inet_find(u->s.net, SOCK_DGRAM, to, k->from);
	if (!p) {
		refused(u, k, to);
		return (ssize_t_)n;
	}
	spin_lock(&p->lock);
	bool room = !p->dead && p->charge <= p->s.rcvbuf;
	if (room) {
		list_add_tail(&k->link, &p->queue);
		p->queued += n;
		p->charge += n + PKT_OVERHEAD;
	}
	spin_unlock(&p->lock);
	if (room)
		wake_up_poll(&p->wait, EPOLLIN | EPOLLRDNORM);
	else
		kfree(k);
	inet_put(p);
	return (ssize_t_)n;
}

/* ---- receiving ----------------------------------------------------------------------------------------------------- */

static void put_int(struct sock_msg *m, int level, int type, int v) { sock_put_cmsg(m, level, type, &v, sizeof(v)); }

static void put_times(struct inet_sock *u, const struct inet_pkt *k, struct sock_msg *m)
{
	int64_t t[2] = {(int64_t)(k->when / 1000000000), (int64_t)(k->when % 1000000000)};
	if (u->s.timestampns) {
		sock_put_cmsg(m, SOL_SOCKET, SO_TIMESTAMPNS_OLD, t, sizeof(t));
	} else if (u->s.timestamp) {
		t[1] /= 1000;
		sock_put_cmsg(m, SOL_SOCKET, SO_TIMESTAMP_OLD, t, sizeof(t));
	}
}

/* The control data that options ask for, in Linux's order. */
static void put_extras(struct inet_sock *u, const struct inet_pkt *k, struct sock_msg *m)
{
	uint32_t to4 = __builtin_bswap32((uint32_t)k->to.lo);
	struct in_pktinfo_ p = {LO_INDEX, to4, to4};
	struct in6_pktinfo_ p6 = {{__builtin_bswap64(k->to.hi), __builtin_bswap64(k->to.lo)}, LO_INDEX};
	put_times(u, k, m);
	if (u->s.family == AF_INET6) {
		if (u->opt[OPT_PKTINFO6])
			sock_put_cmsg(m, IPPROTO_IPV6_, CMSG_IPV6_PKTINFO, &p6, sizeof(p6));
		if (u->opt[OPT_RECVHOPS] && !inet_is4(k->to))
			put_int(m, IPPROTO_IPV6_, CMSG_IPV6_HOPLIMIT, k->ttl);
		if (u->opt[OPT_RECVTCLASS] && !inet_is4(k->to))
			put_int(m, IPPROTO_IPV6_, CMSG_IPV6_TCLASS, k->tos);
	}
	if (!inet_is4(k->to))
		return;
	if (u->opt[OPT_PKTINFO])
		sock_put_cmsg(m, IPPROTO_IP_, CMSG_IP_PKTINFO, &p, sizeof(p));
	if (u->opt[OPT_RECVTTL])
		put_int(m, IPPROTO_IP_, CMSG_IP_TTL, k->ttl);
	if (u->opt[OPT_RECVTOS])
		sock_put_cmsg(m, IPPROTO_IP_, CMSG_IP_TOS, &k->tos, 1);
	if (u->opt[OPT_RECVORIGDST]) {
		struct {
			uint16_t family, port;
			uint32_t addr, zero[2];
		} dst = {AF_INET, __builtin_bswap16(u->self.port), to4, {0, 0}};
		sock_put_cmsg(m, IPPROTO_IP_, CMSG_IP_ORIGDSTADDR, &dst, sizeof(dst));
	}
}

static bool recv_ready(struct inet_sock *u)
{
	spin_lock(&u->lock);
	bool r = !list_empty(&u->queue) || u->shutdown & RCV_SHUT;
	spin_unlock(&u->lock);
	return r || READ_ONCE(u->s.error);
}

static ssize_t_ take(struct inet_sock *u, struct inet_pkt *k, struct sock_msg *m)
{
	size_t want = m->iter->count, n = MIN(want, k->len);
	ssize_t_ r = iter_copy_to(m->iter, k->data, n) == n ? (ssize_t_)n : -EFAULT;
	if (m->addr)
		inet_name_out(u, m->addr, k->from);
	if (r >= 0)
		put_extras(u, k, m);
	if (r >= 0 && k->len > want) {
		m->out_flags |= MSG_TRUNC;
		if (m->flags & MSG_TRUNC)
			r = (ssize_t_)k->len;
	}
	if (m->flags & MSG_PEEK)
		return r;
	spin_lock(&u->lock);
	if (!u->s.timestamp && !u->s.timestampns)
		u->stamp = k->when;
	list_del(&k->link);
	u->queued -= k->len;
	u->charge -= k->len + PKT_OVERHEAD;
	spin_unlock(&u->lock);
	kfree(k);
	return r;
}

/* struct sock_extended_err: its header wants libc's struct timespec. */
struct extended_err {
	uint32_t error;
	uint8_t origin, type, code, pad;
	uint32_t info, data;
};
enum { ORIGIN_ICMP = 2, ORIGIN_ICMP6 = 3 };

/* The control message of an error: what ICMP would have told of port unreachable, and who told it. */
static void put_error(struct inet_sock *u, const struct inet_pkt *k, struct sock_msg *m)
{
	bool four = inet_is4(k->from.addr);
	struct {
		struct extended_err e;
		uint8_t offender[28];
	} x = {.e = {.error = ECONNREFUSED, .origin = four ? ORIGIN_ICMP : ORIGIN_ICMP6, .type = four ? 3 : 1,
	             .code = four ? 3 : 4}};
	uint16_t family = four ? AF_INET : AF_INET6;
	uint32_t a4 = __builtin_bswap32((uint32_t)k->from.addr.lo);
	uint64_t a6[2] = {__builtin_bswap64(k->from.addr.hi), __builtin_bswap64(k->from.addr.lo)};
	memcpy(x.offender, &family, sizeof(family));
	if (four)
		memcpy(x.offender + 4, &a4, sizeof(a4));
	else
		memcpy(x.offender + 8, a6, sizeof(a6));
	sock_put_cmsg(m, four ? IPPROTO_IP_ : IPPROTO_IPV6_, four ? CMSG_IP_RECVERR : CMSG_IPV6_RECVERR, &x,
	              sizeof(x.e) + (four ? 16 : 28));
}

/* recv(2) with MSG_ERRQUEUE: never waits. */
static ssize_t_ recv_error(struct inet_sock *u, struct sock_msg *m)
{
	spin_lock(&u->lock);
	struct inet_pkt *k = list_empty(&u->errors) ? NULL : list_first(&u->errors, struct inet_pkt, link);
	if (k) {
		list_del(&k->link);
		u->charge -= k->len + PKT_OVERHEAD;
		if (list_empty(&u->errors))
			WRITE_ONCE(u->s.error, 0);
	}
	spin_unlock(&u->lock);
	if (!k)
		return -EAGAIN;
	size_t n = MIN(m->iter->count, k->len);
	ssize_t_ r = iter_copy_to(m->iter, k->data, n) == n ? (ssize_t_)n : -EFAULT;
	if (m->addr)
		inet_name_out(u, m->addr, k->from);
	m->out_flags |= MSG_ERRQUEUE | (n < k->len ? MSG_TRUNC : 0);
	put_error(u, k, m);
	kfree(k);
	return r;
}

static ssize_t_ udp_recvmsg(struct socket *s, struct sock_msg *m)
{
	struct inet_sock *u = inet_of(s);
	uint64_t deadline = socket_deadline(s->rcvtimeo_ns);
	struct inet_pkt *k;
	ssize_t_ r;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->flags & MSG_ERRQUEUE)
		return recv_error(u, m);
	if (m->addr)
		m->addr->len = 0;
	mutex_lock(&u->recv_lock);
	for (;;) {
		r = atomic_xchg(&s->error, 0);
		if (r)
			break;
		k = inet_queue_front(u);
		if (k) {
			r = take(u, k, m);
			break;
		}
		r = -EAGAIN;
		if (m->flags & MSG_DONTWAIT)
			break;
		r = 0;
		if (READ_ONCE(u->shutdown) & RCV_SHUT)
			break;
		mutex_unlock(&u->recv_lock);
		int err = wait_event_interruptible_deadline(&u->wait, recv_ready(u), deadline);
		mutex_lock(&u->recv_lock);
		r = inet_wait_error(err, s->rcvtimeo_ns);
		if (r)
			break;
	}
	mutex_unlock(&u->recv_lock);
	return r;
}

static int udp_shutdown(struct socket *s, int how)
{
	struct inet_sock *u = inet_of(s);
	spin_lock(&u->lock);
	bool connected = u->state == INET_CONNECTED;
	if (connected)
		u->shutdown |= (uint32_t)how + 1;
	spin_unlock(&u->lock);
	wake_up_poll(&u->wait, EPOLLIN | EPOLLRDHUP | EPOLLHUP);
	return connected ? 0 : -ENOTCONN;
}

static uint32_t udp_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct inet_sock *u = inet_of(s);
	uint32_t ev = EPOLLOUT | EPOLLWRNORM;
	poll_wait(f, &u->wait, pt);
	spin_lock(&u->lock);
	if (!list_empty(&u->queue))
		ev |= EPOLLIN | EPOLLRDNORM;
	if (!list_empty(&u->errors))
		ev |= EPOLLERR;
	if (u->shutdown & RCV_SHUT)
		ev |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (u->shutdown == (RCV_SHUT | SEND_SHUT))
		ev |= EPOLLHUP;
	spin_unlock(&u->lock);
	return READ_ONCE(s->error) ? ev | EPOLLERR : ev;
}

/* When the last datagram that was read had come. */
static int64_t last_stamp(struct inet_sock *u, bool ns, uva_t arg)
{
	spin_lock(&u->lock);
	uint64_t when = u->stamp;
	spin_unlock(&u->lock);
	if (!when)
		return -ENOENT;
	int64_t t[2] = {(int64_t)(when / 1000000000), (int64_t)(when % 1000000000 / (ns ? 1 : 1000))};
	return copy_out(arg, t, sizeof(t)) ? -EFAULT : 0;
}

static int64_t udp_ioctl(struct socket *s, uint32_t cmd, uint64_t arg)
{
	struct inet_sock *u = inet_of(s);
	int n = 0;
	if (cmd == SIOCGSTAMP_OLD || cmd == SIOCGSTAMPNS_OLD)
		return last_stamp(u, cmd == SIOCGSTAMPNS_OLD, uva(arg));
	if (cmd != FIONREAD && cmd != TIOCOUTQ)
		return -ENOTTY;
	spin_lock(&u->lock);
	if (cmd == FIONREAD && !list_empty(&u->queue))
		n = (int)list_first(&u->queue, struct inet_pkt, link)->len;
	spin_unlock(&u->lock);
	return copy_out(uva(arg), &n, sizeof(n)) ? -EFAULT : 0;
}

static void udp_release(struct socket *s)
{
	struct inet_sock *u = inet_of(s);
	inet_unbind(u);
	spin_lock(&u->lock);
	u->dead = true;
	spin_unlock(&u->lock);
	inet_put(u);
}

static int no_listen(struct socket *s, int backlog) { return -EOPNOTSUPP; }
static int no_accept(struct socket *s, uint32_t flags, struct socket **out) { return -EOPNOTSUPP; }

const struct socket_ops udp_ops = {
	.bind = inet_bind,
	.connect = udp_connect,
	.listen = no_listen,
	.accept = no_accept,
	.getname = inet_getname,
	.sendmsg = udp_sendmsg,
	.recvmsg = udp_recvmsg,
	.shutdown = udp_shutdown,
	.poll = udp_poll,
	.ioctl = udp_ioctl,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.release = udp_release,
};
