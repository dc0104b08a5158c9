// SPDX-License-Identifier: Apache-2.0
/* /proc/net: the tables of the network, of which this kernel has the loopback interface and AF_UNIX. */
#include "fs/proc/proc.h"

#include "net/socket.h"

static int show_dev(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "Inter-|   Receive                                                |  Transmit\n"
	            " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
	            "carrier compressed\n"
	            "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n");
	return 0;
}

static int show_sockets(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n");
	return 0;
}

static int show_route(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n");
	return 0;
}

static int show_unix(struct seq *s, const struct pseudo_ref *ref)
{
	unix_show(s);
	return 0;
}

static int show_if_inet6(struct seq *s, const struct pseudo_ref *ref)
{
	return 0;
}

static int show_protocols(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re sp bi br ha uh gp em\n"
	            "UNIX      1024      0      -1   NI       0   yes  kernel      n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n\n");
	return 0;
}

const struct pseudo_entry proc_net_files[] = {
	{"dev", FILE_RO, .show = show_dev},
	{"if_inet6", FILE_RO, .show = show_if_inet6},
	{"protocols", FILE_RO, .show = show_protocols},
	{"route", FILE_RO, .show = show_route},
	{"tcp", FILE_RO, .show = show_sockets},
	{"tcp6", FILE_RO, .show = show_sockets},
	{"udp", FILE_RO, .show = show_sockets},
	{"udp6", FILE_RO, .show = show_sockets},
	{"unix", FILE_RO, .show = show_unix},
	{0},
};
