/* SPDX-License-Identifier: Apache-2.0 */
/* Atomics and reference counts. */
#ifndef LIB_ATOMIC_H
#define LIB_ATOMIC_H

#include "lib/types.h"

#define atomic_load(p)         __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define atomic_store(p, v)     __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define atomic_add(p, v)       __atomic_add_fetch((p), (v), __ATOMIC_SEQ_CST)
#define atomic_sub(p, v)       __atomic_sub_fetch((p), (v), __ATOMIC_SEQ_CST)
#define atomic_xchg(p, v)      __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define atomic_or(p, v)        __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define atomic_and(p, v)       __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
#define atomic_cas(p, old, new) ({ __typeof__(*(p)) _o = (old); \
	__atomic_compare_exchange_n((p), &_o, (new), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); })

/* A reference count: starts at 1; ref_put returns true to the one who must free. */
typedef struct {
	uint32_t n;
} ref_t;

static inline void ref_init(ref_t *r) { r->n = 1; }
static inline void ref_get(ref_t *r) { __atomic_fetch_add(&r->n, 1, __ATOMIC_RELAXED); }
static inline bool ref_put(ref_t *r) MUST_CHECK;
static inline bool ref_put(ref_t *r) { return __atomic_sub_fetch(&r->n, 1, __ATOMIC_ACQ_REL) == 0; }
/* For caches that look objects up without a lock order: fails if the count already fell to zero. */
static inline bool ref_get_unless_zero(ref_t *r)
{
	uint32_t n = atomic_load(&r->n);
	while (n)
		if (__atomic_compare_exchange_n(&r->n, &n, n + 1, true, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return true;
	return false;
}
static inline void cpu_relax(void) { __builtin_ia32_pause(); }

#endif
