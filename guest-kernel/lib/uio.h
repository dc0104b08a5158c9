/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct iter: where bytes of a read or write come from or go to: user memory (one buffer or an iovec array, copied
 * in already) or kernel memory.
 */
#ifndef LIB_UIO_H
#define LIB_UIO_H

#include "mm/mm.h"

struct uiovec {
	uva_t base;
	uint64_t len;
};

#define UIO_MAXIOV 1024
#define RW_MAX 0x7ffff000UL /* most bytes one read or write moves */

struct iter {
	bool kernel;
	bool dest;             /* data flows into the iterator (a read) */
	size_t count;          /* bytes left */
	union {
		char *kbuf;
		struct {
			const struct uiovec *vec;
			uint32_t nvec;
			uint64_t off;  /* in vec[0] */
		};
	};
	struct uiovec single;
};

void iter_kernel(struct iter *it, void *buf, size_t n, bool dest);
void iter_user(struct iter *it, uva_t buf, size_t n, bool dest);
/* Copies and validates a user iovec array (EINVAL, EFAULT); *out is kmalloc'ed unless n fits in fast[8]. total is
 * clamped to RW_MAX. Free with iter_free_vec. */
int iter_import(struct iter *it, uva_t vec, uint64_t nvec, bool dest, struct uiovec fast[8], struct uiovec **out);
void iter_free_vec(struct uiovec *vec, struct uiovec fast[8]);

/* Move bytes and advance. Return the number moved, short at a fault. */
size_t iter_copy_to(struct iter *it, const void *src, size_t n);   /* dest iterators */
size_t iter_copy_from(struct iter *it, void *dst, size_t n);       /* source iterators */
size_t iter_zero(struct iter *it, size_t n);
void iter_advance(struct iter *it, size_t n);
/* Undoes the last n bytes of advance (within the same call). */
void iter_revert(struct iter *it, size_t n);
/* Pins the next bytes for host I/O (at most HC_IOV_MAX ranges); does not advance. Bytes covered, or -EFAULT/-EAGAIN. */
ssize_t_ iter_pin(struct iter *it, size_t max, struct pin_set *out) MUST_CHECK;

#endif
