/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2). A pidfd holds its process (PIDFD_THREAD: its task), not its
 * number: after the process was reaped every operation answers ESRCH.
 */
#include "fs/pidfd.h"

#include <linux/eventpoll.h>
#include <linux/pidfd.h>

#include "fs/poll.h"
#include "fs/proc/proc.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "signal/signal.h"
#include "syscall/syscall.h"

/* Linux 6.9's, absent from older headers. */
#define PIDFD_THREAD_ (uint32_t)O_EXCL
#define PIDFD_SIGNAL_THREAD_        1u
#define PIDFD_SIGNAL_THREAD_GROUP_  2u
#define PIDFD_SIGNAL_PROCESS_GROUP_ 4u

struct pidfd {
	struct process *p;    /* a reference */
	struct task *thread;  /* PIDFD_THREAD: a reference; NULL: the process as a whole */
	struct pid *numbers;  /* of the process or thread, a reference; NULL once it was gone when this was made */
};

static void pidfd_release(struct file *f)
{
	struct pidfd *d = f->private;

	if (d->thread)
		task_put(d->thread);
	process_put(d->p);
	pid_put(d->numbers);
	kfree(d);
}

/* A thread that is not the leader is gone as soon as it has ended. */
static bool is_gone(const struct pidfd *d)
{
	return atomic_load(&d->p->reaped) || (d->thread && atomic_load(&d->thread->exited) && d->p->leader != d->thread);
}

static uint32_t pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct pidfd *d = f->private;

	poll_wait(f, &d->p->exit_wait, pt);
	if (d->thread && is_gone(d))
		return EPOLLIN | EPOLLRDNORM | EPOLLHUP;
	bool ended = d->thread ? atomic_load(&d->thread->exited) : atomic_load(&d->p->zombie) || atomic_load(&d->p->reaped);
	return ended ? EPOLLIN | EPOLLRDNORM : 0;
}

static int pidfd_fdinfo(struct file *f, char *buf, size_t size)
{
	const struct pidfd *d = f->private;
	const struct pid_ns *ns = current->proc->pid_ns;
	int pid = is_gone(d) ? -1 : pid_number(d->numbers, ns);
	int n = snprintf(buf, size, "Pid:\t%d\nNSpid:\t%d", pid, pid);

	for (int level = ns->level + 1; pid > 0 && level <= d->p->pid_ns->level; level++)
		n += snprintf(buf + n, size - (size_t)n, "\t%d", pid_number_at(d->numbers, level));
	return n + snprintf(buf + n, size - (size_t)n, "\n");
}

static const struct file_ops pidfd_ops = {
	.release = pidfd_release,
	.poll = pidfd_poll,
	.show_fdinfo = pidfd_fdinfo,
	.no_seek = true,
};

static struct file *make_file(struct process *p, struct task *thread, uint32_t flags)
{
	struct pidfd *d = kzalloc(sizeof(*d));
	struct file *f = d ? file_anon("pidfd", &pidfd_ops, d, O_RDWR | (flags & O_NONBLOCK)) : NULL;

	if (!f) {
		kfree(d);
		return ERR_PTR(-ENOMEM);
	}
	process_get(p);
	d->p = p;
	if (thread)
		task_get(thread);
	d->thread = thread;
	d->numbers = thread ? pid_get(thread->tid) : pid_hold(p->numbers);
	return f;
}

struct file *pidfd_file(struct process *p, uint32_t flags)
{
	return make_file(p, NULL, flags);
}

/* The open pidfd, with a reference on its file, or ERR_PTR(-EBADF). */
static struct file *get_file(int fd)
{
	struct file *f = fd_get(fd);

	if (f && f->ops == &pidfd_ops)
		return f;
	if (f)
		file_put(f);
	return ERR_PTR(-EBADF);
}

struct process *pidfd_get(int fd, uint32_t *file_flags)
{
	struct file *f = get_file(fd);

	if (IS_ERR(f))
		return (void *)f;
	const struct pidfd *d = f->private;
	/* Of a process's threads, only its leader is somebody's child. */
	struct process *p = !d->thread || d->thread == READ_ONCE(d->p->leader) ? d->p : ERR_PTR(-ECHILD);
	if (!IS_ERR(p))
		process_get(p);
	if (file_flags)
		*file_flags = f->flags;
	file_put(f);
	return p;
}

struct task *pidfd_get_task(int fd)
{
	struct file *f = get_file(fd);

	if (IS_ERR(f))
		return (void *)f;
	const struct pidfd *d = f->private;
	spin_lock(&tasklist_lock);
	struct task *t = d->thread ? d->thread : d->p->leader;
	if (!t || is_gone(d))
		t = ERR_PTR(-ESRCH);
	else
		task_get(t);
	spin_unlock(&tasklist_lock);
	file_put(f);
	return t;
}

int64_t sys_pidfd_open(const struct sysargs *a)
{
	int pid = arg_int(a, 0);
	uint32_t flags = arg_u32(a, 1);

	if (flags & ~((uint32_t)PIDFD_NONBLOCK | PIDFD_THREAD_))
		return -EINVAL;
	if (pid <= 0)
		return -EINVAL;
	struct task *t = task_find_user(pid);
	if (!t)
		return -ESRCH;
	struct file *f = ERR_PTR(-EINVAL); /* a thread that leads no process */
	if (flags & PIDFD_THREAD_)
		f = make_file(t->proc, t, flags & PIDFD_NONBLOCK);
	else if (t->tid == t->proc->pid)
		f = make_file(t->proc, NULL, flags & PIDFD_NONBLOCK);
	task_put(t);
	return IS_ERR(f) ? PTR_ERR(f) : fd_publish(f, true);
}

/* Whom a signal goes to: references, thread NULL for the process. */
struct target {
	struct process *p;
	struct task *thread;
};

/* pidfd_send_signal also takes an open /proc/PID. */
static int get_target(int fd, struct target *to)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	const struct pseudo_ref *ref = pseudo_dir_ref(f);
	*to = (struct target){NULL, NULL};
	if (f->ops == &pidfd_ops)
		*to = (struct target){((struct pidfd *)f->private)->p, ((struct pidfd *)f->private)->thread};
	else if (ref && ref->entry == &proc_pid_dir)
		to->p = ref->task->proc;
	if (to->p)
		process_get(to->p);
	if (to->thread)
		task_get(to->thread);
	file_put(f);
	return to->p ? 0 : -EBADF;
}

/* The siginfo of pidfd_send_signal: the caller's, which may not pretend to come from the kernel or kill(2). */
static int read_info(siginfo_t *si, uva_t from, int signo, const struct process *to)
{
	if (!from.v) {
		siginfo_user(si, signo, SI_USER);
		return 0;
	}
	if (copy_in_struct(si, from))
		return -EFAULT;
	if (si->si_signo != signo)
		return -EINVAL;
	if ((si->si_code >= 0 || si->si_code == SI_TKILL) && to != current->proc)
		return -EPERM;
	return 0;
}

static int check_target(const struct target *to, int signo)
{
	if (signo < 0 || signo > NSIG_)
		return -EINVAL;
	if (!pid_ns_contains(current->proc->pid_ns, to->p->pid_ns))
		return -EINVAL; /* it has no number here */
	if (to->p->reaped || (to->thread && to->thread->exited))
		return -ESRCH;
	return signal_permitted(to->p, signo);
}

static int send(const struct target *to, uint32_t scope, siginfo_t *si)
{
	if (scope & PIDFD_SIGNAL_PROCESS_GROUP_)
		return signal_send_pgrp(to->p->pgid, si) ? 0 : -ESRCH;
	if (scope & PIDFD_SIGNAL_THREAD_ || (!scope && to->thread)) {
		struct task *t = to->thread ? to->thread : READ_ONCE(to->p->leader);
		return t ? signal_send_task(t, si) : -ESRCH;
	}
	return signal_send_process(to->p, si);
}

int64_t sys_pidfd_send_signal(const struct sysargs *a)
{
	int fd = arg_int(a, 0), signo = arg_int(a, 1);
	uva_t info = arg_uva(a, 2);
	uint32_t scope = arg_u32(a, 3);
	struct target to;
	siginfo_t si;

	if ((scope & ~(PIDFD_SIGNAL_THREAD_ | PIDFD_SIGNAL_THREAD_GROUP_ | PIDFD_SIGNAL_PROCESS_GROUP_)) || (scope & (scope - 1)))
		return -EINVAL;
	int err = get_target(fd, &to);
	if (err)
		return err;
	err = read_info(&si, info, signo, to.p);
	if (!err)
		err = check_target(&to, signo);
	if (!err && signo)
		err = send(&to, scope, &si);
	process_put(to.p);
	if (to.thread)
		task_put(to.thread);
	return err;
}

int64_t sys_pidfd_getfd(const struct sysargs *a)
{
	int fd = arg_int(a, 0), target = arg_int(a, 1);
	struct files *files = NULL;

	if (arg_u32(a, 2))
		return -EINVAL;
	struct task *t = pidfd_get_task(fd);
	if (IS_ERR(t))
		return PTR_ERR(t);
	if (!t->exited)
		files = ptrace_get_files(t, false);
	task_put(t);
	if (!files || IS_ERR(files))
		return files ? PTR_ERR(files) : -ESRCH;
	struct file *f = files_lookup(files, target);
	files_put(files);
	return f ? fd_publish(f, true) : -EBADF;
}
