// SPDX-License-Identifier: Apache-2.0
/*
 * signalfd(2): takes pending signals of whoever reads. The queue to wait on belongs to the polling process, so
 * the file holds a reference on every process that polled it: an epoll set of another process may still watch
 * the queue through this file. Processes that are gone, and whose queue nobody watches, are forgotten.
 */
#include <linux/signalfd.h>

#include "fs/poll.h"
#include "lib/string.h"
#include "mm/page.h"
#include "signal/sigqueue.h"
#include "syscall/syscall.h"

struct signalfd_user {
	struct signalfd_user *next;
	struct process *proc;
};

struct signalfd {
	ksigset_t mask;              /* written whole, read racily as in Linux */
	spinlock_t lock;
	struct signalfd_user *users; /* lock */
};

static void fill_info(struct signalfd_siginfo *out, const siginfo_t *si)
{
	memset(out, 0, sizeof(*out));
	out->ssi_signo = (uint32_t)si->si_signo;
	out->ssi_errno = si->si_errno;
	out->ssi_code = si->si_code;
	if (si->si_code == SI_TIMER) {
		out->ssi_tid = (uint32_t)si->si_tid;
		out->ssi_overrun = (uint32_t)si->si_overrun;
		out->ssi_ptr = (uint64_t)si->si_ptr;
		out->ssi_int = si->si_int;
	} else if (si->si_code > 0 && si->si_code != SI_KERNEL && (SIG_SYNC_SET & SIGBIT(si->si_signo)) &&
	           si->si_signo != SIGSYS) {
		out->ssi_addr = (uint64_t)si->si_addr;
	} else if (si->si_code > 0 && si->si_code != SI_KERNEL && si->si_signo == SIGPOLL) {
		out->ssi_band = (uint32_t)si->si_band;
		out->ssi_fd = si->si_fd;
	} else if (si->si_code > 0 && si->si_code != SI_KERNEL && si->si_signo == SIGCHLD) {
		out->ssi_pid = (uint32_t)si->si_pid;
		out->ssi_uid = si->si_uid;
		out->ssi_status = si->si_status;
		out->ssi_utime = (uint64_t)si->si_utime;
		out->ssi_stime = (uint64_t)si->si_stime;
	} else {
		out->ssi_pid = (uint32_t)si->si_pid;
		out->ssi_uid = si->si_uid;
		if (si->si_code < 0) {
			out->ssi_ptr = (uint64_t)si->si_ptr;
			out->ssi_int = si->si_int;
		}
	}
}

static ssize_t_ signalfd_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct signalfd *s = f->private;
	struct signalfd_siginfo info;
	size_t done = 0;
	siginfo_t si;
	int err, signo;

	(void)pos;
	if (to->count < sizeof(info))
		return -EINVAL;
	while (to->count >= sizeof(info)) {
		signo = signal_take(READ_ONCE(s->mask), &si);
		if (!signo) {
			if (done)
				break;
			if (READ_ONCE(f->flags) & O_NONBLOCK)
				return -EAGAIN;
			err = wait_event_interruptible(&current->proc->sig.signalfd_wait,
			                               (signo = signal_take(READ_ONCE(s->mask), &si)) != 0);
			if (err)
				return err;
		}
		fill_info(&info, &si);
		if (iter_copy_to(to, &info, sizeof(info)) != sizeof(info))
			return done ? (ssize_t_)done : -EFAULT;
		done += sizeof(info);
	}
	return (ssize_t_)done;
}

/* No thread of p can begin to wait any more, and none does. */
static bool is_over(struct process *p)
{
	struct wait_queue *q = &p->sig.signalfd_wait;

	if (!READ_ONCE(p->reaped))
		return false;
	spin_lock(&q->lock);
	bool over = list_empty(&q->waiters);
	spin_unlock(&q->lock);
	return over;
}

/* Takes out who is over; they go to *gone. s->lock held. */
static void sweep(struct signalfd *s, struct signalfd_user **gone)
{
	struct signalfd_user **at = &s->users, *u;

	while ((u = *at)) {
		if (!is_over(u->proc)) {
			at = &u->next;
			continue;
		}
		*at = u->next;
		u->next = *gone;
		*gone = u;
	}
}

static void put_users(struct signalfd_user *u)
{
	while (u) {
		struct signalfd_user *next = u->next;

		process_put(u->proc);
		kfree(u);
		u = next;
	}
}

/* Keeps p, and with it the queue, for as long as the file, or p, is there. */
static bool remember_user(struct signalfd *s, struct process *p)
{
	struct signalfd_user *u, *new = NULL, *gone = NULL;

	for (;;) {
		spin_lock(&s->lock);
		for (u = s->users; u && u->proc != p; u = u->next)
			;
		if (!u && new) {
			sweep(s, &gone);
			process_get(p);
			new->proc = p;
			new->next = s->users;
			s->users = new;
			spin_unlock(&s->lock);
			put_users(gone);
			return true;
		}
		spin_unlock(&s->lock);
		if (u) {
			kfree(new);
			return true;
		}
		new = kmalloc(sizeof(*new));
		if (!new)
			return false;
	}
}

static uint32_t signalfd_poll(struct file *f, struct poll_table *pt)
{
	struct signalfd *s = f->private;
	struct process *p = current->proc;

	if (pt && pt->queue) {
		if (!remember_user(s, p))
			return EPOLLERR;
		poll_wait(f, &p->sig.signalfd_wait, pt);
	}
	return signal_pending_set(current) & READ_ONCE(s->mask) ? EPOLLIN : 0;
}

static void signalfd_release(struct file *f)
{
	struct signalfd *s = f->private;

	put_users(s->users);
	kfree(s);
}

static int signalfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct signalfd *s = f->private;

	return snprintf(buf, size, "sigmask:\t%016lx\n", READ_ONCE(s->mask));
}

static const struct file_ops signalfd_ops = {
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
	.show_fdinfo = signalfd_fdinfo,
	.no_seek = true,
};

static int64_t signalfd_new(ksigset_t mask, int flags)
{
	struct signalfd *s = kzalloc(sizeof(*s));
	struct file *f;

	if (!s)
		return -ENOMEM;
	s->mask = mask;
	f = file_anon("signalfd", &signalfd_ops, s, O_RDWR | (uint32_t)(flags & SFD_NONBLOCK));
	if (!f) {
		kfree(s);
		return -ENOMEM;
	}
	return fd_publish(f, flags & SFD_CLOEXEC);
}

static int64_t do_signalfd(int fd, uva_t umask, uint64_t size, int flags)
{
	struct signalfd *s;
	struct file *f;
	ksigset_t mask;

	if (size != sizeof(mask) || (flags & ~(SFD_CLOEXEC | SFD_NONBLOCK)))
		return -EINVAL;
	if (copy_in_struct(&mask, umask))
		return -EFAULT;
	mask &= ~SIG_KERNEL_ONLY;
	if (fd == -1)
		return signalfd_new(mask, flags);
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	if (f->ops != &signalfd_ops) {
		file_put(f);
		return -EINVAL;
	}
	s = f->private;
	WRITE_ONCE(s->mask, mask);
	/* Signals that wait already may be let in now. */
	wake_up_poll(&current->proc->sig.signalfd_wait, EPOLLIN);
	file_put(f);
	return fd;
}

int64_t sys_signalfd(const struct sysargs *a)
{
	return do_signalfd(arg_int(a, 0), arg_uva(a, 1), arg_u64(a, 2), 0);
}

int64_t sys_signalfd4(const struct sysargs *a)
{
	return do_signalfd(arg_int(a, 0), arg_uva(a, 1), arg_u64(a, 2), arg_int(a, 3));
}
