// SPDX-License-Identifier: Apache-2.0
/* Sending and receiving on AF_UNIX sockets. */
#include "lib/string.h"
#include "net/unix_sock.h"
#include "signal/signal.h"
#include "task/task.h"
#include "task/user_ns.h"

#define STREAM_CHUNK 32768 /* most bytes of one queued message of a stream */
/* How Linux counts a message: a struct sk_buff, its data with the trailer in a power of two, more pages. */
#define SKB_SIZE      256u
#define SKB_TRAILER   320u
#define SKB_HEAD_DATA 3776u

static size_t charge_of(size_t len)
{
	size_t head = MIN(len, (size_t)SKB_HEAD_DATA) + SKB_TRAILER, size = 512;
	while (size < head)
		size *= 2;
	return SKB_SIZE + size + (len > SKB_HEAD_DATA ? ROUND_UP(len - SKB_HEAD_DATA, PAGE_SIZE) : 0);
}

static void free_one(struct unix_msg *msg)
{
	struct unix_sock *from = msg->from;
	kfree(msg->data);
	if (from) {
		atomic_sub(&from->wmem, msg->charge);
		if (unix_writable(from))
			wake_up_poll(&from->wait, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
		unix_put(from);
	}
	if (msg->scm.nfiles) {
		unix_drop_files(msg);
	} else {
		scm_destroy(&msg->scm);
		kfree(msg);
	}
}

/*
 * A message can hold the last reference of a socket whose queue holds messages, and so on, as deep as an application
 * likes: the outermost call frees them one after the other.
 */
void unix_msg_free(struct unix_msg *msg)
{
	struct list_node list = LIST_INIT(list);
	struct task *t = current;
	if (t->unix_freeing) {
		list_add_tail(&msg->link, t->unix_freeing);
		return;
	}
	t->unix_freeing = &list;
	list_add_tail(&msg->link, &list);
	while (!list_empty(&list)) {
		msg = list_first(&list, struct unix_msg, link);
		list_del(&msg->link);
		free_one(msg);
	}
	t->unix_freeing = NULL;
}

/* ---- the sender's side ---------------------------------------------------------------------------------------------- */

static bool buffer_ready(struct unix_sock *u)
{
	return READ_ONCE(u->wmem) < u->s.sndbuf || READ_ONCE(u->s.error) || READ_ONCE(u->shutdown) & SHUT_SEND;
}

/* Waits until u's buffer takes another message. */
static int buffer_wait(struct unix_sock *u, uint32_t flags, uint64_t deadline)
{
	for (;;) {
		int err = atomic_xchg(&u->s.error, 0);
		if (err)
			return err;
		if (READ_ONCE(u->shutdown) & SHUT_SEND)
			return -EPIPE;
		if (READ_ONCE(u->wmem) < u->s.sndbuf)
			return 0;
		if (flags & MSG_DONTWAIT)
			return -EAGAIN;
		err = wait_event_interruptible_deadline(&u->wait, buffer_ready(u), deadline);
		if (err)
			return unix_wait_error(err, u->s.sndtimeo_ns);
	}
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
	msg->charge = charge_of(n);
	atomic_add(&u->wmem, msg->charge);
	unix_get(u);
	msg->from = u;
	/* No credentials: as Linux shows them when neither end asked before it was sent. */
	msg->scm.creds = (struct sock_cred){NULL, NO_ID, NO_ID};
	if (scm) {
		msg->scm = *scm;
		if (scm->has_creds)
			msg->scm.creds = sock_cred_get(&scm->creds);
		else
			msg->scm.creds = (struct sock_cred){NULL, NO_ID, NO_ID};
		scm->files = NULL;
		scm->nfiles = 0;
		int err = unix_take_off(&msg->scm);
		if (err) {
			unix_msg_free(msg);
			return ERR_PTR(err);
		}
	}
	return msg;
}

/* Puts msg on the queue; `to` is locked and takes messages. */
static void enqueue(struct unix_sock *u, struct unix_sock *to, struct unix_msg *msg)
{
	if (!msg->scm.has_creds && (u->s.passcred || to->s.passcred || to->embryo)) {
		msg->scm.has_creds = true;
		msg->scm.creds = sock_cred_current(false);
	}
	list_add_tail(&msg->link, &to->queue);
	to->queued += msg->len;
	to->nmsgs++;
}

/* The peer with a reference, or the reason why nothing can be sent. */
static struct unix_sock *stream_peer(struct unix_sock *u)
{
	struct unix_sock *p = ERR_PTR(-ENOTCONN);
	spin_lock(&u->lock);
	if (u->peer) {
		p = u->shutdown & SHUT_SEND ? ERR_PTR(-EPIPE) : u->peer;
		if (!IS_ERR(p))
			unix_get(p);
	}
	spin_unlock(&u->lock);
	return p;
}

static ssize_t_ stream_send(struct unix_sock *u, struct sock_msg *m)
{
	if (m->addr && m->addr->len)
		return READ_ONCE(u->state) == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	struct unix_sock *to = stream_peer(u);
	if (IS_ERR(to))
		return PTR_ERR(to);
	uint64_t deadline = socket_deadline(u->s.sndtimeo_ns);
	ssize_t_ done = 0, err = 0;
	struct scm *scm = m->scm;
	while (m->iter->count) {
		size_t n = MIN(MIN(m->iter->count, (size_t)STREAM_CHUNK), (size_t)u->s.sndbuf / 2 - 64);
		err = buffer_wait(u, m->flags, deadline);
		if (err)
			break;
		struct unix_msg *msg = msg_make(u, m, n, scm);
		if (IS_ERR(msg)) {
			err = PTR_ERR(msg);
			break;
		}
		spin_lock(&to->lock);
		bool closed = to->dead || to->shutdown & SHUT_RCV;
		if (!closed)
			enqueue(u, to, msg);
		spin_unlock(&to->lock);
		if (closed) {
			unix_msg_free(msg);
			err = -EPIPE;
			break;
		}
		scm = NULL;
		done += (ssize_t_)n;
		wake_up_poll(&to->wait, EPOLLIN | EPOLLRDNORM);
	}
	unix_put(to);
	return done ? done : err;
}

/* ---- the receiver's side -------------------------------------------------------------------------------------------- */

/* Copies out what the reader wants of a message. Caller holds recv_lock. */
static ssize_t_ take(struct unix_msg *msg, struct sock_msg *m)
{
	size_t n = MIN(m->iter->count, msg->len - msg->off);
	size_t got = iter_copy_to(m->iter, msg->data + msg->off, n);
	return got || !n ? (ssize_t_)got : -EFAULT;
}

/* Duplicates (peek) or moves a message's files to the reader. */
static void give_files(struct unix_msg *msg, struct sock_msg *m, bool peek)
{
	if (!msg->scm.nfiles)
		return;
	if (!m->scm || m->scm->nfiles) {
		m->out_flags |= MSG_CTRUNC;
		if (!peek) {
			unix_land(&msg->scm);
			scm_destroy(&msg->scm);
		}
		return;
	}
	if (!peek) {
		unix_land(&msg->scm);
		m->scm->files = msg->scm.files;
		m->scm->nfiles = msg->scm.nfiles;
		msg->scm.files = NULL;
		msg->scm.nfiles = 0;
		return;
	}
	struct file **copy = kmalloc(msg->scm.nfiles * sizeof(*copy));
	if (!copy) {
		m->out_flags |= MSG_CTRUNC;
		return;
	}
	for (uint32_t i = 0; i < msg->scm.nfiles; i++) {
		copy[i] = msg->scm.files[i];
		file_get(copy[i]);
	}
	unix_peeked();
	m->scm->files = copy;
	m->scm->nfiles = msg->scm.nfiles;
}

static void give_creds(struct unix_msg *msg, struct sock_msg *m)
{
	if (m->scm) {
		m->scm->has_creds = true;
		sock_cred_put(&m->scm->creds);
		m->scm->creds = sock_cred_get(&msg->scm.creds);
	}
}

static void msg_consume(struct unix_sock *u, struct unix_msg *msg)
{
	spin_lock(&u->lock);
	list_del(&msg->link);
	u->nmsgs--;
	spin_unlock(&u->lock);
	unix_msg_free(msg);
}

/* The sender's name as it is now. */
static void name_out(struct unix_msg *msg, struct sock_msg *m)
{
	struct unix_sock *from = msg->from;
	if (!m->addr)
		return;
	spin_lock(&from->lock);
	if (from->addr)
		*m->addr = from->addr->name;
	spin_unlock(&from->lock);
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
	bool r = !list_empty(&u->queue) || u->shutdown & SHUT_RCV || READ_ONCE(u->s.error);
	spin_unlock(&u->lock);
	return r;
}

/* Why an empty queue ends the receive: 0 end of file, -EAGAIN wait, or an error. */
static int empty_reason(struct unix_sock *u)
{
	int err = atomic_xchg(&u->s.error, 0);
	if (err)
		return err;
	return READ_ONCE(u->shutdown) & SHUT_RCV ? 0 : -EAGAIN;
}

/* Sleeps until something can be received. Called and returns with recv_lock held. */
static int recv_sleep(struct unix_sock *u, uint64_t deadline)
{
	mutex_unlock(&u->recv_lock);
	int err = wait_event_interruptible_deadline(&u->wait, recv_ready(u), deadline);
	mutex_lock(&u->recv_lock);
	return unix_wait_error(err, u->s.rcvtimeo_ns);
}

/* c->pid may be put by now: it is compared only. */
static bool same_sender(const struct unix_msg *a, const struct sock_cred *c)
{
	return a->scm.creds.pid == c->pid && a->scm.creds.uid == c->uid && a->scm.creds.gid == c->gid;
}

/* The message after msg; recv_lock keeps both in the queue. */
static struct unix_msg *queue_next(struct unix_sock *u, struct unix_msg *msg)
{
	spin_lock(&u->lock);
	struct list_node *next = msg->link.next;
	spin_unlock(&u->lock);
	return next == &u->queue ? NULL : list_entry(next, struct unix_msg, link);
}

/* n bytes of the first message were read; the first message afterwards. */
static struct unix_msg *stream_advance(struct unix_sock *u, struct unix_msg *msg, size_t n)
{
	spin_lock(&u->lock);
	msg->off += n;
	u->queued -= n;
	spin_unlock(&u->lock);
	if (msg->off < msg->len)
		return msg;
	msg_consume(u, msg);
	return queue_front(u);
}

/*
 * Joins messages until the reader has enough, the sender changes (SO_PASSCRED), or descriptors came: what follows those is
 * for the next call (unix(7)). Even a read of nothing waits for data, as on Linux.
 */
static ssize_t_ stream_recv(struct unix_sock *u, struct sock_msg *m)
{
	bool peek = m->flags & MSG_PEEK, known = false;
	size_t done = 0, want = m->iter->count;
	size_t target = MAX(m->flags & MSG_WAITALL ? want : MIN(want, (size_t)READ_ONCE(u->s.rcvlowat)), (size_t)1);
	uint64_t deadline = socket_deadline(u->s.rcvtimeo_ns);
	struct sock_cred who = {0};
	struct unix_msg *msg;
	ssize_t_ err = 0;
	if (READ_ONCE(u->state) != UNIX_CONNECTED)
		return -EINVAL;
	if (m->addr)
		m->addr->len = 0;
	mutex_lock(&u->recv_lock);
	msg = queue_front(u);
	for (;;) {
		if (!msg) {
			if (done >= target || (done && peek))
				break;
			err = empty_reason(u);
			if (err != -EAGAIN || m->flags & MSG_DONTWAIT)
				break;
			err = recv_sleep(u, deadline);
			if (err)
				break;
			msg = queue_front(u);
			continue;
		}
		if (!known) {
			who = msg->scm.creds;
			give_creds(msg, m);
			name_out(msg, m);
			known = true;
		} else if (u->s.passcred && !same_sender(msg, &who)) {
			break;
		}
		ssize_t_ n = take(msg, m);
		if (n < 0) {
			err = n;
			break;
		}
		done += (size_t)n;
		bool files = msg->scm.nfiles, all = msg->off + (size_t)n == msg->len;
		give_files(msg, m, peek);
		if (peek)
			msg = queue_next(u, msg);
		else
			msg = stream_advance(u, msg, (size_t)n);
		if (files || !all || !m->iter->count || (peek && !msg))
			break;
	}
	mutex_unlock(&u->recv_lock);
	return done || known ? (err == -EFAULT && !done ? err : (ssize_t_)done) : err;
}

/* ---- datagrams and sequenced packets ------------------------------------------------------------------------------- */

/* Where a packet goes, with a reference. */
static struct unix_sock *packet_target(struct unix_sock *u, struct sock_msg *m)
{
	struct unix_sock *p = ERR_PTR(-ENOTCONN);
	if (u->s.type == SOCK_DGRAM && m->addr && m->addr->len)
		return unix_find(u->s.net, m->addr, u->s.type);
	spin_lock(&u->lock);
	if (u->peer && (u->s.type == SOCK_DGRAM || u->state == UNIX_CONNECTED)) {
		p = u->peer;
		unix_get(p);
	}
	spin_unlock(&u->lock);
	return p;
}

/* The connected receiver of datagrams is gone. */
static void dgram_lost_peer(struct unix_sock *u, struct unix_sock *to)
{
	spin_lock(&u->lock);
	bool was = u->peer == to;
	if (was) {
		u->peer = NULL;
		u->state = UNIX_UNCONNECTED;
	}
	spin_unlock(&u->lock);
	if (was)
		unix_put(to);
}

static bool packet_ready(struct unix_sock *u, struct unix_sock *to)
{
	spin_lock(&to->lock);
	bool r = to->dead || to->shutdown & SHUT_RCV || to->nmsgs <= UNIX_MAX_DGRAMS || to->peer == u || to == u;
	spin_unlock(&to->lock);
	return r;
}

/* 0: queued. -EAGAIN: the queue is full. */
static int packet_queue(struct unix_sock *u, struct unix_sock *to, struct unix_msg *msg)
{
	int err = 0;
	spin_lock(&to->lock);
	if (!unix_may_send(u, to))
		err = -EPERM;
	else if (to->dead)
		err = u->s.type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
	else if (to->shutdown & SHUT_RCV)
		err = -EPIPE;
	else if (to != u && to->peer != u && to->nmsgs > UNIX_MAX_DGRAMS)
		err = -EAGAIN;
	else
		enqueue(u, to, msg);
	spin_unlock(&to->lock);
	return err;
}

static ssize_t_ packet_send(struct unix_sock *u, struct sock_msg *m)
{
	size_t n = m->iter->count;
	int err = u->s.type == SOCK_SEQPACKET ? atomic_xchg(&u->s.error, 0) : 0;
	if (err)
		return err;
	struct unix_sock *to = packet_target(u, m);
	if (IS_ERR(to))
		return PTR_ERR(to);
	uint64_t deadline = socket_deadline(u->s.sndtimeo_ns);
	struct unix_msg *msg = NULL;
	if (u->s.passcred)
		err = unix_autobind(u);
	if (!err && n > u->s.sndbuf - 32)
		err = -EMSGSIZE;
	if (!err)
		err = buffer_wait(u, m->flags, deadline);
	if (!err && IS_ERR(msg = msg_make(u, m, n, m->scm)))
		err = PTR_ERR(msg);
	if (err) {
		unix_put(to);
		return err;
	}
	while ((err = packet_queue(u, to, msg)) == -EAGAIN && !(m->flags & MSG_DONTWAIT)) {
		err = wait_event_interruptible_deadline(&to->wait, packet_ready(u, to), deadline);
		err = unix_wait_error(err, u->s.sndtimeo_ns);
		if (err)
			break;
	}
	if (err) {
		if (err == -ECONNREFUSED)
			dgram_lost_peer(u, to);
		unix_msg_free(msg);
	} else {
		wake_up_poll(&to->wait, EPOLLIN | EPOLLRDNORM);
	}
	unix_put(to);
	return err ? err : (ssize_t_)n;
}

static ssize_t_ packet_recv(struct unix_sock *u, struct sock_msg *m)
{
	bool peek = m->flags & MSG_PEEK;
	uint64_t deadline = socket_deadline(u->s.rcvtimeo_ns);
	ssize_t_ r = 0;
	if (u->s.type == SOCK_SEQPACKET && READ_ONCE(u->state) != UNIX_CONNECTED)
		return -ENOTCONN;
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
		give_creds(msg, m);
		name_out(msg, m);
		r = take(msg, m);
		give_files(msg, m, peek);
		if (r >= 0 && msg->len > want) {
			m->out_flags |= MSG_TRUNC;
			if (m->flags & MSG_TRUNC)
				r = (ssize_t_)msg->len;
		}
		if (!peek) {
			spin_lock(&u->lock);
			u->queued -= msg->len;
			spin_unlock(&u->lock);
			msg_consume(u, msg);
		}
	}
	mutex_unlock(&u->recv_lock);
	if (msg && !peek)
		unix_tell(u, EPOLLOUT | EPOLLWRNORM); /* who waits for room in this queue */
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
	return s->type == SOCK_STREAM ? stream_recv(u, m) : packet_recv(u, m);
}
