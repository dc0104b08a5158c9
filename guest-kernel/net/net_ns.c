/* SPDX-License-Identifier: Apache-2.0 */
/* Network namespaces: life (see net_ns.h). */
#include "net/net_ns.h"

#include "mm/page.h"
#include "task/user_ns.h"

struct net_ns init_net_ns = {.ns = NS_STATIC(NS_NET, 0xf0000098u, &init_user_ns),
	.unix_names = LIST_INIT(init_net_ns.unix_names)};

struct net_ns *net_ns_create(struct user_ns *owner)
{
	struct net_ns *ns = kzalloc(sizeof(*ns));

	if (!ns)
		return ERR_PTR(-ENOMEM);
	int err = ns_init(&ns->ns, NS_NET, owner);
	if (err) {
		kfree(ns);
		return ERR_PTR(err);
	}
	list_init(&ns->unix_names);
	return ns;
}

void net_ns_free(struct net_ns *ns)
{
	kfree(ns);
}
