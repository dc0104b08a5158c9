/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FPU state. Every stub thread has FPU registers of its own, so switching between tasks of different address spaces moves
 * nothing; state is exchanged only when another task of the same space runs on the same vCPU.
 */
#include "ptrace/ptrace_impl.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define XSAVE_FCW    0
#define XSAVE_MXCSR  24
#define XSAVE_HEADER 512

/* The XSAVE area of a context as this process may use it, or NULL. */
static uint8_t *fpu_area(const struct user_context *uc)
{
	uint64_t at = __atomic_load_n(&uc->fpu, __ATOMIC_RELAXED);

	if (at < DIRECT_BASE || at & 63 || at - DIRECT_BASE + pt.fpu_size > __atomic_load_n(&pt.ram_end, __ATOMIC_ACQUIRE))
		return NULL;
	return (uint8_t *)at;
}

static int get(struct stub_thread *t, struct user_context *uc)
{
	struct iovec iov = {.iov_base = fpu_area(uc), .iov_len = pt.fpu_size};

	if (!iov.iov_base)
		return -EFAULT;
	return ptrace(PTRACE_GETREGSET, t->tid, NT_X86_XSTATE, &iov) ? -errno : 0;
}

/* Linux takes all of its states or none. */
static int set(const struct platform_vcpu *pv, struct stub_thread *t, const struct user_context *uc)
{
	uint8_t *area = fpu_area(uc);
	struct iovec iov = {.iov_base = area, .iov_len = pt.xstate_size};

	if (!area)
		return -EFAULT;
	if (pv->xstate)
		iov.iov_base = memcpy(pv->xstate, area, pt.fpu_size);
	return ptrace(PTRACE_SETREGSET, t->tid, NT_X86_XSTATE, &iov) ? -errno : 0;
}

/* The registers' content goes to its owner, unless the owner has been given another state meanwhile. */
static int evict(struct platform_vcpu *pv, struct stub_thread *t)
{
	struct user_context *owner = t->fpu_owner;
	int r = 0;

	t->fpu_owner = NULL;
	if (owner && owner->fpu_cpu == (int32_t)pv->id && !t->dead) {
		r = get(t, owner);
		owner->fpu_cpu = -1;
	}
	return r;
}

static struct stub_thread *find_live(struct platform_vcpu *pv, const struct user_context *uc)
{
	for (struct stub_thread *t = pv->threads; t; t = t->next)
		if (t->fpu_owner == uc)
			return t;
	return NULL;
}

static void reset(uint8_t *area)
{
	const uint16_t fcw = 0x37f;
	const uint32_t mxcsr = 0x1f80;

	memset(area, 0, pt.fpu_size);
	memcpy(area + XSAVE_FCW, &fcw, sizeof(fcw));
	memcpy(area + XSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
}

int pt_fpu_save(struct platform_vcpu *pv, struct user_context *uc)
{
	struct stub_thread *t = find_live(pv, uc);
	int r = t ? evict(pv, t) : 0;

	uc->fpu_cpu = -1;
	return r;
}

int pt_fpu_load(struct platform_vcpu *pv, struct stub_thread *t, struct user_context *uc)
{
	struct stub_thread *old = find_live(pv, uc);
	int r = 0;

	if (t->fpu_owner != uc)
		r = evict(pv, t);
	if (!r && old) /* live in another space's thread (evict stores it), or stale there or here */
		r = evict(pv, old);
	if (r)
		return r;
	r = set(pv, t, uc);
	if (r == -EINVAL)
		reset(fpu_area(uc));
	if (r)
		return r;
	t->fpu_owner = uc;
	uc->fpu_cpu = (int32_t)pv->id;
	return 0;
}
