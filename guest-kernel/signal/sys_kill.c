// SPDX-License-Identifier: Apache-2.0
/* kill(2) and its relatives. */
#include "signal/sigqueue.h"

#include "lib/string.h"
#include "mm/mm.h"
#include "syscall/syscall.h"

/* Sends to every process that match selects; caller's rules of kill(2) for groups. pgid 0: every process but init and our
 * own. */
static int64_t kill_many(int pgid, int signo, const siginfo_t *si)
{
	struct process *p, *self = current->proc;
	int found = 0, denied = 0, err = 0;

	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &process_list, all_link) {
		if (pgid ? p->pgid != pgid : pid_vnr(p->pid) <= 1 || p == self)
			continue;
		if (p->leader && p->leader->is_kthread)
			continue;
		found++;
		if (signo && !signo_valid(signo)) {
			spin_unlock(&tasklist_lock);
			return -EINVAL;
		}
		if (signal_permitted_locked(p, signo)) {
			denied++;
			continue;
		}
		if (signo)
			err = signal_send_process_locked(p, si);
	}
	spin_unlock(&tasklist_lock);
	if (!found)
		return -ESRCH;
	if (denied == found)
		return pgid ? -EPERM : 0;
	return found - denied == 1 ? err : 0;
}

/* Any thread's number names its process, as in Linux. */
static int64_t kill_process(int pid, int signo, const siginfo_t *si, bool check)
{
	struct task *t = task_find_user(pid);
	struct process *p;
	int64_t r = 0;

	if (t) {
		p = t->proc;
		process_get(p);
		task_put(t);
	} else {
		p = process_find_user(pid);
	}
	if (!p)
		return -ESRCH;
	if (signo && !signo_valid(signo))
		r = -EINVAL;
	else if (check)
		r = signal_permitted(p, signo);
	if (!r && signo)
		r = signal_send_process(p, si);
	process_put(p);
	return r;
}

int64_t sys_kill(const struct sysargs *a)
{
	int pid = arg_int(a, 0), signo = arg_int(a, 1);
	siginfo_t si;

	siginfo_user(&si, signo, SI_USER);
	if (pid > 0)
		return kill_process(pid, signo, &si, true);
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid == -1)
		return kill_many(0, signo, &si);
	if (pid == 0)
		return kill_many(current->proc->pgid, signo, &si);
	int pgid = pid_from_user(-pid);
	return pgid ? kill_many(pgid, signo, &si) : -ESRCH;
}

static int64_t kill_thread(int tgid, int tid, int signo, const siginfo_t *si, bool check)
{
	struct task *t = task_find_user(tid);
	int64_t r = -ESRCH;

	if (!t)
		return -ESRCH;
	if (tgid > 0 && t->proc->pid != pid_from_user(tgid))
		goto out;
	if (signo && !signo_valid(signo)) {
		r = -EINVAL;
		goto out;
	}
	r = check ? signal_permitted(t->proc, signo) : 0;
	if (!r && signo)
		r = signal_send_task(t, si);
out:
	task_put(t);
	return r;
}

int64_t sys_tgkill(const struct sysargs *a)
{
	int tgid = arg_int(a, 0), tid = arg_int(a, 1), signo = arg_int(a, 2);
	siginfo_t si;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	siginfo_user(&si, signo, SI_TKILL);
	return kill_thread(tgid, tid, signo, &si, true);
}

int64_t sys_tkill(const struct sysargs *a)
{
	int tid = arg_int(a, 0), signo = arg_int(a, 1);
	siginfo_t si;

	if (tid <= 0)
		return -EINVAL;
	siginfo_user(&si, signo, SI_TKILL);
	return kill_thread(0, tid, signo, &si, true);
}

/* A siginfo from the application. Only to itself may it look as if it came from the kernel or from kill. */
static int import_info(siginfo_t *si, uva_t uinfo, int signo, int target)
{
	if (copy_in_struct(si, uinfo))
		return -EFAULT;
	si->si_signo = signo;
	if ((si->si_code >= 0 || si->si_code == SI_TKILL) && current->proc->vpid != target)
		return -EPERM;
	return 0;
}

int64_t sys_rt_sigqueueinfo(const struct sysargs *a)
{
	int pid = arg_int(a, 0), signo = arg_int(a, 1);
	siginfo_t si;
	int err = import_info(&si, arg_uva(a, 2), signo, pid);

	if (err)
		return err;
	return kill_process(pid, signo, &si, si.si_code <= 0);
}

int64_t sys_rt_tgsigqueueinfo(const struct sysargs *a)
{
	int tgid = arg_int(a, 0), tid = arg_int(a, 1), signo = arg_int(a, 2);
	siginfo_t si;
	int err;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	err = import_info(&si, arg_uva(a, 3), signo, tgid);
	if (err)
		return err;
	return kill_thread(tgid, tid, signo, &si, si.si_code <= 0);
}
