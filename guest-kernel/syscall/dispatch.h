/* SPDX-License-Identifier: Apache-2.0 */
/* From a TRAP_SYSCALL to its handler; for the user loop, which has this inline. */
#ifndef SYSCALL_DISPATCH_H
#define SYSCALL_DISPATCH_H

#include "boot/boot.h"
#include "syscall/table_impl.h"
#include "task/task.h"

static inline syscall_fn syscall_handler(uint64_t nr)
{
	return likely(nr < SYSCALL_MAX && syscall_table[nr].fn) ? syscall_table[nr].fn : sys_enosys;
}

/* For a tracer, seccomp filters, or the log of system calls. */
void syscall_dispatch_watched(struct task *t);

/* Runs the system call in the registers of t, the current task, and stores the result in rax. */
static inline void syscall_dispatch(struct task *t)
{
	struct user_regs *r = &t->uc.regs;
	uint64_t nr = (uint32_t)r->orig_rax;

	t->syscall_nr = (int64_t)nr;
	if (unlikely(t->ptrace.tracer || t->seccomp_mode || boot.strace)) {
		syscall_dispatch_watched(t);
		return;
	}
	r->rax = (uint64_t)syscall_handler(nr)((const struct sysargs *)r);
	/* Somebody may have begun to trace it during the call. */
	if (unlikely(t->ptrace.tracer))
		ptrace_syscall_exit(t);
}

#endif
