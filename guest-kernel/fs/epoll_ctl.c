// SPDX-License-Identifier: Apache-2.0
/*
 * epoll_ctl(2), and how epoll files may watch each other. Locks: see epoll.c.
 *
 * An event goes up every path of sets that watch each other. As Linux does, we bound the length of paths and, for each
 * file that is no epoll file, their number: or a few sets could make one wake-up cost any amount of time.
 */
#include "fs/epoll_impl.h"

#include "syscall/syscall.h"
#include "task/sched.h"

#define EP_MAX_NESTS 4
#define EP_MAX_PATH (EP_MAX_NESTS + 1)
#define EP_EXCLUSIVE_OK \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

static struct mutex tree_mutex = MUTEX_INIT(tree_mutex);
/* The walk under way, for eventpoll.walk: a set is visited once, however many paths lead to it. tree_mutex. */
static uint64_t walk;

/* ---- nesting; tree_mutex is held ---- */

/* Levels of epoll files below and including ep, or -ELOOP when target is among them or it goes too deep. */
static int depth_below(struct eventpoll *ep, const struct eventpoll *target, int level)
{
	int deepest = 0;

	if (ep == target || level > EP_MAX_NESTS)
		return -ELOOP;
	if (ep->walk == walk)
		return ep->depth;
	mutex_lock(&ep->mtx);
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct epitem *it = rb_entry(n, struct epitem, node);
		int d;

		if (!epoll_is(it->file))
			continue;
		d = depth_below(it->file->private, target, level + 1);
		if (d < 0) {
			deepest = d;
			break;
		}
		deepest = MAX(deepest, d);
	}
	mutex_unlock(&ep->mtx);
	if (deepest < 0)
		return deepest;
	ep->walk = walk;
	ep->depth = deepest + 1;
	return ep->depth;
}

/* Levels of epoll files that watch ep, directly or not. Caller holds epoll_links_lock. */
static int depth_above(struct eventpoll *ep, int level)
{
	struct epitem *it;
	int deepest = 0;

	if (level > EP_MAX_NESTS)
		return level;
	if (ep->walk == walk)
		return ep->depth;
	list_for_each_entry(it, &ep->file->epoll_links, file_link)
		deepest = MAX(deepest, depth_above(it->ep, level + 1) + 1);
	ep->walk = walk;
	ep->depth = deepest;
	return deepest;
}

/* May ep watch inner? */
static int check_nesting(struct eventpoll *ep, struct eventpoll *inner)
{
	int below, above;

	walk++;
	below = depth_below(inner, ep, 0);
	if (below < 0)
		return below;
	walk++;
	spin_lock(&epoll_links_lock);
	above = depth_above(ep, 0);
	spin_unlock(&epoll_links_lock);
	return below + above > EP_MAX_NESTS ? -ELOOP : 0;
}

/*
 * Counts the paths up from f by their length, and stops at the first too many: every step is part of a path that
 * counts, so the limits bound the work, too. Caller holds epoll_links_lock.
 */
static bool count_paths(const struct file *f, int depth, uint32_t *count)
{
	static const uint32_t limits[EP_MAX_PATH] = {UINT32_MAX, 500, 100, 50, 10}; /* Linux's */
	struct epitem *it;

	if (depth >= EP_MAX_PATH)
		return false;
	list_for_each_entry(it, &f->epoll_links, file_link) {
		if (list_empty(&it->ep->file->epoll_links)) {
			if (++count[depth] > limits[depth])
				return false;
		} else if (!count_paths(it->ep->file, depth + 1, count)) {
			return false;
		}
	}
	return true;
}

static bool check_below(struct file *f)
{
	bool ok = true;

	if (epoll_is(f)) {
		struct eventpoll *ep = f->private;

		if (ep->walk == walk)
			return true;
		ep->walk = walk;
		mutex_lock(&ep->mtx);
		for (struct rb_node *n = rb_first(&ep->items); n && ok; n = rb_next(n))
			ok = check_below(rb_entry(n, struct epitem, node)->file);
		mutex_unlock(&ep->mtx);
	} else {
		uint32_t count[EP_MAX_PATH] = {0};

		spin_lock(&epoll_links_lock);
		ok = count_paths(f, 0, count);
		spin_unlock(&epoll_links_lock);
		cond_resched();
	}
	return ok;
}

bool epoll_check_paths(struct file *f)
{
	walk++;
	return check_below(f);
}

/* ---- epoll_ctl ---- */

static bool is_watched(struct eventpoll *ep)
{
	bool watched;

	spin_lock(&epoll_links_lock);
	watched = !list_empty(&ep->file->epoll_links);
	spin_unlock(&epoll_links_lock);
	return watched;
}

static int ctl_locked(struct eventpoll *ep, int op, struct file *f, int fd, struct epoll_event *ev, bool nesting)
{
	struct epitem *it = epoll_find(ep, f, fd);

	switch (op) {
	case EPOLL_CTL_ADD:
		if (it)
			return -EEXIST;
		ev->events |= EPOLLERR | EPOLLHUP;
		return epoll_insert(ep, f, fd, ev, nesting);
	case EPOLL_CTL_DEL:
		if (!it)
			return -ENOENT;
		epoll_remove(ep, it);
		return 0;
	case EPOLL_CTL_MOD:
		if (!it)
			return -ENOENT;
		if (it->event.events & EPOLLEXCLUSIVE)
			return -EINVAL;
		ev->events |= EPOLLERR | EPOLLHUP;
		epoll_modify(it, ev);
		return 0;
	default:
		return -EINVAL;
	}
}

static int check_ctl(struct file *epf, struct file *f, int op, const struct epoll_event *ev)
{
	if (!f->ops || !f->ops->poll)
		return -EPERM; /* regular files and directories are always ready */
	if (f == epf || !epoll_is(epf))
		return -EINVAL;
	if (op != EPOLL_CTL_DEL && (ev->events & EPOLLEXCLUSIVE)) {
		if (op == EPOLL_CTL_MOD)
			return -EINVAL;
		if (op == EPOLL_CTL_ADD && (epoll_is(f) || (ev->events & ~(uint32_t)EP_EXCLUSIVE_OK)))
			return -EINVAL;
	}
	return 0;
}

static int do_ctl(struct file *epf, int op, struct file *f, int fd, struct epoll_event *ev)
{
	struct eventpoll *ep;
	bool nesting;
	int err = check_ctl(epf, f, op, ev);

	if (err)
		return err;
	ep = epf->private;
	mutex_lock(&ep->mtx);
	/* Whoever makes another set watch this one links it first and then looks, under mtx, at what we have added. */
	nesting = op == EPOLL_CTL_ADD && (epoll_is(f) || is_watched(ep));
	if (nesting) {
		mutex_unlock(&ep->mtx);
		mutex_lock(&tree_mutex);
		err = epoll_is(f) ? check_nesting(ep, f->private) : 0;
		mutex_lock(&ep->mtx);
	}
	if (!err)
		err = ctl_locked(ep, op, f, fd, ev, nesting);
	mutex_unlock(&ep->mtx);
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
