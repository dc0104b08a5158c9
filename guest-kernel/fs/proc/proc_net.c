// SPDX-License-Identifier: Apache-2.0
/* /proc/net: interfaces, addresses, routes and sockets of the network namespace of the task whose directory it is in. */
#include <linux/rtnetlink.h>

#include "fs/proc/proc.h"
#include "lib/string.h"
#include "net/net_show.h"
#include "net/netlink.h"
#include "task/task.h"
#include "task/user_ns.h"

/* With a reference, or NULL. */
static struct net_ns *net_of(const struct pseudo_ref *ref)
{
	struct nsproxy *p = task_nsproxy(ref->task);
	struct net_ns *net = p ? net_ns_get(p->net) : NULL;
	nsproxy_put(p);
	return net;
}

/* ---- interfaces, addresses, routes -------------------------------------------------------------------------------- */

#define U(x) ((unsigned long long)(x))

static int show_dev(struct seq *s, const struct pseudo_ref *ref)
{
	struct net_ns *net = net_of(ref);
	struct net_dev d = {0};
	seq_puts(s, "Inter-|   Receive                                                |  Transmit\n"
	            " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
	            "carrier compressed\n");
	while (net && !net_dev_find(net, d.index + 1, &d))
		seq_printf(s, "%6s: %7llu %7llu %4llu %4llu %4u %5u %10u %9llu %8llu %7llu %4llu %4llu %4u %5llu %7u %10u\n", d.name,
		           U(d.rx_bytes), U(d.rx_packets), U(d.rx_errors), U(d.rx_dropped), 0u, 0u, 0u, U(d.multicast), U(d.tx_bytes),
		           U(d.tx_packets), U(d.tx_errors), U(d.tx_dropped), 0u, U(d.collisions), 0u, 0u);
	net_ns_put(net);
	return 0;
}

static void name_of(struct net_ns *net, uint32_t index, char name[16])
{
	struct net_dev d;
	strlcpy(name, "*", 16);
	if (index && !net_dev_find(net, index, &d) && d.index == index)
		strlcpy(name, d.name, 16);
}

static void show_one_route(struct seq *s, struct net_ns *net, const struct nlmsghdr *h)
{
	struct rtmsg r;
	char name[16];
	memcpy(&r, h + 1, sizeof(r));
	if (r.rtm_table != RT_TABLE_MAIN || r.rtm_type == RTN_BROADCAST || r.rtm_type == RTN_MULTICAST)
		return;
	uint32_t gateway = nl_attr_u32(h, sizeof(r), RTA_GATEWAY, 0);
	name_of(net, nl_attr_u32(h, sizeof(r), RTA_OIF, 0), name);
	unsigned flags = 1u | (gateway ? 2u : 0) | (r.rtm_dst_len == 32 ? 4u : 0); /* RTF_UP, GATEWAY, HOST */
	uint32_t mask = r.rtm_dst_len ? __builtin_bswap32(~0u << (32 - r.rtm_dst_len)) : 0;
	seq_printf(s, "%s\t%08X\t%08X\t%04X\t%d\t%u\t%u\t%08X\t%d\t%u\t%u\n", name, nl_attr_u32(h, sizeof(r), RTA_DST, 0), gateway,
	           flags, 0, 0u, nl_attr_u32(h, sizeof(r), RTA_PRIORITY, 0), mask, 0, 0u, 0u);
}

static void show_one_address(struct seq *s, struct net_ns *net, const struct nlmsghdr *h)
{
	struct ifaddrmsg a;
	size_t len;
	char name[16];
	memcpy(&a, h + 1, sizeof(a));
	const uint8_t *p = nl_attr_find(h, sizeof(a), IFA_ADDRESS, &len);
	if (!p || len < 16)
		return;
	for (int i = 0; i < 16; i++)
		seq_printf(s, "%02x", p[i]);
	name_of(net, a.ifa_index, name);
	/* Linux's own numbers of scopes: host 0x10, link 0x20. */
	unsigned scope = a.ifa_scope == RT_SCOPE_HOST ? 0x10 : a.ifa_scope == RT_SCOPE_LINK ? 0x20 : 0;
	seq_printf(s, " %02x %02x %02x %02x %8s\n", a.ifa_index, a.ifa_prefixlen, scope, a.ifa_flags & 0xffu, name);
}

/* Every message of a dump that answers with `type`. */
static void each(struct seq *s, const struct pseudo_ref *ref, uint16_t get, uint16_t type, uint8_t family,
                 void (*fn)(struct seq *s, struct net_ns *net, const struct nlmsghdr *h))
{
	struct net_ns *net = net_of(ref);
	struct nlbuf b = {0};
	const struct nlmsghdr *h;
	size_t off = 0;
	int err = net ? rtnl_dump(net, get, family, &b) : -ENOENT;
	while (!err && (h = nlbuf_next(&b, &off)))
		if (h->nlmsg_type == type && h->nlmsg_len >= sizeof(*h) + sizeof(struct rtmsg) - 4)
			fn(s, net, h);
	nlbuf_free(&b);
	net_ns_put(net);
}

static int show_route(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n");
	each(s, ref, RTM_GETROUTE, RTM_NEWROUTE, AF_INET, show_one_route);
	return 0;
}

static int show_if_inet6(struct seq *s, const struct pseudo_ref *ref)
{
	each(s, ref, RTM_GETADDR, RTM_NEWADDR, AF_INET6, show_one_address);
	return 0;
}

/* ---- sockets ------------------------------------------------------------------------------------------------------------ */

static void put_endpoint(struct seq *s, int family, const uint8_t *addr, uint16_t port)
{
	for (int i = 0; i < (family == AF_INET ? 1 : 4); i++) {
		uint32_t w;
		memcpy(&w, addr + 4 * i, sizeof(w));
		seq_printf(s, "%08X", w);
	}
	seq_printf(s, ":%04X ", port);
}

/* Lines of the IPv4 tables are padded to a fixed width. */
static void pad(struct seq *s, size_t start, size_t width)
{
	while (s->len - start < width && !s->failed)
		seq_puts(s, " ");
	seq_puts(s, "\n");
}

static int show_sockets(struct seq *s, const struct pseudo_ref *ref, int family, int type)
{
	bool tcp = type == SOCK_STREAM, four = family == AF_INET;
	size_t width = !four ? 0 : tcp ? 149 : 127, start = s->len;
	struct net_ns *net = net_of(ref);
	uint32_t n = 0;
	seq_printf(s, "%s  sl  %s st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode%s", !tcp && four ? " " : "",
	           four ? "local_address rem_address  " : "local_address                         remote_address                       ",
	           tcp ? "" : " ref pointer drops");
	pad(s, start, width);
	struct sock_line *l = net ? net_sock_lines(net, family, type, &n) : NULL;
	for (uint32_t i = 0; i < n; i++) {
		start = s->len;
		seq_printf(s, tcp ? "%4u: " : "%5u: ", i);
		put_endpoint(s, family, l[i].local, l[i].local_port);
		put_endpoint(s, family, l[i].remote, l[i].remote_port);
		seq_printf(s, "%02X %08X:%08X %02X:%08X %08X %5u %8d %llu %d %016x", l[i].state, l[i].tx_queue, l[i].rx_queue, 0, 0, 0,
		           kuid_out(l[i].uid), 0, U(l[i].ino), tcp ? 1 : 2, 0);
		seq_puts(s, tcp ? " 100 0 0 10 0" : " 0");
		pad(s, start, width);
	}
	kfree(l);
	net_ns_put(net);
	return 0;
}

static int show_tcp(struct seq *s, const struct pseudo_ref *ref) { return show_sockets(s, ref, AF_INET, SOCK_STREAM); }
static int show_tcp6(struct seq *s, const struct pseudo_ref *ref) { return show_sockets(s, ref, AF_INET6, SOCK_STREAM); }
static int show_udp(struct seq *s, const struct pseudo_ref *ref) { return show_sockets(s, ref, AF_INET, SOCK_DGRAM); }
static int show_udp6(struct seq *s, const struct pseudo_ref *ref) { return show_sockets(s, ref, AF_INET6, SOCK_DGRAM); }

static uint32_t count(struct net_ns *net, int family, int type)
{
	uint32_t n;
	kfree(net_sock_lines(net, family, type, &n));
	return n;
}

static int show_sockstat(struct seq *s, const struct pseudo_ref *ref)
{
	struct net_ns *net = net_of(ref);
	uint32_t tcp = net ? count(net, AF_INET, SOCK_STREAM) : 0, udp = net ? count(net, AF_INET, SOCK_DGRAM) : 0;
	seq_printf(s, "sockets: used %u\nTCP: inuse %u orphan 0 tw 0 alloc %u mem 0\nUDP: inuse %u mem 0\nUDPLITE: inuse 0\n"
	              "RAW: inuse 0\nFRAG: inuse 0 memory 0\n", tcp + udp, tcp, tcp, udp);
	net_ns_put(net);
	return 0;
}

static int show_unix(struct seq *s, const struct pseudo_ref *ref)
{
	struct net_ns *net = net_of(ref);
	if (net)
		unix_show(s, net);
	net_ns_put(net);
	return 0;
}

static int show_protocols(struct seq *s, const struct pseudo_ref *ref)
{
	static const char *const names[] = {"UNIX", "UDPv6", "TCPv6", "UDP", "TCP", "NETLINK"};
	seq_puts(s, "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re sp bi br ha uh gp em\n");
	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++)
		seq_printf(s, "%-9s 1024      0      -1   NI       0   yes  kernel      n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n\n",
		           names[i]);
	return 0;
}

/* Tables of what there is none of: their heads. */
static int show_arp(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "IP address       HW type     Flags       HW address            Mask     Device\n");
	return 0;
}

static int show_netlink(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n");
	return 0;
}

static int show_packet(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
	return 0;
}

static int show_raw(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n");
	return 0;
}

static int show_psched(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "000003e8 00000040 000f4240 3b9aca00\n");
	return 0;
}

const struct pseudo_entry proc_net_files[] = {
	{"arp", FILE_RO, .show = show_arp},
	{"dev", FILE_RO, .show = show_dev},
	{"if_inet6", FILE_RO, .show = show_if_inet6},
	{"netlink", FILE_RO, .show = show_netlink},
	{"packet", FILE_RO, .show = show_packet},
	{"protocols", FILE_RO, .show = show_protocols},
	{"psched", FILE_RO, .show = show_psched},
	{"raw", FILE_RO, .show = show_raw},
	{"route", FILE_RO, .show = show_route},
	{"sockstat", FILE_RO, .show = show_sockstat},
	{"tcp", FILE_RO, .show = show_tcp},
	{"tcp6", FILE_RO, .show = show_tcp6},
	{"udp", FILE_RO, .show = show_udp},
	{"udp6", FILE_RO, .show = show_udp6},
	{"unix", FILE_RO, .show = show_unix},
	{0},
};
