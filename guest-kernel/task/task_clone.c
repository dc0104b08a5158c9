/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New tasks: clone(2), clone3(2), fork(2), vfork(2).
 *
 * CLONE_SIGHAND without CLONE_THREAD copies the handlers at the time of the call instead of
 * sharing them. CLONE_IO and CLONE_SYSVSEM have no effect: there are no I/O contexts, and semaphore undo lists are per
 * process.
 */
#include <linux/ptrace.h>
#include <linux/sched.h>

#include "fs/pidfd.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/exec.h"
#include "task/futex.h"
#include "task/seccomp.h"
#include "task/task.h"
#include "task/user_ns.h"

#define CLONE3_FLAGS (0xffffffffULL | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP)

static int check_flags(const struct clone_params *p)
{
	uint64_t f = p->flags;

	if ((f & (CLONE_NEWNS | CLONE_FS)) == (CLONE_NEWNS | CLONE_FS) ||
	    (f & (CLONE_NEWUSER | CLONE_FS)) == (CLONE_NEWUSER | CLONE_FS))
		return -EINVAL;
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_CLEAR_SIGHAND) && (f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_PARENT) && current->proc == current->proc->pid_ns->init)
		return -EINVAL;
	if ((f & CLONE_PIDFD) && (f & (CLONE_THREAD | CLONE_DETACHED)))
		return -EINVAL;
	if ((f & CLONE_SETTLS) && p->tls >= USER_MAX)
		return -EPERM;
	if (f & CLONE_INTO_CGROUP)
		return -EINVAL;
	if ((f & CLONE_THREAD) && ((f & (CLONE_NEWUSER | CLONE_NEWPID)) ||
	                           current->nsproxy->pid_for_children != current->proc->pid_ns))
		return -EINVAL;
	/* The undo list of one namespace means nothing in another. */
	return (f & (CLONE_NEWIPC | CLONE_SYSVSEM)) == (CLONE_NEWIPC | CLONE_SYSVSEM) ? -EINVAL : 0;
}

/* Tasks of the current user, against RLIMIT_NPROC. */
static bool too_many_processes(void)
{
	uint64_t limit = rlimit_cur(RLIMIT_NPROC), n = 0;
	const struct cred *c = current->cred;
	struct process *p;

	if (limit == RLIM64_INFINITY || c->uid == 0 || capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN))
		return false;
	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &process_list, all_link)
		if (p->leader && task_kuid(p->leader) == c->uid)
			n += (uint64_t)MAX(p->nr_threads, 1);
	spin_unlock(&tasklist_lock);
	return n >= limit;
}

/* ---- parts of the new task; each returns 0 or -errno and leaves what it did to task_discard ---- */
static int copy_registers(struct task *t, const struct clone_params *p)
{
	struct task *me = current;

	task_fpu_save();
	t->uc.regs = me->uc.regs;
	memcpy((void *)t->uc.fpu, (const void *)me->uc.fpu, t->uc.fpu_size);
	t->uc.regs.rax = 0;
	t->uc.regs.orig_rax = UINT64_MAX;
	if (p->stack)
		t->uc.regs.rsp = p->stack + p->stack_size;
	if (p->flags & CLONE_SETTLS)
		t->uc.regs.fs_base = p->tls;
	return 0;
}

static int copy_memory(struct task *t, const struct clone_params *p)
{
	struct mm *mm = current->mm;

	if (p->flags & CLONE_VM) {
		mm_get(mm);
		t->mm = mm;
	} else {
		t->mm = mm_fork(mm);
		if (!t->mm)
			return -ENOMEM;
		t->rseq_addr = current->rseq_addr;
		t->rseq_len = current->rseq_len;
		t->rseq_sig = current->rseq_sig;
		t->rseq_event = true;
	}
	t->uc.cr3 = t->mm->pml4.v;
	return 0;
}

static int copy_files(struct task *t, const struct clone_params *p)
{
	struct task *me = current;

	t->files = p->flags & CLONE_FILES ? files_get(me->files) : files_copy(me->files);
	if (!t->files)
		return -ENOMEM;
	if (p->flags & CLONE_FS) {
		ref_get(&me->fs->refs);
		t->fs = me->fs;
	} else {
		t->fs = fs_context_copy(me->fs);
	}
	return t->fs ? 0 : -ENOMEM;
}

static int copy_process(struct task *t, const struct clone_params *p)
{
	struct process *me = current->proc;

	if (p->flags & CLONE_THREAD) {
		process_get(me);
		t->proc = me;
		return 0;
	}
	struct process *n = process_alloc(me->container);
	if (!n)
		return -ENOMEM;
	int err = process_signal_init(n, me);
	if (err) {
		process_put(n);
		return err;
	}
	t->proc = n; /* the task's reference; process_link adds the tree's */
	if (p->flags & CLONE_CLEAR_SIGHAND)
		process_signal_exec(n);
	err = process_timers_init(n);
	if (err)
		return err;
	memcpy(n->rlim, me->rlim, sizeof(n->rlim));
	process_set_pid(n, t);
	n->exit_signal = p->flags & CLONE_PARENT ? me->exit_signal : p->exit_signal;
	n->oom_score_adj = me->oom_score_adj;
	n->exe = me->exe;
	if (n->exe)
		file_get(n->exe);
	n->start_ns = clock_since_start();
	n->thp_disable = me->thp_disable;
	return 0;
}

static void copy_attributes(struct task *t, const struct clone_params *p)
{
	struct task *me = current;

	t->cred = cred_get(me->cred);
	t->nsproxy = nsproxy_get(me->nsproxy);
	memcpy(t->comm, me->comm, sizeof(t->comm));
	t->personality = me->personality;
	t->timer_slack_ns = me->timer_slack_ns;
	t->ioprio = me->ioprio;
	t->tsc_sigsegv = me->tsc_sigsegv;
	t->start_ns = clock_since_start();
	t->set_child_tid = p->flags & CLONE_CHILD_SETTID ? p->child_tid : 0;
	t->clear_child_tid = p->flags & CLONE_CHILD_CLEARTID ? p->child_tid : 0;
	sched_fork(t, me);
}

static void child_main(void *arg)
{
	struct task *t = arg;

	sched_first_switch();
	if (t->set_child_tid) {
		uint32_t tid = (uint32_t)t->vtid;
		if (copy_out_struct(uva(t->set_child_tid), &tid))
			pr_debug("clone: the child's tid could not be written"); /* as Linux, not an error */
	}
	task_user_loop(t);
}

void task_discard(struct task *t)
{
	bool own_process = t->proc && t->proc != current->proc;

	if (t->mm)
		mm_put(t->mm);
	if (t->files)
		files_put(t->files);
	if (t->fs)
		fs_context_put(t->fs);
	t->mm = NULL;
	t->files = NULL;
	t->fs = NULL;
	nsproxy_put(t->nsproxy);
	t->nsproxy = NULL;
	if (t->proc) {
		task_signal_destroy(t);
		if (own_process) {
			process_timers_exit(t->proc);
			if (t->proc->exe)
				file_put(t->proc->exe);
		}
	}
	if (t->tid)
		pid_unref(t->tid);
	task_put(t);
}

/* New namespaces for the child; what a new user namespace gives it counts for the others. */
static int copy_namespaces(struct task *t, uint64_t flags)
{
	if (flags & CLONE_NEWUSER) {
		struct cred *c = cred_copy(t->cred);
		if (!c)
			return -ENOMEM;
		int err = user_ns_create(c);
		if (err) {
			cred_put(c);
			return err;
		}
		cred_put(t->cred);
		t->cred = c;
	}
	uint32_t fresh = (uint32_t)flags & CLONE_NAMESPACES & ~CLONE_NEWUSER;
	if (!fresh)
		return 0;
	if (!ns_capable(t->cred->user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	struct nsproxy *n = nsproxy_copy(t->nsproxy, fresh, t->cred->user_ns, t->fs);
	if (IS_ERR(n))
		return PTR_ERR(n);
	nsproxy_put(t->nsproxy);
	t->nsproxy = n;
	return 0;
}

/* Numbers for the new task; set_tid of clone3 names those of the deepest namespaces. */
static int choose_tid(struct task *t, const struct clone_params *p)
{
	struct pid_ns *ns = t->nsproxy->pid_for_children, *level = ns;
	int32_t set[PID_NS_LEVELS + 1];

	if (p->set_tid_size > (uint64_t)ns->level)
		return -EINVAL;
	if (p->set_tid_size && copy_in(set, uva(p->set_tid), p->set_tid_size * sizeof(set[0])))
		return -EFAULT;
	for (uint32_t i = 0; i < p->set_tid_size; i++, level = level->parent) {
		if (set[i] < 1 || set[i] >= PID_MAX)
			return -EINVAL;
		if (!ns_capable(level->ns.user_ns, CAP_SYS_ADMIN) && !ns_capable(level->ns.user_ns, CAP_CHECKPOINT_RESTORE))
			return -EPERM;
	}
	return task_set_tid(t, ns, set, (uint32_t)p->set_tid_size);
}

static int build_task(struct task *t, const struct clone_params *p)
{
	copy_attributes(t, p);
	int err = copy_files(t, p);
	if (!err)
		err = copy_namespaces(t, p->flags);
	if (!err)
		err = choose_tid(t, p);
	if (!err)
		err = copy_process(t, p);
	if (err)
		return err;
	task_signal_init(t);
	if ((p->flags & (CLONE_VM | CLONE_VFORK)) == CLONE_VM)
		signal_altstack_reset(t);
	futex_task_init(t);
	err = copy_memory(t, p);
	if (!err)
		err = copy_registers(t, p);
	t->sched.ksp = arch_new_context(t->kstack, child_main, t);
	return err;
}

/* Makes the task part of the tree: from here it can be seen, signalled and waited for. *message: its number for our
 * tracer. */
static int link_task(struct task *t, const struct clone_params *p, unsigned *event, uint64_t *message)
{
	struct process *me = current->proc, *n = t->proc;
	int err = 0;

	spin_lock(&tasklist_lock);
	spin_lock(&n->sig.lock);
	/* A group stop or the end counts the threads there are: clone again afterwards. */
	if (fatal_signal_pending(current) || current->sig.stop_pending || me->exec_task || me->sig.group_exit) {
		err = -ERESTARTNOINTR;
	} else if (p->flags & CLONE_THREAD) {
		seccomp_fork(t, current); /* under the lock: TSYNC of another thread misses nobody */
		task_link(t);
	} else if (n->pid_ns->closed) {
		err = -ENOMEM; /* its init ended meanwhile */
	} else {
		n->pgid = me->pgid;
		n->sid = me->sid;
		n->tty = me->tty;
		seccomp_fork(t, current);
		n->parent_tid = p->flags & CLONE_PARENT && me->parent ? me->parent_tid : current->tid;
		process_link(n, p->flags & CLONE_PARENT && me->parent ? me->parent : me);
		process_get(n);
		task_link(t);
	}
	spin_unlock(&n->sig.lock);
	if (!err && unlikely(current->ptrace.tracer)) {
		*event = ptrace_clone_event(p->flags, p->exit_signal);
		ptrace_fork(t, p->flags, *event);
		*message = (uint64_t)pid_nr_ns(t->tid, current->ptrace.tracer->proc->pid_ns);
	}
	spin_unlock(&tasklist_lock);
	return err;
}

static void wait_for_vfork(struct task *child)
{
	for (;;) {
		task_prepare_wait_killable();
		if (!atomic_load(&child->vfork_parent))
			break;
		if (task_sleep(DEADLINE_NEVER) < 0) {
			/* We are dying: the child must not wake a task that is gone. */
			struct task *me = atomic_xchg(&child->vfork_parent, NULL);
			if (me)
				task_put(me);
			break;
		}
	}
	task_finish_wait();
}

void task_vfork_done(struct task *t)
{
	struct task *parent = atomic_xchg(&t->vfork_parent, NULL);

	if (!parent)
		return;
	task_wake(parent);
	task_put(parent);
}

/* A descriptor for the child, not yet visible; its number is written where the caller wants it. */
static int prepare_pidfd(struct task *t, const struct clone_params *p, struct file **file)
{
	int fd = fd_reserve(0);

	if (fd < 0)
		return fd;
	*file = pidfd_file(t->proc, 0);
	int err = IS_ERR(*file) ? PTR_ERR(*file) : 0;
	if (!err && copy_out(uva(p->pidfd), &fd, sizeof(fd))) {
		file_put(*file);
		err = -EFAULT;
	}
	if (err) {
		fd_release(fd);
		return err;
	}
	return fd;
}

static int64_t start_task(struct task *t, const struct clone_params *p)
{
	struct file *pidfile = NULL;
	int pidfd = p->flags & CLONE_PIDFD ? prepare_pidfd(t, p, &pidfile) : -1, tid = pid_vnr(t->tid);
	bool vfork = p->flags & CLONE_VFORK;
	unsigned event = 0;

	if ((p->flags & CLONE_PIDFD) && pidfd < 0)
		return pidfd;
	if ((p->flags & CLONE_PARENT_SETTID) && copy_out(uva(p->parent_tid), &tid, sizeof(tid)))
		pr_debug("clone: the parent's tid could not be written"); /* as Linux, not an error */
	if (vfork) {
		task_get(current);
		t->vfork_parent = current;
	}
	task_get(t); /* the running task's own; the first one is the tree's */
	uint64_t message = 0;
	int err = link_task(t, p, &event, &message);
	if (err) {
		if (vfork)
			task_put(current);
		t->vfork_parent = NULL;
		t->refs.n--;
		if (pidfd >= 0) {
			fd_release(pidfd);
			file_put(pidfile);
		}
		return err;
	}
	if (pidfd >= 0)
		fd_install(pidfd, pidfile, true);
	if (vfork)
		task_get(t);
	if (!(p->flags & CLONE_THREAD))
		process_timers_limit(t->proc);
	task_start_child(t);
	if (unlikely(event))
		ptrace_event(event, message);
	if (vfork) {
		wait_for_vfork(t);
		task_put(t);
		if (unlikely(current->ptrace.tracer))
			ptrace_event(PTRACE_EVENT_VFORK_DONE, message);
	}
	return tid;
}

int64_t task_clone(const struct clone_params *p)
{
	int err = check_flags(p);

	if (err)
		return err;
	if (signal_pending(current))
		return -ERESTARTNOINTR;
	if (too_many_processes())
		return -EAGAIN;
	err = container_charge_task(current->proc->container);
	if (err)
		return err;
	struct task *t = task_alloc();
	if (!t) {
		container_uncharge_task(current->proc->container);
		return -ENOMEM;
	}
	err = build_task(t, p);
	int64_t r = err ? err : start_task(t, p);
	if (r < 0) {
		task_discard(t);
		container_uncharge_task(current->proc->container);
	}
	return r;
}

/* ---- system calls ---- */
int64_t sys_clone(const struct sysargs *a)
{
	uint64_t flags = (uint32_t)arg_u64(a, 0);
	struct clone_params p = {.flags = flags & ~(uint64_t)CSIGNAL, .exit_signal = (int)(flags & CSIGNAL),
		.stack = arg_u64(a, 1), .parent_tid = arg_u64(a, 2), .pidfd = arg_u64(a, 2), .child_tid = arg_u64(a, 3),
		.tls = arg_u64(a, 4)};

	if ((flags & CLONE_PIDFD) && (flags & CLONE_PARENT_SETTID))
		return -EINVAL;
	if (p.exit_signal > NSIG_)
		p.exit_signal = 0; /* Linux takes any number here; one that is no signal is never sent */
	return task_clone(&p);
}

int64_t sys_fork(const struct sysargs *a)
{
	return task_clone(&(struct clone_params){.exit_signal = SIGCHLD});
}

int64_t sys_vfork(const struct sysargs *a)
{
	return task_clone(&(struct clone_params){.flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD});
}

/* The rest of a larger struct of a newer program must be zero: 0, -E2BIG, -EFAULT. */
static int check_tail(uva_t at, uint64_t n)
{
	uint8_t b[64];

	while (n) {
		size_t step = MIN(n, sizeof(b));
		if (copy_in(b, at, step))
			return -EFAULT;
		for (size_t i = 0; i < step; i++)
			if (b[i])
				return -E2BIG;
		at = uva_add(at, step);
		n -= step;
	}
	return 0;
}

int64_t sys_clone3(const struct sysargs *a)
{
	uva_t at = arg_uva(a, 0);
	uint64_t size = arg_u64(a, 1);
	struct clone_args c = {0};

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if (size > sizeof(c)) {
		int err = check_tail(uva_add(at, sizeof(c)), size - sizeof(c));
		if (err)
			return err;
	}
	if (copy_in(&c, at, MIN(size, sizeof(c))))
		return -EFAULT;
	if ((c.flags & ~CLONE3_FLAGS) || (c.flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME))))
		return -EINVAL;
	if (c.set_tid_size > 32 || (!c.set_tid && c.set_tid_size) || (c.set_tid && !c.set_tid_size))
		return -EINVAL;
	if (c.exit_signal > NSIG_ || ((c.flags & (CLONE_THREAD | CLONE_PARENT)) && c.exit_signal))
		return -EINVAL;
	if (!c.stack != !c.stack_size)
		return -EINVAL;
	if (c.stack && (c.stack >= USER_MAX || USER_MAX - c.stack < c.stack_size))
		return -EINVAL;
	struct clone_params p = {.flags = c.flags, .child_tid = c.child_tid, .parent_tid = c.parent_tid, .stack = c.stack,
		.stack_size = c.stack_size, .tls = c.tls, .pidfd = c.pidfd, .set_tid = c.set_tid,
		.set_tid_size = c.set_tid_size, .cgroup = c.cgroup, .exit_signal = (int)c.exit_signal};
	return task_clone(&p);
}
