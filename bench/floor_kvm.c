// SPDX-License-Identifier: Apache-2.0
/*
 * What a trap costs at least on this KVM: a system call of ring 3 that leaves the VM, and KVM_RUN straight back into ring 3,
 * registers through KVM_SYNC_REGS, nothing in between. Prints microseconds, the best of 25 rounds. Exit status 77: no
 * usable /dev/kvm.
 *
 * The VM, its tables and its trampoline are made by platform/kvm; the measured loop is not its.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "platform/kvm/kvm_impl.h"

#define ROUNDS 25
#define TRAPS  400
#define CODE_VA 0x400000UL
#define ENTRY   (1UL | 4UL | 0x20UL) /* present, user, accessed */

bool vmm_debug;
void vmm_tsc_unusable(const char *why) {}
void vmm_log(int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int vmm_memory_backing(uint64_t pa, int *fd, uint64_t *offset, uint64_t *len, int *prot) { return -1; }

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t *table(uint64_t pa) { return (uint64_t *)(DIRECT_BASE + pa); }

/* Page tables with one page of code: syscall in a loop. */
static uint64_t make_space(const struct platform_info *info)
{
	static const uint8_t loop[] = { 0x0f, 0x05, 0xeb, 0xfc };
	uint64_t pa = BOOT_RESERVED_END;

	memcpy(table(pa) + WINDOW_PML4_FIRST, info->kernel_pml4, sizeof(info->kernel_pml4));
	table(pa)[0] = (pa + PAGE_SIZE) | ENTRY;
	table(pa + PAGE_SIZE)[0] = (pa + 2 * PAGE_SIZE) | ENTRY;
	table(pa + 2 * PAGE_SIZE)[CODE_VA >> 21] = (pa + 3 * PAGE_SIZE) | ENTRY;
	table(pa + 3 * PAGE_SIZE)[0] = (pa + 4 * PAGE_SIZE) | ENTRY;
	memcpy(table(pa + 4 * PAGE_SIZE), loop, sizeof(loop));
	return pa;
}

static int one_trap(struct platform_vcpu *pv, uint64_t cr3)
{
	struct kvm_run *run = pv->run;

	run->s.regs.sregs = pv->user_sregs;
	run->s.regs.sregs.cr3 = cr3;
	run->s.regs.regs.rip = CODE_VA;
	run->s.regs.regs.rflags = 0x202;
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	if (ioctl(pv->fd, KVM_RUN, 0) || run->exit_reason != KVM_EXIT_IO) {
		fprintf(stderr, "KVM_RUN: exit %u\n", run->exit_reason);
		return -1;
	}
	return 0;
}

int main(void)
{
	struct platform_config config = { .kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), .nr_vcpus = 1 };
	struct vcpu *shared = (struct vcpu *)(DIRECT_BASE + BOOT_VCPU_PA);
	struct platform_info info = { 0 };
	struct platform_vcpu *pv;
	double best = 1e9, t;
	uint64_t cr3;

	if (config.kvm_fd < 0)
		return 77;
	config.ram_fd = memfd_create("ram", MFD_CLOEXEC);
	if (ftruncate(config.ram_fd, RAM_CHUNK_SIZE) || mmap((void *)DIRECT_BASE, RAM_CHUNK_SIZE, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_FIXED_NOREPLACE, config.ram_fd, 0) == MAP_FAILED)
		return 1;
	if (platform_kvm.init(&config, &info) || platform_kvm.add_memory(0, RAM_CHUNK_SIZE) ||
	    platform_kvm.vcpu_init(0, shared, &pv))
		return 1;
	cr3 = make_space(&info);
	for (int r = 0; r < ROUNDS; r++) {
		double t0 = now();
		for (int i = 0; i < TRAPS; i++)
			if (one_trap(pv, cr3))
				return 1;
		t = (now() - t0) / TRAPS;
		best = t < best ? t : best;
	}
	printf("%.3f\n", best * 1e6);
	return 0;
}
