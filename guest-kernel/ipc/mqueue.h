/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX message queues (mq_overview(7)): mqueue.c has the queues themselves, mqueue_fs.c their file system, names and
 * quotas, sys_mqueue.c the system calls.
 *
 * A queue belongs to an inode of its ipc namespace's mqueue file system (inode->private) and lives as long as it. queue->lock
 * protects its contents; it is taken below no other lock but wait queues'.
 */
#ifndef IPC_MQUEUE_H
#define IPC_MQUEUE_H

#include "fs/vfs.h"
#include "lib/rbtree.h"
#include "task/wait_queue.h"

#define MQ_PRIO_MAX_ 32768u

struct process;

struct mq_message {
	struct rb_node node;
	uint32_t prio;
	uint64_t seq; /* order among equal priorities */
	size_t len;
	uint8_t data[];
};

/* Who gets told when a message arrives at the empty queue, once. */
struct mq_notice {
	struct process *owner; /* a reference, or NULL: nobody */
	int kind, signo;       /* SIGEV_SIGNAL or SIGEV_NONE */
	uint64_t value;
};

struct mqueue {
	spinlock_t lock;
	struct rb_root messages;            /* highest priority first, then oldest; lock */
	uint64_t next_seq, count, bytes;    /* lock */
	uint64_t max_messages, max_bytes;   /* immutable */
	struct list_node receivers, senders;/* struct mq_waiter in order of arrival; lock */
	struct wait_queue pollers;
	struct mq_notice notice;            /* lock */
	uint32_t uid;                       /* whose quota pays; immutable */
	uint64_t charged;
};

/* struct mq_attr of the ABI */
struct mq_attr_ {
	int64_t flags, maxmsg, msgsize, curmsgs, reserved[4];
};

void mqueue_init(struct mqueue *q, uint64_t max_messages, uint64_t max_bytes);
/* Frees what is in it. */
void mqueue_destroy(struct mqueue *q);
/* Takes over m on 0. -EAGAIN, -ETIMEDOUT, -ERESTARTSYS. deadline: CLOCK_MONOTONIC ns. */
int mqueue_send(struct mqueue *q, struct mq_message *m, bool nonblock, uint64_t deadline) MUST_CHECK;
/* The next message, to be freed by the caller, or ERR_PTR of the same errors. */
struct mq_message *mqueue_receive(struct mqueue *q, bool nonblock, uint64_t deadline);
/* Registers the current process: -EBUSY. */
int mqueue_notify(struct mqueue *q, int kind, int signo, uint64_t value);
/* Drops the registration if it is the current process's. */
void mqueue_unnotify(struct mqueue *q);

/* The queue of an open file, or NULL. */
struct mqueue *mqueue_of_file(const struct file *f);
extern const struct file_ops mqueue_fops;

/* mqueue_fs.c. Names are single components. attr NULL: default limits. */
struct file *mqueue_open(const char *name, uint32_t flags, uint32_t mode, const struct mq_attr_ *attr);
int mqueue_unlink(const char *name);

#endif
