// SPDX-License-Identifier: Apache-2.0
/*
 * The lists of --network=host: kinds of sockets, options, ioctls, control data and netlink requests.
 *
 * Left out on purpose: whatever loads programs into the host's kernel (SO_ATTACH_*), changes tables (netfilter, multicast
 * routing, netlink requests other than RTM_GET*), or hands out descriptors (SO_PEERPIDFD).
 */
#include "vmm/net_check.h"

#include <asm/ioctls.h>
#include <linux/if.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <string.h>
#include <sys/socket.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#ifndef SOL_TCP
#define SOL_TCP IPPROTO_TCP
#endif
#ifndef SOL_UDP
#define SOL_UDP IPPROTO_UDP
#endif
#ifndef TCP_INQ
#define TCP_INQ 36
#endif

const struct net_kind net_kinds[] = {
	{ AF_INET, SOCK_STREAM, IPPROTO_TCP },  { AF_INET6, SOCK_STREAM, IPPROTO_TCP },
	{ AF_INET, SOCK_DGRAM, IPPROTO_UDP },   { AF_INET6, SOCK_DGRAM, IPPROTO_UDP },
	{ AF_INET, SOCK_DGRAM, IPPROTO_ICMP },  { AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6 }, /* where ping_group_range permits */
	{ AF_NETLINK, SOCK_RAW, NETLINK_ROUTE },
};
const unsigned net_kinds_count = COUNT(net_kinds);

enum { GET = 1, SET = 2, BOTH = 3 };

static const struct {
	uint16_t level, name, size; /* size: bytes at most */
	uint8_t how;
} options[] = {
	{ SOL_SOCKET, SO_ERROR, 4, GET },
	{ SOL_SOCKET, SO_ACCEPTCONN, 4, GET },
	{ SOL_SOCKET, SO_REUSEADDR, 4, BOTH },
	{ SOL_SOCKET, SO_REUSEPORT, 4, BOTH },
	{ SOL_SOCKET, SO_KEEPALIVE, 4, BOTH },
	{ SOL_SOCKET, SO_BROADCAST, 4, BOTH },
	{ SOL_SOCKET, SO_DONTROUTE, 4, BOTH },
	{ SOL_SOCKET, SO_OOBINLINE, 4, BOTH },
	{ SOL_SOCKET, SO_SNDBUF, 4, BOTH },
	{ SOL_SOCKET, SO_RCVBUF, 4, BOTH },
	{ SOL_SOCKET, SO_RCVLOWAT, 4, BOTH },
	{ SOL_SOCKET, SO_SNDLOWAT, 4, GET },
	{ SOL_SOCKET, SO_LINGER, 8, BOTH },
	{ SOL_SOCKET, SO_PRIORITY, 4, BOTH },
	{ SOL_SOCKET, SO_TIMESTAMP, 4, BOTH },
	{ SOL_SOCKET, SO_TIMESTAMPNS, 4, BOTH },
	{ SOL_SOCKET, SO_NO_CHECK, 4, BOTH },
	{ SOL_SOCKET, SO_RXQ_OVFL, 4, BOTH },
	{ SOL_SOCKET, SO_BINDTODEVICE, IFNAMSIZ, BOTH },
	{ SOL_SOCKET, SO_INCOMING_CPU, 4, BOTH },
	{ SOL_SOCKET, SO_BUSY_POLL, 4, GET },
	{ SOL_SOCKET, SO_MARK, 4, BOTH }, /* setting it needs privileges that this process lacks */
	{ SOL_SOCKET, SO_COOKIE, 8, GET },
	{ SOL_SOCKET, SO_MEMINFO, 36, GET },
	{ SOL_SOCKET, SO_MAX_PACING_RATE, 8, BOTH },
	{ IPPROTO_IP, IP_TOS, 4, BOTH },
	{ IPPROTO_IP, IP_TTL, 4, BOTH },
	{ IPPROTO_IP, IP_PKTINFO, 4, BOTH },
	{ IPPROTO_IP, IP_MTU_DISCOVER, 4, BOTH },
	{ IPPROTO_IP, IP_MTU, 4, GET },
	{ IPPROTO_IP, IP_RECVERR, 4, BOTH },
	{ IPPROTO_IP, IP_RECVTTL, 4, BOTH },
	{ IPPROTO_IP, IP_RECVTOS, 4, BOTH },
	{ IPPROTO_IP, IP_RECVORIGDSTADDR, 4, BOTH },
	{ IPPROTO_IP, IP_FREEBIND, 4, BOTH },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 4, BOTH },
	{ IPPROTO_IP, IP_MULTICAST_TTL, 4, BOTH },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, 4, BOTH },
	{ IPPROTO_IP, IP_MULTICAST_ALL, 4, BOTH },
	{ IPPROTO_IP, IP_MULTICAST_IF, sizeof(struct ip_mreqn), BOTH },
	{ IPPROTO_IP, IP_ADD_MEMBERSHIP, sizeof(struct ip_mreqn), SET },
	{ IPPROTO_IP, IP_DROP_MEMBERSHIP, sizeof(struct ip_mreqn), SET },
	{ IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, sizeof(struct ip_mreq_source), SET },
	{ IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, sizeof(struct ip_mreq_source), SET },
	{ IPPROTO_IP, MCAST_JOIN_GROUP, sizeof(struct group_req), SET },
	{ IPPROTO_IP, MCAST_LEAVE_GROUP, sizeof(struct group_req), SET },
	{ IPPROTO_IPV6, IPV6_V6ONLY, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_MULTICAST_IF, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_MULTICAST_ALL, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, sizeof(struct ipv6_mreq), SET },
	{ IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, sizeof(struct ipv6_mreq), SET },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_MTU, 4, GET },
	{ IPPROTO_IPV6, IPV6_RECVERR, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_TCLASS, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_FREEBIND, 4, BOTH },
	{ IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, 4, BOTH },
	{ IPPROTO_IPV6, MCAST_JOIN_GROUP, sizeof(struct group_req), SET },
	{ IPPROTO_IPV6, MCAST_LEAVE_GROUP, sizeof(struct group_req), SET },
	{ SOL_TCP, TCP_NODELAY, 4, BOTH },
	{ SOL_TCP, TCP_MAXSEG, 4, BOTH },
	{ SOL_TCP, TCP_CORK, 4, BOTH },
	{ SOL_TCP, TCP_KEEPIDLE, 4, BOTH },
	{ SOL_TCP, TCP_KEEPINTVL, 4, BOTH },
	{ SOL_TCP, TCP_KEEPCNT, 4, BOTH },
	{ SOL_TCP, TCP_SYNCNT, 4, BOTH },
	{ SOL_TCP, TCP_LINGER2, 4, BOTH },
	{ SOL_TCP, TCP_DEFER_ACCEPT, 4, BOTH },
	{ SOL_TCP, TCP_WINDOW_CLAMP, 4, BOTH },
	{ SOL_TCP, TCP_INFO, 256, GET },
	{ SOL_TCP, TCP_QUICKACK, 4, BOTH },
	{ SOL_TCP, TCP_CONGESTION, 16, BOTH },
	{ SOL_TCP, TCP_USER_TIMEOUT, 4, BOTH },
	{ SOL_TCP, TCP_FASTOPEN, 4, BOTH },
	{ SOL_TCP, TCP_FASTOPEN_CONNECT, 4, BOTH },
	{ SOL_TCP, TCP_THIN_LINEAR_TIMEOUTS, 4, BOTH },
	{ SOL_TCP, TCP_NOTSENT_LOWAT, 4, BOTH },
	{ SOL_TCP, TCP_INQ, 4, BOTH },
	{ SOL_UDP, UDP_CORK, 4, BOTH },
	{ SOL_UDP, UDP_SEGMENT, 4, BOTH },
	{ SOL_UDP, UDP_GRO, 4, BOTH },
	{ SOL_NETLINK, NETLINK_PKTINFO, 4, BOTH },
	{ SOL_NETLINK, NETLINK_EXT_ACK, 4, BOTH },
	{ SOL_NETLINK, NETLINK_CAP_ACK, 4, BOTH },
	{ SOL_NETLINK, NETLINK_GET_STRICT_CHK, 4, BOTH },
	{ SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, 4, SET },
	{ SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, 4, SET },
};

size_t net_option_size(int family, int level, int name, bool set)
{
	if ((family == AF_NETLINK) != (level == SOL_NETLINK) && level != SOL_SOCKET)
		return 0;
	for (unsigned i = 0; i < COUNT(options); i++)
		if (options[i].level == level && options[i].name == name)
			return options[i].how & (set ? SET : GET) ? options[i].size : 0;
	return 0;
}

const unsigned long net_ioctls[] = {
	FIONREAD, SIOCOUTQ, SIOCATMARK,
	/* All of these read an interface's properties into a struct ifreq. */
	SIOCGIFCONF, SIOCGIFNAME, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFDSTADDR, SIOCGIFBRDADDR, SIOCGIFNETMASK, SIOCGIFMETRIC,
	SIOCGIFMTU, SIOCGIFHWADDR, SIOCGIFINDEX, SIOCGIFTXQLEN, SIOCGIFMAP,
};
const unsigned net_ioctls_count = COUNT(net_ioctls);

size_t net_ioctl_size(unsigned long request)
{
	for (unsigned i = 0; i < COUNT(net_ioctls); i++)
		if (net_ioctls[i] == request)
			return i < 3 ? sizeof(int) : sizeof(struct ifreq);
	return 0;
}

static bool control_type_ok(int level, int type)
{
	switch (level) {
	case IPPROTO_IP:
		return type == IP_PKTINFO || type == IP_TTL || type == IP_TOS;
	case IPPROTO_IPV6:
		return type == IPV6_PKTINFO || type == IPV6_HOPLIMIT || type == IPV6_TCLASS;
	case SOL_UDP:
		return type == UDP_SEGMENT;
	}
	return false;
}

bool net_control_ok(const void *control, size_t len)
{
	const uint8_t *p = control;
	struct cmsghdr h;

	while (len >= sizeof(h)) {
		size_t step;

		memcpy(&h, p, sizeof(h));
		if (h.cmsg_len < sizeof(h) || h.cmsg_len > len || !control_type_ok(h.cmsg_level, h.cmsg_type))
			return false;
		step = CMSG_ALIGN(h.cmsg_len);
		if (step >= len)
			return true;
		p += step;
		len -= step;
	}
	return true;
}

size_t net_netlink_clip(void *data, size_t len)
{
	const size_t bare = NLMSG_LENGTH(sizeof(struct rtgenmsg));
	size_t off = 0;
	struct nlmsghdr h;

	while (len - off >= sizeof(h)) {
		memcpy(&h, (uint8_t *)data + off, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len - off)
			return off; /* where the host's kernel stops, too */
		/* Types come in fours: NEW, DEL, GET, SET. Those below RTM_BASE are NLMSG_NOOP and its kin. */
		if (h.nlmsg_type >= RTM_BASE && (h.nlmsg_type & 3) != 2) {
			if (h.nlmsg_len > bare)
				h.nlmsg_len = bare;
			memcpy((uint8_t *)data + off, &h, sizeof(h));
			return off + h.nlmsg_len;
		}
		if (NLMSG_ALIGN(h.nlmsg_len) >= len - off)
			return len;
		off += NLMSG_ALIGN(h.nlmsg_len);
	}
	return off;
}
