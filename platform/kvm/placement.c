// SPDX-License-Identifier: Apache-2.0
/*
 * Where the Sentry is to run. In the guest, unless this KVM emulates ring 0, which two looks into the new VM tell:
 *
 *   - a SYSCALL of ring 3 must enter ring 0; a software KVM stays in ring 3 and faults at LSTAR instead;
 *   - 200 instructions of ring 0 must not take as long as emulating them would.
 *
 * Costs two or three visits to the guest.
 */
#include "platform/kvm/kvm_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <syslog.h>
#include <time.h>

#define PROBE_VA  0x1000UL
#define PTE_USER  0x27UL /* P W U A */
#define TRIES     3
#define SLOW_NS   20000 /* for 200 instructions: hardware takes less than one microsecond, an emulator a hundred */
#define KHZ_GUESS 2000000UL

/* One page of ring 3 that holds a SYSCALL. */
static uint64_t build_probe(void)
{
	static const uint8_t code[] = { 0x0f, 0x05, 0x0f, 0x0b }; /* syscall; ud2 */

	memcpy(tramp_page(TRAMP_PG_PROBE), tramp_page(TRAMP_PG_PML4), PAGE_SIZE);
	for (unsigned i = 0; i < 3; i++)
		((uint64_t *)tramp_page(TRAMP_PG_PROBE + i))[0] = tramp_pa(TRAMP_PG_PROBE + i + 1) | PTE_USER;
	((uint64_t *)tramp_page(TRAMP_PG_PROBE + 3))[PROBE_VA >> 12] = tramp_pa(TRAMP_PG_PROBE + 4) | PTE_USER;
	memcpy(tramp_page(TRAMP_PG_PROBE + 4), code, sizeof(code));
	return tramp_pa(TRAMP_PG_PROBE);
}

/* 1: SYSCALL enters ring 0, 0: it does not, or -errno. */
static int syscall_enters_ring0(struct platform_vcpu *pv)
{
	struct kvm_run *run = pv->run;

	memset(&run->s.regs.regs, 0, sizeof(run->s.regs.regs));
	run->s.regs.regs.rip = PROBE_VA;
	run->s.regs.regs.rsp = PROBE_VA + PAGE_SIZE;
	run->s.regs.regs.rflags = 2;
	run->s.regs.sregs = pv->user_sregs;
	run->s.regs.sregs.cr3 = build_probe();
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	while (ioctl(pv->fd, KVM_RUN, 0)) {
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
		run->immediate_exit = 0;
	}
	kvm_count_exit(pv, run->exit_reason);
	return run->exit_reason == KVM_EXIT_IO && run->io.port == PORT_SYSCALL && !(run->s.regs.sregs.cs.selector & 3);
}

/* The best of a few tries, in nanoseconds, or -errno. */
static int64_t time_ring0(struct platform_vcpu *pv)
{
	uint64_t khz, best = ~0UL;
	int rc = ioctl(pv->fd, KVM_GET_TSC_KHZ, 0);

	khz = rc > 0 ? (uint64_t)rc : KHZ_GUESS;
	for (int i = 0; i < TRIES && best > SLOW_NS; i++) {
		uint64_t ns;

		rc = kvm_vcpu_run_op(pv, tramp_sym(tramp_op_time), tramp_pa(TRAMP_PG_PML4), 0, 0);
		if (rc)
			return rc;
		ns = (pv->run->s.regs.regs.rax & 0xffffffff) * 1000000 / khz;
		if (ns < best)
			best = ns;
	}
	return (int64_t)best;
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000UL + ts.tv_nsec;
}

static int look(struct platform_vcpu *pv, struct platform_info *info)
{
	int64_t ns;
	int rc;

	if (ioctl(kvm.vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM) <= 0) {
		snprintf(info->placement_why, sizeof(info->placement_why), "this KVM has no read-only memory slots");
		return 0;
	}
	info->first_run_ns = now();
	rc = syscall_enters_ring0(pv);
	if (rc < 0)
		return rc;
	if (!rc) {
		snprintf(info->placement_why, sizeof(info->placement_why), "this KVM emulates ring 0 (SYSCALL stays in ring 3)");
		return 0;
	}
	ns = time_ring0(pv);
	if (ns < 0)
		return ns;
	snprintf(info->placement_why, sizeof(info->placement_why), "200 instructions of ring 0 take %ld ns%s", (long)ns,
		 ns > SLOW_NS ? ": they are emulated" : "");
	return ns <= SLOW_NS;
}

int kvm_placement_choose(const struct platform_config *cfg, struct platform_info *info)
{
	int rc;

	if (!cfg->sentry || !cfg->image || !strcmp(cfg->sentry, "host")) {
		snprintf(info->placement_why, sizeof(info->placement_why), "--sentry=host");
		return 0;
	}
	rc = look(kvm.vcpu[0], info);
	if (rc < 0)
		return rc;
	if (!rc && !strcmp(cfg->sentry, "guest"))
		return -ENOTSUP;
	info->guest = kvm.guest = rc;
	return 0;
}
