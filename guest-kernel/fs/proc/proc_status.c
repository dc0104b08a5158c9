// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/stat, status and limits. */
#include "fs/proc/proc.h"

#include "fs/tty/tty.h"
#include "lib/string.h"
#include "signal/signal.h"
#include "task/seccomp.h"
#include "task/user_ns.h"
#include "task/cpu_account.h"

/* What both stat and status tell of a process, gathered under the locks once. */
struct snapshot {
	int pid, ppid, pgid, sid, tid, nr_threads, exit_status, exit_signal;
	uint64_t tty_dev;
	int tty_pgrp;
	char state;
	uint64_t min_flt, maj_flt, cmin_flt, cmaj_flt, cutime_ns, cstime_ns;
	ksigset_t pending, shared, blocked, ignored, caught;
};

static char state_letter(struct task *t)
{
	switch (READ_ONCE(t->sched.state)) {
	case TASK_RUNNING:
		return 'R';
	case TASK_INTERRUPTIBLE:
		return 'S';
	case TASK_UNINTERRUPTIBLE:
		return 'D';
	case TASK_STOPPED:
		return 'T';
	case TASK_TRACED:
		return 't';
	case TASK_ZOMBIE:
		return 'Z';
	}
	return 'X';
}

static void snapshot_take(struct snapshot *x, const struct pseudo_ref *ref)
{
	struct task *t = ref->task;
	struct process *p = t->proc;
	*x = (struct snapshot){.pid = proc_nr(ref, p->pid), .tid = proc_nr(ref, t->tid)};
	spin_lock(&tasklist_lock);
	x->ppid = p->parent ? proc_nr(ref, p->parent->pid) : 0;
	x->pgid = proc_nr(ref, p->pgid);
	x->sid = proc_nr(ref, p->sid);
	x->nr_threads = MAX(p->nr_threads, 1); /* a zombie has its leader still */
	x->exit_status = p->exit_status;
	x->exit_signal = p->exit_signal;
	x->state = p->zombie && t == p->leader ? 'Z' : state_letter(t);
	x->min_flt = p->self.min_flt + t->min_flt;
	x->maj_flt = p->self.maj_flt + t->maj_flt;
	x->cmin_flt = p->children_acc.min_flt;
	x->cmaj_flt = p->children_acc.maj_flt;
	x->cutime_ns = p->children_acc.utime_ns;
	x->cstime_ns = p->children_acc.stime_ns;
	x->tty_pgrp = -1;
	if (p->tty) {
		x->tty_dev = MKDEV(p->tty->major, p->tty->minor);
		x->tty_pgrp = proc_nr(ref, p->tty->pgrp);
	}
	spin_unlock(&tasklist_lock);
	spin_lock(&p->sig.lock);
	x->pending = t->sig.pending.set;
	x->shared = p->sig.shared.set;
	x->blocked = t->sig.blocked;
	for (int n = 1; n <= NSIG_; n++) {
		if (p->sig.action[n - 1].handler == 1)
			x->ignored |= SIGBIT(n);
		else if (p->sig.action[n - 1].handler)
			x->caught |= SIGBIT(n);
	}
	spin_unlock(&p->sig.lock);
}

static int show_stat(struct seq *s, const struct pseudo_ref *ref, bool whole)
{
	struct task *t = ref->task;
	struct snapshot x;
	snapshot_take(&x, ref);
	cpu_account_sync();
	uint64_t utime = t->sched.utime_ns, stime = t->sched.stime_ns;
	if (whole)
		proc_cpu_times(t->proc, &utime, &stime);
	struct mm *mm = proc_task_mm(t);
	bool allowed = !proc_may_access(t);
	int nice = t->sched.nice;
	int prio = t->sched.policy == 1 || t->sched.policy == 2 ? -1 - t->sched.rt_priority : 20 + nice;
	uint64_t start = t->start_ns;
	unsigned tty = (unsigned)(DEV_MINOR(x.tty_dev) & 0xff) | DEV_MAJOR(x.tty_dev) << 8 |
	               (DEV_MINOR(x.tty_dev) & ~0xffu) << 12;
	seq_printf(s, "%d (%s) %c %d %d %d %u %d %u %llu %llu %llu %llu ", whole ? x.pid : x.tid, t->comm, x.state, x.ppid,
	           x.pgid, x.sid, tty, x.tty_pgrp, 0x400000u, (unsigned long long)x.min_flt,
	           (unsigned long long)x.cmin_flt, (unsigned long long)x.maj_flt, (unsigned long long)x.cmaj_flt);
	seq_printf(s, "%llu %llu %lld %lld %d %d %d 0 %llu ", (unsigned long long)(utime / NS_PER_TICK),
	           (unsigned long long)(stime / NS_PER_TICK), (long long)(x.cutime_ns / NS_PER_TICK),
	           (long long)(x.cstime_ns / NS_PER_TICK), prio, nice, x.nr_threads,
	           (unsigned long long)(start / NS_PER_TICK));
	uint64_t vsize = 0, rss = 0, code[2] = {0}, stack = 0;
	if (mm) {
		vsize = mm->total_vm << PAGE_SHIFT;
		rss = (uint64_t)(mm->rss_anon + mm->rss_file + mm->rss_shmem);
		if (allowed) {
			code[0] = mm->start_code;
			code[1] = mm->end_code;
			stack = mm->start_stack;
		}
	}
	seq_printf(s, "%llu %llu 18446744073709551615 %llu %llu %llu 0 0 ", (unsigned long long)vsize,
	           (unsigned long long)rss, (unsigned long long)code[0], (unsigned long long)code[1],
	           (unsigned long long)stack);
	seq_printf(s, "%llu %llu %llu %llu 0 0 0 %d %d %d %d 0 0 0 ", (unsigned long long)(x.pending & 0x7fffffff),
	           (unsigned long long)(x.blocked & 0x7fffffff), (unsigned long long)(x.ignored & 0x7fffffff),
	           (unsigned long long)(x.caught & 0x7fffffff), x.exit_signal, t->sched.cpu, t->sched.rt_priority,
	           t->sched.policy);
	if (mm && allowed)
		seq_printf(s, "%llu %llu %llu %llu %llu %llu %llu ", (unsigned long long)mm->start_data,
		           (unsigned long long)mm->end_data, (unsigned long long)mm->brk_start,
		           (unsigned long long)mm->arg_start, (unsigned long long)mm->arg_end,
		           (unsigned long long)mm->env_start, (unsigned long long)mm->env_end);
	else
		seq_puts(s, "0 0 0 0 0 0 0 ");
	seq_printf(s, "%d\n", allowed ? x.exit_status : 0);
	if (mm)
		mm_put(mm);
	return 0;
}

int proc_show_stat(struct seq *s, const struct pseudo_ref *ref)
{
	return show_stat(s, ref, true);
}

int proc_show_task_stat(struct seq *s, const struct pseudo_ref *ref)
{
	return show_stat(s, ref, false);
}

static const char *state_name(char c)
{
	switch (c) {
	case 'R':
		return "R (running)";
	case 'S':
		return "S (sleeping)";
	case 'D':
		return "D (disk sleep)";
	case 'T':
		return "T (stopped)";
	case 't':
		return "t (tracing stop)";
	case 'Z':
		return "Z (zombie)";
	}
	return "X (dead)";
}

static void show_creds(struct seq *s, struct task *t)
{
	spin_lock(&t->lock);
	const struct cred *c = t->cred ? cred_get(t->cred) : NULL;
	spin_unlock(&t->lock);
	if (!c)
		return;
	seq_printf(s, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", kuid_out(c->uid), kuid_out(c->euid),
	           kuid_out(c->suid), kuid_out(c->fsuid), kgid_out(c->gid), kgid_out(c->egid), kgid_out(c->sgid), kgid_out(c->fsgid));
	int fds = 64;
	struct files *files = proc_task_files(t);
	if (files) {
		for (int fd = files_next_fd(files, 0); fd >= 0; fd = files_next_fd(files, fd + 1))
			while (fd >= fds)
				fds *= 2;
		files_put(files);
	}
	seq_printf(s, "FDSize:\t%d\nGroups:\t", fds);
	for (uint32_t i = 0; i < c->ngroups; i++)
		seq_printf(s, "%u ", kgid_out(c->groups[i]));
	seq_puts(s, "\n");
	cred_put(c);
}

static void show_caps(struct seq *s, struct task *t)
{
	spin_lock(&t->lock);
	const struct cred *c = t->cred ? cred_get(t->cred) : NULL;
	spin_unlock(&t->lock);
	if (!c)
		return;
	seq_printf(s, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n",
	           (unsigned long long)c->cap_inheritable, (unsigned long long)c->cap_permitted,
	           (unsigned long long)c->cap_effective, (unsigned long long)c->cap_bounding,
	           (unsigned long long)c->cap_ambient);
	seq_printf(s, "NoNewPrivs:\t%d\nSeccomp:\t%u\nSeccomp_filters:\t%u\n", READ_ONCE(t->no_new_privs),
	           READ_ONCE(t->seccomp_mode), seccomp_filter_count(t));
	cred_put(c);
}

static void show_memory(struct seq *s, struct mm *mm)
{
	unsigned long long k = PAGE_SIZE / 1024;
	int64_t rss = mm->rss_anon + mm->rss_file + mm->rss_shmem;
	seq_printf(s, "VmPeak:\t%8llu kB\nVmSize:\t%8llu kB\nVmLck:\t%8llu kB\nVmPin:\t       0 kB\n", mm->total_vm * k,
	           mm->total_vm * k, mm->locked_vm * k);
	seq_printf(s, "VmHWM:\t%8llu kB\nVmRSS:\t%8llu kB\n", (unsigned long long)MAX(mm->peak_rss, rss) * k,
	           (unsigned long long)rss * k);
	seq_printf(s, "RssAnon:\t%8llu kB\nRssFile:\t%8llu kB\nRssShmem:\t%8llu kB\n", (unsigned long long)mm->rss_anon * k,
	           (unsigned long long)mm->rss_file * k, (unsigned long long)mm->rss_shmem * k);
	seq_printf(s, "VmData:\t%8llu kB\nVmStk:\t%8llu kB\nVmExe:\t%8llu kB\nVmLib:\t%8llu kB\n", mm->data_vm * k,
	           mm->stack_vm * k, (unsigned long long)(mm->end_code - mm->start_code) >> 10, mm->exec_vm * k);
	seq_puts(s, "VmPTE:\t       4 kB\nVmSwap:\t       0 kB\nHugetlbPages:\t       0 kB\nCoreDumping:\t0\n"
	            "THP_enabled:\t0\n");
}

/* Bit list "0-3,8" of the vCPUs in an affinity mask. */
static void show_cpu_list(struct seq *s, const uint64_t *mask)
{
	unsigned n = sched_nr_cpus();
	bool first = true;
	for (unsigned i = 0; i < n; i++) {
		if (!(mask[i / 64] >> i % 64 & 1))
			continue;
		unsigned j = i;
		while (j + 1 < n && mask[(j + 1) / 64] >> (j + 1) % 64 & 1)
			j++;
		if (j > i)
			seq_printf(s, "%s%u-%u", first ? "" : ",", i, j);
		else
			seq_printf(s, "%s%u", first ? "" : ",", i);
		first = false;
		i = j;
	}
}

/* An id from the level of the file system down to its own. */
static void show_numbers(struct seq *s, const struct pseudo_ref *ref, const char *label, int id)
{
	const struct pid_ns *ns = proc_pid_ns(ref);
	struct pid *pid = pid_get(id);

	seq_printf(s, "%s:\t%d", label, pid_number(pid, ns));
	for (int level = ns->level + 1; pid && pid_number(pid, ns) && level <= pid_ns_of(pid)->level; level++)
		seq_printf(s, "\t%d", pid_number_at(pid, level));
	seq_puts(s, "\n");
	pid_put(pid);
}

/* Not in octal, as names are elsewhere. */
static void show_name(struct seq *s, const char *name)
{
	for (; *name; name++) {
		if (*name == '\n')
			seq_puts(s, "\\n");
		else if (*name == '\\')
			seq_puts(s, "\\\\");
		else
			seq_write(s, name, 1);
	}
}

int proc_show_status(struct seq *s, const struct pseudo_ref *ref)
{
	struct task *t = ref->task;
	struct snapshot x;
	snapshot_take(&x, ref);
	spin_lock(&t->lock);
	unsigned umask = t->fs ? t->fs->umask : 0;
	spin_unlock(&t->lock);
	spin_lock(&tasklist_lock);
	int tracer = t->ptrace.tracer ? proc_nr(ref, t->ptrace.tracer->tid) : 0;
	spin_unlock(&tasklist_lock);
	seq_puts(s, "Name:\t");
	show_name(s, t->comm);
	seq_printf(s, "\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n", umask,
	           state_name(x.state), x.pid, x.tid, x.ppid, tracer);
	show_creds(s, t);
	show_numbers(s, ref, "NStgid", t->proc->pid);
	show_numbers(s, ref, "NSpid", t->tid);
	show_numbers(s, ref, "NSpgid", t->proc->pgid);
	show_numbers(s, ref, "NSsid", t->proc->sid);
	struct mm *mm = proc_task_mm(t);
	if (mm) {
		show_memory(s, mm);
		mm_put(mm);
	}
	seq_printf(s, "Threads:\t%d\nSigQ:\t0/%llu\n", x.nr_threads,
	           (unsigned long long)t->proc->rlim[RLIMIT_SIGPENDING].rlim_cur);
	seq_printf(s, "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
	           (unsigned long long)x.pending, (unsigned long long)x.shared, (unsigned long long)x.blocked,
	           (unsigned long long)x.ignored, (unsigned long long)x.caught);
	show_caps(s, t);
	seq_puts(s, "Speculation_Store_Bypass:\tnot vulnerable\nSpeculationIndirectBranch:\tunknown\nCpus_allowed:\t");
	seq_printf(s, "%llx\nCpus_allowed_list:\t", (unsigned long long)t->sched.affinity[0]);
	show_cpu_list(s, t->sched.affinity);
	seq_printf(s, "\nMems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%llu\n"
	              "nonvoluntary_ctxt_switches:\t%llu\n",
	           (unsigned long long)t->sched.nvcsw, (unsigned long long)t->sched.nivcsw);
	return 0;
}

int proc_show_limits(struct seq *s, const struct pseudo_ref *ref)
{
	static const struct {
		const char *name, *unit;
		int resource;
	} rows[] = {
		{"Max cpu time", "seconds", RLIMIT_CPU},       {"Max file size", "bytes", RLIMIT_FSIZE},
		{"Max data size", "bytes", RLIMIT_DATA},       {"Max stack size", "bytes", RLIMIT_STACK},
		{"Max core file size", "bytes", RLIMIT_CORE},  {"Max resident set", "bytes", RLIMIT_RSS},
		{"Max processes", "processes", RLIMIT_NPROC},  {"Max open files", "files", RLIMIT_NOFILE},
		{"Max locked memory", "bytes", RLIMIT_MEMLOCK}, {"Max address space", "bytes", RLIMIT_AS},
		{"Max file locks", "locks", RLIMIT_LOCKS},     {"Max pending signals", "signals", RLIMIT_SIGPENDING},
		{"Max msgqueue size", "bytes", RLIMIT_MSGQUEUE}, {"Max nice priority", "", RLIMIT_NICE},
		{"Max realtime priority", "", RLIMIT_RTPRIO},  {"Max realtime timeout", "us", RLIMIT_RTTIME},
	};
	seq_printf(s, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t v[2] = {ref->task->proc->rlim[rows[i].resource].rlim_cur, ref->task->proc->rlim[rows[i].resource].rlim_max};
		seq_printf(s, "%-25s ", rows[i].name);
		for (int k = 0; k < 2; k++) {
			if (v[k] == UINT64_MAX)
				seq_printf(s, "%-20s ", "unlimited");
			else
				seq_printf(s, "%-20llu ", (unsigned long long)v[k]);
		}
		seq_printf(s, "%-10s\n", rows[i].unit);
	}
	return 0;
}
