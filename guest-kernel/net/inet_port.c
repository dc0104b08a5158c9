// SPDX-License-Identifier: Apache-2.0
/* AF_INET and AF_INET6: who is bound to which address and port (see inet.h). */
#include "fs/proc/proc.h"
#include "lib/string.h"
#include "net/inet.h"
#include "net/net_show.h"
#include "task/random.h"
#include "task/task.h"
#include "task/user_ns.h"

#define EPHEMERAL_FIRST 32768u
#define EPHEMERAL_LAST  60999u
#define PRIVILEGED      1024u

/* The setting is that of the container's own network; others were made by its applications. */
uint32_t inet_privileged(const struct net_ns *net)
{
	return net == &init_net_ns ? (uint32_t)proc_sys_value("ip_unprivileged_port_start") : PRIVILEGED;
}

/* ports_lock held */
static struct list_node *bucket_of(struct net_ns *net, int type, uint16_t port)
{
	struct list_node *b = &net->bucket[type == SOCK_DGRAM][port % NET_PORT_BUCKETS];
	if (!b->next)
		list_init(b);
	return b;
}

/* SO_REUSEPORT is for sockets of one user: another one's would take what is sent to them. */
static bool may_share(const struct inet_sock *a, const struct inet_sock *b)
{
	if (a->s.reuseport && b->s.reuseport && a->uid == b->uid)
		return true;
	if (!a->s.reuseaddr || !b->s.reuseaddr)
		return false;
	return a->s.type == SOCK_DGRAM || (a->state != INET_LISTENING && b->state != INET_LISTENING);
}

/* Does a socket at address a take what is sent to b? */
static bool covers(const struct inet_sock *u, struct inet_addr a, struct inet_addr b)
{
	if (inet_is_any6(a))
		return !inet_is4(b) || !u->opt[OPT_V6ONLY];
	return inet_equal(a, b) || (inet_is_any(a) && inet_is4(b));
}

/* ports_lock held */
static bool conflict(struct inet_sock *u, struct inet_name n)
{
	struct inet_sock *o;
	list_for_each_entry(o, bucket_of(u->s.net, u->s.type, n.port), bound) {
		if (o == u || o->self.port != n.port)
			continue;
		if (!covers(o, o->self.addr, n.addr) && !covers(u, n.addr, o->self.addr))
			continue;
		if (!may_share(u, o))
			return true;
	}
	return false;
}

/* ports_lock held */
static int take_name(struct inet_sock *u, struct inet_name n)
{
	if (n.port && conflict(u, n))
		return -EADDRINUSE;
	if (!n.port) {
		uint32_t span = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1, tries = 0;
		bool reuse = u->s.reuseaddr, many = u->s.reuseport;
		if (!u->s.net->next_port)
			random_bytes(&u->s.net->next_port, sizeof(u->s.net->next_port));
		u->s.reuseaddr = u->s.reuseport = false; /* a port that nobody has */
		do {
			n.port = (uint16_t)(EPHEMERAL_FIRST + u->s.net->next_port++ % span);
		} while (conflict(u, n) && ++tries < span);
		u->s.reuseaddr = reuse;
		u->s.reuseport = many;
		if (tries == span)
			return -EADDRINUSE;
	}
	u->self = n;
	list_add(&u->bound, bucket_of(u->s.net, u->s.type, n.port));
	return 0;
}

int inet_bind(struct socket *s, const struct sockaddr_buf *a)
{
	struct inet_sock *u = inet_of(s);
	struct inet_name n;
	int err = inet_name_in(u, a, &n, false);
	if (s->family == AF_INET && a->len >= 16 && a->family == AF_UNSPEC && inet_is_any(n.addr))
		err = 0; /* as Linux does, for old programs */
	if (err)
		return err;
	if (s->family == AF_INET6 && inet_is4(n.addr) && u->opt[OPT_V6ONLY])
		return -EINVAL;
	if (!inet_is_any(n.addr) && !inet_is_local(n.addr) && !u->opt[OPT_FREEBIND] && !u->opt[OPT_FREEBIND6])
		return -EADDRNOTAVAIL;
	if (n.port && n.port < inet_privileged(s->net) && !ns_capable(s->net->ns.user_ns, CAP_NET_BIND_SERVICE))
		return -EACCES;
	spin_lock(&u->s.net->ports_lock);
	err = u->self.port || u->state != INET_CLOSED ? -EINVAL : take_name(u, n);
	if (!err) {
		u->bind_addr = n.addr;
		u->bind_port = n.port != 0;
	}
	spin_unlock(&u->s.net->ports_lock);
	return err;
}

int inet_autobind(struct inet_sock *u)
{
	spin_lock(&u->s.net->ports_lock);
	int err = u->self.port ? 0 : take_name(u, u->self);
	spin_unlock(&u->s.net->ports_lock);
	return err == -EADDRINUSE ? -EAGAIN : err;
}

void inet_bind_same(struct inet_sock *u, struct inet_name name)
{
	spin_lock(&u->s.net->ports_lock);
	u->self = name;
	list_add(&u->bound, bucket_of(u->s.net, u->s.type, name.port));
	spin_unlock(&u->s.net->ports_lock);
}

void inet_unbind(struct inet_sock *u)
{
	spin_lock(&u->s.net->ports_lock);
	list_del(&u->bound);
	u->self.port = 0;
	spin_unlock(&u->s.net->ports_lock);
}

void inet_bind_loop(struct inet_sock *u, struct inet_addr to)
{
	spin_lock(&u->s.net->ports_lock);
	if (inet_is_any(u->self.addr))
		u->self.addr = inet_is4(to) ? INET_LOOP4 : INET_LOOP6;
	spin_unlock(&u->s.net->ports_lock);
}

void inet_bind_revert(struct inet_sock *u)
{
	spin_lock(&u->s.net->ports_lock);
	u->self.addr = u->bind_addr;
	if (!u->bind_port) {
		list_del(&u->bound);
		u->self.port = 0;
	}
	spin_unlock(&u->s.net->ports_lock);
}

int inet_start_listen(struct inet_sock *u, uint32_t backlog)
{
	int err = 0;
	spin_lock(&u->s.net->ports_lock);
	spin_lock(&u->lock);
	enum inet_state old = u->state;
	if (old == INET_CLOSED || old == INET_LISTENING) {
		u->state = INET_LISTENING;
		u->max_backlog = backlog;
	} else {
		err = -EINVAL;
	}
	spin_unlock(&u->lock);
	/* Those who may share a port while nobody listens may not any more. */
	if (!err && old == INET_CLOSED) {
		err = u->self.port ? (conflict(u, u->self) ? -EADDRINUSE : 0) : take_name(u, u->self);
		if (err)
			u->state = INET_CLOSED;
	}
	spin_unlock(&u->s.net->ports_lock);
	return err;
}

void inet_stop_listen(struct inet_sock *u)
{
	spin_lock(&u->s.net->ports_lock);
	spin_lock(&u->lock);
	if (u->state == INET_LISTENING)
		u->state = INET_CLOSED;
	spin_unlock(&u->lock);
	spin_unlock(&u->s.net->ports_lock);
}

static int score(const struct inet_sock *o, int type, struct inet_name to, struct inet_name from)
{
	if (o->self.port != to.port || !covers(o, o->self.addr, to.addr))
		return 0;
	int points = (inet_is_any(o->self.addr) ? 1 : 4) + (inet_is4(to.addr) && o->s.family == AF_INET);
	if (type == SOCK_STREAM)
		return o->state == INET_LISTENING ? points : 0;
	if (o->state != INET_CONNECTED)
		return points;
	return inet_equal(o->remote.addr, from.addr) && o->remote.port == from.port ? points + 8 : 0;
}

struct inet_sock *inet_find(struct net_ns *net, int type, struct inet_name to, struct inet_name from)
{
	struct inet_sock *best = NULL, *o;
	uint32_t equal = 0, hash = (from.port ^ (uint32_t)from.addr.lo << 16) * 0x9e3779b1u >> 8;
	int most = 0;
	spin_lock(&net->ports_lock);
	list_for_each_entry(o, bucket_of(net, type, to.port), bound) {
		int n = score(o, type, to, from);
		/* Among equals (SO_REUSEPORT) each sender keeps to one. */
		equal = n > most ? 1 : n && n == most && o->s.reuseport ? equal + 1 : equal;
		if (n > most || (n && n == most && o->s.reuseport && hash % equal == 0)) {
			most = n;
			best = o;
		}
	}
	if (best)
		inet_get(best);
	spin_unlock(&net->ports_lock);
	return best;
}

static void put_address(uint8_t *out, struct inet_addr a, int family)
{
	uint64_t w[2] = {__builtin_bswap64(a.hi), __builtin_bswap64(a.lo)};
	uint32_t four = __builtin_bswap32((uint32_t)a.lo);
	memset(out, 0, 16);
	if (family == AF_INET)
		memcpy(out, &four, sizeof(four));
	else
		memcpy(out, w, sizeof(w));
}

static void put_line(struct inet_sock *u, struct sock_line *l)
{
	bool tcp = u->s.type == SOCK_STREAM;
	*l = (struct sock_line){.family = (uint8_t)u->s.family, .local_port = u->self.port, .remote_port = u->remote.port,
	                        .rx_queue = (uint32_t)(u->state == INET_LISTENING ? u->nbacklog : u->queued), .uid = u->uid,
	                        .ino = u->s.ino};
	l->state = (uint8_t)(tcp ? inet_tcp_state(u) : u->state == INET_CONNECTED ? 1 : 7);
	put_address(l->local, u->self.addr, u->s.family);
	put_address(l->remote, u->remote.addr, u->s.family);
}

uint32_t inet_sock_lines(struct net_ns *net, int family, int type, struct sock_line *out, uint32_t max)
{
	uint32_t n = 0;
	spin_lock(&net->ports_lock);
	for (uint32_t i = 0; i < NET_PORT_BUCKETS; i++) {
		struct inet_sock *u;
		list_for_each_entry(u, bucket_of(net, type, (uint16_t)i), bound) {
			if (u->s.family != family)
				continue;
			if (n < max)
				put_line(u, &out[n]);
			n++;
		}
	}
	spin_unlock(&net->ports_lock);
	return n;
}
