/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors inherited from the host ("io numbers"): stdio and what else the container was given. */
#ifndef FS_HOSTIO_H
#define FS_HOSTIO_H

#include "fs/vfs.h"

#define HOSTIO_MAX 1024 /* as the VMM's */

struct hostio {
	uint32_t io;             /* immutable */
	uint32_t mode;           /* file type and permissions; immutable */
	uint64_t host_rdev;      /* immutable */
	uint64_t host_dev, host_ino;
	spinlock_t lock;
	uint32_t armed;          /* EPOLL* bits that the host will tell us about; lock */
	uint32_t ready;          /* told since the last hostio_wait looked; lock */
	struct wait_queue wait;
	bool used;               /* the number is open; hostios.lock */
	uint64_t last_pos;       /* where the last transfer or seek left a file's position; hostios.seek_lock */
	/* Runs for each event, in any context: must not sleep. NULL: waiters are woken. */
	void (*on_event)(struct hostio *h, uint32_t events);
	void *private;           /* of on_event, which knows its lock */
};

/* The descriptor's object, and its attributes now; or ERR_PTR. It lives until hostio_release; after that the same object may stand for another
 * descriptor with this number. */
struct hostio *hostio_get(uint32_t io, struct hc_attr *a);
/* Closes it. */
void hostio_release(struct hostio *h);
/* Asks to be told of events (EPOLL*); adds to what is asked for already. */
void hostio_arm(struct hostio *h, uint32_t events);
/* Non-blocking transfers between the descriptor and RAM; -EAGAIN. */
int64_t hostio_read_ram(struct hostio *h, void *buf, size_t n);
int64_t hostio_write_ram(struct hostio *h, const void *buf, size_t n);
/* Is the descriptor a terminal? */
bool hostio_is_tty(struct hostio *h);
/* An open file of it, with these attributes, for descriptor number fd: plain files, pipes, sockets, and terminals that stay under the host's
 * line discipline. Takes h over, also on failure. */
struct file *hostio_open(struct hostio *h, const struct hc_attr *a, int fd);

#endif
