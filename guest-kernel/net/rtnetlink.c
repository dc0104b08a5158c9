// SPDX-License-Identifier: Apache-2.0
/* NETLINK_ROUTE on a namespace that has the loopback interface and nothing else (see netlink.h). */
#include <linux/fib_rules.h>
#include <linux/if_link.h>

#include "lib/string.h"
#include "net/netlink.h"
#include "task/task.h"
#include "task/user_ns.h"

#define ARPHRD_LOOPBACK 772
#define IFF_UP_         0x1u
#define LO_FLAGS        0x10049u /* IFF_UP, LOOPBACK, RUNNING, LOWER_UP */
#define LOOP4           0x0100007fu

static const uint8_t loop6[16] = {[15] = 1};

/* Who asked, and what for. */
struct query {
	struct nlbuf *out;
	uint32_t seq, pid;
	uint16_t flags;  /* of the answers */
	uint8_t family;  /* AF_UNSPEC: all */
};

static void attr_u32(struct nlbuf *b, uint16_t type, uint32_t v) { nlbuf_attr(b, type, &v, sizeof(v)); }
static void attr_u8(struct nlbuf *b, uint16_t type, uint8_t v) { nlbuf_attr(b, type, &v, sizeof(v)); }
static void attr_text(struct nlbuf *b, uint16_t type, const char *s) { nlbuf_attr(b, type, s, strlen(s) + 1); }

/* ---- what there is ------------------------------------------------------------------------------------------------ */

static void put_link(const struct query *q)
{
	static const uint8_t address[6];
	struct rtnl_link_stats64 stats = {0};
	struct ifinfomsg i = {.ifi_type = ARPHRD_LOOPBACK, .ifi_index = LO_INDEX, .ifi_flags = LO_FLAGS};
	struct nlbuf *b = q->out;
	size_t m = nlbuf_begin(b, RTM_NEWLINK, q->flags, q->seq, q->pid);
	nlbuf_put(b, &i, sizeof(i));
	attr_text(b, IFLA_IFNAME, "lo");
	attr_u32(b, IFLA_TXQLEN, 1000);
	attr_u8(b, IFLA_OPERSTATE, 0);
	attr_u8(b, IFLA_LINKMODE, 0);
	attr_u32(b, IFLA_MTU, LO_MTU);
	attr_u32(b, IFLA_GROUP, 0);
	attr_u32(b, IFLA_PROMISCUITY, 0);
	attr_u32(b, IFLA_NUM_TX_QUEUES, 1);
	attr_u32(b, IFLA_NUM_RX_QUEUES, 1);
	attr_u8(b, IFLA_CARRIER, 1);
	attr_text(b, IFLA_QDISC, "noqueue");
	nlbuf_attr(b, IFLA_ADDRESS, address, sizeof(address));
	nlbuf_attr(b, IFLA_BROADCAST, address, sizeof(address));
	nlbuf_attr(b, IFLA_STATS64, &stats, sizeof(stats));
	nlbuf_end(b, m);
}

static void put_address(const struct query *q, bool six)
{
	struct ifaddrmsg a = {.ifa_family = six ? AF_INET6 : AF_INET, .ifa_prefixlen = six ? 128 : 8, .ifa_flags = IFA_F_PERMANENT,
	                      .ifa_scope = RT_SCOPE_HOST, .ifa_index = LO_INDEX};
	struct ifa_cacheinfo life = {.ifa_prefered = UINT32_MAX, .ifa_valid = UINT32_MAX};
	struct nlbuf *b = q->out;
	size_t m = nlbuf_begin(b, RTM_NEWADDR, q->flags, q->seq, q->pid);
	nlbuf_put(b, &a, sizeof(a));
	if (six) {
		nlbuf_attr(b, IFA_ADDRESS, loop6, sizeof(loop6));
	} else {
		attr_u32(b, IFA_ADDRESS, LOOP4);
		attr_u32(b, IFA_LOCAL, LOOP4);
		attr_text(b, IFA_LABEL, "lo");
	}
	attr_u32(b, IFA_FLAGS, IFA_F_PERMANENT);
	nlbuf_attr(b, IFA_CACHEINFO, &life, sizeof(life));
	nlbuf_end(b, m);
}

static const struct route {
	uint8_t family, bits, table, type, scope;
	uint32_t dst; /* IPv4 */
} routes[] = {
	{AF_INET, 8, RT_TABLE_LOCAL, RTN_LOCAL, RT_SCOPE_HOST, 0x0000007f},
	{AF_INET, 32, RT_TABLE_LOCAL, RTN_LOCAL, RT_SCOPE_HOST, LOOP4},
	{AF_INET, 32, RT_TABLE_LOCAL, RTN_BROADCAST, RT_SCOPE_LINK, 0xffffff7f},
	{AF_INET6, 128, RT_TABLE_MAIN, RTN_UNICAST, RT_SCOPE_UNIVERSE, 0},
	{AF_INET6, 128, RT_TABLE_LOCAL, RTN_LOCAL, RT_SCOPE_UNIVERSE, 0},
};

static void put_route(const struct query *q, const struct route *r, uint32_t dst)
{
	struct rtmsg t = {.rtm_family = r->family, .rtm_dst_len = r->bits, .rtm_table = r->table, .rtm_protocol = RTPROT_KERNEL,
	                  .rtm_scope = r->scope, .rtm_type = r->type};
	struct nlbuf *b = q->out;
	size_t m = nlbuf_begin(b, RTM_NEWROUTE, q->flags, q->seq, q->pid);
	nlbuf_put(b, &t, sizeof(t));
	attr_u32(b, RTA_TABLE, r->table);
	if (r->family == AF_INET) {
		attr_u32(b, RTA_DST, dst);
		attr_u32(b, RTA_PREFSRC, LOOP4);
	} else {
		nlbuf_attr(b, RTA_DST, loop6, sizeof(loop6));
		attr_u32(b, RTA_PRIORITY, r->table == RT_TABLE_MAIN ? 256 : 0);
	}
	attr_u32(b, RTA_OIF, LO_INDEX);
	nlbuf_end(b, m);
}

static void put_rule(const struct query *q, uint8_t family, uint32_t priority, uint8_t table)
{
	struct fib_rule_hdr r = {.family = family, .table = table, .action = FR_ACT_TO_TBL};
	struct nlbuf *b = q->out;
	size_t m = nlbuf_begin(b, RTM_NEWRULE, q->flags, q->seq, q->pid);
	nlbuf_put(b, &r, sizeof(r));
	attr_u32(b, FRA_TABLE, table);
	attr_u32(b, FRA_SUPPRESS_PREFIXLEN, UINT32_MAX);
	attr_u8(b, FRA_PROTOCOL, RTPROT_KERNEL);
	if (priority)
		attr_u32(b, FRA_PRIORITY, priority);
	nlbuf_end(b, m);
}

static bool wants(const struct query *q, uint8_t family) { return !q->family || q->family == family; }

static int dump(uint16_t type, const struct query *q)
{
	switch (type) {
	case RTM_GETLINK:
		put_link(q);
		return 0;
	case RTM_GETADDR:
		if (wants(q, AF_INET))
			put_address(q, false);
		if (wants(q, AF_INET6))
			put_address(q, true);
		return 0;
	case RTM_GETROUTE:
		for (uint32_t i = 0; i < ARRAY_SIZE(routes); i++)
			if (wants(q, routes[i].family))
				put_route(q, &routes[i], routes[i].dst);
		return 0;
	case RTM_GETRULE:
		for (uint8_t f = AF_INET; f <= AF_INET6; f += AF_INET6 - AF_INET) {
			if (!wants(q, f))
				continue;
			put_rule(q, f, 0, RT_TABLE_LOCAL);
			put_rule(q, f, 32766, RT_TABLE_MAIN);
			if (f == AF_INET)
				put_rule(q, f, 32767, RT_TABLE_DEFAULT);
		}
		return 0;
	case RTM_GETNEIGH:
	case RTM_GETQDISC:
	case RTM_GETNEXTHOP:
		return 0;
	}
	return -EOPNOTSUPP;
}

/* ---- requests ---------------------------------------------------------------------------------------------------------- */

/* Is it lo that the message speaks of? */
static bool names_lo(const struct nlmsghdr *h, int index)
{
	size_t len;
	const char *name = nl_attr_find(h, sizeof(struct ifinfomsg), IFLA_IFNAME, &len);
	if (index)
		return index == LO_INDEX;
	if (!name)
		name = nl_attr_find(h, sizeof(struct ifinfomsg), IFLA_ALT_IFNAME, &len);
	return name && strnlen(name, len) == 2 && !memcmp(name, "lo", 2);
}

static int get_link(const struct nlmsghdr *h, const struct query *q)
{
	struct ifinfomsg i;
	size_t len;
	if (h->nlmsg_len < sizeof(*h) + sizeof(i))
		return -EINVAL;
	memcpy(&i, h + 1, sizeof(i));
	if (i.ifi_index < 0 || (!i.ifi_index && !nl_attr_find(h, sizeof(i), IFLA_IFNAME, &len) &&
	                        !nl_attr_find(h, sizeof(i), IFLA_ALT_IFNAME, &len)))
		return -EINVAL;
	if (!names_lo(h, i.ifi_index))
		return -ENODEV;
	put_link(q);
	return 0;
}

static int get_route(const struct nlmsghdr *h, const struct query *q)
{
	struct route r = {AF_INET, 32, RT_TABLE_LOCAL, RTN_LOCAL, RT_SCOPE_UNIVERSE, 0};
	struct rtmsg t;
	size_t len;
	if (h->nlmsg_len < sizeof(*h) + sizeof(t))
		return -EINVAL;
	memcpy(&t, h + 1, sizeof(t));
	const void *dst = nl_attr_find(h, sizeof(t), RTA_DST, &len);
	uint32_t four = 0;
	r.family = t.rtm_family;
	if (t.rtm_family == AF_INET && (!dst || len >= sizeof(four))) {
		if (dst)
			memcpy(&four, dst, sizeof(four));
		if ((four & 0xff) != 127)
			return -ENETUNREACH;
	} else if (t.rtm_family == AF_INET6 && dst && len >= sizeof(loop6)) {
		r.bits = 128;
		if (memcmp(dst, loop6, sizeof(loop6)))
			return -ENETUNREACH;
	} else {
		return t.rtm_family == AF_INET || t.rtm_family == AF_INET6 ? -EINVAL : -EOPNOTSUPP;
	}
	put_route(q, &r, four);
	return 0;
}

/* A change that asks for what is so already. */
static int change(const struct nlmsghdr *h)
{
	struct ifinfomsg i;
	struct ifaddrmsg a;
	size_t len;
	if ((h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_DELLINK) && h->nlmsg_len >= sizeof(*h) + sizeof(i)) {
		memcpy(&i, h + 1, sizeof(i));
		if (!names_lo(h, i.ifi_index))
			return h->nlmsg_type == RTM_NEWLINK && h->nlmsg_flags & NLM_F_CREATE ? -EOPNOTSUPP : -ENODEV;
		if (h->nlmsg_type == RTM_DELLINK)
			return -EOPNOTSUPP;
		return i.ifi_change && i.ifi_change != IFF_UP_ ? -EOPNOTSUPP : i.ifi_change && !(i.ifi_flags & IFF_UP_) ? -EOPNOTSUPP : 0;
	}
	if (h->nlmsg_type == RTM_NEWADDR && h->nlmsg_len >= sizeof(*h) + sizeof(a)) {
		memcpy(&a, h + 1, sizeof(a));
		const uint8_t *p = nl_attr_find(h, sizeof(a), IFA_LOCAL, &len);
		if (!p)
			p = nl_attr_find(h, sizeof(a), IFA_ADDRESS, &len);
		if (a.ifa_index != LO_INDEX)
			return -ENODEV;
		if (p && a.ifa_family == AF_INET && len == 4 && p[0] == 127)
			return 0;
		if (p && a.ifa_family == AF_INET6 && len == 16 && !memcmp(p, loop6, 16))
			return 0;
	}
	return -EOPNOTSUPP;
}

int rtnl_request(struct net_ns *net, const struct nlmsghdr *h, uint32_t pid, struct nlbuf *out, bool *more)
{
	struct query q = {.out = out, .seq = h->nlmsg_seq, .pid = pid};
	*more = false;
	if (h->nlmsg_type > RTM_MAX)
		return -EOPNOTSUPP;
	if (h->nlmsg_len < sizeof(*h) + 1)
		return 0;
	q.family = *(const uint8_t *)(h + 1);
	if ((h->nlmsg_type & 3) != 2) /* anything but RTM_GET* */
		return ns_capable(net->ns.user_ns, CAP_NET_ADMIN) ? change(h) : -EPERM;
	if (h->nlmsg_flags & NLM_F_DUMP) {
		q.flags = NLM_F_MULTI;
		int err = dump(h->nlmsg_type, &q);
		*more = !err;
		return err;
	}
	switch (h->nlmsg_type) {
	case RTM_GETLINK:
		return get_link(h, &q);
	case RTM_GETROUTE:
		return get_route(h, &q);
	}
	return -EOPNOTSUPP;
}

int rtnl_dump_loopback(uint16_t type, uint8_t family, struct nlbuf *out)
{
	return dump(type, &(struct query){.out = out, .flags = NLM_F_MULTI, .family = family});
}
