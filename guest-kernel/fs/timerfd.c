// SPDX-License-Identifier: Apache-2.0
/*
 * timerfd_create(2). A periodic timer that has expired starts its next period when it is read, so a short interval costs
 * nothing while nobody reads. Clocks cannot be set from inside, so TFD_TIMER_CANCEL_ON_SET never cancels.
 */
#include <linux/time.h>
#include <linux/timerfd.h>

#include "fs/poll.h"
#include "lib/string.h"
#include "mm/page.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "time/timespec.h"

#define TFD_TIMER_ABSTIME_       1
#define TFD_TIMER_CANCEL_ON_SET_ 2

struct timerfd {
	spinlock_t lock;        /* all below but wait */
	int clockid, set_flags;
	bool armed;             /* counts down, or expired and (periodic) not read yet */
	bool expired;
	uint64_t expires;       /* CLOCK_MONOTONIC */
	uint64_t interval;
	uint64_t ticks;         /* not yet read */
	struct ktimer timer;
	struct wait_queue wait;
};

static void timerfd_fired(struct ktimer *k)
{
	struct timerfd *t = container_of(k, struct timerfd, timer);
	bool fire;

	spin_lock(&t->lock);
	fire = t->armed && !t->expired && clock_monotonic() >= t->expires; /* else set anew meanwhile */
	if (fire) {
		t->expired = true;
		t->ticks++;
	}
	spin_unlock(&t->lock);
	if (fire)
		wake_up_poll(&t->wait, EPOLLIN);
}

/* Counts the periods that have passed since the timer expired and starts the next. Caller holds lock. */
static void catch_up(struct timerfd *t)
{
	uint64_t now, n;

	if (!t->expired || !t->interval)
		return;
	now = clock_monotonic();
	n = (now - t->expires) / t->interval + 1;
	t->ticks += n - 1;
	t->expires = time_add(t->expires, n * t->interval);
	t->expired = false;
	timer_arm(&t->timer, t->expires);
}

static bool take_ticks(struct timerfd *t, uint64_t *ticks)
{
	spin_lock(&t->lock);
	if (t->ticks)
		catch_up(t);
	*ticks = t->ticks;
	t->ticks = 0;
	spin_unlock(&t->lock);
	return *ticks != 0;
}

static ssize_t_ timerfd_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct timerfd *t = f->private;
	uint64_t ticks;
	int err;

	(void)pos;
	if (to->count < sizeof(ticks))
		return -EINVAL;
	if (!take_ticks(t, &ticks)) {
		if (READ_ONCE(f->flags) & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&t->wait, take_ticks(t, &ticks));
		if (err)
			return err;
	}
	return iter_copy_to(to, &ticks, sizeof(ticks)) == sizeof(ticks) ? (ssize_t_)sizeof(ticks) : -EFAULT;
}

static uint32_t timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->private;

	poll_wait(f, &t->wait, pt);
	return READ_ONCE(t->ticks) ? EPOLLIN : 0;
}

static int64_t timerfd_ioctl(struct file *f, uint32_t cmd, uint64_t arg)
{
	struct timerfd *t = f->private;
	uint64_t ticks;

	if (cmd != TFD_IOC_SET_TICKS)
		return -ENOTTY;
	if (copy_in_struct(&ticks, uva(arg)))
		return -EFAULT;
	if (!ticks)
		return -EINVAL;
	spin_lock(&t->lock);
	t->ticks = ticks;
	spin_unlock(&t->lock);
	wake_up_poll(&t->wait, EPOLLIN);
	return 0;
}

/* Caller holds lock. */
static void read_setting(struct timerfd *t, uint64_t *value, uint64_t *interval)
{
	uint64_t now = clock_monotonic();

	*interval = t->interval;
	*value = t->armed && !t->expired ? (t->expires > now ? t->expires - now : 1) : 0;
}

static int timerfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct timerfd *t = f->private;
	uint64_t value, interval;

	spin_lock(&t->lock);
	read_setting(t, &value, &interval);
	spin_unlock(&t->lock);
	return snprintf(buf, size, "clockid: %d\nticks: %lu\nsettime flags: 0%o\nit_value: (%lu, %lu)\nit_interval: (%lu, %lu)\n",
	                t->clockid, t->ticks, (unsigned)t->set_flags, value / NSEC_PER_SEC, value % NSEC_PER_SEC,
	                interval / NSEC_PER_SEC, interval % NSEC_PER_SEC);
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->private;

	timer_cancel(&t->timer);
	kfree(t);
}

static const struct file_ops timerfd_ops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.ioctl = timerfd_ioctl,
	.release = timerfd_release,
	.show_fdinfo = timerfd_fdinfo,
	.no_seek = true,
};

int64_t sys_timerfd_create(const struct sysargs *a)
{
	int clockid = arg_int(a, 0), flags = arg_int(a, 1);
	struct timerfd *t;
	struct file *f;

	if (flags & ~(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	switch (clockid) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
		break;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		if (!capable(CAP_WAKE_ALARM))
			return -EPERM;
		break;
	default:
		return -EINVAL;
	}
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->clockid = clockid;
	timer_init(&t->timer, timerfd_fired);
	wait_queue_init(&t->wait);
	f = file_anon("timerfd", &timerfd_ops, t, O_RDWR | (uint32_t)(flags & TFD_NONBLOCK));
	if (!f) {
		kfree(t);
		return -ENOMEM;
	}
	return fd_publish(f, flags & TFD_CLOEXEC);
}

/* The timerfd of a descriptor with a reference on its file, or ERR_PTR. */
static struct timerfd *timerfd_get(int fd, struct file **out)
{
	struct file *f = fd_get(fd);

	if (!f)
		return ERR_PTR(-EBADF);
	if (f->ops != &timerfd_ops) {
		file_put(f);
		return ERR_PTR(-EINVAL);
	}
	*out = f;
	return f->private;
}

static int setting_out(uva_t p, uint64_t value, uint64_t interval)
{
	if (timespec_out(p, interval) || timespec_out(uva_add(p, sizeof(struct __kernel_timespec)), value))
		return -EFAULT;
	return 0;
}

int64_t sys_timerfd_settime(const struct sysargs *a)
{
	int flags = arg_int(a, 1), err;
	uva_t unew = arg_uva(a, 2), uold = arg_uva(a, 3);
	uint64_t value, interval, old_value, old_interval;
	struct timerfd *t;
	struct file *f;

	err = timespec_in(unew, &interval);
	if (!err || err == -EINVAL) {
		int err2 = timespec_in(uva_add(unew, sizeof(struct __kernel_timespec)), &value);

		if (!err || err2 == -EFAULT)
			err = err2;
	}
	if (!err && (flags & ~(TFD_TIMER_ABSTIME_ | TFD_TIMER_CANCEL_ON_SET_)))
		err = -EINVAL;
	if (err)
		return err;
	t = timerfd_get(arg_int(a, 0), &f);
	if (IS_ERR(t))
		return PTR_ERR(t);
	spin_lock(&t->lock);
	/* What has expired but was not read counts as running, in its next period. */
	catch_up(t);
	read_setting(t, &old_value, &old_interval);
	t->armed = value != 0;
	t->expired = false;
	t->ticks = 0;
	t->interval = interval;
	t->set_flags = flags;
	if (value)
		t->expires = flags & TFD_TIMER_ABSTIME_ ? deadline_of_clock(t->clockid, value) : deadline_after(value);
	timer_arm(&t->timer, value ? t->expires : DEADLINE_NEVER);
	spin_unlock(&t->lock);
	file_put(f);
	return uold.v ? setting_out(uold, old_value, old_interval) : 0;
}

int64_t sys_timerfd_gettime(const struct sysargs *a)
{
	uint64_t value, interval;
	struct file *f;
	struct timerfd *t = timerfd_get(arg_int(a, 0), &f);

	if (IS_ERR(t))
		return PTR_ERR(t);
	spin_lock(&t->lock);
	catch_up(t);
	read_setting(t, &value, &interval);
	spin_unlock(&t->lock);
	file_put(f);
	return setting_out(arg_uva(a, 1), value, interval);
}
