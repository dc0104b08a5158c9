// SPDX-License-Identifier: Apache-2.0
/* Sending and receiving on AF_UNIX sockets. */
#include "lib/string.h"
#include "net/unix_sock.h"
#include "signal/signal.h"
#include "task/task.h"

#define STREAM_CHUNK 65536 /* most bytes of one queued message of a stream */
#define MAX_DGRAMS   512   /* net.unix.max_dgram_qlen */

void unix_msg_free(struct unix_msg *msg)
{
	scm_destroy(&msg->scm);
	unix_addr_put(msg->from);
	kfree(msg->data);
	kfree(msg);
}

/* A message with the next n bytes of the iterator and, for the first of a send, its ancillary data. */
static struct unix_msg *msg_make(struct unix_sock *u, struct sock_msg *m, size_t n, struct scm *scm)
{
	struct unix_msg *msg = kzalloc(sizeof(*msg));
	if (!msg)
		return ERR_PTR(-ENOMEM);
	list_init(&msg->link);
	if (n) {
		msg->data = kmalloc(n);
		if (!msg->data) {
			kfree(msg);
			return ERR_PTR(-ENOBUFS);
		}
		if (iter_copy_from(m->iter, msg->data, n) != n) {
			unix_msg_free(msg);
			return ERR_PTR(-EFAULT);
		}
	}
	msg->len = n;
	msg->scm.has_creds = true;
	msg->scm.creds = scm && scm->has_creds ? scm->creds : ucred_current();
	if (scm && scm->nfiles) {
		msg->scm.files = scm->files;
		msg->scm.nfiles = scm->nfiles;
		scm->files = NULL;
		scm->nfiles = 0;
	}
	spin_lock(&u->lock);
	msg->from = u->addr;
	if (msg->from)
		ref_get(&msg->from->refs);
	spin_unlock(&u->lock);
	return msg;
}

/* ---- streams --------------------------------------------------------------------------------------------------- */

/* The peer with a reference, or the reason why nothing can be sent. */
static struct unix_sock *stream_peer(struct unix_sock *u)
{
	struct unix_sock *p;
	spin_lock(&u->lock);
	if (u->shutdown & 2 || u->peer_closed)
		p = ERR_PTR(-EPIPE);
	else if (!u->peer)
		p = ERR_PTR(u->state == UNIX_CONNECTED ? -EPIPE : -ENOTCONN);
	else {
		p = u->peer;
		unix_get(p);
	}
	spin_unlock(&u->lock);
	return p;
}

static bool has_room(struct unix_sock *to, size_t n)
{
	if (to->s.type == SOCK_DGRAM)
		return to->nmsgs < MAX_DGRAMS && (to->queued + n <= to->s.rcvbuf || !to->nmsgs);
	return to->queued < to->s.rcvbuf;
}

static bool send_ready(struct unix_sock *to, size_t n)
{
	spin_lock(&to->lock);
	bool r = to->dead || to->shutdown & 1 || has_room(to, n);
	spin_unlock(&to->lock);
	return r;
}

/* Queues msg on `to` when there is room: 0, -EAGAIN, or -EPIPE when it receives no more. */
static int try_queue(struct unix_sock *to, struct unix_msg *msg)
{
	spin_lock(&to->lock);
	int err = 0;
	if (to->dead || to->shutdown & 1)
		err = -EPIPE;
	else if (!has_room(to, msg->len))
		err = -EAGAIN;
	else {
		list_add_tail(&msg->link, &to->queue);
		to->queued += msg->len;
		to->nmsgs++;
	}
	spin_unlock(&to->lock);
	if (!err)
		wake_up_poll(&to->wait, EPOLLIN | EPOLLRDNORM);
	return err;
}

/* Waits for room as the flags allow. Takes over msg. */
static int queue_wait(struct unix_sock *u, struct unix_sock *to, struct unix_msg *msg, uint32_t flags)
{
	uint64_t deadline = socket_deadline(u->s.sndtimeo_ns);
	for (;;) {
		int err = try_queue(to, msg);
		if (!err)
			return 0;
		if (err == -EAGAIN && !(flags & MSG_DONTWAIT)) {
			err = wait_event_interruptible_deadline(&to->wait, send_ready(to, msg->len), deadline);
			if (!err)
				continue;
			if (err == -ETIMEDOUT)
				err = -EAGAIN;
		}
		unix_msg_free(msg);
		return err;
	}
}

static ssize_t_ stream_send(struct unix_sock *u, struct sock_msg *m)
{
	if (m->addr && m->addr->len)
		return u->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	struct unix_sock *to = stream_peer(u);
	if (IS_ERR(to))
		return PTR_ERR(to);
	ssize_t_ done = 0, err = 0;
	struct scm *scm = m->scm;
	while (m->iter->count && !err) {
		size_t n = MIN(m->iter->count, (size_t)STREAM_CHUNK);
		struct unix_msg *msg = msg_make(u, m, n, scm);
		if (IS_ERR(msg)) {
			err = PTR_ERR(msg);
			break;
		}
		scm = NULL;
		err = queue_wait(u, to, msg, m->flags);
		if (!err)
			done += (ssize_t_)n;
	}
	unix_put(to);
	return done ? done : err;
}

/* Takes up to the reader's wish from the front message. Caller holds recv_lock. Sets *stop when the next message must
 * not be joined. */
static ssize_t_ stream_take(struct unix_sock *u, struct unix_msg *msg, struct sock_msg *m, size_t skip)
{
	size_t n = MIN(m->iter->count, msg->len - msg->off - skip);
	size_t got = iter_copy_to(m->iter, msg->data + msg->off + skip, n);
	return got || !n ? (ssize_t_)got : -EFAULT;
}

/* Duplicates (peek) or moves a message's files to the reader. */
static void give_scm(struct unix_msg *msg, struct sock_msg *m, bool peek)
{
	if (!m->scm) {
		if (msg->scm.nfiles)
			m->flags |= MSG_CTRUNC;
		if (!peek)
			scm_destroy(&msg->scm);
		return;
	}
	m->scm->has_creds = msg->scm.has_creds;
	m->scm->creds = msg->scm.creds;
	if (!msg->scm.nfiles)
		return;
	if (!peek) {
		m->scm->files = msg->scm.files;
		m->scm->nfiles = msg->scm.nfiles;
		msg->scm.files = NULL;
		msg->scm.nfiles = 0;
		return;
	}
	struct file **copy = kmalloc(msg->scm.nfiles * sizeof(*copy));
	if (!copy) {
		m->flags |= MSG_CTRUNC;
		return;
	}
	for (uint32_t i = 0; i < msg->scm.nfiles; i++) {
		copy[i] = msg->scm.files[i];
		file_get(copy[i]);
	}
	m->scm->files = copy;
	m->scm->nfiles = msg->scm.nfiles;
}

static void msg_consume(struct unix_sock *u, struct unix_msg *msg)
{
	spin_lock(&u->lock);
	list_del(&msg->link);
	u->nmsgs--;
	spin_unlock(&u->lock);
	unix_msg_free(msg);
}

static void name_out(struct unix_msg *msg, struct sock_msg *m)
{
	if (!m->addr)
		return;
	m->addr->len = 0;
	if (msg->from)
		*m->addr = msg->from->name;
}

static struct unix_msg *queue_front(struct unix_sock *u)
{
	spin_lock(&u->lock);
	struct unix_msg *msg = list_empty(&u->queue) ? NULL : list_first(&u->queue, struct unix_msg, link);
	spin_unlock(&u->lock);
	return msg;
}

static bool recv_ready(struct unix_sock *u)
{
	spin_lock(&u->lock);
	bool r = !list_empty(&u->queue) || u->shutdown & 1 || u->peer_closed || u->reset;
	spin_unlock(&u->lock);
	return r;
}

/* Why an empty queue ends the receive: 0 end of file, -EAGAIN wait, or an error. */
static int empty_reason(struct unix_sock *u)
{
	int r = -EAGAIN;
	spin_lock(&u->lock);
	if (u->reset) {
		u->reset = false;
		r = -ECONNRESET;
	} else if (u->shutdown & 1 || u->peer_closed) {
		r = 0;
	} else if (u->s.type != SOCK_DGRAM && u->state != UNIX_CONNECTED) {
		r = u->s.type == SOCK_STREAM ? -EINVAL : -ENOTCONN;
	}
	spin_unlock(&u->lock);
	return r;
}

/* Sleeps until something can be received. Called and returns with recv_lock held. */
static int recv_sleep(struct unix_sock *u, uint64_t deadline)
{
	mutex_unlock(&u->recv_lock);
	int err = wait_event_interruptible_deadline(&u->wait, recv_ready(u), deadline);
	mutex_lock(&u->recv_lock);
	return err == -ETIMEDOUT ? -EAGAIN : err;
}

static bool same_sender(const struct unix_msg *a, const struct ucred *c)
{
	return a->scm.creds.pid == c->pid && a->scm.creds.uid == c->uid && a->scm.creds.gid == c->gid;
}

static ssize_t_ stream_recv(struct unix_sock *u, struct sock_msg *m)
{
	bool peek = m->flags & MSG_PEEK, first = true;
	size_t want = m->iter->count, done = 0;
	uint64_t deadline = socket_deadline(u->s.rcvtimeo_ns);
	struct ucred who = {0};
	ssize_t_ err = 0;
	if (m->addr)
		m->addr->len = 0;
	mutex_lock(&u->recv_lock);
	struct unix_msg *msg = queue_front(u);
	while (want) {
		if (!msg) {
			err = empty_reason(u);
			if (err != -EAGAIN || m->flags & MSG_DONTWAIT || (done && !(m->flags & MSG_WAITALL)) || (peek && done))
				break;
			err = recv_sleep(u, deadline);
			if (err)
				break;
			msg = queue_front(u);
			continue;
		}
		/* Bytes of different senders, and bytes before and after descriptors, are not joined (unix(7)). */
		if (!first && (msg->scm.nfiles || (u->s.passcred && !same_sender(msg, &who))))
			break;
		if (first) {
			who = msg->scm.creds;
			give_scm(msg, m, peek);
			name_out(msg, m);
			first = false;
		}
		ssize_t_ n = stream_take(u, msg, m, 0);
		if (n < 0) {
			err = n;
			break;
		}
		done += (size_t)n;
		want -= (size_t)n;
		if (peek) {
			spin_lock(&u->lock);
			struct list_node *next = msg->link.next;
			msg = next == &u->queue ? NULL : list_entry(next, struct unix_msg, link);
			spin_unlock(&u->lock);
			continue;
		}
		spin_lock(&u->lock);
		msg->off += (size_t)n;
		u->queued -= (size_t)n;
		spin_unlock(&u->lock);
		if (msg->off == msg->len)
			msg_consume(u, msg);
		msg = queue_front(u);
	}
	mutex_unlock(&u->recv_lock);
	if (done && !peek)
		wake_up_poll(&u->wait, EPOLLOUT | EPOLLWRNORM);
	return done ? (ssize_t_)done : err;
}

/* ---- datagrams and sequenced packets ------------------------------------------------------------------------------- */

static struct unix_sock *packet_target(struct unix_sock *u, struct sock_msg *m)
{
	if (m->addr && m->addr->len) {
		if (u->s.type == SOCK_SEQPACKET)
			return stream_peer(u); /* the address is ignored */
		return unix_find(m->addr, u->s.type);
	}
	if (u->s.type == SOCK_SEQPACKET)
		return stream_peer(u);
	struct unix_sock *p;
	spin_lock(&u->lock);
	if (u->shutdown & 2)
		p = ERR_PTR(-EPIPE);
	else if (!u->peer)
		p = ERR_PTR(-ENOTCONN);
	else {
		p = u->peer;
		unix_get(p);
	}
	spin_unlock(&u->lock);
	return p;
}

static ssize_t_ packet_send(struct unix_sock *u, struct sock_msg *m)
{
	size_t n = m->iter->count;
	if (n > u->s.sndbuf - 32)
		return -EMSGSIZE;
	struct unix_sock *to = packet_target(u, m);
	if (IS_ERR(to))
		return PTR_ERR(to);
	ssize_t_ r;
	spin_lock(&u->lock);
	bool no_send = u->shutdown & 2;
	spin_unlock(&u->lock);
	spin_lock(&to->lock);
	/* A connected datagram socket hears only its peer. */
	bool refused = to->s.type == SOCK_DGRAM && to->peer && to->peer != u;
	bool dead = to->dead;
	spin_unlock(&to->lock);
	struct unix_msg *msg;
	if (no_send)
		r = -EPIPE;
	else if (refused)
		r = -EPERM;
	else if (dead)
		r = u->s.type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
	else if (IS_ERR(msg = msg_make(u, m, n, m->scm)))
		r = PTR_ERR(msg);
	else {
		r = queue_wait(u, to, msg, m->flags);
		if (r == -EPIPE && u->s.type == SOCK_DGRAM) {
			spin_lock(&to->lock);
			if (to->dead)
				r = -ECONNREFUSED;
			spin_unlock(&to->lock);
		}
		if (!r)
			r = (ssize_t_)n;
	}
	unix_put(to);
	return r;
}

static ssize_t_ packet_recv(struct unix_sock *u, struct sock_msg *m)
{
	bool peek = m->flags & MSG_PEEK;
	uint64_t deadline = socket_deadline(u->s.rcvtimeo_ns);
	ssize_t_ r = 0;
	if (m->addr)
		m->addr->len = 0;
	mutex_lock(&u->recv_lock);
	struct unix_msg *msg;
	while (!(msg = queue_front(u))) {
		r = empty_reason(u);
		if (r != -EAGAIN || m->flags & MSG_DONTWAIT)
			break;
		r = recv_sleep(u, deadline);
		if (r)
			break;
	}
	if (msg) {
		size_t want = m->iter->count;
		give_scm(msg, m, peek);
		name_out(msg, m);
		r = stream_take(u, msg, m, 0);
		uint32_t in = m->flags;
		m->flags &= ~(uint32_t)(MSG_TRUNC | MSG_EOR);
		if (r >= 0 && msg->len > want) {
			m->flags |= MSG_TRUNC;
			if (in & MSG_TRUNC)
				r = (ssize_t_)msg->len;
		}
		if (u->s.type == SOCK_SEQPACKET)
			m->flags |= MSG_EOR;
		if (!peek) {
			spin_lock(&u->lock);
			u->queued -= msg->len;
			spin_unlock(&u->lock);
			msg_consume(u, msg);
		}
	}
	mutex_unlock(&u->recv_lock);
	if (msg && !peek)
		wake_up_poll(&u->wait, EPOLLOUT | EPOLLWRNORM);
	return r;
}

ssize_t_ unix_sendmsg(struct socket *s, struct sock_msg *m)
{
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	struct unix_sock *u = unix_of(s);
	return s->type == SOCK_STREAM ? stream_send(u, m) : packet_send(u, m);
}

ssize_t_ unix_recvmsg(struct socket *s, struct sock_msg *m)
{
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	struct unix_sock *u = unix_of(s);
	if (s->type != SOCK_STREAM)
		return packet_recv(u, m);
	m->flags &= ~(uint32_t)MSG_TRUNC;
	return stream_recv(u, m);
}
