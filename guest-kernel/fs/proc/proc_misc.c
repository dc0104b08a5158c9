// SPDX-License-Identifier: Apache-2.0
/* The system-wide files of /proc: memory, CPUs, load, versions, file systems. */
#include "fs/proc/proc.h"

#include <linux/utsname.h>

#include "boot/boot.h"
#include "fs/cgroupfs.h"
#include "ipc/ipc.h"
#include "lib/log.h"
#include "lib/string.h"
#include "task/version.h"
#include "task/cpu_account.h"

#define KIB(pages) ((unsigned long long)(pages) * (PAGE_SIZE / 1024))

/* Memory as the container sees it: what it may use. */
static int show_meminfo(struct seq *s, const struct pseudo_ref *ref)
{
	struct page_stats st;
	page_stats(&st);
	/* not what the Sentry has from the host at the moment, which grows on demand */
	uint64_t used = st.total - st.free, total = st.limit;
	uint64_t avail = total > used ? total - used : 0;
	seq_printf(s, "MemTotal:       %8llu kB\nMemFree:        %8llu kB\nMemAvailable:   %8llu kB\n", KIB(total), KIB(avail),
	           KIB(avail));
	seq_printf(s, "Buffers:        %8llu kB\nCached:         %8llu kB\nSwapCached:     %8llu kB\n", 0ULL, KIB(st.cache), 0ULL);
	seq_printf(s, "Active:         %8llu kB\nInactive:       %8llu kB\nActive(anon):   %8llu kB\n", KIB(st.user), KIB(st.cache),
	           KIB(st.user));
	seq_printf(s, "Inactive(anon): %8llu kB\nActive(file):   %8llu kB\nInactive(file): %8llu kB\n", 0ULL, 0ULL, KIB(st.cache));
	seq_printf(s, "Unevictable:    %8llu kB\nMlocked:        %8llu kB\nSwapTotal:      %8llu kB\nSwapFree:       %8llu kB\n", 0ULL,
	           0ULL, 0ULL, 0ULL);
	seq_printf(s, "Dirty:          %8llu kB\nWriteback:      %8llu kB\nAnonPages:      %8llu kB\nMapped:         %8llu kB\n", 0ULL,
	           0ULL, KIB(st.user), KIB(st.cache));
	seq_printf(s, "Shmem:          %8llu kB\nKReclaimable:   %8llu kB\nSlab:           %8llu kB\n", KIB(st.cache), 0ULL,
	           KIB(st.slab));
	seq_printf(s, "SReclaimable:   %8llu kB\nSUnreclaim:     %8llu kB\nKernelStack:    %8llu kB\nPageTables:     %8llu kB\n", 0ULL,
	           KIB(st.slab), KIB(st.kstack), KIB(st.page_tables));
	seq_printf(s, "CommitLimit:    %8llu kB\nCommitted_AS:   %8llu kB\nVmallocTotal:   34359738367 kB\nVmallocUsed:           0 kB\n",
	           KIB(total / 2), KIB(st.user));
	seq_puts(s, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugePages_Surp:        0\n"
	            "Hugepagesize:       2048 kB\nHugetlb:               0 kB\n");
	return 0;
}

/* ---- cpuinfo ---------------------------------------------------------------------------------------------------- */

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

static struct cpuid_regs cpuid(uint32_t leaf, uint32_t sub)
{
	struct cpuid_regs r;
	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(sub));
	return r;
}

/* Names of the feature bits that programs look for, in the order of Linux's words; of features that the Sentry offers, whatever
 * the CPU has. */
static const struct {
	uint32_t leaf;
	uint8_t sub, reg; /* reg: 0 eax .. 3 edx */
	const char *names[32];
} feature_words[] = {
	{1, 0, 3, {"fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", 0, "sep", "mtrr", "pge", "mca", "cmov",
	           "pat", "pse36", "pn", "clflush", 0, "dts", "acpi", "mmx", "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64",
	           "pbe"}},
	{0x80000001, 0, 3, {[11] = "syscall", [19] = "mp", [20] = "nx", [22] = "mmxext", [25] = "fxsr_opt", [26] = "pdpe1gb",
	                    [27] = "rdtscp", [29] = "lm", [30] = "3dnowext", [31] = "3dnow"}},
	{1, 0, 2, {"pni", "pclmulqdq", "dtes64", "monitor", "ds_cpl", 0, 0, "est", "tm2", "ssse3", "cid", 0, "fma", "cx16",
	           "xtpr", "pdcm", 0, "pcid", "dca", "sse4_1", "sse4_2", "x2apic", "movbe", "popcnt", "tsc_deadline_timer", "aes",
	           "xsave", 0, "avx", "f16c", "rdrand", "hypervisor"}},
	{0x80000001, 0, 2, {"lahf_lm", "cmp_legacy", 0, "extapic", "cr8_legacy", "abm", "sse4a", "misalignsse",
	                    "3dnowprefetch", "osvw", "ibs", "xop", "skinit", "wdt", 0, "lwp", "fma4"}},
	{7, 0, 1, {"fsgsbase", "tsc_adjust", 0, "bmi1", "hle", "avx2", 0, "smep", "bmi2", "erms", "invpcid", "rtm", 0, 0, 0,
	           0, "avx512f", "avx512dq", "rdseed", "adx", "smap", "avx512ifma", 0, "clflushopt", "clwb", 0,
	           "avx512pf", "avx512er", "avx512cd", "sha_ni", "avx512bw", "avx512vl"}},
	{7, 0, 2, {[1] = "avx512vbmi", [2] = "umip", [6] = "avx512_vbmi2", [8] = "gfni", [9] = "vaes",
	           [10] = "vpclmulqdq", [11] = "avx512_vnni", [12] = "avx512_bitalg", [14] = "avx512_vpopcntdq", [22] = "rdpid"}},
	{7, 0, 3, {[4] = "fsrm", [8] = "avx512_vp2intersect", [10] = "md_clear", [14] = "serialize"}},
};

static void show_flags(struct seq *s)
{
	for (size_t w = 0; w < ARRAY_SIZE(feature_words); w++) {
		struct cpuid_regs r = cpuid(feature_words[w].leaf, feature_words[w].sub);
		uint32_t v[4] = {r.eax, r.ebx, r.ecx, r.edx};
		for (int b = 0; b < 32; b++)
			if (v[feature_words[w].reg] >> b & 1 && feature_words[w].names[b])
				seq_printf(s, " %s", feature_words[w].names[b]);
	}
}

static int show_cpuinfo(struct seq *s, const struct pseudo_ref *ref)
{
	struct cpuid_regs id = cpuid(0, 0), one = cpuid(1, 0), ext = cpuid(0x80000008, 0);
	char vendor[13], brand[49] = {0};
	memcpy(vendor, &id.ebx, 4);
	memcpy(vendor + 4, &id.edx, 4);
	memcpy(vendor + 8, &id.ecx, 4);
	vendor[12] = '\0';
	for (uint32_t i = 0; i < 3; i++) {
		struct cpuid_regs r = cpuid(0x80000002 + i, 0);
		memcpy(brand + 16 * i, &r, 16);
	}
	unsigned family = one.eax >> 8 & 15, model = one.eax >> 4 & 15;
	if (family == 15)
		family += one.eax >> 20 & 255;
	if (family >= 6)
		model |= (one.eax >> 16 & 15) << 4;
	const struct clock_params *clk = &((struct boot_shared *)direct(pa(BOOT_SHARED_PA)))->clock;
	unsigned long long khz = clk->tsc_khz, n = sched_nr_cpus();
	for (unsigned i = 0; i < n; i++) {
		seq_printf(s, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n", i,
		           vendor, family, model, brand, one.eax & 15);
		seq_printf(s, "microcode\t: 0xffffffff\ncpu MHz\t\t: %llu.%03llu\ncache size\t: 1024 KB\nphysical id\t: 0\nsiblings\t: %llu\n"
		              "core id\t\t: %u\ncpu cores\t: %llu\napicid\t\t: %u\ninitial apicid\t: %u\n",
		           khz / 1000, khz % 1000, n, i, n, i, i);
		seq_printf(s, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:", id.eax);
		show_flags(s);
		seq_printf(s, "\nbugs\t\t:\nbogomips\t: %llu.%02llu\nclflush size\t: 64\ncache_alignment\t: 64\n"
		              "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
		           khz / 500, khz / 5 % 100, ext.eax & 255, ext.eax >> 8 & 255);
	}
	return 0;
}

/* ---- time and load ------------------------------------------------------------------------------------------------ */

static int show_stat(struct seq *s, const struct pseudo_ref *ref)
{
	uint64_t up = clock_since_start(), user = 0, sys = 0, idle = 0;
	unsigned n = sched_nr_cpus();
	struct process *p;
	struct task *t;

	cpu_account_sync();
	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &process_list, all_link) {
		user += p->self.utime_ns;
		sys += p->self.stime_ns;
		list_for_each_entry(t, &p->threads, thread_link) {
			user += t->sched.utime_ns;
			sys += t->sched.stime_ns;
		}
	}
	if (container0.init) {
		user += container0.init->children_acc.utime_ns;
		sys += container0.init->children_acc.stime_ns;
	}
	spin_unlock(&tasklist_lock);
	for (unsigned i = 0; i < n; i++)
		idle += sched_idle_ns(i);
	seq_printf(s, "cpu  %llu 0 %llu %llu 0 0 0 0 0 0\n", (unsigned long long)(user / NS_PER_TICK),
	           (unsigned long long)(sys / NS_PER_TICK), (unsigned long long)(idle / NS_PER_TICK));
	for (unsigned i = 0; i < n; i++)
		seq_printf(s, "cpu%u %llu 0 %llu %llu 0 0 0 0 0 0\n", i, (unsigned long long)(user / n / NS_PER_TICK),
		           (unsigned long long)(sys / n / NS_PER_TICK), (unsigned long long)(sched_idle_ns(i) / NS_PER_TICK));
	seq_printf(s, "intr 0 0 0 0 0 0 0 0 0 0 0 0 0\nctxt %llu\nbtime %llu\nprocesses %d\nprocs_running %llu\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
	           (unsigned long long)sched_context_switches(), (unsigned long long)((clock_realtime() - up) / 1000000000),
	           pid_last(current->proc->pid_ns), (unsigned long long)sched_nr_running());
	return 0;
}

static int show_uptime(struct seq *s, const struct pseudo_ref *ref)
{
	uint64_t up = clock_since_start() / 10000000, idle = 0;
	for (unsigned i = 0; i < sched_nr_cpus(); i++)
		idle += sched_idle_ns(i);
	idle /= 10000000;
	seq_printf(s, "%llu.%02llu %llu.%02llu\n", (unsigned long long)(up / 100), (unsigned long long)(up % 100),
	           (unsigned long long)(idle / 100), (unsigned long long)(idle % 100));
	return 0;
}

static int show_loadavg(struct seq *s, const struct pseudo_ref *ref)
{
	uint64_t avg[3];
	sched_loadavg(avg);
	for (int i = 0; i < 3; i++) {
		uint64_t v = avg[i] + 2048 / 200;
		seq_printf(s, "%llu.%02llu ", (unsigned long long)(v >> 11), (unsigned long long)((v & 2047) * 100 >> 11));
	}
	seq_printf(s, "%llu/%u %d\n", (unsigned long long)sched_nr_running(), READ_ONCE(container0.nr_tasks),
	           pid_last(current->proc->pid_ns));
	return 0;
}

/* ---- constants of this kernel --------------------------------------------------------------------------------------- */

static int show_version(struct seq *s, const struct pseudo_ref *ref)
{
	seq_printf(s, "Linux version %s (runsc@sentry) (gcc) %s\n", SENTRY_RELEASE, SENTRY_BUILD_VERSION);
	return 0;
}

static int show_filesystems(struct seq *s, const struct pseudo_ref *ref)
{
	for (const struct fs_type *const *t = fs_types; *t; t++)
		seq_printf(s, "%s\t%s\n", (*t)->nodev ? "nodev" : "", (*t)->name);
	return 0;
}

static int show_cmdline(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "\n");
	return 0;
}

static int show_devices(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "Character devices:\n  1 mem\n  4 /dev/vc/0\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\n"
	            "Block devices:\n");
	return 0;
}

static int show_nothing(struct seq *s, const struct pseudo_ref *ref)
{
	return 0;
}

static int show_swaps(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

static int show_partitions(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "major minor  #blocks  name\n\n");
	return 0;
}

static int show_cgroups(struct seq *s, const struct pseudo_ref *ref)
{
	static const char *const names[] = {"cpuset", "cpu", "cpuacct", "memory", "pids"};
	bool v2 = current->proc->container->cgroup.v2;

	seq_puts(s, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		unsigned hierarchy = 0;
		for (unsigned h = 0; !v2 && cgroupfs_v1_name(h); h++)
			if (!hierarchy && strstr(cgroupfs_v1_name(h), names[i]))
				hierarchy = h + 1; /* "cpu,cpuacct" comes before "cpuset" */
		seq_printf(s, "%s\t%u\t1\t1\n", names[i], hierarchy);
	}
	return 0;
}

static int show_vmstat(struct seq *s, const struct pseudo_ref *ref)
{
	struct page_stats st;
	page_stats(&st);
	seq_printf(s, "nr_free_pages %llu\nnr_zone_inactive_anon 0\nnr_anon_pages %llu\nnr_mapped %llu\nnr_file_pages %llu\n"
	              "nr_dirty 0\nnr_writeback 0\nnr_shmem %llu\nnr_page_table_pages %llu\npgpgin 0\npgpgout 0\npswpin 0\n"
	              "pswpout 0\npgfault 0\npgmajfault 0\noom_kill 0\n",
	           (unsigned long long)st.free, (unsigned long long)st.user, (unsigned long long)st.cache,
	           (unsigned long long)st.cache, (unsigned long long)st.cache, (unsigned long long)st.page_tables);
	return 0;
}

static int show_misc(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "  1 mem\n");
	return 0;
}

static int show_interrupts(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "     ");
	for (unsigned i = 0; i < sched_nr_cpus(); i++)
		seq_printf(s, "      CPU%-5u", i);
	seq_puts(s, "\n");
	return 0;
}

/* The dmesg ring as one text; klogctl(2) has the details. */
static int show_kmsg(struct seq *s, const struct pseudo_ref *ref)
{
	size_t n = log_size();
	char *buf = kmalloc(n + 1);
	if (!buf)
		return -ENOMEM;
	n = log_read_all(buf, n);
	seq_write(s, buf, n);
	kfree(buf);
	return 0;
}

static int show_shm(struct seq *s, const struct pseudo_ref *ref)
{
	shm_show(s);
	return 0;
}

static int show_sem(struct seq *s, const struct pseudo_ref *ref)
{
	sem_show(s);
	return 0;
}

static int show_msg(struct seq *s, const struct pseudo_ref *ref)
{
	msg_show(s);
	return 0;
}

static const struct pseudo_entry sysvipc_files[] = {
	{"msg", FILE_RO, .show = show_msg}, {"sem", FILE_RO, .show = show_sem}, {"shm", FILE_RO, .show = show_shm}, {0}};

/* What is_container checks look at exists, empty. */
static const struct pseudo_entry empty_dir[] = {{0}};

const struct pseudo_entry proc_misc_files[] = {
	{"bus", DIR_RX, .children = empty_dir},
	{"cgroups", FILE_RO, .show = show_cgroups},
	{"cmdline", FILE_RO, .show = show_cmdline},
	{"cpuinfo", FILE_RO, .show = show_cpuinfo},
	{"crypto", FILE_RO, .show = show_nothing},
	{"devices", FILE_RO, .show = show_devices},
	{"diskstats", FILE_RO, .show = show_nothing},
	{"driver", DIR_RX, .children = empty_dir},
	{"filesystems", FILE_RO, .show = show_filesystems},
	{"fs", DIR_RX, .children = empty_dir},
	{"interrupts", FILE_RO, .show = show_interrupts},
	{"iomem", FILE_OWN, .show = show_nothing},
	{"ioports", FILE_OWN, .show = show_nothing},
	{"irq", DIR_RX, .children = empty_dir},
	{"kmsg", FILE_OWN, .show = show_kmsg},
	{"loadavg", FILE_RO, .show = show_loadavg},
	{"locks", FILE_RO, .show = show_nothing},
	{"meminfo", FILE_RO, .show = show_meminfo},
	{"misc", FILE_RO, .show = show_misc},
	{"modules", FILE_RO, .show = show_nothing},
	{"partitions", FILE_RO, .show = show_partitions},
	{"softirqs", FILE_RO, .show = show_nothing},
	{"stat", FILE_RO, .show = show_stat},
	{"swaps", FILE_RO, .show = show_swaps},
	{"sysvipc", DIR_RX, .children = sysvipc_files},
	{"uptime", FILE_RO, .show = show_uptime},
	{"version", FILE_RO, .show = show_version},
	{"vmstat", FILE_RO, .show = show_vmstat},
	{"zoneinfo", FILE_RO, .show = show_nothing},
	{0},
};
