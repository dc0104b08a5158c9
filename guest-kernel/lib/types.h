/* SPDX-License-Identifier: Apache-2.0 */
/* Base types of the Sentry. Linux UAPI headers (linux/..., asm/...) are the ABI we implement and may be included;
 * no libc header may. */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/errno.h>

typedef int64_t ssize_t_; /* results: bytes or -errno */
typedef int64_t loff_t_;

/* An address in application memory: never dereferenced, only passed to copy_in/copy_out and friends. */
typedef struct {
	uint64_t v;
} uva_t;

/* A guest-physical address: RAM or a file window. */
typedef struct {
	uint64_t v;
} pa_t;

static inline uva_t uva(uint64_t v) { return (uva_t){v}; }
static inline uva_t uva_add(uva_t a, uint64_t n) { return (uva_t){a.v + n}; }
static inline pa_t pa(uint64_t v) { return (pa_t){v}; }

#define UVA_NULL ((uva_t){0})

/* Results inside the kernel that never reach an application (see signal.h: restart rules). */
#define ERESTARTSYS          512 /* restart if SA_RESTART or no handler */
#define ERESTARTNOINTR       513 /* always restart */
#define ERESTARTNOHAND       514 /* restart if no handler ran */
#define ENOIOCTLCMD          515
#define ERESTART_RESTARTBLOCK 516 /* restart through sys_restart_syscall */

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define MIN(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a < _b ? _a : _b; })
#define MAX(a, b) ({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); _a > _b ? _a : _b; })
#define ROUND_UP(x, a)   (((x) + ((a) - 1)) & ~((__typeof__(x))(a) - 1))
#define ROUND_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define MUST_CHECK __attribute__((warn_unused_result))
#define NORETURN   __attribute__((noreturn))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
/* On the way of each system call or fault: such functions stand together. And off it. */
#define HOT_PATH  __attribute__((hot))
#define COLD_PATH __attribute__((cold, noinline))
#define NOINLINE __attribute__((noinline))
#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define barrier() __asm__ volatile("" ::: "memory")

/* Kernel pointers that may carry -errno, as in Linux. */
#define IS_ERR(p) ((uint64_t)(p) >= (uint64_t)-4095)
#define PTR_ERR(p) ((int)(int64_t)(p))
#define ERR_PTR(e) ((void *)(int64_t)(e))

#endif
