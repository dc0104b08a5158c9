/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait4(2), waitid(2). Children belong to the process; which thread created one matters to __WNOTHREAD only. A waiter
 * registers on its process's child_wait, then scans the children under tasklist_lock.
 */
#include <linux/wait.h>

#include "fs/pidfd.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/rusage.h"
#include "task/task.h"
#include "task/user_ns.h"

struct wait_request {
	int type;                /* P_ALL, P_PID, P_PGID, P_PIDFD */
	int id;                  /* an id; -1: of nobody */
	const struct process *of_pidfd;
	uint32_t options;
	/* result */
	int pid, code, status;   /* CLD_*, si_status */
	int wait_status;
	uint32_t uid;
	struct rusage_acc usage;
	struct task *dead_leader; /* reaped: to be put */
	struct task *released;    /* was traced: to be put */
};

/* The id of a number that the application waits for. */
static int wanted(int nr)
{
	int id = pid_from_user(nr);

	return id ? id : -1;
}

/* Whom another process traces ends for that one first. */
static bool traced_by_other(const struct process *c)
{
	const struct task *tracer = c->leader ? c->leader->ptrace.tracer : NULL;

	return tracer && tracer->proc != current->proc;
}

static bool traced_by_us(const struct process *c)
{
	return c->leader && c->leader->ptrace.tracer && !traced_by_other(c);
}

static bool matches(const struct wait_request *w, const struct process *c)
{
	switch (w->type) {
	case P_PID:
		if (c->pid != w->id)
			return false;
		break;
	case P_PGID:
		if (c->pgid != w->id)
			return false;
		break;
	case P_PIDFD:
		if (c != w->of_pidfd)
			return false;
		break;
	}
	if ((w->options & __WNOTHREAD) && c->parent_tid != current->tid)
		return false;
	if ((w->options & __WALL) || traced_by_us(c))
		return true;
	return (c->exit_signal != SIGCHLD) == !!(w->options & __WCLONE);
}

static void fill_common(struct wait_request *w, const struct process *c)
{
	w->pid = pid_vnr(c->pid);
	w->uid = c->leader ? kuid_out(task_kuid(c->leader)) : 0;
	process_usage(c, &w->usage);
	rusage_add(&w->usage, &c->children_acc);
}

static void fill_end(struct wait_request *w, int status)
{
	w->wait_status = status;
	if (status & 0x7f) {
		w->code = status & 0x80 ? CLD_DUMPED : CLD_KILLED;
		w->status = status & 0x7f;
	} else {
		w->code = CLD_EXITED;
		w->status = status >> 8 & 0xff;
	}
}

static bool take_zombie(struct wait_request *w, struct process *c)
{
	struct process *me = current->proc;

	if (!c->zombie || !(w->options & WEXITED) || traced_by_other(c))
		return false;
	fill_common(w, c);
	fill_end(w, c->exit_status);
	if (w->options & WNOWAIT)
		return true;
	rusage_add(&me->children_acc, &w->usage);
	w->dead_leader = process_unlink(c);
	return true;
}

static bool take_stopped(struct wait_request *w, struct process *c)
{
	if (!(w->options & WSTOPPED) || !c->stop_code || c->zombie)
		return false;
	fill_common(w, c);
	w->code = CLD_STOPPED;
	w->status = c->stop_code;
	w->wait_status = c->stop_code << 8 | 0x7f;
	if (!(w->options & WNOWAIT))
		c->stop_code = 0;
	return true;
}

static bool take_continued(struct wait_request *w, struct process *c)
{
	if (!(w->options & WCONTINUED) || !c->continued || c->zombie)
		return false;
	fill_common(w, c);
	w->code = CLD_CONTINUED;
	w->status = SIGCONT;
	w->wait_status = 0xffff;
	if (!(w->options & WNOWAIT))
		c->continued = false;
	return true;
}

/* ---- tracees of this process's threads ---- */
static bool tracee_matches(const struct wait_request *w, const struct task *t)
{
	switch (w->type) {
	case P_PID:
		return t->tid == w->id;
	case P_PGID:
		return t->proc->pgid == w->id;
	case P_PIDFD:
		return t->proc == w->of_pidfd && t == t->proc->leader;
	default:
		return true;
	}
}

/* The tracer has seen the end of a process that is not its child: now the parent may. */
static void pass_to_parent(struct wait_request *w, struct process *p)
{
	w->released = ptrace_unlink(p->leader);
	process_notify_exit(p);
	if (p->autoreap)
		w->dead_leader = process_unlink(p);
}

static bool take_ended_tracee(struct wait_request *w, struct task *t)
{
	struct process *p = t->proc;
	bool leader = t == p->leader;

	if (!(w->options & WEXITED) || !(leader ? p->zombie && p->parent != current->proc : t->ptrace.ended))
		return false;
	fill_common(w, p);
	w->pid = pid_vnr(t->tid);
	fill_end(w, leader ? p->exit_status : t->exit_code);
	if (w->options & WNOWAIT)
		return true;
	if (leader)
		pass_to_parent(w, p);
	else
		w->released = ptrace_unlink(t);
	return true;
}

static bool take_tracee_stop(struct wait_request *w, struct task *t)
{
	int code = t->ptrace.report;

	if (!code || t->ptrace.ended)
		return false;
	fill_common(w, t->proc);
	w->pid = pid_vnr(t->tid);
	w->code = CLD_TRAPPED;
	w->status = code;
	w->wait_status = code << 8 | 0x7f;
	if (!(w->options & WNOWAIT))
		t->ptrace.report = 0;
	return true;
}

static int scan_tracees(struct wait_request *w, struct task *tracer)
{
	struct task *t, *next;
	int result = -ECHILD;

	list_for_each_entry_safe(t, next, &tracer->ptrace.tracees, ptrace.link) {
		if (!tracee_matches(w, t))
			continue;
		bool ended = t->ptrace.ended || (t == t->proc->leader && t->proc->zombie);
		if (!ended || (w->options & WEXITED))
			result = 0;
		if (take_ended_tracee(w, t) || take_tracee_stop(w, t))
			return 1;
	}
	return result;
}

/* One look at the children: 1 found, 0 none is ready, -ECHILD none can ever match. */
static int scan(struct wait_request *w)
{
	struct process *c, *next;
	int result = -ECHILD;

	spin_lock(&tasklist_lock);
	list_for_each_entry_safe(c, next, &current->proc->children, sibling) {
		if (!matches(w, c))
			continue;
		/* What has ended changes its state no more: without WEXITED there is nothing to wait for. */
		if (!c->zombie || (w->options & WEXITED))
			result = 0;
		if (take_zombie(w, c) || take_stopped(w, c) || take_continued(w, c)) {
			result = 1;
			break;
		}
	}
	struct task *t;
	list_for_each_entry(t, &current->proc->threads, thread_link) {
		if (result == 1)
			break;
		if (likely(list_empty(&t->ptrace.tracees)) || ((w->options & __WNOTHREAD) && t != current))
			continue;
		int r = scan_tracees(w, t);
		result = r < 0 ? result : r;
	}
	spin_unlock(&tasklist_lock);
	return result;
}

static void put_reaped(struct wait_request *w)
{
	struct task *leader = w->dead_leader;

	if (w->released)
		task_put(w->released);
	if (!leader)
		return;
	struct process *p = leader->proc;
	if (p->exe)
		file_put(p->exe);
	p->exe = NULL;
	wake_up_all(&p->exit_wait);
	process_put(p);
	task_put(leader);
}

static int do_wait(struct wait_request *w, bool nonblocking_fd)
{
	struct wait_queue *q = &current->proc->child_wait;
	int r = 0;

	if (w->options & WNOHANG) {
		r = scan(w);
		if (r == 0 && nonblocking_fd)
			r = -EAGAIN;
	} else {
		int err = wait_event_interruptible(q, (r = scan(w)) != 0);
		if (err)
			r = err;
	}
	put_reaped(w);
	return r;
}


int64_t sys_wait4(const struct sysargs *a)
{
	int pid = arg_int(a, 0);
	uva_t status = arg_uva(a, 1), ru_at = arg_uva(a, 3);
	uint32_t options = arg_u32(a, 2);
	struct wait_request w = {.options = options | WEXITED};
	struct rusage ru;

	if (options & ~(uint32_t)(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid == -1) {
		w.type = P_ALL;
	} else if (pid < 0) {
		w.type = P_PGID;
		w.id = wanted(-pid);
	} else if (pid == 0) {
		w.type = P_PGID;
		w.id = READ_ONCE(current->proc->pgid);
	} else {
		w.type = P_PID;
		w.id = wanted(pid);
	}
	int r = do_wait(&w, false);
	if (r <= 0)
		return r;
	if (status.v && copy_out_struct(status, &w.wait_status))
		return -EFAULT;
	if (ru_at.v) {
		rusage_fill(&ru, &w.usage);
		if (copy_out_struct(ru_at, &ru))
			return -EFAULT;
	}
	return w.pid;
}

static int prepare_waitid(struct wait_request *w, bool *nonblocking)
{
	uint32_t file_flags = 0;

	switch (w->type) {
	case P_ALL:
		return 0;
	case P_PID:
		if (w->id <= 0)
			return -EINVAL;
		w->id = wanted(w->id);
		return 0;
	case P_PGID:
		if (w->id < 0)
			return -EINVAL;
		w->id = w->id ? wanted(w->id) : READ_ONCE(current->proc->pgid);
		return 0;
	case P_PIDFD: {
		if (w->id < 0)
			return -EINVAL;
		struct process *p = pidfd_get(w->id, &file_flags);
		if (IS_ERR(p))
			return PTR_ERR(p);
		w->of_pidfd = p;
		*nonblocking = file_flags & O_NONBLOCK;
		if (*nonblocking)
			w->options |= WNOHANG;
		return 0;
	}
	default:
		return -EINVAL;
	}
}

int64_t sys_waitid(const struct sysargs *a)
{
	uva_t info_at = arg_uva(a, 2), ru_at = arg_uva(a, 4);
	struct wait_request w = {.type = arg_int(a, 0), .id = arg_int(a, 1), .options = arg_u32(a, 3)};
	bool nonblocking = false;
	siginfo_t si;
	struct rusage ru;

	if (w.options & ~(uint32_t)(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (!(w.options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	int r = prepare_waitid(&w, &nonblocking);
	if (r)
		return r;
	bool caller_nohang = arg_u32(a, 3) & WNOHANG;
	r = do_wait(&w, nonblocking && !caller_nohang);
	if (w.of_pidfd)
		process_put((struct process *)w.of_pidfd);
	if (r < 0)
		return r;
	memset(&si, 0, sizeof(si));
	if (r > 0) {
		si.si_signo = SIGCHLD;
		si.si_code = w.code;
		si.si_pid = w.pid;
		si.si_uid = w.uid;
		si.si_status = w.status;
		if (ru_at.v) {
			rusage_fill(&ru, &w.usage);
			if (copy_out_struct(ru_at, &ru))
				return -EFAULT;
		}
	}
	/* Linux writes the first fields only; the caller's union behind them is left alone. */
	if (info_at.v && copy_out(info_at, &si, offsetof(siginfo_t, si_status) + sizeof(si.si_status)))
		return -EFAULT;
	return 0;
}
