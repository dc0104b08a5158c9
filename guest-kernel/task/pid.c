/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of tasks, process groups and sessions. One flat table: who has the number as its tid, and how many users
 * (task, groups, sessions) it has. A number is reused only when nobody uses it in any role, as in Linux.
 */
#include "lib/log.h"
#include "task/task.h"

#define PID_RESERVED 300 /* after a wrap-around, low numbers are not reused */

spinlock_t tasklist_lock = SPINLOCK_INIT;
struct list_node process_list = LIST_INIT(process_list);

static struct {
	struct task *task[PID_MAX];
	uint32_t users[PID_MAX];
	int last;
} pids; /* protected by tasklist_lock */

int pid_alloc(void)
{
	int found = -EAGAIN;

	spin_lock(&tasklist_lock);
	for (int i = 0, n = pids.last + 1; i < PID_MAX; i++, n++) {
		if (n >= PID_MAX)
			n = PID_RESERVED;
		if (pids.users[n] == 0) {
			pids.users[n] = 1;
			pids.last = n;
			found = n;
			break;
		}
	}
	spin_unlock(&tasklist_lock);
	return found;
}

void pid_ref(int pid)
{
	pids.users[pid]++;
}

void pid_unref(int pid)
{
	BUG_ON(pids.users[pid] == 0);
	pids.users[pid]--;
}

void pid_set_task(int pid, struct task *t)
{
	pids.task[pid] = t;
}

bool pid_is_free(int pid)
{
	return pids.users[pid] == 0;
}

int pid_last(void)
{
	return READ_ONCE(pids.last);
}

struct task *task_lookup(int tid)
{
	return tid > 0 && tid < PID_MAX ? pids.task[tid] : NULL;
}

struct process *process_lookup(int pid)
{
	struct task *t = task_lookup(pid);

	return t && t->proc->pid == pid ? t->proc : NULL;
}

struct task *task_find(int tid)
{
	spin_lock(&tasklist_lock);
	struct task *t = task_lookup(tid);
	if (t)
		task_get(t);
	spin_unlock(&tasklist_lock);
	return t;
}

struct process *process_find(int pid)
{
	spin_lock(&tasklist_lock);
	struct process *p = process_lookup(pid);
	if (p)
		process_get(p);
	spin_unlock(&tasklist_lock);
	return p;
}

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
