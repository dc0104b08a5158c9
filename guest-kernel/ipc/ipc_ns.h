/* SPDX-License-Identifier: Apache-2.0 */
/* Ipc namespaces (ipc_namespaces(7)): System V objects and POSIX message queues of their own. */
#ifndef IPC_IPC_NS_H
#define IPC_IPC_NS_H

#include "task/namespace.h"

struct ipc_ns {
	struct ns_common ns;
};
extern struct ipc_ns init_ipc_ns;

/* ERR_PTR(-ENOMEM). */
struct ipc_ns *ipc_ns_create(struct user_ns *owner);
/* Removes what is in it; may sleep. */
void ipc_ns_free(struct ipc_ns *ns);

#endif
