/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running application code: registers into the stub thread, PTRACE_SYSEMU, wait, registers out.
 *
 * Kicks: `running` names the thread in ring 3 from before the last look at kick_pending until after the stop, so a kicker
 * that set kick_pending either is seen here or finds the thread to signal. A signal that reaches a thread which has just
 * stopped stays pending there and is dropped at its next stop. kick_sent keeps kick() and vcpu_signal() from sending two.
 */
#include "ptrace/ptrace_impl.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(struct user_regs) == sizeof(struct user_regs_struct), "ptrace copies them whole");
_Static_assert(offsetof(struct user_regs, orig_rax) == offsetof(struct user_regs_struct, orig_rax), "same order");
_Static_assert(offsetof(struct user_regs, gs_base) == offsetof(struct user_regs_struct, gs_base), "same order");

#define RETRY_MAX 8 /* faults at one address that the page tables do not explain */

int pt_vcpu_init(unsigned id, struct vcpu *v, struct platform_vcpu **out)
{
	struct platform_vcpu *pv;

	if (id >= pt.nr_vcpus)
		return -EINVAL;
	pv = calloc(1, sizeof(*pv));
	if (!pv)
		return -ENOMEM;
	if (pt.xstate_size > pt.fpu_size) {
		pv->xstate = calloc(1, pt.xstate_size);
		if (!pv->xstate) {
			free(pv);
			return -ENOMEM;
		}
	}
	pv->id = id;
	pv->v = v;
	pv->cpu = -1;
	pthread_mutex_lock(&pt.vcpu_lock);
	pt.vcpu[id] = pv;
	pthread_mutex_unlock(&pt.vcpu_lock);
	*out = pv;
	return 0;
}

static bool kicked(const struct platform_vcpu *pv)
{
	return __atomic_load_n(&pv->v->kick_pending, __ATOMIC_SEQ_CST) || __atomic_load_n(&pt.stopping, __ATOMIC_ACQUIRE);
}

/* Async-signal-safe. */
void pt_vcpu_kick(struct platform_vcpu *pv)
{
	uint64_t running = __atomic_load_n(&pv->running, __ATOMIC_SEQ_CST);

	if (running && !__atomic_exchange_n(&pv->kick_sent, 1, __ATOMIC_SEQ_CST)) {
		int saved = errno;

		syscall(SYS_tgkill, (pid_t)(running >> 32), (pid_t)running, KICK_SIGNAL);
		errno = saved;
	}
}

void pt_vcpu_signal(struct platform_vcpu *pv)
{
	if (kicked(pv))
		pt_vcpu_kick(pv);
	pt_affinity_tick(pv);
}

#define NO_BASE (WINDOW_BASE + PAGE_SIZE) /* where the application has nothing */

/* A program may load selectors of another privilege level, and bases of the kernel's half, that PTRACE_SETREGS would not put
 * back: what serves as well instead. */
static void tame(struct user_regs_struct *r)
{
	unsigned long long *const sel[] = { &r->ds, &r->es, &r->fs, &r->gs };

	for (unsigned i = 0; i < sizeof(sel) / sizeof(sel[0]); i++)
		if (*sel[i])
			*sel[i] |= 3;
	if (r->fs_base >= USER_END)
		r->fs_base = NO_BASE;
	if (r->gs_base >= USER_END)
		r->gs_base = NO_BASE;
}

/* Lets the thread run until its next stop. 1: it stopped, *status says why; 0: a kick came first; -errno. */
static int ring3(struct platform_vcpu *pv, struct stub_thread *t, struct user_context *uc, int *status)
{
	struct user_regs_struct regs;
	int r;

	memcpy(&regs, &uc->regs, sizeof(regs));
	regs.orig_rax = ~0UL; /* else the kernel might restart a system call of the stub's */
	tame(&regs);
	if (ptrace(PTRACE_SETREGS, t->tid, 0, &regs))
		return -errno;
	__atomic_store_n(&pv->kick_sent, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&pv->running, (uint64_t)t->proc->pid << 32 | (uint32_t)t->tid, __ATOMIC_SEQ_CST);
	r = 0;
	if (!kicked(pv)) {
		r = ptrace(PTRACE_SYSEMU, t->tid, 0, 0) ? -errno : pt_stub_wait(t->tid, status);
		r = r ? r : 1;
	}
	__atomic_store_n(&pv->running, 0, __ATOMIC_SEQ_CST);
	if (r > 0) {
		if (ptrace(PTRACE_GETREGS, t->tid, 0, &regs))
			return -errno;
		if (regs.fs_base == NO_BASE)
			regs.fs_base = uc->regs.fs_base;
		if (regs.gs_base == NO_BASE)
			regs.gs_base = uc->regs.gs_base;
		memcpy(&uc->regs, &regs, sizeof(regs));
	}
	return r;
}

static int trap_simple(struct user_context *uc, uint32_t kind)
{
	uc->trap_kind = kind;
	return 1;
}

/* One visit to ring 3. 1: uc describes a trap; 0: go again; -errno. */
static int visit(struct platform_vcpu *pv, struct address_space *as, struct user_context *uc)
{
	struct stub_thread *t;
	int status, r;

	r = pt_as_enter(pv, as, &t);
	if (r)
		return r;
	if (uc->fpu_cpu != (int32_t)pv->id || t->fpu_owner != uc) {
		r = pt_fpu_load(pv, t, uc);
		if (r == -ESRCH) { /* nothing is lost yet */
			pt_stub_died(t);
			pv->retries++;
			r = 0;
			goto out;
		}
		if (r == -EINVAL) { /* as XRSTOR would have it */
			pt_trap_exception(uc, 13, 0);
			r = 1;
		}
		if (r)
			goto out;
	}
	pt_affinity_enter(pv, t);
	r = ring3(pv, t, uc, &status);
	pt_affinity_leave(pv);
	if (r == -EIO) { /* PTRACE_SETREGS refuses what would fault in the kernel's hands */
		pt_trap_exception(uc, 13, 0);
		r = 1;
	} else if (r == -ESRCH) {
		pt_stub_died(t);
		/* At the end of the sandbox they are killed. */
		if (!__atomic_load_n(&pt.stopping, __ATOMIC_ACQUIRE))
			vmm_log(3, "ptrace: stub thread %d died", t->tid);
	} else if (r > 0) {
		r = pt_trap_decode(pv, as, t, uc, status);
	} else if (r == 0) {
		r = trap_simple(uc, TRAP_KICK);
	}
out:
	pt_as_leave(as);
	return r;
}

int pt_vcpu_run_user(struct platform_vcpu *pv, struct user_context *uc)
{
	struct address_space *as = pt_as_find(pv, uc->cr3);
	int r;

	if (!as)
		return -ENOENT;
	pv->retry_addr = ~0UL;
	pv->retries = 0;
	do {
		if (kicked(pv))
			r = trap_simple(uc, TRAP_KICK);
		else
			r = visit(pv, as, uc);
	} while (!r && pv->retries < RETRY_MAX);
	if (__atomic_load_n(&pt.stopping, __ATOMIC_ACQUIRE))
		r = trap_simple(uc, TRAP_STOPPED);
	if (!r) {
		vmm_log(3, "ptrace: fault at %#lx (rip %#lx) cannot be resolved", pv->retry_addr, uc->regs.rip);
		r = -EFAULT;
	}
	return r > 0 ? 0 : r;
}

void pt_vcpu_kick_running(void)
{
	pthread_mutex_lock(&pt.vcpu_lock);
	for (unsigned i = 0; i < pt.nr_vcpus; i++)
		if (pt.vcpu[i])
			pt_vcpu_kick(pt.vcpu[i]);
	pthread_mutex_unlock(&pt.vcpu_lock);
}
