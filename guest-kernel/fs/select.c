// SPDX-License-Identifier: Apache-2.0
/* select(2), pselect6(2): descriptor sets over the same waiting as poll. */
#include "fs/poll_waits.h"

#include "lib/string.h"
#include "mm/page.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "time/timespec.h"

#define IN_EVENTS  (EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define OUT_EVENTS (EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR)
#define EX_EVENTS  EPOLLPRI

#define SELECT_MAX_FDS 1048576

enum { SET_IN, SET_OUT, SET_EX, NR_SETS };

struct fd_sets {
	uint64_t *want[NR_SETS], *have[NR_SETS];
	uint32_t words; /* of each set */
	int n;          /* descriptors below this are looked at */
};

static const uint32_t set_events[NR_SETS] = {IN_EVENTS, OUT_EVENTS, EX_EVENTS};

/* One descriptor: its bits in the results, or -EBADF. */
static int64_t select_one(struct fd_sets *s, int fd, struct poll_waits *w)
{
	uint32_t word = (uint32_t)fd / 64, mask, wanted = 0;
	uint64_t bit = 1UL << (fd % 64);
	struct file *f;
	int64_t count = 0;

	for (int i = 0; i < NR_SETS; i++)
		if (s->want[i][word] & bit)
			wanted |= set_events[i];
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	w->pt.events = wanted;
	mask = file_poll(f, &w->pt);
	file_put(f);
	for (int i = 0; i < NR_SETS; i++) {
		if (!(s->want[i][word] & bit) || !(mask & set_events[i]))
			continue;
		s->have[i][word] |= bit;
		count++;
	}
	return count;
}

static int64_t select_pass(void *arg, struct poll_waits *w)
{
	struct fd_sets *s = arg;
	int64_t count = 0, r;

	for (uint32_t word = 0; word < s->words; word++) {
		uint64_t all = s->want[SET_IN][word] | s->want[SET_OUT][word] | s->want[SET_EX][word];

		for (; all; all &= all - 1) {
			int fd = (int)(word * 64) + __builtin_ctzll(all);

			if (fd >= s->n)
				break;
			r = select_one(s, fd, w);
			if (r < 0)
				return r;
			count += r;
			if (r)
				poll_waits_registered(w);
		}
	}
	return count;
}

static int64_t do_select(int n, const uva_t user[NR_SETS], uint64_t deadline)
{
	struct fd_sets s;
	uint64_t fast[NR_SETS * 2 * 4], *buf = fast; /* up to 256 descriptors */
	size_t bytes;
	int64_t r;

	if (n < 0)
		return -EINVAL;
	n = MIN(n, SELECT_MAX_FDS);
	s.n = n;
	s.words = (uint32_t)(n + 63) / 64;
	bytes = s.words * sizeof(uint64_t);
	if (s.words > 4) {
		buf = kmalloc(bytes * NR_SETS * 2);
		if (!buf)
			return -ENOMEM;
	}
	memset(buf, 0, bytes * NR_SETS * 2);
	r = -EFAULT;
	for (int i = 0; i < NR_SETS; i++) {
		s.want[i] = buf + s.words * (uint32_t)i;
		s.have[i] = buf + s.words * (uint32_t)(i + NR_SETS);
		if (user[i].v && copy_in(s.want[i], user[i], bytes))
			goto out;
	}
	r = poll_waits_run(select_pass, &s, deadline);
	if (r < 0)
		goto out;
	for (int i = 0; i < NR_SETS; i++)
		if (user[i].v && copy_out(user[i], s.have[i], bytes))
			r = -EFAULT;
out:
	if (buf != fast)
		kfree(buf);
	return r;
}

int64_t sys_select(const struct sysargs *a)
{
	const uva_t sets[NR_SETS] = {arg_uva(a, 1), arg_uva(a, 2), arg_uva(a, 3)};
	struct poll_timeout timeout;
	int err = poll_timeout_in(&timeout, POLL_TIMEVAL, arg_uva(a, 4));

	if (err)
		return err;
	return poll_timeout_finish(&timeout, do_select(arg_int(a, 0), sets, timeout.deadline));
}

int64_t sys_pselect6(const struct sysargs *a)
{
	const uva_t sets[NR_SETS] = {arg_uva(a, 1), arg_uva(a, 2), arg_uva(a, 3)};
	uva_t umask = arg_uva(a, 5);
	struct {
		uint64_t mask, size;
	} m = {0, 0};
	struct poll_timeout timeout;
	int err;

	if (umask.v && copy_in_struct(&m, umask))
		return -EFAULT;
	err = poll_timeout_in(&timeout, POLL_TIMESPEC, arg_uva(a, 4));
	if (!err)
		err = poll_set_mask(uva(m.mask), m.size);
	if (err)
		return err;
	return poll_timeout_finish(&timeout, do_select(arg_int(a, 0), sets, timeout.deadline));
}
