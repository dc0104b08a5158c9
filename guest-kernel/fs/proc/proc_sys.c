// SPDX-License-Identifier: Apache-2.0
/*
 * /proc/sys: the settings that programs and runtimes read. Those that change the behaviour of this kernel are live
 * (hostname, pid_max ...); a setting that describes a subsystem we bound differently is a constant, and read-only so that
 * no one believes to have changed it, or a value that is kept and shown (SETTING), where Linux has no visible effect.
 */
#include "fs/proc/proc.h"

#include "lib/string.h"
#include "task/random.h"
#include "task/version.h"

/* A text setting kept for its readers; value is protected by its lock. */
struct setting {
	const char *name;
	char value[64];
};

static spinlock_t settings_lock = SPINLOCK_INIT; /* protects all values below */

static struct setting settings[] = {
	{"core_pattern", "core"},
	{"core_uses_pid", "0"},
	{"dmesg_restrict", "0"},
	{"kptr_restrict", "1"},
	{"msgmax", "8192"},
	{"msgmnb", "16384"},
	{"msgmni", "32000"},
	{"panic", "0"},
	{"perf_event_paranoid", "4"},
	{"printk", "4\t4\t1\t7"},
	{"sem", "32000\t1024000000\t500\t32000"},
	{"shmall", "18446744073692774399"},
	{"shmmax", "18446744073692774399"},
	{"shmmni", "4096"},
	{"sched_autogroup_enabled", "0"},
	{"unprivileged_bpf_disabled", "2"},
	{"dirty_background_ratio", "10"},
	{"dirty_ratio", "20"},
	{"overcommit_memory", "0"},
	{"overcommit_ratio", "50"},
	{"panic_on_oom", "0"},
	{"swappiness", "60"},
	{"vfs_cache_pressure", "100"},
	{"drop_caches", "0"},
	{"protected_hardlinks", "1"},
	{"protected_symlinks", "1"},
	{"protected_fifos", "0"},
	{"protected_regular", "0"},
	{"suid_dumpable", "0"},
	{"somaxconn", "4096"},
	{"ip_local_port_range", "32768\t60999"},
	{"tcp_fin_timeout", "60"},
	{"tcp_keepalive_time", "7200"},
	{"tcp_syncookies", "1"},
	{"ip_forward", "0"},
	{"rmem_max", "212992"},
	{"wmem_max", "212992"},
	{"rmem_default", "212992"},
	{"wmem_default", "212992"},
	{"tcp_rmem", "4096\t131072\t6291456"},
	{"tcp_wmem", "4096\t16384\t4194304"},
	{"tcp_congestion_control", "cubic"},
	{"max_dgram_qlen", "512"},
	{"queues_max", "256"},
	{"msg_max", "10"},
	{"msg_default", "10"},
	{"msgsize_max", "8192"},
	{"msgsize_default", "8192"},
	{"max_user_instances", "128"},
	{"max_user_watches", "65536"},
	{"max_queued_events", "16384"},
	{"yama_ptrace_scope", "0"},
};

static struct setting *setting_of(const struct pseudo_ref *ref)
{
	const char *name = strcmp(ref->entry->name, "ptrace_scope") ? ref->entry->name : "yama_ptrace_scope";
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strcmp(settings[i].name, name))
			return &settings[i];
	return NULL;
}

static int setting_show(struct seq *s, const struct pseudo_ref *ref)
{
	struct setting *x = setting_of(ref);
	if (!x)
		return -EIO;
	char copy[sizeof(x->value)];
	spin_lock(&settings_lock);
	memcpy(copy, x->value, sizeof(copy));
	spin_unlock(&settings_lock);
	seq_printf(s, "%s\n", copy);
	return 0;
}

static ssize_t_ setting_store(const struct pseudo_ref *ref, char *text, size_t len)
{
	struct setting *x = setting_of(ref);
	size_t n = len;
	while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
		text[--n] = '\0';
	if (!x || n >= sizeof(x->value))
		return -EINVAL;
	spin_lock(&settings_lock);
	memcpy(x->value, text, n + 1);
	spin_unlock(&settings_lock);
	return (ssize_t_)len;
}

uint64_t proc_sys_value(const char *name)
{
	uint64_t v = 0;
	spin_lock(&settings_lock);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		if (strcmp(settings[i].name, name))
			continue;
		if (parse_u64(settings[i].value, 10, &v))
			v = 0;
		break;
	}
	spin_unlock(&settings_lock);
	return v;
}

/* ---- live values ---------------------------------------------------------------------------------------------- */

static int show_ostype(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "Linux\n");
	return 0;
}

static int show_osrelease(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, SENTRY_RELEASE "\n");
	return 0;
}

static int show_version(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, SENTRY_BUILD_VERSION "\n");
	return 0;
}

static int show_hostname(struct seq *s, const struct pseudo_ref *ref)
{
	seq_printf(s, "%s\n", current->nsproxy->uts->nodename);
	return 0;
}

static int show_domainname(struct seq *s, const struct pseudo_ref *ref)
{
	seq_printf(s, "%s\n", current->nsproxy->uts->domainname[0] ? current->nsproxy->uts->domainname : "(none)");
	return 0;
}

static int show_pid_max(struct seq *s, const struct pseudo_ref *ref)
{
	seq_printf(s, "%d\n", PID_MAX);
	return 0;
}

static int show_last_cap(struct seq *s, const struct pseudo_ref *ref)
{
	seq_printf(s, "%d\n", CAP_LAST_CAP);
	return 0;
}

static int show_ngroups(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "65536\n");
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

static int show_two(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "2\n");
	return 0;
}

static int show_threads_max(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "192000\n");
	return 0;
}

static int show_max_map_count(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "1048576\n");
	return 0;
}

static int show_mmap_min_addr(struct seq *s, const struct pseudo_ref *ref)
{
	seq_printf(s, "%lu\n", USER_MIN);
	return 0;
}

static int show_file_max(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "9223372036854775807\n");
	return 0;
}

static int show_nr_open(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "1048576\n");
	return 0;
}

static int show_file_nr(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "256\t0\t9223372036854775807\n");
	return 0;
}

static int show_pipe_max(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "1048576\n");
	return 0;
}

static int show_uuid(struct seq *s, const struct pseudo_ref *ref)
{
	uint8_t u[16];
	random_bytes(u, sizeof(u));
	u[6] = (u[6] & 0x0f) | 0x40; /* RFC 4122 version 4 */
	u[8] = (u[8] & 0x3f) | 0x80;
	for (int i = 0; i < 16; i++)
		seq_printf(s, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
	seq_puts(s, "\n");
	return 0;
}

/* One per sandbox, made at its first reading. */
static int show_boot_id(struct seq *s, const struct pseudo_ref *ref)
{
	static char id[40];
	static uint32_t state; /* 0 unmade, 1 being made, 2 made */
	if (atomic_load(&state) != 2) {
		struct seq tmp;
		seq_init(&tmp);
		show_uuid(&tmp, ref);
		if (!tmp.failed && atomic_cas(&state, 0u, 1u)) {
			memcpy(id, tmp.buf, MIN(tmp.len, sizeof(id) - 1));
			atomic_store(&state, 2u);
		}
		seq_free(&tmp);
		while (atomic_load(&state) == 1)
			cpu_relax();
	}
	seq_puts(s, id);
	return 0;
}

static int show_overflow_id(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "65534\n");
	return 0;
}

static int show_entropy(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "256\n");
	return 0;
}

#define SETTING(n) {n, FILE_RW, .show = setting_show, .store = setting_store}

static const struct pseudo_entry random_files[] = {
	{"boot_id", FILE_RO, .show = show_boot_id},
	{"entropy_avail", FILE_RO, .show = show_entropy},
	{"poolsize", FILE_RO, .show = show_entropy},
	{"uuid", FILE_RO, .show = show_uuid},
	{0},
};
static const struct pseudo_entry yama_files[] = {SETTING("ptrace_scope"), {0}};
static const struct pseudo_entry kernel_files[] = {
	{"cap_last_cap", FILE_RO, .show = show_last_cap},
	SETTING("core_pattern"),
	SETTING("core_uses_pid"),
	SETTING("dmesg_restrict"),
	{"domainname", FILE_RO, .show = show_domainname},
	{"hostname", FILE_RO, .show = show_hostname},
	SETTING("kptr_restrict"),
	SETTING("msgmax"),
	SETTING("msgmnb"),
	SETTING("msgmni"),
	{"ngroups_max", FILE_RO, .show = show_ngroups},
	{"osrelease", FILE_RO, .show = show_osrelease},
	{"ostype", FILE_RO, .show = show_ostype},
	{"overflowgid", FILE_RO, .show = show_overflow_id},
	{"overflowuid", FILE_RO, .show = show_overflow_id},
	SETTING("panic"),
	SETTING("perf_event_paranoid"),
	{"pid_max", FILE_RO, .show = show_pid_max},
	SETTING("printk"),
	{"random", DIR_RX, .children = random_files},
	{"randomize_va_space", FILE_RO, .show = show_two},
	SETTING("sched_autogroup_enabled"),
	SETTING("sem"),
	SETTING("shmall"),
	SETTING("shmmax"),
	SETTING("shmmni"),
	{"tainted", FILE_RO, .show = show_zero},
	{"threads-max", FILE_RO, .show = show_threads_max},
	SETTING("unprivileged_bpf_disabled"),
	{"version", FILE_RO, .show = show_version},
	{"yama", DIR_RX, .children = yama_files},
	{0},
};
static const struct pseudo_entry vm_files[] = {
	SETTING("dirty_background_ratio"),
	SETTING("dirty_ratio"),
	SETTING("drop_caches"),
	{"max_map_count", FILE_RO, .show = show_max_map_count},
	{"mmap_min_addr", FILE_RO, .show = show_mmap_min_addr},
	{"nr_hugepages", FILE_RO, .show = show_zero},
	SETTING("overcommit_memory"),
	SETTING("overcommit_ratio"),
	SETTING("panic_on_oom"),
	SETTING("swappiness"),
	SETTING("vfs_cache_pressure"),
	{0},
};
static const struct pseudo_entry inotify_files[] = {
	SETTING("max_queued_events"), SETTING("max_user_instances"), SETTING("max_user_watches"), {0}};
static const struct pseudo_entry mqueue_files[] = {SETTING("msg_default"), SETTING("msg_max"),
                                                   SETTING("msgsize_default"), SETTING("msgsize_max"),
                                                   SETTING("queues_max"), {0}};
static int show_aio_max(struct seq *s, const struct pseudo_ref *ref)
{
	seq_puts(s, "65536\n");
	return 0;
}

static const struct pseudo_entry fs_files[] = {
	{"aio-max-nr", FILE_RO, .show = show_aio_max},
	{"aio-nr", FILE_RO, .show = show_zero},
	{"file-max", FILE_RO, .show = show_file_max},
	{"file-nr", FILE_RO, .show = show_file_nr},
	{"inotify", DIR_RX, .children = inotify_files},
	{"mqueue", DIR_RX, .children = mqueue_files},
	{"nr_open", FILE_RO, .show = show_nr_open},
	{"pipe-max-size", FILE_RO, .show = show_pipe_max},
	SETTING("protected_fifos"),
	SETTING("protected_hardlinks"),
	SETTING("protected_regular"),
	SETTING("protected_symlinks"),
	SETTING("suid_dumpable"),
	{0},
};
static const struct pseudo_entry net_core_files[] = {SETTING("rmem_default"), SETTING("rmem_max"), SETTING("somaxconn"),
                                                     SETTING("wmem_default"), SETTING("wmem_max"), {0}};
static const struct pseudo_entry net_ipv4_files[] = {SETTING("ip_forward"),
                                                     SETTING("ip_local_port_range"),
                                                     SETTING("tcp_congestion_control"),
                                                     SETTING("tcp_fin_timeout"),
                                                     SETTING("tcp_keepalive_time"),
                                                     SETTING("tcp_rmem"),
                                                     SETTING("tcp_syncookies"),
                                                     SETTING("tcp_wmem"),
                                                     {0}};
static const struct pseudo_entry ipv6_all_files[] = {{"disable_ipv6", FILE_RO, .show = show_one}, {0}};
static const struct pseudo_entry ipv6_conf[] = {{"all", DIR_RX, .children = ipv6_all_files}, {0}};
static const struct pseudo_entry net_ipv6_files[] = {{"conf", DIR_RX, .children = ipv6_conf}, {0}};
static const struct pseudo_entry net_unix_files[] = {SETTING("max_dgram_qlen"), {0}};
static const struct pseudo_entry net_files[] = {{"core", DIR_RX, .children = net_core_files},
                                                {"ipv4", DIR_RX, .children = net_ipv4_files},
                                                {"ipv6", DIR_RX, .children = net_ipv6_files},
                                                {"unix", DIR_RX, .children = net_unix_files},
                                                {0}};
static const struct pseudo_entry sys_files[] = {{"fs", DIR_RX, .children = fs_files},
                                                {"kernel", DIR_RX, .children = kernel_files},
                                                {"net", DIR_RX, .children = net_files},
                                                {"user", DIR_RX, .children = proc_sys_user_files},
                                                {"vm", DIR_RX, .children = vm_files},
                                                {0}};

const struct pseudo_entry proc_sys_dir = {"sys", DIR_RX, .children = sys_files};
