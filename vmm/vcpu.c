// SPDX-License-Identifier: Apache-2.0
/* vCPU threads, kicks, idling and timers. See vcpu.h for the states. */
#define _GNU_SOURCE
#include "vmm/vcpu.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "abi/guest.h"
#include "vmm/crash.h"
#include "vmm/hostcall.h"
#include "vmm/image.h"
#include "vmm/memory.h"
#include "vmm/stats.h"
#include "vmm/thread.h"
#include "vmm/vmm_impl.h"

#define THREAD_STACK (256 << 10)

_Static_assert(offsetof(struct vmm_vcpu, host_rsp) == VV_HOST_RSP, "vcpu_switch.S");
_Static_assert(offsetof(struct vmm_vcpu, sentry_rbp) == VV_SENTRY_RBP, "vcpu_switch.S");

__thread struct vmm_vcpu *vcpu_self __attribute__((tls_model("initial-exec")));

static struct vmm_vcpu *vcpus; /* immutable pointer after start */
static unsigned nr_vcpus;
static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool told_ready;

void vcpu_park(void)
{
	static uint32_t never;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	for (;;)
		syscall(SYS_futex, &never, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

/* ---- start ------------------------------------------------------------------------------------------------ */

int vcpu_init_all(unsigned nr)
{
	vcpus = calloc(nr, sizeof(*vcpus));
	if (!vcpus)
		return -ENOMEM;
	nr_vcpus = nr;
	for (unsigned i = 0; i < nr; i++) {
		struct vcpu *v = (struct vcpu *)(DIRECT_BASE + BOOT_VCPU_PA + i * PAGE_SIZE);

		vcpus[i].id = i;
		vcpus[i].shared = v;
		vcpus[i].timer_deadline = ~0UL;
		v->id = i;
		v->nr_vcpus = nr;
		v->preempt_at = v->watch_at = ~0UL;
		v->stack_top = DIRECT_BASE + BOOT_STACK_PA + i * KSTACK_SIZE + KSTACK_TASK_OFF;
		if (vmm.info.guest)
			continue; /* the Sentry sets the pointers itself */
		v->hostcall = vcpu_hostcall_thunk;
		v->run_user = vcpu_run_user_thunk;
		v->fpu_save = vcpu_fpu_save_thunk;
	}
	return 0;
}

static void *thread_main(void *arg)
{
	struct vmm_vcpu *vv = arg;
	uint64_t stack = BOOT_STACK_PA + vv->id * KSTACK_SIZE;
	int rc;

	vcpu_self = vv;
	rc = crash_thread_init();
	if (!rc)
		rc = vmm.info.guest ? 0 : memory_guard(stack, true); /* there the page tables do it */
	if (!rc)
		rc = vmm.ops->vcpu_init(vv->id, vv->shared, &vv->pv);
	if (rc) {
		vmm_fail("cannot start vCPU %u: %s", vv->id, strerror(-rc));
		vcpu_park();
	}
	atomic_store(&vv->state, VCPU_SENTRY);
	atomic_store(&vv->tid, (pid_t)syscall(SYS_gettid));
	if (!vv->id)
		stats_sentry_starts();
	if (vmm.info.guest)
		vcpu_guest_loop(vv);
	vcpu_enter(vv, vv->shared, DIRECT_BASE + stack + KSTACK_TASK_OFF, image_header()->entry);
}

static int create_thread(struct vmm_vcpu *vv)
{
	sigset_t mask;

	/* A vCPU thread takes kicks and faults, nothing else. */
	sigfillset(&mask);
	sigdelset(&mask, KICK_SIGNAL);
	crash_unblock(&mask);
	return thread_start(thread_main, vv, THREAD_STACK, &mask);
}

int vcpu_start(unsigned id)
{
	int rc = 0;

	if (id >= nr_vcpus)
		return -EINVAL;
	pthread_mutex_lock(&start_lock);
	if (!vcpus[id].starting) {
		rc = create_thread(&vcpus[id]);
		vcpus[id].starting = !rc;
	}
	pthread_mutex_unlock(&start_lock);
	return rc;
}

/* ---- kicks ------------------------------------------------------------------------------------------------ */

static long futex(uint32_t *word, int op, uint32_t val, const struct timespec *deadline)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, val, deadline, NULL, FUTEX_BITSET_MATCH_ANY);
}

void vcpu_kick(unsigned id)
{
	struct vmm_vcpu *vv;
	pid_t tid;

	if (id >= nr_vcpus)
		return;
	vv = &vcpus[id];
	__atomic_store_n(&vv->shared->kick_pending, 1, __ATOMIC_SEQ_CST);
	tid = atomic_load(&vv->tid);
	if (!tid)
		return;
	switch (atomic_load(&vv->state)) {
	case VCPU_IDLE:
		futex(&vv->shared->kick_pending, FUTEX_WAKE, 1, NULL);
		break;
	case VCPU_USER:
		/* Ring 0 of the guest looks at kick_pending before it leaves. */
		if (vmm.info.guest && __atomic_load_n(&vv->shared->guest_mode, __ATOMIC_SEQ_CST) != GUEST_MODE_USER)
			break;
		vmm.ops->kick(vv->pv);
		syscall(SYS_tgkill, vmm.pid, tid, KICK_SIGNAL);
		break;
	}
}

void vcpu_kick_all(void)
{
	for (unsigned i = 0; i < nr_vcpus; i++)
		vcpu_kick(i);
}

void vcpu_kick_any(void)
{
	for (unsigned i = 0; i < nr_vcpus; i++) {
		if (atomic_load(&vcpus[i].state) == VCPU_IDLE) {
			vcpu_kick(i);
			return;
		}
	}
	vcpu_kick(0);
}

void vcpu_idle(struct vmm_vcpu *vv, uint64_t deadline)
{
	struct timespec ts = { .tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000 };
	uint32_t *word = &vv->shared->kick_pending;

	atomic_store(&vv->state, VCPU_IDLE);
	while (!__atomic_load_n(word, __ATOMIC_SEQ_CST) && !atomic_load(&vmm.stopping)) {
		long rc = futex(word, FUTEX_WAIT_BITSET, 0, deadline == ~0UL ? NULL : &ts);
		if (rc && errno != EINTR && errno != EAGAIN)
			break; /* ETIMEDOUT */
	}
	atomic_store(&vv->state, VCPU_SENTRY);
}

static int make_timer(struct vmm_vcpu *vv)
{
	struct sigevent sev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KICK_SIGNAL };

	sev._sigev_un._tid = atomic_load(&vv->tid);
	if (timer_create(CLOCK_MONOTONIC, &sev, &vv->timer))
		return -errno;
	vv->have_timer = true;
	return 0;
}

int vcpu_set_timer(struct vmm_vcpu *vv, uint64_t deadline)
{
	struct itimerspec its = { 0 };
	int rc;

	if (deadline == __atomic_load_n(&vv->timer_deadline, __ATOMIC_RELAXED))
		return 0;
	if (!vv->have_timer) {
		rc = make_timer(vv);
		if (rc)
			return rc;
	}
	if (deadline != ~0UL) {
		its.it_value.tv_sec = deadline / 1000000000;
		its.it_value.tv_nsec = deadline % 1000000000;
		if (!its.it_value.tv_sec && !its.it_value.tv_nsec)
			its.it_value.tv_nsec = 1; /* zero would disarm */
	}
	__atomic_store_n(&vv->timer_deadline, deadline, __ATOMIC_RELAXED);
	return timer_settime(vv->timer, TIMER_ABSTIME, &its, NULL) ? -errno : 0;
}

/* ---- out of the Sentry -------------------------------------------------------------------------------------- */

void vcpu_count_hostcall(struct vmm_vcpu *vv, uint64_t nr)
{
	if (nr < HC_MAX)
		__atomic_store_n(&vv->hostcalls[nr], vv->hostcalls[nr] + 1, __ATOMIC_RELAXED);
}

const struct vmm_vcpu *vcpu_get(unsigned id)
{
	return id < nr_vcpus && atomic_load(&vcpus[id].tid) ? &vcpus[id] : NULL;
}

int64_t vcpu_do_hostcall(struct vmm_vcpu *vv, uint64_t nr, const uint64_t args[6])
{
	uint64_t a[6];
	int64_t rc;

	memcpy(a, args, sizeof(a));
	vcpu_count_hostcall(vv, nr);
	rc = hostcall_dispatch(vv, nr, a);
	if (atomic_load_explicit(&vmm.stopping, memory_order_relaxed))
		vcpu_park();
	return rc;
}

void vcpu_tell_ready(void)
{
	if (vmm.cfg.ready_fd < 0 || atomic_exchange(&told_ready, true))
		return;
	if (write(vmm.cfg.ready_fd, "", 1) != 1)
		vmm_log(LOG_WARNING, "nobody listens for the start of the container");
}

void vcpu_tell_warning(const char *fmt, ...)
{
	char text[1024] = "W";
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = 1 + vsnprintf(text + 1, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	vmm_log(LOG_WARNING, "%s", text + 1);
	if (vmm.cfg.ready_fd >= 0 && write(vmm.cfg.ready_fd, text, n < (int)sizeof(text) ? n : (int)sizeof(text) - 1) < 0)
		vmm_log(LOG_WARNING, "nobody listens for warnings");
}

void vcpu_tell_refused(const char *reason)
{
	char text[1024];
	int n = snprintf(text, sizeof(text), "E%s", reason);

	if (vmm.cfg.ready_fd < 0 || atomic_exchange(&told_ready, true))
		return;
	if (write(vmm.cfg.ready_fd, text, n < (int)sizeof(text) ? n : (int)sizeof(text) - 1) < 0)
		vmm_log(LOG_ERR, "%s", reason);
}

int64_t vcpu_do_run_user(struct vmm_vcpu *vv, struct user_context *uc)
{
	bool starting = !stats_application_runs();
	uint64_t rip = 0;
	int64_t rc;

	if (!memory_is_ram((uint64_t)uc, sizeof(*uc)))
		return -EFAULT;
	if (starting) {
		vcpu_tell_ready();
		rip = __atomic_load_n(&uc->regs.rip, __ATOMIC_RELAXED);
		stats_application_entered();
	}
	if (atomic_load(&vmm.stopping)) {
		uc->trap_kind = TRAP_STOPPED;
		return 0;
	}
	atomic_store(&vv->state, VCPU_USER);
	rc = vmm.ops->run_user(vv->pv, uc);
	atomic_store(&vv->state, VCPU_SENTRY);
	if (atomic_load_explicit(&vmm.stopping, memory_order_relaxed))
		vcpu_park();
	/* A fault or a kick at its first instruction is none of its own yet. */
	if (starting && !rc && (uc->trap_kind == TRAP_SYSCALL || uc->regs.rip != rip))
		stats_application_began();
	return rc;
}

int64_t vcpu_do_fpu_save(struct vmm_vcpu *vv, struct user_context *uc)
{
	if (!memory_is_ram((uint64_t)uc, sizeof(*uc)))
		return -EFAULT;
	return vmm.ops->fpu_save(vv->pv, uc);
}
