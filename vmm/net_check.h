/* SPDX-License-Identifier: Apache-2.0 */
/* What the Sentry may ask of host sockets: lists of what is allowed, everything else is refused (--network=host). */
#ifndef VMM_NET_CHECK_H
#define VMM_NET_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_kind {
	int family, type, protocol;
};
/* The kinds of sockets there are; also the system-call filter's list. */
extern const struct net_kind net_kinds[];
extern const unsigned net_kinds_count;

/* Bytes at most of an option's value that may be read (or set); 0: refused. */
size_t net_option_size(int family, int level, int name, bool set);
/* Requests of NET_IOCTL: the size of their argument, 0 if refused. SIOCGIFCONF is one with an argument of its own. */
extern const unsigned long net_ioctls[];
extern const unsigned net_ioctls_count;
size_t net_ioctl_size(unsigned long request);
/* Is it all control data that may be sent, and well-formed? */
bool net_control_ok(const void *control, size_t len);
/* How much of a series of netlink requests may be sent: all up to the first that is not a question (RTM_GET*). Of that
 * one the bare head goes, which the host's kernel refuses (this process has no CAP_NET_ADMIN) and so answers as Linux. */
size_t net_netlink_clip(void *data, size_t len);

#endif
