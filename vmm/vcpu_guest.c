// SPDX-License-Identifier: Apache-2.0
/*
 * vCPU threads in guest placement: the Sentry runs in the virtual machine, and comes out for hostcalls only. What it
 * says is checked by the handlers, as ever.
 */
#include "vmm/vcpu.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "vmm/clock.h"
#include "vmm/crash.h"
#include "vmm/hostcall.h"
#include "vmm/vmm_impl.h"

static void __attribute__((noreturn)) broken(const struct vmm_vcpu *vv, const struct guest_call *c)
{
	vmm_log(LOG_CRIT, "the Sentry failed on vCPU %u: %s, rip %#lx", vv->id, c->why, c->rip);
	crash_backtrace(c->rip, c->rbp);
	vmm_fail("the Sentry failed on vCPU %u: %s, rip %#lx", vv->id, c->why, c->rip);
	vcpu_park();
}

void vcpu_guest_loop(struct vmm_vcpu *vv)
{
	for (;;) {
		struct guest_call c;
		int64_t result;
		int rc;

		if (clock_without_tsc())
			__atomic_store_n(&vv->shared->host_ns, (uint64_t)clock_read(CLOCK_MONOTONIC), __ATOMIC_RELAXED);
		atomic_store(&vv->state, VCPU_USER);
		rc = vmm.ops->guest_run(vv->pv, &c);
		atomic_store(&vv->state, VCPU_SENTRY);
		if (atomic_load_explicit(&vmm.stopping, memory_order_relaxed))
			vcpu_park();
		if (rc == -EINTR)
			continue;
		if (rc)
			broken(vv, &c);
		vv->sentry_rbp = c.rbp;
		vcpu_count_hostcall(vv, c.nr);
		result = hostcall_dispatch(vv, c.nr, c.args);
		if (atomic_load_explicit(&vmm.stopping, memory_order_relaxed))
			vcpu_park();
		vmm.ops->guest_return(vv->pv, result);
	}
}
