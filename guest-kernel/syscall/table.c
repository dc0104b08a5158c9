/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatch array and names, from the one list; every number is checked against the kernel's header. */
#include "syscall/table_impl.h"

#include <asm/unistd.h>

#define CHECK(nr, name, handler, support, note) _Static_assert(nr == __NR_##name, #name);
SYSCALLS(CHECK)
#undef CHECK

#define FULL    SYSCALL_FULL
#define PARTIAL SYSCALL_PARTIAL
#define NONE    SYSCALL_NONE
const struct syscall_entry syscall_table[SYSCALL_MAX] = {
#define ENTRY(nr, name, handler, support, note) [nr] = {handler, #name, support},
	SYSCALLS(ENTRY)
#undef ENTRY
};

const char *syscall_name(uint64_t nr)
{
	return nr < SYSCALL_MAX && syscall_table[nr].name ? syscall_table[nr].name : "unknown";
}
