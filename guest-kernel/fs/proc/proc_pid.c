// SPDX-License-Identifier: Apache-2.0
/* /proc/PID and /proc/PID/task/TID: the directory tables and the small files. */
#include "fs/proc/proc.h"

#include "fs/cgroupfs.h"
#include "lib/string.h"
#include "signal/signal.h"
#include "task/cpu_account.h"

struct mm *proc_task_mm(struct task *t)
{
	spin_lock(&t->lock);
	struct mm *mm = t->mm;
	if (mm)
		mm_get(mm);
	spin_unlock(&t->lock);
	return mm;
}

/* What ptrace_get_* say, in proc's words. */
static void *access_result(void *p) { return IS_ERR(p) ? ERR_PTR(-EACCES) : p; }

struct mm *proc_access_mm(struct task *t) { return access_result(ptrace_get_mm(t, true)); }
struct files *proc_access_files(struct task *t) { return access_result(ptrace_get_files(t, true)); }

struct files *proc_task_files(struct task *t)
{
	spin_lock(&t->lock);
	struct files *f = t->files ? files_get(t->files) : NULL;
	spin_unlock(&t->lock);
	return f;
}

struct fs_context *proc_task_fs(struct task *t)
{
	spin_lock(&t->lock);
	struct fs_context *fs = t->fs;
	if (fs)
		ref_get(&fs->refs);
	spin_unlock(&t->lock);
	return fs;
}

int proc_may_access(struct task *t)
{
	return ptrace_may_access_fs(t) ? 0 : -EACCES;
}

void proc_cpu_times(struct process *p, uint64_t *utime_ns, uint64_t *stime_ns)
{
	cpu_account_sync();
	spin_lock(&tasklist_lock);
	uint64_t u = p->self.utime_ns, k = p->self.stime_ns;
	struct task *t;
	list_for_each_entry(t, &p->threads, thread_link) {
		u += t->sched.utime_ns;
		k += t->sched.stime_ns;
	}
	spin_unlock(&tasklist_lock);
	*utime_ns = u;
	*stime_ns = k;
}

/* ---- text from the application's memory -------------------------------------------------------------------- */

static int show_user_range(struct seq *s, struct task *t, bool env)
{
	struct mm *mm = env ? proc_access_mm(t) : proc_task_mm(t);
	if (!mm || IS_ERR(mm))
		return mm ? PTR_ERR(mm) : 0;
	rwsem_read_lock(&mm->lock);
	uint64_t start = env ? mm->env_start : mm->arg_start, end = env ? mm->env_end : mm->arg_end;
	rwsem_read_unlock(&mm->lock);
	size_t len = end > start ? MIN(end - start, (uint64_t)(1 << 20)) : 0;
	char *buf = len ? kmalloc(len) : NULL;
	int err = 0;
	if (len && !buf) {
		err = -ENOMEM;
	} else if (len) {
		ssize_t_ n = mm_copy_in(mm, buf, start, len, true);
		if (n > 0)
			seq_write(s, buf, (size_t)n);
	}
	kfree(buf);
	mm_put(mm);
	return err;
}

static int show_cmdline(struct seq *s, const struct pseudo_ref *ref)
{
	return show_user_range(s, ref->task, false);
}

static int show_environ(struct seq *s, const struct pseudo_ref *ref)
{
	return show_user_range(s, ref->task, true);
}

static int show_auxv(struct seq *s, const struct pseudo_ref *ref)
{
	struct mm *mm = proc_access_mm(ref->task);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	if (mm) {
		rwsem_read_lock(&mm->lock);
		seq_write(s, mm->auxv, mm->nr_auxv * sizeof(mm->auxv[0]));
		rwsem_read_unlock(&mm->lock);
		mm_put(mm);
	}
	return 0;
}

static int show_comm(struct seq *s, const struct pseudo_ref *ref)
{
	seq_printf(s, "%s\n", ref->task->comm);
	return 0;
}

static ssize_t_ store_comm(const struct pseudo_ref *ref, char *text, size_t len)
{
	if (ref->task->proc != current->proc)
		return -EINVAL;
	char comm[TASK_COMM_LEN] = {0};
	size_t n = len;
	if (n && text[n - 1] == '\n')
		n--;
	memcpy(comm, text, MIN(n, (size_t)TASK_COMM_LEN - 1));
	memcpy(ref->task->comm, comm, TASK_COMM_LEN);
	return (ssize_t_)len;
}

static int show_empty(struct seq *s, const struct pseudo_ref *ref)
{
	return 0;
}

static int show_wchan(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "0");
	return 0;
}

static int show_cgroup(struct seq *s, const struct pseudo_ref *ref)
{
	const char *name;

	if (current->proc->container->cgroup.v2) {
		seq_puts(s, "0::/\n");
		return 0;
	}
	for (unsigned i = 0; (name = cgroupfs_v1_name(i)); i++)
		seq_printf(s, "%u:%s:/\n", i + 1, name);
	return 0;
}

static int show_personality(struct seq *s, const struct pseudo_ref *ref)
{
	seq_printf(s, "%08x\n", ref->task->personality);
	return 0;
}

static int show_syscall(struct seq *s, const struct pseudo_ref *ref)
{
	int err = proc_may_access(ref->task);
	if (err)
		return err;
	seq_puts(s, "running\n");
	return 0;
}

static int show_schedstat(struct seq *s, const struct pseudo_ref *ref)
{
	const struct task_sched *sc = &ref->task->sched;

	cpu_account_sync();
	seq_printf(s, "%llu 0 %llu\n", (unsigned long long)(sc->utime_ns + sc->stime_ns),
	           (unsigned long long)(sc->nvcsw + sc->nivcsw));
	return 0;
}

static void io_text(struct seq *s, const struct rusage_acc *a)
{
	seq_printf(s,
	           "rchar: %llu\nwchar: %llu\nsyscr: %llu\nsyscw: %llu\nread_bytes: %llu\nwrite_bytes: %llu\n"
	           "cancelled_write_bytes: 0\n",
	           (unsigned long long)a->rchar, (unsigned long long)a->wchar, (unsigned long long)a->syscr,
	           (unsigned long long)a->syscw, (unsigned long long)a->inblock * 512,
	           (unsigned long long)a->oublock * 512);
}

static int show_io(struct seq *s, const struct pseudo_ref *ref)
{
	struct rusage_acc a;
	int err = proc_may_access(ref->task);
	if (err)
		return err;
	spin_lock(&tasklist_lock);
	process_usage(ref->task->proc, &a);
	spin_unlock(&tasklist_lock);
	io_text(s, &a);
	return 0;
}

static int show_task_io(struct seq *s, const struct pseudo_ref *ref)
{
	const struct task *t = ref->task;
	int err = proc_may_access(ref->task);
	if (err)
		return err;
	io_text(s, &(struct rusage_acc){.rchar = t->rchar, .wchar = t->wchar, .syscr = t->syscr, .syscw = t->syscw});
	return 0;
}

/* Children belong to the process, hence to its leader. Numbers are gathered under the lock, a part at a time. */
static int show_children(struct seq *s, const struct pseudo_ref *ref)
{
	struct process *p = ref->task->proc, *c;
	int pids[64], last = 0, n;
	if (ref->task != p->leader)
		return 0;
	do {
		n = 0;
		spin_lock(&tasklist_lock);
		list_for_each_entry(c, &p->children, sibling) {
			int nr = proc_nr(ref, c->pid);
			if (nr > last && n < (int)ARRAY_SIZE(pids))
				pids[n++] = nr;
		}
		spin_unlock(&tasklist_lock);
		for (int i = 0; i < n; i++) {
			seq_printf(s, "%d ", pids[i]);
			last = MAX(last, pids[i]);
		}
	} while (n == (int)ARRAY_SIZE(pids));
	return 0;
}

/* ---- oom ---------------------------------------------------------------------------------------------------- */

static int show_oom_score_adj(struct seq *s, const struct pseudo_ref *ref)
{
	seq_printf(s, "%d\n", ref->task->proc->oom_score_adj);
	return 0;
}

static int oom_adjust(const struct pseudo_ref *ref, int64_t value)
{
	if (value < -1000 || value > 1000)
		return -EINVAL;
	if (value < ref->task->proc->oom_score_adj && !capable(CAP_SYS_RESOURCE))
		return -EACCES;
	ref->task->proc->oom_score_adj = (int)value;
	return 0;
}

static int parse_line_i64(char *text, int64_t *v)
{
	size_t n = strlen(text);
	while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
		text[--n] = '\0';
	return parse_i64(text, 0, v);
}

static ssize_t_ store_oom_score_adj(const struct pseudo_ref *ref, char *text, size_t len)
{
	int64_t v;
	int err = parse_line_i64(text, &v);
	if (!err)
		err = oom_adjust(ref, v);
	return err ? err : (ssize_t_)len;
}

static int show_oom_adj(struct seq *s, const struct pseudo_ref *ref)
{
	int v = ref->task->proc->oom_score_adj;
	seq_printf(s, "%d\n", v == 1000 ? 15 : v * 17 / 1000);
	return 0;
}

static ssize_t_ store_oom_adj(const struct pseudo_ref *ref, char *text, size_t len)
{
	int64_t v;
	int err = parse_line_i64(text, &v);
	if (!err && (v < -17 || v > 15))
		err = -EINVAL;
	if (!err)
		err = oom_adjust(ref, v == 15 ? 1000 : v * 1000 / 17);
	return err ? err : (ssize_t_)len;
}

static int show_oom_score(struct seq *s, const struct pseudo_ref *ref)
{
	struct page_stats st;
	page_stats(&st);
	struct mm *mm = proc_task_mm(ref->task);
	int64_t score = 0;
	if (mm) {
		score = (mm->rss_anon + mm->rss_shmem + mm->rss_file) * 1000 / (int64_t)MAX(st.total, 1UL);
		mm_put(mm);
	}
	score += ref->task->proc->oom_score_adj;
	seq_printf(s, "%lld\n", (long long)(score < 0 ? 0 : score));
	return 0;
}

static int show_loginuid(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "4294967295");
	return 0;
}

static int show_timerslack(struct seq *s, const struct pseudo_ref *ref)
{
	seq_printf(s, "%llu\n", (unsigned long long)ref->task->timer_slack_ns);
	return 0;
}

static int show_coredump_filter(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "00000033\n");
	return 0;
}

/* ---- links --------------------------------------------------------------------------------------------------- */

/* The name of *p as text, consuming its references. */
static char *path_text(struct path *p)
{
	char *buf = kmalloc(PATH_MAX_);
	char *out = buf ? path_name_unmarked(p, buf, PATH_MAX_) : ERR_PTR(-ENOMEM);
	if (!IS_ERR(out)) {
		out = kstrdup(out);
		if (!out)
			out = ERR_PTR(-ENOMEM);
	}
	kfree(buf);
	path_put(p);
	return out;
}

static int follow_exe(const struct pseudo_ref *ref, struct path *out)
{
	struct mm *mm = proc_access_mm(ref->task);
	if (!mm || IS_ERR(mm))
		return mm ? PTR_ERR(mm) : -ENOENT;
	int err = -ENOENT;
	if (mm->exe_file) {
		*out = mm->exe_file->path;
		path_get(out);
		err = 0;
	}
	mm_put(mm);
	return err;
}

static int follow_fs(const struct pseudo_ref *ref, struct path *out, bool root)
{
	int err = proc_may_access(ref->task);
	if (err)
		return err;
	struct fs_context *fs = proc_task_fs(ref->task);
	if (!fs)
		return -ENOENT;
	spin_lock(&fs->lock);
	*out = root ? fs->root : fs->cwd;
	path_get(out);
	spin_unlock(&fs->lock);
	fs_context_put(fs);
	return 0;
}

static int follow_cwd(const struct pseudo_ref *ref, struct path *out)
{
	return follow_fs(ref, out, false);
}

static int follow_root(const struct pseudo_ref *ref, struct path *out)
{
	return follow_fs(ref, out, true);
}

static char *link_of(const struct pseudo_ref *ref)
{
	struct path p;
	int err = ref->entry->follow(ref, &p);
	return err ? ERR_PTR(err) : path_text(&p);
}

/* ---- task directory -------------------------------------------------------------------------------------------- */

static const struct pseudo_entry proc_tid_dir; /* /proc/PID/task/TID */

static int task_dir_lookup(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out)
{
	char buf[16];
	uint64_t tid;
	if (!len || len >= sizeof(buf) || (len > 1 && name[0] == '0'))
		return -ENOENT;
	memcpy(buf, name, len);
	buf[len] = '\0';
	if (parse_u64(buf, 10, &tid) || !tid || tid > 0x7fffffff)
		return -ENOENT;
	struct task *t = task_find_ns((int)tid, proc_pid_ns(dir));
	if (!t)
		return -ENOENT;
	if (t->proc != dir->task->proc) {
		task_put(t);
		return -ENOENT;
	}
	*out = (struct pseudo_ref){.entry = &proc_tid_dir, .task = t};
	return 0;
}

static bool task_dir_next(const struct pseudo_ref *dir, uint64_t *cookie, char *name, unsigned *type)
{
	int best = 0;
	struct task *t;
	spin_lock(&tasklist_lock);
	list_for_each_entry(t, &dir->task->proc->threads, thread_link) {
		int nr = proc_nr(dir, t->tid);
		if (nr && (uint64_t)nr >= *cookie && (!best || nr < best))
			best = nr;
	}
	spin_unlock(&tasklist_lock);
	if (!best)
		return false;
	snprintf(name, 32, "%d", best);
	*type = 4;
	*cookie = (uint64_t)best;
	return true;
}

static uint32_t task_dir_nlink(const struct pseudo_ref *ref)
{
	return 2 + (uint32_t)READ_ONCE(ref->task->proc->nr_threads);
}

static int owner_only(const struct pseudo_ref *ref, int mask)
{
	return proc_may_access(ref->task);
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static const struct pseudo_entry attr_files[] = {
	{"current", FILE_RW, .show = show_empty},
	{"exec", FILE_RW, .show = show_empty},
	{"prev", FILE_RO, .show = show_empty},
	{0},
};

#define COMMON_FILES \
	{"auxv", FILE_OWN, .show = show_auxv, .permission = owner_only}, \
	{"cgroup", FILE_RO, .show = show_cgroup}, \
	{"cmdline", FILE_RO, .show = show_cmdline}, \
	{"comm", FILE_RW, .show = show_comm, .store = store_comm}, \
	{"cwd", LINK, .link = link_of, .follow = follow_cwd}, \
	{"environ", FILE_OWN, .show = show_environ, .permission = owner_only}, \
	{"exe", LINK, .link = link_of, .follow = follow_exe}, \
	{"gid_map", FILE_RW, .show = proc_show_gid_map, .store_opened = proc_store_gid_map}, \
	{"limits", FILE_RO, .show = proc_show_limits}, \
	{"loginuid", FILE_RO, .show = show_loginuid}, \
	{"maps", FILE_RO, .show = proc_show_maps, .permission = owner_only}, \
	{"mem", S_IFREG | 0600, .fops = &proc_mem_fops, .permission = owner_only}, \
	{"mountinfo", FILE_RO, .show = proc_show_mountinfo, .poll = proc_poll_mounts, .hold = proc_hold_mounts}, \
	{"mounts", FILE_RO, .show = proc_show_mounts, .poll = proc_poll_mounts, .hold = proc_hold_mounts}, \
	{"net", DIR_RX, .children = proc_net_files}, \
	{"oom_adj", FILE_RW, .show = show_oom_adj, .store = store_oom_adj}, \
	{"oom_score", FILE_RO, .show = show_oom_score}, \
	{"oom_score_adj", FILE_RW, .show = show_oom_score_adj, .store = store_oom_score_adj}, \
	{"personality", FILE_OWN, .show = show_personality}, \
	{"projid_map", FILE_RW, .show = proc_show_projid_map, .store_opened = proc_store_projid_map}, \
	{"root", LINK, .link = link_of, .follow = follow_root}, \
	{"schedstat", FILE_RO, .show = show_schedstat}, \
	{"setgroups", FILE_RW, .show = proc_show_setgroups, .store_opened = proc_store_setgroups}, \
	{"smaps", FILE_RO, .show = proc_show_smaps, .permission = owner_only}, \
	{"smaps_rollup", FILE_RO, .show = proc_show_smaps_rollup, .permission = owner_only}, \
	{"statm", FILE_RO, .show = proc_show_statm}, \
	{"status", FILE_RO, .show = proc_show_status}, \
	{"syscall", FILE_OWN, .show = show_syscall}, \
	{"uid_map", FILE_RW, .show = proc_show_uid_map, .store_opened = proc_store_uid_map}, \
	{"wchan", FILE_RO, .show = show_wchan}, \
	{"attr", DIR_RX, .children = attr_files}

#define FD_DIRS \
	{"fd", S_IFDIR | 0500, .lookup = proc_fd_lookup, .next = proc_fd_next, .permission = owner_only}, \
	{"fdinfo", S_IFDIR | 0500, .lookup = proc_fdinfo_lookup, .next = proc_fd_next, .permission = owner_only}, \
	{"ns", S_IFDIR | 0511, .lookup = proc_ns_lookup, .next = proc_ns_next, .permission = owner_only}

static const struct pseudo_entry pid_files[] = {
	COMMON_FILES,
	FD_DIRS,
	{"io", FILE_OWN, .show = show_io},
	{"coredump_filter", FILE_RW, .show = show_coredump_filter},
	{"mountstats", FILE_OWN, .show = proc_show_mountstats},
	{"stat", FILE_RO, .show = proc_show_stat},
	{"task", DIR_RX, .lookup = task_dir_lookup, .next = task_dir_next, .nlink = task_dir_nlink},
	{"timerslack_ns", FILE_RW, .show = show_timerslack},
	{0},
};

static const struct pseudo_entry tid_files[] = {
	COMMON_FILES,
	FD_DIRS,
	{"children", FILE_RO, .show = show_children},
	{"io", FILE_OWN, .show = show_task_io},
	{"stat", FILE_RO, .show = proc_show_task_stat},
	{0},
};

const struct pseudo_entry proc_pid_dir = {"PID", DIR_RX, .children = pid_files};
static const struct pseudo_entry proc_tid_dir = {"TID", DIR_RX, .children = tid_files};
