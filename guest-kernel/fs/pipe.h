/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes from the inside: what splice(2) needs. */
#ifndef FS_PIPE_H
#define FS_PIPE_H

#include "fs/vfs.h"

#define PIPE_DEFAULT_PAGES 16
#define PIPE_MAX_PAGES 256 /* /proc/sys/fs/pipe-max-size without privilege */

struct pipe_buf {
	struct page *page;    /* a reference */
	uint32_t off, len;
	bool packet;          /* O_DIRECT: one read takes it whole */
	bool shared;          /* the page has other users (tee): nothing may be added to it */
};

struct pipe {
	struct mutex lock;
	struct wait_queue rd_wait, wr_wait;
	struct pipe_buf *bufs;     /* ring of size; lock */
	uint32_t size;             /* power of two */
	uint32_t head, tail;       /* next to fill, next to read; only grow; written under lock, read racily */
	uint32_t readers, writers; /* open files; written under lock, read racily */
	uint32_t r_count, w_count; /* opens so far: who waits for a partner watches them */
	uint32_t users;            /* open files or openers; lock of the inode (spin) */
	bool anonymous;            /* of pipe(2): opened through /proc it waits for no partner */
	bool polled;               /* someone uses poll: wake at every write */
	struct page *spare;        /* a page of ours to fill next; lock */
};

static inline bool pipe_empty(const struct pipe *p) { return READ_ONCE(p->head) == READ_ONCE(p->tail); }
static inline bool pipe_full(const struct pipe *p) { return READ_ONCE(p->head) - READ_ONCE(p->tail) >= p->size; }
static inline struct pipe_buf *pipe_slot(struct pipe *p, uint32_t i) { return &p->bufs[i & (p->size - 1)]; }

/* All with the pipe's lock held; they drop it while they sleep. 0, -EAGAIN, -EPIPE (with SIGPIPE), -ERESTARTSYS.
 * pipe_wait_data: 1 when there is data, 0 at the end of file. */
int pipe_wait_data(struct pipe *p, bool nonblock);
int pipe_wait_space(struct pipe *p, bool nonblock);
/* Adds a page (takes over the reference); there is space. */
void pipe_push(struct pipe *p, struct page *page, uint32_t off, uint32_t len, bool shared);
/* Removes n bytes of the first buffer. */
void pipe_consume(struct pipe *p, uint32_t n);

#endif
