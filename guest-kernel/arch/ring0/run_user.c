/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_user in ring 0 (contract: run_user_fn in abi/boot.h).
 *
 * Order that loses no kick and no flush: say GUEST_MODE_USER, look at kick_pending and flush_req, enter ring 3. A kick that
 * comes after the look finds the mode and interrupts ring 3.
 *
 * sysret goes only where it is safe: to a canonical address below the middle, without TF and RF, with rcx and r11 as it
 * will set them. Everything else goes by iret.
 *
 * The way of a system call is short on purpose: whatever is rare is a tail call, so that there is no frame, and a trap returns
 * past ring0_run_user to its caller.
 */
#include "arch/ring0/ring0.h"

#include "arch/cpu.h"
#include "lib/atomic.h"

#define FLAG_TF 0x100UL
#define FLAG_RF 0x10000UL
#define RFLAGS_USER  0x254dd5UL /* what ring 3 may choose: CF PF AF ZF SF TF DF OF NT RF AC ID */
#define RFLAGS_FORCE 0x202UL    /* IF and the bit that is always one */
#define SYSRET_MAX   0x7ffffffff000UL

static inline bool canonical(uint64_t v) { return (uint64_t)((int64_t)(v << 16) >> 16) == v; }

static inline bool sysret_is_safe(const struct user_regs *r)
{
	return r->rcx == r->rip && r->r11 == r->rflags && r->rip < SYSRET_MAX &&
	       (r->rflags & ~(RFLAGS_USER & ~(FLAG_TF | FLAG_RF))) == RFLAGS_FORCE;
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

HOT_PATH int64_t ring0_trap(struct ring0_cpu *cpu, uint32_t vector)
{
	struct user_context *uc = cpu->uc;
	uint64_t cr2;

	atomic_store(&cpu->v->guest_mode, GUEST_MODE_KERNEL);
	switch (vector) {
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
		uc->trap_vector = vector;
		uc->trap_addr = 0;
		return 0;
	}
}

static void tell_ready(void)
{
	static uint32_t told;
	static const uint64_t running[6] = {true};

	if (!READ_ONCE(told) && !atomic_xchg(&told, 1))
		(void)ring0_out(HC_CREATED, running);
}

/* Another context was here before, or none. */
static NOINLINE int64_t take_over(struct vcpu *v, struct user_context *uc)
{
	struct ring0_cpu *cpu = ring0_cpu(v);
	int err = ring0_fpu_switch(cpu, uc);

	if (err)
		return err;
	tell_ready();
	ring0_use_root(cpu, uc->cr3);
	return ring0_run_user(v, uc);
}

/* A kick or a flush came; a kick ends the visit. */
static COLD_PATH int64_t turn_back(struct vcpu *v, struct user_context *uc)
{
	struct ring0_cpu *cpu = ring0_cpu(v);

	atomic_store(&v->guest_mode, GUEST_MODE_KERNEL);
	if (READ_ONCE(cpu->flush_req))
		ring0_flush_pending(cpu);
	if (!READ_ONCE(v->kick_pending))
		return ring0_run_user(v, uc);
	uc->trap_kind = TRAP_KICK;
	return 0;
}

static COLD_PATH int64_t enter_by_iret(struct vcpu *v, struct user_context *uc)
{
	struct user_regs *r = &uc->regs;

	r->rflags = (r->rflags & RFLAGS_USER) | RFLAGS_FORCE;
	if (likely(canonical(r->rip)))
		return ring0_iret(ring0_cpu(v), uc);
	atomic_store(&v->guest_mode, GUEST_MODE_KERNEL);
	return bad_rip(uc);
}

HOT_PATH int64_t ring0_run_user(struct vcpu *v, struct user_context *uc)
{
	struct ring0_cpu *cpu = ring0_cpu(v);

	if (unlikely(cpu->uc != uc || uc->fpu_cpu != (int32_t)cpu->id || cpu->root != uc->cr3))
		return take_over(v, uc);
	(void)atomic_xchg(&v->guest_mode, GUEST_MODE_USER);
	if (unlikely(READ_ONCE(v->kick_pending) || READ_ONCE(cpu->flush_req)))
		return turn_back(v, uc);
	if (unlikely(!sysret_is_safe(&uc->regs)))
		return enter_by_iret(v, uc);
	return ring0_sysret(cpu, uc);
}
