// SPDX-License-Identifier: Apache-2.0
/*
 * Hostcalls of the network family: sockets in the network namespace of this process, which is the container's
 * (--network=host). Without that flag every one is refused.
 *
 * All sockets are non-blocking. Addresses, options, control data for sending and netlink requests are copied once and
 * checked against the lists of net_options.c; payload moves between the host's kernel and guest RAM directly.
 */
#define _GNU_SOURCE
#include "vmm/hostcall.h"

#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/events.h"
#include "vmm/net_check.h"
#include "vmm/net_sockets.h"
#include "vmm/vmm_impl.h"

#define NETLINK_MAX 16384 /* bytes of one request */
#define IFCONF_MAX  64    /* interfaces that SIOCGIFCONF tells */

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif

_Static_assert(HC_SOCKADDR_MAX >= sizeof(struct sockaddr_storage), "every address fits");

static struct net_socket *get(uint64_t number)
{
	return vmm.cfg.host_network ? net_socket_get(number) : NULL;
}

int64_t hc_NET_SOCKET(struct vmm_vcpu *v, const uint64_t a[6])
{
	if (!vmm.cfg.host_network)
		return -EPERM;
	for (unsigned i = 0; i < net_kinds_count; i++) {
		const struct net_kind *k = &net_kinds[i];

		if ((uint64_t)k->family == a[0] && (uint64_t)k->type == a[1] && (uint64_t)k->protocol == a[2]) {
			int fd = socket(k->family, k->type | SOCK_NONBLOCK | SOCK_CLOEXEC, k->protocol);

			return fd < 0 ? -errno : net_socket_add(fd, k->family);
		}
	}
	return -EPROTONOSUPPORT;
}

int64_t hc_NET_CLOSE(struct vmm_vcpu *v, const uint64_t a[6]) { return net_socket_close(a[0]); }

/* An address of the socket's family, or AF_UNSPEC; of netlink only the host's kernel and our own groups. */
static int check_name(const struct net_socket *s, const void *addr, size_t len)
{
	struct sockaddr_nl nl;
	sa_family_t family;

	if (len < sizeof(family))
		return -EINVAL;
	memcpy(&family, addr, sizeof(family));
	if (s->family != AF_NETLINK)
		return family == AF_INET || family == AF_INET6 || family == AF_UNSPEC ? 0 : -EAFNOSUPPORT;
	if (len < sizeof(nl))
		return -EINVAL;
	memcpy(&nl, addr, sizeof(nl));
	return nl.nl_family == AF_NETLINK ? 0 : -EINVAL;
}

static int copy_name(const struct net_socket *s, uint64_t from, uint64_t len, struct sockaddr_storage *out)
{
	if (len > sizeof(*out))
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	return hc_copy_in(out, from, len) ? -EFAULT : check_name(s, out, len);
}

static bool to_other_process(const struct net_socket *s, const struct sockaddr_storage *name)
{
	struct sockaddr_nl nl;

	memcpy(&nl, name, sizeof(nl));
	return s->family == AF_NETLINK && (nl.nl_pid || nl.nl_groups);
}

static int64_t name_call(const uint64_t a[6], bool connecting)
{
	struct net_socket *s = get(a[0]);
	struct sockaddr_storage name;
	int64_t rc;

	if (!s)
		return -EBADF;
	rc = copy_name(s, a[1], a[2], &name);
	if (!rc && connecting && to_other_process(s, &name))
		rc = -EPERM;
	if (!rc && (connecting ? connect(s->fd, (void *)&name, a[2]) : bind(s->fd, (void *)&name, a[2])))
		rc = -errno;
	net_socket_put(s);
	return rc;
}

int64_t hc_NET_BIND(struct vmm_vcpu *v, const uint64_t a[6]) { return name_call(a, false); }
int64_t hc_NET_CONNECT(struct vmm_vcpu *v, const uint64_t a[6]) { return name_call(a, true); }

int64_t hc_NET_LISTEN(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct net_socket *s = get(a[0]);
	int64_t rc;

	if (!s)
		return -EBADF;
	rc = listen(s->fd, (int)a[1]) ? -errno : 0;
	net_socket_put(s);
	return rc;
}

int64_t hc_NET_ACCEPT(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct net_socket *s = get(a[0]);
	struct hc_sockaddr name = { 0 };
	socklen_t len = sizeof(name.data);
	int64_t rc;

	if (!s)
		return -EBADF;
	/* First, so that no connection is lost to a bad address. */
	if (hc_copy_out(a[1], &name, sizeof(name))) {
		net_socket_put(s);
		return -EFAULT;
	}
	rc = accept4(s->fd, (void *)name.data, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	name.len = len <= sizeof(name.data) ? len : sizeof(name.data);
	rc = rc < 0 ? -errno : net_socket_add((int)rc, s->family);
	if (rc >= 0 && hc_copy_out(a[1], &name, sizeof(name)))
		rc = net_socket_close(rc) ? -EBADF : -EFAULT; /* by a racing thread of a hostile Sentry */
	net_socket_put(s);
	return rc;
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static int copy_iov(const struct hc_msg *m, struct iovec *iov, bool send)
{
	struct hc_iov in[HC_IOV_MAX];

	if (m->niov > HC_IOV_MAX)
		return -EINVAL;
	if (hc_copy_in(in, m->iov, m->niov * sizeof(in[0])))
		return -EFAULT;
	for (unsigned i = 0; i < m->niov; i++) {
		iov[i].iov_len = in[i].len;
		iov[i].iov_base = send ? hc_io_range(in[i].addr, in[i].len) : hc_ram_range(in[i].addr, in[i].len);
		if (!iov[i].iov_base)
			return -EFAULT;
	}
	return 0;
}

/* A netlink request is looked at before it is sent, so what is sent is our own copy. */
static int64_t send_netlink(struct net_socket *s, struct msghdr *h, int flags)
{
	uint8_t *copy = malloc(NETLINK_MAX);
	struct iovec whole = { .iov_base = copy };
	int64_t rc = copy ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < h->msg_iovlen; i++) {
		if (h->msg_iov[i].iov_len > NETLINK_MAX - whole.iov_len) {
			rc = -EMSGSIZE;
		} else {
			memcpy(copy + whole.iov_len, h->msg_iov[i].iov_base, h->msg_iov[i].iov_len);
			whole.iov_len += h->msg_iov[i].iov_len;
		}
	}
	if (!rc && h->msg_control)
		rc = -EINVAL;
	h->msg_iov = &whole;
	h->msg_iovlen = 1;
	if (!rc) {
		size_t all = whole.iov_len;

		whole.iov_len = net_netlink_clip(copy, all);
		rc = sendmsg(s->fd, h, flags) < 0 ? -errno : (int64_t)all;
	}
	free(copy);
	return rc;
}

static int64_t send_message(struct net_socket *s, const struct hc_msg *m)
{
	const int allowed = MSG_OOB | MSG_DONTROUTE | MSG_EOR | MSG_MORE | MSG_CONFIRM | MSG_FASTOPEN;
	int flags = ((int)m->flags & allowed) | MSG_DONTWAIT | MSG_NOSIGNAL;
	struct sockaddr_storage name;
	struct iovec iov[HC_IOV_MAX];
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = m->niov };
	uint8_t control[1024];
	ssize_t rc = copy_iov(m, iov, s->family != AF_NETLINK);

	if (rc)
		return rc;
	if (m->name.len) {
		if (m->name.len > sizeof(name))
			return -EINVAL;
		memcpy(&name, m->name.data, m->name.len);
		rc = check_name(s, &name, m->name.len);
		if (rc)
			return rc;
		if (to_other_process(s, &name))
			return -EPERM;
		h.msg_name = &name;
		h.msg_namelen = m->name.len;
	}
	if (m->control_len) {
		if (m->control_len > sizeof(control) || hc_copy_in(control, m->control, m->control_len) ||
		    !net_control_ok(control, m->control_len))
			return -EINVAL;
		h.msg_control = control;
		h.msg_controllen = m->control_len;
	}
	if (s->family == AF_NETLINK)
		return send_netlink(s, &h, flags);
	rc = sendmsg(s->fd, &h, flags);
	return rc < 0 ? -errno : rc;
}

static int64_t receive_message(struct net_socket *s, struct hc_msg *m)
{
	const int allowed = MSG_OOB | MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE;
	struct iovec iov[HC_IOV_MAX];
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = m->niov };
	ssize_t rc = copy_iov(m, iov, false);

	if (rc)
		return rc;
	if (m->name.len) {
		h.msg_name = m->name.data;
		h.msg_namelen = sizeof(m->name.data);
	}
	if (m->control_len) {
		/* Written by the kernel, never read by us. Sockets of these families carry no descriptors. */
		h.msg_control = m->control_len <= HC_CONTROL_MAX ? hc_ram_range(m->control, m->control_len) : NULL;
		h.msg_controllen = m->control_len;
		if (!h.msg_control)
			return -EFAULT;
	}
	rc = recvmsg(s->fd, &h, ((int)m->flags & allowed) | MSG_DONTWAIT);
	if (rc < 0)
		return -errno;
	m->flags = h.msg_flags;
	m->control_len = h.msg_controllen;
	m->name.len = h.msg_namelen <= sizeof(m->name.data) ? h.msg_namelen : 0;
	return rc;
}

static int64_t message_call(const uint64_t a[6], bool send)
{
	struct net_socket *s = get(a[0]);
	struct hc_msg m;
	int64_t rc;

	if (!s)
		return -EBADF;
	if (hc_copy_in(&m, a[1], sizeof(m)))
		rc = -EFAULT;
	else
		rc = send ? send_message(s, &m) : receive_message(s, &m);
	if (rc >= 0 && !send && hc_copy_out(a[1], &m, sizeof(m)))
		rc = -EFAULT;
	net_socket_put(s);
	return rc;
}

int64_t hc_NET_SENDMSG(struct vmm_vcpu *v, const uint64_t a[6]) { return message_call(a, true); }
int64_t hc_NET_RECVMSG(struct vmm_vcpu *v, const uint64_t a[6]) { return message_call(a, false); }

/* ---- options, names, state ------------------------------------------------------------------------------------------ */

int64_t hc_NET_GETSOCKOPT(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct net_socket *s = get(a[0]);
	uint8_t val[256] = { 0 };
	socklen_t len = a[4] < sizeof(val) ? a[4] : sizeof(val);
	int64_t rc = 0;

	if (!s)
		return -EBADF;
	if (a[1] > INT32_MAX || a[2] > INT32_MAX || !net_option_size(s->family, a[1], a[2], false))
		rc = -ENOPROTOOPT;
	/* What is there already is part of the question for a few options. */
	if (!rc && len && hc_copy_in(val, a[3], len))
		rc = -EFAULT;
	if (!rc && getsockopt(s->fd, a[1], a[2], val, &len))
		rc = -errno;
	if (!rc && len && hc_copy_out(a[3], val, len))
		rc = -EFAULT;
	net_socket_put(s);
	return rc ? rc : len;
}

int64_t hc_NET_SETSOCKOPT(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct net_socket *s = get(a[0]);
	struct linger linger;
	uint8_t val[256] = { 0 };
	size_t len = 0;
	int64_t rc = 0;

	if (!s)
		return -EBADF;
	if (a[1] <= INT32_MAX && a[2] <= INT32_MAX)
		len = net_option_size(s->family, a[1], a[2], true);
	if (!len)
		rc = -ENOPROTOOPT;
	/* What is longer counts with its beginning, as Linux takes it. */
	len = a[4] < len ? a[4] : len;
	if (!rc && len && hc_copy_in(val, a[3], len))
		rc = -EFAULT;
	memcpy(&linger, val, sizeof(linger));
	/* A close that lingers would hold a vCPU up: only the one that resets is the host's. */
	if (!rc && a[1] == SOL_SOCKET && a[2] == SO_LINGER && (len != sizeof(linger) || (linger.l_onoff && linger.l_linger)))
		rc = -EINVAL;
	if (!rc && setsockopt(s->fd, a[1], a[2], val, len))
		rc = -errno;
	net_socket_put(s);
	return rc;
}

int64_t hc_NET_GETNAME(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct net_socket *s = get(a[0]);
	struct hc_sockaddr name = { 0 };
	socklen_t len = sizeof(name.data);
	int64_t rc;

	if (!s)
		return -EBADF;
	rc = a[1] ? getpeername(s->fd, (void *)name.data, &len) : getsockname(s->fd, (void *)name.data, &len);
	rc = rc ? -errno : 0;
	net_socket_put(s);
	name.len = len <= sizeof(name.data) ? len : sizeof(name.data);
	return rc ? rc : hc_copy_out(a[2], &name, sizeof(name));
}

int64_t hc_NET_SHUTDOWN(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct net_socket *s = get(a[0]);
	int64_t rc;

	if (!s)
		return -EBADF;
	rc = shutdown(s->fd, (int)a[1]) ? -errno : 0;
	net_socket_put(s);
	return rc;
}

static int64_t interfaces(int fd, uint64_t buf, uint64_t room)
{
	struct ifreq list[IFCONF_MAX];
	struct ifconf c = { .ifc_len = sizeof(list), .ifc_req = list };
	size_t n;

	memset(list, 0, sizeof(list));
	if (ioctl(fd, SIOCGIFCONF, &c))
		return -errno;
	n = (size_t)c.ifc_len < room ? (size_t)c.ifc_len : room;
	return hc_copy_out(buf, list, n) ? -EFAULT : (int64_t)n;
}

int64_t hc_NET_IOCTL(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct net_socket *s = get(a[0]);
	size_t size = net_ioctl_size(a[1]);
	union {
		struct ifreq req;
		int n;
	} arg = { .n = 0 };
	int64_t rc;

	if (!s)
		return -EBADF;
	if (!size)
		rc = -ENOTTY;
	else if (a[1] == SIOCGIFCONF)
		rc = interfaces(s->fd, a[2], a[3]);
	else if (a[3] != size || hc_copy_in(&arg, a[2], size))
		rc = -EINVAL;
	else if (ioctl(s->fd, a[1], &arg))
		rc = -errno;
	else
		rc = hc_copy_out(a[2], &arg, size) ? -EFAULT : (int64_t)size;
	net_socket_put(s);
	return rc;
}

int64_t hc_NET_WATCH(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct net_socket *s = get(a[0]);
	int64_t rc;

	if (!s)
		return -EBADF;
	rc = events_watch_net(s->fd, s->number);
	net_socket_put(s);
	return rc;
}

int64_t hc_NET_EVENTS(struct vmm_vcpu *v, const uint64_t a[6])
{
	events_collect_net(false);
	return 0;
}

int64_t hc_NET_POLL(struct vmm_vcpu *v, const uint64_t a[6])
{
	const short all = POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLRDHUP;
	struct net_socket *s = get(a[0]);
	struct pollfd p = { .events = all };
	int64_t rc;

	if (!s)
		return -EBADF;
	p.fd = s->fd;
	do /* a kick interrupts even a poll that does not wait */
		rc = poll(&p, 1, 0) < 0 ? -errno : (unsigned short)p.revents;
	while (rc == -EINTR);
	net_socket_put(s);
	return rc;
}
