/* SPDX-License-Identifier: Apache-2.0 */
/* The first program of every new platform: write and exit, without a C library. */
#include <asm/unistd.h>

static long call3(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return r;
}

void _start(void);
void _start(void)
{
	static const char text[] = "hello\n";

	call3(__NR_exit, call3(__NR_write, 1, (long)text, 6) == 6 ? 0 : 1, 0, 0);
	__builtin_trap();
}
