// SPDX-License-Identifier: Apache-2.0
/*
 * Messages of host sockets. Small ones and those in memory that cannot be pinned go through a buffer; the bytes of large
 * ones move between the host's kernel and the user's frames.
 */
#include "lib/string.h"
#include "net/host_sock.h"
#include "signal/signal.h"
#include "task/task.h"

#define BOUNCE_SMALL 4096UL
#define BOUNCE_LARGE 65536UL /* more than any datagram has */
#define PIN_MAX      (1UL << 18)
#define RECV_EVENTS  (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP | EPOLLPRI)
#define SEND_EVENTS  (EPOLLOUT | EPOLLERR | EPOLLHUP)

/* One hostcall over RAM ranges. */
static ssize_t_ call(struct host_sock *h, struct hc_msg *m, const struct hc_iov *iov, uint32_t n, bool send)
{
	m->iov = (uint64_t)iov;
	m->niov = n;
	return hostcall2(send ? HC_NET_SENDMSG : HC_NET_RECVMSG, h->num, m);
}

static ssize_t_ move_bounce(struct host_sock *h, struct hc_msg *m, struct iter *it, bool send)
{
	struct hc_iov iov = {0, MIN(it->count, BOUNCE_LARGE)};
	bool drop = !send && h->s.type == SOCK_STREAM && m->flags & MSG_TRUNC; /* bytes are thrown away, none is written */
	void *buf = kmalloc(MAX(iov.len, 1UL));
	if (!buf)
		return -ENOBUFS;
	iov.addr = (uint64_t)buf;
	ssize_t_ r = send && iter_copy_from(it, buf, iov.len) < iov.len ? -EFAULT : call(h, m, &iov, 1, send);
	if (send && r < (ssize_t_)iov.len && r != -EFAULT)
		iter_revert(it, r < 0 ? iov.len : iov.len - r);
	if (!send && r > 0) {
		size_t n = MIN((size_t)r, (size_t)iov.len);
		if (drop)
			iter_advance(it, n);
		else if (iter_copy_to(it, buf, n) < n)
			r = -EFAULT;
	}
	kfree(buf);
	return r;
}

/* -EAGAIN from pinning is told apart by *pinned. */
static ssize_t_ move_pinned(struct host_sock *h, struct hc_msg *m, struct iter *it, bool send, bool *pinned)
{
	struct pin_set *pin = kmalloc(sizeof(*pin));
	*pinned = false;
	if (!pin)
		return -ENOBUFS;
	pin->n = 0;
	ssize_t_ r = iter_pin(it, PIN_MAX, pin);
	/* A datagram goes whole. */
	if (r > 0 && (h->s.type == SOCK_STREAM || (size_t)r >= MIN(it->count, BOUNCE_LARGE))) {
		size_t n = (size_t)r;
		*pinned = true;
		r = call(h, m, pin->iov, pin->n, send);
		if (r > 0)
			iter_advance(it, MIN((size_t)r, n));
	}
	if (pin->n)
		mm_unpin(pin, !send);
	kfree(pin);
	return r;
}

static ssize_t_ move(struct host_sock *h, struct hc_msg *m, struct iter *it, bool send)
{
	if (h->s.type != SOCK_STREAM && send && it->count > BOUNCE_LARGE)
		return -EMSGSIZE;
	if (it->count > BOUNCE_SMALL && h->s.family != AF_NETLINK) {
		bool pinned;
		ssize_t_ r = move_pinned(h, m, it, send, &pinned);
		if (pinned)
			return r;
	}
	return move_bounce(h, m, it, send);
}

static void describe(struct hc_msg *hm, const struct sock_msg *m, bool send)
{
	hm->flags = m->flags;
	hm->control = (uint64_t)m->control;
	hm->control_len = send ? m->control_len : m->control_room;
	hm->name.len = 0;
	if (send && m->addr) {
		hm->name.len = m->addr->len;
		memcpy(hm->name.data, m->addr->data, m->addr->len);
	} else if (!send && m->addr) {
		hm->name.len = sizeof(hm->name.data);
	}
}

ssize_t_ host_sock_sendmsg(struct socket *s, struct sock_msg *m)
{
	struct host_sock *h = host_sock_of(s);
	uint64_t deadline = socket_deadline(s->sndtimeo_ns);
	ssize_t_ done = 0, r;
	struct hc_msg hm;
	for (;;) {
		describe(&hm, m, true);
		host_sock_look(h, SEND_EVENTS);
		r = move(h, &hm, m->iter, true);
		if (r > 0)
			done += r;
		if (r >= 0 && (s->type != SOCK_STREAM || !m->iter->count)) {
			host_sock_more(h, EPOLLOUT);
			return done;
		}
		if (r >= 0 && !signal_pending(current))
			continue;
		if (r != -EAGAIN || m->flags & MSG_DONTWAIT)
			break;
		r = host_sock_wait_error(host_sock_wait(h, SEND_EVENTS, deadline), s->sndtimeo_ns);
		if (r)
			break;
	}
	return done ? done : r;
}

/* What came back with one receive. */
static void note(struct sock_msg *m, const struct hc_msg *hm)
{
	if (m->addr) {
		m->addr->len = MIN(hm->name.len, (uint32_t)sizeof(hm->name.data));
		memcpy(m->addr->data, hm->name.data, m->addr->len);
	}
	m->control_len = MIN(hm->control_len, m->control_room);
	m->out_flags = hm->flags & (MSG_OOB | MSG_CTRUNC | MSG_TRUNC | MSG_EOR | MSG_ERRQUEUE);
}

ssize_t_ host_sock_recvmsg(struct socket *s, struct sock_msg *m)
{
	struct host_sock *h = host_sock_of(s);
	bool stream = s->type == SOCK_STREAM && !(m->flags & (MSG_OOB | MSG_ERRQUEUE));
	bool peek = m->flags & MSG_PEEK, dontwait = m->flags & (MSG_DONTWAIT | MSG_ERRQUEUE);
	size_t want = m->iter->count, done = 0;
	size_t target = !stream ? 0 : m->flags & MSG_WAITALL ? want : MIN(want, (size_t)s->rcvlowat);
	uint64_t deadline = socket_deadline(s->rcvtimeo_ns);
	struct hc_msg hm;
	ssize_t_ r;
	for (;;) {
		describe(&hm, m, false);
		host_sock_look(h, RECV_EVENTS);
		r = move(h, &hm, m->iter, false);
		if (r >= 0) {
			note(m, &hm);
			done = peek ? (size_t)r : done + (size_t)r;
			if (!stream || done >= target || !r || dontwait) {
				host_sock_more(h, EPOLLIN);
				return (ssize_t_)done;
			}
			if (!peek)
				continue;
			iter_revert(m->iter, (size_t)r); /* look again when there is more */
		} else if (r != -EAGAIN || dontwait) {
			break;
		} else if (!stream && READ_ONCE(h->recv_shut)) {
			return 0; /* the host says so only to those who wait */
		}
		r = host_sock_wait_error(host_sock_wait(h, RECV_EVENTS, deadline), s->rcvtimeo_ns);
		if (r)
			break;
	}
	return done ? (ssize_t_)done : r;
}
