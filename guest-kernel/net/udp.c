// SPDX-License-Identifier: Apache-2.0
/* SOCK_DGRAM on loopback (udp(7); see inet.h). A datagram that finds nobody is lost, and tells a connected sender. */
#include <asm/ioctls.h>

#include "net/inet.h"
#include "task/task.h"

#define UDP_MAX 65507u

static int udp_connect(struct socket *s, const struct sockaddr_buf *addr, uint32_t flags)
{
	struct inet_sock *u = inet_of(s);
	struct inet_name to = {0};
	int err = 0;
	if (addr->family == AF_UNSPEC) {
		spin_lock(&u->lock);
		u->remote = to;
		u->state = INET_CLOSED;
		u->shutdown = 0;
		spin_unlock(&u->lock);
		inet_bind_revert(u);
		return 0;
	}
	err = inet_name_in(addr, &to);
	if (!err && !to.addr)
		to.addr = INADDR_LOOP;
	if (!err && to.addr >> 24 != 127)
		err = -ENETUNREACH;
	if (!err)
		err = inet_autobind(u);
	if (err)
		return err;
	spin_lock(&u->lock);
	u->remote = to;
	u->state = INET_CONNECTED;
	spin_unlock(&u->lock);
	inet_bind_loop(u);
	return 0;
}

static int udp_target(struct inet_sock *u, struct sock_msg *m, struct inet_name *to)
{
	if (m->addr && m->addr->len) {
		int err = inet_name_in(m->addr, to);
		if (err)
			return err;
		if (!to->port)
			return -EINVAL;
		if (!to->addr)
			to->addr = INADDR_LOOP;
		return to->addr >> 24 == 127 ? 0 : -ENETUNREACH;
	}
	spin_lock(&u->lock);
	*to = u->remote;
	bool connected = u->state == INET_CONNECTED;
	spin_unlock(&u->lock);
	return connected ? 0 : -EDESTADDRREQ;
}

static ssize_t_ udp_sendmsg(struct socket *s, struct sock_msg *m)
{
	struct inet_sock *u = inet_of(s);
	struct inet_name to;
	size_t n = m->iter->count;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	int err = udp_target(u, m, &to);
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
	k->from = u->self;
	if (!k->from.addr)
		k->from.addr = INADDR_LOOP;
	struct inet_sock *p = inet_find(SOCK_DGRAM, to, k->from);
	if (!p) {
		kfree(k);
		if (READ_ONCE(u->state) == INET_CONNECTED) {
			WRITE_ONCE(s->error, -ECONNREFUSED);
			wake_up_poll(&u->wait, EPOLLERR | EPOLLIN);
		}
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
		inet_name_out(m->addr, k->from);
	if (r >= 0 && k->len > want) {
		m->out_flags |= MSG_TRUNC;
		if (m->flags & MSG_TRUNC)
			r = (ssize_t_)k->len;
	}
	if (m->flags & MSG_PEEK)
		return r;
	spin_lock(&u->lock);
	list_del(&k->link);
	u->queued -= k->len;
	u->charge -= k->len + PKT_OVERHEAD;
	spin_unlock(&u->lock);
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
		return -EAGAIN; /* always empty */
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
	if (u->shutdown & RCV_SHUT)
		ev |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (u->shutdown == (RCV_SHUT | SEND_SHUT))
		ev |= EPOLLHUP;
	spin_unlock(&u->lock);
	return READ_ONCE(s->error) ? ev | EPOLLERR : ev;
}

static int64_t udp_ioctl(struct socket *s, uint32_t cmd, uint64_t arg)
{
	struct inet_sock *u = inet_of(s);
	int n = 0;
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
