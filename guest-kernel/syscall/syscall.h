/* SPDX-License-Identifier: Apache-2.0 */
/* System calls: arguments and handlers. */
#ifndef SYSCALL_SYSCALL_H
#define SYSCALL_SYSCALL_H

#include "abi/boot.h"
#include "lib/types.h"
#include "syscall/table.h"

/* The six arguments, where the trap left them: in the registers of the current task. Handlers decode them all first, since
 * a tracer or the handler itself (exec, sigreturn) may change registers later on. */
struct sysargs {
	struct user_regs regs;
};

static inline uint64_t arg_u64(const struct sysargs *s, int i)
{
	const struct user_regs *r = &s->regs;

	switch (i) {
	case 0:
		return r->rdi;
	case 1:
		return r->rsi;
	case 2:
		return r->rdx;
	case 3:
		return r->r10;
	case 4:
		return r->r8;
	default:
		return r->r9;
	}
}
static inline int arg_int(const struct sysargs *s, int i) { return (int)arg_u64(s, i); }
static inline uint32_t arg_u32(const struct sysargs *s, int i) { return (uint32_t)arg_u64(s, i); }
static inline int64_t arg_i64(const struct sysargs *s, int i) { return (int64_t)arg_u64(s, i); }
static inline uva_t arg_uva(const struct sysargs *s, int i) { return (uva_t){arg_u64(s, i)}; }

typedef int64_t (*syscall_fn)(const struct sysargs *a);

#define SYSCALL_DECLARE(nr, name, handler, support, note) int64_t handler(const struct sysargs *a);
SYSCALLS(SYSCALL_DECLARE) /* sys_enosys is declared more than once, which C allows */
#undef SYSCALL_DECLARE

const char *syscall_name(uint64_t nr);

#endif
