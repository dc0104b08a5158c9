/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of threads and processes (exit(2), exit_group(2)).
 *
 * A thread gives up what it uses, then leaves its process under tasklist_lock. Threads other than the leader vanish at
 * once; the leader's task stays, holding the number, until the process is reaped. The last thread to leave makes the
 * process a zombie, hands its children over and tells the parent. When the container's first process ends, the sandbox
 * ends with its status; everything else is torn down by that.
 */
#include <linux/ptrace.h>

#include "boot/control.h"
#include "fs/tty/tty.h"
#include "fs/vfs.h"
#include "ipc/ipc.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/futex.h"
#include "task/seccomp.h"
#include "task/task.h"
#include "task/user_ns.h"
#include "task/cpu_account.h"

void task_leave_memory(struct task *t)
{
	futex_exit(t);
	if (t->clear_child_tid) {
		uint32_t zero = 0;
		/* Linux wakes only if somebody else may be waiting; a wake-up too many does no harm. */
		if (copy_out(uva(t->clear_child_tid), &zero, sizeof(zero)) == 0)
			(void)futex_wake_user(uva(t->clear_child_tid), true, 1);
	}
	t->clear_child_tid = 0;
}

static void exit_memory(struct task *t)
{
	struct mm *mm = t->mm;

	if (!mm)
		return;
	task_leave_memory(t);
	uint64_t rss = (uint64_t)MAX(mm->peak_rss, (int64_t)0) * (PAGE_SIZE / 1024);
	if (rss > t->proc->self.maxrss_kib)
		t->proc->self.maxrss_kib = rss;
	task_fpu_drop();
	spin_lock(&t->lock);
	t->mm = NULL;
	spin_unlock(&t->lock);
	mm_put(mm);
}

static void exit_files(struct task *t)
{
	struct files *files = t->files;
	struct fs_context *fs = t->fs;

	spin_lock(&t->lock);
	t->files = NULL;
	spin_unlock(&t->lock);
	files_put(files);
	spin_lock(&t->lock);
	t->fs = NULL;
	spin_unlock(&t->lock);
	fs_context_put(fs);
	nsproxy_switch(NULL);
}

/* ---- usage ---- */
void rusage_add(struct rusage_acc *to, const struct rusage_acc *from)
{
	to->utime_ns += from->utime_ns;
	to->stime_ns += from->stime_ns;
	to->min_flt += from->min_flt;
	to->maj_flt += from->maj_flt;
	to->nvcsw += from->nvcsw;
	to->nivcsw += from->nivcsw;
	to->inblock += from->inblock;
	to->oublock += from->oublock;
	to->rchar += from->rchar;
	to->wchar += from->wchar;
	to->syscr += from->syscr;
	to->syscw += from->syscw;
	to->maxrss_kib = MAX(to->maxrss_kib, from->maxrss_kib);
}

static void add_task_usage(struct rusage_acc *to, const struct task *t)
{
	if (t == current)
		cpu_account_sync();
	to->utime_ns += t->sched.utime_ns;
	to->stime_ns += t->sched.stime_ns;
	to->min_flt += t->min_flt;
	to->maj_flt += t->maj_flt;
	to->rchar += t->rchar;
	to->wchar += t->wchar;
	to->syscr += t->syscr;
	to->syscw += t->syscw;
	to->nvcsw += t->sched.nvcsw;
	to->nivcsw += t->sched.nivcsw;
}

void process_usage(const struct process *p, struct rusage_acc *out)
{
	struct task *t;

	*out = p->self;
	list_for_each_entry(t, &p->threads, thread_link)
		add_task_usage(out, t);
}

/* ---- parents ---- */
static uint32_t uid_of(const struct process *p)
{
	return p->leader ? task_kuid(p->leader) : 0;
}

static void child_siginfo(siginfo_t *si, const struct process *p, int signo, int code, int status)
{
	struct rusage_acc use;

	memset(si, 0, sizeof(*si));
	process_usage(p, &use);
	si->si_signo = signo;
	si->si_code = code;
	si->si_pid = pid_nr_ns(p->pid, p->parent->pid_ns);
	si->si_uid = process_kuid_out(p->parent, uid_of(p));
	si->si_status = status;
	si->si_utime = (long)(use.utime_ns / 10000000);
	si->si_stime = (long)(use.stime_ns / 10000000);
}

void process_notify_parent(struct process *p, int code, int status)
{
	struct process *parent = p->parent;
	siginfo_t si;

	if (!parent)
		return;
	if (!(parent->sig.action[SIGCHLD - 1].flags & SA_NOCLDSTOP) && !signal_is_ignored(parent, SIGCHLD)) {
		child_siginfo(&si, p, SIGCHLD, code, status);
		(void)signal_send_process_locked(parent, &si);
	}
	wake_up_all(&parent->child_wait);
}

void process_notify_exit(struct process *p)
{
	struct process *parent = p->parent;
	int status = p->exit_status, signo = p->exit_signal;
	struct task *tracer = p->leader->ptrace.tracer;
	siginfo_t si;

	/* Who traces it is told first; the parent when the tracer has waited for it or left. */
	if (tracer && tracer->proc != parent) {
		ptrace_notify_ended(p->leader, status);
		wake_up_all(&p->exit_wait);
		return;
	}

	/* Started from outside the container: whoever did that watches (boot/control_watch.c), nobody waits. */
	if (!parent) {
		p->autoreap = true;
		wake_up_all(&p->exit_wait);
		return;
	}
	/* A parent that ignores SIGCHLD, or asks for it with SA_NOCLDWAIT, gets no zombies (wait(2)). */
	const struct k_sigaction *act = &parent->sig.action[SIGCHLD - 1];
	if (signo == SIGCHLD && (act->handler == (uint64_t)SIG_IGN || (act->flags & SA_NOCLDWAIT))) {
		p->autoreap = true;
		if (act->handler == (uint64_t)SIG_IGN)
			signo = 0;
	}
	if (signo) {
		if (status & 0x7f)
			child_siginfo(&si, p, signo, status & 0x80 ? CLD_DUMPED : CLD_KILLED, status & 0x7f);
		else
			child_siginfo(&si, p, signo, CLD_EXITED, status >> 8 & 0xff);
		(void)signal_send_process_locked(parent, &si);
	}
	wake_up_all(&parent->child_wait);
	wake_up_all(&p->exit_wait);
}

/* Who takes over the children of p: the nearest subreaper above in its pid namespace, or that one's init (prctl(2)). */
static struct process *new_parent(const struct process *p)
{
	for (struct process *a = p->parent; a && a->pid_ns == p->pid_ns; a = a->parent)
		if (a->child_subreaper && !a->zombie && a->nr_threads > 0)
			return a;
	/* The init of a namespace waits until it has no children left (pid_ns_zap). */
	return p->pid_ns->init && p->pid_ns->init != p ? p->pid_ns->init : p->container->init;
}

/* A group that lost its last link to the rest of its session and has stopped members: SIGHUP, SIGCONT (exit(3)). */
static void check_orphaned_group(int pgid, const struct process *leaving)
{
	struct process *p;
	bool stopped = false;
	siginfo_t si;

	if (!pgrp_is_orphaned(pgid, leaving))
		return;
	list_for_each_entry(p, &process_list, all_link)
		if (p->pgid == pgid && p != leaving && p->sig.group_stop)
			stopped = true;
	if (!stopped)
		return;
	siginfo_kernel(&si, SIGHUP);
	(void)signal_send_pgrp_locked(pgid, &si);
	siginfo_kernel(&si, SIGCONT);
	(void)signal_send_pgrp_locked(pgid, &si);
}

static void send_pdeath_signal(struct process *child)
{
	struct task *t;
	siginfo_t si;

	list_for_each_entry(t, &child->threads, thread_link) {
		if (!t->pdeath_signal)
			continue;
		siginfo_user(&si, (int)t->pdeath_signal, SI_USER);
		(void)signal_send_process_locked(child, &si);
		return;
	}
}

static int some_tid(const struct process *p)
{
	return list_empty(&p->threads) ? p->pid : list_first(&p->threads, struct task, thread_link)->tid;
}

/* The children of one thread go to another one of its process; they are told (PR_SET_PDEATHSIG). */
static void pass_children_on(struct process *p, int from_tid)
{
	struct process *child;

	list_for_each_entry(child, &p->children, sibling) {
		if (child->parent_tid != from_tid)
			continue;
		child->parent_tid = some_tid(p);
		send_pdeath_signal(child);
	}
}

/* Hands the children to someone else. Zombies that nobody wants go to dead (their tree references with them). */
static void reparent_children(struct process *p, struct list_node *dead)
{
	struct process *child, *next, *to = new_parent(p);

	list_for_each_entry_safe(child, next, &p->children, sibling) {
		send_pdeath_signal(child);
		list_move_tail(&child->sibling, &to->children);
		process_set_parent(child, to);
		child->parent_tid = some_tid(to);
		if (child->zombie) {
			child->exit_signal = SIGCHLD;
			process_notify_exit(child);
			if (child->autoreap) {
				process_unlink_to(child, dead);
			}
			continue;
		}
		child->exit_signal = SIGCHLD;
		if (child->pgid != p->pgid && child->sid == p->sid)
			check_orphaned_group(child->pgid, NULL);
	}
}

void process_put_dead(struct list_node *dead)
{
	while (!list_empty(dead)) {
		struct task *leader = list_first(dead, struct task, thread_link);
		struct process *p = leader->proc;
		list_del(&leader->thread_link);
		if (p->exe)
			file_put(p->exe);
		p->exe = NULL;
		process_put(p);
		task_put(leader);
	}
}

struct task *process_unlink(struct process *p)
{
	struct task *leader = p->leader, *held = ptrace_unlink(leader);

	if (held)
		task_put(held); /* never the last one: the tree has its own */
	list_del(&p->sibling);
	list_del(&p->all_link);
	pid_unref(p->pgid);
	pid_unref(p->sid);
	pid_set_task(leader->tid, NULL);
	pid_unref(leader->tid);
	pid_ns_reaped(p);
	p->leader = NULL;
	p->reaped = true;
	container_uncharge_task(p->container);
	return leader;
}

void process_unlink_to(struct process *p, struct list_node *dead)
{
	struct task *leader = process_unlink(p);

	list_add_tail(&leader->thread_link, dead);
}

/* The last thread is leaving; tasklist_lock held. */
static void exit_process(struct process *p, struct list_node *dead)
{
	reparent_children(p, dead);
	p->exiting = true;
	p->zombie = true;
	/* Only who linked its group to the rest of the session can orphan it by leaving. */
	if (p->parent && p->parent->pgid != p->pgid && p->parent->sid == p->sid)
		check_orphaned_group(p->pgid, p);
	process_notify_exit(p);
	if (p->autoreap) {
		process_unlink_to(p, dead);
	}
}

/* What the current task traced goes on; parents learn now of children that ended while they were traced. */
static void release_tracees(struct task *t, struct list_node *dropped, struct list_node *dead)
{
	struct task *tracee;

	if (likely(list_empty(&t->ptrace.tracees)))
		return;
	ptrace_release_all(t, dropped);
	list_for_each_entry(tracee, dropped, ptrace.link) {
		struct process *p = tracee->proc;
		if (!p->zombie || p->leader != tracee || p->parent == t->proc)
			continue;
		process_notify_exit(p);
		if (p->autoreap) {
			process_unlink_to(p, dead);
		}
	}
}

void task_release_tracees(void)
{
	struct list_node dead = LIST_INIT(dead), dropped = LIST_INIT(dropped);

	spin_lock(&tasklist_lock);
	release_tracees(current, &dropped, &dead);
	spin_unlock(&tasklist_lock);
	process_put_dead(&dead);
	ptrace_put_dropped(&dropped);
}

/* The current thread leaves its process. Afterwards only the scheduler knows the task. True: it was the last one. */
static bool leave_process(struct task *t, int status)
{
	struct process *p = t->proc;
	struct list_node dead = LIST_INIT(dead), dropped = LIST_INIT(dropped);
	bool drop = false;

	spin_lock(&tasklist_lock);
	spin_lock(&p->sig.lock);
	list_del(&t->thread_link);
	p->nr_threads--;
	t->exited = true;
	bool last = p->nr_threads == 0;
	if (last)
		p->exit_status = p->reboot_signal ? p->reboot_signal : p->sig.group_exit ? p->sig.group_exit_status : status;
	spin_unlock(&p->sig.lock);
	add_task_usage(&p->self, t);
	release_tracees(t, &dropped, &dead);
	if (t != p->leader) {
		pid_set_task(t->tid, NULL);
		if (t->ptrace.tracer) {
			t->exit_code = p->sig.group_exit ? p->sig.group_exit_status : status;
			t->ptrace.ended = true; /* keeps the number until its tracer has waited */
			ptrace_notify_ended(t, t->exit_code);
		} else {
			pid_unref(t->tid);
		}
		container_uncharge_task(p->container);
		drop = true;
	}
	wake_up_all(&p->exit_wait);
	if (last)
		exit_process(p, &dead);
	else
		pass_children_on(p, t->tid);
	spin_unlock(&tasklist_lock);
	process_put_dead(&dead);
	ptrace_put_dropped(&dropped);
	if (drop)
		task_put(t); /* the tree's reference */
	return last;
}

static void end_sandbox(struct process *p, int status)
{
	int code = p->reboot_signal ? p->reboot_signal : p->sig.group_exit ? p->sig.group_exit_status : status;

	if (p->watched)
		control_process_ended(p, code);
	tty_host_restore();
	(void)hostcall3(HC_EXIT, code, 0, 0);
	for (;;)
		(void)hostcall1(HC_IDLE, UINT64_MAX);
}

NORETURN void task_exit(int status)
{
	struct task *t = current;
	struct process *p = t->proc;

	BUG_ON(t->is_kthread);
	t->exit_code = status;
	if (unlikely(t->ptrace.tracer))
		ptrace_event(PTRACE_EVENT_EXIT, (uint64_t)(p->sig.group_exit ? p->sig.group_exit_status : status));
	bool last = signal_task_exiting();
	if (last) {
		process_timers_exit(p);
		if (p->session_leader)
			tty_session_exit(p);
	}
	exit_memory(t);
	if (last)
		sem_exit();
	task_vfork_done(t);
	exit_files(t);
	if (last && p == container0.init)
		end_sandbox(p, status);
	if (last && p == p->container->init)
		container_end(p->container);
	if (last && p->vpid == 1 && p->pid_ns->init == p)
		pid_ns_zap(p->pid_ns);
	task_signal_destroy(t);
	if (leave_process(t, status) && unlikely(p->watched))
		control_process_ended(p, p->exit_status);
	seccomp_put(t);
	sched_exit();
}

NORETURN void task_exit_group(int status)
{
	struct task *t = current, *other;
	struct process *p = t->proc;

	spin_lock(&tasklist_lock);
	spin_lock(&p->sig.lock);
	if (p->sig.group_exit) {
		status = p->sig.group_exit_status;
	} else if (!p->exec_task || p->exec_task == t) {
		p->sig.group_exit = true;
		p->sig.group_exit_status = status;
		p->sig.group_stop = false;
		list_for_each_entry(other, &p->threads, thread_link) {
			if (other == t)
				continue;
			other->sig.kill_pending = true;
			signal_recompute(other);
			signal_wake(other, true);
		}
	}
	spin_unlock(&p->sig.lock);
	spin_unlock(&tasklist_lock);
	task_exit(status);
}

/* ---- exec: the other threads go ---- */
/* The exec'ing thread takes the number of the process; the old leader's task goes. tasklist_lock held. */
static struct task *become_leader(struct task *t)
{
	struct process *p = t->proc, *child;
	struct task *old = p->leader;

	if (old == t)
		return NULL;
	list_for_each_entry(child, &p->children, sibling)
		child->parent_tid = p->pid;
	struct task *held = ptrace_unlink(old);
	if (held)
		task_put(held); /* the tree's reference is left */
	pid_set_task(t->tid, NULL);
	pid_unref(t->tid);
	container_uncharge_task(p->container);
	t->tid = p->pid;
	t->vtid = p->vpid;
	pid_set_task(p->pid, t);
	p->leader = t;
	t->start_ns = old->start_ns;
	return old;
}

int task_zap_others(void)
{
	struct task *t = current, *other, *old;
	struct process *p = t->proc;

	spin_lock(&tasklist_lock);
	spin_lock(&p->sig.lock);
	if (p->sig.group_exit || p->exec_task) {
		spin_unlock(&p->sig.lock);
		spin_unlock(&tasklist_lock);
		return -EAGAIN;
	}
	p->exec_task = t;
	list_for_each_entry(other, &p->threads, thread_link) {
		if (other == t)
			continue;
		other->sig.kill_pending = true;
		signal_recompute(other);
		signal_wake(other, true);
	}
	spin_unlock(&p->sig.lock);
	spin_unlock(&tasklist_lock);
	int err = wait_event_killable(&p->exit_wait, READ_ONCE(p->nr_threads) == 1);
	spin_lock(&tasklist_lock);
	p->exec_task = NULL;
	old = err ? NULL : become_leader(t);
	spin_unlock(&tasklist_lock);
	if (old)
		task_put(old);
	return err ? -EAGAIN : 0;
}

/* ---- system calls ---- */
int64_t sys_exit(const struct sysargs *a)
{
	task_exit((arg_int(a, 0) & 0xff) << 8);
}

int64_t sys_exit_group(const struct sysargs *a)
{
	task_exit_group((arg_int(a, 0) & 0xff) << 8);
}
