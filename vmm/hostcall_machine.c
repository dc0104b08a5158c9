// SPDX-License-Identifier: Apache-2.0
/* Hostcalls of the machine family: time, kicks, memory, the end of the sandbox. */
#define _GNU_SOURCE
#include "vmm/hostcall.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "oci/gofer/proto.h"
#include "vmm/clock.h"
#include "vmm/crash.h"
#include "vmm/memory.h"
#include "vmm/preempt.h"
#include "vmm/stats.h"
#include "vmm/vcpu.h"
#include "vmm/vmm_impl.h"

#define TEXT_MAX 900 /* of a log line or panic message */

int64_t hc_IDLE(struct vmm_vcpu *v, const uint64_t a[6])
{
	vcpu_idle(v, a[0]);
	clock_refresh();
	return 0;
}

int64_t hc_KICK(struct vmm_vcpu *v, const uint64_t a[6])
{
	if (a[0] >= vmm.cfg.nr_cpus)
		return -EINVAL;
	vcpu_kick(a[0]);
	return 0;
}

int64_t hc_TIMER(struct vmm_vcpu *v, const uint64_t a[6])
{
	clock_refresh();
	return vcpu_set_timer(v, a[0]);
}

int64_t hc_WATCH(struct vmm_vcpu *v, const uint64_t a[6])
{
	return preempt_watch();
}

int64_t hc_YIELD(struct vmm_vcpu *v, const uint64_t a[6])
{
	sched_yield();
	return 0;
}

/* Text of the Sentry, copied and made printable: it may quote an application. */
static int copy_text(char *dst, uint64_t addr, uint64_t len)
{
	if (len > TEXT_MAX)
		len = TEXT_MAX;
	if (hc_copy_in(dst, addr, len))
		return -EFAULT;
	for (uint64_t i = 0; i < len; i++)
		if (!isprint((unsigned char)dst[i]) && dst[i] != '\n' && dst[i] != '\t' && !(dst[i] & 0x80))
			dst[i] = '?';
	while (len && dst[len - 1] == '\n')
		len--;
	dst[len] = 0;
	return 0;
}

int64_t hc_EXIT(struct vmm_vcpu *v, const uint64_t a[6])
{
	char text[TEXT_MAX + 1];

	if (a[2] && !copy_text(text, a[1], a[2]))
		vcpu_tell_refused(text);
	vmm_stop(a[0] & 0xffff);
	return 0;
}

int64_t hc_CREATED(struct vmm_vcpu *v, const uint64_t a[6])
{
	vcpu_tell_ready();
	if (!a[0])
		stats_held();
	else if (vmm.info.guest && !stats_application_runs()) {
		stats_application_entered();
		stats_application_began();
	}
	return 0;
}

/* The gofer does it, in some milliseconds. */
int64_t hc_OOM_EVENT(struct vmm_vcpu *v, const uint64_t a[6])
{
	unsigned long long size, resident;
	char text[128];

	vmm_read_text(vmm.cfg.statm_fd, text, sizeof(text));
	if (vmm.cfg.gofer_fd < 0 || sscanf(text, "%llu %llu", &size, &resident) != 2)
		return -EOPNOTSUPP;
	return gofer_oom(vmm.cfg.gofer_fd, resident * PAGE_SIZE);
}

int64_t hc_PANIC(struct vmm_vcpu *v, const uint64_t a[6])
{
	char text[TEXT_MAX + 1];

	if (copy_text(text, a[0], a[1]))
		strcpy(text, "(no message)");
	vmm_log(LOG_CRIT, "the Sentry panicked on vCPU %u: %s", v->id, text);
	crash_backtrace(0, v->sentry_rbp);
	vmm_fail("the Sentry panicked: %s", text);
	return 0;
}

int64_t hc_LOG(struct vmm_vcpu *v, const uint64_t a[6])
{
	char text[TEXT_MAX + 1];

	if (a[0] > LOG_DEBUG)
		return -EINVAL;
	if (copy_text(text, a[1], a[2]))
		return -EFAULT;
	vmm_log(a[0], "[%u] %s", v->id, text);
	return 0;
}

int64_t hc_CLOCK(struct vmm_vcpu *v, const uint64_t a[6])
{
	if (a[0] != CLOCK_REALTIME && a[0] != CLOCK_MONOTONIC && a[0] != CLOCK_BOOTTIME)
		return -EINVAL;
	return clock_read(a[0]);
}

int64_t hc_ENTROPY(struct vmm_vcpu *v, const uint64_t a[6])
{
	uint8_t buf[256];
	int64_t rc;

	if (a[1] > sizeof(buf))
		return -EINVAL;
	if (getrandom(buf, a[1], 0) != (ssize_t)a[1])
		return -EIO;
	rc = hc_copy_out(a[0], buf, a[1]);
	explicit_bzero(buf, sizeof(buf));
	return rc;
}

int64_t hc_VCPU_START(struct vmm_vcpu *v, const uint64_t a[6])
{
	return a[0] < vmm.cfg.nr_cpus ? vcpu_start(a[0]) : -EINVAL;
}

int64_t hc_RAM_GROW(struct vmm_vcpu *v, const uint64_t a[6]) { return memory_grow(a[0]); }
int64_t hc_RAM_POPULATE(struct vmm_vcpu *v, const uint64_t a[6]) { return memory_populate(a[0], a[1]); }
int64_t hc_RAM_RECLAIM(struct vmm_vcpu *v, const uint64_t a[6]) { return memory_reclaim(a[0], a[1]); }

int64_t hc_STACK_GUARD(struct vmm_vcpu *v, const uint64_t a[6])
{
	/* The boot data and the other vCPUs' structures stay accessible. In guest placement the Sentry's own tables do it, and
	 * what hostcalls name must be there. */
	if (vmm.info.guest || a[0] < BOOT_STACK_PA)
		return -EINVAL;
	return memory_guard(a[0], a[1] != 0);
}
