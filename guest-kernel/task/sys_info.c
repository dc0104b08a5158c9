// SPDX-License-Identifier: Apache-2.0
/* What the system says of itself: uname, sysinfo, host name, kernel log, random bytes, reboot. */
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>

#include "fs/proc/proc.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/random.h"
#include "task/task.h"
#include "task/user_ns.h"
#include "task/version.h"

#define PER_LINUX32 0x0008 /* sys/personality.h */

static spinlock_t uts_lock = SPINLOCK_INIT; /* the names of every uts namespace */

int64_t sys_uname(const struct sysargs *a)
{
	struct new_utsname u = {0};
	strlcpy(u.sysname, "Linux", sizeof(u.sysname));
	strlcpy(u.release, SENTRY_RELEASE, sizeof(u.release));
	strlcpy(u.version, SENTRY_BUILD_VERSION, sizeof(u.version));
	/* personality(2): what 32-bit programs are built by. */
	strlcpy(u.machine, (current->personality & 0xff) == PER_LINUX32 ? "i686" : "x86_64", sizeof(u.machine));
	spin_lock(&uts_lock);
	const struct uts_ns *ns = current->nsproxy->uts;
	strlcpy(u.nodename, ns->nodename, sizeof(u.nodename));
	strlcpy(u.domainname, ns->domainname[0] ? ns->domainname : "(none)", sizeof(u.domainname));
	spin_unlock(&uts_lock);
	return copy_out_struct(arg_uva(a, 0), &u);
}

static int64_t set_uts(char field[65], const struct sysargs *a)
{
	char text[65] = {0};
	int len = arg_int(a, 1);
	if (!ns_capable(current->nsproxy->uts->ns.user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > 64)
		return -EINVAL;
	if (copy_in(text, arg_uva(a, 0), (size_t)len))
		return -EFAULT;
	spin_lock(&uts_lock);
	memcpy(field, text, sizeof(text));
	spin_unlock(&uts_lock);
	return 0;
}

int64_t sys_sethostname(const struct sysargs *a)
{
	return set_uts(current->nsproxy->uts->nodename, a);
}

int64_t sys_setdomainname(const struct sysargs *a)
{
	return set_uts(current->nsproxy->uts->domainname, a);
}

int64_t sys_sysinfo(const struct sysargs *a)
{
	struct page_stats st;
	uint64_t load[3];
	page_stats(&st);
	sched_loadavg(load);
	uint64_t used = st.total - st.free, total = st.limit;
	struct sysinfo s = {.uptime = (int64_t)(clock_since_start() / 1000000000), .totalram = total,
	                    .freeram = total > used ? total - used : 0, .sharedram = st.cache,
	                    .procs = (uint16_t)MIN(READ_ONCE(container0.nr_tasks), 65535u), .mem_unit = PAGE_SIZE};
	for (int i = 0; i < 3; i++)
		s.loads[i] = load[i] << (SI_LOAD_SHIFT - 11);
	return copy_out_struct(arg_uva(a, 0), &s);
}

int64_t sys_getrandom(const struct sysargs *a)
{
	uva_t buf = arg_uva(a, 0);
	uint64_t len = MIN(arg_u64(a, 1), 0x1ffffffUL), done = 0;
	uint32_t flags = arg_u32(a, 2);
	if (flags & ~(uint32_t)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	while (done < len) {
		uint8_t bytes[256];
		size_t n = MIN(len - done, sizeof(bytes));
		random_bytes(bytes, n);
		size_t got = copy_out_partial(uva_add(buf, done), bytes, n);
		done += got;
		if (got < n)
			return done ? (int64_t)done : -EFAULT;
		if (signal_pending(current) && done < len && done >= 256)
			break;
		cond_resched();
	}
	return (int64_t)done;
}

/* ---- syslog(2) ---- */

enum { LOG_CLOSE, LOG_OPEN, LOG_READ, LOG_READ_ALL, LOG_READ_CLEAR, LOG_CLEAR, LOG_CONSOLE_OFF, LOG_CONSOLE_ON,
       LOG_CONSOLE_LEVEL, LOG_SIZE_UNREAD, LOG_SIZE_BUFFER };

#define LOG_BUFFER_SIZE (1 << 17)

static int64_t read_log(uva_t buf, int len)
{
	if (!buf.v || len < 0)
		return -EINVAL;
	size_t n = MIN((size_t)len, log_size());
	if (!n)
		return 0;
	char *text = kmalloc(n);
	if (!text)
		return -ENOMEM;
	n = log_read_all(text, n);
	int64_t r = copy_out(buf, text, n) ? -EFAULT : (int64_t)n;
	kfree(text);
	return r;
}

int64_t sys_syslog(const struct sysargs *a)
{
	int op = arg_int(a, 0), len = arg_int(a, 2);
	int64_t r;
	bool open = (op == LOG_READ_ALL || op == LOG_SIZE_BUFFER) && !proc_sys_value("dmesg_restrict");
	if (!open && !capable(CAP_SYSLOG) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch (op) {
	case LOG_CLOSE:
	case LOG_OPEN:
	case LOG_CONSOLE_OFF:
	case LOG_CONSOLE_ON:
		return 0;
	case LOG_READ:
	case LOG_READ_ALL:
		return read_log(arg_uva(a, 1), len);
	case LOG_READ_CLEAR:
		r = read_log(arg_uva(a, 1), len);
		if (r >= 0)
			log_clear();
		return r;
	case LOG_CLEAR:
		log_clear();
		return 0;
	case LOG_CONSOLE_LEVEL:
		return len >= 1 && len <= 8 ? 0 : -EINVAL;
	case LOG_SIZE_UNREAD:
		return (int64_t)log_size();
	case LOG_SIZE_BUFFER:
		return LOG_BUFFER_SIZE;
	}
	return -EINVAL;
}

/* In a container, power-off ends it as signals to its init do (reboot(2), "Behavior inside PID namespaces"). */
int64_t sys_reboot(const struct sysargs *a)
{
	uint32_t magic1 = arg_u32(a, 0), magic2 = arg_u32(a, 1), cmd = arg_u32(a, 2);
	struct pid_ns *ns = current->proc->pid_ns;
	if (!ns_capable(ns->ns.user_ns, CAP_SYS_BOOT))
		return -EPERM;
	if (magic1 != LINUX_REBOOT_MAGIC1 || (magic2 != LINUX_REBOOT_MAGIC2 && magic2 != LINUX_REBOOT_MAGIC2A &&
	                                      magic2 != LINUX_REBOOT_MAGIC2B && magic2 != LINUX_REBOOT_MAGIC2C))
		return -EINVAL;
	int signo;
	switch (cmd) {
	case LINUX_REBOOT_CMD_CAD_ON:
	case LINUX_REBOOT_CMD_CAD_OFF:
		return 0;
	case LINUX_REBOOT_CMD_RESTART:
	case LINUX_REBOOT_CMD_RESTART2:
		signo = SIGHUP;
		break;
	case LINUX_REBOOT_CMD_HALT:
	case LINUX_REBOOT_CMD_POWER_OFF:
		signo = SIGINT;
		break;
	default:
		return -EINVAL;
	}
	if (current->proc->vpid == 1)
		task_exit_group(signo);
	/* Its parent sees the signal, not the SIGKILL that ends it. */
	siginfo_t si;
	siginfo_kernel(&si, SIGKILL);
	spin_lock(&tasklist_lock);
	if (ns->init && !ns->init->zombie) {
		ns->init->reboot_signal = signo;
		(void)signal_send_process_locked(ns->init, &si);
	}
	spin_unlock(&tasklist_lock);
	return 0;
}
