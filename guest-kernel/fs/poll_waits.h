/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting on many files at once: what poll(2) and select(2) share. */
#ifndef FS_POLL_WAITS_H
#define FS_POLL_WAITS_H

#include "fs/poll.h"

struct poll_entry {
	struct waiter w;
	struct wait_queue *queue;
	struct file *file;        /* a reference, so the queue lives */
	struct poll_waits *waits;
	uint32_t events;
};

struct poll_chunk;

/* On the stack of the waiting task. */
struct poll_waits {
	struct poll_table pt;
	struct task *task;
	uint32_t triggered;       /* atomic: something changed since the last look */
	int err;                  /* -ENOMEM while registering */
	struct poll_chunk *chunks;
	uint32_t nr_inline;
	struct poll_entry fast[4];
};

/* After the first pass: only look, do not register again. */
static inline void poll_waits_registered(struct poll_waits *w) { w->pt.queue = NULL; }
/* One look at every file of a set, registering with w: how many are ready, or -errno. */
typedef int64_t (*poll_pass_fn)(void *arg, struct poll_waits *w);
/* Looks until something is ready or deadline (CLOCK_MONOTONIC; 0: one look): the last pass's result, -ENOMEM or
 * -ERESTARTNOHAND. */
int64_t poll_waits_run(poll_pass_fn pass, void *arg, uint64_t deadline);

/* The time-out of ppoll, select and pselect6. */
struct poll_timeout {
	enum { POLL_TIMESPEC, POLL_TIMEVAL } kind;
	uva_t where;       /* where the rest is written back to; UVA_NULL: nowhere */
	uint64_t deadline; /* DEADLINE_NEVER, or CLOCK_MONOTONIC */
	bool zero;         /* do not wait, do not write back */
};
/* Reads a time-out of the kind given. 0, -EFAULT, -EINVAL. */
int poll_timeout_in(struct poll_timeout *t, int kind, uva_t where) MUST_CHECK;
/* The result to return, after writing back what is left of the time. */
int64_t poll_timeout_finish(const struct poll_timeout *t, int64_t result);
/* Installs the signal mask of ppoll and others, if there is one. 0, -EFAULT, -EINVAL. */
int poll_set_mask(uva_t mask, uint64_t size) MUST_CHECK;

#endif
