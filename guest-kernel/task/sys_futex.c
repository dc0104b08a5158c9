// SPDX-License-Identifier: Apache-2.0
/* futex(2) and futex_waitv(2): decoding, time-outs, restarts. */
#include "task/futex_impl.h"

#include "lib/string.h"
#include "mm/page.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "time/timespec.h"

/* restart_data of an interrupted wait with a deadline. */
enum { RD_ADDR, RD_SHARED, RD_VAL, RD_DEADLINE, RD_BITSET };

static int64_t wait_restart(struct task *t);

static int64_t wait_restartable(uva_t addr, bool shared, uint32_t val, uint64_t deadline, uint32_t bitset)
{
	struct task *t = current;
	int r = futex_wait(addr, shared, val, deadline, bitset);

	if (r != -ERESTARTSYS || deadline == DEADLINE_NEVER)
		return r;
	t->restart_data[RD_ADDR] = addr.v;
	t->restart_data[RD_SHARED] = shared;
	t->restart_data[RD_VAL] = val;
	t->restart_data[RD_DEADLINE] = deadline;
	t->restart_data[RD_BITSET] = bitset;
	t->restart_fn = wait_restart;
	return -ERESTART_RESTARTBLOCK;
}

static int64_t wait_restart(struct task *t)
{
	uint64_t *d = t->restart_data;

	return wait_restartable(uva(d[RD_ADDR]), d[RD_SHARED], (uint32_t)d[RD_VAL], d[RD_DEADLINE], (uint32_t)d[RD_BITSET]);
}

static bool takes_timeout(int cmd)
{
	return cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI || cmd == FUTEX_LOCK_PI2 ||
	       cmd == FUTEX_WAIT_REQUEUE_PI;
}

static int read_deadline(int cmd, bool realtime, uva_t uts, uint64_t *deadline)
{
	uint64_t ns;
	int err;

	*deadline = DEADLINE_NEVER;
	if (!takes_timeout(cmd) || !uts.v)
		return 0;
	err = timespec_in(uts, &ns);
	if (err)
		return err;
	if (cmd == FUTEX_WAIT)
		*deadline = deadline_after(ns);
	else
		*deadline = deadline_of_clock(realtime || cmd == FUTEX_LOCK_PI ? CLOCK_REALTIME : CLOCK_MONOTONIC, ns);
	return 0;
}

int64_t sys_futex(const struct sysargs *a)
{
	uva_t addr = arg_uva(a, 0), addr2 = arg_uva(a, 4);
	int op = arg_int(a, 1), cmd = op & FUTEX_CMD_MASK;
	bool shared = !(op & FUTEX_PRIVATE_FLAG), realtime = op & FUTEX_CLOCK_REALTIME;
	uint32_t val = arg_u32(a, 2), val3 = arg_u32(a, 5);
	int val2 = arg_int(a, 3);
	uint64_t deadline;
	int err;

	if (realtime && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_WAIT_REQUEUE_PI && cmd != FUTEX_LOCK_PI2)
		return -ENOSYS;
	err = read_deadline(cmd, realtime, arg_uva(a, 3), &deadline);
	if (err)
		return err;
	switch (cmd) {
	case FUTEX_WAIT:
		return wait_restartable(addr, shared, val, deadline, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET:
		return wait_restartable(addr, shared, val, deadline, val3);
	case FUTEX_WAKE:
		return futex_wake(addr, shared, (int)val, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(addr, shared, (int)val, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(addr, addr2, shared, (int)val, val2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(addr, addr2, shared, (int)val, val2, &val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(addr, addr2, shared, (int)val, val2, val3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return futex_lock_pi(addr, shared, deadline, false);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(addr, shared, DEADLINE_NEVER, true);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(addr, shared);
	case FUTEX_WAIT_REQUEUE_PI:
		return futex_wait_requeue_pi(addr, shared, val, deadline, FUTEX_BITSET_MATCH_ANY, addr2);
	case FUTEX_CMP_REQUEUE_PI:
		return futex_cmp_requeue_pi(addr, addr2, shared, (int)val, val2, val3);
	default:
		return -ENOSYS;
	}
}

/* ---- futex_waitv ---- */

struct waitv_entry {
	struct futex_q q;
	struct futex_word w;
	uint32_t val;
};

/* Takes the first n entries off their queues. Index of a woken one, or -1. */
static int waitv_leave(struct waitv_entry *e, int n)
{
	int woken = -1;

	for (int i = 0; i < n; i++) {
		futex_q_lock(&e[i].q);
		if (list_empty(&e[i].q.link) && woken < 0)
			woken = i;
		list_del(&e[i].q.link);
		spin_unlock(&e[i].q.bucket->lock);
	}
	return woken;
}

static int waitv_read(struct waitv_entry *e, uva_t uwaiters, uint32_t n)
{
	struct futex_waitv v;

	for (uint32_t i = 0; i < n; i++) {
		if (copy_in_struct(&v, uva_add(uwaiters, i * sizeof(v))))
			return -EFAULT;
		if ((v.flags & ~(uint32_t)(FUTEX_32 | FUTEX_PRIVATE_FLAG)) || !(v.flags & FUTEX_32) || v.__reserved)
			return -EINVAL;
		e[i].val = (uint32_t)v.val;
		e[i].w.addr = uva(v.uaddr);
		e[i].w.shared = !(v.flags & FUTEX_PRIVATE_FLAG);
		futex_q_init(&e[i].q, FUTEX_BITSET_MATCH_ANY);
	}
	return 0;
}

static bool any_woken(struct waitv_entry *e, int n)
{
	for (int i = 0; i < n; i++)
		if (READ_ONCE(e[i].q.link.next) == &e[i].q.link)
			return true;
	return false;
}

static int waitv_sleep(struct waitv_entry *e, int n, uint64_t deadline)
{
	int r = 0;

	while (!r) {
		task_prepare_wait(true);
		if (any_woken(e, n))
			break;
		r = task_sleep(deadline);
	}
	task_finish_wait();
	return r;
}

static int waitv(struct waitv_entry *e, int n, uint64_t deadline)
{
	int r, woken;

	for (int i = 0; i < n; i++) {
		r = futex_word_init(&e[i].w, e[i].w.addr, e[i].w.shared, false);
		if (!r)
			r = futex_wait_setup(&e[i].q, &e[i].w, e[i].val);
		if (r) {
			woken = waitv_leave(e, i);
			return woken >= 0 ? woken : r;
		}
	}
	r = waitv_sleep(e, n, deadline);
	woken = waitv_leave(e, n);
	return woken >= 0 ? woken : r;
}

int64_t sys_futex_waitv(const struct sysargs *a)
{
	uva_t uwaiters = arg_uva(a, 0), uts = arg_uva(a, 3);
	uint32_t n = arg_u32(a, 1), flags = arg_u32(a, 2);
	int clockid = arg_int(a, 4), r;
	uint64_t deadline = DEADLINE_NEVER, ns;
	struct waitv_entry *e;

	if (flags || !n || n > FUTEX_WAITV_MAX || !uwaiters.v)
		return -EINVAL;
	if (uts.v) {
		if (clockid != CLOCK_REALTIME && clockid != CLOCK_MONOTONIC)
			return -EINVAL;
		r = timespec_in(uts, &ns);
		if (r)
			return r;
		deadline = deadline_of_clock(clockid, ns);
	}
	e = kzalloc(n * sizeof(*e));
	if (!e)
		return -ENOMEM;
	r = waitv_read(e, uwaiters, n);
	if (!r)
		r = waitv(e, (int)n, deadline);
	kfree(e);
	return r;
}
