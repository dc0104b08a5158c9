/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the socket system calls. */
#ifndef NET_SYS_SOCKET_H
#define NET_SYS_SOCKET_H

#include "net/socket.h"

/* The socket of descriptor fd and its file with a reference; ERR_PTR(-EBADF, -ENOTSOCK). */
struct socket *socket_get(int fd, struct file **file);
/* Copies an address of len bytes in: 0, -EINVAL, -EFAULT. */
int sockaddr_copy_in(struct sockaddr_buf *a, uva_t src, int len) MUST_CHECK;
/* Value-result copy out. */
int sockaddr_copy_out(uva_t dst, uva_t len_ptr, const struct sockaddr_buf *a) MUST_CHECK;

/* sock_options.c: SOL_SOCKET, for what the family does not answer itself. 0, -ENOPROTOOPT, -EINVAL, ... *len: room, then
 * the value's length. */
int sock_option_set(struct socket *s, int name, const void *val, uint32_t len);
int sock_option_get(struct socket *s, int name, void *val, uint32_t *len);

/* net_ioctl.c: is it a request about network interfaces, and its answer. */
bool net_dev_request(uint32_t cmd);
int64_t net_dev_ioctl(struct net_ns *net, uint32_t cmd, uint64_t arg);

#endif
