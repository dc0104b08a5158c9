/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of tasks, groups and sessions, and pid namespaces (pid_namespaces(7)).
 *
 * Inside the Sentry an id is a number of the sandbox's own pid namespace (level 0), which no application is in: the
 * first container's processes live in a child of it, as other containers' do. task.tid, process.pid, pgid and sid are
 * such ids. Whatever comes from or goes to an application is translated at that border: pid_vnr, pid_from_user, pid_nr_ns,
 * and the *_user lookups of task.h.
 *
 * A struct pid is an id with its numbers at each level. The table holds one reference while the id has users (a task,
 * groups, sessions); who needs the numbers longer (a socket's SO_PEERCRED) holds one of his own.
 *
 * Locks: pid_lock (inner to tasklist_lock, nothing but slab inside it) protects the table and the numbers;
 * tasklist_lock, in addition, which task an id means and pid_ns.init.
 */
#ifndef TASK_PID_H
#define TASK_PID_H

#include "task/namespace.h"

#define PID_MAX 32768
#define PID_NS_LEVELS 32 /* below the containers' */

struct process;
struct task;

struct pid_ns {
	struct ns_common ns;
	struct pid_ns *parent;  /* a reference; NULL: the sandbox's own; immutable */
	int level;              /* immutable */
	struct process *init;   /* number 1, until it is reaped; tasklist_lock */
	int last;               /* number given out last; pid_lock */
	uint32_t nr_numbers;    /* in use, in any role; pid_lock */
	bool closed;            /* init has ended: no more numbers; pid_lock */
};
extern struct pid_ns root_pid_ns; /* the sandbox's own */

struct pid;
struct pid *pid_get(int id); /* a reference, NULL if id is not in use */
struct pid *pid_hold(struct pid *pid); /* pid may be NULL */
void pid_put(struct pid *pid); /* NULL is none */
/* *slot becomes the current process's; what was there is put. */
void pid_assign_current(struct pid **slot);
/* The number in a namespace, 0 where it is not visible. pid may be NULL. */
int pid_number(const struct pid *pid, const struct pid_ns *ns);
int pid_vnumber(const struct pid *pid); /* in the current process's */
int pid_number_at(const struct pid *pid, int level); /* at a level down to its deepest */
struct pid_ns *pid_ns_of(const struct pid *pid); /* the deepest */

/* Allocates an id for a new task in ns; set: numbers wanted, set[0] at the deepest level, n of them. Positive, -EAGAIN
 * at the limit, -ENOMEM (also when ns has ended), -EEXIST, -EINVAL. */
int pid_alloc(struct pid_ns *ns, const int *set, uint32_t n);
/* Users of an id. */
void pid_ref(int id);
void pid_unref(int id);
/* tasklist_lock held. */
void pid_set_task(int id, struct task *t);
int pid_last(const struct pid_ns *ns); /* the number given out last */

/* What an id is called in a namespace: 0 where it is not visible, or not in use any more. */
int pid_nr_ns(int id, const struct pid_ns *ns);
int pid_vnr(int id); /* in the current process's */
/* The id that a number means in the current namespace, in whatever role; 0: none. */
int pid_from_user(int nr);
/* Is inner ns itself or below it? */
bool pid_ns_contains(const struct pid_ns *ns, const struct pid_ns *inner);

/* A child of parent, or ERR_PTR(-ENOMEM, -ENOSPC). */
struct pid_ns *pid_ns_create(struct pid_ns *parent, struct user_ns *owner);
void pid_ns_free(struct pid_ns *ns);
static inline struct pid_ns *pid_ns_get(struct pid_ns *ns)
{
	ns_get(&ns->ns);
	return ns;
}
static inline void pid_ns_put(struct pid_ns *ns)
{
	if (ns)
		ns_put(&ns->ns);
}
/* No number is given out in ns any more. */
void pid_ns_close(struct pid_ns *ns);
/* p leaves the tree: forgets it as an init, tells an init that waits for the others. tasklist_lock held. */
void pid_ns_reaped(const struct process *p);
/* The init of ns, the current process, ends: no process starts in ns any more, all of them are killed, and it returns
 * when they are gone. */
void pid_ns_zap(struct pid_ns *ns);

#endif
