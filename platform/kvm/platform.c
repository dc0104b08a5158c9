// SPDX-License-Identifier: Apache-2.0
/* The KVM platform: probing, start, and the table of functions. */
#include "platform/kvm/kvm_impl.h"

#include <asm/hwcap2.h>
#include <cpuid.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

struct kvm_vm kvm = { .kvm_fd = -1, .vm_fd = -1 };

/* Of the host: a KVM with nested paging takes memory slots below that, and a page table names nothing above it. */
static unsigned physical_bits(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(0x80000008, &a, &b, &c, &d) ? a & 0xff : 36;
}

int platform_kvm_probe(int kvm_fd, const char **why)
{
	static const struct {
		int cap, least;
		const char *why;
	} needs[] = {
		{ KVM_CAP_SYNC_REGS, KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS, "the host's KVM cannot share registers (KVM_CAP_SYNC_REGS)" },
		{ KVM_CAP_IMMEDIATE_EXIT, 1, "the host's KVM is too old (KVM_CAP_IMMEDIATE_EXIT)" },
		{ KVM_CAP_XSAVE, 1, "the host's KVM cannot save FPU state (KVM_CAP_XSAVE)" },
		{ KVM_CAP_SYNC_MMU, 1, "the host's KVM does not follow changes of host memory (KVM_CAP_SYNC_MMU)" },
	};

	if (kvm_fd < 0) {
		*why = "/dev/kvm cannot be opened: load the kvm modules, or give this user access to it";
		return -ENODEV;
	}
	if (ioctl(kvm_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		*why = "/dev/kvm is not a KVM device of API version 12";
		return -ENODEV;
	}
	if (physical_bits() < GUEST_PA_BITS) {
		*why = "the CPU's physical addresses have less than 39 bits";
		return -ENOTSUP;
	}
	for (unsigned i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		int have = ioctl(kvm_fd, KVM_CHECK_EXTENSION, needs[i].cap);
		if (have < 0 || (have & needs[i].least) != needs[i].least) {
			*why = needs[i].why;
			return -ENOTSUP;
		}
	}
	return 0;
}

static int init(const struct platform_config *cfg, struct platform_info *info)
{
	const char *why = "";
	int rc = platform_kvm_probe(cfg->kvm_fd, &why);

	if (rc) {
		vmm_log(LOG_ERR, "kvm: %s", why);
		return rc;
	}
	if (!cfg->nr_vcpus || cfg->nr_vcpus > BOOT_VCPU_MAX)
		return -EINVAL;
	kvm.nr_vcpus = cfg->nr_vcpus;
	kvm.tsc_ok = info->tsc_ok;
	kvm.image = cfg->image;
	kvm.image_fixup = cfg->image_fixup;
	kvm.has_membarrier = !syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
	rc = kvm_vm_create(cfg->kvm_fd);
	if (!rc)
		rc = kvm_cpu_model_init();
	if (!rc)
		rc = kvm_vm_build_trampoline();
	/* The first vCPU shows what the application's TSC looks like. */
	if (!rc)
		rc = kvm_vcpu_create(0, &kvm.vcpu[0]);
	if (!rc)
		rc = kvm_placement_choose(cfg, info);
	if (!rc && info->guest)
		rc = kvm_guest_build_tables();
	if (rc)
		return rc;
	kvm_vm_kernel_pml4(info->kernel_pml4);
	info->fpu_size = kvm.fpu_size;
	info->xcr0 = kvm.xcr0;
	info->hwcap2 = kvm.has_fsgsbase ? HWCAP2_FSGSBASE : 0;
	if (info->tsc_ok && !kvm.tsc_ok)
		info->tsc_why = KVM_TSC_SHIFTED;
	info->tsc_ok = kvm.tsc_ok;
	rc = ioctl(kvm.vcpu[0]->fd, KVM_GET_TSC_KHZ, 0);
	info->tsc_khz = rc > 0 ? (uint32_t)rc : 0;
	return 0;
}

static void kick(struct platform_vcpu *pv)
{
	/* The VMM's signal does it: see vcpu_signal. */
}

static void vcpu_signal(struct platform_vcpu *pv)
{
	__atomic_store_n(&pv->run->immediate_exit, 1, __ATOMIC_RELAXED);
}

static void exits(const struct platform_vcpu *pv, uint64_t count[PLATFORM_EXITS])
{
	for (unsigned i = 0; i < PLATFORM_EXITS; i++)
		count[i] = __atomic_load_n(&pv->exits[i], __ATOMIC_RELAXED);
}

/* KVM follows the host's mappings by itself. */
static void memory_changed(uint64_t pa, uint64_t len)
{
}

static void shutdown_vm(void)
{
}

const struct platform_ops platform_kvm = {
	.name = "kvm",
	.init = init,
	.add_memory = kvm_vm_add_memory,
	.vcpu_init = kvm_vcpu_init,
	.run_user = kvm_run_user,
	.fpu_save = kvm_fpu_save,
	.kick = kick,
	.vcpu_signal = vcpu_signal,
	.guest_run = kvm_guest_run,
	.guest_return = kvm_guest_return,
	.exits = exits,
	.exit_name = kvm_exit_name,
	.as_create = kvm_as_create,
	.as_destroy = kvm_as_destroy,
	.as_purge = kvm_vm_forget_shadows,
	.as_map = kvm_as_map,
	.as_flush = kvm_as_flush,
	.memory_changed = memory_changed,
	.shutdown = shutdown_vm,
};
