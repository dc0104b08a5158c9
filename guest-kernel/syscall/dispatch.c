/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a TRAP_SYSCALL to its handler, where somebody looks on. Calls that we do not have answer ENOSYS and are logged once
 * each, with their name, so that an operator sees what a program wanted.
 */
#include "arch/cpu.h"
#include "boot/boot.h"
#include "lib/atomic.h"
#include "lib/log.h"
#include "syscall/dispatch.h"
#include "task/seccomp.h"
#include "task/task.h"

static uint64_t logged[(SYSCALL_MAX + 63) / 64]; /* atomic bits */

int64_t sys_enosys(const struct sysargs *a)
{
	uint64_t nr = (uint64_t)current->syscall_nr;

	if (nr >= SYSCALL_MAX) {
		pr_debug("%s[%d]: system call %lu does not exist", current->comm, current->vtid, nr);
		return -ENOSYS;
	}
	uint64_t bit = 1UL << (nr % 64);
	if (!(atomic_or(&logged[nr / 64], bit) & bit))
		pr_info("%s[%d]: system call %s is not there: ENOSYS", current->comm, current->vtid, syscall_name(nr));
	return -ENOSYS;
}

static int64_t traced(syscall_fn fn, uint64_t nr, const struct sysargs *a)
{
	struct strace_state s;

	strace_enter(&s, nr, a);
	int64_t r = fn(a);
	strace_exit(&s, nr, r);
	return r;
}

void syscall_dispatch_watched(struct task *t)
{
	struct user_regs *r = &t->uc.regs;
	const struct sysargs *a = (const struct sysargs *)r;
	uint64_t nr = (uint32_t)r->orig_rax;

	r->rax = (uint64_t)-ENOSYS;
	if (t->ptrace.tracer) {
		if (!ptrace_syscall_enter(t))
			return;
		nr = (uint32_t)r->orig_rax;
		t->syscall_nr = (int64_t)nr;
		if ((int32_t)r->orig_rax == -1) { /* skipped: rax is what the tracer made it */
			ptrace_syscall_exit(t);
			return;
		}
	}
	if (t->seccomp_mode) {
		bool go = seccomp_check(nr, a);
		if (go || t->ptrace.tracer) { /* a tracer may have changed it, and be gone since */
			nr = (uint32_t)r->orig_rax;
			t->syscall_nr = (int64_t)nr;
		}
		if (!go) { /* the filter's answer is in the registers */
			if (t->ptrace.tracer)
				ptrace_syscall_exit(t);
			return;
		}
	}
	syscall_fn fn = syscall_handler(nr);
	r->rax = (uint64_t)(boot.strace ? traced(fn, nr, a) : fn(a));
	if (t->ptrace.tracer)
		ptrace_syscall_exit(t);
}
