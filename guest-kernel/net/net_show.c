// SPDX-License-Identifier: Apache-2.0
/* Interfaces and sockets of a namespace, for files that show them (see net_show.h). */
#include "net/net_show.h"

#include <linux/if_link.h>

#include "boot/boot.h"
#include "lib/string.h"
#include "net/netlink.h"

#define TCP_LISTEN_STATE 10

static void read_link(const struct nlmsghdr *h, struct net_dev *d)
{
	const size_t skip = sizeof(struct ifinfomsg);
	struct rtnl_link_stats64 st = {0};
	struct ifinfomsg i;
	size_t len;
	memset(d, 0, sizeof(*d));
	memcpy(&i, h + 1, sizeof(i));
	d->index = (uint32_t)i.ifi_index;
	d->flags = i.ifi_flags;
	d->type = i.ifi_type;
	const void *p = nl_attr_find(h, skip, IFLA_IFNAME, &len);
	if (p)
		memcpy(d->name, p, MIN(len, sizeof(d->name) - 1));
	p = nl_attr_find(h, skip, IFLA_ADDRESS, &len);
	if (p)
		memcpy(d->hw, p, MIN(len, sizeof(d->hw)));
	p = nl_attr_find(h, skip, IFLA_OPERSTATE, &len);
	if (p && len)
		d->operstate = *(const uint8_t *)p;
	p = nl_attr_find(h, skip, IFLA_STATS64, &len);
	if (p)
		memcpy(&st, p, MIN(len, sizeof(st)));
	d->mtu = nl_attr_u32(h, skip, IFLA_MTU, 0);
	d->txqlen = nl_attr_u32(h, skip, IFLA_TXQLEN, 0);
	d->rx_packets = st.rx_packets;
	d->tx_packets = st.tx_packets;
	d->rx_bytes = st.rx_bytes;
	d->tx_bytes = st.tx_bytes;
	d->rx_errors = st.rx_errors;
	d->tx_errors = st.tx_errors;
	d->rx_dropped = st.rx_dropped;
	d->tx_dropped = st.tx_dropped;
	d->multicast = st.multicast;
	d->collisions = st.collisions;
}

/* The interface with the lowest index among those from `from` on that have the name (NULL: any). */
static int find(struct net_ns *net, uint32_t from, const char *name, size_t len, struct net_dev *out)
{
	struct nlbuf b = {0};
	int err = rtnl_dump(net, RTM_GETLINK, AF_UNSPEC, &b);
	const struct nlmsghdr *h;
	struct net_dev d;
	size_t off = 0;
	bool found = false;
	while (!err && (h = nlbuf_next(&b, &off))) {
		if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < sizeof(*h) + sizeof(struct ifinfomsg))
			continue;
		read_link(h, &d);
		if (d.index < from || (found && d.index >= out->index))
			continue;
		if (name && (strlen(d.name) != len || memcmp(d.name, name, len)))
			continue;
		*out = d;
		found = true;
	}
	nlbuf_free(&b);
	return err ? err : found ? 0 : -ENOENT;
}

int net_dev_find(struct net_ns *net, uint32_t from, struct net_dev *out)
{
	return find(net, from, NULL, 0, out);
}

int net_dev_by_name(struct net_ns *net, const char *name, size_t len, struct net_dev *out)
{
	return find(net, 0, name, len, out);
}

static uint32_t lines(struct net_ns *net, int family, int type, struct sock_line *out, uint32_t max)
{
	bool host = boot.host_network && net == &init_net_ns;
	return host ? host_sock_lines(family, type, out, max) : inet_sock_lines(net, family, type, out, max);
}

struct sock_line *net_sock_lines(struct net_ns *net, int family, int type, uint32_t *n)
{
	uint32_t max = lines(net, family, type, NULL, 0) + 16;
	struct sock_line *out = kmalloc(max * sizeof(*out));
	*n = out ? MIN(lines(net, family, type, out, max), max) : 0;
	/* Linux tells of listeners first. */
	for (uint32_t i = 0, first = 0; i < *n && type == SOCK_STREAM; i++) {
		struct sock_line l = out[i];
		if (l.state != TCP_LISTEN_STATE)
			continue;
		out[i] = out[first];
		out[first++] = l;
	}
	return out;
}
