/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making ring 0 of a vCPU ready: descriptor tables, system-call registers, control bits, its entry pages.
 *
 * The IDT is shared: its handlers find their vCPU from the stack pointer. LSTAR is the vCPU's own alias of the entry page.
 */
#include "arch/ring0/ring0.h"

#include "arch/cpu.h"
#include "boot/boot.h"
#include "lib/atomic.h"

#define MSR_STAR   0xc0000081
#define MSR_LSTAR  0xc0000082
#define MSR_CSTAR  0xc0000083
#define MSR_SFMASK 0xc0000084
#define SFMASK_BITS 0x47700UL /* TF IF DF IOPL NT AC off in ring 0 */

#define MSR_SPEC_CTRL         0x48
#define MSR_ARCH_CAPABILITIES 0x10a
#define MSR_EFER              0xc0000080
#define SPEC_CTRL_IBRS (1UL << 0)
#define ARCH_CAP_IBRS_ALL (1UL << 1)
#define EFER_AIBRSE (1UL << 21)

#define VENDOR_AMD   0x68747541 /* "Auth" */
#define VENDOR_HYGON 0x6f677948 /* "Hygo" */

#define CR4_UMIP     (1UL << 11)
#define CR4_FSGSBASE (1UL << 16)
#define CR4_PCIDE    (1UL << 17)
#define CR4_OSXSAVE  (1UL << 18)
#define CR4_SMEP     (1UL << 20)
#define CR4_SMAP     (1UL << 21)

_Static_assert(offsetof(struct ring0_cpu, krsp) == R0_KRSP && offsetof(struct ring0_cpu, user_rsp) == R0_USER_RSP &&
               offsetof(struct ring0_cpu, uc) == R0_UC && offsetof(struct ring0_cpu, boot_stack) == R0_BOOT_STACK &&
               offsetof(struct ring0_cpu, v) == R0_VCPU && offsetof(struct vcpu, guest_mode) == VCPU_GUEST_MODE, "entry.S");
#define UC_CHECK(f, n) _Static_assert(offsetof(struct user_context, f) == n, "entry.S")
UC_CHECK(regs.r15, UC_R15);
UC_CHECK(regs.rbx, UC_RBX);
UC_CHECK(regs.r8, UC_R8);
UC_CHECK(regs.rax, UC_RAX);
UC_CHECK(regs.rdi, UC_RDI);
UC_CHECK(regs.orig_rax, UC_ORIG_RAX);
UC_CHECK(regs.rip, UC_RIP);
UC_CHECK(regs.rflags, UC_RFLAGS);
UC_CHECK(regs.ss, UC_SS);
UC_CHECK(regs.fs_base, UC_FS_BASE);
UC_CHECK(trap_kind, UC_TRAP_KIND);
UC_CHECK(trap_error, UC_TRAP_ERROR);
_Static_assert(TRAP_SYSCALL == UC_TRAP_SYSCALL && GUEST_MODE_KERNEL == 0, "entry.S");

struct ring0_cpu ring0_cpus[BOOT_VCPU_MAX];

/* Tables of the entry pages: two pages per vCPU, which one page table maps. */
static uint64_t entry_pdpt[512] __attribute__((aligned(4096)));
static uint64_t entry_pd[512] __attribute__((aligned(4096)));
static uint64_t entry_pt[512] __attribute__((aligned(4096)));
_Static_assert(2 * BOOT_VCPU_MAX <= 512, "one page table");

static struct {
	uint64_t lo, hi;
} idt[R0_VECTORS];

struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

/* For what CPUID announces, but a KVM may refuse all the same. */
static uint64_t rdmsr_if_there(uint32_t msr)
{
	uint32_t lo = 0, hi = 0;

	__asm__ volatile("1: rdmsr\n2:\n" EX_SKIP : "+a"(lo), "+d"(hi) : "c"(msr));
	return lo | (uint64_t)hi << 32;
}

static void wrmsr_if_there(uint32_t msr, uint64_t v)
{
	__asm__ volatile("1: wrmsr\n2:\n" EX_SKIP ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static void cpuid(uint32_t leaf, uint32_t r[4])
{
	__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(0));
}

static uint64_t entry_va(uint32_t id) { return ENTRY_BASE + id * 2 * PAGE_SIZE; }

static void build_idt(void)
{
	for (unsigned v = 0; v < R0_VECTORS; v++) {
		uint64_t at = (uint64_t)ring0_vectors + v * R0_VECTOR_STRIDE;
		uint64_t dpl = v == 3 || v == 4 ? 3 : 0;
		uint64_t ist = v == 1 ? IST_DB : v == 2 ? IST_NMI : v == 8 ? IST_DF : v == 18 ? IST_MC : 0;

		idt[v].lo = (at & 0xffff) | (uint64_t)SEL_KCODE << 16 | ist << 32 | (0x8e00UL | dpl << 13) << 32 |
		            (at >> 16 & 0xffff) << 48;
		idt[v].hi = at >> 32;
	}
}

static void map_entry_pages(void)
{
	uint64_t *root = direct(pa(ring0_kernel_root));

	for (unsigned i = 0; i < BOOT_VCPU_MAX; i++) {
		entry_pt[2 * i] = image_pa(ring0_entry_page) | PTE_KERNEL_RO;
		entry_pt[2 * i + 1] = image_pa(&ring0_cpus[i]) | PTE_KERNEL_RW | PTE_NX_BIT;
	}
	entry_pd[ENTRY_BASE >> 21 & 511] = image_pa(entry_pt) | PTE_TABLE_KERNEL;
	entry_pdpt[ENTRY_BASE >> 30 & 511] = image_pa(entry_pd) | PTE_TABLE_KERNEL;
	root[ENTRY_BASE >> 39 & 511] = image_pa(entry_pdpt) | PTE_TABLE_KERNEL;
}

static void tss_set(struct ring0_cpu *cpu, unsigned word, unsigned stack)
{
	uint64_t top = (uint64_t)cpu->stacks[stack + 1];

	cpu->tss[word] = (uint32_t)top;
	cpu->tss[word + 1] = (uint32_t)(top >> 32);
}

static void load_tables(struct ring0_cpu *cpu)
{
	uint64_t tss = (uint64_t)cpu->tss;
	struct table_register gdtr = {sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt}, idtr = {sizeof(idt) - 1, (uint64_t)idt};

	cpu->gdt[SEL_KCODE >> 3] = 0x00af9b000000ffff;
	cpu->gdt[SEL_KDATA >> 3] = 0x00cf93000000ffff;
	cpu->gdt[SEL_UDATA >> 3] = 0x00cff3000000ffff;
	cpu->gdt[SEL_UCODE >> 3] = 0x00affb000000ffff;
	cpu->gdt[SEL_TSS >> 3] = 0x0000890000000067UL | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
	cpu->gdt[(SEL_TSS >> 3) + 1] = tss >> 32;
	tss_set(cpu, 1, 0);
	tss_set(cpu, 9, IST_DB);
	tss_set(cpu, 11, IST_NMI);
	tss_set(cpu, 13, IST_DF);
	tss_set(cpu, 15, IST_MC);
	cpu->tss[25] = 104U << 16; /* no I/O bitmap */
	__asm__ volatile("lgdt %0\n lidt %1\n ltr %w2\n mov %3, %%ss\n"
	                 "push %4\n lea 1f(%%rip), %%rax\n push %%rax\n lretq\n1:\n"
	                 "xor %%eax, %%eax\n mov %%eax, %%ds\n mov %%eax, %%es\n mov %%eax, %%fs\n mov %%eax, %%gs\n lldt %%ax"
	                 ::"m"(gdtr), "m"(idtr), "r"(SEL_TSS), "r"(SEL_KDATA), "i"(SEL_KCODE) : "rax", "memory");
}

static void set_system_call(const struct ring0_cpu *cpu)
{
	wrmsr(MSR_STAR, (uint64_t)(SEL_UCODE - 16) << 48 | (uint64_t)SEL_KCODE << 32);
	wrmsr(MSR_LSTAR, entry_va(cpu->id));
	wrmsr(MSR_CSTAR, entry_va(cpu->id) + (uint64_t)(ring0_entry_bad32 - ring0_entry_page));
	wrmsr(MSR_SFMASK, SFMASK_BITS);
}

/* Leaves of CPUID, each of which costs an exit; zero where the CPU has none. */
struct leaves {
	uint32_t vendor[4], one[4], seven[4], sizes[4], amd[4];
};

static void read_cpuid(struct leaves *l)
{
	uint32_t extended[4];

	*l = (struct leaves){0};
	cpuid(0, l->vendor);
	cpuid(1, l->one);
	if (l->vendor[0] >= 7)
		cpuid(7, l->seven);
	cpuid(0x80000000, extended);
	if (extended[0] >= 0x80000008)
		cpuid(0x80000008, l->sizes);
	if (extended[0] >= 0x80000021)
		cpuid(0x80000021, l->amd);
}

/* What the VMM has set is what ring 3 may know of; what protects ring 0 is added here. */
static void set_control(struct ring0_cpu *cpu, const struct leaves *l)
{
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	if (l->seven[1] >> 7 & 1)
		cr4 |= CR4_SMEP;
	if (l->seven[1] >> 20 & 1)
		cr4 |= CR4_SMAP;
	if (l->seven[2] >> 2 & 1)
		cr4 |= CR4_UMIP;
	if (l->one[2] >> 17 & 1)
		cr4 |= CR4_PCIDE; /* allowed now: CR3 holds PCID 0 */
	__asm__ volatile("mov %0, %%cr4" ::"r"(cr4) : "memory");
	cpu->has_xsave = cr4 & CR4_OSXSAVE;
	cpu->has_fsgsbase = cr4 & CR4_FSGSBASE;
	cpu->has_pcid = cr4 & CR4_PCIDE;
	/* AMD's before Zen 2, which lack XSAVEERPTR. */
	cpu->keeps_fip = (l->vendor[1] == VENDOR_AMD || l->vendor[1] == VENDOR_HYGON) && !(l->sizes[1] >> 2 & 1);
}

/* What branches did in ring 3 is no prediction for ring 0, on CPUs where that is a switch to be set once: Intel's enhanced IBRS,
 * AMD's automatic one. */
static void set_speculation(const struct leaves *l)
{
	if ((l->seven[3] >> 26 & 1) && (l->seven[3] >> 29 & 1) && (rdmsr_if_there(MSR_ARCH_CAPABILITIES) & ARCH_CAP_IBRS_ALL))
		wrmsr_if_there(MSR_SPEC_CTRL, SPEC_CTRL_IBRS);
	if (l->amd[0] >> 8 & 1)
		wrmsr_if_there(MSR_EFER, rdmsr_if_there(MSR_EFER) | EFER_AIBRSE);
}

void ring0_vcpu_init(struct vcpu *v)
{
	struct ring0_cpu *cpu = &ring0_cpus[v->id];
	struct leaves leaves;
	uint64_t cr3;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	cpu->id = v->id;
	cpu->v = v;
	cpu->boot_stack = v->stack_top & ~15UL;
	cpu->root = cpu->root_next = cr3;
	v->sentry_data = (uint64_t)cpu;
	v->guest_mode = GUEST_MODE_KERNEL;
	v->run_user = ring0_run_user;
	v->fpu_save = ring0_fpu_save;
	v->hostcall = ring0_hostcall;
	if (v->id == 0) {
		ring0_kernel_root = cr3;
		build_idt();
		map_entry_pages();
	}
	load_tables(cpu);
	read_cpuid(&leaves);
	set_control(cpu, &leaves);
	set_speculation(&leaves);
	set_system_call(cpu);
	atomic_store(&cpu->online, 1);
}

/* Every address space gets the window as the kernel's root has it by now. */
void ring0_boot_init(void)
{
	const uint64_t *root = direct(pa(ring0_kernel_root));

	for (unsigned i = 0; i < ARRAY_SIZE(boot_kernel_pml4); i++)
		boot_kernel_pml4[i] = root[WINDOW_PML4_FIRST + i];
}
