// SPDX-License-Identifier: Apache-2.0
/*
 * vmm_run: makes the machine, gives privileges up, starts vCPU 0, and serves events until the sandbox ends.
 *
 * The main thread never enters the Sentry; it is the event loop.
 */
#define _GNU_SOURCE
#include "vmm/vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <unistd.h>

#include "oci/gofer/fsops.h"
#include "vmm/boot_fdt.h"
#include "vmm/clock.h"
#include "vmm/control.h"
#include "vmm/crash.h"
#include "vmm/events.h"
#include "vmm/file_handles.h"
#include "vmm/file_mounts.h"
#include "vmm/file_windows.h"
#include "vmm/image.h"
#include "vmm/io.h"
#include "vmm/memory.h"
#include "vmm/sandbox.h"
#include "vmm/stats.h"
#include "vmm/terminal.h"
#include "vmm/thread.h"
#include "vmm/vcpu.h"
#include "vmm/vmm_impl.h"

struct vmm vmm = { .stop_fd = -1 };

/* Written once, by vmm_fail, before the sandbox stops. */
static char reason[1024];

void vmm_stop(int result)
{
	static _Atomic bool taken;
	uint64_t one = 1;

	if (atomic_exchange(&taken, true))
		return;
	atomic_store(&vmm.result, result);
	atomic_store(&vmm.stopping, true);
	if (write(vmm.stop_fd, &one, sizeof(one)) != sizeof(one))
		_exit(128);
}

void vmm_fail(const char *fmt, ...)
{
	static atomic_flag taken = ATOMIC_FLAG_INIT;
	va_list ap;

	if (atomic_flag_test_and_set(&taken))
		return;
	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	vmm_log(LOG_WARNING, "%s", reason);
	vmm_stop(-EIO);
}

const char *vmm_reason(void)
{
	return *reason ? reason : NULL;
}

/* By name, since it knows the CPUs that have it not. */
static bool has_meltdown(void)
{
	char text[64];
	int fd = open("/sys/devices/system/cpu/vulnerabilities/meltdown", O_RDONLY | O_CLOEXEC);

	vmm_read_text(fd, text, sizeof(text));
	if (fd >= 0)
		close(fd);
	return !strncmp(text, "Mitigation", 10) || !strncmp(text, "Vulnerable", 10);
}

void vmm_look_at_host(struct vmm_config *cfg)
{
	cfg->host_tsc_why = clock_host_tsc();
	cfg->meltdown = has_meltdown();
}

/* Of both placements: the direct map of RAM is in every address space. On ptrace the host's kernel sees to it. */
bool vmm_shows_memory(void) { return vmm.cfg.meltdown && vmm.ops == &platform_kvm; }

static int check_config(void)
{
	const struct vmm_config *c = &vmm.cfg;

	if (!c->nr_cpus || c->nr_cpus > BOOT_VCPU_MAX) {
		vmm_log(LOG_ERR, "the number of CPUs must be between 1 and %d, not %u", BOOT_VCPU_MAX, c->nr_cpus);
		return -EINVAL;
	}
	if (!c->sentry || (strcmp(c->sentry, "guest") && strcmp(c->sentry, "host") && strcmp(c->sentry, "auto"))) {
		vmm_log(LOG_ERR, "the Sentry's place is none of guest, host, auto");
		return -EINVAL;
	}
	if (!strcmp(c->sentry, "guest") && strcmp(c->platform, "kvm")) {
		vmm_log(LOG_ERR, "--sentry=guest needs --platform=kvm");
		return -EINVAL;
	}
	if (!strcmp(c->platform, "kvm")) {
		vmm.ops = &platform_kvm;
	} else if (!strcmp(c->platform, "ptrace")) {
		vmm.ops = &platform_ptrace;
		file_windows_enable();
	} else {
		vmm_log(LOG_ERR, "unknown platform \"%s\"", c->platform);
		return -EINVAL;
	}
	return 0;
}

/* Whoever forced the TSC is told that it is not to be had. */
static void distrust(const char *why)
{
	vcpu_tell_warning("--tsc=trust has no effect: %s, so clocks of the container do without (slower, and right). Where the host's "
			  "kernel distrusts its TSC, its KVM shifts the guest's: see the host's clocksource; tsc=reliable on the "
			  "host's kernel command line makes it trust the TSC too", why);
}

void vmm_tsc_unusable(const char *why)
{
	vmm_log(LOG_WARNING, "clocks go on without the TSC: %s", why);
	clock_stop_tsc(why);
}

/* Each step logs its own failure or leaves it to the caller, who names the step. */
static int make_machine(void)
{
	struct platform_config pc = { .kvm_fd = vmm.cfg.kvm_fd, .nr_vcpus = vmm.cfg.nr_cpus, .sentry = vmm.cfg.sentry };
	int rc = memory_init(vmm.cfg.memory_limit);

	if (rc)
		return rc;
	vmm.shared = (struct boot_shared *)(DIRECT_BASE + BOOT_SHARED_PA);
	rc = image_load();
	if (rc)
		return rc;
	pc.ram_fd = memory_ram_fd();
	pc.image = image_header();
	pc.image_fixup = image_fixup;
	if (!strcmp(vmm.cfg.tsc, "never"))
		vmm.info.tsc_why = "--tsc=never";
	else if (strcmp(vmm.cfg.tsc, "trust"))
		vmm.info.tsc_why = vmm.cfg.host_tsc_why;
	vmm.info.tsc_ok = !vmm.info.tsc_why;
	rc = vmm.ops->init(&pc, &vmm.info);
	if (vmm.cfg.kvm_fd >= 0)
		close(vmm.cfg.kvm_fd); /* one machine is enough */
	if (rc == -ENOTSUP && *vmm.info.placement_why) {
		vmm_fail("--sentry=guest: the Sentry cannot run in the guest here: %s. Use --sentry=auto or host",
			 vmm.info.placement_why);
		return rc;
	}
	if (!rc)
		rc = memory_attach_platform();
	if (rc) {
		vmm_log(LOG_ERR, "the %s platform cannot start: %s", vmm.ops->name, strerror(-rc));
		return rc;
	}
	vmm_log(LOG_DEBUG, "placement: %s%s%s", vmm.info.guest ? "guest" : "host", *vmm.info.placement_why ? ": " : "",
		vmm.info.placement_why);
	if (vmm_shows_memory())
		vmm_log(LOG_DEBUG, "the CPU has Meltdown: processes of the container can read each other's memory");
	if (!strcmp(vmm.cfg.tsc, "trust") && vmm.info.tsc_why)
		distrust(vmm.info.tsc_why);
	clock_start(vmm.info.tsc_why, vmm.info.tsc_khz);
	rc = boot_fdt_write();
	return rc ? rc : vcpu_init_all(vmm.cfg.nr_cpus);
}

static int start(void)
{
	struct seccomp_config sc = { 0 };
	int rc = check_config();

	if (rc)
		return rc;
	sc = (struct seccomp_config){ .ptrace = vmm.ops == &platform_ptrace, .directfs = vmm.cfg.directfs,
		.host_network = vmm.cfg.host_network };
	vmm.pid = getpid();
	/* One heap for all threads: more would need mprotect, and memory. */
	mallopt(M_ARENA_MAX, 1);
	fsops_init();
	file_fds_init();
	vmm.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = vmm.stop_fd < 0 ? -errno : crash_init();
	/* From now on there is a handler, which puts the terminal back. */
	if (!rc && vmm.cfg.foreground && prctl(PR_SET_PDEATHSIG, PARENT_DEATH_SIGNAL))
		rc = -errno;
	if (!rc)
		rc = events_init();
	if (!rc)
		rc = make_machine();
	if (!rc)
		rc = io_init(vmm.cfg.io_fd, vmm.cfg.io_own, vmm.cfg.nr_io);
	if (!rc)
		rc = control_init(vmm.cfg.control_fd);
	if (!rc)
		rc = file_mounts_init();
	if (!rc && vmm.cfg.gofer_fd >= 0)
		rc = events_watch_gofer(vmm.cfg.gofer_fd);
	if (!rc)
		rc = sandbox_drop_privileges(vmm.cfg.directfs, vmm.cfg.host_network);
	if (!rc)
		rc = thread_init();
	/* Deadlines of the Sentry are the application's: do not batch them. Later threads inherit this. */
	prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
	if (!rc)
		sc.guest = vmm.info.guest;
	if (!rc)
		rc = seccomp_install(&sc);
	return rc ? rc : vcpu_start(0);
}

int vmm_run(const struct vmm_config *cfg)
{
	int rc;

	vmm.cfg = *cfg;
	log_init(cfg->debug_log_fd, cfg->debug || cfg->strace);
	rc = start();
	if (rc) {
		terminal_restore();
		vmm_log(LOG_INFO, "cannot start the sandbox: %s", strerror(-rc)); /* the reason was logged, the caller reports */
		return rc;
	}
	events_run();
	vcpu_kick_all(); /* they see that the sandbox ends, and park */
	stats_log();
	terminal_restore();
	vmm.ops->shutdown();
	return atomic_load(&vmm.result);
}
