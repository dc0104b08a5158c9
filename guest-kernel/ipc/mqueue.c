// SPDX-License-Identifier: Apache-2.0
/*
 * POSIX message queues: sending, receiving, notification, and the operations on open queues (see mqueue.h).
 *
 * A message for a waiting receiver is handed to it directly, and a receiver that makes room lets the first waiting
 * sender's message in, so nobody can overtake who already waits. Waiters are served in order of arrival, whatever their
 * scheduling priority.
 */
#include "ipc/mqueue.h"

#include "fs/poll.h"
#include "lib/string.h"
#include "signal/signal.h"
#include "task/task.h"

/* A sleeping sender (message: what it sends) or receiver (message: what it got). queue->lock. */
struct mq_waiter {
	struct list_node link;
	struct wait_queue wait;
	struct mq_message *message;
	bool done;
};

void mqueue_init(struct mqueue *q, uint64_t max_messages, uint64_t max_bytes)
{
	spin_init(&q->lock);
	list_init(&q->receivers);
	list_init(&q->senders);
	wait_queue_init(&q->pollers);
	q->max_messages = max_messages;
	q->max_bytes = max_bytes;
}

static void insert(struct mqueue *q, struct mq_message *m)
{
	struct rb_node **link = &q->messages.node, *parent = NULL;

	while (*link) {
		struct mq_message *o = rb_entry(*link, struct mq_message, node);

		parent = *link;
		link = m->prio > o->prio ? &parent->left : &parent->right;
	}
	rb_link(&m->node, parent, link);
	rb_insert_fixup(&q->messages, &m->node);
	m->seq = q->next_seq++;
	q->count++;
	q->bytes += m->len;
}

static struct mq_message *take_first(struct mqueue *q)
{
	struct mq_message *m = rb_entry(rb_first(&q->messages), struct mq_message, node);

	rb_erase(&q->messages, &m->node);
	q->count--;
	q->bytes -= m->len;
	return m;
}

void mqueue_destroy(struct mqueue *q)
{
	while (q->count)
		kfree(take_first(q));
	if (q->notice.owner)
		process_put(q->notice.owner);
}

/* ---- notification ---- */

/* Takes the registration out of the queue; lock held. */
static struct mq_notice notice_take(struct mqueue *q)
{
	struct mq_notice n = q->notice;

	q->notice = (struct mq_notice){0};
	return n;
}

/* The message has come: without locks. */
static void notice_send(struct mq_notice *n)
{
	if (!n->owner)
		return;
	if (n->kind == SIGEV_SIGNAL && n->signo) {
		siginfo_t si;

		siginfo_user(&si, n->signo, SI_MESGQ);
		si._sifields._rt._sigval.sival_ptr = (void *)n->value;
		(void)signal_send_process(n->owner, &si);
	}
	process_put(n->owner);
}

int mqueue_notify(struct mqueue *q, int kind, int signo, uint64_t value)
{
	int r = -EBUSY;

	spin_lock(&q->lock);
	if (!q->notice.owner) {
		process_get(current->proc);
		q->notice = (struct mq_notice){current->proc, kind, signo, value};
		r = 0;
	}
	spin_unlock(&q->lock);
	return r;
}

void mqueue_unnotify(struct mqueue *q)
{
	struct mq_notice n = {0};

	spin_lock(&q->lock);
	if (q->notice.owner == current->proc)
		n = notice_take(q);
	spin_unlock(&q->lock);
	if (n.owner)
		process_put(n.owner);
}

/* ---- send, receive ---- */

/* Lock held. Nothing of w may be touched afterwards: its owner only needs the lock to leave. */
static void waiter_finish(struct mq_waiter *w, struct mq_message *m)
{
	list_del(&w->link);
	w->message = m;
	WRITE_ONCE(w->done, true);
	wake_up_all(&w->wait);
}

/* Sleeps as w at the end of the list. Lock held on entry, not on return. */
static int waiter_sleep(struct mqueue *q, struct mq_waiter *w, struct list_node *list, uint64_t deadline)
{
	wait_queue_init(&w->wait);
	w->done = false;
	list_add_tail(&w->link, list);
	spin_unlock(&q->lock);
	int err = wait_event_interruptible_deadline(&w->wait, READ_ONCE(w->done), deadline);
	spin_lock(&q->lock);
	if (w->done)
		err = 0;
	else
		list_del(&w->link);
	spin_unlock(&q->lock);
	return err;
}

int mqueue_send(struct mqueue *q, struct mq_message *m, bool nonblock, uint64_t deadline)
{
	struct mq_notice notice = {0};
	struct mq_waiter w;

	spin_lock(&q->lock);
	if (q->count >= q->max_messages) {
		if (nonblock) {
			spin_unlock(&q->lock);
			return -EAGAIN;
		}
		w.message = m;
		return waiter_sleep(q, &w, &q->senders, deadline);
	}
	if (!list_empty(&q->receivers)) {
		waiter_finish(list_first(&q->receivers, struct mq_waiter, link), m);
	} else {
		insert(q, m);
		if (q->count == 1)
			notice = notice_take(q);
		wake_up_poll(&q->pollers, EPOLLIN | EPOLLRDNORM);
	}
	spin_unlock(&q->lock);
	notice_send(&notice);
	return 0;
}

struct mq_message *mqueue_receive(struct mqueue *q, bool nonblock, uint64_t deadline)
{
	struct mq_message *m;
	struct mq_waiter w;

	spin_lock(&q->lock);
	if (!q->count) {
		if (nonblock) {
			spin_unlock(&q->lock);
			return ERR_PTR(-EAGAIN);
		}
		int err = waiter_sleep(q, &w, &q->receivers, deadline);
		return err ? ERR_PTR(err) : w.message;
	}
	m = take_first(q);
	if (!list_empty(&q->senders)) {
		struct mq_waiter *sender = list_first(&q->senders, struct mq_waiter, link);

		insert(q, sender->message);
		waiter_finish(sender, NULL);
	} else {
		wake_up_poll(&q->pollers, EPOLLOUT | EPOLLWRNORM);
	}
	spin_unlock(&q->lock);
	return m;
}

/* ---- open queues as files ---- */

struct mqueue *mqueue_of_file(const struct file *f)
{
	return f->ops == &mqueue_fops ? f->inode->private : NULL;
}

static uint32_t mqueue_poll(struct file *f, struct poll_table *pt)
{
	struct mqueue *q = mqueue_of_file(f);
	uint32_t events = 0;

	poll_wait(f, &q->pollers, pt);
	spin_lock(&q->lock);
	if (q->count)
		events |= EPOLLIN | EPOLLRDNORM;
	if (q->count < q->max_messages)
		events |= EPOLLOUT | EPOLLWRNORM;
	spin_unlock(&q->lock);
	return events;
}

/* read(2) tells about the queue: mq_overview(7). */
static ssize_t_ mqueue_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct mqueue *q = mqueue_of_file(f);
	char text[80];

	spin_lock(&q->lock);
	bool told = q->notice.owner;
	size_t n = (size_t)snprintf(text, sizeof(text), "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
	                            (unsigned long)q->bytes, told ? q->notice.kind : 0,
	                            told && q->notice.kind == SIGEV_SIGNAL ? q->notice.signo : 0,
	                            told ? pid_vnr(q->notice.owner->pid) : 0);
	spin_unlock(&q->lock);
	if (*pos >= n || !to->count)
		return 0;
	size_t done = iter_copy_to(to, text + *pos, MIN(n - *pos, to->count));
	if (!done)
		return -EFAULT;
	*pos += done;
	return (ssize_t_)done;
}

/* Any close by the registered process ends its registration (mq_close(3)). */
static int mqueue_flush(struct file *f)
{
	mqueue_unnotify(mqueue_of_file(f));
	return 0;
}

const struct file_ops mqueue_fops = {
	.read = mqueue_read,
	.poll = mqueue_poll,
	.flush = mqueue_flush,
};
