/* SPDX-License-Identifier: Apache-2.0 */
/* The random numbers and the arguments that the fuzzer of system calls makes (syscalls_args.c). */
#ifndef TESTS_FUZZ_SYSCALLS_ARGS_H
#define TESTS_FUZZ_SYSCALLS_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE         4096ul
#define BUFFER       ((char *)0x100000000ul) /* 64 pages shared by a family, then one that may be read only, then none */
#define BUFFER_PAGES 64ul
#define PLACE        "/tmp/fuzz"
#define USER         1000

/* Each thread has numbers of its own, which two words decide. */
void seed_with(uint64_t a, uint64_t b);
uint64_t any(void);
uint64_t below(uint64_t n);
bool one_in(uint64_t n);
/* One that code may stumble over: small, a power of two, the largest ... */
uint64_t number(void);
/* Of a file or a directory, there or not; own: in the place where the fuzzer works. */
const char *random_path(bool own);
/* Copies bytes into memory that is passed to system calls, mostly whole and readable; where they are. */
uint64_t put(const void *bytes, size_t size);
uint64_t put_string(const char *s);
/* To memory that may be anything. */
uint64_t pointer(void);
/* Numbers of a task of the family, and of a signal that does not end the fuzzer. */
uint64_t task(void);
uint64_t signal_number(void);
/* An argument of a kind of syscalls_table.h; *list: what is left of the call's values, and is used up by it. */
uint64_t argument(char kind, const uint64_t **list);

/* By itself, so that a child on its parent's stack (vfork) can make it, and with errno left alone. */
static inline __attribute__((always_inline)) long raw(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
													  uint64_t e, uint64_t f)
{
	register uint64_t r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
	long result;

	asm volatile("syscall"
				 : "=a"(result)
				 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
				 : "rcx", "r11", "memory");
	return result;
}

#endif
