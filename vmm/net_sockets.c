// SPDX-License-Identifier: Apache-2.0
#include "vmm/net_sockets.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/file_handles.h"

static struct {
	pthread_mutex_t lock;
	struct net_socket *socket[NET_SOCKETS_MAX]; /* protected by lock */
	uint32_t next;                              /* where to look for a free entry; protected by lock */
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Caller holds the lock. */
static int64_t free_entry(void)
{
	for (uint32_t i = 0; i < NET_SOCKETS_MAX; i++) {
		uint32_t n = (table.next + i) % NET_SOCKETS_MAX;

		if (!table.socket[n]) {
			table.next = n + 1;
			return n;
		}
	}
	return -ENFILE;
}

int64_t net_socket_add(int fd, int family)
{
	struct net_socket *s = file_fds_left(false) ? malloc(sizeof(*s)) : NULL;
	int64_t n = s ? 0 : -ENFILE;

	if (s) {
		pthread_mutex_lock(&table.lock);
		n = free_entry();
		if (n >= 0) {
			*s = (struct net_socket){ .fd = fd, .family = family, .number = n, .users = 1 };
			table.socket[n] = s;
		}
		pthread_mutex_unlock(&table.lock);
	}
	if (n < 0) {
		close(fd);
		free(s);
	} else {
		file_fds_count(1);
	}
	return n;
}

struct net_socket *net_socket_get(uint64_t number)
{
	struct net_socket *s = NULL;

	if (number >= NET_SOCKETS_MAX)
		return NULL;
	pthread_mutex_lock(&table.lock);
	s = table.socket[number];
	if (s)
		s->users++;
	pthread_mutex_unlock(&table.lock);
	return s;
}

void net_socket_put(struct net_socket *s)
{
	bool last;

	pthread_mutex_lock(&table.lock);
	last = !--s->users;
	pthread_mutex_unlock(&table.lock);
	if (!last)
		return;
	/* The event loop's watch goes with the descriptor: nobody else has it. */
	close(s->fd);
	free(s);
	file_fds_count(-1);
}

int net_socket_close(uint64_t number)
{
	struct net_socket *s = NULL;

	if (number >= NET_SOCKETS_MAX)
		return -EBADF;
	pthread_mutex_lock(&table.lock);
	s = table.socket[number];
	table.socket[number] = NULL;
	pthread_mutex_unlock(&table.lock);
	if (!s)
		return -EBADF;
	net_socket_put(s);
	return 0;
}
