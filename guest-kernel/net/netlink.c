// SPDX-License-Identifier: Apache-2.0
/* AF_NETLINK sockets of the Sentry's own: names, requests to the kernel, answers in order (see netlink.h). */
#include "net/netlink.h"

#include <asm/ioctls.h>

#include "lib/string.h"
#include "net/inet.h"
#include "task/task.h"

#define REQUEST_MAX 65536u

struct nl_msg {
	struct list_node link;
	size_t len;
	uint8_t data[];
};

struct nl_sock {
	struct socket s;
	spinlock_t lock;
	struct list_node queue;    /* struct nl_msg; lock */
	size_t queued;             /* lock */
	uint32_t portid, groups;   /* portid: all_lock to write, 0 while unbound */
	struct list_node all_link; /* all_lock */
	bool cap_ack;              /* racy */
	struct wait_queue wait;
	struct mutex recv_lock;    /* one reader at a time */
};

struct sockaddr_nl_ {
	uint16_t family, pad;
	uint32_t pid, groups;
};

static spinlock_t all_lock = SPINLOCK_INIT;
static struct list_node all = LIST_INIT(all); /* sockets with a port; all_lock */
static const struct socket_ops netlink_ops;

static struct nl_sock *nl_of(struct socket *s) { return container_of(s, struct nl_sock, s); }

int netlink_create(int type, int protocol, struct socket **out)
{
	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol != NETLINK_ROUTE && protocol != NETLINK_KOBJECT_UEVENT)
		return -EPROTONOSUPPORT;
	struct nl_sock *n = kzalloc(sizeof(*n));
	if (!n)
		return -ENOMEM;
	socket_init(&n->s, &netlink_ops, AF_NETLINK, type, protocol);
	spin_init(&n->lock);
	list_init(&n->queue);
	list_init(&n->all_link);
	wait_queue_init(&n->wait);
	mutex_init(&n->recv_lock);
	*out = &n->s;
	return 0;
}

static void nl_release(struct socket *s)
{
	struct nl_sock *n = nl_of(s);
	spin_lock(&all_lock);
	list_del(&n->all_link);
	spin_unlock(&all_lock);
	while (!list_empty(&n->queue)) {
		struct nl_msg *m = list_first(&n->queue, struct nl_msg, link);
		list_del(&m->link);
		kfree(m);
	}
	socket_fini(s);
	kfree(n);
}

/* ---- names ------------------------------------------------------------------------------------------------------------ */

/* all_lock held */
static bool port_taken(const struct nl_sock *n, uint32_t port)
{
	struct nl_sock *o;
	list_for_each_entry(o, &all, all_link)
		if (o->portid == port && o->s.protocol == n->s.protocol && o->s.net == n->s.net)
			return true;
	return false;
}

/* port 0: the process's number, or one below zero. */
static int take_port(struct nl_sock *n, uint32_t port)
{
	int err = 0;
	spin_lock(&all_lock);
	if (n->portid) {
		err = port && port != n->portid ? -EINVAL : 0;
	} else if (port && port_taken(n, port)) {
		err = -EADDRINUSE;
	} else {
		uint32_t next = port ? port : (uint32_t)current->proc->vpid;
		while (port_taken(n, next) || !next)
			next = next < 0x80000000u ? (uint32_t)-4096 : next - 1;
		n->portid = next;
		list_add_tail(&n->all_link, &all);
	}
	spin_unlock(&all_lock);
	return err;
}

static int name_in(const struct sockaddr_buf *a, struct sockaddr_nl_ *nl)
{
	if (a->len < sizeof(*nl))
		return -EINVAL;
	memcpy(nl, a->data, sizeof(*nl));
	return nl->family == AF_NETLINK ? 0 : -EINVAL;
}

static int nl_bind(struct socket *s, const struct sockaddr_buf *a)
{
	struct nl_sock *n = nl_of(s);
	struct sockaddr_nl_ nl;
	int err = name_in(a, &nl);
	if (!err)
		err = take_port(n, nl.pid);
	if (!err)
		n->groups = nl.groups;
	return err;
}

static int nl_connect(struct socket *s, const struct sockaddr_buf *a, uint32_t flags)
{
	struct sockaddr_nl_ nl;
	if (a->family == AF_UNSPEC)
		return 0;
	int err = name_in(a, &nl);
	if (!err && (nl.pid || nl.groups))
		err = -EPERM; /* only the kernel answers */
	return err ? err : take_port(nl_of(s), 0);
}

static int nl_getname(struct socket *s, struct sockaddr_buf *a, int whose)
{
	struct nl_sock *n = nl_of(s);
	struct sockaddr_nl_ nl = {AF_NETLINK, 0, whose ? 0 : READ_ONCE(n->portid), whose ? 0 : n->groups};
	a->len = sizeof(nl);
	memcpy(a->data, &nl, sizeof(nl));
	return 0;
}

/* ---- requests --------------------------------------------------------------------------------------------------------- */

static int queue(struct nl_sock *n, const struct nlbuf *b)
{
	struct nl_msg *m = b->failed ? NULL : kmalloc(sizeof(*m) + b->len);
	if (!m)
		return -ENOBUFS;
	m->len = b->len;
	memcpy(m->data, b->data, b->len);
	spin_lock(&n->lock);
	bool room = n->queued <= n->s.rcvbuf;
	if (room) {
		list_add_tail(&m->link, &n->queue);
		n->queued += m->len;
	}
	spin_unlock(&n->lock);
	if (!room) {
		kfree(m);
		return -ENOBUFS;
	}
	wake_up_poll(&n->wait, EPOLLIN | EPOLLRDNORM);
	return 0;
}

/* NLMSG_ERROR, which is also the acknowledgement. */
static void put_error(struct nl_sock *n, const struct nlmsghdr *h, int err, struct nlbuf *out)
{
	uint16_t flags = err && !n->cap_ack ? 0 : NLM_F_CAPPED;
	size_t m = nlbuf_begin(out, NLMSG_ERROR, flags, h->nlmsg_seq, n->portid);
	nlbuf_put(out, &err, sizeof(err));
	nlbuf_put(out, h, flags ? sizeof(*h) : h->nlmsg_len);
	nlbuf_end(out, m);
}

static int answer(struct nl_sock *n, const struct nlmsghdr *h)
{
	struct nlbuf out = {0}, end = {0};
	bool more = false;
	int err = 0, zero = 0;
	if (h->nlmsg_flags & NLM_F_REQUEST && h->nlmsg_type >= NLMSG_MIN_TYPE)
		err = rtnl_request(n->s.net, h, n->portid, &out, &more);
	if (more) {
		size_t m = nlbuf_begin(&end, NLMSG_DONE, NLM_F_MULTI, h->nlmsg_seq, n->portid);
		nlbuf_put(&end, &zero, sizeof(zero));
		nlbuf_end(&end, m);
	} else if (err || h->nlmsg_flags & NLM_F_ACK) {
		put_error(n, h, err, &end);
	}
	err = out.len ? queue(n, &out) : 0;
	if (!err && end.len)
		err = queue(n, &end);
	nlbuf_free(&out);
	nlbuf_free(&end);
	return err;
}

static ssize_t_ nl_sendmsg(struct socket *s, struct sock_msg *m)
{
	struct nl_sock *n = nl_of(s);
	struct nlbuf req = {0};
	const struct nlmsghdr *h;
	struct sockaddr_nl_ nl;
	size_t off = 0, len = m->iter->count;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	int err = m->addr ? name_in(m->addr, &nl) : 0;
	if (!err && m->addr && (nl.pid || nl.groups))
		err = nl.groups ? -EPERM : -ECONNREFUSED;
	if (!err)
		err = take_port(n, 0);
	if (err)
		return err;
	if (len > REQUEST_MAX)
		return -EMSGSIZE;
	if (s->protocol == NETLINK_KOBJECT_UEVENT)
		return -ECONNREFUSED; /* the kernel does not listen there */
	req.data = kmalloc(MAX(len, (size_t)1));
	if (!req.data)
		return -ENOBUFS;
	req.len = req.cap = iter_copy_from(m->iter, req.data, len);
	if (req.len < len)
		err = -EFAULT;
	while (!err && (h = nlbuf_next(&req, &off)))
		err = answer(n, h);
	kfree(req.data);
	return err ? err : (ssize_t_)len;
}

/* ---- answers ---------------------------------------------------------------------------------------------------------- */

static struct nl_msg *front(struct nl_sock *n)
{
	spin_lock(&n->lock);
	struct nl_msg *m = list_empty(&n->queue) ? NULL : list_first(&n->queue, struct nl_msg, link);
	spin_unlock(&n->lock);
	return m;
}

static ssize_t_ take(struct nl_sock *n, struct nl_msg *k, struct sock_msg *m)
{
	size_t want = m->iter->count, c = MIN(want, k->len);
	ssize_t_ r = iter_copy_to(m->iter, k->data, c) == c ? (ssize_t_)c : -EFAULT;
	if (r >= 0 && k->len > want) {
		m->out_flags |= MSG_TRUNC;
		if (m->flags & MSG_TRUNC)
			r = (ssize_t_)k->len;
	}
	if (m->addr)
		nl_getname(&n->s, m->addr, NAME_PEER); /* from the kernel */
	if (m->flags & MSG_PEEK)
		return r;
	spin_lock(&n->lock);
	list_del(&k->link);
	n->queued -= k->len;
	spin_unlock(&n->lock);
	kfree(k);
	return r;
}

static ssize_t_ nl_recvmsg(struct socket *s, struct sock_msg *m)
{
	struct nl_sock *n = nl_of(s);
	uint64_t deadline = socket_deadline(s->rcvtimeo_ns);
	ssize_t_ r;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	for (;;) {
		mutex_lock(&n->recv_lock);
		struct nl_msg *k = front(n);
		r = k ? take(n, k, m) : -EAGAIN;
		mutex_unlock(&n->recv_lock);
		if (k || m->flags & MSG_DONTWAIT)
			return r;
		r = inet_wait_error(wait_event_interruptible_deadline(&n->wait, front(n), deadline), s->rcvtimeo_ns);
		if (r)
			return r;
	}
}

static uint32_t nl_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct nl_sock *n = nl_of(s);
	poll_wait(f, &n->wait, pt);
	return EPOLLOUT | EPOLLWRNORM | (front(n) ? EPOLLIN | EPOLLRDNORM : 0);
}

static int64_t nl_ioctl(struct socket *s, uint32_t cmd, uint64_t arg)
{
	return -ENOTTY;
}

/* SOL_NETLINK: switches that have nothing to switch here, except for acknowledgements without the request. */
static int nl_setsockopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	int v;
	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	switch (name) {
	case NETLINK_CAP_ACK:
		nl_of(s)->cap_ack = v != 0;
		return 0;
	case NETLINK_ADD_MEMBERSHIP:
	case NETLINK_DROP_MEMBERSHIP:
	case NETLINK_PKTINFO:
	case NETLINK_EXT_ACK:
	case NETLINK_GET_STRICT_CHK:
	case NETLINK_NO_ENOBUFS:
		return 0;
	}
	return -ENOPROTOOPT;
}

static int nl_shutdown(struct socket *s, int how) { return -EOPNOTSUPP; }
static int nl_listen(struct socket *s, int backlog) { return -EOPNOTSUPP; }
static int nl_accept(struct socket *s, uint32_t flags, struct socket **out) { return -EOPNOTSUPP; }

static const struct socket_ops netlink_ops = {
	.bind = nl_bind,
	.connect = nl_connect,
	.listen = nl_listen,
	.accept = nl_accept,
	.getname = nl_getname,
	.sendmsg = nl_sendmsg,
	.recvmsg = nl_recvmsg,
	.shutdown = nl_shutdown,
	.poll = nl_poll,
	.ioctl = nl_ioctl,
	.setsockopt = nl_setsockopt,
	.release = nl_release,
};
