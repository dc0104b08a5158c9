// SPDX-License-Identifier: Apache-2.0
/* /sys: the CPU and memory topology, and the directories that tools expect. */
#include <linux/magic.h>

#include "fs/sysfs.h"
#include "lib/string.h"
#include "task/sched.h"

static const struct pseudo_entry empty[] = {{0}};

/* ---- CPUs -------------------------------------------------------------------------------------------------- */

static int show_cpu_range(struct seq *s, const struct pseudo_ref *ref)
{
	unsigned n = sched_nr_cpus();
	if (n > 1)
		seq_printf(s, "0-%u\n", n - 1);
	else
		seq_puts(s, "0\n");
	return 0;
}

static int show_nothing(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "\n");
	return 0;
}

static int show_zero(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "0\n");
	return 0;
}

static int show_one(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "1\n");
	return 0;
}

static int show_kernel_max(struct seq *s, const struct pseudo_ref *ref)
{
	seq_printf(s, "%d\n", BOOT_VCPU_MAX - 1);
	return 0;
}

static int show_cpu_number(struct seq *s, const struct pseudo_ref *ref)
{
	seq_printf(s, "%llu\n", (unsigned long long)ref->number);
	return 0;
}

/* Hexadecimal mask, words of 32 bits, commas between. */
static void show_mask(struct seq *s, unsigned first, unsigned count)
{
	unsigned n = sched_nr_cpus();
	for (int w = (int)((n + 31) / 32) - 1; w >= 0; w--) {
		uint32_t v = 0;
		for (unsigned b = 0; b < 32; b++) {
			unsigned cpu = (unsigned)w * 32 + b;
			if (cpu >= first && cpu < first + count)
				v |= 1u << b;
		}
		seq_printf(s, w == (int)((n + 31) / 32) - 1 ? "%x" : "%08x", v);
		if (w)
			seq_puts(s, ",");
	}
	seq_puts(s, "\n");
}

static int show_own_mask(struct seq *s, const struct pseudo_ref *ref)
{
	show_mask(s, (unsigned)ref->number, 1);
	return 0;
}

static int show_all_mask(struct seq *s, const struct pseudo_ref *ref)
{
	show_mask(s, 0, sched_nr_cpus());
	return 0;
}

static const struct pseudo_entry topology_files[] = {
	{"core_cpus", SYSFS_FILE, .show = show_own_mask},
	{"core_cpus_list", SYSFS_FILE, .show = show_cpu_number},
	{"core_id", SYSFS_FILE, .show = show_cpu_number},
	{"core_siblings", SYSFS_FILE, .show = show_all_mask},
	{"core_siblings_list", SYSFS_FILE, .show = show_cpu_range},
	{"die_id", SYSFS_FILE, .show = show_zero},
	{"package_cpus", SYSFS_FILE, .show = show_all_mask},
	{"package_cpus_list", SYSFS_FILE, .show = show_cpu_range},
	{"physical_package_id", SYSFS_FILE, .show = show_zero},
	{"thread_siblings", SYSFS_FILE, .show = show_own_mask},
	{"thread_siblings_list", SYSFS_FILE, .show = show_cpu_number},
	{0},
};
static const struct pseudo_entry cpu_files[] = {{"cache", SYSFS_DIR, .children = empty},
                                                {"online", SYSFS_FILE, .show = show_one},
                                                {"topology", SYSFS_DIR, .children = topology_files},
                                                {0}};
static const struct pseudo_entry cpu_dir = {"cpuN", SYSFS_DIR, .children = cpu_files};

static int cpus_lookup(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out)
{
	char buf[8];
	uint64_t n;
	if (len < 4 || len >= 3 + sizeof(buf) || memcmp(name, "cpu", 3) || (len > 4 && name[3] == '0'))
		return -ENOENT;
	memcpy(buf, name + 3, len - 3);
	buf[len - 3] = '\0';
	if (parse_u64(buf, 10, &n) || n >= sched_nr_cpus())
		return -ENOENT;
	*out = (struct pseudo_ref){.entry = &cpu_dir, .number = n};
	return 0;
}

static bool cpus_next(const struct pseudo_ref *dir, uint64_t *cookie, char *name, unsigned *type)
{
	if (*cookie >= sched_nr_cpus())
		return false;
	snprintf(name, 32, "cpu%u", (unsigned)*cookie);
	*type = 4;
	return true;
}

static const struct pseudo_entry cpus_files[] = {{"isolated", SYSFS_FILE, .show = show_nothing},
                                                 {"kernel_max", SYSFS_FILE, .show = show_kernel_max},
                                                 {"offline", SYSFS_FILE, .show = show_nothing},
                                                 {"online", SYSFS_FILE, .show = show_cpu_range},
                                                 {"possible", SYSFS_FILE, .show = show_cpu_range},
                                                 {"present", SYSFS_FILE, .show = show_cpu_range},
                                                 {0}};

/* ---- memory node ------------------------------------------------------------------------------------------- */

static int show_node_meminfo(struct seq *s, const struct pseudo_ref *ref)
{
	struct page_stats st;
	page_stats(&st);
	seq_printf(s, "Node 0 MemTotal:       %8llu kB\nNode 0 MemFree:        %8llu kB\nNode 0 MemUsed:        %8llu kB\n",
	           (unsigned long long)st.total * 4, (unsigned long long)st.free * 4,
	           (unsigned long long)(st.total - st.free) * 4);
	return 0;
}

static const struct pseudo_entry node0_files[] = {{"cpulist", SYSFS_FILE, .show = show_cpu_range},
                                                  {"cpumap", SYSFS_FILE, .show = show_all_mask},
                                                  {"meminfo", SYSFS_FILE, .show = show_node_meminfo},
                                                  {0}};
static const struct pseudo_entry node_files[] = {{"has_cpu", SYSFS_FILE, .show = show_zero},
                                                 {"node0", SYSFS_DIR, .children = node0_files},
                                                 {"online", SYSFS_FILE, .show = show_zero},
                                                 {"possible", SYSFS_FILE, .show = show_zero},
                                                 {0}};

/* ---- kernel -------------------------------------------------------------------------------------------------- */

static int show_thp(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "always madvise [never]\n");
	return 0;
}

static int show_thp_size(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "2097152\n");
	return 0;
}

static const struct pseudo_entry thp_files[] = {{"defrag", SYSFS_FILE, .show = show_thp},
                                                {"enabled", SYSFS_FILE, .show = show_thp},
                                                {"hpage_pmd_size", SYSFS_FILE, .show = show_thp_size},
                                                {"shmem_enabled", SYSFS_FILE, .show = show_thp},
                                                {0}};
static const struct pseudo_entry kernel_mm[] = {{"hugepages", SYSFS_DIR, .children = empty},
                                                {"transparent_hugepage", SYSFS_DIR, .children = thp_files},
                                                {0}};
static const struct pseudo_entry kernel_dirs[] = {{"debug", SYSFS_DIR, .children = empty},
                                                  {"mm", SYSFS_DIR, .children = kernel_mm},
                                                  {"security", SYSFS_DIR, .children = empty},
                                                  {0}};

static const struct pseudo_entry system_dirs[] = {
	{"cpu", SYSFS_DIR, .children = cpus_files, .lookup = cpus_lookup, .next = cpus_next},
	{"node", SYSFS_DIR, .children = node_files},
	{0}};
static const struct pseudo_entry virtual_dirs[] = {{"net", SYSFS_DIR, .children = empty, .lookup = sysfs_net_lookup, .next = sysfs_net_next}, {0}};
static const struct pseudo_entry devices_dirs[] = {{"system", SYSFS_DIR, .children = system_dirs},
                                                   {"virtual", SYSFS_DIR, .children = virtual_dirs},
                                                   {0}};
static const struct pseudo_entry class_dirs[] = {{"block", SYSFS_DIR, .children = empty},
                                                 {"mem", SYSFS_DIR, .children = empty},
                                                 {"net", SYSFS_DIR, .children = empty, .lookup = sysfs_net_lookup, .next = sysfs_net_next},
                                                 {"tty", SYSFS_DIR, .children = empty},
                                                 {0}};
static const struct pseudo_entry fs_dirs[] = {{"cgroup", SYSFS_DIR, .children = empty}, {0}};
static const struct pseudo_entry bus_dirs[] = {{"cpu", SYSFS_DIR, .children = empty}, {"pci", SYSFS_DIR, .children = empty}, {0}};
static const struct pseudo_entry top_dirs[] = {{"block", SYSFS_DIR, .children = empty},
                                               {"bus", SYSFS_DIR, .children = bus_dirs},
                                               {"class", SYSFS_DIR, .children = class_dirs},
                                               {"dev", SYSFS_DIR, .children = empty},
                                               {"devices", SYSFS_DIR, .children = devices_dirs},
                                               {"firmware", SYSFS_DIR, .children = empty},
                                               {"fs", SYSFS_DIR, .children = fs_dirs},
                                               {"kernel", SYSFS_DIR, .children = kernel_dirs},
                                               {"module", SYSFS_DIR, .children = empty},
                                               {"power", SYSFS_DIR, .children = empty},
                                               {0}};
static const struct pseudo_entry root_entry = {"/", SYSFS_DIR, .children = top_dirs};

static struct super_block *sysfs_mount(const struct fs_type *type, const char *source, const char *data, uint32_t flags)
{
	return pseudo_mount(type, &root_entry, SYSFS_MAGIC);
}

const struct fs_type sysfs_type = {.name = "sysfs", .nodev = true, .shows_same = true, .owner = ns_owner_net,
	.mount = sysfs_mount};
