// SPDX-License-Identifier: Apache-2.0
/* AF_INET: who is bound to which address and port (see inet.h). */
#include "net/inet.h"
#include "task/random.h"
#include "task/task.h"

#define BUCKETS    64 /* power of two */
#define EPHEMERAL_FIRST 32768u
#define EPHEMERAL_LAST  60999u
#define PRIVILEGED      1024u

static struct {
	spinlock_t lock;
	struct list_node bucket[2][BUCKETS]; /* TCP, UDP; by port; made on first use; lock */
	uint32_t next;                       /* ephemeral port to try; lock */
} ports;

/* ports.lock held */
static struct list_node *bucket_of(int type, uint16_t port)
{
	struct list_node *b = &ports.bucket[type == SOCK_DGRAM][port % BUCKETS];
	if (!b->next)
		list_init(b);
	return b;
}

static bool may_share(const struct inet_sock *a, const struct inet_sock *b)
{
	if (a->s.reuseport && b->s.reuseport)
		return true;
	if (!a->s.reuseaddr || !b->s.reuseaddr)
		return false;
	return a->s.type == SOCK_DGRAM || (a->state != INET_LISTENING && b->state != INET_LISTENING);
}

/* ports.lock held */
static bool conflict(struct inet_sock *u, struct inet_name n)
{
	struct inet_sock *o;
	list_for_each_entry(o, bucket_of(u->s.type, n.port), bound) {
		if (o == u || o->self.port != n.port)
			continue;
		if (o->self.addr && n.addr && o->self.addr != n.addr)
			continue;
		if (!may_share(u, o))
			return true;
	}
	return false;
}

/* ports.lock held */
static int take_name(struct inet_sock *u, struct inet_name n)
{
	if (n.port && conflict(u, n))
		return -EADDRINUSE;
	if (!n.port) {
		uint32_t span = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1, tries = 0;
		bool reuse = u->s.reuseaddr, many = u->s.reuseport;
		if (!ports.next)
			random_bytes(&ports.next, sizeof(ports.next));
		u->s.reuseaddr = u->s.reuseport = false; /* a port that nobody has */
		do {
			n.port = (uint16_t)(EPHEMERAL_FIRST + ports.next++ % span);
		} while (conflict(u, n) && ++tries < span);
		u->s.reuseaddr = reuse;
		u->s.reuseport = many;
		if (tries == span)
			return -EADDRINUSE;
	}
	u->self = n;
	list_add(&u->bound, bucket_of(u->s.type, n.port));
	return 0;
}

static bool is_local(uint32_t addr) { return !addr || addr >> 24 == 127; }

int inet_bind(struct socket *s, const struct sockaddr_buf *a)
{
	struct inet_sock *u = inet_of(s);
	struct inet_name n;
	int err = inet_name_in(a, &n);
	if (a->len >= 16 && a->family == AF_UNSPEC && !n.addr)
		err = 0; /* as Linux does, for old programs */
	if (err)
		return err;
	if (!is_local(n.addr))
		return -EADDRNOTAVAIL;
	if (n.port && n.port < PRIVILEGED && !capable(CAP_NET_BIND_SERVICE))
		return -EACCES;
	spin_lock(&ports.lock);
	err = u->self.port || u->state != INET_CLOSED ? -EINVAL : take_name(u, n);
	if (!err) {
		u->bind_addr = n.addr;
		u->bind_port = n.port != 0;
	}
	spin_unlock(&ports.lock);
	return err;
}

int inet_autobind(struct inet_sock *u)
{
	spin_lock(&ports.lock);
	int err = u->self.port ? 0 : take_name(u, u->self);
	spin_unlock(&ports.lock);
	return err == -EADDRINUSE ? -EAGAIN : err;
}

void inet_bind_same(struct inet_sock *u, struct inet_name name)
{
	spin_lock(&ports.lock);
	u->self = name;
	list_add(&u->bound, bucket_of(u->s.type, name.port));
	spin_unlock(&ports.lock);
}

void inet_unbind(struct inet_sock *u)
{
	spin_lock(&ports.lock);
	list_del(&u->bound);
	u->self.port = 0;
	spin_unlock(&ports.lock);
}

void inet_bind_loop(struct inet_sock *u)
{
	spin_lock(&ports.lock);
	if (!u->self.addr)
		u->self.addr = INADDR_LOOP;
	spin_unlock(&ports.lock);
}

void inet_bind_revert(struct inet_sock *u)
{
	spin_lock(&ports.lock);
	u->self.addr = u->bind_addr;
	if (!u->bind_port) {
		list_del(&u->bound);
		u->self.port = 0;
	}
	spin_unlock(&ports.lock);
}

int inet_start_listen(struct inet_sock *u, uint32_t backlog)
{
	int err = 0;
	spin_lock(&ports.lock);
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
	spin_unlock(&ports.lock);
	return err;
}

void inet_stop_listen(struct inet_sock *u)
{
	spin_lock(&ports.lock);
	spin_lock(&u->lock);
	if (u->state == INET_LISTENING)
		u->state = INET_CLOSED;
	spin_unlock(&u->lock);
	spin_unlock(&ports.lock);
}

static int score(const struct inet_sock *o, int type, struct inet_name to, struct inet_name from)
{
	if (o->self.port != to.port || (o->self.addr && o->self.addr != to.addr))
		return 0;
	int points = o->self.addr ? 2 : 1;
	if (type == SOCK_STREAM)
		return o->state == INET_LISTENING ? points : 0;
	if (o->state != INET_CONNECTED)
		return points;
	return o->remote.addr == from.addr && o->remote.port == from.port ? points + 4 : 0;
}

struct inet_sock *inet_find(int type, struct inet_name to, struct inet_name from)
{
	struct inet_sock *best = NULL, *o;
	uint32_t equal = 0, hash = (from.port ^ from.addr << 16) * 0x9e3779b1u >> 8;
	int most = 0;
	spin_lock(&ports.lock);
	list_for_each_entry(o, bucket_of(type, to.port), bound) {
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
	spin_unlock(&ports.lock);
	return best;
}
