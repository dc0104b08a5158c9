// SPDX-License-Identifier: Apache-2.0
/*
 * SOCK_STREAM on loopback: bytes, urgent data, readiness (tcp(7); see inet.h).
 *
 * An urgent byte (MSG_OOB) is a packet of its own in the queue, where it marks its place; the newest one is `mark`, and its
 * value stands in urgent_byte until it is read. Reads stop before the mark; the next one leaves the byte out, unless
 * SO_OOBINLINE is set. An older urgent byte becomes an ordinary one, as on Linux.
 */
#include <asm/ioctls.h>
#include <linux/sockios.h>

#include "fs/namei.h"
#include "net/inet.h"
#include "task/task.h"

#define CHUNK 32768u

static bool has_room(const struct inet_sock *u, const struct inet_sock *p)
{
	return READ_ONCE(p->charge) < (size_t)p->s.rcvbuf + u->s.sndbuf;
}

static bool send_ready(struct inet_sock *u, struct inet_sock *p)
{
	return has_room(u, p) || READ_ONCE(p->dead) || READ_ONCE(u->s.error) || READ_ONCE(u->shutdown) & SEND_SHUT ||
	       READ_ONCE(u->peer) != p;
}

/* Why nothing can be sent: 0, or an error. */
static int send_error(struct inet_sock *u)
{
	int err = atomic_xchg(&u->s.error, 0);
	if (err)
		return err;
	spin_lock(&u->lock);
	if (u->state != INET_CONNECTED || u->shutdown & SEND_SHUT)
		err = u->state == INET_CONNECTING ? -EAGAIN : -EPIPE;
	spin_unlock(&u->lock);
	return err;
}

/* Bytes of u for a reader who is gone, or has another connection now: they are lost, and the answer is a reset. */
static bool deliver(const struct inet_sock *u, struct inet_sock *p, struct inet_pkt *k)
{
	spin_lock(&p->lock);
	bool gone = p->dead || p->peer != u;
	bool urgent = k->urgent;
	if (!gone) {
		list_add_tail(&k->link, &p->queue);
		p->queued += k->len;
		p->charge += k->len + PKT_OVERHEAD;
		if (urgent) {
			p->mark = k;
			p->urgent_new = true;
			p->urgent_byte = k->data[0];
		}
	}
	spin_unlock(&p->lock);
	if (gone)
		kfree(k);
	else
		wake_up_poll(&p->wait, EPOLLIN | EPOLLRDNORM | (urgent ? EPOLLPRI : 0));
	if (urgent && !gone)
		socket_signal_urgent(&p->s);
	return !gone;
}

ssize_t_ tcp_sendmsg(struct socket *s, struct sock_msg *m)
{
	struct inet_sock *u = inet_of(s);
	int err = send_error(u);
	if (err)
		return err;
	struct inet_sock *p = tcp_peer_get(u);
	if (!p)
		return -EPIPE;
	uint64_t deadline = socket_deadline(s->sndtimeo_ns);
	ssize_t_ done = 0;
	while (m->iter->count) {
		if (!send_ready(u, p)) {
			err = m->flags & MSG_DONTWAIT ? -EAGAIN
			                              : wait_event_interruptible_deadline(&p->wait, send_ready(u, p), deadline);
			err = inet_wait_error(err, s->sndtimeo_ns);
		}
		if (!err)
			err = send_error(u);
		if (err)
			break;
		/* The last byte of an urgent message is the urgent one. */
		bool urgent = m->flags & MSG_OOB && m->iter->count == 1;
		size_t n = MIN(m->flags & MSG_OOB && !urgent ? m->iter->count - 1 : m->iter->count, (size_t)CHUNK);
		struct inet_pkt *k = inet_pkt_make(m->iter, n);
		if (IS_ERR(k)) {
			err = PTR_ERR(k);
			break;
		}
		k->urgent = urgent;
		done += (ssize_t_)n;
		if (!deliver(u, p, k)) {
			tcp_reset(u, p, u->fin ? -EPIPE : -ECONNRESET);
			break;
		}
	}
	inet_put(p);
	return done ? done : err;
}

/* Is there anything to read but an urgent byte that is left out? Caller holds u->lock. */
static bool readable(struct inet_sock *u)
{
	if (list_empty(&u->queue))
		return false;
	struct inet_pkt *k = list_first(&u->queue, struct inet_pkt, link);
	return k != u->mark || u->s.oobinline || k->link.next != &u->queue;
}

static bool recv_ready(struct inet_sock *u)
{
	spin_lock(&u->lock);
	bool r = readable(u) || u->fin || u->shutdown & RCV_SHUT || u->state != INET_CONNECTED;
	spin_unlock(&u->lock);
	return r || READ_ONCE(u->s.error);
}

/* An empty queue: 0 end of file, -EAGAIN wait, or an error. */
static int empty_reason(struct inet_sock *u)
{
	int err = atomic_xchg(&u->s.error, 0);
	if (err)
		return err;
	spin_lock(&u->lock);
	if (u->fin || u->shutdown & RCV_SHUT)
		err = 0;
	else
		err = u->state == INET_CONNECTED ? -EAGAIN : -ENOTCONN;
	spin_unlock(&u->lock);
	return err;
}

/* n bytes of the first packet were read. */
static void advance(struct inet_sock *u, struct inet_pkt *k, size_t n)
{
	spin_lock(&u->lock);
	k->off += n;
	u->queued -= n;
	bool over = k->off == k->len;
	if (over && u->mark == k)
		u->mark = NULL;
	if (over) {
		list_del(&k->link);
		u->charge -= k->len + PKT_OVERHEAD;
	}
	spin_unlock(&u->lock);
	if (over)
		kfree(k);
}

static struct inet_pkt *after(struct inet_sock *u, struct inet_pkt *k)
{
	spin_lock(&u->lock);
	struct list_node *next = k->link.next;
	spin_unlock(&u->lock);
	return next == &u->queue ? NULL : list_entry(next, struct inet_pkt, link);
}

/* recv(2) with MSG_OOB. */
static ssize_t_ recv_urgent(struct inet_sock *u, struct sock_msg *m)
{
	ssize_t_ r;
	spin_lock(&u->lock);
	uint8_t byte = u->urgent_byte;
	if (u->state == INET_CLOSED && !u->fin)
		r = -ENOTCONN;
	else if (u->s.oobinline || !u->urgent_new)
		r = u->state != INET_CONNECTED && u->state != INET_CLOSED ? -ENOTCONN : -EINVAL;
	else
		r = 1;
	if (r > 0 && !(m->flags & MSG_PEEK))
		u->urgent_new = false;
	spin_unlock(&u->lock);
	if (r < 0)
		return r;
	m->out_flags |= MSG_OOB;
	if (!m->iter->count) {
		m->out_flags |= MSG_TRUNC;
		return 0;
	}
	return iter_copy_to(m->iter, &byte, 1) == 1 ? 1 : -EFAULT;
}

/* What recv(2) may read of k: 0 at the mark, where it stops; the urgent byte itself is passed over. */
static struct inet_pkt *at_mark(struct inet_sock *u, struct inet_pkt *k, size_t done, bool peek, bool *stop)
{
	spin_lock(&u->lock);
	bool mark = k == u->mark;
	spin_unlock(&u->lock);
	*stop = mark && done;
	if (!mark || *stop || u->s.oobinline)
		return k;
	if (peek)
		return after(u, k);
	advance(u, k, 1);
	return inet_queue_front(u);
}

ssize_t_ tcp_recvmsg(struct socket *s, struct sock_msg *m)
{
	struct inet_sock *u = inet_of(s);
	bool peek = m->flags & MSG_PEEK;
	size_t done = 0, want = m->iter->count;
	size_t target = MAX(m->flags & MSG_WAITALL ? want : MIN(want, (size_t)s->rcvlowat), (size_t)1);
	uint64_t deadline = socket_deadline(s->rcvtimeo_ns);
	int err = 0;
	if (m->flags & MSG_OOB)
		return recv_urgent(u, m);
	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN; /* always empty */
	if (m->addr)
		m->addr->len = 0;
	mutex_lock(&u->recv_lock);
	struct inet_pkt *k = inet_queue_front(u);
	while (done < want || !want) {
		if (!k) {
			if (done >= target || (done && peek))
				break;
			err = empty_reason(u);
			if (err == -EAGAIN && !(m->flags & MSG_DONTWAIT)) {
				mutex_unlock(&u->recv_lock);
				err = wait_event_interruptible_deadline(&u->wait, recv_ready(u), deadline);
				err = inet_wait_error(err, s->rcvtimeo_ns);
				mutex_lock(&u->recv_lock);
				k = inet_queue_front(u);
				if (!err)
					continue;
			}
			break;
		}
		if (!want)
			break;
		bool stop;
		struct inet_pkt *from = at_mark(u, k, done, peek, &stop);
		if (stop)
			break;
		if (from != k) {
			k = from;
			continue;
		}
		size_t n = MIN(m->iter->count, k->len - k->off), got = n;
		if (m->flags & MSG_TRUNC)
			iter_advance(m->iter, n); /* thrown away (tcp(7)) */
		else
			got = iter_copy_to(m->iter, k->data + k->off, n);
		done += got;
		struct inet_pkt *next = peek ? after(u, k) : NULL;
		if (!peek && got)
			advance(u, k, got);
		if (got < n) {
			err = -EFAULT;
			break;
		}
		k = peek ? next : inet_queue_front(u);
	}
	mutex_unlock(&u->recv_lock);
	if (done && !peek)
		wake_up_poll(&u->wait, EPOLLOUT | EPOLLWRNORM); /* the sender waits on this queue */
	struct inet_sock *p = done && !peek ? tcp_peer_get(u) : NULL;
	if (p) {
		wake_up_poll(&p->wait, EPOLLOUT | EPOLLWRNORM);
		inet_put(p);
	}
	return done ? (ssize_t_)done : err;
}

uint32_t tcp_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct inet_sock *u = inet_of(s);
	uint32_t ev = 0;
	poll_wait(f, &u->wait, pt);
	struct inet_sock *p = tcp_peer_get(u);
	bool room = !p || READ_ONCE(p->dead) || has_room(u, p);
	if (p)
		inet_put(p);
	spin_lock(&u->lock);
	if (u->state == INET_LISTENING) {
		ev = list_empty(&u->backlog) ? 0 : EPOLLIN | EPOLLRDNORM;
	} else {
		bool closed = u->state == INET_CLOSED, in_end = u->fin || u->shutdown & RCV_SHUT;
		if (readable(u) || in_end)
			ev |= EPOLLIN | EPOLLRDNORM;
		if (u->urgent_new)
			ev |= EPOLLPRI;
		if (in_end)
			ev |= EPOLLRDHUP;
		if (closed || (in_end && u->shutdown & SEND_SHUT))
			ev |= EPOLLHUP;
		if (u->state != INET_CONNECTING && (room || u->shutdown & SEND_SHUT))
			ev |= EPOLLOUT | EPOLLWRNORM;
	}
	if (READ_ONCE(s->error))
		ev |= EPOLLERR | EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	spin_unlock(&u->lock);
	return ev;
}

/* Bytes that a read can return before the mark, or after it if it stands first. Caller holds u->lock. */
static int readable_bytes(struct inet_sock *u)
{
	struct inet_pkt *k;
	size_t n = 0;
	if (!u->mark || u->s.oobinline)
		return (int)u->queued;
	list_for_each_entry(k, &u->queue, link) {
		if (k == u->mark)
			return (int)(n ? n : u->queued - 1);
		n += k->len - k->off;
	}
	return (int)n;
}

int64_t tcp_ioctl(struct socket *s, uint32_t cmd, uint64_t arg)
{
	struct inet_sock *u = inet_of(s);
	int n = 0;
	if (READ_ONCE(u->state) == INET_LISTENING && (cmd == FIONREAD || cmd == SIOCOUTQ))
		return -EINVAL;
	if (cmd != FIONREAD && cmd != SIOCOUTQ && cmd != SIOCATMARK)
		return -ENOTTY;
	spin_lock(&u->lock);
	if (cmd == FIONREAD)
		n = readable_bytes(u);
	else if (cmd == SIOCATMARK)
		n = u->mark && list_first(&u->queue, struct inet_pkt, link) == u->mark;
	spin_unlock(&u->lock); /* SIOCOUTQ: everything has arrived */
	return copy_out(uva(arg), &n, sizeof(n)) ? -EFAULT : 0;
}
