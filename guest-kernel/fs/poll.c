// SPDX-License-Identifier: Apache-2.0
/*
 * poll(2), ppoll(2). The first pass registers with every file and then looks; each wake-up only marks the set, and the task
 * looks at all files again. A set that has been marked between a look and the sleep does not sleep.
 */
#include "fs/poll_waits.h"

#include <asm/poll.h>

#include "lib/string.h"
#include "mm/page.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "time/timespec.h"

#define CHUNK_ENTRIES 60

struct poll_chunk {
	struct poll_chunk *next;
	uint32_t n;
	struct poll_entry e[CHUNK_ENTRIES];
};

uint32_t file_poll(struct file *f, struct poll_table *pt)
{
	if (!f->ops || !f->ops->poll)
		return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
	return f->ops->poll(f, pt);
}

/* ---- sets of waiters ---- */

static bool poll_woken(struct waiter *w, uint32_t events)
{
	struct poll_entry *e = container_of(w, struct poll_entry, w);

	if (events && !(events & e->events))
		return false;
	atomic_store(&e->waits->triggered, 1u);
	return task_wake(e->waits->task);
}

static struct poll_entry *new_entry(struct poll_waits *w)
{
	if (w->nr_inline < ARRAY_SIZE(w->fast))
		return &w->fast[w->nr_inline++];
	if (!w->chunks || w->chunks->n == CHUNK_ENTRIES) {
		struct poll_chunk *c = kmalloc(sizeof(*c));

		if (!c)
			return NULL;
		c->next = w->chunks;
		c->n = 0;
		w->chunks = c;
	}
	return &w->chunks->e[w->chunks->n++];
}

static void poll_register(struct poll_table *pt, struct file *f, struct wait_queue *q)
{
	struct poll_waits *w = container_of(pt, struct poll_waits, pt);
	struct poll_entry *e = new_entry(w);

	if (!e) {
		w->err = -ENOMEM;
		return;
	}
	waiter_init(&e->w);
	e->w.fn = poll_woken;
	e->queue = q;
	e->file = f;
	e->waits = w;
	e->events = pt->events;
	file_get(f);
	wait_queue_add(q, &e->w);
}

static void poll_waits_init(struct poll_waits *w)
{
	w->pt.queue = poll_register;
	w->pt.events = 0;
	w->task = current;
	w->triggered = 0;
	w->err = 0;
	w->chunks = NULL;
	w->nr_inline = 0;
}

static int poll_waits_sleep(struct poll_waits *w, uint64_t deadline)
{
	int r = 0;

	task_prepare_wait(true);
	if (!atomic_load(&w->triggered))
		r = task_sleep(deadline);
	task_finish_wait();
	/* Cleared before the next look: what changes after that marks it again. */
	atomic_xchg(&w->triggered, 0u);
	return r;
}

static void free_entries(struct poll_entry *e, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		wait_queue_remove(e[i].queue, &e[i].w);
		file_put(e[i].file);
	}
}

static void poll_waits_free(struct poll_waits *w)
{
	struct poll_chunk *c;

	free_entries(w->fast, w->nr_inline);
	while ((c = w->chunks)) {
		w->chunks = c->next;
		free_entries(c->e, c->n);
		kfree(c);
	}
}

int64_t poll_waits_run(poll_pass_fn pass, void *arg, uint64_t deadline)
{
	struct poll_waits w;
	bool last = deadline == 0;
	int64_t count;

	poll_waits_init(&w);
	if (last)
		poll_waits_registered(&w);
	for (;;) {
		count = pass(arg, &w);
		poll_waits_registered(&w);
		if (!count)
			count = w.err;
		if (!count && signal_pending(current) && !last)
			count = -ERESTARTNOHAND;
		if (count || last)
			break;
		last = poll_waits_sleep(&w, deadline) == -ETIMEDOUT;
	}
	poll_waits_free(&w);
	return count;
}

/* ---- time-outs and masks ---- */

int poll_timeout_in(struct poll_timeout *t, int kind, uva_t where)
{
	struct __kernel_old_timeval tv;
	uint64_t ns;
	int err;

	*t = (struct poll_timeout){.kind = kind, .where = where, .deadline = DEADLINE_NEVER};
	if (!where.v)
		return 0;
	if (kind == POLL_TIMESPEC) {
		err = timespec_in(where, &ns);
		if (err)
			return err;
	} else {
		if (copy_in_struct(&tv, where))
			return -EFAULT;
		/* select takes more than a second of microseconds. */
		if (tv.tv_sec < 0 || tv.tv_usec < 0)
			return -EINVAL;
		ns = time_add(timespec_ns(tv.tv_sec, 0), timespec_ns(tv.tv_usec / 1000000, tv.tv_usec % 1000000 * 1000));
	}
	t->zero = ns == 0;
	t->deadline = t->zero ? 0 : deadline_after(ns);
	return 0;
}

int64_t poll_timeout_finish(const struct poll_timeout *t, int64_t result)
{
	uint64_t now, left;
	int err;

	if (!t->where.v || t->zero)
		return result;
	now = clock_monotonic();
	left = t->deadline > now ? t->deadline - now : 0;
	if (t->deadline == DEADLINE_NEVER)
		return result; /* so far away that it has not come closer */
	err = t->kind == POLL_TIMESPEC ? timespec_out(t->where, left) : timeval_out(t->where, left);
	/* Read-only memory: the call cannot be restarted with what is left, or it would wait too long. */
	return err && result == -ERESTARTNOHAND ? -EINTR : result;
}

int poll_set_mask(uva_t mask, uint64_t size)
{
	ksigset_t set;

	if (!mask.v)
		return 0;
	if (size != sizeof(set))
		return -EINVAL;
	if (copy_in_struct(&set, mask))
		return -EFAULT;
	signal_set_temporary(set);
	return 0;
}

/* ---- poll ---- */

static uint32_t poll_one(struct pollfd *p, struct poll_waits *w)
{
	uint32_t filter = (uint16_t)p->events | POLLERR | POLLHUP, mask;
	struct file *f;

	if (p->fd < 0)
		return 0;
	f = fd_get(p->fd);
	if (!f)
		return POLLNVAL;
	w->pt.events = filter;
	mask = file_poll(f, &w->pt) & filter;
	file_put(f);
	return mask;
}

struct poll_set {
	struct pollfd *fds;
	uint32_t n;
};

static int64_t poll_pass(void *arg, struct poll_waits *w)
{
	struct poll_set *s = arg;
	int64_t count = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t mask = poll_one(&s->fds[i], w);

		s->fds[i].revents = (short)mask;
		if (mask) {
			count++;
			poll_waits_registered(w); /* will not sleep */
		}
	}
	return count;
}

static int64_t do_poll(uva_t ufds, uint32_t n, uint64_t deadline)
{
	struct pollfd fast[8], *fds = fast;
	int64_t r;

	if (n > rlimit_cur(RLIMIT_NOFILE))
		return -EINVAL;
	if (n > ARRAY_SIZE(fast)) {
		fds = kmalloc(n * sizeof(*fds));
		if (!fds)
			return -ENOMEM;
	}
	r = -EFAULT;
	if (copy_in(fds, ufds, n * sizeof(*fds)))
		goto out;
	struct poll_set set = {fds, n};
	r = poll_waits_run(poll_pass, &set, deadline);
	/* revents alone is ours to write. */
	for (uint32_t i = 0; i < n && r >= 0; i++)
		if (copy_out_struct(uva_add(ufds, i * sizeof(*fds) + offsetof(struct pollfd, revents)), &fds[i].revents))
			r = -EFAULT;
out:
	if (fds != fast)
		kfree(fds);
	return r;
}

static int64_t poll_restart(struct task *t)
{
	int64_t r = do_poll(uva(t->restart_data[0]), (uint32_t)t->restart_data[1], t->restart_data[2]);

	return r == -ERESTARTNOHAND ? -ERESTART_RESTARTBLOCK : r;
}

int64_t sys_poll(const struct sysargs *a)
{
	uva_t fds = arg_uva(a, 0);
	uint32_t n = arg_u32(a, 1);
	int timeout = arg_int(a, 2);
	uint64_t deadline = timeout < 0 ? DEADLINE_NEVER : timeout ? deadline_after((uint64_t)timeout * NSEC_PER_MSEC) : 0;
	struct task *t = current;
	int64_t r = do_poll(fds, n, deadline);

	if (r != -ERESTARTNOHAND)
		return r;
	t->restart_data[0] = fds.v;
	t->restart_data[1] = n;
	t->restart_data[2] = deadline;
	t->restart_fn = poll_restart;
	return -ERESTART_RESTARTBLOCK;
}

int64_t sys_ppoll(const struct sysargs *a)
{
	uva_t fds = arg_uva(a, 0);
	uint32_t n = arg_u32(a, 1);
	struct poll_timeout timeout;
	int err = poll_timeout_in(&timeout, POLL_TIMESPEC, arg_uva(a, 2));

	if (!err)
		err = poll_set_mask(arg_uva(a, 3), arg_u64(a, 4));
	if (err)
		return err;
	return poll_timeout_finish(&timeout, do_poll(fds, n, timeout.deadline));
}
