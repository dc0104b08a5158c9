/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ipc namespaces (ipc_namespaces(7)): System V objects and POSIX message queues of their own.
 *
 * What lives in a namespace points to it without a reference: the namespace removes it at its end. Attached segments
 * and open queues hold the namespace by a reference of their file or super block.
 */
#ifndef IPC_IPC_NS_H
#define IPC_IPC_NS_H

#include "ipc/ipc.h"
#include "fs/vfs.h"
#include "task/namespace.h"

struct ipc_ns {
	struct ns_common ns;
	struct ipc_table shm, sem, msg;
	uint64_t shm_pages;          /* of all segments; shm.lock */
	struct list_node sem_undos;  /* sem.lock */
	struct mutex mq_lock;        /* of the creation of */
	struct mount *mq_mount;      /* the mqueue file system, from its first use on; a reference */
};
extern struct ipc_ns init_ipc_ns;

/* ERR_PTR(-ENOMEM). */
struct ipc_ns *ipc_ns_create(struct user_ns *owner);
/* Removes what is in it; may sleep. */
void ipc_ns_free(struct ipc_ns *ns);

/* shm.c, sem.c, msg.c: removes everything at the end of a namespace, which nobody can reach any more. */
void shm_ns_exit(struct ipc_ns *ns);
void sem_ns_exit(struct ipc_ns *ns);
void msg_ns_exit(struct ipc_ns *ns);

#endif
