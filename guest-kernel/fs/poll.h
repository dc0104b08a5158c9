/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Polling. A file's poll operation calls poll_wait() for each wait queue that may change its answer, then returns
 * the EPOLL* bits that hold now. It must register before it looks, so no change is lost.
 */
#ifndef FS_POLL_H
#define FS_POLL_H

#include <linux/eventpoll.h>

#include "fs/vfs.h"

struct poll_table {
	/* NULL: only the current state is asked for. */
	void (*queue)(struct poll_table *pt, struct file *f, struct wait_queue *q);
	uint32_t events; /* what the caller is interested in */
};

static inline void poll_wait(struct file *f, struct wait_queue *q, struct poll_table *pt)
{
	if (pt && pt->queue && q)
		pt->queue(pt, f, q);
}

uint32_t file_poll(struct file *f, struct poll_table *pt);
/* epoll: the file is closing. */
void epoll_file_release(struct file *f);

#endif
