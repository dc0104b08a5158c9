// SPDX-License-Identifier: Apache-2.0
/*
 * System V message queues (msgget(2), msgop(2), msgctl(2)). Everything is protected by the lock of the namespace's table;
 * senders and receivers sleep on the queue's wait queue and try again after each change.
 */
#include <linux/msg.h>

#include "fs/seq.h"
#include "ipc/ipc.h"
#include "ipc/ipc_ns.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"
#include "task/wait_queue.h"

#define MSG_MAX_BYTES   8192  /* MSGMAX */
#define MSG_QUEUE_BYTES 16384 /* MSGMNB */

struct message {
	struct list_node link;
	int64_t type;
	size_t len;
	uint8_t data[];
};

struct msg_queue {
	struct ipc_object obj;
	struct list_node messages;
	uint64_t bytes, count, max_bytes;
	struct pid *lspid, *lrpid; /* references, or NULL */
	int64_t stime, rtime, ctime;
	uint32_t waiters;
	bool removed;
	struct wait_queue wait;
};

static struct ipc_table *table(void) { return &current->nsproxy->ipc->msg; }

/* struct msqid64_ds of the x86-64 ABI */
struct msqid64_ds_ {
	struct ipc64_perm_ perm;
	int64_t stime, rtime, ctime;
	uint64_t cbytes, qnum, qbytes;
	int32_t lspid, lrpid;
	uint64_t unused[2];
};

static int64_t now_sec(void)
{
	return (int64_t)(clock_realtime() / 1000000000);
}

static struct msg_queue *queue_of(struct ipc_object *o)
{
	return container_of(o, struct msg_queue, obj);
}

/* The last reference is gone: nobody waits, and it is in no table. */
static void queue_free(struct msg_queue *q)
{
	pid_put(q->lspid);
	pid_put(q->lrpid);
	kfree(q);
}

int64_t sys_msgget(const struct sysargs *a)
{
	int key = arg_int(a, 0), flags = arg_int(a, 1);
	struct msg_queue *fresh = kzalloc(sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	list_init(&fresh->messages);
	fresh->max_bytes = MSG_QUEUE_BYTES;
	fresh->ctime = now_sec();
	wait_queue_init(&fresh->wait);
	spin_lock(&table()->lock);
	struct ipc_object *o;
	int r = ipc_get(table(), key, flags, &o);
	if (!r && o)
		r = o->id;
	else if (!r) {
		r = ipc_insert(table(), &fresh->obj, key, (uint32_t)flags);
		if (r >= 0)
			fresh = NULL;
	}
	spin_unlock(&table()->lock);
	kfree(fresh);
	return r;
}

/* Sleeps until the queue changes. Lock held on entry and return. 0, -EIDRM (the queue is gone) or -EINTR. */
static int queue_sleep(struct msg_queue *q)
{
	struct waiter w;
	q->waiters++;
	waiter_init(&w);
	wait_queue_add(&q->wait, &w);
	task_prepare_wait(true);
	spin_unlock(&table()->lock);
	int err = task_sleep(DEADLINE_NEVER);
	task_finish_wait();
	wait_queue_remove(&q->wait, &w);
	spin_lock(&table()->lock);
	q->waiters--;
	if (!q->removed)
		return err ? -EINTR : 0;
	if (!q->waiters)
		queue_free(q);
	return -EIDRM;
}

int64_t sys_msgsnd(const struct sysargs *a)
{
	int id = arg_int(a, 0), flags = arg_int(a, 3);
	uva_t buf = arg_uva(a, 1);
	uint64_t len = arg_u64(a, 2);
	int64_t type;
	if (len > MSG_MAX_BYTES || id < 0)
		return -EINVAL;
	if (copy_in(&type, buf, sizeof(type)))
		return -EFAULT;
	if (type < 1)
		return -EINVAL;
	struct message *m = kmalloc(sizeof(*m) + len);
	if (!m)
		return -ENOMEM;
	m->type = type;
	m->len = len;
	if (copy_in(m->data, uva_add(buf, sizeof(type)), len)) {
		kfree(m);
		return -EFAULT;
	}
	spin_lock(&table()->lock);
	struct ipc_object *o = ipc_find(table(), id);
	int64_t err = IS_ERR(o) ? PTR_ERR(o) : ipc_permission(o, 0222);
	struct msg_queue *q = err ? NULL : queue_of(o);
	while (!err && (q->bytes + len > q->max_bytes || q->count + 1 > q->max_bytes)) {
		err = flags & IPC_NOWAIT ? -EAGAIN : queue_sleep(q);
	}
	if (!err) {
		list_add_tail(&m->link, &q->messages);
		q->bytes += len;
		q->count++;
		pid_assign_current(&q->lspid);
		q->stime = now_sec();
		m = NULL;
		wake_up_all(&q->wait);
	}
	spin_unlock(&table()->lock);
	kfree(m);
	return err;
}

/* The message that msgrcv(2) would take, or NULL. */
static struct message *pick(struct msg_queue *q, int64_t type, int flags)
{
	struct message *m, *best = NULL;
	int64_t n = 0;
	list_for_each_entry(m, &q->messages, link) {
		if (flags & MSG_COPY) {
			if (n++ == type)
				return m;
		} else if (type == 0) {
			return m;
		} else if (type > 0) {
			if ((m->type == type) != ((flags & MSG_EXCEPT) != 0))
				return m;
		} else if (m->type <= -type && (!best || m->type < best->type)) {
			best = m;
		}
	}
	return best;
}

int64_t sys_msgrcv(const struct sysargs *a)
{
	int id = arg_int(a, 0), flags = arg_int(a, 4);
	uva_t buf = arg_uva(a, 1);
	uint64_t len = arg_u64(a, 2);
	int64_t type = arg_i64(a, 3);
	if (id < 0 || (int64_t)len < 0 || (flags & MSG_COPY && (flags & MSG_EXCEPT || !(flags & IPC_NOWAIT))))
		return -EINVAL;
	if (type == INT64_MIN)
		type = -INT64_MAX;
	struct message *m = NULL, *copy = NULL;
	if (flags & MSG_COPY) {
		copy = kmalloc(sizeof(*copy) + MSG_MAX_BYTES);
		if (!copy)
			return -ENOMEM;
	}
	spin_lock(&table()->lock);
	struct ipc_object *o = ipc_find(table(), id);
	int64_t err = IS_ERR(o) ? PTR_ERR(o) : ipc_permission(o, 0444);
	struct msg_queue *q = err ? NULL : queue_of(o);
	while (!err && !(m = pick(q, type, flags)))
		err = flags & IPC_NOWAIT ? -ENOMSG : queue_sleep(q);
	if (!err && m->len > len && !(flags & MSG_NOERROR))
		err = -E2BIG;
	if (!err && copy && m->len > len)
		err = -EINVAL; /* a copy is not cut */
	if (!err && copy) {
		memcpy(copy, m, sizeof(*m) + m->len);
		m = copy;
	} else if (!err) {
		list_del(&m->link);
		q->bytes -= m->len;
		q->count--;
		pid_assign_current(&q->lrpid);
		q->rtime = now_sec();
		wake_up_all(&q->wait);
	}
	spin_unlock(&table()->lock);
	if (!err) {
		size_t n = MIN(m->len, len);
		err = (int64_t)n;
		if (copy_out(buf, &m->type, sizeof(m->type)) || copy_out(uva_add(buf, sizeof(m->type)), m->data, n))
			err = -EFAULT;
		kfree(m);
		if (m == copy)
			copy = NULL;
	}
	kfree(copy);
	return err;
}

static void drop_messages(struct msg_queue *q)
{
	while (!list_empty(&q->messages)) {
		struct message *m = list_first(&q->messages, struct message, link);
		list_del(&m->link);
		kfree(m);
	}
}

static void queue_remove(struct msg_queue *q)
{
	ipc_remove(table(), &q->obj);
	drop_messages(q);
	q->removed = true;
	if (q->waiters)
		wake_up_all(&q->wait);
	else
		queue_free(q);
}

static int64_t ctl_info(int cmd, uva_t out)
{
	struct msginfo info = {.msgmax = MSG_MAX_BYTES, .msgmnb = MSG_QUEUE_BYTES, .msgmni = 32000, .msgssz = 16,
	                       .msgseg = 0xffff, .msgtql = MSG_QUEUE_BYTES, .msgmap = MSG_QUEUE_BYTES,
	                       .msgpool = 32000 * MSG_QUEUE_BYTES / 1024};
	spin_lock(&table()->lock);
	int highest = ipc_highest(table());
	if (cmd == MSG_INFO) {
		info.msgpool = info.msgmap = info.msgtql = 0;
		for (int i = 0; i < IPC_MAX_OBJECTS; i++) {
			if (ipc_at(table(), i)) {
				info.msgpool++;
				info.msgmap += (int)queue_of(ipc_at(table(), i))->count;
				info.msgtql += (int)queue_of(ipc_at(table(), i))->bytes;
			}
		}
	}
	spin_unlock(&table()->lock);
	return copy_out(out, &info, sizeof(info)) ? -EFAULT : highest;
}

static int64_t ctl_stat(int id, int cmd, uva_t out)
{
	struct msqid64_ds_ ds;
	spin_lock(&table()->lock);
	struct ipc_object *o = cmd == IPC_STAT ? ipc_find(table(), id) : ipc_at(table(), id);
	int64_t r = IS_ERR(o) || !o ? -EINVAL : cmd == MSG_STAT_ANY ? 0 : ipc_permission(o, 0444);
	if (!r) {
		struct msg_queue *q = queue_of(o);
		ds = (struct msqid64_ds_){.stime = q->stime, .rtime = q->rtime, .ctime = q->ctime, .cbytes = q->bytes,
		                          .qnum = q->count, .qbytes = q->max_bytes, .lspid = pid_vnumber(q->lspid),
		                          .lrpid = pid_vnumber(q->lrpid)};
		ipc_perm_out(o, &ds.perm);
		r = cmd == IPC_STAT ? 0 : o->id;
	}
	spin_unlock(&table()->lock);
	if (r >= 0 && copy_out(out, &ds, sizeof(ds)))
		r = -EFAULT;
	return r;
}

int64_t sys_msgctl(const struct sysargs *a)
{
	int id = arg_int(a, 0), cmd = arg_int(a, 1) & ~IPC_64;
	uva_t buf = arg_uva(a, 2);
	struct msqid64_ds_ ds;
	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case MSG_INFO:
		return ctl_info(cmd, buf);
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY:
		return ctl_stat(id, cmd, buf);
	case IPC_SET:
		if (copy_in(&ds, buf, sizeof(ds)))
			return -EFAULT;
		break;
	case IPC_RMID:
		break;
	default:
		return -EINVAL;
	}
	spin_lock(&table()->lock);
	struct ipc_object *o = ipc_find(table(), id);
	int64_t r = IS_ERR(o) ? PTR_ERR(o) : ipc_owner(o);
	if (!r && cmd == IPC_RMID) {
		queue_remove(queue_of(o));
	} else if (!r) {
		struct msg_queue *q = queue_of(o);
		if (ds.qbytes > MSG_QUEUE_BYTES && !capable(CAP_SYS_RESOURCE)) {
			r = -EPERM;
		} else {
			r = ipc_perm_set(o, &ds.perm);
		}
		if (!r) {
			q->max_bytes = ds.qbytes;
			q->ctime = now_sec();
			wake_up_all(&q->wait);
		}
	}
	spin_unlock(&table()->lock);
	return r;
}

void msg_show(struct seq *s)
{
	seq_puts(s, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime"
	            "      ctime\n");
	for (int i = 0; i < IPC_MAX_OBJECTS; i++) {
		spin_lock(&table()->lock);
		struct ipc_object *o = ipc_at(table(), i);
		struct msg_queue q = o ? *queue_of(o) : (struct msg_queue){0};
		int lspid = pid_vnumber(q.lspid), lrpid = pid_vnumber(q.lrpid);
		spin_unlock(&table()->lock);
		if (o)
			seq_printf(s, "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10lld %10lld %10lld\n", q.obj.key, q.obj.id,
			           q.obj.mode, q.bytes, q.count, lspid, lrpid, kuid_out(q.obj.uid), kgid_out(q.obj.gid),
			           kuid_out(q.obj.cuid), kgid_out(q.obj.cgid),
			           (long long)q.stime, (long long)q.rtime, (long long)q.ctime);
	}
}

void msg_ns_exit(struct ipc_ns *ns)
{
	for (int i = 0; i < IPC_MAX_OBJECTS; i++) {
		struct ipc_object *o = ipc_at(&ns->msg, i);
		if (!o)
			continue;
		struct msg_queue *q = queue_of(o);
		drop_messages(q);
		queue_free(q);
	}
	kfree(ns->msg.slot);
}
