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

/* A setting kept for its readers: a text, or one to four numbers. value is protected by the lock, the rest is immutable. */
struct setting {
	const char *name;
	char value[64];
	int64_t min;
	uint64_t max;
	bool text;
};

#define NUMBERS_MAX 4

static spinlock_t settings_lock = SPINLOCK_INIT; /* protects all values below */

static struct setting settings[] = {
	{"core_pattern", "core", .text = true},
	{"core_uses_pid", "0", INT32_MIN, INT32_MAX},
	{"dmesg_restrict", "0", 0, 1},
	{"kptr_restrict", "1", 0, 2},
	{"msgmax", "8192", 0, INT32_MAX},
	{"msgmnb", "16384", 0, INT32_MAX},
	{"msgmni", "32000", 0, 32768},
	{"panic", "0", INT32_MIN, INT32_MAX},
	{"perf_event_paranoid", "4", -1, INT32_MAX},
	{"printk", "4\t4\t1\t7", INT32_MIN, INT32_MAX},
	{"sem", "32000\t1024000000\t500\t32000", INT32_MIN, INT32_MAX},
	{"shmall", "18446744073692774399", 0, UINT64_MAX},
	{"shmmax", "18446744073692774399", 0, UINT64_MAX},
	{"shmmni", "4096", 0, 32768},
	{"sched_autogroup_enabled", "0", 0, 1},
	{"unprivileged_bpf_disabled", "2", 0, 2},
	{"dirty_background_ratio", "10", 0, 100},
	{"dirty_ratio", "20", 0, 100},
	{"overcommit_memory", "0", 0, 2},
	{"overcommit_ratio", "50", 0, INT32_MAX},
	{"panic_on_oom", "0", 0, 2},
	{"swappiness", "60", 0, 200},
	{"vfs_cache_pressure", "100", 0, INT32_MAX},
	{"drop_caches", "0", 0, 4},
	{"protected_hardlinks", "1", 0, 1},
	{"protected_symlinks", "1", 0, 1},
	{"protected_fifos", "0", 0, 2},
	{"protected_regular", "0", 0, 2},
	{"suid_dumpable", "0", 0, 2},
	{"somaxconn", "4096", 0, INT32_MAX},
	{"ip_local_port_range", "32768\t60999", 1, 65535},
	{"ip_unprivileged_port_start", "1024", 0, 65535},
	{"tcp_fin_timeout", "60", INT32_MIN, INT32_MAX},
	{"tcp_keepalive_time", "7200", INT32_MIN, INT32_MAX},
	{"tcp_syncookies", "1", 0, 2},
	{"ip_forward", "0", INT32_MIN, INT32_MAX},
	{"rmem_max", "212992", 1, INT32_MAX},
	{"wmem_max", "212992", 1, INT32_MAX},
	{"rmem_default", "212992", 1, INT32_MAX},
	{"wmem_default", "212992", 1, INT32_MAX},
	{"tcp_rmem", "4096\t131072\t6291456", 1, INT32_MAX},
	{"tcp_wmem", "4096\t16384\t4194304", 1, INT32_MAX},
	{"tcp_congestion_control", "cubic", .text = true},
	{"max_dgram_qlen", "512", INT32_MIN, INT32_MAX},
	{"queues_max", "256", INT32_MIN, INT32_MAX},
	{"msg_max", "10", 1, 65536},
	{"msg_default", "10", 1, 65536},
	{"msgsize_max", "8192", 128, 16777216},
	{"msgsize_default", "8192", 128, 16777216},
	{"max_user_instances", "128", 0, INT32_MAX},
	{"max_user_watches", "65536", 0, INT32_MAX},
	{"max_queued_events", "16384", 0, INT32_MAX},
	{"yama_ptrace_scope", "0", 0, 3},
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

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
}

ssize_t_ proc_sys_number(const char *text, size_t len, bool *negative, uint64_t *out)
{
	size_t i = 0, first;
	unsigned base = 10;
	uint64_t v = 0;

	while (i < len && is_blank(text[i]))
		i++;
	*negative = i < len && text[i] == '-';
	i += *negative;
	if (i + 1 < len && text[i] == '0') {
		base = (text[i + 1] | 0x20) == 'x' ? 16 : 8;
		i += base == 16 ? 2 : 0;
	}
	for (first = i; i < len && digit_of(text[i]) < base; i++)
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit_of(text[i]), &v))
			return -EINVAL;
	if (i == first || (i < len && !is_blank(text[i])))
		return -EINVAL;
	while (i < len && is_blank(text[i]))
		i++;
	*out = v;
	return (ssize_t_)i;
}

static ssize_t_ text_setting_store(struct setting *x, char *text, size_t len)
{
	size_t n = len;

	while (n && is_blank(text[n - 1]))
		text[--n] = '\0';
	if (n >= sizeof(x->value))
		return -EINVAL;
	spin_lock(&settings_lock);
	memcpy(x->value, text, n + 1);
	spin_unlock(&settings_lock);
	return (ssize_t_)len;
}

static bool in_range(const struct setting *x, bool negative, uint64_t v)
{
	if (negative)
		return v <= INT64_MAX && -(int64_t)v >= x->min;
	return v <= x->max && (x->min <= 0 || v >= (uint64_t)x->min);
}

/* Fewer numbers than there are leave the others as they were, more are not looked at. */
static ssize_t_ setting_store(const struct pseudo_ref *ref, char *text, size_t len)
{
	struct setting *x = setting_of(ref);
	struct {
		bool negative;
		uint64_t v;
	} now[NUMBERS_MAX];
	size_t have = 0, taken = 0;
	char value[sizeof(x->value)] = "";
	int at = 0;
	ssize_t_ n;

	if (!x)
		return -EINVAL;
	if (x->text)
		return text_setting_store(x, text, len);
	spin_lock(&settings_lock);
	size_t stored = strlen(x->value), done = 0;
	for (; have < NUMBERS_MAX && done < stored; have++, done += (size_t)n) {
		n = proc_sys_number(x->value + done, stored - done, &now[have].negative, &now[have].v);
		if (n < 0)
			break;
	}
	for (size_t i = 0; i < have && (!i || taken < len); i++, taken += (size_t)n) {
		n = proc_sys_number(text + taken, len - taken, &now[i].negative, &now[i].v);
		if (n < 0 || !in_range(x, now[i].negative, now[i].v))
			goto invalid;
	}
	for (size_t i = 0; i < have; i++) {
		at += snprintf(value + at, sizeof(value) - (size_t)at, "%s%s%lu", i ? "\t" : "", now[i].negative ? "-" : "", now[i].v);
		if (at >= (int)sizeof(value))
			goto invalid;
	}
	memcpy(x->value, value, sizeof(value));
	spin_unlock(&settings_lock);
	return (ssize_t_)taken;
invalid:
	spin_unlock(&settings_lock);
	return -EINVAL;
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

#define SETTING(n) {n, FILE_RW, .sysctl = true, .show = setting_show, .store = setting_store}

static const struct pseudo_entry random_files[] = {
	{"boot_id", FILE_RO, .sysctl = true, .show = show_boot_id},
	{"entropy_avail", FILE_RO, .sysctl = true, .show = show_entropy},
	{"poolsize", FILE_RO, .sysctl = true, .show = show_entropy},
	{"uuid", FILE_RO, .sysctl = true, .show = show_uuid},
	{0},
};
static const struct pseudo_entry yama_files[] = {SETTING("ptrace_scope"), {0}};
static const struct pseudo_entry kernel_files[] = {
	{"cap_last_cap", FILE_RO, .sysctl = true, .show = show_last_cap},
	SETTING("core_pattern"),
	SETTING("core_uses_pid"),
	SETTING("dmesg_restrict"),
	{"domainname", FILE_RO, .sysctl = true, .show = show_domainname},
	{"hostname", FILE_RO, .sysctl = true, .show = show_hostname},
	SETTING("kptr_restrict"),
	SETTING("msgmax"),
	SETTING("msgmnb"),
	SETTING("msgmni"),
	{"ngroups_max", FILE_RO, .sysctl = true, .show = show_ngroups},
	{"osrelease", FILE_RO, .sysctl = true, .show = show_osrelease},
	{"ostype", FILE_RO, .sysctl = true, .show = show_ostype},
	{"overflowgid", FILE_RO, .sysctl = true, .show = show_overflow_id},
	{"overflowuid", FILE_RO, .sysctl = true, .show = show_overflow_id},
	SETTING("panic"),
	SETTING("perf_event_paranoid"),
	{"pid_max", FILE_RO, .sysctl = true, .show = show_pid_max},
	SETTING("printk"),
	{"random", DIR_RX, .children = random_files},
	{"randomize_va_space", FILE_RO, .sysctl = true, .show = show_two},
	SETTING("sched_autogroup_enabled"),
	SETTING("sem"),
	SETTING("shmall"),
	SETTING("shmmax"),
	SETTING("shmmni"),
	{"tainted", FILE_RO, .sysctl = true, .show = show_zero},
	{"threads-max", FILE_RO, .sysctl = true, .show = show_threads_max},
	SETTING("unprivileged_bpf_disabled"),
	{"version", FILE_RO, .sysctl = true, .show = show_version},
	{"yama", DIR_RX, .children = yama_files},
	{0},
};
static const struct pseudo_entry vm_files[] = {
	SETTING("dirty_background_ratio"),
	SETTING("dirty_ratio"),
	SETTING("drop_caches"),
	{"max_map_count", FILE_RO, .sysctl = true, .show = show_max_map_count},
	{"mmap_min_addr", FILE_RO, .sysctl = true, .show = show_mmap_min_addr},
	{"nr_hugepages", FILE_RO, .sysctl = true, .show = show_zero},
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
	{"aio-max-nr", FILE_RO, .sysctl = true, .show = show_aio_max},
	{"aio-nr", FILE_RO, .sysctl = true, .show = show_zero},
	{"file-max", FILE_RO, .sysctl = true, .show = show_file_max},
	{"file-nr", FILE_RO, .sysctl = true, .show = show_file_nr},
	{"inotify", DIR_RX, .children = inotify_files},
	{"mqueue", DIR_RX, .children = mqueue_files},
	{"nr_open", FILE_RO, .sysctl = true, .show = show_nr_open},
	{"pipe-max-size", FILE_RO, .sysctl = true, .show = show_pipe_max},
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
                                                     SETTING("ip_unprivileged_port_start"),
                                                     SETTING("tcp_congestion_control"),
                                                     SETTING("tcp_fin_timeout"),
                                                     SETTING("tcp_keepalive_time"),
                                                     SETTING("tcp_rmem"),
                                                     SETTING("tcp_syncookies"),
                                                     SETTING("tcp_wmem"),
                                                     {0}};
static const struct pseudo_entry ipv6_all_files[] = {{"disable_ipv6", FILE_RO, .sysctl = true, .show = show_one}, {0}};
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
