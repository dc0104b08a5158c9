/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup and cgroup2: one cgroup, the container's own, which is the root of what it sees. Everything is read-only: limits are
 * set from outside. A container sees the version that its host has, since its program was configured for that.
 *
 * Non-goals: cgroups below this one, and thereby systemd inside a container; controllers that limit nothing in here (io,
 * hugetlb, devices, freezer).
 */
#include "fs/cgroupfs.h"

#include <linux/magic.h>

#include "fs/pseudo.h"
#include "lib/string.h"
#include "mm/page.h"
#include "task/task.h"

#define FILE_RO (S_IFREG | 0444)
#define DIR_RX  (S_IFDIR | 0555)
#define LINK    (S_IFLNK | 0777)

#define NO_LIMIT_V1 0x7ffffffffffff000ull
#define DEFAULT_PERIOD 100000u
#define DEFAULT_SHARES 1024u
#define NS_PER_TICK    10000000u

static const struct container *own(void) { return current->proc->container; }

static int show_number(struct seq *s, uint64_t n)
{
	seq_printf(s, "%llu\n", (unsigned long long)n);
	return 0;
}

static int show_max(struct seq *s, uint64_t limit)
{
	if (limit)
		return show_number(s, limit);
	seq_puts(s, "max\n");
	return 0;
}

static int show_zero(struct seq *s, const struct pseudo_ref *ref)
{
	return show_number(s, 0);
}

static int show_none(struct seq *s, const struct pseudo_ref *ref)
{
	return show_max(s, 0);
}

static int show_nothing(struct seq *s, const struct pseudo_ref *ref)
{
	return 0;
}

/* ---- members -------------------------------------------------------------------------------------------------------- */

/* As the reader's pid namespace numbers it; 0, as on Linux, if it is not in there. */
static void show_id(struct seq *s, int id)
{
	seq_printf(s, "%d\n", pid_vnr(id));
}

static int show_members(struct seq *s, bool threads)
{
	const struct container *c = own();
	struct process *p;
	struct task *t;

	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &process_list, all_link) {
		if (p->container != c || p->zombie)
			continue;
		if (!threads)
			show_id(s, p->pid);
		else
			list_for_each_entry(t, &p->threads, thread_link)
				show_id(s, t->tid);
	}
	spin_unlock(&tasklist_lock);
	return 0;
}

static int show_procs(struct seq *s, const struct pseudo_ref *ref)
{
	return show_members(s, false);
}

static int show_threads(struct seq *s, const struct pseudo_ref *ref)
{
	return show_members(s, true);
}

static int show_controllers(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "cpuset cpu memory pids\n");
	return 0;
}

static int show_type(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "domain\n");
	return 0;
}

static int show_events(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "populated 1\nfrozen 0\n");
	return 0;
}

static int show_stat(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "nr_descendants 0\nnr_dying_descendants 0\n");
	return 0;
}

static int show_clone_children(struct seq *s, const struct pseudo_ref *ref)
{
	return show_number(s, 0);
}

/* ---- CPU time --------------------------------------------------------------------------------------------------------- */

static void cpu_time(uint64_t *user, uint64_t *sys)
{
	const struct container *c = own();
	struct rusage_acc u;
	struct process *p;

	*user = *sys = 0;
	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &process_list, all_link) {
		if (p->container != c)
			continue;
		process_usage(p, &u);
		*user += u.utime_ns;
		*sys += u.stime_ns;
	}
	if (c->init) {
		*user += c->init->children_acc.utime_ns;
		*sys += c->init->children_acc.stime_ns;
	}
	spin_unlock(&tasklist_lock);
}

static int show_cpu_stat(struct seq *s, const struct pseudo_ref *ref)
{
	uint64_t user, sys;

	cpu_time(&user, &sys);
	seq_printf(s, "usage_usec %llu\nuser_usec %llu\nsystem_usec %llu\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n",
	           (unsigned long long)((user + sys) / 1000), (unsigned long long)(user / 1000), (unsigned long long)(sys / 1000));
	return 0;
}

static int show_cpu_stat_v1(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n");
	return 0;
}

static int show_cpuacct_usage(struct seq *s, const struct pseudo_ref *ref)
{
	uint64_t user, sys;

	cpu_time(&user, &sys);
	return show_number(s, user + sys);
}

static int show_cpuacct_stat(struct seq *s, const struct pseudo_ref *ref)
{
	uint64_t user, sys;

	cpu_time(&user, &sys);
	seq_printf(s, "user %llu\nsystem %llu\n", (unsigned long long)(user / NS_PER_TICK), (unsigned long long)(sys / NS_PER_TICK));
	return 0;
}

static uint64_t period(void)
{
	uint64_t p = READ_ONCE(own()->cgroup.cpu_period);

	return p ? p : DEFAULT_PERIOD;
}

static uint64_t shares(void)
{
	uint64_t n = READ_ONCE(own()->cgroup.cpu_shares);

	return n ? n : DEFAULT_SHARES;
}

static int show_cpu_max(struct seq *s, const struct pseudo_ref *ref)
{
	int64_t quota = READ_ONCE(own()->cgroup.cpu_quota);

	if (quota > 0)
		seq_printf(s, "%lld %llu\n", (long long)quota, (unsigned long long)period());
	else
		seq_printf(s, "max %llu\n", (unsigned long long)period());
	return 0;
}

static int show_quota(struct seq *s, const struct pseudo_ref *ref)
{
	int64_t quota = READ_ONCE(own()->cgroup.cpu_quota);

	seq_printf(s, "%lld\n", quota > 0 ? (long long)quota : -1ll);
	return 0;
}

static int show_period(struct seq *s, const struct pseudo_ref *ref)
{
	return show_number(s, period());
}

static int show_shares(struct seq *s, const struct pseudo_ref *ref)
{
	return show_number(s, shares());
}

/* The conversion that runtimes use; v2's own default is 100. */
static int show_weight(struct seq *s, const struct pseudo_ref *ref)
{
	uint64_t n = READ_ONCE(own()->cgroup.cpu_shares);

	return show_number(s, n < 2 ? 100 : 1 + (MIN(n, 262144ul) - 2) * 9999 / 262142);
}

static int show_cpuset(struct seq *s, bool mems)
{
	char list[CGROUP_CPUS_MAX];

	container_cpuset(own(), mems, list);
	seq_printf(s, "%s\n", list);
	return 0;
}

static int show_cpuset_cpus(struct seq *s, const struct pseudo_ref *ref)
{
	return show_cpuset(s, false);
}

static int show_cpuset_mems(struct seq *s, const struct pseudo_ref *ref)
{
	return show_cpuset(s, true);
}

/* As the container numbers its CPUs: those that the host's cpuset left it, from 0 on. */
static int show_effective_cpus(struct seq *s, const struct pseudo_ref *ref)
{
	unsigned n = sched_nr_cpus();

	seq_printf(s, n > 1 ? "0-%u\n" : "0\n", n - 1);
	return 0;
}

/* ---- memory ----------------------------------------------------------------------------------------------------------- */

static int show_memory_current(struct seq *s, const struct pseudo_ref *ref)
{
	return show_number(s, page_memory_used() * PAGE_SIZE);
}

static int show_memory_max(struct seq *s, const struct pseudo_ref *ref)
{
	return show_max(s, READ_ONCE(own()->memory_limit));
}

static int show_memory_limit_v1(struct seq *s, const struct pseudo_ref *ref)
{
	uint64_t limit = READ_ONCE(own()->memory_limit);

	return show_number(s, limit ? limit : NO_LIMIT_V1);
}

static int show_no_limit_v1(struct seq *s, const struct pseudo_ref *ref)
{
	return show_number(s, NO_LIMIT_V1);
}

static int show_memory_stat(struct seq *s, const struct pseudo_ref *ref)
{
	struct page_stats st;

	page_stats(&st);
	seq_printf(s, "anon %llu\nfile %llu\nkernel %llu\nkernel_stack %llu\npagetables %llu\nsock 0\nshmem %llu\nslab %llu\n",
	           (unsigned long long)(st.user - MIN(st.user, st.cache)) * PAGE_SIZE, (unsigned long long)st.cache * PAGE_SIZE,
	           (unsigned long long)(st.kstack + st.page_tables + st.slab) * PAGE_SIZE, (unsigned long long)st.kstack * PAGE_SIZE,
	           (unsigned long long)st.page_tables * PAGE_SIZE, (unsigned long long)st.cache * PAGE_SIZE,
	           (unsigned long long)st.slab * PAGE_SIZE);
	return 0;
}

static int show_memory_stat_v1(struct seq *s, const struct pseudo_ref *ref)
{
	uint64_t limit = READ_ONCE(own()->memory_limit);
	struct page_stats st;

	page_stats(&st);
	unsigned long long cache = st.cache * PAGE_SIZE, rss = (st.user - MIN(st.user, st.cache)) * PAGE_SIZE;
	unsigned long long max = limit ? limit : NO_LIMIT_V1;
	seq_printf(s, "cache %llu\nrss %llu\nshmem %llu\nmapped_file 0\nswap 0\nhierarchical_memory_limit %llu\ntotal_cache %llu\n"
	              "total_rss %llu\ntotal_shmem %llu\ntotal_swap 0\ntotal_inactive_file 0\ntotal_active_file 0\n",
	           cache, rss, cache, max, cache, rss, cache);
	return 0;
}

static int show_memory_events(struct seq *s, const struct pseudo_ref *ref)
{
	const struct container_cgroup *cg = &own()->cgroup;

	seq_printf(s, "low 0\nhigh 0\nmax %u\noom %u\noom_kill %u\noom_group_kill 0\n", READ_ONCE(cg->ooms), READ_ONCE(cg->ooms),
	           READ_ONCE(cg->oom_kills));
	return 0;
}

static int show_oom_control(struct seq *s, const struct pseudo_ref *ref)
{
	const struct container_cgroup *cg = &own()->cgroup;

	seq_printf(s, "oom_kill_disable %d\nunder_oom 0\noom_kill %u\n", READ_ONCE(cg->oom_disabled), READ_ONCE(cg->oom_kills));
	return 0;
}

static int show_failcnt(struct seq *s, const struct pseudo_ref *ref)
{
	return show_number(s, READ_ONCE(own()->cgroup.ooms));
}

/* ---- pids ------------------------------------------------------------------------------------------------------------- */

static int show_pids_current(struct seq *s, const struct pseudo_ref *ref)
{
	return show_number(s, READ_ONCE(own()->nr_tasks));
}

static int show_pids_max(struct seq *s, const struct pseudo_ref *ref)
{
	return show_max(s, READ_ONCE(own()->pids_limit));
}

static int show_pids_events(struct seq *s, const struct pseudo_ref *ref)
{
	seq_printf(s, "max %u\n", READ_ONCE(own()->cgroup.pids_refused));
	return 0;
}

/* ---- version 2 -------------------------------------------------------------------------------------------------------- */

static const struct pseudo_entry v2_files[] = {
	{"cgroup.controllers", FILE_RO, .show = show_controllers},
	{"cgroup.events", FILE_RO, .show = show_events},
	{"cgroup.max.depth", FILE_RO, .show = show_zero},
	{"cgroup.max.descendants", FILE_RO, .show = show_zero},
	{"cgroup.procs", FILE_RO, .show = show_procs},
	{"cgroup.stat", FILE_RO, .show = show_stat},
	{"cgroup.subtree_control", FILE_RO, .show = show_nothing},
	{"cgroup.threads", FILE_RO, .show = show_threads},
	{"cgroup.type", FILE_RO, .show = show_type},
	{"cpu.max", FILE_RO, .show = show_cpu_max},
	{"cpu.stat", FILE_RO, .show = show_cpu_stat},
	{"cpu.weight", FILE_RO, .show = show_weight},
	{"cpuset.cpus", FILE_RO, .show = show_cpuset_cpus},
	{"cpuset.cpus.effective", FILE_RO, .show = show_effective_cpus},
	{"cpuset.mems", FILE_RO, .show = show_cpuset_mems},
	{"cpuset.mems.effective", FILE_RO, .show = show_zero},
	{"memory.current", FILE_RO, .show = show_memory_current},
	{"memory.events", FILE_RO, .show = show_memory_events},
	{"memory.events.local", FILE_RO, .show = show_memory_events},
	{"memory.high", FILE_RO, .show = show_none},
	{"memory.low", FILE_RO, .show = show_zero},
	{"memory.max", FILE_RO, .show = show_memory_max},
	{"memory.min", FILE_RO, .show = show_zero},
	{"memory.oom.group", FILE_RO, .show = show_zero},
	{"memory.stat", FILE_RO, .show = show_memory_stat},
	{"memory.swap.current", FILE_RO, .show = show_zero},
	{"memory.swap.max", FILE_RO, .show = show_zero},
	{"pids.current", FILE_RO, .show = show_pids_current},
	{"pids.events", FILE_RO, .show = show_pids_events},
	{"pids.max", FILE_RO, .show = show_pids_max},
	{0},
};
static const struct pseudo_entry v2_root = {"/", DIR_RX, .children = v2_files};

static struct super_block *v2_mount(const struct fs_type *type, const char *source, const char *data, uint32_t flags)
{
	return pseudo_mount(type, &v2_root, CGROUP2_SUPER_MAGIC);
}

const struct fs_type cgroup2_type = {.name = "cgroup2", .nodev = true, .owner = ns_owner_cgroup, .mount = v2_mount};

/* ---- version 1 -------------------------------------------------------------------------------------------------------- */

#define COMMON_FILES \
	{"cgroup.clone_children", FILE_RO, .show = show_clone_children}, {"cgroup.procs", FILE_RO, .show = show_procs}, \
	{"notify_on_release", FILE_RO, .show = show_zero}, {"tasks", FILE_RO, .show = show_threads}

static const struct pseudo_entry cpu_files[] = {
	COMMON_FILES,
	{"cpu.cfs_period_us", FILE_RO, .show = show_period},
	{"cpu.cfs_quota_us", FILE_RO, .show = show_quota},
	{"cpu.shares", FILE_RO, .show = show_shares},
	{"cpu.stat", FILE_RO, .show = show_cpu_stat_v1},
	{"cpuacct.stat", FILE_RO, .show = show_cpuacct_stat},
	{"cpuacct.usage", FILE_RO, .show = show_cpuacct_usage},
	{0},
};
static const struct pseudo_entry cpuset_files[] = {
	COMMON_FILES,
	{"cpuset.cpus", FILE_RO, .show = show_effective_cpus},
	{"cpuset.effective_cpus", FILE_RO, .show = show_effective_cpus},
	{"cpuset.effective_mems", FILE_RO, .show = show_zero},
	{"cpuset.mems", FILE_RO, .show = show_zero},
	{0},
};
static const struct pseudo_entry memory_files[] = {
	COMMON_FILES,
	{"memory.failcnt", FILE_RO, .show = show_failcnt},
	{"memory.limit_in_bytes", FILE_RO, .show = show_memory_limit_v1},
	{"memory.oom_control", FILE_RO, .show = show_oom_control},
	{"memory.soft_limit_in_bytes", FILE_RO, .show = show_no_limit_v1},
	{"memory.stat", FILE_RO, .show = show_memory_stat_v1},
	{"memory.usage_in_bytes", FILE_RO, .show = show_memory_current},
	{"memory.use_hierarchy", FILE_RO, .show = show_clone_children},
	{0},
};
static const struct pseudo_entry pids_files[] = {
	COMMON_FILES,
	{"pids.current", FILE_RO, .show = show_pids_current},
	{"pids.events", FILE_RO, .show = show_pids_events},
	{"pids.max", FILE_RO, .show = show_pids_max},
	{0},
};

static const struct pseudo_entry empty[] = {{0}};
static char *cpu_link(const struct pseudo_ref *ref)
{
	return kstrdup("cpu,cpuacct");
}

/* What the controllers are mounted on. */
static const struct pseudo_entry v1_dirs[] = {
	{"cpu", LINK, .link = cpu_link},
	{"cpu,cpuacct", DIR_RX, .children = empty},
	{"cpuacct", LINK, .link = cpu_link},
	{"cpuset", DIR_RX, .children = empty},
	{"memory", DIR_RX, .children = empty},
	{"pids", DIR_RX, .children = empty},
	{0},
};
static const struct pseudo_entry v1_top = {"/", DIR_RX, .children = v1_dirs};

static const struct {
	const char *name, *first, *second; /* as mount options may name them */
	struct pseudo_entry root;
} v1[] = {
	{"cpu,cpuacct", "cpu", "cpuacct", {"/", DIR_RX, .children = cpu_files}},
	{"cpuset", "cpuset", "", {"/", DIR_RX, .children = cpuset_files}},
	{"memory", "memory", "", {"/", DIR_RX, .children = memory_files}},
	{"pids", "pids", "", {"/", DIR_RX, .children = pids_files}},
};

const char *cgroupfs_v1_name(unsigned n)
{
	return n < ARRAY_SIZE(v1) ? v1[n].name : NULL;
}

static struct super_block *v1_mount(const struct fs_type *type, const char *source, const char *data, uint32_t flags)
{
	for (unsigned i = 0; data && i < ARRAY_SIZE(v1); i++)
		if (strcmp(data, v1[i].name) == 0 || strcmp(data, v1[i].first) == 0 || (*data && strcmp(data, v1[i].second) == 0))
			return pseudo_mount(type, &v1[i].root, CGROUP_SUPER_MAGIC);
	return ERR_PTR(-EINVAL);
}

const struct fs_type cgroup_type = {.name = "cgroup", .nodev = true, .owner = ns_owner_cgroup, .mount = v1_mount};
/* Not one that mount(2) knows; shown as what stands there on other systems. */
static const struct fs_type v1_top_type = {.name = "tmpfs", .nodev = true};

/* ---- from the spec ---------------------------------------------------------------------------------------------------- */

static int mount_at(struct super_block *sb, const struct path *at, uint32_t flags, const char *source)
{
	return IS_ERR(sb) ? PTR_ERR(sb) : mount_attach(sb, at, flags, source);
}

static int mount_controllers(const char *dest, unsigned i, uint32_t flags, const char *source)
{
	size_t size = strlen(dest) + strlen(v1[i].name) + 2;
	char *name = kmalloc(size);
	struct path at;

	if (!name)
		return -ENOMEM;
	snprintf(name, size, "%s/%s", dest, v1[i].name);
	int r = path_lookup(AT_FDCWD, name, LOOKUP_DIRECTORY, &at);
	kfree(name);
	if (r)
		return r;
	r = mount_at(pseudo_mount(&cgroup_type, &v1[i].root, CGROUP_SUPER_MAGIC), &at, flags, source);
	path_put(&at);
	return r;
}

int cgroupfs_mount_all(const char *dest, const struct path *at, uint32_t flags, const char *source)
{
	if (own()->cgroup.v2)
		return mount_at(pseudo_mount(&cgroup2_type, &v2_root, CGROUP2_SUPER_MAGIC), at, flags, source);
	int r = mount_at(pseudo_mount(&v1_top_type, &v1_top, TMPFS_MAGIC), at, flags, "tmpfs");
	for (unsigned i = 0; !r && i < ARRAY_SIZE(v1); i++)
		r = mount_controllers(dest, i, flags, source);
	return r;
}
