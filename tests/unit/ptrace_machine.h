/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine for the tests of the ptrace platform: RAM, page tables, vCPUs and tasks, made without a Sentry. A test makes a
 * space, puts code and pages into it, and runs tasks on the thread's vCPU.
 */
#ifndef TESTS_PTRACE_MACHINE_H
#define TESTS_PTRACE_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform.h"

/* bits of page table entries */
#define P 1UL
#define W 2UL
#define U 4UL
#define NX (1UL << 63)

#define CODE 0x400000UL
#define DATA 0x7ff000000000UL

struct cpu {
	struct vcpu *v;
	struct platform_vcpu *pv;
};

struct space {
	uint64_t cr3, code_pa;
};

extern const struct platform_ops *const ops;
extern struct cpu cpu0;                          /* of the thread that runs the tests */
extern __thread struct platform_vcpu *own_vcpu;  /* of each thread: whom its signals kick */
extern int window_fd;                            /* the file behind the first file window */

/* Around all tests: cmocka's group functions. */
int machine_setup(void **state);
int machine_teardown(void **state);

void *ram(uint64_t pa);
/* Physical addresses of fresh RAM; page_new's is zeroed. */
uint64_t pages_new(uint64_t bytes);
uint64_t page_new(void);
/* The entry of a page, with the tables above it made as needed. */
uint64_t *pte_of(uint64_t cr3, uint64_t va);
struct cpu cpu_new(unsigned id);
/* A space with one page of code at CODE, and a task that begins there. */
struct space space_new(void);
struct user_context *task_new(const struct space *s);
void code(const struct space *s, const void *bytes, size_t n);
#define CODE_BYTES(s, ...) code(s, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
/* On cpu0. */
int run(struct user_context *uc);
void flush(uint64_t cr3, uint64_t start, uint64_t len);

#endif
