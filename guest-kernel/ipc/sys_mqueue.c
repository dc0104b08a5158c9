// SPDX-License-Identifier: Apache-2.0
/*
 * System calls of POSIX message queues: mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr.
 * SIGEV_THREAD notifications go through a netlink socket; there are none, and other descriptors fail as on Linux.
 */
#include "ipc/mqueue.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "signal/sigqueue.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "time/timespec.h"

#define NOTIFY_COOKIE_LEN 32

int64_t sys_mq_open(const struct sysargs *a)
{
	uint32_t flags = arg_u32(a, 1), mode = arg_u32(a, 2) & 0xffff;
	uva_t uattr = arg_uva(a, 3);
	struct mq_attr_ attr;
	if (uattr.v && copy_in_struct(&attr, uattr))
		return -EFAULT;
	char *name = copy_in_path(arg_uva(a, 0));
	if (IS_ERR(name))
		return PTR_ERR(name);
	int64_t r = fd_reserve(0);
	if (r >= 0) {
		struct file *f = mqueue_open(name, flags, mode, uattr.v ? &attr : NULL);
		if (IS_ERR(f)) {
			fd_release((int)r);
			r = PTR_ERR(f);
		} else {
			fd_install((int)r, f, true);
		}
	}
	kfree(name);
	return r;
}

int64_t sys_mq_unlink(const struct sysargs *a)
{
	char *name = copy_in_path(arg_uva(a, 0));
	if (IS_ERR(name))
		return PTR_ERR(name);
	int r = mqueue_unlink(name);
	kfree(name);
	return r;
}

/* The queue of descriptor fd, open for mode (0: any), with the file's reference in *f. NULL: EBADF. */
static struct mqueue *queue_get(int fd, uint32_t mode, struct file **f)
{
	*f = fd_get(fd);
	if (!*f)
		return NULL;
	struct mqueue *q = mqueue_of_file(*f);
	if (q && (!mode || ((*f)->mode & mode)))
		return q;
	file_put(*f);
	return NULL;
}

/* Absolute CLOCK_REALTIME time-out, maybe NULL. */
static int deadline_in(uva_t p, uint64_t *deadline)
{
	uint64_t ns;

	*deadline = DEADLINE_NEVER;
	if (!p.v)
		return 0;
	int r = timespec_in(p, &ns);
	if (r == 0)
		*deadline = deadline_of_clock(0 /* CLOCK_REALTIME */, ns);
	return r;
}

int64_t sys_mq_timedsend(const struct sysargs *a)
{
	uint64_t len = arg_u64(a, 2), deadline;
	uint32_t prio = arg_u32(a, 3);
	struct file *f;
	int r = deadline_in(arg_uva(a, 4), &deadline);
	if (r)
		return r;
	if (prio >= MQ_PRIO_MAX_)
		return -EINVAL;
	struct mqueue *q = queue_get(arg_int(a, 0), FMODE_WRITE, &f);
	if (!q)
		return -EBADF;
	struct mq_message *m = NULL;
	if (len > q->max_bytes)
		r = -EMSGSIZE;
	else if (!(m = kmalloc(sizeof(*m) + len)))
		r = -ENOMEM;
	else if (copy_in(m->data, arg_uva(a, 1), len))
		r = -EFAULT;
	if (r == 0) {
		m->prio = prio;
		m->len = len;
		r = mqueue_send(q, m, READ_ONCE(f->flags) & O_NONBLOCK, deadline);
	}
	if (r)
		kfree(m);
	else
		inode_touch(f->inode, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	file_put(f);
	return r;
}

int64_t sys_mq_timedreceive(const struct sysargs *a)
{
	uva_t buf = arg_uva(a, 1), uprio = arg_uva(a, 3);
	uint64_t len = arg_u64(a, 2), deadline;
	struct file *f;
	int64_t r = deadline_in(arg_uva(a, 4), &deadline);
	if (r)
		return r;
	struct mqueue *q = queue_get(arg_int(a, 0), FMODE_READ, &f);
	if (!q)
		return -EBADF;
	if (len < q->max_bytes) {
		file_put(f);
		return -EMSGSIZE;
	}
	struct mq_message *m = mqueue_receive(q, READ_ONCE(f->flags) & O_NONBLOCK, deadline);
	if (IS_ERR(m)) {
		r = PTR_ERR(m);
	} else {
		r = (int64_t)m->len;
		if ((uprio.v && copy_out_struct(uprio, &m->prio)) || copy_out(buf, m->data, m->len))
			r = -EFAULT;
		kfree(m);
		inode_touch(f->inode, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	}
	file_put(f);
	return r;
}

/* What Linux answers for a SIGEV_THREAD descriptor that is no netlink socket. */
static int refuse_thread(int fd)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	int r = (f->inode->mode & S_IFMT) == S_IFSOCK ? -EINVAL : -ENOTSOCK;
	file_put(f);
	return r;
}

int64_t sys_mq_notify(const struct sysargs *a)
{
	struct sigevent ev = {.sigev_notify = SIGEV_NONE};
	uva_t uev = arg_uva(a, 1);
	uint8_t cookie[NOTIFY_COOKIE_LEN];
	struct file *f;
	if (uev.v && copy_in_struct(&ev, uev))
		return -EFAULT;
	if (ev.sigev_notify != SIGEV_NONE && ev.sigev_notify != SIGEV_SIGNAL && ev.sigev_notify != SIGEV_THREAD)
		return -EINVAL;
	if (ev.sigev_notify == SIGEV_SIGNAL && (uint32_t)ev.sigev_signo > NSIG_)
		return -EINVAL;
	if (ev.sigev_notify == SIGEV_THREAD) {
		if (copy_in(cookie, uva((uint64_t)ev.sigev_value.sival_ptr), sizeof(cookie)))
			return -EFAULT;
		return refuse_thread(ev.sigev_signo);
	}
	struct mqueue *q = queue_get(arg_int(a, 0), 0, &f);
	if (!q)
		return -EBADF;
	int r = 0;
	if (uev.v)
		r = mqueue_notify(q, ev.sigev_notify, ev.sigev_signo, (uint64_t)ev.sigev_value.sival_ptr);
	else
		mqueue_unnotify(q);
	inode_touch(f->inode, ATTR_ATIME | ATTR_CTIME);
	file_put(f);
	return r;
}

int64_t sys_mq_getsetattr(const struct sysargs *a)
{
	uva_t unew = arg_uva(a, 1), uold = arg_uva(a, 2);
	struct mq_attr_ new, old = {0};
	struct file *f;
	if (unew.v && copy_in_struct(&new, unew))
		return -EFAULT;
	if (unew.v && (new.flags & ~(int64_t)O_NONBLOCK))
		return -EINVAL;
	struct mqueue *q = queue_get(arg_int(a, 0), 0, &f);
	if (!q)
		return -EBADF;
	spin_lock(&q->lock);
	old.curmsgs = (int64_t)q->count;
	spin_unlock(&q->lock);
	old.maxmsg = (int64_t)q->max_messages;
	old.msgsize = (int64_t)q->max_bytes;
	old.flags = READ_ONCE(f->flags) & O_NONBLOCK;
	if (unew.v) {
		if (new.flags & O_NONBLOCK)
			atomic_or(&f->flags, O_NONBLOCK);
		else
			atomic_and(&f->flags, ~(uint32_t)O_NONBLOCK);
		inode_touch(f->inode, ATTR_ATIME | ATTR_CTIME);
	}
	file_put(f);
	return uold.v && copy_out_struct(uold, &old) ? -EFAULT : 0;
}
