// SPDX-License-Identifier: Apache-2.0
/* epoll_ctl(2), and how deep epoll files may watch each other. Locks: see epoll.c. */
#include "fs/epoll_impl.h"

#include "syscall/syscall.h"

#define EP_MAX_NESTS 4
#define EP_EXCLUSIVE_OK \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

static struct mutex tree_mutex = MUTEX_INIT(tree_mutex);

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
	return deepest < 0 ? deepest : deepest + 1;
}

/* Levels of epoll files that watch ep, directly or not. Caller holds epoll_links_lock. */
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
	spin_lock(&epoll_links_lock);
	above = depth_above(ep, 0);
	spin_unlock(&epoll_links_lock);
	return below + above > EP_MAX_NESTS ? -ELOOP : 0;
}

/* ---- epoll_ctl ---- */

static int ctl_locked(struct eventpoll *ep, int op, struct file *f, int fd, struct epoll_event *ev)
{
	struct epitem *it = epoll_find(ep, f, fd);

	switch (op) {
	case EPOLL_CTL_ADD:
		if (it)
			return -EEXIST;
		ev->events |= EPOLLERR | EPOLLHUP;
		return epoll_insert(ep, f, fd, ev);
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
	bool nesting = op == EPOLL_CTL_ADD && epoll_is(f);
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
