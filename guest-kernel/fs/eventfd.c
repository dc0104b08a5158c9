// SPDX-License-Identifier: Apache-2.0
/* eventfd(2): a counter that can be waited for. */
#include "fs/eventfd.h"

#include "fs/poll.h"

#include "lib/string.h"
#include "mm/page.h"
#include "syscall/syscall.h"

/* UAPI headers of older releases lack these. */
#define EFD_SEMAPHORE 1
#define EFD_CLOEXEC   O_CLOEXEC
#define EFD_NONBLOCK  O_NONBLOCK

struct eventfd {
	spinlock_t lock;
	uint64_t count;  /* lock */
	bool semaphore;
	struct wait_queue wait;
};

#define COUNT_MAX (UINT64_MAX - 1)

static bool take(struct eventfd *e, uint64_t *value)
{
	bool ok;

	spin_lock(&e->lock);
	ok = e->count > 0;
	if (ok) {
		*value = e->semaphore ? 1 : e->count;
		e->count -= *value;
	}
	spin_unlock(&e->lock);
	return ok;
}

static bool add(struct eventfd *e, uint64_t value)
{
	bool ok;

	spin_lock(&e->lock);
	ok = COUNT_MAX - e->count >= value;
	if (ok)
		e->count += value;
	spin_unlock(&e->lock);
	return ok;
}

static ssize_t_ eventfd_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct eventfd *e = f->private;
	uint64_t value;
	int err;

	(void)pos;
	if (to->count < sizeof(value))
		return -EINVAL;
	if (!take(e, &value)) {
		if (READ_ONCE(f->flags) & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait, take(e, &value));
		if (err)
			return err;
	}
	wake_up_poll(&e->wait, EPOLLOUT);
	return iter_copy_to(to, &value, sizeof(value)) == sizeof(value) ? (ssize_t_)sizeof(value) : -EFAULT;
}

static ssize_t_ eventfd_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct eventfd *e = f->private;
	uint64_t value;
	int err;

	(void)pos;
	if (from->count < sizeof(value))
		return -EINVAL;
	if (iter_copy_from(from, &value, sizeof(value)) != sizeof(value))
		return -EFAULT;
	if (value == UINT64_MAX)
		return -EINVAL;
	if (!add(e, value)) {
		if (READ_ONCE(f->flags) & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait, add(e, value));
		if (err)
			return err;
	}
	wake_up_poll(&e->wait, EPOLLIN);
	return sizeof(value);
}

static uint32_t eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->private;
	uint64_t count;

	poll_wait(f, &e->wait, pt);
	spin_lock(&e->lock);
	count = e->count;
	spin_unlock(&e->lock);
	return (count > 0 ? EPOLLIN : 0) | (count == UINT64_MAX ? EPOLLERR : 0) | (count < COUNT_MAX ? EPOLLOUT : 0);
}

static int eventfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct eventfd *e = f->private;

	return snprintf(buf, size, "eventfd-count: %16lx\n", READ_ONCE(e->count));
}

static void eventfd_release(struct file *f) { kfree(f->private); }

static const struct file_ops eventfd_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
	.show_fdinfo = eventfd_fdinfo,
	.no_seek = true,
};

bool eventfd_is(const struct file *f) { return f->ops == &eventfd_ops; }

void eventfd_signal(struct file *f, uint64_t n)
{
	struct eventfd *e = f->private;

	spin_lock(&e->lock);
	e->count = COUNT_MAX - e->count < n ? COUNT_MAX : e->count + n;
	spin_unlock(&e->lock);
	wake_up_poll(&e->wait, EPOLLIN);
}

static int64_t eventfd_create(uint32_t count, int flags)
{
	struct eventfd *e;
	struct file *f;

	if (flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return -EINVAL;
	e = kzalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	wait_queue_init(&e->wait);
	e->count = count;
	e->semaphore = flags & EFD_SEMAPHORE;
	f = file_anon("eventfd", &eventfd_ops, e, O_RDWR | (uint32_t)(flags & EFD_NONBLOCK));
	if (!f) {
		kfree(e);
		return -ENOMEM;
	}
	return fd_publish(f, flags & EFD_CLOEXEC);
}

int64_t sys_eventfd(const struct sysargs *a) { return eventfd_create(arg_u32(a, 0), 0); }
int64_t sys_eventfd2(const struct sysargs *a) { return eventfd_create(arg_u32(a, 0), arg_int(a, 1)); }
