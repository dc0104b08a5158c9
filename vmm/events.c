// SPDX-License-Identifier: Apache-2.0
/*
 * Events from the host to the Sentry.
 *
 * The ring lies in memory that the Sentry can write: head is our own copy, tail is only used to see how much room there
 * is. What does not fit waits in a list of ours and is retried a little later.
 */
#define _GNU_SOURCE
#include "vmm/events.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <syslog.h>
#include <unistd.h>

#include "vmm/control.h"
#include "vmm/hostcall.h"
#include "vmm/io.h"
#include "vmm/terminal.h"
#include "vmm/vcpu.h"
#include "vmm/vmm_impl.h"

#define RETRY_MS 2
/* More than this many events held back means a Sentry that does not read: further ones are dropped. */
#define BACKLOG_MAX 65536

enum watch_kind { WATCH_STOP, WATCH_IO, WATCH_CONTROL, WATCH_GOFER, WATCH_NET };

static struct {
	int epoll_fd;
	int net_fd;                     /* epoll of host sockets, watched by epoll_fd */
	pthread_mutex_t net_lock;       /* from an event of net_fd until it is in the ring; before lock */
	pthread_mutex_t lock;
	uint32_t head;                  /* protected by lock */
	struct event *backlog;          /* protected by lock */
	unsigned nr_backlog, max_backlog;
} ev = { .epoll_fd = -1, .net_fd = -1, .net_lock = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER };

static uint64_t watch_id(enum watch_kind kind, uint32_t n) { return (uint64_t)kind << 32 | n; }

/* ---- ring -------------------------------------------------------------------------------------------------- */

static bool ring_put(const struct event *e)
{
	struct event_ring *ring = &vmm.shared->events;
	uint32_t used = ev.head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);

	if (used >= EVENT_RING_SIZE)
		return false;
	ring->ev[ev.head % EVENT_RING_SIZE] = *e;
	__atomic_store_n(&ring->head, ++ev.head, __ATOMIC_RELEASE);
	return true;
}

static bool flush_backlog(void)
{
	unsigned n = 0;

	while (n < ev.nr_backlog && ring_put(&ev.backlog[n]))
		n++;
	if (!n)
		return false;
	ev.nr_backlog -= n;
	memmove(ev.backlog, ev.backlog + n, ev.nr_backlog * sizeof(*ev.backlog));
	return true;
}

static void hold_back(const struct event *e)
{
	if (ev.nr_backlog == ev.max_backlog) {
		unsigned n = ev.max_backlog ? 2 * ev.max_backlog : 64;
		struct event *b = n <= BACKLOG_MAX ? reallocarray(ev.backlog, n, sizeof(*b)) : NULL;
		if (!b) {
			vmm_log(LOG_WARNING, "event %u of %u lost: the Sentry does not read its events", e->type, e->id);
			return;
		}
		ev.backlog = b;
		ev.max_backlog = n;
	}
	ev.backlog[ev.nr_backlog++] = *e;
}

static void post(uint32_t type, uint32_t id, int64_t arg, bool kick)
{
	struct event e = { type, id, arg };
	bool held;

	pthread_mutex_lock(&ev.lock);
	flush_backlog();
	held = ev.nr_backlog || !ring_put(&e);
	if (held)
		hold_back(&e);
	pthread_mutex_unlock(&ev.lock);
	if (held)
		events_wake(); /* the loop retries; it sleeps, if this is another thread */
	if (kick)
		vcpu_kick_any();
}

void event_post(uint32_t type, uint32_t id, int64_t arg)
{
	post(type, id, arg, true);
}

/* Milliseconds until the loop must look again, -1: only for events. */
static int retry_backlog(void)
{
	bool moved = false;
	int timeout = -1;

	pthread_mutex_lock(&ev.lock);
	if (ev.nr_backlog) {
		moved = flush_backlog();
		timeout = ev.nr_backlog ? RETRY_MS : -1;
	}
	pthread_mutex_unlock(&ev.lock);
	if (moved)
		vcpu_kick_any();
	return timeout;
}

/* ---- watches ------------------------------------------------------------------------------------------------- */

int events_watch_io(int fd, unsigned io, uint32_t events)
{
	const uint32_t known = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM | EPOLLRDHUP | EPOLLERR | EPOLLHUP;
	struct epoll_event e = { .events = (events & known) | EPOLLONESHOT, .data.u64 = watch_id(WATCH_IO, io) };

	if (!epoll_ctl(ev.epoll_fd, EPOLL_CTL_MOD, fd, &e))
		return 0;
	if (errno != ENOENT)
		return -errno;
	return epoll_ctl(ev.epoll_fd, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

/* Caller holds net_lock: on its return nothing that came before is still under way. */
static void collect_net(bool kick)
{
	struct epoll_event got[32];
	int n;

	do {
		n = epoll_pwait(ev.net_fd, got, 32, 0, NULL);
		for (int i = 0; i < n; i++)
			post(EV_NET, (uint32_t)got[i].data.u64, got[i].events, kick);
	} while (n == 32 || (n < 0 && errno == EINTR));
}

int events_watch_net(int fd, uint32_t number)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.u64 = watch_id(WATCH_NET, number) };

	int rc = 0;

	pthread_mutex_lock(&ev.net_lock);
	if (epoll_ctl(ev.net_fd, EPOLL_CTL_ADD, fd, &e) && errno != EEXIST)
		rc = -errno;
	collect_net(false);
	pthread_mutex_unlock(&ev.net_lock);
	return rc;
}

void events_collect_net(bool kick)
{
	pthread_mutex_lock(&ev.net_lock);
	collect_net(kick);
	pthread_mutex_unlock(&ev.net_lock);
}

int events_watch_control(int fd, uint32_t index)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP, .data.u64 = watch_id(WATCH_CONTROL, index) };

	return epoll_ctl(ev.epoll_fd, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

int events_watch_gofer(int fd)
{
	/* Nothing but its end: answers are read by those who asked. */
	struct epoll_event e = { .events = EPOLLRDHUP | EPOLLONESHOT, .data.u64 = watch_id(WATCH_GOFER, fd) };

	return epoll_ctl(ev.epoll_fd, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

void events_unwatch(int fd)
{
	epoll_ctl(ev.epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static int watch_own(int fd, enum watch_kind kind)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = watch_id(kind, 0) };

	return epoll_ctl(ev.epoll_fd, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

int events_init(void)
{
	int rc;

	ev.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	ev.net_fd = epoll_create1(EPOLL_CLOEXEC);
	if (ev.epoll_fd < 0 || ev.net_fd < 0)
		return -errno;
	rc = watch_own(vmm.stop_fd, WATCH_STOP);
	return rc ? rc : watch_own(ev.net_fd, WATCH_NET);
}

void events_wake(void)
{
	uint64_t one = 1;

	if (write(vmm.stop_fd, &one, sizeof(one)) < 0)
		return; /* full, so the loop wakes up anyway */
}

static void woken(void)
{
	uint64_t n;

	if (read(vmm.stop_fd, &n, sizeof(n)) != sizeof(n))
		return;
	terminal_poll_resized();
	for (uint64_t set = atomic_exchange(&vmm.signals, 0); set; set &= set - 1)
		event_post(EV_SIGNAL, __builtin_ctzll(set) + 1, 0);
}

void events_run(void)
{
	struct epoll_event got[16];

	while (!atomic_load(&vmm.stopping)) {
		int n = epoll_pwait(ev.epoll_fd, got, 16, retry_backlog(), NULL);

		for (int i = 0; i < n; i++) {
			uint32_t id = (uint32_t)got[i].data.u64;

			switch ((enum watch_kind)(got[i].data.u64 >> 32)) {
			case WATCH_STOP:
				woken();
				break;
			case WATCH_IO:
				io_event(id, got[i].events);
				break;
			case WATCH_NET:
				events_collect_net(true);
				break;
			case WATCH_GOFER:
				if ((int)id == vmm.cfg.gofer_fd)
					vmm_fail("the gofer, which keeps the container's files, has died");
				else
					vmm_log(LOG_WARNING, "the gofer of a container has died");
				break;
			case WATCH_CONTROL:
				control_event(id, got[i].events);
				break;
			}
		}
	}
}
