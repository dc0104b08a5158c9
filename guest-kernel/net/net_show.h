/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc/net and /sys/class/net show. */
#ifndef NET_NET_SHOW_H
#define NET_NET_SHOW_H

#include "net/socket.h"

/* One interface of a namespace. */
struct net_dev {
	uint32_t index, flags, mtu, txqlen;
	uint16_t type;      /* ARPHRD_* */
	uint8_t operstate;  /* IF_OPER_* */
	char name[16];
	uint8_t hw[6];
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped, multicast,
	    collisions;
};
/* The first interface with an index of at least `from`: 0, -ENOENT, -errno. */
int net_dev_find(struct net_ns *net, uint32_t from, struct net_dev *out);
int net_dev_by_name(struct net_ns *net, const char *name, size_t len, struct net_dev *out);

/* One socket, as the tables of /proc/net tell it. */
struct sock_line {
	uint8_t family, state;
	uint8_t local[16], remote[16];     /* network order; IPv4 in the first four */
	uint16_t local_port, remote_port;  /* host order */
	uint32_t tx_queue, rx_queue, uid;
	uint64_t ino;
};
/* The sockets of a family and type, in a kmalloc'ed array of *n, or NULL (none, or no memory). */
struct sock_line *net_sock_lines(struct net_ns *net, int family, int type, uint32_t *n);
/* The two sources of it. Each adds at most max; the number that there are. */
uint32_t inet_sock_lines(struct net_ns *net, int family, int type, struct sock_line *out, uint32_t max);
uint32_t host_sock_lines(int family, int type, struct sock_line *out, uint32_t max);

#endif
