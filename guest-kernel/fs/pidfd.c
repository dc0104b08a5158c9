/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2). A pidfd holds its process structure, not its number: after the
 * process was reaped every operation answers ESRCH.
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

static void pidfd_release(struct file *f)
{
	process_put(f->private);
}

static uint32_t pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct process *p = f->private;

	poll_wait(f, &p->exit_wait, pt);
	return atomic_load(&p->zombie) || atomic_load(&p->reaped) ? EPOLLIN | EPOLLRDNORM : 0;
}

static int pidfd_fdinfo(struct file *f, char *buf, size_t size)
{
	const struct process *p = f->private;
	const struct pid_ns *ns = current->proc->pid_ns;
	int pid = p->reaped ? -1 : pid_number(p->numbers, ns);
	int n = snprintf(buf, size, "Pid:\t%d\nNSpid:\t%d", pid, pid);

	for (int level = ns->level + 1; pid > 0 && level <= p->pid_ns->level; level++)
		n += snprintf(buf + n, size - (size_t)n, "\t%d", pid_number_at(p->numbers, level));
	return n + snprintf(buf + n, size - (size_t)n, "\n");
}

static const struct file_ops pidfd_ops = {
	.release = pidfd_release,
	.poll = pidfd_poll,
	.show_fdinfo = pidfd_fdinfo,
	.no_seek = true,
};

struct file *pidfd_file(struct process *p, uint32_t flags)
{
	struct file *f = file_anon("pidfd", &pidfd_ops, p, O_RDWR | (flags & O_NONBLOCK));

	if (!IS_ERR(f))
		process_get(p);
	return f;
}

struct process *pidfd_get(int fd, uint32_t *file_flags)
{
	struct file *f = fd_get(fd);

	if (!f)
		return ERR_PTR(-EBADF);
	if (f->ops != &pidfd_ops) {
		file_put(f);
		return ERR_PTR(-EBADF);
	}
	struct process *p = f->private;
	process_get(p);
	if (file_flags)
		*file_flags = f->flags;
	file_put(f);
	return p;
}

int64_t sys_pidfd_open(const struct sysargs *a)
{
	int pid = arg_int(a, 0);
	uint32_t flags = arg_u32(a, 1);

	if (flags & ~(uint32_t)PIDFD_NONBLOCK)
		return -EINVAL;
	if (pid <= 0)
		return -EINVAL;
	spin_lock(&tasklist_lock);
	struct task *t = task_lookup_user(pid);
	struct process *p = t && t->proc->pid == t->tid ? t->proc : NULL;
	if (p)
		process_get(p);
	spin_unlock(&tasklist_lock);
	if (!p)
		return t ? -EINVAL : -ESRCH; /* a thread that leads no process */
	struct file *f = pidfd_file(p, flags & PIDFD_NONBLOCK);
	process_put(p);
	return IS_ERR(f) ? PTR_ERR(f) : fd_publish(f, true);
}

/* pidfd_send_signal also takes an open /proc/PID. */
static struct process *get_target(int fd)
{
	struct file *f = fd_get(fd);

	if (!f)
		return ERR_PTR(-EBADF);
	const struct pseudo_ref *ref = pseudo_dir_ref(f);
	struct process *p = f->ops == &pidfd_ops                      ? f->private
	                    : ref && ref->entry == &proc_pid_dir ? ref->task->proc
	                                                         : NULL;
	if (p)
		process_get(p);
	file_put(f);
	return p ? p : ERR_PTR(-EBADF);
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

int64_t sys_pidfd_send_signal(const struct sysargs *a)
{
	int fd = arg_int(a, 0), signo = arg_int(a, 1);
	uva_t info = arg_uva(a, 2);
	siginfo_t si;

	if (arg_u32(a, 3))
		return -EINVAL;
	struct process *p = get_target(fd);
	if (IS_ERR(p))
		return PTR_ERR(p);
	int err = read_info(&si, info, signo, p);
	if (!err && (signo < 0 || signo > NSIG_))
		err = -EINVAL;
	if (!err && !pid_ns_contains(current->proc->pid_ns, p->pid_ns))
		err = -EINVAL; /* it has no number here */
	if (!err && p->reaped)
		err = -ESRCH;
	if (!err)
		err = signal_permitted(p, signo);
	if (!err && signo)
		err = signal_send_process(p, &si);
	process_put(p);
	return err;
}

int64_t sys_pidfd_getfd(const struct sysargs *a)
{
	int fd = arg_int(a, 0), target = arg_int(a, 1);
	struct files *files = NULL;

	if (arg_u32(a, 2))
		return -EINVAL;
	struct process *p = pidfd_get(fd, NULL);
	if (IS_ERR(p))
		return PTR_ERR(p);
	int err = -ESRCH;
	spin_lock(&tasklist_lock);
	struct task *t = p->leader;
	if (t && !p->zombie) {
		err = ptrace_may_access(t) ? 0 : -EPERM;
		spin_lock(&t->lock);
		if (!err && !t->files)
			err = -ESRCH;
		if (!err)
			files = files_get(t->files);
		spin_unlock(&t->lock);
	}
	spin_unlock(&tasklist_lock);
	process_put(p);
	if (err)
		return err;
	struct file *f = files_lookup(files, target);
	files_put(files);
	return f ? fd_publish(f, true) : -EBADF;
}
