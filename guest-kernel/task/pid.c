/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of tasks (see pid.h). One id space serves threads, processes, groups and sessions; an entry counts the users
 * (task, groups, sessions) it has. A number is reused only when nobody uses it in any role, as in Linux.
 */
#include "task/pid.h"

#include "lib/log.h"
#include "mm/page.h"
#include "task/task.h"
#include "task/user_ns.h"

#define PID_RESERVED 300 /* after a wrap-around, low numbers are not reused */
#define HASH_BITS 12

spinlock_t tasklist_lock = SPINLOCK_INIT;
struct list_node process_list = LIST_INIT(process_list);

/* A number at one level below the sandbox's own. */
struct upid {
	int nr;
	struct pid *pid;
	struct pid_ns *ns;   /* the struct pid's reference on the deepest one holds it */
	struct upid *next;   /* hash chain; pid_lock */
};

struct pid {
	ref_t refs;
	int id;
	struct pid_ns *ns;    /* the deepest; a reference */
	struct upid level[];  /* level[i]: at level i + 1 */
};

struct pid_ns root_pid_ns = {.ns = NS_STATIC(NS_PID, 0xeffffffcu, &init_user_ns), .last = 1000 /* an id is no number: let it show */};

static spinlock_t pid_lock = SPINLOCK_INIT;
static struct {
	struct task *task[PID_MAX];    /* tasklist_lock */
	uint32_t users[PID_MAX];
	struct pid *pid[PID_MAX];
	struct upid *hash[1 << HASH_BITS];
} pids; /* protected by pid_lock */

static struct upid **chain_of(int nr, const struct pid_ns *ns)
{
	uint64_t k = ((uint64_t)ns >> 4) + (uint64_t)nr;

	return &pids.hash[(k * 0x9e3779b97f4a7c15UL) >> (64 - HASH_BITS)];
}

/* pid_lock held. */
static struct pid *lookup(int nr, const struct pid_ns *ns)
{
	if (nr <= 0 || nr >= PID_MAX)
		return NULL;
	if (!ns->level)
		return pids.pid[nr];
	for (const struct upid *u = *chain_of(nr, ns); u; u = u->next)
		if (u->nr == nr && u->ns == ns)
			return u->pid;
	return NULL;
}

/* The next free number; pid_lock held. */
static int next_number(struct pid_ns *ns)
{
	for (int i = 0, n = ns->last + 1; i < PID_MAX; i++, n++) {
		if (n >= PID_MAX)
			n = PID_RESERVED;
		if (!lookup(n, ns)) {
			ns->last = n;
			return n;
		}
	}
	return -EAGAIN;
}

/* A wanted number; only init may be the first of a namespace. pid_lock held. */
static int wanted_number(struct pid_ns *ns, int nr)
{
	if (nr != 1 && !ns->init)
		return -EINVAL;
	return lookup(nr, ns) ? -EEXIST : nr;
}

/* pid_lock held. Nothing is published before all levels have a number. */
static int number_all(struct pid *pid, const int *set, uint32_t n)
{
	for (struct pid_ns *ns = pid->ns; ns; ns = ns->parent) {
		uint32_t depth = (uint32_t)(pid->ns->level - ns->level);
		if (ns->closed)
			return -ENOMEM;
		int nr = depth < n ? wanted_number(ns, set[depth]) : next_number(ns);
		if (nr < 0)
			return nr;
		if (ns->level)
			pid->level[ns->level - 1] = (struct upid){nr, pid, ns, NULL};
		else
			pid->id = nr;
	}
	return 0;
}

int pid_alloc(struct pid_ns *ns, const int *set, uint32_t n)
{
	struct pid *pid = kmalloc(sizeof(*pid) + (size_t)ns->level * sizeof(pid->level[0]));

	if (!pid)
		return -ENOMEM;
	ref_init(&pid->refs);
	pid->ns = pid_ns_get(ns);
	spin_lock(&pid_lock);
	int err = number_all(pid, set, n), id = pid->id;
	for (int i = 0; !err && i < ns->level; i++) {
		struct upid *u = &pid->level[i], **chain = chain_of(u->nr, u->ns);
		u->next = *chain;
		*chain = u;
		u->ns->nr_numbers++;
	}
	if (!err) {
		pids.pid[id] = pid;
		pids.users[id] = 1;
	}
	spin_unlock(&pid_lock);
	if (err)
		pid_put(pid);
	return err ? err : id;
}

/* Nobody uses the id any more; pid_lock held. */
static void unpublish(struct pid *pid)
{
	for (int i = 0; i < pid->ns->level; i++) {
		struct upid *u = &pid->level[i], **p = chain_of(u->nr, u->ns);
		while (*p != u)
			p = &(*p)->next;
		*p = u->next;
		if (--u->ns->nr_numbers == 0 && !u->ns->init)
			u->ns->last = 0; /* the first process was not made: the next one is number 1 */
	}
	pids.pid[pid->id] = NULL;
}

void pid_ref(int id)
{
	spin_lock(&pid_lock);
	pids.users[id]++;
	spin_unlock(&pid_lock);
}

void pid_unref(int id)
{
	struct pid *pid = NULL;

	spin_lock(&pid_lock);
	BUG_ON(pids.users[id] == 0);
	if (--pids.users[id] == 0) {
		pid = pids.pid[id];
		unpublish(pid);
	}
	spin_unlock(&pid_lock);
	pid_put(pid);
}

void pid_set_task(int id, struct task *t)
{
	pids.task[id] = t;
}

void pid_ns_close(struct pid_ns *ns)
{
	spin_lock(&pid_lock);
	ns->closed = true;
	spin_unlock(&pid_lock);
}

int pid_last(const struct pid_ns *ns)
{
	return READ_ONCE(ns->last);
}

/* ---- struct pid ---- */
struct pid *pid_get(int id)
{
	struct pid *pid = NULL;

	spin_lock(&pid_lock);
	if (id > 0 && id < PID_MAX)
		pid = pids.pid[id];
	if (pid)
		ref_get(&pid->refs);
	spin_unlock(&pid_lock);
	return pid;
}

struct pid *pid_hold(struct pid *pid)
{
	if (pid)
		ref_get(&pid->refs);
	return pid;
}

void pid_assign_current(struct pid **slot)
{
	struct pid *old = *slot;

	*slot = pid_hold(current->proc->numbers);
	pid_put(old);
}

int pid_number_at(const struct pid *pid, int level) { return level ? pid->level[level - 1].nr : pid->id; }
struct pid_ns *pid_ns_of(const struct pid *pid) { return pid->ns; }

void pid_put(struct pid *pid)
{
	if (!pid || !ref_put(&pid->refs))
		return;
	pid_ns_put(pid->ns);
	kfree(pid);
}

int pid_number(const struct pid *pid, const struct pid_ns *ns)
{
	if (!pid)
		return 0;
	if (!ns->level)
		return pid->id;
	return pid->ns->level >= ns->level && pid->level[ns->level - 1].ns == ns ? pid->level[ns->level - 1].nr : 0;
}

/* ---- translation ---- */
int pid_vnumber(const struct pid *pid) { return pid_number(pid, current->proc->pid_ns); }

int pid_nr_ns(int id, const struct pid_ns *ns)
{
	if (id <= 0 || id >= PID_MAX || !ns->level)
		return MAX(id, 0);
	spin_lock(&pid_lock);
	int nr = pid_number(pids.pid[id], ns);
	spin_unlock(&pid_lock);
	return nr;
}

int pid_vnr(int id)
{
	return pid_nr_ns(id, current->proc->pid_ns);
}

static int pid_find_ns(int nr, const struct pid_ns *ns)
{
	spin_lock(&pid_lock);
	const struct pid *pid = lookup(nr, ns);
	int id = pid ? pid->id : 0;
	spin_unlock(&pid_lock);
	return id;
}

int pid_from_user(int nr)
{
	return pid_find_ns(nr, current->proc->pid_ns);
}

/* ---- tasks by number; tasklist_lock ---- */
struct task *task_lookup(int tid)
{
	return tid > 0 && tid < PID_MAX ? pids.task[tid] : NULL;
}

struct process *process_lookup(int pid)
{
	struct task *t = task_lookup(pid);

	return t && t->proc->pid == pid ? t->proc : NULL;
}

struct task *task_lookup_user(int nr)
{
	return task_lookup(pid_from_user(nr));
}

static struct task *get_task(struct task *t)
{
	if (t)
		task_get(t);
	return t;
}

static struct process *get_process(struct process *p)
{
	if (p)
		process_get(p);
	return p;
}

struct task *task_find(int tid)
{
	spin_lock(&tasklist_lock);
	struct task *t = get_task(task_lookup(tid));
	spin_unlock(&tasklist_lock);
	return t;
}

struct process *process_find(int pid)
{
	spin_lock(&tasklist_lock);
	struct process *p = get_process(process_lookup(pid));
	spin_unlock(&tasklist_lock);
	return p;
}

struct task *task_find_ns(int nr, const struct pid_ns *ns)
{
	spin_lock(&tasklist_lock);
	struct task *t = get_task(task_lookup(pid_find_ns(nr, ns)));
	spin_unlock(&tasklist_lock);
	return t;
}

struct task *task_find_user(int nr)
{
	return task_find_ns(nr, current->proc->pid_ns);
}

struct process *process_find_ns(int nr, const struct pid_ns *ns)
{
	spin_lock(&tasklist_lock);
	struct process *p = get_process(process_lookup(pid_find_ns(nr, ns)));
	spin_unlock(&tasklist_lock);
	return p;
}

struct process *process_find_user(int nr)
{
	return process_find_ns(nr, current->proc->pid_ns);
}

/* ---- groups ---- */
bool pgrp_exists(int pgid)
{
	struct process *p;

	list_for_each_entry(p, &process_list, all_link)
		if (p->pgid == pgid)
			return true;
	return false;
}

bool pgrp_is_orphaned(int pgid, const struct process *ignored)
{
	struct process *p;

	list_for_each_entry(p, &process_list, all_link) {
		if (p->pgid != pgid || p == ignored || p->zombie)
			continue;
		const struct process *parent = p->parent;
		if (parent && parent->pgid != pgid && parent->sid == p->sid)
			return false;
	}
	return true;
}
