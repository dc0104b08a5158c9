/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostcalls in guest placement: what concerns page tables and TLBs is done here, the rest leaves the guest.
 *
 * While a vCPU is out it translates nothing, so others need not wait for it to flush: it looks at flush_req when it is
 * back. Before it idles it leaves its address space, which may be gone by the time it wakes.
 */
#include "arch/ring0/ring0.h"

#include "lib/atomic.h"

int64_t ring0_out(uint64_t nr, const uint64_t a[6])
{
	register uint64_t a3 __asm__("r10") = a[3];
	register uint64_t a4 __asm__("r8") = a[4];
	register uint64_t a5 __asm__("r9") = a[5];
	int64_t result = (int64_t)nr;

	__asm__ volatile("out %%al, %[port]"
	                 : "+a"(result)
	                 : [port] "N"(GUEST_PORT_HOSTCALL), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(a3), "r"(a4), "r"(a5)
	                 : "memory");
	return result;
}

int64_t ring0_hostcall(struct vcpu *v, uint64_t nr, const uint64_t a[6])
{
	struct ring0_cpu *cpu = ring0_cpu(v);
	int64_t result;

	switch (nr) {
	case HC_AS_CREATE:
		return ring0_as_create(a[0]);
	case HC_AS_DESTROY:
		return ring0_as_destroy(cpu, a[0]);
	case HC_AS_MAP:
		return -EOPNOTSUPP; /* nobody mirrors the tables */
	case HC_AS_FLUSH:
		return ring0_as_flush(cpu, a[0], (const struct hc_flush *)a[1]);
	case HC_AS_PURGE:
		return ring0_as_purge(cpu);
	case HC_STACK_GUARD:
		return ring0_stack_guard(a[0], a[1]);
	case HC_IDLE:
		ring0_use_root(cpu, ring0_kernel_root);
		break;
	}
	atomic_store(&v->guest_mode, GUEST_MODE_HOST);
	result = ring0_out(nr, a);
	(void)atomic_xchg(&v->guest_mode, GUEST_MODE_KERNEL);
	if (READ_ONCE(cpu->flush_req))
		ring0_flush_pending(cpu);
	return result;
}
