// SPDX-License-Identifier: Apache-2.0
/* Host sockets: life, names, connections, options, readiness (see host_sock.h). */
#include "net/host_sock.h"

#include <asm/ioctls.h>
#include <linux/sockios.h>

#include "boot/events.h"
#include "lib/log.h"
#include "lib/string.h"
#include "net/inet.h"
#include "net/net_show.h"
#include "task/task.h"

#define CHUNKS 64
#define CHUNK  1024 /* CHUNKS * CHUNK is more than the host hands out */

static const struct socket_ops host_ops;

static struct {
	spinlock_t lock;                   /* before wait queues' and those of signals */
	struct host_sock **chunk[CHUNKS];  /* by number; chunks are never freed; lock */
	struct host_sock *asker;           /* for host_net_ioctl; lock */
} host_socks;

/* ---- life ------------------------------------------------------------------------------------------------------------ */

static struct host_sock **slot_of(uint32_t num)
{
	struct host_sock **c = num < CHUNKS * CHUNK ? host_socks.chunk[num / CHUNK] : NULL;
	return c ? &c[num % CHUNK] : NULL;
}

static int enter(struct host_sock *h)
{
	struct host_sock **fresh = NULL;
	if (h->num >= CHUNKS * CHUNK)
		return -ENFILE;
	if (!READ_ONCE(host_socks.chunk[h->num / CHUNK])) {
		fresh = kzalloc(CHUNK * sizeof(*fresh));
		if (!fresh)
			return -ENOMEM;
	}
	spin_lock(&host_socks.lock);
	if (fresh && !host_socks.chunk[h->num / CHUNK]) {
		host_socks.chunk[h->num / CHUNK] = fresh;
		fresh = NULL;
	}
	*slot_of(h->num) = h;
	spin_unlock(&host_socks.lock);
	kfree(fresh);
	return 0;
}

/* Takes the host's number over, also on failure. */
static struct host_sock *wrap(uint32_t num, int family, int type, int protocol)
{
	struct host_sock *h = kzalloc(sizeof(*h));
	int err = -ENOMEM;
	if (h) {
		socket_init(&h->s, &host_ops, family, type, protocol);
		h->num = num;
		h->uid = current->cred->euid;
		spin_init(&h->lock);
		mutex_init(&h->watch_lock);
		wait_queue_init(&h->pollers);
		wait_queue_init(&h->sleepers);
		err = enter(h);
	}
	if (!err)
		return h;
	hostcall1(HC_NET_CLOSE, num);
	if (h)
		socket_fini(&h->s);
	kfree(h);
	return ERR_PTR(err);
}

static void host_release(struct socket *s)
{
	struct host_sock *h = host_sock_of(s);
	spin_lock(&host_socks.lock);
	*slot_of(h->num) = NULL; /* from here on no event finds it */
	spin_unlock(&host_socks.lock);
	hostcall1(HC_NET_CLOSE, h->num);
	socket_fini(s);
	kfree(h);
}

int host_sock_create(int family, int type, int protocol, struct socket **out)
{
	bool inet = family == AF_INET || family == AF_INET6;
	int icmp = family == AF_INET ? IPPROTO_ICMP_ : IPPROTO_ICMPV6_;
	if (type == SOCK_RAW && inet)
		return capable(CAP_NET_RAW) ? -EPROTONOSUPPORT : -EPERM;
	if (type != SOCK_DGRAM && type != (inet ? SOCK_STREAM : SOCK_RAW))
		return -ESOCKTNOSUPPORT;
	if (inet && !protocol)
		protocol = type == SOCK_STREAM ? IPPROTO_TCP_ : IPPROTO_UDP_;
	if (inet && protocol != (type == SOCK_STREAM ? IPPROTO_TCP_ : IPPROTO_UDP_) && !(type == SOCK_DGRAM && protocol == icmp))
		return -EPROTONOSUPPORT;
	int64_t num = hostcall3(HC_NET_SOCKET, family, family == AF_NETLINK ? SOCK_RAW : type, protocol);
	if (num < 0)
		return (int)num;
	struct host_sock *h = wrap((uint32_t)num, family, type, protocol);
	if (IS_ERR(h))
		return PTR_ERR(h);
	*out = &h->s;
	return 0;
}

/* ---- readiness -------------------------------------------------------------------------------------------------------- */

void host_sock_event(uint32_t num, uint32_t events)
{
	uint32_t ev = events;
	if (ev & EPOLLIN)
		ev |= EPOLLRDNORM;
	if (ev & EPOLLOUT)
		ev |= EPOLLWRNORM;
	spin_lock(&host_socks.lock);
	struct host_sock **slot = slot_of(num), *h = slot ? *slot : NULL;
	if (h) {
		spin_lock(&h->lock);
		h->ready |= ev;
		spin_unlock(&h->lock);
		wake_up_all(&h->sleepers);
		wake_up_poll(&h->pollers, ev);
		if (ev & EPOLLPRI)
			socket_signal_urgent(&h->s);
	}
	spin_unlock(&host_socks.lock);
}

static void watch(struct host_sock *h)
{
	if (likely(atomic_load(&h->watched)))
		return;
	mutex_lock(&h->watch_lock);
	/* The registration itself tells what holds already: no news to those who begin to wait after it, so all of them wait
	 * until it is told. */
	if (!h->watched) {
		if (hostcall1(HC_NET_WATCH, h->num) < 0)
			pr_warn("host socket %u cannot be watched", h->num);
		events_net_watched();
		atomic_store(&h->watched, true);
	}
	mutex_unlock(&h->watch_lock);
}

static void host_owner_set(struct socket *s) { watch(host_sock_of(s)); }

void host_sock_look(struct host_sock *h, uint32_t events)
{
	spin_lock(&h->lock);
	h->ready &= ~events;
	spin_unlock(&h->lock);
}

void host_sock_more(struct host_sock *h, uint32_t events)
{
	spin_lock(&h->lock);
	h->ready |= events;
	spin_unlock(&h->lock);
	wake_up_all(&h->sleepers);
}

int host_sock_wait(struct host_sock *h, uint32_t events, uint64_t deadline)
{
	watch(h);
	return wait_event_interruptible_deadline(&h->sleepers, READ_ONCE(h->ready) & events, deadline);
}

int host_sock_wait_error(int err, uint64_t timeout_ns)
{
	return inet_wait_error(err, timeout_ns);
}

static uint32_t host_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct host_sock *h = host_sock_of(s);
	if (pt)
		watch(h);
	poll_wait(f, &h->pollers, pt);
	int64_t now = hostcall1(HC_NET_POLL, h->num);
	return now < 0 ? EPOLLERR : (uint32_t)now;
}

/* ---- names and connections ---------------------------------------------------------------------------------------- */

static int host_bind(struct socket *s, const struct sockaddr_buf *addr)
{
	uint16_t port;
	if (addr->len >= 4 && s->family != AF_NETLINK) {
		memcpy(&port, addr->data + 2, sizeof(port));
		port = __builtin_bswap16(port);
		/* The host may let anybody have these: it does not know this task's capabilities. */
		bool ping = s->protocol == IPPROTO_ICMP_ || s->protocol == IPPROTO_ICMPV6_;
		if (port && !ping && port < inet_privileged(&init_net_ns) && !capable(CAP_NET_BIND_SERVICE))
			return -EACCES;
	}
	return (int)hostcall3(HC_NET_BIND, host_sock_of(s)->num, addr->data, addr->len);
}

/* Until the connection stands: a second connect(2) tells how it went. */
static int await_connection(struct host_sock *h, const struct sockaddr_buf *addr)
{
	const uint32_t events = EPOLLOUT | EPOLLERR | EPOLLHUP;
	uint64_t deadline = socket_deadline(h->s.sndtimeo_ns);
	for (;;) {
		int err = host_sock_wait(h, events, deadline);
		if (err == -ETIMEDOUT)
			return -EINPROGRESS;
		if (err)
			return host_sock_wait_error(err, h->s.sndtimeo_ns);
		host_sock_look(h, events);
		err = (int)hostcall3(HC_NET_CONNECT, h->num, addr->data, addr->len);
		if (err != -EALREADY && err != -EINPROGRESS)
			return err == -EISCONN ? 0 : err;
	}
}

static int host_connect(struct socket *s, const struct sockaddr_buf *addr, uint32_t flags)
{
	struct host_sock *h = host_sock_of(s);
	host_sock_look(h, EPOLLOUT | EPOLLERR | EPOLLHUP);
	int err = (int)hostcall3(HC_NET_CONNECT, h->num, addr->data, addr->len);
	if ((err == -EINPROGRESS || err == -EALREADY) && !(flags & MSG_DONTWAIT))
		err = await_connection(h, addr);
	return err;
}

static int host_listen(struct socket *s, int backlog)
{
	return (int)hostcall2(HC_NET_LISTEN, host_sock_of(s)->num, backlog);
}

static int host_accept(struct socket *s, uint32_t flags, struct socket **out)
{
	const uint32_t events = EPOLLIN | EPOLLERR | EPOLLHUP;
	struct host_sock *h = host_sock_of(s);
	uint64_t deadline = socket_deadline(s->rcvtimeo_ns);
	struct hc_sockaddr peer = {0};
	for (;;) {
		host_sock_look(h, events);
		int64_t num = hostcall2(HC_NET_ACCEPT, h->num, &peer);
		if (num >= 0) {
			host_sock_more(h, EPOLLIN);
			struct host_sock *n = wrap((uint32_t)num, s->family, s->type, s->protocol);
			if (IS_ERR(n))
				return PTR_ERR(n);
			n->accepted = peer;
			n->s.linger_on = s->linger_on;
			n->s.linger_sec = s->linger_sec;
			n->s.rcvlowat = s->rcvlowat;
			n->s.rcvtimeo_ns = s->rcvtimeo_ns;
			n->s.sndtimeo_ns = s->sndtimeo_ns;
			*out = &n->s;
			return 0;
		}
		if (num != -EAGAIN || flags & MSG_DONTWAIT)
			return (int)num;
		int err = host_sock_wait(h, events, deadline);
		if (err)
			return host_sock_wait_error(err, s->rcvtimeo_ns);
	}
}

static int host_getname(struct socket *s, struct sockaddr_buf *addr, int whose)
{
	struct hc_sockaddr name = host_sock_of(s)->accepted;
	int err = whose == NAME_ACCEPTED ? 0 : (int)hostcall3(HC_NET_GETNAME, host_sock_of(s)->num, whose, &name);
	if (err < 0)
		return err;
	addr->len = MIN(name.len, (uint32_t)sizeof(name.data));
	memcpy(addr->data, name.data, addr->len);
	return 0;
}

static int host_shutdown(struct socket *s, int how)
{
	struct host_sock *h = host_sock_of(s);
	int err = (int)hostcall2(HC_NET_SHUTDOWN, h->num, how);
	/* Linux shuts even a socket that is not connected. */
	if ((!err || err == -ENOTCONN) && how != 1)
		WRITE_ONCE(h->recv_shut, true);
	if (!err || err == -ENOTCONN)
		host_sock_more(h, EPOLLIN | EPOLLOUT | EPOLLHUP);
	return err;
}

/* ---- options and ioctls ------------------------------------------------------------------------------------------- */

/* Options of SOL_SOCKET that are the Sentry's own. */
static bool is_ours(int name)
{
	return name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW || name == SO_SNDTIMEO_OLD || name == SO_SNDTIMEO_NEW ||
	       name == SO_TYPE || name == SO_DOMAIN || name == SO_PROTOCOL || name == SO_PASSCRED;
}

static int host_setsockopt(struct socket *s, int level, int name, const void *val, uint32_t len)
{
	int v[2] = {0, 0};
	if (level == SOL_SOCKET && is_ours(name))
		return -ENOPROTOOPT;
	memcpy(v, val, MIN(len, (uint32_t)sizeof(v)));
	if (level == SOL_SOCKET && (name == SO_SNDBUFFORCE || name == SO_RCVBUFFORCE)) {
		if (!capable(CAP_NET_ADMIN))
			return -EPERM;
		name = name == SO_SNDBUFFORCE ? SO_SNDBUF : SO_RCVBUF; /* as far as the host's limit goes */
	}
	if (level == SOL_SOCKET && name == SO_LINGER && len >= sizeof(v)) {
		s->linger_on = v[0] != 0;
		s->linger_sec = v[1];
		v[0] = s->linger_on && !s->linger_sec; /* only the close that resets is the host's to do */
		v[1] = 0;
		val = v;
		len = sizeof(v);
	}
	int err = (int)hostcall5(HC_NET_SETSOCKOPT, host_sock_of(s)->num, level, name, val, len);
	if (!err && level == SOL_SOCKET && name == SO_RCVLOWAT)
		s->rcvlowat = v[0] < 0 ? INT32_MAX : MAX(v[0], 1);
	return err;
}

static int host_getsockopt(struct socket *s, int level, int name, void *val, uint32_t *len)
{
	if (level == SOL_SOCKET && (is_ours(name) || name == SO_LINGER))
		return -ENOPROTOOPT;
	int64_t n = hostcall5(HC_NET_GETSOCKOPT, host_sock_of(s)->num, level, name, val, *len);
	if (n < 0)
		return n == -ENOPROTOOPT && level == SOL_SOCKET ? -ENOPROTOOPT : (int)n;
	*len = MIN((uint32_t)n, *len);
	return 0;
}

static int64_t host_ioctl(struct socket *s, uint32_t cmd, uint64_t arg)
{
	int n = 0;
	if (cmd != FIONREAD && cmd != SIOCOUTQ && cmd != SIOCATMARK)
		return -ENOTTY;
	int64_t r = hostcall4(HC_NET_IOCTL, host_sock_of(s)->num, cmd, &n, sizeof(n));
	return r < 0 ? r : copy_out(uva(arg), &n, sizeof(n)) ? -EFAULT : 0;
}

int64_t host_net_ioctl(uint32_t cmd, void *buf, uint32_t len)
{
	struct host_sock *h = READ_ONCE(host_socks.asker);
	if (!h) {
		struct socket *s;
		int err = host_sock_create(AF_INET, SOCK_DGRAM, 0, &s);
		if (err)
			return err;
		h = host_sock_of(s);
		spin_lock(&host_socks.lock);
		bool first = !host_socks.asker;
		if (first)
			host_socks.asker = h;
		spin_unlock(&host_socks.lock);
		if (!first)
			host_release(s);
	}
	return hostcall4(HC_NET_IOCTL, READ_ONCE(host_socks.asker)->num, cmd, buf, len);
}

/* ---- what /proc/net shows ------------------------------------------------------------------------------------------- */

static uint16_t put_name(uint32_t num, bool peer, int family, uint8_t *addr)
{
	struct hc_sockaddr name;
	uint16_t port;
	memset(addr, 0, 16);
	if (hostcall3(HC_NET_GETNAME, num, peer, &name) < 0 || name.len < 16)
		return 0;
	memcpy(&port, name.data + 2, sizeof(port));
	if (family == AF_INET)
		memcpy(addr, name.data + 4, 4);
	else if (name.len >= 24)
		memcpy(addr, name.data + 8, 16);
	return __builtin_bswap16(port);
}

static void put_line(uint32_t num, int family, int type, uint64_t ino, uint32_t uid, struct sock_line *l)
{
	uint8_t info[8] = {0};
	int queued = 0;
	*l = (struct sock_line){.family = (uint8_t)family, .state = 7, .ino = ino, .uid = uid};
	l->local_port = put_name(num, false, family, l->local);
	l->remote_port = put_name(num, true, family, l->remote);
	if (type == SOCK_STREAM && hostcall5(HC_NET_GETSOCKOPT, num, IPPROTO_TCP_, 11 /* TCP_INFO */, info, sizeof(info)) > 0)
		l->state = info[0];
	else if (type == SOCK_DGRAM && l->remote_port)
		l->state = 1;
	if (hostcall4(HC_NET_IOCTL, num, FIONREAD, &queued, sizeof(queued)) > 0)
		l->rx_queue = (uint32_t)queued;
}

uint32_t host_sock_lines(int family, int type, struct sock_line *out, uint32_t max)
{
	uint32_t n = 0;
	for (uint32_t num = 0; num < CHUNKS * CHUNK; num++) {
		spin_lock(&host_socks.lock);
		struct host_sock **slot = slot_of(num), *h = slot ? *slot : NULL;
		bool wanted = h && h != host_socks.asker && h->s.family == family && h->s.type == type && h->s.protocol != IPPROTO_ICMP_;
		uint64_t ino = h ? h->s.ino : 0;
		uint32_t uid = h ? h->uid : 0;
		spin_unlock(&host_socks.lock);
		if (!slot)
			num |= CHUNK - 1; /* the rest of the chunk is not there either */
		if (!wanted)
			continue;
		if (n < max)
			put_line(num, family, type, ino, uid, &out[n]);
		n++;
		cond_resched();
	}
	return n;
}

static const struct socket_ops host_ops = {
	.bind = host_bind,
	.connect = host_connect,
	.listen = host_listen,
	.accept = host_accept,
	.getname = host_getname,
	.sendmsg = host_sock_sendmsg,
	.recvmsg = host_sock_recvmsg,
	.shutdown = host_shutdown,
	.poll = host_poll,
	.ioctl = host_ioctl,
	.setsockopt = host_setsockopt,
	.getsockopt = host_getsockopt,
	.release = host_release,
	.owner_set = host_owner_set,
};
