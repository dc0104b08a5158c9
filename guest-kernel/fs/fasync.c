// SPDX-License-Identifier: Apache-2.0
/*
 * O_ASYNC: SIGIO (or F_SETSIG's signal) when a file becomes ready (fcntl(2)).
 *
 * Any file with a poll operation takes part: its wait queues get callbacks. These run under the queue's lock, where a
 * signal must not be sent (the signal's own lock comes earlier in the lock order), so they pass the event to a kernel
 * task.
 */
#include "fs/vfs.h"

#include <asm/siginfo.h>

#include "fs/namei.h"
#include "fs/poll.h"
#include "signal/signal.h"
#include "task/task.h"

#define FASYNC_QUEUES 3

struct fasync_node {
	struct waiter waiter;
	struct wait_queue *queue;
	struct fasync *owner;
};

struct fasync {
	struct file *file;
	int fd;                    /* as F_SETFL saw it, for si_fd */
	uint32_t n;
	uint32_t events;           /* not yet signalled; fasync_lock */
	struct list_node pending;  /* fasync_lock */
	struct fasync_node node[FASYNC_QUEUES];
};

static spinlock_t fasync_lock = SPINLOCK_INIT;
static struct list_node pending_list = LIST_INIT(pending_list); /* fasync_lock */
static struct wait_queue worker_wait = WAIT_QUEUE_INIT(worker_wait);
static struct task *worker; /* made at the first use; set once */

/* What a signal needs, copied while the file is sure to exist. */
struct sigio {
	int owner, sig, fd;
	uint32_t uid, euid, events;
	bool thread;
};

static bool permitted(const struct sigio *s, struct process *p)
{
	bool ok = s->euid == 0;
	spin_lock(&tasklist_lock);
	struct task *t = p->leader;
	if (t) {
		spin_lock(&t->lock);
		const struct cred *c = t->cred;
		ok = ok || (c && (s->euid == c->suid || s->euid == c->uid || s->uid == c->suid || s->uid == c->uid));
		spin_unlock(&t->lock);
	}
	spin_unlock(&tasklist_lock);
	return ok;
}

static void send(const struct sigio *s)
{
	siginfo_t si;
	siginfo_kernel(&si, s->sig ? s->sig : SIGIO);
	if (s->sig && s->fd >= 0) {
		uint32_t ev = s->events ? s->events : EPOLLIN | EPOLLRDNORM;
		si.si_code = ev & EPOLLMSG ? POLL_MSG : ev & EPOLLHUP ? POLL_HUP : ev & EPOLLERR ? POLL_ERR : ev & EPOLLIN ? POLL_IN : POLL_OUT;
		si.si_band = ev;
		si.si_fd = s->fd;
	}
	if (s->owner < 0) {
		(void)signal_send_pgrp(-s->owner, &si);
		return;
	}
	struct process *p = s->thread ? NULL : process_find(s->owner);
	if (p) {
		if (permitted(s, p))
			(void)signal_send_process(p, &si);
		process_put(p);
		return;
	}
	struct task *t = task_find(s->owner);
	if (t) {
		if (permitted(s, t->proc))
			(void)signal_send_task(t, &si);
		task_put(t);
	}
}

void file_send_sigurg(struct file *f)
{
	struct sigio s = {f->owner_pid, SIGURG, -1, f->owner_uid, f->owner_euid, EPOLLPRI, f->owner_tid};
	if (s.owner)
		send(&s);
}

void file_send_sigio(struct file *f, int fd, uint32_t events)
{
	struct sigio s = {f->owner_pid, f->owner_sig, fd, f->owner_uid, f->owner_euid, events, f->owner_tid};
	if (s.owner)
		send(&s);
}

static void worker_main(void *arg)
{
	for (;;) {
		wait_event(&worker_wait, !list_empty(&pending_list));
		spin_lock(&fasync_lock);
		while (!list_empty(&pending_list)) {
			struct fasync *fa = list_first(&pending_list, struct fasync, pending);
			struct file *f = fa->file;
			list_del(&fa->pending);
			struct sigio s = {f->owner_pid, f->owner_sig, fa->fd, f->owner_uid, f->owner_euid, fa->events, f->owner_tid};
			fa->events = 0;
			spin_unlock(&fasync_lock);
			if (s.owner)
				send(&s);
			spin_lock(&fasync_lock);
		}
		spin_unlock(&fasync_lock);
	}
}

static bool on_event(struct waiter *w, uint32_t events)
{
	struct fasync *fa = container_of(w, struct fasync_node, waiter)->owner;
	spin_lock(&fasync_lock);
	fa->events |= events;
	if (list_empty(&fa->pending))
		list_add_tail(&fa->pending, &pending_list);
	spin_unlock(&fasync_lock);
	wake_up_one(&worker_wait);
	return false;
}

struct fasync_poll {
	struct poll_table pt;
	struct fasync *fa;
};

static void add_queue(struct poll_table *pt, struct file *f, struct wait_queue *q)
{
	struct fasync *fa = container_of(pt, struct fasync_poll, pt)->fa;
	if (fa->n == FASYNC_QUEUES)
		return;
	struct fasync_node *n = &fa->node[fa->n++];
	waiter_init(&n->waiter);
	n->waiter.fn = on_event;
	n->waiter.task = NULL;
	n->queue = q;
	n->owner = fa;
	wait_queue_add(q, &n->waiter);
}

void fasync_release(struct file *f)
{
	struct fasync *fa = f->async;
	f->async = NULL;
	for (uint32_t i = 0; i < fa->n; i++)
		wait_queue_remove(fa->node[i].queue, &fa->node[i].waiter);
	spin_lock(&fasync_lock);
	list_del(&fa->pending);
	spin_unlock(&fasync_lock);
	kfree(fa);
}

int fasync_set(struct file *f, int fd, bool on)
{
	static struct mutex setup = MUTEX_INIT(setup);
	int r = 0;
	mutex_lock(&setup);
	if (!on) {
		if (f->async)
			fasync_release(f);
	} else if (!f->async && f->ops && f->ops->poll) {
		struct fasync *fa = kzalloc(sizeof(*fa));
		if (!worker)
			worker = kthread_create("fasync", worker_main, NULL);
		if (!fa || !worker) {
			kfree(fa);
			r = -ENOMEM;
		} else {
			fa->file = f;
			fa->fd = fd;
			list_init(&fa->pending);
			f->async = fa;
			struct fasync_poll fp = {.pt = {.queue = add_queue, .events = UINT32_MAX}, .fa = fa};
			(void)f->ops->poll(f, &fp.pt);
		}
	}
	mutex_unlock(&setup);
	return r;
}
