/* SPDX-License-Identifier: Apache-2.0 */
/* Pid namespaces: life, and the end of one with its init (pid_namespaces(7)). */
#include "lib/log.h"
#include "mm/page.h"
#include "signal/signal.h"
#include "task/pid.h"
#include "task/task.h"
#include "task/user_ns.h"

struct pid_ns *pid_ns_create(struct pid_ns *parent, struct user_ns *owner)
{
	/* Containers are at level 1: what they nest counts as on Linux. */
	if (parent->level > PID_NS_LEVELS)
		return ERR_PTR(-ENOSPC);
	struct pid_ns *ns = kzalloc(sizeof(*ns));
	if (!ns)
		return ERR_PTR(-ENOMEM);
	int err = ns_init(&ns->ns, NS_PID, owner);
	if (err) {
		kfree(ns);
		return ERR_PTR(err);
	}
	ns->parent = pid_ns_get(parent);
	ns->level = parent->level + 1;
	return ns;
}

void pid_ns_free(struct pid_ns *ns)
{
	struct pid_ns *parent = ns->parent;

	kfree(ns);
	pid_ns_put(parent);
}

bool pid_ns_contains(const struct pid_ns *ns, const struct pid_ns *inner)
{
	while (inner && inner->level > ns->level)
		inner = inner->parent;
	return inner == ns;
}

/* Number 1 of a closed namespace has nothing to wait for (no process of ns but itself is left), or something to do:
 * a zombie among its children, or one that it traces. */
static bool may_go_on(const struct pid_ns *ns)
{
	const struct process *p, *me = current->proc;
	bool others = false, work = false;

	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &process_list, all_link) {
		if (p == me || !pid_ns_contains(ns, p->pid_ns))
			continue;
		others = true;
		work |= p->zombie && p->parent == me && !(p->leader && p->leader->ptrace.tracer);
	}
	spin_unlock(&tasklist_lock);
	return work || !others || !list_empty(&current->ptrace.tracees);
}

/* Kills every process of ns that lives, reaps our children that do not. How many there were. */
static int kill_and_reap(const struct pid_ns *ns)
{
	struct list_node dead = LIST_INIT(dead);
	struct process *p, *next;
	siginfo_t si;
	int n = 0;

	siginfo_kernel(&si, SIGKILL);
	spin_lock(&tasklist_lock);
	list_for_each_entry_safe(p, next, &process_list, all_link) {
		if (p == current->proc || !pid_ns_contains(ns, p->pid_ns))
			continue;
		n++;
		if (!p->zombie)
			(void)signal_send_process_locked(p, &si);
		else if (p->parent == current->proc && !(p->leader && p->leader->ptrace.tracer))
			process_unlink_to(p, &dead);
	}
	spin_unlock(&tasklist_lock);
	process_put_dead(&dead);
	return n;
}

/* Whoever ends is handed to us as a child; those whose parents are outside are reaped there. process_unlink wakes us. What we
 * trace would wait for us to look at its end: it is let go, also what asks for it meanwhile (PTRACE_TRACEME). */
void pid_ns_zap(struct pid_ns *ns)
{
	pid_ns_close(ns);
	for (;;) {
		task_release_tracees();
		if (!kill_and_reap(ns))
			break;
		wait_event(&current->proc->child_wait, may_go_on(ns));
	}
}

void pid_ns_reaped(const struct process *p)
{
	struct pid_ns *ns = p->pid_ns;

	if (ns->init == p)
		ns->init = NULL;
	for (; ns; ns = ns->parent)
		if (unlikely(READ_ONCE(ns->closed)) && ns->init)
			wake_up_all(&ns->init->child_wait);
}
