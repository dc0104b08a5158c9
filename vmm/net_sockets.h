/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host sockets of --network=host by number. A number is an index that is used again after a close: what is told of an
 * old socket may reach a new one, which looks again and finds nothing. Every use holds a reference, so that a descriptor
 * is closed only when no vCPU is inside a call with it.
 */
#ifndef VMM_NET_SOCKETS_H
#define VMM_NET_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#define NET_SOCKETS_MAX 65536

struct net_socket {
	int fd, family;   /* immutable */
	uint32_t number;  /* immutable */
	unsigned users;   /* protected by the table's lock: calls inside, and the table while it is open */
};

/* Takes fd over (also on failure). The number, or -ENFILE, -ENOMEM. */
int64_t net_socket_add(int fd, int family);
/* A reference, or NULL if there is no such socket. */
struct net_socket *net_socket_get(uint64_t number);
void net_socket_put(struct net_socket *s);
/* -EBADF if it is not open (any more). */
int net_socket_close(uint64_t number);

#endif
