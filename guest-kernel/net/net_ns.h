/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network namespaces (network_namespaces(7)). Each has a loopback of its own: ports, abstract AF_UNIX names. A socket
 * belongs to the namespace of the task that made it (an accepted one to its listener's) and holds a reference on it.
 */
#ifndef NET_NET_NS_H
#define NET_NET_NS_H

#include "task/namespace.h"

struct net_ns {
	struct ns_common ns;
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
