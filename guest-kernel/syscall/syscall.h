/* SPDX-License-Identifier: Apache-2.0 */
/* System call entry: arguments, dispatch, the table of support. */
#ifndef SYSCALL_SYSCALL_H
#define SYSCALL_SYSCALL_H

#include "lib/types.h"
#include "syscall/table.h"

/* The six arguments, copied from registers once. Handlers decode them all first. */
struct sysargs {
	uint64_t a[6];
};

static inline int arg_int(const struct sysargs *s, int i) { return (int)s->a[i]; }
static inline uint32_t arg_u32(const struct sysargs *s, int i) { return (uint32_t)s->a[i]; }
static inline uint64_t arg_u64(const struct sysargs *s, int i) { return s->a[i]; }
static inline int64_t arg_i64(const struct sysargs *s, int i) { return (int64_t)s->a[i]; }
static inline uva_t arg_uva(const struct sysargs *s, int i) { return (uva_t){s->a[i]}; }

typedef int64_t (*syscall_fn)(const struct sysargs *a);

#define SYSCALL_DECLARE(nr, name, handler, support, note) int64_t handler(const struct sysargs *a);
SYSCALLS(SYSCALL_DECLARE) /* sys_enosys is declared more than once, which C allows */
#undef SYSCALL_DECLARE

/* Runs the system call in current->uc.regs and stores the result in rax. */
void syscall_dispatch(void);
const char *syscall_name(uint64_t nr);

#endif
