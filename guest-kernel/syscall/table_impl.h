/* SPDX-License-Identifier: Apache-2.0 */
/* The table as dispatch.c and strace.c see it. */
#ifndef SYSCALL_TABLE_IMPL_H
#define SYSCALL_TABLE_IMPL_H

#include "syscall/syscall.h"

enum syscall_support { SYSCALL_NONE, SYSCALL_PARTIAL, SYSCALL_FULL };

struct syscall_entry {
	syscall_fn fn;
	const char *name;
	uint8_t support;
};

#define SYSCALL_MAX 451
extern const struct syscall_entry syscall_table[SYSCALL_MAX];

struct strace_state {
	uint64_t start;
	char args[320]; /* decoded before the call: it may overwrite its own arguments */
};
void strace_enter(struct strace_state *s, uint64_t nr, const struct sysargs *a);
void strace_exit(const struct strace_state *s, uint64_t nr, int64_t result);

#endif
