/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_user in ring 0 (contract: run_user_fn in abi/boot.h).
 *
 * Order that loses no kick and no flush: say GUEST_MODE_USER, look at kick_pending and flush_req, enter ring 3. A kick that
 * comes after the look finds the mode and interrupts ring 3.
 *
 * sysret goes only where it is safe: to a canonical address below the middle, without TF and RF, with rcx and r11 as it
 * will set them. Everything else goes by iret.
 */
#include "arch/ring0/ring0.h"

#include "arch/cpu.h"
#include "lib/atomic.h"

#define FLAG_TF 0x100UL
#define FLAG_RF 0x10000UL
#define RFLAGS_USER  0x254dd5UL /* what ring 3 may choose: CF PF AF ZF SF TF DF OF NT RF AC ID */
#define RFLAGS_FORCE 0x202UL    /* IF and the bit that is always one */
#define SYSRET_MAX   0x7ffffffff000UL

#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101

static inline uint64_t read_base(const struct ring0_cpu *cpu, uint32_t msr)
{
	uint64_t v;
	uint32_t lo, hi;

	if (cpu->has_fsgsbase) {
		if (msr == MSR_FS_BASE)
			__asm__ volatile("rdfsbase %0" : "=r"(v));
		else
			__asm__ volatile("rdgsbase %0" : "=r"(v));
		return v;
	}
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return lo | (uint64_t)hi << 32;
}

/* A base that is no address is left as it is: arch_prctl(2) and ptrace(2) refuse such. */
static inline void write_base(const struct ring0_cpu *cpu, uint32_t msr, uint64_t v)
{
	if (!cpu->has_fsgsbase)
		__asm__ volatile("1: wrmsr\n2:\n" EX_SKIP ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
	else if (msr == MSR_FS_BASE)
		__asm__ volatile("1: wrfsbase %0\n2:\n" EX_SKIP ::"r"(v) : "memory");
	else
		__asm__ volatile("1: wrgsbase %0\n2:\n" EX_SKIP ::"r"(v) : "memory");
}

/* A selector that the GDT does not have becomes zero. */
#define LOAD_SEGMENT(seg, value) \
	__asm__ volatile("1: mov %0, %%" #seg "\n jmp 3f\n2: xor %%eax, %%eax\n mov %%eax, %%" #seg "\n3:\n" EX_SKIP \
	                 ::"r"((uint32_t)(value)) : "rax", "memory")
#define STORE_SEGMENT(seg) ({ uint32_t _s; __asm__ volatile("mov %%" #seg ", %0" : "=r"(_s)); (uint16_t)_s; })

static void load_selectors(struct ring0_cpu *cpu, const struct user_regs *r)
{
	LOAD_SEGMENT(ds, r->ds & 0xffff);
	LOAD_SEGMENT(es, r->es & 0xffff);
	LOAD_SEGMENT(fs, r->fs & 0xffff);
	LOAD_SEGMENT(gs, r->gs & 0xffff);
	cpu->ds = STORE_SEGMENT(ds);
	cpu->es = STORE_SEGMENT(es);
	cpu->fs = STORE_SEGMENT(fs);
	cpu->gs = STORE_SEGMENT(gs);
	/* Loading a selector may have changed the base. */
	cpu->fs_base = read_base(cpu, MSR_FS_BASE);
	cpu->gs_base = read_base(cpu, MSR_GS_BASE);
}

static inline void load_segments(struct ring0_cpu *cpu, const struct user_regs *r)
{
	if (unlikely((uint16_t)r->ds != cpu->ds || (uint16_t)r->es != cpu->es || (uint16_t)r->fs != cpu->fs ||
	             (uint16_t)r->gs != cpu->gs))
		load_selectors(cpu, r);
	if (r->fs_base != cpu->fs_base)
		write_base(cpu, MSR_FS_BASE, r->fs_base);
	if (r->gs_base != cpu->gs_base)
		write_base(cpu, MSR_GS_BASE, r->gs_base);
}

static inline void store_segments(struct ring0_cpu *cpu, struct user_regs *r)
{
	r->fs_base = cpu->fs_base = read_base(cpu, MSR_FS_BASE);
	r->gs_base = cpu->gs_base = read_base(cpu, MSR_GS_BASE);
	r->ds = cpu->ds = STORE_SEGMENT(ds);
	r->es = cpu->es = STORE_SEGMENT(es);
	r->fs = cpu->fs = STORE_SEGMENT(fs);
	r->gs = cpu->gs = STORE_SEGMENT(gs);
}

static inline bool canonical(uint64_t v) { return (uint64_t)((int64_t)(v << 16) >> 16) == v; }

static inline bool needs_iret(const struct user_regs *r)
{
	return r->rcx != r->rip || r->r11 != r->rflags || r->rip >= SYSRET_MAX || (r->rflags & (FLAG_TF | FLAG_RF));
}

/* What iret to such a place would raise, in ring 3's name. */
static int64_t bad_rip(struct user_context *uc)
{
	uc->trap_kind = TRAP_EXCEPTION;
	uc->trap_vector = 13;
	uc->trap_error = 0;
	uc->trap_addr = 0;
	uc->regs.orig_rax = ~0UL;
	return 0;
}

static inline int64_t decode(struct user_context *uc, uint32_t what)
{
	uint64_t cr2;

	switch (what) {
	case R0_SYSCALL:
		uc->trap_kind = TRAP_SYSCALL;
		return 0;
	case 14:
		__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
		uc->trap_addr = cr2;
		uc->trap_vector = 14;
		uc->trap_kind = TRAP_PAGE_FAULT;
		return 0;
	case GUEST_VECTOR_KICK:
		uc->trap_kind = TRAP_KICK;
		return 0;
	case GUEST_VECTOR_EFAULT:
		uc->trap_kind = TRAP_WINDOW_EFAULT;
		return 0;
	case R0_BAD_IRET:
		return bad_rip(uc);
	default:
		uc->trap_kind = TRAP_EXCEPTION;
		uc->trap_vector = what;
		uc->trap_addr = 0;
		return 0;
	}
}

static void tell_ready(void)
{
	static uint32_t told;
	static const uint64_t none[6];

	if (!READ_ONCE(told) && !atomic_xchg(&told, 1))
		(void)ring0_out(HC_CREATED, none);
}

int64_t ring0_run_user(struct vcpu *v, struct user_context *uc)
{
	struct ring0_cpu *cpu = ring0_cpu(v);
	struct user_regs *r = &uc->regs;
	uint32_t what;
	int err = cpu->fpu_owner == uc && uc->fpu_cpu == (int32_t)cpu->id ? 0 : ring0_fpu_switch(cpu, uc);

	if (unlikely(err))
		return err;
	tell_ready();
	r->rflags = (r->rflags & RFLAGS_USER) | RFLAGS_FORCE;
	if (unlikely(!canonical(r->rip)))
		return bad_rip(uc);
	cpu->uc = uc;
	for (;;) {
		if (cpu->root != uc->cr3)
			ring0_use_root(cpu, uc->cr3);
		(void)atomic_xchg(&v->guest_mode, GUEST_MODE_USER);
		if (likely(!READ_ONCE(v->kick_pending) && !READ_ONCE(cpu->flush_req)))
			break;
		atomic_store(&v->guest_mode, GUEST_MODE_KERNEL);
		if (READ_ONCE(cpu->flush_req))
			ring0_flush_pending(cpu);
		if (READ_ONCE(v->kick_pending)) {
			uc->trap_kind = TRAP_KICK;
			return 0;
		}
	}
	load_segments(cpu, r);
	what = ring0_enter(cpu, uc, needs_iret(r));
	atomic_store(&v->guest_mode, GUEST_MODE_KERNEL);
	store_segments(cpu, r);
	return decode(uc, what);
}
