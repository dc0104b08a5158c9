// SPDX-License-Identifier: Apache-2.0
/*
 * Bytes between a host file and an iterator, in as few hostcalls as possible.
 *
 * Small transfers go through a bounce buffer (one copy is cheaper than pinning); larger ones move straight between
 * the host file and the user's frames. Frames of a file window cannot be pinned (-EAGAIN): they bounce.
 */
#include "fs/gofer.h"

#include "signal/signal.h"

#define BOUNCE_SMALL 4096UL
#define BOUNCE_LARGE 65536UL
#define PIN_MAX      (1UL << 20)

static bool in_direct_ram(const void *p, size_t n)
{
	uint64_t a = (uint64_t)p;
	return a >= DIRECT_BASE && a + n >= a && a + n <= DIRECT_BASE + RAM_PA_END;
}

/* *asked, here and below: how many bytes the host was asked for. */
static ssize_t_ move_kernel(struct gofer_handle *h, struct iter *it, uint64_t off, bool write, size_t *asked)
{
	struct hc_iov iov = {(uint64_t)it->kbuf, MIN(it->count, PIN_MAX)};
	*asked = iov.len;
	ssize_t_ n = hostcall4(write ? HC_FS_PWRITEV : HC_FS_PREADV, h->h, &iov, 1, off);
	if (n > 0)
		iter_advance(it, n);
	return n;
}

static ssize_t_ move_bounce(struct gofer_handle *h, struct iter *it, uint64_t off, bool write, size_t *asked)
{
	size_t want = *asked = MIN(it->count, BOUNCE_LARGE);
	void *buf = kmalloc(want);
	if (!buf)
		return -ENOMEM;
	struct hc_iov iov = {(uint64_t)buf, want};
	ssize_t_ n;
	if (write) {
		iov.len = iter_copy_from(it, buf, want);
		n = iov.len ? hostcall4(HC_FS_PWRITEV, h->h, &iov, 1, off) : -EFAULT;
		if (iov.len && n < (ssize_t_)iov.len)
			iter_revert(it, n < 0 ? iov.len : iov.len - n);
	} else {
		n = hostcall4(HC_FS_PREADV, h->h, &iov, 1, off);
		if (n > 0) {
			size_t copied = iter_copy_to(it, buf, n);
			n = copied ? (ssize_t_)copied : -EFAULT;
		}
	}
	kfree(buf);
	return n;
}

static ssize_t_ move_pinned(struct gofer_handle *h, struct iter *it, uint64_t off, bool write, size_t *asked)
{
	struct pin_set *pin = kmalloc(sizeof(*pin));
	if (!pin)
		return -ENOMEM;
	ssize_t_ n = iter_pin(it, PIN_MAX, pin);
	if (n > 0) {
		*asked = (size_t)n;
		n = hostcall4(write ? HC_FS_PWRITEV : HC_FS_PREADV, h->h, pin->iov, pin->n, off);
		mm_unpin(pin, !write);
		if (n > 0)
			iter_advance(it, n);
		if (n == -EFAULT)
			n = -EAGAIN;
	}
	kfree(pin);
	return n;
}

static ssize_t_ move_some(struct gofer_handle *h, struct iter *it, uint64_t off, bool write, size_t *asked)
{
	if (it->kernel && in_direct_ram(it->kbuf, it->count))
		return move_kernel(h, it, off, write, asked);
	if (it->kernel || it->count <= BOUNCE_SMALL)
		return move_bounce(h, it, off, write, asked);
	ssize_t_ n = move_pinned(h, it, off, write, asked);
	return n == -EAGAIN || n == -EFAULT ? move_bounce(h, it, off, write, asked) : n;
}

ssize_t_ gofer_transfer(struct gofer_handle *h, struct iter *it, uint64_t off, bool write)
{
	size_t done = 0, asked = 0;
	while (it->count) {
		ssize_t_ n = move_some(h, it, off, write, &asked);
		if (n < 0)
			return done ? (ssize_t_)done : n;
		if (!n)
			break;
		done += n;
		if (off != UINT64_MAX)
			off += n;
		if (!write && (size_t)n < asked)
			break; /* the file's end: the host need not say it twice */
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}
