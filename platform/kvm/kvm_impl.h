/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private parts of the KVM platform in host placement.
 *
 * The VM holds application code in ring 3 and a page of ring-0 stubs (the trampoline) that leave the VM by `out` on
 * every system call and exception. The Sentry edits page tables with host stores; address_space.c makes KVM notice.
 *
 * The trampoline region, at TRAMP_PA and TRAMP_BASE, is private host memory; ring 3 cannot reach it.
 */
#ifndef KVM_IMPL_H
#define KVM_IMPL_H

#include "abi/guest.h"
#include "abi/window.h"

/* Pages of the trampoline region. */
#define TRAMP_PG_CODE   0
#define TRAMP_PG_IDT    1
#define TRAMP_PG_PML4   2 /* kernel half only: for ring-0 work that belongs to no address space */
#define TRAMP_PG_DIRECT 3 /* page-directory pointers of the direct map */
#define TRAMP_PG_PDPT   4 /* of the trampoline region itself */
#define TRAMP_PG_PD     5
#define TRAMP_PG_PT     6 /* two pages: 4 MiB */
#define TRAMP_PG_VCPU   16 /* two pages each: tables (struct tramp_vcpu), then the ring-0 stack */
#define TRAMP_PG_DIRECT_PD (TRAMP_PG_VCPU + 2 * BOOT_VCPU_MAX_N)
#define BOOT_VCPU_MAX_N 256
#define TRAMP_PAGES     1024
/* Scratch pages for the look at how this KVM treats SYSCALL (placement.c). */
#define TRAMP_PG_PROBE  8 /* five pages */
/* Tables of guest placement: page directories of the direct map as above (RAM and file windows), then these. */
#define TRAMP_PG_GUEST      (TRAMP_PG_DIRECT_PD + 448)
#define TRAMP_PG_GUEST_PML4 TRAMP_PG_GUEST
#define TRAMP_PG_GUEST_PD   (TRAMP_PG_GUEST + 1) /* direct map of this region */
#define TRAMP_PG_IMAGE_PDPT (TRAMP_PG_GUEST + 2)
#define TRAMP_PG_IMAGE_PD   (TRAMP_PG_GUEST + 3)
#define TRAMP_PG_IMAGE_PT   (TRAMP_PG_GUEST + 4) /* sixteen pages: 32 MiB */
#define TRAMP_PG_STACK_PT   (TRAMP_PG_GUEST + 20) /* four pages: the boot stacks, with their guards */

/* Ports of the stubs. */
#define PORT_SYSCALL 0x10
#define PORT_DONE    0x13
#define PORT_VECTOR  0x20 /* + exception vector 0..31 */

#define TRAMP_LIST_MAX 256 /* entries of a ring-0 store list */

#ifndef __ASSEMBLER__
#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "platform/platform.h"

/* Behind the trampoline: two places of the spare slot, and a page that is KVM's own (vm.c). */
#define SPARE_PA    TRAMP_PA_END
#define IDENTITY_PA (TRAMP_PA_END + 2 * PAGE_SIZE)
_Static_assert(IDENTITY_PA + PAGE_SIZE <= 1UL << GUEST_PA_BITS, "window.h");
_Static_assert(BOOT_VCPU_MAX_N == BOOT_VCPU_MAX, "window.h");
_Static_assert(TRAMP_PAGES * PAGE_SIZE == TRAMP_PA_END - TRAMP_PA, "window.h");
_Static_assert(TRAMP_PG_DIRECT_PD + (FILEWIN_PA_END >> 30) <= TRAMP_PG_GUEST, "page directories of the direct map");
_Static_assert(TRAMP_PG_IMAGE_PT + (IMAGE_MAX_SIZE >> 21) <= TRAMP_PG_STACK_PT, "tables of guest placement");
_Static_assert(TRAMP_PG_STACK_PT + ((BOOT_RESERVED_END - BOOT_STACK_PA) >> 21) <= TRAMP_PAGES, "tables of guest placement");

/* First page of a vCPU's two; seen by the guest at tramp_va(page). */
struct tramp_vcpu {
	uint64_t gdt[10];
	uint8_t _pad0[0x100 - 80];
	uint32_t tss[26]; /* 104 bytes */
	uint8_t _pad1[0x100 - 104];
	uint64_t list[TRAMP_LIST_MAX]; /* addresses that op_store_list touches */
};
_Static_assert(sizeof(struct tramp_vcpu) <= PAGE_SIZE, "one page");

/* An address space. Memory of these is never given back, only reused for others: a vCPU may look at a stale pointer. */
struct kvm_as {
	_Atomic uint64_t cr3;      /* 0: unused */
	struct kvm_as *hash_next;  /* protected by as_lock */
	_Atomic uint64_t gen;      /* grows with every flush; a vCPU that has seen less reloads CR3 before ring 3 */
	_Atomic uint64_t seen[];   /* per vCPU, written by it only */
};

struct platform_vcpu {
	unsigned id;
	int fd;
	pid_t tid;
	struct kvm_run *run;
	struct vcpu *shared;
	struct tramp_vcpu *tables;     /* host view */
	uint64_t *stack_top;           /* host view of the end of the ring-0 stack */
	struct kvm_sregs user_sregs, kernel_sregs; /* templates */
	struct kvm_xsave *xsave;       /* kvm.xsave_size bytes */
	struct user_context *fpu_owner; /* whose FPU state the vCPU holds, or NULL */
	_Atomic(struct kvm_as *) as;   /* what ring 3 runs or ran last here */
	_Atomic uint32_t in_guest;     /* odd while ring 3 may run; grows with every change */
	uint64_t exits[PLATFORM_EXITS]; /* how often KVM_RUN came back, by reason; written by its own thread */
};

struct kvm_vm {
	int kvm_fd, vm_fd;
	pid_t pid;
	int run_size;
	uint32_t next_slot;            /* protected by memory_lock */
	uint64_t spare_at;             /* where the spare slot is, or 0; protected by memory_lock */
	pthread_mutex_t memory_lock;
	uint8_t *tramp;                /* host view of the trampoline region */
	unsigned nr_vcpus;
	struct platform_vcpu *vcpu[BOOT_VCPU_MAX]; /* each set once, by its own thread; atomic access */
	uint32_t fpu_size, xsave_size;
	uint64_t xcr0;
	bool has_xsave2, has_xcrs, has_fsgsbase, has_membarrier;
	bool tsc_ok;
	const struct sentry_header *image;
	uint64_t (*image_fixup)(uint64_t rip);
	bool guest;                    /* guest placement; immutable after init */
	uint32_t tsc_khz;
	struct kvm_cpuid2 *cpuid;
};
extern struct kvm_vm kvm;

static inline void *tramp_page(unsigned n) { return kvm.tramp + n * PAGE_SIZE; }
static inline uint64_t tramp_va(unsigned n) { return TRAMP_BASE + n * PAGE_SIZE; }
static inline uint64_t tramp_pa(unsigned n) { return TRAMP_PA + n * PAGE_SIZE; }

/* trampoline.S: the code of page TRAMP_PG_CODE, copied there. */
extern const char tramp_start[], tramp_end[], tramp_lstar[], tramp_vectors[], tramp_op_list[], tramp_op_entries[],
    tramp_op_time[];
#define TRAMP_VECTOR_STRIDE 8
static inline uint64_t tramp_sym(const char *s) { return TRAMP_BASE + (uint64_t)(s - tramp_start); }

/* vm.c: guest-physical memory and the trampoline's tables. */
int kvm_vm_create(int kvm_fd);
int kvm_vm_add_memory(uint64_t pa, uint64_t len);
int kvm_vm_add_slot(uint64_t pa, uint64_t len, void *hva, uint32_t flags);
int kvm_vm_build_trampoline(void);
/* Makes KVM drop every shadow page table of the VM. */
int kvm_vm_forget_shadows(void);
void kvm_vm_kernel_pml4(uint64_t out[16]);

/* cpu_model.c: CPUID, XCR0 and FPU size. */
int kvm_cpu_model_init(void);
int kvm_cpu_model_apply(int vcpu_fd, unsigned id);

/* cpu_policy.c: takes away the features that the virtual machine shall not have; what xcr0 lacks, too. */
void kvm_cpu_policy_apply(struct kvm_cpuid2 *c, uint64_t xcr0, uint32_t fpu_size);

/* vcpu.c */
#define KVM_TSC_SHIFTED "the host's KVM shows the guest another TSC than the host's"
int kvm_vcpu_create(unsigned id, struct platform_vcpu **out);
int kvm_vcpu_init(unsigned id, struct vcpu *v, struct platform_vcpu **out);
/* Runs ring-0 code at rip with rsi and rcx until its PORT_DONE, in the address space cr3. */
int kvm_vcpu_run_op(struct platform_vcpu *pv, uint64_t rip, uint64_t cr3, uint64_t rsi, uint64_t rcx);

/* run.c */
int kvm_run_user(struct platform_vcpu *pv, struct user_context *uc);

/* fpu.c */
int kvm_fpu_switch(struct platform_vcpu *pv, struct user_context *uc);
int kvm_fpu_save(struct platform_vcpu *pv, struct user_context *uc);

/* address_space.c */
int kvm_as_create(uint64_t cr3);
int kvm_as_destroy(struct platform_vcpu *pv, uint64_t cr3);
int kvm_as_map(struct platform_vcpu *pv, uint64_t cr3, const struct hc_map *maps, unsigned n);
int kvm_as_flush(struct platform_vcpu *pv, uint64_t cr3, const struct hc_flush *flush);
/* The address space of cr3 made current for this vCPU, or NULL. */
struct kvm_as *kvm_as_use(struct platform_vcpu *pv, uint64_t cr3);
/* Reload CR3 in the guest if this vCPU has not done so since the last flush. */
int kvm_as_catch_up(struct platform_vcpu *pv, struct kvm_as *as);

/* Bits of page table entries (SDM 3A, 4.5). */
#define PTE_P  1UL
#define PTE_W  2UL
#define PTE_A  0x20UL
#define PTE_D  0x40UL
#define PTE_PS 0x80UL
#define PTE_G  0x100UL
#define PTE_NX (1UL << 63)
#define PTE_TABLE (PTE_P | PTE_W | PTE_A)

/* placement.c: where the Sentry is to run: sets info->guest and placement_why. The first vCPU exists. */
int kvm_placement_choose(const struct platform_config *cfg, struct platform_info *info);

/* guest.c, guest_tables.c: guest placement. */
int kvm_guest_build_tables(void);
/* The page-directory entry of 2 MiB of boot stacks from pa. */
uint64_t kvm_guest_stack_entry(uint64_t pa);
int kvm_guest_vcpu_init(struct platform_vcpu *pv);
int kvm_guest_run(struct platform_vcpu *pv, struct guest_call *call);
void kvm_guest_return(struct platform_vcpu *pv, int64_t result);
/* The exit reasons are KVM's (below 40); these are ours. */
enum { EXIT_KICK = 48, EXIT_RING0_CODE, EXIT_EFAULT_RING0, EXIT_EFAULT_RING3 };
static inline void kvm_count_exit(struct platform_vcpu *pv, unsigned kind)
{
	if (kind < PLATFORM_EXITS)
		__atomic_store_n(&pv->exits[kind], pv->exits[kind] + 1, __ATOMIC_RELAXED);
}
const char *kvm_exit_name(unsigned kind);

/* A SYSCALL came as a fault at LSTAR: this KVM emulates ring 0 (run.c). */
extern _Atomic bool kvm_emulates_ring0;

#endif
#endif
