// SPDX-License-Identifier: Apache-2.0
/*
 * epoll(7). An item watches one open file under one descriptor number; callbacks on the file's wait queues put it on
 * the ready list, and epoll_wait polls the items of that list again. An item is taken off the list before it is polled, so
 * an event after that puts it back: none is lost.
 *
 * Locks: tree_mutex (epoll files being nested) > ep->mtx (outer before inner) > the watched files' own > wait queues >
 * ep->lock. links_lock (spinlock) protects every file's epoll_links.
 * A file that closes removes its items (epoll_file_release) before its memory goes, so an item's file is valid while
 * ep->mtx is held, even if its count is zero.
 */
#include "fs/poll.h"

#include "fs/poll_waits.h"
#include "lib/rbtree.h"
#include "lib/string.h"
#include "mm/page.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "time/timespec.h"

#define EP_MAX_NESTS  4
#define EP_MAX_EVENTS (INT32_MAX / (int)sizeof(struct epoll_event))
#define EP_PRIVATE    (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EP_EXCLUSIVE_OK \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

struct eventpoll {
	ref_t refs;               /* the file's, and epoll_file_release's for a moment */
	struct mutex mtx;         /* items, scans */
	struct rb_root items;     /* by file, fd; mtx */
	struct file *file;        /* our own; immutable */
	spinlock_t lock;
	struct list_node ready;   /* lock */
	struct wait_queue wait;   /* epoll_wait */
	struct wait_queue pollers; /* those that poll the epoll file */
};

struct epitem {
	struct rb_node node;      /* ep->items */
	struct list_node ready_link; /* ep->ready or a scan's own list; ep->lock */
	struct list_node file_link;  /* file->epoll_links; links_lock */
	struct eventpoll *ep;     /* immutable */
	struct file *file;        /* immutable; no reference */
	int fd;                   /* immutable */
	struct epoll_event event; /* events: ep->lock to write */
	struct epoll_wait *waits; /* registrations; mtx */
};

/* One registration with a wait queue. */
struct epoll_wait {
	struct waiter w;
	struct wait_queue *queue;
	struct epitem *item;
	struct epoll_wait *next;
};

static struct mutex tree_mutex = MUTEX_INIT(tree_mutex);
static spinlock_t links_lock;

static const struct file_ops epoll_ops;

static bool is_epoll(const struct file *f) { return f->ops == &epoll_ops; }

static void ep_put(struct eventpoll *ep)
{
	if (ref_put(&ep->refs))
		kfree(ep);
}

/* ---- readiness ---- */

static bool ep_ready(struct eventpoll *ep)
{
	/* A hint without the lock; whoever adds wakes up afterwards. */
	return READ_ONCE(ep->ready.next) != &ep->ready;
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

static uint32_t item_poll(struct epitem *it, struct poll_table *pt)
{
	if (pt)
		pt->events = it->event.events;
	return file_poll(it->file, pt) & it->event.events;
}

static void mark_ready(struct epitem *it)
{
	struct eventpoll *ep = it->ep;

	spin_lock(&ep->lock);
	if (list_empty(&it->ready_link))
		list_add_tail(&it->ready_link, &ep->ready);
	spin_unlock(&ep->lock);
	ep_notify(ep);
}

/* ---- items; mtx is held ---- */

static int compare(const struct epitem *it, const struct file *f, int fd)
{
	if (it->file != f)
		return it->file < f ? -1 : 1;
	return it->fd - fd;
}

static struct epitem *ep_find(struct eventpoll *ep, struct file *f, int fd)
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
	spin_lock(&links_lock);
	list_add_tail(&it->file_link, &it->file->epoll_links);
	spin_unlock(&links_lock);
}

static void ep_remove(struct eventpoll *ep, struct epitem *it)
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
	spin_lock(&links_lock);
	it->file_link.next->prev = it->file_link.prev;
	atomic_store(&it->file_link.prev->next, it->file_link.next);
	spin_unlock(&links_lock);
	kfree(it);
}

void epoll_file_release(struct file *f)
{
	for (;;) {
		struct eventpoll *ep = NULL;
		struct epitem *it = NULL, *found = NULL;

		spin_lock(&links_lock);
		if (!list_empty(&f->epoll_links)) {
			ep = list_first(&f->epoll_links, struct epitem, file_link)->ep;
			ref_get(&ep->refs);
		}
		spin_unlock(&links_lock);
		if (!ep)
			return;
		mutex_lock(&ep->mtx);
		/* With mtx held no item of this set goes away. */
		spin_lock(&links_lock);
		list_for_each_entry(it, &f->epoll_links, file_link) {
			if (it->ep == ep) {
				found = it;
				break;
			}
		}
		spin_unlock(&links_lock);
		if (found)
			ep_remove(ep, found);
		mutex_unlock(&ep->mtx);
		ep_put(ep);
	}
}

static int ep_insert(struct eventpoll *ep, struct file *f, int fd, const struct epoll_event *ev)
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
	reg.item = it;
	revents = item_poll(it, &reg.pt);
	if (reg.err) {
		ep_remove(ep, it);
		return reg.err;
	}
	if (revents)
		mark_ready(it);
	return 0;
}

static void ep_modify(struct epitem *it, const struct epoll_event *ev)
{
	/* Written before we look, under the lock that callbacks take: an event either sees the new mask or comes before the
	 * look. */
	spin_lock(&it->ep->lock);
	it->event = *ev;
	spin_unlock(&it->ep->lock);
	if (item_poll(it, NULL))
		mark_ready(it);
}

/* ---- the epoll file itself ---- */

/* Is any item really ready? Drops those that are not. */
static uint32_t ep_poll(struct file *f, struct poll_table *pt)
{
	struct eventpoll *ep = f->private;
	struct list_node tried;
	uint32_t r = 0;

	poll_wait(f, &ep->pollers, pt);
	if (!ep_ready(ep))
		return 0;
	list_init(&tried);
	mutex_lock(&ep->mtx);
	for (;;) {
		struct epitem *it;

		spin_lock(&ep->lock);
		if (list_empty(&ep->ready)) {
			spin_unlock(&ep->lock);
			break;
		}
		it = list_first(&ep->ready, struct epitem, ready_link);
		list_del(&it->ready_link);
		spin_unlock(&ep->lock);
		if (!item_poll(it, NULL))
			continue;
		spin_lock(&ep->lock);
		if (list_empty(&it->ready_link))
			list_add(&it->ready_link, &ep->ready);
		spin_unlock(&ep->lock);
		r = EPOLLIN | EPOLLRDNORM;
		break;
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
		ep_remove(ep, rb_entry(n, struct epitem, node));
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

/* ---- nesting ---- */

/* Levels of epoll files below and including ep, or -ELOOP when target is among them or it goes too deep. */
static int depth_below(struct eventpoll *ep, const struct eventpoll *target, int level)
{
	int deepest = 0;

	if (ep == target || level > EP_MAX_NESTS)
		return -ELOOP;
	mutex_lock(&ep->mtx);
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct epitem *it = rb_entry(n, struct epitem, node);
		int d;

		if (!is_epoll(it->file))
			continue;
		d = depth_below(it->file->private, target, level + 1);
		if (d < 0) {
			deepest = d;
			break;
		}
		deepest = MAX(deepest, d);
	}
	mutex_unlock(&ep->mtx);
	return deepest < 0 ? deepest : deepest + 1;
}

/* Levels of epoll files that watch ep, directly or not. Caller holds links_lock. */
static int depth_above(struct eventpoll *ep, int level)
{
	struct epitem *it;
	int deepest = 0;

	if (level > EP_MAX_NESTS)
		return level;
	list_for_each_entry(it, &ep->file->epoll_links, file_link)
		deepest = MAX(deepest, depth_above(it->ep, level + 1) + 1);
	return deepest;
}

/* May ep watch inner? Caller holds tree_mutex. */
static int check_nesting(struct eventpoll *ep, struct eventpoll *inner)
{
	int below = depth_below(inner, ep, 0), above;

	if (below < 0)
		return below;
	spin_lock(&links_lock);
	above = depth_above(ep, 0);
	spin_unlock(&links_lock);
	return below + above > EP_MAX_NESTS ? -ELOOP : 0;
}

/* ---- epoll_ctl ---- */

static int ctl_locked(struct eventpoll *ep, int op, struct file *f, int fd, struct epoll_event *ev)
{
	struct epitem *it = ep_find(ep, f, fd);

	switch (op) {
	case EPOLL_CTL_ADD:
		if (it)
			return -EEXIST;
		ev->events |= EPOLLERR | EPOLLHUP;
		return ep_insert(ep, f, fd, ev);
	case EPOLL_CTL_DEL:
		if (!it)
			return -ENOENT;
		ep_remove(ep, it);
		return 0;
	case EPOLL_CTL_MOD:
		if (!it)
			return -ENOENT;
		if (it->event.events & EPOLLEXCLUSIVE)
			return -EINVAL;
		ev->events |= EPOLLERR | EPOLLHUP;
		ep_modify(it, ev);
		return 0;
	default:
		return -EINVAL;
	}
}

static int check_ctl(struct file *epf, struct file *f, int op, const struct epoll_event *ev)
{
	if (!f->ops || !f->ops->poll)
		return -EPERM; /* regular files and directories are always ready */
	if (f == epf || !is_epoll(epf))
		return -EINVAL;
	if (op != EPOLL_CTL_DEL && (ev->events & EPOLLEXCLUSIVE)) {
		if (op == EPOLL_CTL_MOD)
			return -EINVAL;
		if (op == EPOLL_CTL_ADD && (is_epoll(f) || (ev->events & ~(uint32_t)EP_EXCLUSIVE_OK)))
			return -EINVAL;
	}
	return 0;
}

static int do_ctl(struct file *epf, int op, struct file *f, int fd, struct epoll_event *ev)
{
	struct eventpoll *ep;
	bool nesting = op == EPOLL_CTL_ADD && is_epoll(f);
	int err = check_ctl(epf, f, op, ev);

	if (err)
		return err;
	ep = epf->private;
	if (nesting) {
		mutex_lock(&tree_mutex);
		err = check_nesting(ep, f->private);
	}
	if (!err) {
		mutex_lock(&ep->mtx);
		err = ctl_locked(ep, op, f, fd, ev);
		mutex_unlock(&ep->mtx);
	}
	if (nesting)
		mutex_unlock(&tree_mutex);
	return err;
}

int64_t sys_epoll_ctl(const struct sysargs *a)
{
	int epfd = arg_int(a, 0), op = arg_int(a, 1), fd = arg_int(a, 2), err;
	struct epoll_event ev = {0};
	struct file *epf, *f;

	if (op != EPOLL_CTL_DEL && copy_in_struct(&ev, arg_uva(a, 3)))
		return -EFAULT;
	epf = fd_get(epfd);
	if (!epf)
		return -EBADF;
	f = fd_get(fd);
	if (!f) {
		file_put(epf);
		return -EBADF;
	}
	err = do_ctl(epf, op, f, fd, &ev);
	file_put(f);
	file_put(epf);
	return err;
}

/* ---- epoll_wait ---- */

/* Stores what is ready: the number of events, or -EFAULT. */
static int ep_collect(struct eventpoll *ep, uva_t events, int max)
{
	struct list_node scan;
	int n = 0;

	list_init(&scan);
	mutex_lock(&ep->mtx);
	spin_lock(&ep->lock);
	while (!list_empty(&ep->ready))
		list_move_tail(ep->ready.next, &scan);
	spin_unlock(&ep->lock);
	while (n < max) {
		struct epoll_event out;
		struct epitem *it;

		spin_lock(&ep->lock);
		if (list_empty(&scan)) {
			spin_unlock(&ep->lock);
			break;
		}
		it = list_first(&scan, struct epitem, ready_link);
		list_del(&it->ready_link);
		spin_unlock(&ep->lock);
		out.events = item_poll(it, NULL);
		out.data = it->event.data;
		if (!out.events)
			continue;
		if (copy_out_struct(uva_add(events, (uint64_t)n * sizeof(out)), &out)) {
			spin_lock(&ep->lock);
			if (list_empty(&it->ready_link))
				list_add(&it->ready_link, &scan);
			spin_unlock(&ep->lock);
			n = n ? n : -EFAULT;
			break;
		}
		n++;
		spin_lock(&ep->lock);
		if (it->event.events & EPOLLONESHOT)
			it->event.events &= EP_PRIVATE;
		else if (!(it->event.events & EPOLLET) && list_empty(&it->ready_link))
			list_add_tail(&it->ready_link, &ep->ready); /* level-triggered: look again next time */
		spin_unlock(&ep->lock);
	}
	spin_lock(&ep->lock);
	while (!list_empty(&scan)) {
		struct list_node *last = scan.prev;

		list_del(last);
		list_add(last, &ep->ready);
	}
	spin_unlock(&ep->lock);
	mutex_unlock(&ep->mtx);
	/* Others may take what is left. */
	if (ep_ready(ep))
		wake_up_one(&ep->wait);
	return n;
}

/* 0 when something may be ready, -ETIMEDOUT, -ERESTARTSYS. */
static int ep_sleep(struct eventpoll *ep, uint64_t deadline)
{
	struct waiter w;
	int r = 0;

	waiter_init(&w);
	w.exclusive = true;
	wait_queue_add(&ep->wait, &w);
	for (;;) {
		task_prepare_wait(true);
		if (ep_ready(ep)) {
			r = 0;
			break;
		}
		if (r)
			break;
		r = task_sleep(deadline);
	}
	task_finish_wait();
	wait_queue_remove(&ep->wait, &w);
	return r;
}

static int64_t do_wait(int epfd, uva_t events, int max, uint64_t deadline)
{
	struct eventpoll *ep;
	struct file *f;
	int r;

	if (max <= 0 || max > EP_MAX_EVENTS)
		return -EINVAL;
	f = fd_get(epfd);
	if (!f)
		return -EBADF;
	if (!is_epoll(f)) {
		file_put(f);
		return -EINVAL;
	}
	ep = f->private;
	for (;;) {
		r = ep_ready(ep) ? ep_collect(ep, events, max) : 0;
		if (r || !deadline)
			break;
		if (signal_pending(current)) {
			r = -EINTR;
			break;
		}
		r = ep_sleep(ep, deadline);
		if (r == -ETIMEDOUT)
			deadline = 0; /* one last look */
	}
	file_put(f);
	return r;
}

static uint64_t deadline_of_ms(int ms)
{
	return ms < 0 ? DEADLINE_NEVER : ms ? deadline_after((uint64_t)ms * NSEC_PER_MSEC) : 0;
}

int64_t sys_epoll_wait(const struct sysargs *a)
{
	return do_wait(arg_int(a, 0), arg_uva(a, 1), arg_int(a, 2), deadline_of_ms(arg_int(a, 3)));
}

int64_t sys_epoll_pwait(const struct sysargs *a)
{
	int err = poll_set_mask(arg_uva(a, 4), arg_u64(a, 5));

	return err ? err : do_wait(arg_int(a, 0), arg_uva(a, 1), arg_int(a, 2), deadline_of_ms(arg_int(a, 3)));
}

int64_t sys_epoll_pwait2(const struct sysargs *a)
{
	uva_t uts = arg_uva(a, 3);
	uint64_t deadline = DEADLINE_NEVER, ns;
	int err;

	if (uts.v) {
		err = timespec_in(uts, &ns);
		if (err)
			return err;
		deadline = ns ? deadline_after(ns) : 0;
	}
	err = poll_set_mask(arg_uva(a, 4), arg_u64(a, 5));
	return err ? err : do_wait(arg_int(a, 0), arg_uva(a, 1), arg_int(a, 2), deadline);
}
