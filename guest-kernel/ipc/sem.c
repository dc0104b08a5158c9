// SPDX-License-Identifier: Apache-2.0
/*
 * System V semaphores (semget(2), semop(2), semctl(2)).
 *
 * Everything is protected by the lock of the namespace's table. A semop that cannot proceed sleeps on its set's wait queue and tries again after
 * each change of the set: operations are atomic because an attempt is made whole under the lock.
 */
#include <linux/sem.h>
#include <linux/time_types.h>

#include "fs/seq.h"
#include "ipc/ipc.h"
#include "ipc/ipc_ns.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"
#include "task/wait_queue.h"

#define SEM_MAX_PER_SET 32000 /* SEMMSL */
#define SEM_MAX_OPS     500   /* SEMOPM */
#define SEM_MAX_VALUE   32767 /* SEMVMX */

struct sem {
	uint16_t value;
	struct pid *last_pid; /* a reference, or NULL */
	uint32_t ncnt, zcnt; /* sleepers waiting for an increase, for zero */
};

struct sem_set {
	struct ipc_object obj;
	uint32_t nsems, waiters;
	int64_t otime, ctime;
	bool removed;
	struct wait_queue wait;
	struct sem sems[];
};

/* Pending adjustments of one process on one set; the table's lock. */
struct sem_undo {
	struct list_node link;
	int pid, id;
	uint32_t nsems;
	int16_t adj[];
};

static struct ipc_table *table(void) { return &current->nsproxy->ipc->sem; }
static struct list_node *undo_list(void) { return &current->nsproxy->ipc->sem_undos; } /* the table's lock */

/* struct semid64_ds of the x86-64 ABI */
struct semid64_ds_ {
	struct ipc64_perm_ perm;
	int64_t otime;
	uint64_t unused1;
	int64_t ctime;
	uint64_t unused2, nsems, unused3, unused4;
};

static int64_t now_sec(void)
{
	return (int64_t)(clock_realtime() / 1000000000);
}

static struct sem_set *set_of(struct ipc_object *o)
{
	return container_of(o, struct sem_set, obj);
}

/* Out of the table, unused; NULL is none. */
static void set_free(struct sem_set *s)
{
	for (uint32_t i = 0; s && i < s->nsems; i++)
		pid_put(s->sems[i].last_pid);
	kfree(s);
}

int64_t sys_semget(const struct sysargs *a)
{
	int key = arg_int(a, 0), nsems = arg_int(a, 1), flags = arg_int(a, 2);
	if (nsems < 0 || nsems > SEM_MAX_PER_SET)
		return -EINVAL;
	struct sem_set *fresh = kzalloc(sizeof(*fresh) + (size_t)nsems * sizeof(struct sem));
	if (!fresh)
		return -ENOMEM;
	fresh->nsems = (uint32_t)nsems;
	fresh->ctime = now_sec();
	wait_queue_init(&fresh->wait);
	spin_lock(&table()->lock);
	struct ipc_object *o;
	int r = ipc_get(table(), key, flags, &o);
	if (!r && o)
		r = nsems > (int)set_of(o)->nsems ? -EINVAL : o->id;
	else if (!r && !nsems)
		r = -EINVAL;
	else if (!r) {
		r = ipc_insert(table(), &fresh->obj, key, (uint32_t)flags);
		if (r >= 0)
			fresh = NULL;
	}
	spin_unlock(&table()->lock);
	kfree(fresh);
	return r;
}

/* ---- semop ---------------------------------------------------------------------------------------------------------- */

static struct sem_undo *undo_find(int pid, int id)
{
	struct sem_undo *u;
	list_for_each_entry(u, undo_list(), link) {
		if (u->pid == pid && u->id == id)
			return u;
	}
	return NULL;
}

/* Tries all operations; undoes them when one cannot proceed. 0, -EAGAIN with *blocker set, or an error. */
static int try_ops(struct sem_set *s, const struct sembuf *ops, int n, struct sem_undo *undo, int *blocker)
{
	int i, err = 0;
	for (i = 0; i < n; i++) {
		struct sem *sem = &s->sems[ops[i].sem_num];
		int v = sem->value + ops[i].sem_op;
		if (!ops[i].sem_op && sem->value)
			err = -EAGAIN;
		else if (v < 0)
			err = -EAGAIN;
		else if (v > SEM_MAX_VALUE)
			err = -ERANGE;
		else if (ops[i].sem_flg & SEM_UNDO) {
			int adj = undo->adj[ops[i].sem_num] - ops[i].sem_op;
			if (adj < -SEM_MAX_VALUE - 1 || adj > SEM_MAX_VALUE)
				err = -ERANGE;
			else
				undo->adj[ops[i].sem_num] = (int16_t)adj;
		}
		if (err)
			break;
		sem->value = (uint16_t)v;
	}
	if (!err) {
		for (i = 0; i < n; i++)
			pid_assign_current(&s->sems[ops[i].sem_num].last_pid);
		s->otime = now_sec();
		return 0;
	}
	*blocker = i;
	while (i--) {
		s->sems[ops[i].sem_num].value = (uint16_t)(s->sems[ops[i].sem_num].value - ops[i].sem_op);
		if (ops[i].sem_flg & SEM_UNDO)
			undo->adj[ops[i].sem_num] = (int16_t)(undo->adj[ops[i].sem_num] + ops[i].sem_op);
	}
	return err;
}

/* A set that sleepers use is freed by the last of them. Caller holds the lock; returns what to kfree. */
static struct sem_set *set_unuse(struct sem_set *s)
{
	return --s->waiters == 0 && s->removed ? s : NULL;
}

/* Sees that the process has adjustments for the set *s with this id. For that the lock may be dropped, and another set be
 * in *s afterwards. 0, -ENOMEM, -EIDRM: it is gone. */
static int undo_ensure(int id, struct sem_set **s)
{
	int pid = current->proc->pid;
	while (!undo_find(pid, id)) {
		uint32_t nsems = (*s)->nsems;
		spin_unlock(&table()->lock);
		struct sem_undo *fresh = kzalloc(sizeof(*fresh) + nsems * sizeof(int16_t));
		spin_lock(&table()->lock);
		struct ipc_object *o = ipc_find(table(), id);
		*s = IS_ERR(o) || set_of(o)->nsems != nsems ? NULL : set_of(o);
		if (!fresh || !*s || undo_find(pid, id)) {
			kfree(fresh);
			if (!fresh || !*s)
				return fresh ? -EIDRM : -ENOMEM;
			continue;
		}
		*fresh = (struct sem_undo){.pid = pid, .id = id, .nsems = nsems};
		list_add(&fresh->link, undo_list());
	}
	return 0;
}

static int64_t do_semop(int id, const struct sembuf *ops, int n, uint64_t deadline)
{
	bool alter = false, want_undo = false;
	uint32_t max = 0;
	for (int i = 0; i < n; i++) {
		alter |= ops[i].sem_op != 0;
		want_undo |= (ops[i].sem_flg & SEM_UNDO) != 0;
		max = MAX(max, (uint32_t)ops[i].sem_num);
	}
	spin_lock(&table()->lock);
	struct ipc_object *o = ipc_find(table(), id);
	struct sem_set *s = IS_ERR(o) ? NULL : set_of(o), *dead = NULL;
	int err = !s ? -EINVAL : max >= s->nsems ? -EFBIG : ipc_permission(o, alter ? 0222 : 0444);
	while (!err) {
		int blocker = 0;
		/* At each attempt: unshare(2) or setns(2) of another thread may have applied the adjustments meanwhile. */
		if (want_undo)
			err = undo_ensure(id, &s);
		if (!err)
			err = ipc_permission(&s->obj, alter ? 0222 : 0444);
		if (err)
			break;
		struct sem_undo *undo = want_undo ? undo_find(current->proc->pid, id) : NULL;
		err = try_ops(s, ops, n, undo, &blocker);
		if (err != -EAGAIN || ops[blocker].sem_flg & IPC_NOWAIT)
			break;
		struct waiter w;
		uint32_t *count = ops[blocker].sem_op ? &s->sems[ops[blocker].sem_num].ncnt
		                                      : &s->sems[ops[blocker].sem_num].zcnt;
		++*count;
		s->waiters++;
		waiter_init(&w);
		wait_queue_add(&s->wait, &w);
		task_prepare_wait(true);
		spin_unlock(&table()->lock);
		err = task_sleep(deadline);
		task_finish_wait();
		wait_queue_remove(&s->wait, &w);
		spin_lock(&table()->lock);
		--*count;
		bool removed = s->removed;
		dead = set_unuse(s);
		if (removed)
			err = -EIDRM;
		else if (err == -ETIMEDOUT)
			err = -EAGAIN;
		else if (err)
			err = -EINTR; /* semop is never restarted (signal(7)) */
		if (err)
			break;
	}
	if (!err && alter)
		wake_up_all(&s->wait);
	spin_unlock(&table()->lock);
	set_free(dead);
	return err;
}

static int64_t semop_user(const struct sysargs *a, uint64_t deadline)
{
	uint64_t n = arg_u64(a, 2);
	if (!n)
		return -EINVAL;
	if (n > SEM_MAX_OPS)
		return -E2BIG;
	struct sembuf *ops = kmalloc(n * sizeof(*ops));
	if (!ops)
		return -ENOMEM;
	int64_t r = copy_in(ops, arg_uva(a, 1), n * sizeof(*ops));
	if (!r)
		r = do_semop(arg_int(a, 0), ops, (int)n, deadline);
	kfree(ops);
	return r;
}

int64_t sys_semop(const struct sysargs *a)
{
	return semop_user(a, DEADLINE_NEVER);
}

int64_t sys_semtimedop(const struct sysargs *a)
{
	uint64_t deadline = DEADLINE_NEVER;
	if (arg_u64(a, 3)) {
		struct __kernel_timespec ts;
		if (copy_in_struct(&ts, arg_uva(a, 3)))
			return -EFAULT;
		if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= 1000000000)
			return -EINVAL;
		deadline = clock_monotonic() + (uint64_t)MIN(ts.tv_sec, 9000000000L) * 1000000000 + (uint64_t)ts.tv_nsec;
	}
	return semop_user(a, deadline);
}

/* ---- semctl ----------------------------------------------------------------------------------------------------------- */

static void undo_forget(int id, int sem)
{
	struct sem_undo *u, *tmp;
	list_for_each_entry_safe(u, tmp, undo_list(), link) {
		if (u->id != id)
			continue;
		if (sem >= 0) {
			u->adj[sem] = 0;
		} else {
			list_del(&u->link);
			kfree(u);
		}
	}
}

static int ctl_rmid(struct sem_set *s)
{
	int err = ipc_owner(&s->obj);
	if (err)
		return err;
	ipc_remove(table(), &s->obj);
	undo_forget(s->obj.id, -1);
	s->removed = true;
	if (s->waiters)
		wake_up_all(&s->wait);
	else
		set_free(s);
	return 0;
}

static void ds_out(const struct sem_set *s, struct semid64_ds_ *ds)
{
	*ds = (struct semid64_ds_){.otime = s->otime, .ctime = s->ctime, .nsems = s->nsems};
	ipc_perm_out(&s->obj, &ds->perm);
}

static int64_t ctl_info(int cmd, uva_t out)
{
	struct seminfo info = {.semmap = 1024000000, .semmni = 32000, .semmns = 1024000000, .semmnu = 1024000000,
	                       .semmsl = SEM_MAX_PER_SET, .semopm = SEM_MAX_OPS, .semume = SEM_MAX_OPS, .semusz = 20,
	                       .semvmx = SEM_MAX_VALUE, .semaem = SEM_MAX_VALUE};
	spin_lock(&table()->lock);
	int highest = ipc_highest(table());
	if (cmd == SEM_INFO) {
		info.semusz = info.semaem = 0;
		for (int i = 0; i < IPC_MAX_OBJECTS; i++) {
			if (ipc_at(table(), i)) {
				info.semusz++;
				info.semaem += (int)set_of(table()->slot[i])->nsems;
			}
		}
	}
	spin_unlock(&table()->lock);
	return copy_out(out, &info, sizeof(info)) ? -EFAULT : highest;
}

/* GETALL and SETALL: values move through a kernel copy. */
static int64_t ctl_all(int id, bool set, uva_t user)
{
	spin_lock(&table()->lock);
	struct ipc_object *o = ipc_find(table(), id);
	int64_t err = IS_ERR(o) ? PTR_ERR(o) : ipc_permission(o, set ? 0222 : 0444);
	uint32_t n = err ? 0 : set_of(o)->nsems;
	spin_unlock(&table()->lock);
	if (err)
		return err;
	uint16_t *v = kmalloc(n * sizeof(*v) + 1);
	if (!v)
		return -ENOMEM;
	if (set) {
		err = copy_in(v, user, n * sizeof(*v));
		for (uint32_t i = 0; !err && i < n; i++)
			if (v[i] > SEM_MAX_VALUE)
				err = -ERANGE;
	}
	if (!err) {
		spin_lock(&table()->lock);
		o = ipc_find(table(), id);
		if (IS_ERR(o) || set_of(o)->nsems != n) { /* ids come again, in time */
			err = -EIDRM;
		} else {
			struct sem_set *s = set_of(o);
			for (uint32_t i = 0; i < n; i++) {
				if (set) {
					s->sems[i].value = v[i];
					undo_forget(id, (int)i);
				} else {
					v[i] = s->sems[i].value;
				}
			}
			if (set) {
				s->ctime = now_sec();
				wake_up_all(&s->wait);
			}
		}
		spin_unlock(&table()->lock);
	}
	if (!err && !set)
		err = copy_out(user, v, n * sizeof(*v));
	kfree(v);
	return err;
}

static int64_t ctl_stat(int id, int cmd, uva_t out)
{
	struct semid64_ds_ ds;
	spin_lock(&table()->lock);
	struct ipc_object *o = cmd == IPC_STAT ? ipc_find(table(), id) : ipc_at(table(), id);
	int64_t r = IS_ERR(o) || !o ? -EINVAL : cmd == SEM_STAT_ANY ? 0 : ipc_permission(o, 0444);
	if (!r) {
		ds_out(set_of(o), &ds);
		r = cmd == IPC_STAT ? 0 : o->id;
	}
	spin_unlock(&table()->lock);
	if (r >= 0 && copy_out(out, &ds, sizeof(ds)))
		r = -EFAULT;
	return r;
}

int64_t sys_semctl(const struct sysargs *a)
{
	int id = arg_int(a, 0), num = arg_int(a, 1), cmd = arg_int(a, 2) & ~IPC_64;
	uint64_t arg = arg_u64(a, 3);
	struct semid64_ds_ ds;
	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case SEM_INFO:
		return ctl_info(cmd, uva(arg));
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		return ctl_stat(id, cmd, uva(arg));
	case GETALL:
	case SETALL:
		return ctl_all(id, cmd == SETALL, uva(arg));
	case IPC_SET:
		if (copy_in(&ds, uva(arg), sizeof(ds)))
			return -EFAULT;
	}
	spin_lock(&table()->lock);
	struct ipc_object *o = ipc_find(table(), id);
	struct sem_set *s = IS_ERR(o) ? NULL : set_of(o);
	int64_t r = s ? 0 : -EINVAL;
	if (!r && cmd != IPC_RMID && cmd != IPC_SET) {
		if (num < 0 || (uint32_t)num >= s->nsems)
			r = -EINVAL;
		else
			r = ipc_permission(o, cmd == SETVAL ? 0222 : 0444);
	}
	if (!r) {
		switch (cmd) {
		case IPC_RMID:
			r = ctl_rmid(s);
			break;
		case IPC_SET:
			r = ipc_owner(o);
			if (!r)
				r = ipc_perm_set(o, &ds.perm);
			if (!r)
				s->ctime = now_sec();
			break;
		case GETVAL:
			r = s->sems[num].value;
			break;
		case GETPID:
			r = pid_vnumber(s->sems[num].last_pid);
			break;
		case GETNCNT:
			r = s->sems[num].ncnt;
			break;
		case GETZCNT:
			r = s->sems[num].zcnt;
			break;
		case SETVAL:
			if ((int)arg < 0 || (int)arg > SEM_MAX_VALUE) {
				r = -ERANGE;
				break;
			}
			s->sems[num].value = (uint16_t)arg;
			pid_assign_current(&s->sems[num].last_pid);
			undo_forget(id, num);
			s->ctime = now_sec();
			wake_up_all(&s->wait);
			break;
		default:
			r = -EINVAL;
		}
	}
	spin_unlock(&table()->lock);
	return r;
}

void sem_exit(void)
{
	struct sem_undo *u, *tmp;
	int pid = current->proc->pid;
	spin_lock(&table()->lock);
	list_for_each_entry_safe(u, tmp, undo_list(), link) {
		if (u->pid != pid)
			continue;
		struct ipc_object *o = ipc_find(table(), u->id);
		if (!IS_ERR(o)) {
			struct sem_set *s = set_of(o);
			for (uint32_t i = 0; i < u->nsems && i < s->nsems; i++) {
				int v = s->sems[i].value + u->adj[i];
				if (!u->adj[i])
					continue;
				s->sems[i].value = (uint16_t)MAX(0, MIN(v, SEM_MAX_VALUE));
				pid_assign_current(&s->sems[i].last_pid);
			}
			wake_up_all(&s->wait);
		}
		list_del(&u->link);
		kfree(u);
	}
	spin_unlock(&table()->lock);
}

void sem_show(struct seq *s)
{
	seq_puts(s, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
	for (int i = 0; i < IPC_MAX_OBJECTS; i++) {
		spin_lock(&table()->lock);
		struct ipc_object *o = ipc_at(table(), i), copy = o ? *o : (struct ipc_object){0};
		struct sem_set *set = o ? set_of(o) : NULL;
		uint32_t nsems = set ? set->nsems : 0;
		int64_t otime = set ? set->otime : 0, ctime = set ? set->ctime : 0;
		spin_unlock(&table()->lock);
		if (o)
			seq_printf(s, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lld %10lld\n", copy.key, copy.id, copy.mode, nsems, kuid_out(copy.uid),
			           kgid_out(copy.gid), kuid_out(copy.cuid), kgid_out(copy.cgid), (long long)otime, (long long)ctime);
	}
}

void sem_ns_exit(struct ipc_ns *ns)
{
	while (!list_empty(&ns->sem_undos)) {
		struct sem_undo *u = list_first(&ns->sem_undos, struct sem_undo, link);
		list_del(&u->link);
		kfree(u);
	}
	for (int i = 0; i < IPC_MAX_OBJECTS; i++)
		if (ipc_at(&ns->sem, i))
			set_free(set_of(ipc_at(&ns->sem, i)));
	kfree(ns->sem.slot);
}
