/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers of the sandbox: what the host knows by an ID. container0 comes with the boot tree and lives as long as the
 * sandbox; others are made by control messages.
 *
 * A process belongs to the container of its parent for ever (process->container) and holds a reference on it. The end of
 * its first process (init) is that of a container: whatever else is in it is killed, and its ID is free.
 */
#ifndef TASK_CONTAINER_H
#define TASK_CONTAINER_H

#include "lib/atomic.h"
#include "lib/list.h"
#include "task/container_cgroup.h"
#include "task/wait_queue.h"

struct fdt;
struct process;
struct seccomp_filter;
struct task;
struct tty;

struct container {
	ref_t refs;
	struct list_node link;          /* list of containers; containers_lock */
	char id[128];
	struct nsproxy *nsproxy;        /* what its processes start in, a reference; the control task's once it is set */
	struct process *init;           /* NULL before it exists and after it ended; tasklist_lock to change */
	uint64_t memory_limit, pids_limit;
	uint32_t nr_tasks;              /* atomic */
	struct container_cgroup cgroup;
	bool frozen;                    /* nothing of it enters ring 3; atomic */
	struct wait_queue thaw;         /* its tasks sleep here while it is frozen */
	struct seccomp_filter *seccomp; /* of all its processes, or NULL; set before its first one runs */
	uint32_t personality;           /* likewise */
	bool ended;                     /* its init has; atomic */
	uint32_t create_request;        /* its init's owner (boot/control_watch.c), 0: the sandbox itself; immutable */
	uint32_t start_state;           /* atomic; of container_hold.c */
	bool mortal_init;               /* a signal from the host ends an init that does not handle it; set once */
	uint32_t start_request;         /* that released it; written before start_state */
	struct wait_queue start_wait;   /* init sleeps here between creation and start */
	struct tty *console;            /* the terminal that its first process was given, or NULL; set once */
};
extern struct container container0;

/* By ID (NULL or "": the first one), with a reference, or NULL. */
struct container *container_find(const char *id);
static inline void container_get(struct container *c) { ref_get(&c->refs); }
void container_put(struct container *c);
/* One more task, within the limit: 0 or -EAGAIN. */
int container_charge_task(struct container *c) MUST_CHECK;
void container_uncharge_task(struct container *c);

/* Nothing of c is in ring 3 when container_freeze returns (0), or -EBUSY: it did not stop within seconds and goes on. */
int container_freeze(struct container *c) MUST_CHECK;
void container_thaw(struct container *c);
/* The current task, about to enter ring 3, waits until its container is thawed or it is killed. */
void container_wait_thawed(void);

/* A task and process of c outside the tree, in a session of its own, without a parent; fn(arg) will be its first code, to
 * begin with sched_first_switch(). Charged to c; ERR_PTR. */
struct task *container_new_process(struct container *c, const char *name, void (*fn)(void *), void *arg);
/* Makes it visible and lets it run: 0, or -ESRCH if its container or the init of its pid namespace has ended: task_discard
 * it. */
int container_start_process(struct task *t) MUST_CHECK;
/* Its init is ending; in the task that does. */
void container_end(struct container *c);
/* The control task: frees what containers that have ended held. */
void container_reap(void);
/* A container not yet on the list, or NULL. */
struct container *container_alloc(const char *id);
void container_add(struct container *c);
/* In the init task: its mounts, then its program. */
int container_init_start(struct container *c, const struct fdt *f, int node, int io_node) MUST_CHECK;
/* Creates the first container's first task. */
void container_spawn(const struct fdt *f);

/* container_process.c: the current task, whose root and mounts are set up, becomes the program that a node describes.
 * io_node: the node with its io numbers. After -errno the reason may be in current->refusal. */
int container_process_start(const struct fdt *f, int node, int io_node) MUST_CHECK;
/* Notes why the program cannot be started: the first reason is what the user is told. Returns err. */
int container_refuse(int err, const char *fmt, ...) PRINTF(2, 3);

/* container_hold.c: between creation and start. In the init task: tells the host that all is set up and sleeps until
 * container_release(); a fatal signal ends the container. */
void container_hold(struct container *c);
/* Lets a held container go on; the request is answered when its program runs or cannot. -EALREADY: it is not held;
 * -ESRCH: it has just ended. */
int container_release(struct container *c, uint32_t request) MUST_CHECK;
/* In the init task, once its program runs (0) or cannot run: answers that request, if there is one. */
void container_started(struct container *c, int err);
/* In the init task, which ends: answers that request if it was not, and takes none any more. */
void container_never_started(struct container *c);
/* Does a signal from the host, whose default is to end a process, end this one? */
bool container_is_mortal(const struct process *p);
/* A signal to the sandbox process is one to the first container's init. No locks held, does not sleep. */
void container_host_signal(int signo);

/* container_exec.c: a further container, from the control message f ("create"), likewise. */
int container_create(const struct fdt *f, uint32_t request) MUST_CHECK;
/* Tells whoever asked for the process with this request that it runs, or (a container) is set up. */
void container_tell_started(uint32_t request);
/* container_exec.c: one more process in a running container, from the control message f ("exec"), whose request is told of
 * its start and its end. 0: the answer will come; -errno: answer at once. */
int container_exec(const struct fdt *f, uint32_t request) MUST_CHECK;

#endif
