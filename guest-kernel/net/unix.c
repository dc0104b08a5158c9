// SPDX-License-Identifier: Apache-2.0
/* AF_UNIX: life of a socket, connections, options (see unix_sock.h). */
#include <asm/ioctls.h>

#include "fs/seq.h"
#include "lib/string.h"
#include "net/unix_sock.h"
#include "task/task.h"
#include "task/user_ns.h"

static const struct socket_ops unix_ops;
static spinlock_t all_lock = SPINLOCK_INIT;
static struct list_node all_sockets = LIST_INIT(all_sockets); /* all_lock */

/* u->lock held, or nobody else knows u; takes over the reference in c. */
static void set_peer_cred(struct unix_sock *u, struct sock_cred c)
{
	sock_cred_put(&u->peer_cred);
	u->peer_cred = c;
}

/* Room in the peer's queue, or none to wait for any more. */
static bool relay(struct waiter *w, uint32_t events)
{
	wake_up_poll(&container_of(w, struct unix_sock, relay)->wait, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	return false;
}

/* From now on u is told of what happens in p's queue; p NULL: in nobody's. */
static void relay_from(struct unix_sock *u, struct unix_sock *p)
{
	spin_lock(&u->lock);
	struct unix_sock *old = u->relay_to;
	if (old != p) {
		if (old)
			wait_queue_remove(&old->room, &u->relay);
		u->relay_to = p;
		if (p) {
			unix_get(p);
			wait_queue_add(&p->room, &u->relay);
		}
	}
	spin_unlock(&u->lock);
	if (old && old != p)
		unix_put(old);
}

static struct unix_sock *unix_alloc(int type)
{
	struct unix_sock *u = kzalloc(sizeof(*u));
	if (!u)
		return NULL;
	socket_init(&u->s, &unix_ops, AF_UNIX, type, 0);
	ref_init(&u->refs);
	list_init(&u->queue);
	list_init(&u->backlog);
	list_init(&u->backlog_link);
	list_init(&u->flight_link);
	wait_queue_init(&u->wait);
	wait_queue_init(&u->room);
	waiter_init(&u->relay);
	u->relay.fn = relay;
	u->relay.task = NULL;
	mutex_init(&u->recv_lock);
	u->peer_cred = (struct sock_cred){NULL, NO_ID, NO_ID};
	spin_lock(&all_lock);
	list_add_tail(&u->all_link, &all_sockets);
	spin_unlock(&all_lock);
	return u;
}

int unix_wait_error(int err, uint64_t timeout_ns)
{
	if (err == -ETIMEDOUT)
		return -EAGAIN;
	return err && timeout_ns ? -EINTR : err;
}

static void lock_two(struct unix_sock *a, struct unix_sock *b)
{
	spin_lock(a < b ? &a->lock : &b->lock);
	if (a != b)
		spin_lock(a < b ? &b->lock : &a->lock);
}

static void unlock_two(struct unix_sock *a, struct unix_sock *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

void unix_put(struct unix_sock *u)
{
	if (!ref_put(&u->refs))
		return;
	spin_lock(&all_lock);
	list_del(&u->all_link);
	spin_unlock(&all_lock);
	while (!list_empty(&u->queue)) {
		struct unix_msg *m = list_first(&u->queue, struct unix_msg, link);
		list_del(&m->link);
		unix_msg_free(m);
	}
	unix_addr_put(u->addr);
	sock_cred_put(&u->peer_cred);
	socket_fini(&u->s);
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
	set_peer_cred(x, sock_cred_current(true));
	set_peer_cred(y, sock_cred_current(true));
	return 0;
}

#define ALL_EVENTS (EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP | EPOLLERR)

/* Tells the other end of a connection that u is gone. reset: what it had sent was not read. */
static void hang_up(struct unix_sock *u, bool reset)
{
	spin_lock(&u->lock);
	struct unix_sock *p = u->peer;
	u->peer = NULL;
	spin_unlock(&u->lock);
	if (!p)
		return;
	if (u->s.type != SOCK_DGRAM) {
		spin_lock(&p->lock);
		p->shutdown = SHUT_BOTH;
		if (reset)
			WRITE_ONCE(p->s.error, -ECONNRESET);
		spin_unlock(&p->lock);
	}
	unix_tell(p, ALL_EVENTS);
	unix_put(p);
}

/* Frees what is in the queue. True if there was something. */
static bool purge(struct unix_sock *u)
{
	struct list_node queue = LIST_INIT(queue);
	spin_lock(&u->lock);
	bool any = !list_empty(&u->queue);
	while (!list_empty(&u->queue))
		list_move_tail(u->queue.next, &queue);
	u->queued = u->nmsgs = 0;
	spin_unlock(&u->lock);
	while (!list_empty(&queue)) {
		struct unix_msg *m = list_first(&queue, struct unix_msg, link);
		list_del(&m->link);
		unix_msg_free(m);
	}
	return any;
}

static void unix_release(struct socket *s)
{
	struct unix_sock *u = unix_of(s);
	struct list_node backlog = LIST_INIT(backlog);
	unix_unbind(u);
	spin_lock(&u->lock);
	u->dead = true;
	while (!list_empty(&u->backlog))
		list_move_tail(u->backlog.next, &backlog);
	u->nbacklog = 0;
	spin_unlock(&u->lock);
	bool unread = purge(u);
	while (!list_empty(&backlog)) {
		struct unix_sock *c = list_first(&backlog, struct unix_sock, backlog_link);
		list_del(&c->backlog_link);
		unix_release(&c->s); /* which has no backlog of its own */
	}
	relay_from(u, NULL);
	hang_up(u, unread || u->embryo);
	unix_tell(u, ALL_EVENTS);
	unix_put(u);
	unix_collect();
}

/* ---- connections ----------------------------------------------------------------------------------------------------- */

/* A datagram socket got another peer: what the old one had sent is dropped (Linux, unix_dgram_disconnected). */
static void dgram_disconnected(struct unix_sock *u, struct unix_sock *old)
{
	if (!purge(u))
		return;
	spin_lock(&old->lock);
	if (!old->dead && old->peer == u)
		WRITE_ONCE(old->s.error, -ECONNRESET);
	spin_unlock(&old->lock);
	unix_tell(old, ALL_EVENTS);
}

static int dgram_connect(struct unix_sock *u, const struct sockaddr_buf *addr)
{
	struct unix_sock *p = NULL;
	if (addr->family != AF_UNSPEC) {
		p = unix_find(u->s.net, addr, u->s.type);
		if (IS_ERR(p))
			return PTR_ERR(p);
		spin_lock(&p->lock);
		bool refused = !unix_may_send(u, p);
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
	wake_up_poll(&u->room, EPOLLOUT); /* whom we are connected to sends without a limit */
	if (old) {
		if (old != p) {
			relay_from(u, NULL);
			dgram_disconnected(u, old);
		}
		wake_up_poll(&u->wait, EPOLLOUT);
		unix_put(old);
	}
	return 0;
}

static bool backlog_ready(struct unix_sock *l)
{
	spin_lock(&l->lock);
	bool r = l->dead || l->state != UNIX_LISTENING || l->shutdown & SHUT_RCV || l->nbacklog <= l->max_backlog;
	spin_unlock(&l->lock);
	return r;
}

/* Joins u to server, a new socket, and puts that on l's backlog; all at once. 0, -EAGAIN when the backlog is full, or why
 * it cannot be. */
static int join(struct unix_sock *u, struct unix_sock *l, struct unix_sock *server)
{
	int err = 0;
	lock_two(u, l);
	if (l->dead || l->state != UNIX_LISTENING || l->shutdown & SHUT_RCV)
		err = -ECONNREFUSED;
	else if (l->nbacklog > l->max_backlog)
		err = -EAGAIN;
	else if (u->state != UNIX_UNCONNECTED)
		err = u->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	if (!err) {
		net_ns_put(server->s.net); /* whoever connects may be elsewhere, by a path */
		server->s.net = net_ns_get(l->s.net);
		server->peer = u;
		unix_get(u);
		server->state = UNIX_CONNECTED;
		set_peer_cred(server, sock_cred_current(true));
		server->embryo = true;
		server->addr = l->addr;
		if (l->addr)
			ref_get(&l->addr->refs);
		u->peer = server;
		unix_get(server);
		u->state = UNIX_CONNECTED;
		set_peer_cred(u, sock_cred_get(&l->peer_cred));
		list_add_tail(&server->backlog_link, &l->backlog);
		l->nbacklog++;
	}
	unlock_two(u, l);
	return err;
}

static int unix_connect(struct socket *s, const struct sockaddr_buf *addr, uint32_t flags)
{
	struct unix_sock *u = unix_of(s), *l;
	int err = s->passcred && addr->family == AF_UNIX ? unix_autobind(u) : 0;
	if (err)
		return err;
	if (s->type == SOCK_DGRAM)
		return dgram_connect(u, addr);
	struct unix_sock *server = unix_alloc(s->type);
	if (!server)
		return -ENOMEM;
	uint64_t deadline = socket_deadline(s->sndtimeo_ns);
	for (;;) {
		l = unix_find(s->net, addr, s->type);
		if (IS_ERR(l)) {
			err = PTR_ERR(l);
			break;
		}
		err = join(u, l, server);
		if (!err) {
			wake_up_poll(&l->wait, EPOLLIN | EPOLLRDNORM);
			wake_up_poll(&u->wait, EPOLLOUT);
		} else if (err == -EAGAIN && !(flags & MSG_DONTWAIT)) {
			err = wait_event_interruptible_deadline(&l->wait, backlog_ready(l), deadline);
			err = unix_wait_error(err, s->sndtimeo_ns);
			if (!err) {
				unix_put(l);
				continue; /* whoever answers to the name by now */
			}
		}
		unix_put(l);
		break;
	}
	if (err)
		unix_put(server);
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
		set_peer_cred(u, sock_cred_current(true));
	}
	spin_unlock(&u->lock);
	if (!err)
		wake_up_poll(&u->wait, EPOLLOUT); /* who waits for a longer backlog */
	return err;
}

static struct unix_sock *backlog_take(struct unix_sock *u, int *err)
{
	struct unix_sock *c = NULL;
	spin_lock(&u->lock);
	*err = -EAGAIN;
	if (u->state != UNIX_LISTENING) {
		*err = -EINVAL;
	} else if (!list_empty(&u->backlog)) {
		c = list_first(&u->backlog, struct unix_sock, backlog_link);
		list_del(&c->backlog_link);
		list_init(&c->backlog_link);
		u->nbacklog--;
		*err = 0;
	} else if (u->shutdown & SHUT_RCV) {
		*err = -EINVAL;
	}
	spin_unlock(&u->lock);
	return c;
}

static bool accept_ready(struct unix_sock *u)
{
	spin_lock(&u->lock);
	bool r = !list_empty(&u->backlog) || u->state != UNIX_LISTENING || u->shutdown & SHUT_RCV;
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
			c->s.passcred = s->passcred;
			WRITE_ONCE(c->embryo, false);
			wake_up_poll(&u->wait, EPOLLOUT);
			*out = &c->s;
			return 0;
		}
		if (flags & MSG_DONTWAIT && err == -EINVAL && READ_ONCE(u->state) == UNIX_LISTENING)
			err = -EAGAIN; /* shut down, but that is not looked at before waiting */
		if (err != -EAGAIN || flags & MSG_DONTWAIT)
			return err;
		err = wait_event_interruptible_deadline(&u->wait, accept_ready(u), deadline);
		if (err)
			return unix_wait_error(err, s->rcvtimeo_ns);
	}
}

static int unix_getname(struct socket *s, struct sockaddr_buf *addr, int whose)
{
	struct unix_sock *u = unix_of(s), *p = u;
	if (whose != NAME_SELF) {
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
	if (whose != NAME_SELF)
		unix_put(p);
	return 0;
}

static int unix_shutdown(struct socket *s, int how)
{
	struct unix_sock *u = unix_of(s);
	uint32_t bits = (uint32_t)how + 1; /* SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2 */
	spin_lock(&u->lock);
	u->shutdown |= bits;
	struct unix_sock *p = u->peer;
	if (p)
		unix_get(p);
	spin_unlock(&u->lock);
	if (p) {
		if (s->type != SOCK_DGRAM) {
			spin_lock(&p->lock);
			p->shutdown |= (bits & SHUT_RCV ? SHUT_SEND : 0) | (bits & SHUT_SEND ? SHUT_RCV : 0);
			spin_unlock(&p->lock);
			unix_tell(p, ALL_EVENTS);
		}
		unix_put(p);
	}
	unix_tell(u, ALL_EVENTS);
	return 0;
}

/* ---- poll, options ------------------------------------------------------------------------------------------------------ */

/* Would a datagram to the connected peer wait for room in its queue? */
static bool peer_is_full(struct unix_sock *u, struct poll_table *pt)
{
	spin_lock(&u->lock);
	struct unix_sock *p = u->s.type == SOCK_STREAM ? NULL : u->peer;
	if (p)
		unix_get(p);
	spin_unlock(&u->lock);
	if (!p)
		return false;
	if (pt)
		relay_from(u, p);
	spin_lock(&p->lock);
	bool full = !p->dead && p->peer != u && p->nmsgs > UNIX_MAX_DGRAMS;
	spin_unlock(&p->lock);
	unix_put(p);
	return full;
}

static uint32_t unix_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct unix_sock *u = unix_of(s);
	uint32_t ev = 0;
	poll_wait(f, &u->wait, pt);
	bool full = peer_is_full(u, pt);
	spin_lock(&u->lock);
	if (!list_empty(&u->queue) || !list_empty(&u->backlog))
		ev |= EPOLLIN | EPOLLRDNORM;
	if (u->shutdown & SHUT_RCV)
		ev |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (u->shutdown == SHUT_BOTH || (s->type != SOCK_DGRAM && u->state == UNIX_UNCONNECTED))
		ev |= EPOLLHUP;
	if (u->state != UNIX_LISTENING && !full && unix_writable(u))
		ev |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	if (READ_ONCE(s->error))
		ev |= EPOLLERR;
	spin_unlock(&u->lock);
	return ev;
}

static int64_t unix_ioctl(struct socket *s, uint32_t cmd, uint64_t arg)
{
	struct unix_sock *u = unix_of(s);
	int n = 0;
	switch (cmd) {
	case FIONREAD:
		spin_lock(&u->lock);
		bool listening = u->state == UNIX_LISTENING;
		if (s->type != SOCK_DGRAM)
			n = (int)u->queued;
		else if (!list_empty(&u->queue))
			n = (int)list_first(&u->queue, struct unix_msg, link)->len;
		spin_unlock(&u->lock);
		if (listening)
			return -EINVAL;
		break;
	case TIOCOUTQ:
		n = (int)READ_ONCE(u->wmem);
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
		return -EOPNOTSUPP;
	int v;
	switch (name) {
	case SO_PEERCRED: {
		spin_lock(&u->lock);
		struct sock_cred peer = sock_cred_get(&u->peer_cred);
		spin_unlock(&u->lock);
		struct ucred c = sock_cred_out(&peer);
		if (peer.uid == NO_ID)
			c.uid = c.gid = NO_ID; /* nobody yet */
		sock_cred_put(&peer);
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

/* SO_SNDBUF may have grown. */
static void unix_write_space(struct socket *s)
{
	wake_up_poll(&unix_of(s)->wait, EPOLLOUT | EPOLLWRNORM);
}

static const struct socket_ops unix_ops = {
	.bind = unix_bind, .connect = unix_connect, .listen = unix_listen, .accept = unix_accept, .getname = unix_getname,
	.sendmsg = unix_sendmsg, .recvmsg = unix_recvmsg, .shutdown = unix_shutdown, .poll = unix_poll, .ioctl = unix_ioctl,
	.setsockopt = unix_setsockopt, .getsockopt = unix_getsockopt, .release = unix_release,
	.write_space = unix_write_space};

/* ---- /proc/net/unix ---------------------------------------------------------------------------------------------------- */

/* The first socket after prev (NULL: of all) that still lives, with a reference. */
static struct unix_sock *next_socket(struct unix_sock *prev)
{
	struct unix_sock *u = NULL;
	spin_lock(&all_lock);
	struct list_node *n = prev ? prev->all_link.next : all_sockets.next;
	for (; n != &all_sockets && !u; n = n->next) {
		u = list_entry(n, struct unix_sock, all_link);
		if (!ref_get_unless_zero(&u->refs))
			u = NULL;
	}
	spin_unlock(&all_lock);
	return u;
}

static void show_socket(struct seq *s, struct unix_sock *u)
{
	struct sockaddr_buf name = {0};
	spin_lock(&u->lock);
	bool connected = u->state == UNIX_CONNECTED, listening = u->state == UNIX_LISTENING, dead = u->dead;
	if (u->addr)
		name = u->addr->name;
	spin_unlock(&u->lock);
	if (dead)
		return;
	/* SS_CONNECTING and SS_DISCONNECTING are sockets without a file */
	unsigned state = u->s.ino ? (connected ? 3 : 1) : (connected ? 2 : 4);
	seq_printf(s, "%016x: %08X %08X %08X %04X %02X %5lu", 0, atomic_load(&u->refs.n) - 1, 0, listening ? 1u << 16 : 0,
	           u->s.type, state, (unsigned long)u->s.ino);
	if (name.len > 2) {
		char text[UNIX_PATH_MAX_ + 1];
		size_t n = name.len - 2;
		memcpy(text, name.data + 2, n);
		if (text[0] && n && !text[n - 1])
			n--;
		for (size_t i = 0; i < n; i++)
			if (!text[i])
				text[i] = '@';
		seq_puts(s, " ");
		seq_write(s, text, n);
	}
	seq_puts(s, "\n");
}

void unix_show(struct seq *s, const struct net_ns *net)
{
	seq_puts(s, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	struct unix_sock *u = next_socket(NULL);
	while (u) {
		if (u->s.net == net)
			show_socket(s, u);
		struct unix_sock *next = next_socket(u);
		unix_put(u);
		u = next;
	}
}
