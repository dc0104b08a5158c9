/* SPDX-License-Identifier: Apache-2.0 */
/* Ipc namespaces: life (see ipc_ns.h). */
#include "ipc/ipc_ns.h"

#include "mm/page.h"
#include "task/user_ns.h"

struct ipc_ns init_ipc_ns = {.ns = NS_STATIC(NS_IPC, 0xefffffffu, &init_user_ns)};

struct ipc_ns *ipc_ns_create(struct user_ns *owner)
{
	struct ipc_ns *ns = kzalloc(sizeof(*ns));

	if (!ns)
		return ERR_PTR(-ENOMEM);
	ns_init(&ns->ns, NS_IPC, owner);
	return ns;
}

void ipc_ns_free(struct ipc_ns *ns)
{
	kfree(ns);
}
