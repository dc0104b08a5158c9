// SPDX-License-Identifier: Apache-2.0
/*
 * epoll(7). An item watches one open file under one descriptor number; callbacks on the file's wait queues put it on
 * the ready list, and epoll_wait polls the items of that list again. An item is taken off the list before it is polled, so
 * an event after that puts it back: none is lost.
 *
 * Locks: tree_mutex (epoll_ctl.c: epoll files being nested) > ep->mtx (outer before inner) > the watched files' own > wait queues >
 * ep->lock. epoll_links_lock (spinlock) protects every file's epoll_links.
 * A file that closes removes its items (epoll_file_release) before its memory goes, so an item's file is valid while
 * ep->mtx is held, even if its count is zero.
 */
#include "fs/epoll_impl.h"

#include "lib/string.h"
#include "mm/page.h"
#include "syscall/syscall.h"

spinlock_t epoll_links_lock;

static const struct file_ops epoll_ops;

bool epoll_is(const struct file *f) { return f->ops == &epoll_ops; }

static void ep_put(struct eventpoll *ep)
{
	if (ref_put(&ep->refs))
		kfree(ep);
}

/* ---- readiness ---- */

struct epitem *epoll_take_ready(struct eventpoll *ep, struct list_node *list)
{
	struct epitem *it = NULL;

	spin_lock(&ep->lock);
	if (!list_empty(list)) {
		it = list_first(list, struct epitem, ready_link);
		list_del(&it->ready_link);
	}
	spin_unlock(&ep->lock);
	return it;
}

void epoll_add_ready(struct epitem *it, struct list_node *list, bool first)
{
	spin_lock(&it->ep->lock);
	if (list_empty(&it->ready_link)) {
		if (first)
			list_add(&it->ready_link, list);
		else
			list_add_tail(&it->ready_link, list);
	}
	spin_unlock(&it->ep->lock);
}

static void ep_notify(struct eventpoll *ep)
{
	wake_up_one(&ep->wait);
	wake_up_poll(&ep->pollers, EPOLLIN);
}

/* Something happened to the file. Under the lock of the file's wait queue. */
static bool ep_callback(struct waiter *w, uint32_t events)
{
	struct epitem *it = container_of(w, struct epoll_wait, w)->item;
	struct eventpoll *ep = it->ep;
	uint32_t wanted;

	spin_lock(&ep->lock);
	wanted = it->event.events;
	/* Disarmed by EPOLLONESHOT, or not the kind that is waited for. */
	if (!(wanted & ~EP_PRIVATE) || (events && !(events & wanted))) {
		spin_unlock(&ep->lock);
		return false;
	}
	if (list_empty(&it->ready_link))
		list_add_tail(&it->ready_link, &ep->ready);
	spin_unlock(&ep->lock);
	ep_notify(ep);
	return true;
}

struct ep_register {
	struct poll_table pt;
	struct epitem *item;
	int err;
};

static void ep_queue(struct poll_table *pt, struct file *f, struct wait_queue *q)
{
	struct ep_register *r = container_of(pt, struct ep_register, pt);
	struct epoll_wait *w = kmalloc(sizeof(*w));

	(void)f;
	if (!w) {
		r->err = -ENOMEM;
		return;
	}
	waiter_init(&w->w);
	w->w.fn = ep_callback;
	w->w.exclusive = r->item->event.events & EPOLLEXCLUSIVE;
	w->queue = q;
	w->item = r->item;
	w->next = r->item->waits;
	r->item->waits = w;
	wait_queue_add(q, &w->w);
}

uint32_t epoll_item_poll(struct epitem *it, struct poll_table *pt)
{
	if (pt)
		pt->events = it->event.events;
	return file_poll(it->file, pt) & it->event.events;
}

static void mark_ready(struct epitem *it)
{
	epoll_add_ready(it, &it->ep->ready, false);
	ep_notify(it->ep);
}

/* ---- items; mtx is held ---- */

static int compare(const struct epitem *it, const struct file *f, int fd)
{
	if (it->file != f)
		return it->file < f ? -1 : 1;
	return it->fd - fd;
}

struct epitem *epoll_find(struct eventpoll *ep, struct file *f, int fd)
{
	struct rb_node *n = ep->items.node;

	while (n) {
		struct epitem *it = rb_entry(n, struct epitem, node);
		int c = compare(it, f, fd);

		if (!c)
			return it;
		n = c < 0 ? n->right : n->left;
	}
	return NULL;
}

static void ep_link(struct eventpoll *ep, struct epitem *it)
{
	struct rb_node **link = &ep->items.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = compare(rb_entry(parent, struct epitem, node), it->file, it->fd) < 0 ? &parent->right : &parent->left;
	}
	rb_link(&it->node, parent, link);
	rb_insert_fixup(&ep->items, &it->node);
	spin_lock(&epoll_links_lock);
	list_add_tail(&it->file_link, &it->file->epoll_links);
	spin_unlock(&epoll_links_lock);
}

void epoll_remove(struct eventpoll *ep, struct epitem *it)
{
	struct epoll_wait *w;

	/* First the queues: they live while the file is linked to us. */
	while ((w = it->waits)) {
		it->waits = w->next;
		wait_queue_remove(w->queue, &w->w);
		kfree(w);
	}
	rb_erase(&ep->items, &it->node);
	spin_lock(&ep->lock);
	list_del(&it->ready_link);
	spin_unlock(&ep->lock);
	/* The closing side looks at the head's next pointer without the lock: it is written last, and the file not touched
	 * after that. */
	spin_lock(&epoll_links_lock);
	it->file_link.next->prev = it->file_link.prev;
	atomic_store(&it->file_link.prev->next, it->file_link.next);
	spin_unlock(&epoll_links_lock);
	kfree(it);
}

void epoll_file_release(struct file *f)
{
	for (;;) {
		struct eventpoll *ep = NULL;
		struct epitem *it = NULL, *found = NULL;

		spin_lock(&epoll_links_lock);
		if (!list_empty(&f->epoll_links)) {
			ep = list_first(&f->epoll_links, struct epitem, file_link)->ep;
			ref_get(&ep->refs);
		}
		spin_unlock(&epoll_links_lock);
		if (!ep)
			return;
		mutex_lock(&ep->mtx);
		/* With mtx held no item of this set goes away. */
		spin_lock(&epoll_links_lock);
		list_for_each_entry(it, &f->epoll_links, file_link) {
			if (it->ep == ep) {
				found = it;
				break;
			}
		}
		spin_unlock(&epoll_links_lock);
		if (found)
			epoll_remove(ep, found);
		mutex_unlock(&ep->mtx);
		ep_put(ep);
	}
}

int epoll_insert(struct eventpoll *ep, struct file *f, int fd, const struct epoll_event *ev, bool nesting)
{
	struct epitem *it = kzalloc(sizeof(*it));
	struct ep_register reg = {.pt = {.queue = ep_queue}};
	uint32_t revents;

	if (!it)
		return -ENOMEM;
	list_init(&it->ready_link);
	list_init(&it->file_link);
	it->ep = ep;
	it->file = f;
	it->fd = fd;
	it->event = *ev;
	ep_link(ep, it);
	if (nesting && !epoll_check_paths(f)) {
		epoll_remove(ep, it);
		return -EINVAL;
	}
	reg.item = it;
	revents = epoll_item_poll(it, &reg.pt);
	if (reg.err) {
		epoll_remove(ep, it);
		return reg.err;
	}
	if (revents)
		mark_ready(it);
	return 0;
}

void epoll_modify(struct epitem *it, const struct epoll_event *ev)
{
	/* Written before we look, under the lock that callbacks take: an event either sees the new mask or comes before the
	 * look. */
	spin_lock(&it->ep->lock);
	it->event = *ev;
	spin_unlock(&it->ep->lock);
	if (epoll_item_poll(it, NULL))
		mark_ready(it);
}

/* ---- the epoll file itself ---- */

/* Is any item really ready? Drops those that are not. */
static uint32_t ep_poll(struct file *f, struct poll_table *pt)
{
	struct eventpoll *ep = f->private;
	struct epitem *it;
	uint32_t r = 0;

	poll_wait(f, &ep->pollers, pt);
	if (!epoll_ready(ep))
		return 0;
	mutex_lock(&ep->mtx);
	while (!r && (it = epoll_take_ready(ep, &ep->ready))) {
		if (!epoll_item_poll(it, NULL))
			continue;
		epoll_add_ready(it, &ep->ready, true);
		r = EPOLLIN | EPOLLRDNORM;
	}
	mutex_unlock(&ep->mtx);
	return r;
}

static void ep_release(struct file *f)
{
	struct eventpoll *ep = f->private;
	struct rb_node *n;

	mutex_lock(&ep->mtx);
	while ((n = rb_first(&ep->items)))
		epoll_remove(ep, rb_entry(n, struct epitem, node));
	mutex_unlock(&ep->mtx);
	ep_put(ep);
}

static int ep_fdinfo(struct file *f, char *buf, size_t size)
{
	struct eventpoll *ep = f->private;
	size_t len = 0;

	mutex_lock(&ep->mtx);
	for (struct rb_node *n = rb_first(&ep->items); n && len < size; n = rb_next(n)) {
		struct epitem *it = rb_entry(n, struct epitem, node);

		len += (size_t)snprintf(buf + len, size - len, "tfd: %8d events: %8x data: %16lx  pos:%ld ino:%lx sdev:%x\n",
		                        it->fd, it->event.events, (uint64_t)it->event.data, (int64_t)it->file->pos,
		                        it->file->inode ? it->file->inode->ino : 0,
		                        it->file->inode ? (uint32_t)it->file->inode->sb->dev : 0);
	}
	mutex_unlock(&ep->mtx);
	return (int)MIN(len, size);
}

static const struct file_ops epoll_ops = {
	.poll = ep_poll,
	.release = ep_release,
	.show_fdinfo = ep_fdinfo,
	.no_seek = true,
};

static int64_t epoll_new(int flags)
{
	struct eventpoll *ep;
	struct file *f;

	if (flags & ~EPOLL_CLOEXEC)
		return -EINVAL;
	ep = kzalloc(sizeof(*ep));
	if (!ep)
		return -ENOMEM;
	ref_init(&ep->refs);
	mutex_init(&ep->mtx);
	list_init(&ep->ready);
	wait_queue_init(&ep->wait);
	wait_queue_init(&ep->pollers);
	f = file_anon("eventpoll", &epoll_ops, ep, O_RDWR);
	if (!f) {
		kfree(ep);
		return -ENOMEM;
	}
	ep->file = f;
	return fd_publish(f, flags & EPOLL_CLOEXEC);
}

int64_t sys_epoll_create(const struct sysargs *a) { return arg_int(a, 0) <= 0 ? -EINVAL : epoll_new(0); }
int64_t sys_epoll_create1(const struct sysargs *a) { return epoll_new(arg_int(a, 0)); }
