/* SPDX-License-Identifier: Apache-2.0 */
/* Ipc namespaces: life (see ipc_ns.h). */
#include "ipc/ipc_ns.h"

#include "mm/page.h"
#include "task/user_ns.h"

struct ipc_ns init_ipc_ns = {.ns = NS_STATIC(NS_IPC, 0xf0000097u, &init_user_ns),
	.sem_undos = LIST_INIT(init_ipc_ns.sem_undos), .mq_lock = MUTEX_INIT(init_ipc_ns.mq_lock)};

struct ipc_ns *ipc_ns_create(struct user_ns *owner)
{
	struct ipc_ns *ns = kzalloc(sizeof(*ns));

	if (!ns)
		return ERR_PTR(-ENOMEM);
	int err = ns_init(&ns->ns, NS_IPC, owner);
	if (err) {
		kfree(ns);
		return ERR_PTR(err);
	}
	list_init(&ns->sem_undos);
	mutex_init(&ns->mq_lock);
	return ns;
}

void ipc_ns_free(struct ipc_ns *ns)
{
	shm_ns_exit(ns);
	sem_ns_exit(ns);
	msg_ns_exit(ns);
	mount_put(ns->mq_mount);
	kfree(ns);
}
