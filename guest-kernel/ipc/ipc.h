/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V IPC objects: keys, ids, permissions (sysvipc(7)), shared by shm, sem and msg.
 *
 * Each kind has one table per ipc namespace with one spinlock. An object is found by id under the lock, which also
 * protects everything in it; operations that sleep drop the lock and look the object up again (EIDRM when it is gone).
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include <linux/ipc.h>

#include "lib/list.h"
#include "task/lock.h"

#define IPC_MAX_OBJECTS 4096
#define IPC_SEQ_STEP    32768

struct ipc_object {
	int id, key;
	uint32_t uid, gid, cuid, cgid, mode;
	uint32_t seq;
};

struct ipc_table {
	spinlock_t lock;
	struct ipc_object **slot;                 /* IPC_MAX_OBJECTS of them, made by the first insertion; lock */
	uint32_t next_seq;                        /* lock */
};

/* struct ipc64_perm of the x86-64 ABI */
struct ipc64_perm_ {
	int32_t key;
	uint32_t uid, gid, cuid, cgid, mode;
	uint16_t seq, pad2;
	uint32_t pad3;
	uint64_t unused[2];
};

/* All of these: caller holds the table's lock. */
struct ipc_object *ipc_find(struct ipc_table *t, int id);         /* or ERR_PTR(-EINVAL) */
struct ipc_object *ipc_at(struct ipc_table *t, int index);        /* by slot, for *_STAT; NULL */
int ipc_highest(const struct ipc_table *t);                       /* highest used slot, or 0 */
int ipc_insert(struct ipc_table *t, struct ipc_object *o, int key, uint32_t mode); /* id or -ENOSPC */
void ipc_remove(struct ipc_table *t, struct ipc_object *o);
/* want: S_IRUGO-like bits (0444 read, 0222 write). 0 or -EACCES. */
int ipc_permission(const struct ipc_object *o, uint32_t want);
/* IPC_SET, IPC_RMID: owner, creator or CAP_SYS_ADMIN. 0 or -EPERM. */
int ipc_owner(const struct ipc_object *o);
void ipc_perm_out(const struct ipc_object *o, struct ipc64_perm_ *p);
/* -EINVAL: ids without a meaning here. */
int ipc_perm_set(struct ipc_object *o, const struct ipc64_perm_ *p) MUST_CHECK;
/* The common part of *get(2): finds or decides to create. 0 with *o set or NULL (create), or -errno. */
int ipc_get(struct ipc_table *t, int key, int flags, struct ipc_object **o);

/* Contents of /proc/sysvipc. */
struct seq;
void shm_show(struct seq *s);
void sem_show(struct seq *s);
void msg_show(struct seq *s);

/* sem.c, at exit: applies SEM_UNDO adjustments of the current process. */
void sem_exit(void);

#endif
