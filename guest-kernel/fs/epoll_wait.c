// SPDX-License-Identifier: Apache-2.0
/* epoll_wait(2), epoll_pwait(2), epoll_pwait2(2): taking what is ready, and sleeping until something is. */
#include "fs/epoll_impl.h"

#include "boot/events.h"
#include "fs/poll_waits.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "time/timespec.h"

#define EP_MAX_EVENTS (INT32_MAX / (int)sizeof(struct epoll_event))

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
		struct epitem *it = epoll_take_ready(ep, &scan);
		struct epoll_event out;

		if (!it)
			break;
		out.events = epoll_item_poll(it, NULL);
		out.data = it->event.data;
		if (!out.events)
			continue;
		if (copy_out_struct(uva_add(events, (uint64_t)n * sizeof(out)), &out)) {
			epoll_add_ready(it, &scan, true);
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
	if (epoll_ready(ep))
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
		if (epoll_ready(ep)) {
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
	if (!epoll_is(f)) {
		file_put(f);
		return -EINVAL;
	}
	ep = f->private;
	events_refresh();
	for (;;) {
		r = epoll_ready(ep) ? ep_collect(ep, events, max) : 0;
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
