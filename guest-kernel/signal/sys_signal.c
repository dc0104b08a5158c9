// SPDX-License-Identifier: Apache-2.0
/* System calls about actions, masks, waiting and the alternate stack. Sending is in sys_kill.c. */
#include "signal/sigqueue.h"

#include "lib/string.h"
#include "mm/mm.h"
#include "syscall/syscall.h"
#include "time/timespec.h"

#define SA_KNOWN \
	((uint64_t)(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_EXPOSE_TAGBITS | \
	            SA_RESTORER) | (uint64_t)(uint32_t)SA_RESETHAND)
#define MINSIGSTKSZ_ 2048

int64_t sys_rt_sigaction(const struct sysargs *a)
{
	int signo = arg_int(a, 0);
	uva_t act = arg_uva(a, 1), oact = arg_uva(a, 2);
	struct process *p = current->proc;
	struct k_sigaction new, old, *slot;

	if (arg_u64(a, 3) != sizeof(ksigset_t))
		return -EINVAL;
	if (act.v && copy_in_struct(&new, act))
		return -EFAULT;
	if (!signo_valid(signo) || (act.v && (SIG_KERNEL_ONLY & SIGBIT(signo))))
		return -EINVAL;
	slot = &p->sig.action[signo - 1];
	spin_lock(&tasklist_lock);
	spin_lock(&p->sig.lock);
	old = *slot;
	if (act.v) {
		new.flags &= SA_KNOWN;
		new.mask &= ~SIG_KERNEL_ONLY;
		*slot = new;
		/* POSIX: setting a signal to be ignored discards pending ones, blocked or not. */
		if (signal_is_ignored(p, signo)) {
			struct task *t;

			signal_flush(p, SIGBIT(signo));
			list_for_each_entry(t, &p->threads, thread_link)
				if (!t->sig.exiting)
					signal_recompute(t);
		}
	}
	spin_unlock(&p->sig.lock);
	spin_unlock(&tasklist_lock);
	if (oact.v && copy_out_struct(oact, &old))
		return -EFAULT;
	return 0;
}

int64_t sys_rt_sigprocmask(const struct sysargs *a)
{
	int how = arg_int(a, 0);
	uva_t set = arg_uva(a, 1), oset = arg_uva(a, 2);
	ksigset_t old = current->sig.blocked, new;

	if (arg_u64(a, 3) != sizeof(ksigset_t))
		return -EINVAL;
	if (set.v) {
		if (copy_in_struct(&new, set))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			new |= old;
			break;
		case SIG_UNBLOCK:
			new = old & ~new;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		if ((new & ~SIG_KERNEL_ONLY) != old)
			signal_set_blocked(new);
	}
	if (oset.v && copy_out_struct(oset, &old))
		return -EFAULT;
	return 0;
}

int64_t sys_rt_sigpending(const struct sysargs *a)
{
	uva_t set = arg_uva(a, 0);
	uint64_t size = arg_u64(a, 1);
	ksigset_t pending;

	if (size > sizeof(ksigset_t))
		return -EINVAL;
	pending = signal_pending_set(current) & current->sig.blocked;
	return copy_out(set, &pending, size);
}

static int64_t sleep_until_signal(void)
{
	int r;

	do {
		task_prepare_wait(true);
		r = task_sleep(DEADLINE_NEVER);
	} while (!r);
	task_finish_wait();
	return -ERESTARTNOHAND;
}

int64_t sys_pause(const struct sysargs *a)
{
	(void)a;
	return sleep_until_signal();
}

int64_t sys_rt_sigsuspend(const struct sysargs *a)
{
	ksigset_t set;

	if (arg_u64(a, 1) != sizeof(ksigset_t))
		return -EINVAL;
	if (copy_in_struct(&set, arg_uva(a, 0)))
		return -EFAULT;
	signal_set_temporary(set);
	return sleep_until_signal();
}

/* Waits, with the signals of set let through but not delivered. */
static int wait_for_signal(ksigset_t set, uint64_t deadline)
{
	struct task *t = current;
	struct process *p = t->proc;
	int r;

	spin_lock(&p->sig.lock);
	t->sig.real_blocked = t->sig.blocked;
	t->sig.blocked &= ~set;
	signal_recompute(t);
	spin_unlock(&p->sig.lock);
	do {
		task_prepare_wait(true);
		r = task_sleep(deadline);
	} while (!r);
	task_finish_wait();
	spin_lock(&p->sig.lock);
	t->sig.blocked = t->sig.real_blocked;
	t->sig.real_blocked = 0;
	signal_recompute(t);
	spin_unlock(&p->sig.lock);
	return r;
}

int64_t sys_rt_sigtimedwait(const struct sysargs *a)
{
	uva_t uset = arg_uva(a, 0), uinfo = arg_uva(a, 1), uts = arg_uva(a, 2);
	uint64_t timeout = 0;
	ksigset_t set;
	siginfo_t si;
	int signo, err, r = 0;

	if (arg_u64(a, 3) != sizeof(ksigset_t))
		return -EINVAL;
	if (copy_in_struct(&set, uset))
		return -EFAULT;
	if (uts.v && (err = timespec_in(uts, &timeout)))
		return err;
	set &= ~SIG_KERNEL_ONLY;
	signo = signal_take(set, &si);
	if (!signo && (!uts.v || timeout)) {
		r = wait_for_signal(set, uts.v ? deadline_after(timeout) : DEADLINE_NEVER);
		signo = signal_take(set, &si);
	}
	if (!signo)
		return r == -ERESTARTSYS ? -EINTR : -EAGAIN;
	if (uinfo.v && copy_out_struct(uinfo, &si))
		return -EFAULT;
	return signo;
}

int altstack_set(const struct user_stack *ss, uint64_t sp)
{
	struct task *t = current;
	uint32_t mode = (uint32_t)ss->flags & ~(uint32_t)SS_AUTODISARM;

	if (altstack_flags(t, sp) == SS_ONSTACK)
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		t->sig.altstack_sp = t->sig.altstack_size = 0;
	} else {
		if (ss->size < MINSIGSTKSZ_)
			return -ENOMEM;
		t->sig.altstack_sp = ss->sp;
		t->sig.altstack_size = ss->size;
	}
	t->sig.altstack_flags = (uint32_t)ss->flags;
	return 0;
}

int64_t sys_sigaltstack(const struct sysargs *a)
{
	uva_t uss = arg_uva(a, 0), uold = arg_uva(a, 1);
	struct task *t = current;
	uint64_t sp = t->uc.regs.rsp;
	struct user_stack ss, old = {0};
	int err;

	if (uss.v && copy_in_struct(&ss, uss))
		return -EFAULT;
	old.sp = t->sig.altstack_sp;
	old.size = t->sig.altstack_size;
	old.flags = altstack_flags(t, sp) | (int)(t->sig.altstack_flags & (uint32_t)SS_AUTODISARM);
	if (uss.v && (err = altstack_set(&ss, sp)))
		return err;
	if (uold.v && copy_out_struct(uold, &old))
		return -EFAULT;
	return 0;
}

int64_t sys_restart_syscall(const struct sysargs *a)
{
	struct task *t = current;

	(void)a;
	return t->restart_fn ? t->restart_fn(t) : -EINTR;
}
