// SPDX-License-Identifier: Apache-2.0
/*
 * The VM: memslots for RAM and file windows, and the trampoline region with the kernel half of every page table.
 *
 * Slots are added, never deleted: that costs the shadow of the whole VM (kvm_vm_forget_shadows wants just that). The
 * guest's direct map consists of 2 MiB pages, supervisor, not executable. In host placement it covers RAM only, since ring 0
 * needs it to touch page-table pages; the Sentry in ring 0 sees the file windows too.
 */
#include "platform/kvm/kvm_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#define SLOT_SPARE 16384 /* above all that are in use */

#define PTE_LEAF  (PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX)

int kvm_vm_add_slot(uint64_t pa, uint64_t len, void *hva, uint32_t flags)
{
	struct kvm_userspace_memory_region r = {
		.slot = kvm.next_slot,
		.flags = flags,
		.guest_phys_addr = pa,
		.memory_size = len,
		.userspace_addr = (uintptr_t)hva,
	};

	if (ioctl(kvm.vm_fd, KVM_SET_USER_MEMORY_REGION, &r)) {
		int err = -errno;
		vmm_log(LOG_ERR, "kvm: memory slot %u at %#lx, %#lx bytes: %s", r.slot, pa, len, strerror(errno));
		return err;
	}
	kvm.next_slot++;
	return 0;
}

/* Entries that were absent may simply be stored: the guest's next fault walks the tables. */
static void direct_map(uint64_t pa, uint64_t len)
{
	uint64_t *pdpt = tramp_page(TRAMP_PG_DIRECT);

	for (uint64_t a = pa; a < pa + len; a += 0x200000) {
		unsigned gb = a >> 30;
		uint64_t *pd = tramp_page(TRAMP_PG_DIRECT_PD + gb);

		uint64_t entry = a | PTE_PS | PTE_LEAF | (kvm.guest ? PTE_G : 0);

		if (kvm.guest && a >= BOOT_STACK_PA && a < BOOT_RESERVED_END)
			entry = kvm_guest_stack_entry(a);
		__atomic_store_n(&pd[a >> 21 & 511], entry, __ATOMIC_RELAXED);
		if (!pdpt[gb])
			__atomic_store_n(&pdpt[gb], tramp_pa(TRAMP_PG_DIRECT_PD + gb) | PTE_TABLE, __ATOMIC_RELEASE);
	}
}

int kvm_vm_add_memory(uint64_t pa, uint64_t len)
{
	int rc;

	pthread_mutex_lock(&kvm.memory_lock);
	rc = kvm_vm_add_slot(pa, len, (void *)(DIRECT_BASE + pa), 0);
	if (!rc && (pa < RAM_PA_END || kvm.guest))
		direct_map(pa, len);
	pthread_mutex_unlock(&kvm.memory_lock);
	return rc;
}

/* A hypercall of the other vendor's CPUs is an unknown instruction, as without KVM: by default KVM writes its own into the
 * program, in the program's name. Before Linux 5.19 it cannot be told. */
static void leave_programs_alone(void)
{
	struct kvm_enable_cap quirks = { .cap = KVM_CAP_DISABLE_QUIRKS2, .args = { KVM_X86_QUIRK_FIX_HYPERCALL_INSN } };

	if (ioctl(kvm.vm_fd, KVM_ENABLE_CAP, &quirks) && vmm_debug)
		vmm_log(LOG_DEBUG, "kvm: no KVM_X86_QUIRK_FIX_HYPERCALL_INSN");
}

/* A CPU that cannot run real mode in a guest, like the first ones with EPT, gets a page table for it from KVM, which would lie
 * in the middle of RAM, just below 4 GiB, if nobody said where. Before the first vCPU. */
static void move_identity_map(void)
{
	uint64_t pa = IDENTITY_PA;

	if (ioctl(kvm.vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &pa))
		vmm_log(LOG_WARNING, "kvm: KVM_SET_IDENTITY_MAP_ADDR: %s", strerror(errno));
}

int kvm_vm_create(int kvm_fd)
{
	kvm.kvm_fd = kvm_fd;
	kvm.pid = getpid();
	do {
		kvm.vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	} while (kvm.vm_fd < 0 && errno == EINTR);
	if (kvm.vm_fd < 0) {
		int err = -errno;
		vmm_log(LOG_ERR, "kvm: KVM_CREATE_VM: %s", strerror(errno));
		return err;
	}
	leave_programs_alone();
	move_identity_map();
	kvm.run_size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (kvm.run_size < (int)sizeof(struct kvm_run))
		return -EINVAL;
	pthread_mutex_init(&kvm.memory_lock, NULL);
	return 0;
}

static int place_spare(uint64_t pa)
{
	struct kvm_userspace_memory_region r = { .slot = SLOT_SPARE, .guest_phys_addr = pa, .memory_size = PAGE_SIZE,
		.userspace_addr = (uintptr_t)kvm.tramp };

	if (ioctl(kvm.vm_fd, KVM_SET_USER_MEMORY_REGION, &r))
		return -errno;
	kvm.spare_at = pa;
	return 0;
}

/*
 * Moving a slot drops the shadows of the whole VM, so one that nobody uses moves to and fro for that. Running vCPUs only
 * have to find their shadows again. Far cheaper than a store to each page table once there are a few dozen.
 */
int kvm_vm_forget_shadows(void)
{
	int rc = 0;

	pthread_mutex_lock(&kvm.memory_lock);
	if (!kvm.spare_at)
		rc = place_spare(SPARE_PA);
	if (!rc)
		rc = place_spare(kvm.spare_at == SPARE_PA ? SPARE_PA + PAGE_SIZE : SPARE_PA);
	pthread_mutex_unlock(&kvm.memory_lock);
	return rc;
}

static void build_idt(void)
{
	uint64_t *idt = tramp_page(TRAMP_PG_IDT);

	/* Only exceptions have gates; int n elsewhere is #GP, as is int n through gates of DPL 0. */
	for (unsigned v = 0; v < 32; v++) {
		uint64_t at = tramp_sym(tramp_vectors) + v * TRAMP_VECTOR_STRIDE;
		uint64_t dpl = v == 3 || v == 4 ? 3 : 0, ist = v == 8 ? 1 : 0;

		idt[2 * v] = (at & 0xffff) | (uint64_t)SEL_KCODE << 16 | ist << 32 | (0x8e00UL | dpl << 13) << 32 |
			     (at >> 16 & 0xffff) << 48;
		idt[2 * v + 1] = at >> 32;
	}
}

int kvm_vm_build_trampoline(void)
{
	uint64_t *pml4, *pdpt, *pd, *pt;
	void *at = (void *)(DIRECT_BASE + TRAMP_PA);
	int rc;

	kvm.tramp = mmap(at, TRAMP_PA_END - TRAMP_PA, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	if (kvm.tramp == MAP_FAILED)
		return -errno;
	memcpy(tramp_page(TRAMP_PG_CODE), tramp_start, tramp_end - tramp_start);
	build_idt();

	pdpt = tramp_page(TRAMP_PG_PDPT);
	pd = tramp_page(TRAMP_PG_PD);
	pt = tramp_page(TRAMP_PG_PT);
	pdpt[TRAMP_BASE >> 30 & 511] = tramp_pa(TRAMP_PG_PD) | PTE_TABLE;
	for (unsigned i = 0; i < TRAMP_PAGES / 512; i++)
		pd[(TRAMP_BASE >> 21 & 511) + i] = tramp_pa(TRAMP_PG_PT + i) | PTE_TABLE;
	for (unsigned i = 0; i < TRAMP_PG_DIRECT_PD; i++)
		pt[i] = tramp_pa(i) | PTE_LEAF;
	pt[TRAMP_PG_CODE] = tramp_pa(TRAMP_PG_CODE) | PTE_P | PTE_A; /* executable, read-only */
	pt[TRAMP_PG_IDT] &= ~PTE_W;

	pml4 = tramp_page(TRAMP_PG_PML4);
	kvm_vm_kernel_pml4(pml4 + WINDOW_PML4_FIRST);
	rc = kvm_vm_add_slot(TRAMP_PA, TRAMP_PA_END - TRAMP_PA, kvm.tramp, 0);
	return rc;
}

void kvm_vm_kernel_pml4(uint64_t out[16])
{
	memset(out, 0, 16 * sizeof(*out));
	out[(DIRECT_BASE >> 39) - WINDOW_PML4_FIRST] = tramp_pa(TRAMP_PG_DIRECT) | PTE_TABLE;
	out[(TRAMP_BASE >> 39) - WINDOW_PML4_FIRST] = tramp_pa(TRAMP_PG_PDPT) | PTE_TABLE;
}
