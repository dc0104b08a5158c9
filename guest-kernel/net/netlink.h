/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_NETLINK (netlink(7), rtnetlink(7)): sockets, messages, and what the loopback interface answers.
 *
 * NETLINK_ROUTE tells of the interface lo, its addresses, routes and rules; changes are accepted where they ask for what
 * is so already (lo up, its addresses), else refused. NETLINK_KOBJECT_UEVENT is silent. Nothing is ever multicast.
 * With --network=host the initial namespace's NETLINK_ROUTE sockets are the host's (host_sock.c).
 */
#ifndef NET_NETLINK_H
#define NET_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "net/socket.h"

#define NL_ALIGN(n) (((n) + 3) & ~3UL)
#define LO_INDEX 1
#define LO_MTU   65536

/* A growing series of messages. */
struct nlbuf {
	uint8_t *data;
	size_t len, cap;
	bool failed; /* memory ran out */
};
void nlbuf_free(struct nlbuf *b);
/* A message: begin, its parts (each padded to four bytes), end. The offset names it. */
size_t nlbuf_begin(struct nlbuf *b, uint16_t type, uint16_t flags, uint32_t seq, uint32_t pid);
void nlbuf_put(struct nlbuf *b, const void *data, size_t len);
void nlbuf_attr(struct nlbuf *b, uint16_t type, const void *data, size_t len);
void nlbuf_end(struct nlbuf *b, size_t msg);
/* The next message from *off on, whole and inside the buffer, or NULL. */
const struct nlmsghdr *nlbuf_next(const struct nlbuf *b, size_t *off);
/* The attribute of a type among those that follow a fixed part of skip bytes; *len is its length. */
const void *nl_attr_find(const struct nlmsghdr *h, size_t skip, uint16_t type, size_t *len);
uint32_t nl_attr_u32(const struct nlmsghdr *h, size_t skip, uint16_t type, uint32_t otherwise);

int netlink_create(int type, int protocol, struct socket **out);

/* rtnetlink.c: answers one request of the caller's namespace into `out`; 0 or -errno. *more: NLMSG_DONE shall follow. */
int rtnl_request(struct net_ns *net, const struct nlmsghdr *h, uint32_t pid, struct nlbuf *out, bool *more);
/* A dump of the loopback, without NLMSG_DONE. */
int rtnl_dump_loopback(uint16_t type, uint8_t family, struct nlbuf *out);
/* What a dump of type (RTM_GET*) tells of a namespace: messages without NLMSG_DONE. In the initial one with
 * --network=host they are the host's. 0 or -errno. */
int rtnl_dump(struct net_ns *net, uint16_t type, uint8_t family, struct nlbuf *out);

#endif
