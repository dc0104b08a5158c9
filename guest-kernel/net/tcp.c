// SPDX-License-Identifier: Apache-2.0
/*
 * SOCK_STREAM on loopback: connections and their ends (tcp(7); see inet.h).
 *
 * A connect succeeds as soon as the new socket stands in the listener's backlog. One that may not wait is told
 * EINPROGRESS even so, as Linux does, and learns the result by poll, SO_ERROR or a second connect. A close with unread
 * data, or with SO_LINGER and no time, resets the connection.
 *
 * A full backlog: a connect that waits, waits; another one is queued all the same, up to SOMAXCONN, where Linux would
 * keep it waiting for the handshake.
 */
#include "net/inet.h"
#include "task/task.h"

#define SNDBUF_CONNECTED 2626560u /* what Linux lets loopback connections grow to */

/* The peer with a reference, or NULL. */
struct inet_sock *tcp_peer_get(struct inet_sock *u)
{
	spin_lock(&u->lock);
	struct inet_sock *p = u->peer;
	if (p)
		inet_get(p);
	spin_unlock(&u->lock);
	return p;
}

/* The connection of u with peer is broken. */
void tcp_reset(struct inet_sock *u, const struct inet_sock *peer, int err)
{
	spin_lock(&u->lock);
	if (u->peer == peer && (u->state == INET_CONNECTED || u->state == INET_CONNECTING)) {
		WRITE_ONCE(u->s.error, err);
		u->state = INET_CLOSED;
		u->fin = true;
		u->shutdown = RCV_SHUT | SEND_SHUT;
	}
	spin_unlock(&u->lock);
	wake_up_poll(&u->wait, TCP_ALL_EVENTS);
}

/* u sends no more to p. */
static void send_fin(struct inet_sock *p, const struct inet_sock *u)
{
	spin_lock(&p->lock);
	if (p->peer == u)
		p->fin = true;
	spin_unlock(&p->lock);
	wake_up_poll(&p->wait, TCP_ALL_EVENTS);
}

/* ---- the end ------------------------------------------------------------------------------------------------------ */

static void drop_backlog(struct inet_sock *u)
{
	struct list_node backlog = LIST_INIT(backlog);
	spin_lock(&u->lock);
	while (!list_empty(&u->backlog))
		list_move_tail(u->backlog.next, &backlog);
	u->nbacklog = 0;
	spin_unlock(&u->lock);
	while (!list_empty(&backlog)) {
		struct inet_sock *c = list_first(&backlog, struct inet_sock, backlog_link);
		list_del(&c->backlog_link);
		c->s.linger_on = 1;
		c->s.linger_sec = 0;
		tcp_ops.release(&c->s);
	}
}

/* Leaves the connection. */
static void disconnect(struct inet_sock *u, bool hard)
{
	spin_lock(&u->lock);
	struct inet_sock *p = u->peer;
	u->peer = NULL;
	u->state = INET_CLOSED;
	hard = hard || !list_empty(&u->queue);
	spin_unlock(&u->lock);
	if (!p)
		return;
	if (hard)
		tcp_reset(p, u, -ECONNRESET);
	else
		send_fin(p, u);
	inet_put(p);
}

/* What came by the connection that u has left. */
static void drop_queue(struct inet_sock *u)
{
	struct list_node queue = LIST_INIT(queue);
	mutex_lock(&u->recv_lock);
	spin_lock(&u->lock);
	while (!list_empty(&u->queue))
		list_move_tail(u->queue.next, &queue);
	u->queued = u->charge = 0;
	u->mark = NULL;
	u->urgent_new = false;
	u->fin = false;
	u->shutdown = 0;
	spin_unlock(&u->lock);
	mutex_unlock(&u->recv_lock);
	while (!list_empty(&queue)) {
		struct inet_pkt *k = list_first(&queue, struct inet_pkt, link);
		list_del(&k->link);
		kfree(k);
	}
}

/* connect(2) to AF_UNSPEC: u is as new, but for the name that bind(2) gave it. */
static void start_over(struct inet_sock *u)
{
	inet_stop_listen(u);
	drop_backlog(u);
	disconnect(u, true);
	drop_queue(u);
	inet_bind_revert(u);
	wake_up_poll(&u->wait, TCP_ALL_EVENTS);
}

static void tcp_release(struct socket *s)
{
	struct inet_sock *u = inet_of(s);
	inet_stop_listen(u);
	inet_unbind(u);
	spin_lock(&u->lock);
	u->dead = true;
	spin_unlock(&u->lock);
	drop_backlog(u);
	disconnect(u, s->linger_on && !s->linger_sec);
	wake_up_poll(&u->wait, TCP_ALL_EVENTS);
	inet_put(u);
}

static int tcp_shutdown(struct socket *s, int how)
{
	struct inet_sock *u = inet_of(s);
	uint32_t bits = (uint32_t)how + 1; /* SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2 */
	spin_lock(&u->lock);
	enum inet_state state = u->state;
	if (state != INET_LISTENING)
		u->shutdown |= bits; /* even of a socket that is not connected, as on Linux */
	spin_unlock(&u->lock);
	if (state == INET_LISTENING) {
		if (bits & RCV_SHUT) {
			inet_stop_listen(u);
			drop_backlog(u);
		}
	} else if (state != INET_CONNECTED) {
		return -ENOTCONN;
	} else if (bits & SEND_SHUT) {
		struct inet_sock *p = tcp_peer_get(u);
		if (p) {
			send_fin(p, u);
			inet_put(p);
		}
	}
	wake_up_poll(&u->wait, TCP_ALL_EVENTS);
	return 0;
}

/* ---- connections ---------------------------------------------------------------------------------------------------- */

static bool backlog_room(struct inet_sock *l)
{
	return READ_ONCE(l->state) != INET_LISTENING || READ_ONCE(l->nbacklog) <= l->max_backlog;
}

static struct inet_sock *make_server(struct inet_sock *u, struct inet_sock *l, struct inet_name to)
{
	struct inet_sock *c = inet_alloc(l->s.family, SOCK_STREAM, l->s.net);
	if (!c)
		return NULL;
	inet_get(u);
	c->uid = l->uid;
	c->peer = u;
	c->state = INET_CONNECTED;
	c->remote = u->self;
	c->s.sndbuf = MAX(l->s.sndbuf, SNDBUF_CONNECTED);
	c->s.rcvbuf = l->s.rcvbuf;
	c->s.reuseaddr = l->s.reuseaddr;
	c->s.reuseport = l->s.reuseport;
	c->s.keepalive = l->s.keepalive;
	c->s.linger_on = l->s.linger_on;
	c->s.linger_sec = l->s.linger_sec;
	c->s.oobinline = l->s.oobinline;
	c->s.rcvlowat = l->s.rcvlowat;
	c->s.rcvtimeo_ns = l->s.rcvtimeo_ns;
	c->s.sndtimeo_ns = l->s.sndtimeo_ns;
	c->s.timestamp = l->s.timestamp;
	c->s.timestampns = l->s.timestampns;
	for (uint32_t i = 0; i < OPT_COUNT; i++)
		c->opt[i] = l->opt[i];
	inet_bind_same(c, to);
	return c;
}

/* u, CONNECTING, has c at the other end; not if another thread has disconnected it. */
static bool take_peer(struct inet_sock *u, struct inet_sock *c, struct inet_name to)
{
	struct inet_sock *old = NULL;
	spin_lock(&u->lock);
	bool mine = u->state == INET_CONNECTING;
	if (mine) {
		old = u->peer; /* of a connection that was reset */
		inet_get(c);
		u->peer = c;
		u->remote = to;
	}
	spin_unlock(&u->lock);
	if (old)
		inet_put(old);
	return mine;
}

/* c stands in the backlog of l, which has its reference then: 0, -EAGAIN while it is full, -ECONNREFUSED. */
static int queue_up(struct inet_sock *c, struct inet_sock *l, bool squeeze)
{
	int err = 0;
	spin_lock(&l->lock);
	if (l->state != INET_LISTENING) {
		err = -ECONNREFUSED;
	} else if (l->nbacklog > l->max_backlog && !(squeeze && l->nbacklog < SOMAXCONN)) {
		err = -EAGAIN;
	} else {
		list_add_tail(&c->backlog_link, &l->backlog);
		l->nbacklog++;
	}
	spin_unlock(&l->lock);
	return err;
}

/* c was made for u in vain. */
static void discard(struct inet_sock *c)
{
	spin_lock(&c->lock);
	struct inet_sock *u = c->peer;
	c->peer = NULL;
	spin_unlock(&c->lock);
	inet_put(u);
	tcp_release(&c->s);
}

/* u, CONNECTING, meets listener l: 0, -EAGAIN while the backlog is full, -ECONNREFUSED, -ECONNRESET if another thread
 * disconnects u meanwhile. */
static int join(struct inet_sock *u, struct inet_sock *l, struct inet_name to, bool squeeze)
{
	struct inet_sock *c = make_server(u, l, to);
	if (!c)
		return -ENOMEM;
	inet_get(c); /* until the end, whoever accepts and closes it */
	int err = take_peer(u, c, to) ? queue_up(c, l, squeeze) : -ECONNRESET;
	spin_lock(&u->lock);
	bool ours = u->peer == c;
	if (err && ours) {
		u->peer = NULL;
	} else if (ours && u->state == INET_CONNECTING) {
		u->state = INET_CONNECTED;
		u->s.sndbuf = MAX(u->s.sndbuf, SNDBUF_CONNECTED);
	}
	spin_unlock(&u->lock);
	if (err) {
		if (ours)
			inet_put(c); /* u's */
		discard(c);
	} else {
		wake_up_poll(&l->wait, EPOLLIN | EPOLLRDNORM);
		wake_up_poll(&u->wait, EPOLLOUT | EPOLLWRNORM);
	}
	inet_put(c);
	return err || ours ? err : -ECONNRESET;
}

static int meet(struct inet_sock *u, struct inet_name to, bool wait)
{
	uint64_t deadline = socket_deadline(u->s.sndtimeo_ns);
	for (;;) {
		struct inet_sock *l = inet_find(u->s.net, SOCK_STREAM, to, u->self);
		if (!l)
			return -ECONNREFUSED;
		int err = join(u, l, to, !wait);
		if (err == -EAGAIN && wait)
			err = wait_event_interruptible_deadline(&l->wait, backlog_room(l), deadline);
		else
			wait = false;
		inet_put(l);
		if (err || !wait)
			return err == -ETIMEDOUT ? -EINPROGRESS : err;
	}
}

/* What a connect on a socket that is no longer fresh answers. */
static int connect_again(struct inet_sock *u)
{
	int err = atomic_xchg(&u->s.error, 0);
	if (err) { /* a refused one may be used again */
		spin_lock(&u->lock);
		u->fin = false;
		u->shutdown = 0;
		spin_unlock(&u->lock);
		return err;
	}
	spin_lock(&u->lock);
	enum inet_state state = u->state;
	if (state == INET_CONNECTED && u->told) {
		u->told = false;
		err = 0;
	} else {
		err = state == INET_CONNECTED || state == INET_LISTENING ? -EISCONN : state == INET_CONNECTING ? -EALREADY : 1;
	}
	spin_unlock(&u->lock);
	return err;
}

static int tcp_connect(struct socket *s, const struct sockaddr_buf *addr, uint32_t flags)
{
	struct inet_sock *u = inet_of(s);
	struct inet_name to;
	bool wait = !(flags & MSG_DONTWAIT);
	if (addr->family == AF_UNSPEC) {
		start_over(u);
		return 0;
	}
	int err = inet_name_in(u, addr, &to, false);
	if (err)
		return err;
	err = connect_again(u);
	if (err <= 0)
		return err;
	err = inet_route(u, &to);
	if (!err)
		err = inet_autobind(u);
	if (err)
		return err;
	spin_lock(&u->lock);
	bool mine = u->state == INET_CLOSED;
	if (mine) {
		u->state = INET_CONNECTING;
		u->fin = false;
		u->shutdown = 0;
	}
	spin_unlock(&u->lock);
	if (!mine)
		return -EALREADY;
	inet_bind_loop(u, to.addr);
	err = meet(u, to, wait);
	spin_lock(&u->lock);
	if (err && u->state == INET_CONNECTING)
		u->state = INET_CLOSED;
	if (!wait && !err)
		u->told = true;
	spin_unlock(&u->lock);
	if (wait)
		return inet_wait_error(err, s->sndtimeo_ns);
	if (err && err != -ECONNREFUSED)
		return err;
	if (err)
		WRITE_ONCE(s->error, err);
	wake_up_poll(&u->wait, TCP_ALL_EVENTS);
	return -EINPROGRESS;
}

static int tcp_listen(struct socket *s, int backlog)
{
	return inet_start_listen(inet_of(s), (uint32_t)backlog);
}

static bool accept_ready(struct inet_sock *u)
{
	return READ_ONCE(u->nbacklog) || READ_ONCE(u->state) != INET_LISTENING;
}

static int tcp_accept(struct socket *s, uint32_t flags, struct socket **out)
{
	struct inet_sock *u = inet_of(s), *c;
	uint64_t deadline = socket_deadline(s->rcvtimeo_ns);
	for (;;) {
		c = NULL;
		spin_lock(&u->lock);
		bool listening = u->state == INET_LISTENING;
		if (listening && !list_empty(&u->backlog)) {
			c = list_first(&u->backlog, struct inet_sock, backlog_link);
			list_del(&c->backlog_link);
			list_init(&c->backlog_link);
			u->nbacklog--;
		}
		spin_unlock(&u->lock);
		if (c) {
			wake_up_poll(&u->wait, EPOLLOUT);
			*out = &c->s;
			return 0;
		}
		if (!listening)
			return -EINVAL;
		if (flags & MSG_DONTWAIT)
			return -EAGAIN;
		int err = wait_event_interruptible_deadline(&u->wait, accept_ready(u), deadline);
		if (err)
			return inet_wait_error(err, s->rcvtimeo_ns);
	}
}

const struct socket_ops tcp_ops = {
	.bind = inet_bind,
	.connect = tcp_connect,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.getname = inet_getname,
	.sendmsg = tcp_sendmsg,
	.recvmsg = tcp_recvmsg,
	.shutdown = tcp_shutdown,
	.poll = tcp_poll,
	.ioctl = tcp_ioctl,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.release = tcp_release,
};
