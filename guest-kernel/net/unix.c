// SPDX-License-Identifier: Apache-2.0
/* AF_UNIX: life of a socket, connections, options (see unix_sock.h). */
#include <asm/ioctls.h>

#include "lib/string.h"
#include "net/unix_sock.h"
#include "task/task.h"

static const struct socket_ops unix_ops;

struct ucred ucred_current(void)
{
	return (struct ucred){(uint32_t)current->proc->pid, current->cred->euid, current->cred->egid};
}

struct unix_sock *unix_alloc(int type)
{
	struct unix_sock *u = kzalloc(sizeof(*u));
	if (!u)
		return NULL;
	socket_init(&u->s, &unix_ops, AF_UNIX, type, 0);
	ref_init(&u->refs);
	list_init(&u->queue);
	list_init(&u->backlog);
	list_init(&u->backlog_link);
	wait_queue_init(&u->wait);
	mutex_init(&u->recv_lock);
	u->cred = ucred_current();
	return u;
}

void unix_put(struct unix_sock *u)
{
	if (!ref_put(&u->refs))
		return;
	while (!list_empty(&u->queue)) {
		struct unix_msg *m = list_first(&u->queue, struct unix_msg, link);
		list_del(&m->link);
		unix_msg_free(m);
	}
	unix_addr_put(u->addr);
	kfree(u);
}

int unix_create(int type, int protocol, struct socket **out)
{
	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == SOCK_RAW)
		type = SOCK_DGRAM; /* as Linux does */
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	struct unix_sock *u = unix_alloc(type);
	if (!u)
		return -ENOMEM;
	*out = &u->s;
	return 0;
}

int unix_socketpair(int type, int protocol, struct socket **a, struct socket **b)
{
	int err = unix_create(type, protocol, a);
	if (err)
		return err;
	err = unix_create(type, protocol, b);
	struct unix_sock *x = unix_of(*a);
	if (err) {
		unix_put(x);
		return err;
	}
	struct unix_sock *y = unix_of(*b);
	unix_get(x);
	unix_get(y);
	x->peer = y;
	y->peer = x;
	x->state = y->state = UNIX_CONNECTED;
	x->peer_cred = y->cred;
	y->peer_cred = x->cred;
	return 0;
}

/* Tells the other end that this one is gone. had_data: it left bytes of the peer's unread. */
static void hang_up(struct unix_sock *u, bool had_data)
{
	spin_lock(&u->lock);
	struct unix_sock *p = u->peer;
	u->peer = NULL;
	spin_unlock(&u->lock);
	if (!p)
		return;
	if (u->s.type != SOCK_DGRAM) {
		spin_lock(&p->lock);
		p->peer_closed = true;
		if (had_data)
			p->reset = true;
		struct unix_sock *back = p->peer == u ? p->peer : NULL;
		if (back)
			p->peer = NULL;
		spin_unlock(&p->lock);
		wake_up_poll(&p->wait, EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP);
		if (back)
			unix_put(back);
	}
	unix_put(p);
}

static void unix_release(struct socket *s)
{
	struct unix_sock *u = unix_of(s);
	unix_unbind(u);
	spin_lock(&u->lock);
	u->dead = true;
	bool had_data = !list_empty(&u->queue);
	struct list_node queue = LIST_INIT(queue), backlog = LIST_INIT(backlog);
	while (!list_empty(&u->queue))
		list_move_tail(u->queue.next, &queue);
	while (!list_empty(&u->backlog))
		list_move_tail(u->backlog.next, &backlog);
	u->queued = u->nmsgs = u->nbacklog = 0;
	spin_unlock(&u->lock);
	while (!list_empty(&queue)) {
		struct unix_msg *m = list_first(&queue, struct unix_msg, link);
		list_del(&m->link);
		unix_msg_free(m);
	}
	while (!list_empty(&backlog)) {
		struct unix_sock *c = list_first(&backlog, struct unix_sock, backlog_link);
		list_del(&c->backlog_link);
		unix_release(&c->s);
	}
	hang_up(u, had_data);
	wake_up_poll(&u->wait, EPOLLIN | EPOLLOUT | EPOLLHUP);
	unix_put(u);
}

/* ---- connections ----------------------------------------------------------------------------------------------------- */

static int dgram_connect(struct unix_sock *u, const struct sockaddr_buf *addr)
{
	struct unix_sock *p = NULL;
	if (addr->family != AF_UNSPEC) {
		p = unix_find(addr, u->s.type);
		if (IS_ERR(p))
			return PTR_ERR(p);
		spin_lock(&p->lock);
		bool refused = p->peer && p->peer != u;
		spin_unlock(&p->lock);
		if (refused) {
			unix_put(p);
			return -EPERM;
		}
	}
	spin_lock(&u->lock);
	struct unix_sock *old = u->peer;
	u->peer = p;
	u->state = p ? UNIX_CONNECTED : UNIX_UNCONNECTED;
	spin_unlock(&u->lock);
	if (old)
		unix_put(old);
	return 0;
}

static bool backlog_ready(struct unix_sock *l)
{
	spin_lock(&l->lock);
	bool r = l->dead || l->state != UNIX_LISTENING || l->shutdown & 1 || l->nbacklog <= l->max_backlog;
	spin_unlock(&l->lock);
	return r;
}

/* Puts the server's end on the listener's backlog: 0, -EAGAIN when it is full, -ECONNREFUSED. */
static int backlog_add(struct unix_sock *l, struct unix_sock *server)
{
	int err = 0;
	spin_lock(&l->lock);
	if (l->dead || l->state != UNIX_LISTENING || l->shutdown & 1)
		err = -ECONNREFUSED;
	else if (l->nbacklog > l->max_backlog)
		err = -EAGAIN;
	else {
		list_add_tail(&server->backlog_link, &l->backlog);
		l->nbacklog++;
		server->addr = l->addr;
		if (l->addr)
			ref_get(&l->addr->refs);
		server->cred = l->cred;
		server->s.passcred = l->s.passcred;
	}
	spin_unlock(&l->lock);
	return err;
}

static int unix_connect(struct socket *s, const struct sockaddr_buf *addr, uint32_t flags)
{
	struct unix_sock *u = unix_of(s);
	if (s->type == SOCK_DGRAM)
		return dgram_connect(u, addr);
	struct unix_sock *l = unix_find(addr, s->type);
	if (IS_ERR(l))
		return PTR_ERR(l);
	struct unix_sock *server = unix_alloc(s->type);
	int err = server ? 0 : -ENOMEM;
	if (!err) {
		/* Joined before the listener can see it: an accepter may send at once. */
		spin_lock(&u->lock);
		err = u->state == UNIX_CONNECTED ? -EISCONN : u->state == UNIX_LISTENING ? -EINVAL : 0;
		if (!err) {
			u->state = UNIX_CONNECTED;
			u->peer = server;
			unix_get(server);
			u->peer_cred = l->cred;
			u->cred = ucred_current();
		}
		spin_unlock(&u->lock);
		if (!err) {
			unix_get(u);
			server->peer = u;
			server->state = UNIX_CONNECTED;
			server->peer_cred = u->cred;
		}
	}
	if (err) {
		if (server)
			unix_put(server);
		unix_put(l);
		return err;
	}
	uint64_t deadline = socket_deadline(s->sndtimeo_ns);
	while ((err = backlog_add(l, server)) == -EAGAIN && !(flags & MSG_DONTWAIT)) {
		err = wait_event_interruptible_deadline(&l->wait, backlog_ready(l), deadline);
		if (err) {
			err = err == -ETIMEDOUT ? -EAGAIN : err;
			break;
		}
	}
	if (err) {
		spin_lock(&u->lock);
		u->state = UNIX_UNCONNECTED;
		u->peer = NULL;
		spin_unlock(&u->lock);
		unix_put(server); /* our peer reference */
		server->peer = NULL;
		unix_put(u);
		unix_put(server);
	} else {
		wake_up_poll(&l->wait, EPOLLIN | EPOLLRDNORM);
	}
	unix_put(l);
	return err;
}

static int unix_listen(struct socket *s, int backlog)
{
	struct unix_sock *u = unix_of(s);
	if (s->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	spin_lock(&u->lock);
	int err = u->state == UNIX_CONNECTED || !u->addr ? -EINVAL : 0;
	if (!err) {
		u->state = UNIX_LISTENING;
		u->max_backlog = (uint32_t)backlog;
		u->cred = ucred_current();
	}
	spin_unlock(&u->lock);
	return err;
}

static struct unix_sock *backlog_take(struct unix_sock *u, int *err)
{
	struct unix_sock *c = NULL;
	spin_lock(&u->lock);
	*err = -EAGAIN;
	if (u->state != UNIX_LISTENING || u->shutdown & 1) {
		*err = -EINVAL;
	} else if (!list_empty(&u->backlog)) {
		c = list_first(&u->backlog, struct unix_sock, backlog_link);
		list_del(&c->backlog_link);
		u->nbacklog--;
		*err = 0;
	}
	spin_unlock(&u->lock);
	return c;
}

static bool accept_ready(struct unix_sock *u)
{
	spin_lock(&u->lock);
	bool r = !list_empty(&u->backlog) || u->state != UNIX_LISTENING || u->shutdown & 1;
	spin_unlock(&u->lock);
	return r;
}

static int unix_accept(struct socket *s, uint32_t flags, struct socket **out)
{
	struct unix_sock *u = unix_of(s);
	if (s->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	uint64_t deadline = socket_deadline(s->rcvtimeo_ns);
	for (;;) {
		int err;
		struct unix_sock *c = backlog_take(u, &err);
		if (c) {
			wake_up_poll(&u->wait, EPOLLOUT);
			*out = &c->s;
			return 0;
		}
		if (err != -EAGAIN || flags & MSG_DONTWAIT)
			return err;
		err = wait_event_interruptible_deadline(&u->wait, accept_ready(u), deadline);
		if (err)
			return err == -ETIMEDOUT ? -EAGAIN : err;
	}
}

static int unix_getname(struct socket *s, struct sockaddr_buf *addr, bool peer)
{
	struct unix_sock *u = unix_of(s), *p = u;
	if (peer) {
		spin_lock(&u->lock);
		p = u->peer;
		if (p)
			unix_get(p);
		spin_unlock(&u->lock);
		if (!p)
			return -ENOTCONN;
	}
	*addr = (struct sockaddr_buf){.len = 2};
	addr->family = AF_UNIX;
	spin_lock(&p->lock);
	if (p->addr)
		*addr = p->addr->name;
	spin_unlock(&p->lock);
	if (peer)
		unix_put(p);
	return 0;
}

static int unix_shutdown(struct socket *s, int how)
{
	struct unix_sock *u = unix_of(s);
	uint32_t bits = (uint32_t)how + 1; /* SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2 */
	spin_lock(&u->lock);
	struct unix_sock *p = u->peer;
	int err = s->type != SOCK_DGRAM && u->state == UNIX_UNCONNECTED ? -ENOTCONN : 0;
	if (!err) {
		u->shutdown |= bits;
		if (p)
			unix_get(p);
	}
	spin_unlock(&u->lock);
	if (err)
		return err;
	if (p) {
		if (s->type != SOCK_DGRAM) {
			spin_lock(&p->lock);
			p->shutdown |= (bits & 1 ? 2 : 0) | (bits & 2 ? 1 : 0);
			spin_unlock(&p->lock);
			wake_up_poll(&p->wait, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
		}
		unix_put(p);
	}
	wake_up_poll(&u->wait, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	return 0;
}

/* ---- poll, options ------------------------------------------------------------------------------------------------------ */

static uint32_t unix_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct unix_sock *u = unix_of(s);
	poll_wait(f, &u->wait, pt);
	spin_lock(&u->lock);
	struct unix_sock *p = u->peer;
	if (p)
		unix_get(p);
	uint32_t ev = 0;
	bool connected = u->state == UNIX_CONNECTED;
	if (!list_empty(&u->queue) || !list_empty(&u->backlog) || u->shutdown & 1 || u->peer_closed)
		ev |= EPOLLIN | EPOLLRDNORM;
	if (u->shutdown & 1 || u->peer_closed)
		ev |= EPOLLRDHUP;
	if (s->type != SOCK_DGRAM) {
		if (u->peer_closed || u->shutdown == 3 || u->state == UNIX_UNCONNECTED)
			ev |= EPOLLHUP;
		if (u->peer_closed || !connected)
			ev |= u->state == UNIX_LISTENING ? 0 : EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	} else if (u->shutdown == 3) {
		ev |= EPOLLHUP;
	}
	if (READ_ONCE(s->error))
		ev |= EPOLLERR;
	spin_unlock(&u->lock);
	if (p) {
		poll_wait(f, &p->wait, pt);
		spin_lock(&p->lock);
		bool room = p->dead || p->shutdown & 1 ||
		            (s->type == SOCK_DGRAM ? p->nmsgs < 512 && p->queued < p->s.rcvbuf : p->queued < p->s.rcvbuf);
		spin_unlock(&p->lock);
		if (room)
			ev |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
		unix_put(p);
	} else if (s->type == SOCK_DGRAM) {
		ev |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	}
	return ev;
}

static int64_t unix_ioctl(struct socket *s, uint32_t cmd, uint64_t arg)
{
	struct unix_sock *u = unix_of(s), *p;
	int n = 0;
	switch (cmd) {
	case FIONREAD:
		spin_lock(&u->lock);
		if (u->state == UNIX_LISTENING) {
			spin_unlock(&u->lock);
			return -EINVAL;
		}
		if (s->type == SOCK_STREAM)
			n = (int)u->queued;
		else if (!list_empty(&u->queue))
			n = (int)list_first(&u->queue, struct unix_msg, link)->len;
		spin_unlock(&u->lock);
		break;
	case TIOCOUTQ:
		spin_lock(&u->lock);
		p = u->peer;
		if (p)
			unix_get(p);
		spin_unlock(&u->lock);
		if (p) {
			n = (int)p->queued;
			unix_put(p);
		}
		break;
	default:
		return -ENOTTY;
	}
	return copy_out(uva(arg), &n, sizeof(n)) ? -EFAULT : 0;
}

static int unix_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	struct unix_sock *u = unix_of(s);
	if (level != SOL_SOCKET)
		return -ENOPROTOOPT;
	int v;
	switch (name) {
	case SO_PEERCRED: {
		struct ucred c = {0, (uint32_t)-1, (uint32_t)-1};
		spin_lock(&u->lock);
		if (u->state == UNIX_CONNECTED && (u->peer_cred.pid || u->peer))
			c = u->peer_cred;
		spin_unlock(&u->lock);
		*len = MIN(*len, (uint32_t)sizeof(c));
		memcpy(val, &c, *len);
		return 0;
	}
	case SO_ACCEPTCONN:
		v = u->state == UNIX_LISTENING;
		break;
	default:
		return -ENOPROTOOPT;
	}
	*len = MIN(*len, (uint32_t)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}

static int unix_setsockopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	return level == SOL_SOCKET ? -ENOPROTOOPT : -EOPNOTSUPP;
}

static const struct socket_ops unix_ops = {
	.bind = unix_bind, .connect = unix_connect, .listen = unix_listen, .accept = unix_accept, .getname = unix_getname,
	.sendmsg = unix_sendmsg, .recvmsg = unix_recvmsg, .shutdown = unix_shutdown, .poll = unix_poll, .ioctl = unix_ioctl,
	.setsockopt = unix_setsockopt, .getsockopt = unix_getsockopt, .release = unix_release};
