/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network namespaces (network_namespaces(7)). Each has a loopback of its own: ports, abstract AF_UNIX names. A socket
 * belongs to the namespace of the task that made it (an accepted one to its listener's) and holds a reference on it.
 * With --network=host the sockets of the initial one are the host's; all others have the loopback.
 */
#ifndef NET_NET_NS_H
#define NET_NET_NS_H

#include "lib/list.h"
#include "task/lock.h"
#include "task/namespace.h"

#define NET_PORT_BUCKETS 64 /* power of two */

struct net_ns {
	struct ns_common ns;
	spinlock_t ports_lock;
	struct list_node bucket[2][NET_PORT_BUCKETS]; /* struct inet_sock: TCP, UDP; by port; made at first use; ports_lock */
	uint32_t next_port;                           /* ephemeral port to try; ports_lock */
	struct list_node unix_names;                  /* abstract names; names_lock of unix_name.c */
};
extern struct net_ns init_net_ns; /* of the sandbox's containers: the one that --network speaks of */

/* ERR_PTR(-ENOMEM). */
struct net_ns *net_ns_create(struct user_ns *owner);
void net_ns_free(struct net_ns *ns);
static inline struct net_ns *net_ns_get(struct net_ns *ns)
{
	ns_get(&ns->ns);
	return ns;
}
static inline void net_ns_put(struct net_ns *ns) { ns_put(ns ? &ns->ns : NULL); }

#endif
