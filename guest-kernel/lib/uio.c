/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Iterators over the bytes of a read or write. A user iterator walks its copied-in iovec array by moving vec forward
 * and keeping off, the bytes of vec[0] already consumed; iter_revert walks back over the same array.
 */
#include "lib/uio.h"

#include "lib/string.h"

void iter_kernel(struct iter *it, void *buf, size_t n, bool dest)
{
	*it = (struct iter){.kernel = true, .dest = dest, .count = n, .kbuf = buf};
}

void iter_user(struct iter *it, uva_t buf, size_t n, bool dest)
{
	*it = (struct iter){.dest = dest, .count = n};
	it->single = (struct uiovec){buf, n};
	it->vec = &it->single;
	it->nvec = 1;
}

/* vec must live as long as the iterator. */
static void iter_vec(struct iter *it, const struct uiovec *vec, uint32_t n, bool dest)
{
	*it = (struct iter){.dest = dest};
	it->vec = vec;
	it->nvec = n;
	for (uint32_t i = 0; i < n; i++)
		it->count += vec[i].len;
}

int iter_import(struct iter *it, uva_t uvec, uint64_t nvec, bool dest, struct uiovec fast[8], struct uiovec **out)
{
	struct uiovec *vec = fast;
	uint64_t total = 0;
	int r;

	*out = fast;
	if (nvec > UIO_MAXIOV)
		return -EINVAL;
	if (nvec > 8) {
		vec = kmalloc(nvec * sizeof(*vec));
		if (!vec)
			return -ENOMEM;
	}
	r = copy_in(vec, uvec, nvec * sizeof(*vec));
	for (uint64_t i = 0; !r && i < nvec; i++) {
		if ((int64_t)vec[i].len < 0)
			r = -EINVAL;
		else if (vec[i].base.v > USER_MAX || vec[i].len > USER_MAX - vec[i].base.v)
			r = -EFAULT;
		else {
			vec[i].len = MIN(vec[i].len, RW_MAX - total);
			total += vec[i].len;
		}
	}
	if (r) {
		if (vec != fast)
			kfree(vec);
		return r;
	}
	*out = vec;
	iter_vec(it, vec, nvec, dest);
	return 0;
}

void iter_free_vec(struct uiovec *vec, struct uiovec fast[8])
{
	if (vec && vec != fast)
		kfree(vec);
}

/* Steps over exhausted and empty elements so that vec[0] has bytes left; false at the end. */
static bool normalize(struct iter *it)
{
	while (it->nvec && it->off >= it->vec[0].len) {
		it->vec++;
		it->nvec--;
		it->off = 0;
	}
	return it->nvec != 0;
}

void iter_advance(struct iter *it, size_t n)
{
	n = MIN(n, it->count);
	it->count -= n;
	if (it->kernel) {
		it->kbuf += n;
		return;
	}
	while (n && normalize(it)) {
		size_t step = MIN(n, it->vec[0].len - it->off);
		it->off += step;
		n -= step;
	}
}

void iter_revert(struct iter *it, size_t n)
{
	it->count += n;
	if (it->kernel) {
		it->kbuf -= n;
		return;
	}
	while (n > it->off) {
		n -= it->off;
		it->vec--;
		it->nvec++;
		it->off = it->vec[0].len;
	}
	it->off -= n;
}

enum iter_op { ITER_TO, ITER_FROM, ITER_ZERO };

static size_t move_user(enum iter_op op, uva_t u, char *k, size_t n)
{
	switch (op) {
	case ITER_TO:
		return copy_out_partial(u, k, n);
	case ITER_FROM:
		return copy_in_partial(k, u, n);
	default:
		break;
	}
	/* Page by page, so that what preceded a fault counts. */
	size_t done = 0;
	while (done < n) {
		size_t step = MIN(n - done, PAGE_SIZE - ((u.v + done) & (PAGE_SIZE - 1)));
		if (clear_user(uva_add(u, done), step))
			break;
		done += step;
	}
	return done;
}

static size_t iter_move(struct iter *it, enum iter_op op, char *k, size_t n)
{
	size_t done = 0;

	n = MIN(n, it->count);
	if (it->kernel) {
		if (op == ITER_TO)
			memcpy(it->kbuf, k, n);
		else if (op == ITER_FROM)
			memcpy(k, it->kbuf, n);
		else
			memset(it->kbuf, 0, n);
		it->kbuf += n;
		it->count -= n;
		return n;
	}
	while (done < n && normalize(it)) {
		size_t step = MIN(n - done, it->vec[0].len - it->off);
		size_t moved = move_user(op, uva_add(it->vec[0].base, it->off), k ? k + done : NULL, step);
		it->off += moved;
		it->count -= moved;
		done += moved;
		if (moved < step)
			break;
	}
	return done;
}

size_t iter_copy_to(struct iter *it, const void *src, size_t n)
{
	return iter_move(it, ITER_TO, (char *)src, n);
}

size_t iter_copy_from(struct iter *it, void *dst, size_t n)
{
	return iter_move(it, ITER_FROM, dst, n);
}

size_t iter_zero(struct iter *it, size_t n)
{
	return iter_move(it, ITER_ZERO, NULL, n);
}

ssize_t_ iter_pin(struct iter *it, size_t max, struct pin_set *out)
{
	const struct uiovec *vec;
	size_t n, done = 0;
	uint64_t off;

	out->n = 0;
	out->write = it->dest;
	out->kernel = false;
	n = MIN(max, it->count);
	if (!n)
		return 0;
	if (it->kernel)
		return mm_pin_kernel(it->kbuf, n, out);
	normalize(it);
	vec = it->vec;
	off = it->off;
	while (done < n && out->n < HC_IOV_MAX) {
		size_t step = MIN(n - done, vec->len - off);
		ssize_t_ r = step ? mm_pin_append(uva_add(vec->base, off), step, it->dest, out) : 0;

		if (r < 0)
			return done ? (ssize_t_)done : r;
		done += r;
		if ((size_t)r < step)
			break;
		vec++;
		off = 0;
	}
	return done;
}
