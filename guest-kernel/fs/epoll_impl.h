/* SPDX-License-Identifier: Apache-2.0 */
/* Private parts of epoll: sets, their items, and what the system calls share. The rules stand in epoll.c. */
#ifndef FS_EPOLL_IMPL_H
#define FS_EPOLL_IMPL_H

#include "fs/poll.h"
#include "lib/rbtree.h"

/* Bits of an item's events that say how it is watched, not for what. */
#define EP_PRIVATE (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

struct eventpoll {
	ref_t refs;               /* the file's, and epoll_file_release's for a moment */
	struct mutex mtx;         /* items, scans */
	struct rb_root items;     /* by file, fd; mtx */
	struct file *file;        /* our own; immutable */
	spinlock_t lock;
	struct list_node ready;   /* lock */
	struct wait_queue wait;   /* epoll_wait */
	struct wait_queue pollers; /* those that poll the epoll file */
	uint64_t walk;            /* the last walk over nested sets that came here, and what */
	int depth;                /* it found; both tree_mutex */
};

struct epitem {
	struct rb_node node;      /* ep->items */
	struct list_node ready_link; /* ep->ready or a scan's own list; ep->lock */
	struct list_node file_link;  /* file->epoll_links; links_lock */
	struct eventpoll *ep;     /* immutable */
	struct file *file;        /* immutable; no reference */
	int fd;                   /* immutable */
	struct epoll_event event; /* events: ep->lock to write */
	struct epoll_wait *waits; /* registrations; mtx */
};

/* One registration with a wait queue. */
struct epoll_wait {
	struct waiter w;
	struct wait_queue *queue;
	struct epitem *item;
	struct epoll_wait *next;
};

/* Protects every file's epoll_links. */
extern spinlock_t epoll_links_lock;

bool epoll_is(const struct file *f);

/* A hint without the lock; whoever adds wakes up afterwards. */
static inline bool epoll_ready(struct eventpoll *ep)
{
	return READ_ONCE(ep->ready.next) != &ep->ready;
}

/* The first item of a list of ready ones, taken off it, or NULL. */
struct epitem *epoll_take_ready(struct eventpoll *ep, struct list_node *list);
/* Puts an item on a list of ready ones unless it is on one. */
void epoll_add_ready(struct epitem *it, struct list_node *list, bool first);
/* The events that hold now, of those that the item waits for. ep->mtx is held. */
uint32_t epoll_item_poll(struct epitem *it, struct poll_table *pt);

/* Are the paths up from f, or from each file below it if it is a set, within the limits? tree_mutex is held, no mtx
 * of f or below. */
bool epoll_check_paths(struct file *f);

/* Items of a set. ep->mtx is held. */
struct epitem *epoll_find(struct eventpoll *ep, struct file *f, int fd);
/* nesting: tree_mutex is held, and -EINVAL says that a file would have too many paths up through nested sets. */
int epoll_insert(struct eventpoll *ep, struct file *f, int fd, const struct epoll_event *ev, bool nesting);
void epoll_modify(struct epitem *it, const struct epoll_event *ev);
void epoll_remove(struct eventpoll *ep, struct epitem *it);

#endif
