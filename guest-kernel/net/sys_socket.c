// SPDX-License-Identifier: Apache-2.0
/* System calls that make, name and connect sockets, and their options. Messages are in sys_sockmsg.c. */
#include "boot/boot.h"
#include "lib/string.h"
#include "net/host_sock.h"
#include "net/netlink.h"
#include "net/sys_socket.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"

struct socket *socket_get(int fd, struct file **file)
{
	struct file *f = fd_get(fd);
	if (!f)
		return ERR_PTR(-EBADF);
	struct socket *s = file_socket(f);
	if (!s) {
		file_put(f);
		return ERR_PTR(-ENOTSOCK);
	}
	*file = f;
	return s;
}

int sockaddr_copy_in(struct sockaddr_buf *a, uva_t src, int len)
{
	if (len < 0 || len > SOCKADDR_MAX)
		return -EINVAL;
	memset(a, 0, sizeof(*a));
	a->len = (uint32_t)len;
	return len ? copy_in(a->data, src, (size_t)len) : 0;
}

/* Value-result: at most *len_ptr bytes are written, the true length is told (accept(2)). */
int sockaddr_copy_out(uva_t dst, uva_t len_ptr, const struct sockaddr_buf *a)
{
	int room;
	if (copy_in(&room, len_ptr, sizeof(room)))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	size_t n = MIN((size_t)room, (size_t)a->len);
	if (n && copy_out(dst, a->data, n))
		return -EFAULT;
	return copy_out(len_ptr, &a->len, sizeof(int));
}

static int check_type(int family, int type)
{
	if (family < 0 || family >= AF_MAX_)
		return -EAFNOSUPPORT;
	int t = type & SOCK_TYPE_MASK;
	if (type & ~(SOCK_TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK) || t > 10)
		return -EINVAL;
	return 0;
}

static int create(int family, int type, int protocol, struct socket **s)
{
	bool host = boot.host_network && current->nsproxy->net == &init_net_ns;
	switch (family) {
	case AF_UNIX:
		return unix_create(type, protocol, s);
	case AF_INET:
	case AF_INET6:
		return host ? host_sock_create(family, type, protocol, s) : inet_create(family, type, protocol, s);
	case AF_NETLINK:
		return host && protocol == NETLINK_ROUTE ? host_sock_create(family, type, protocol, s) : netlink_create(type, protocol, s);
	case AF_PACKET:
		return ns_capable(current->nsproxy->net->ns.user_ns, CAP_NET_RAW) ? -EAFNOSUPPORT : -EPERM;
	}
	return -EAFNOSUPPORT;
}

int64_t sys_socket(const struct sysargs *a)
{
	int family = arg_int(a, 0), type = arg_int(a, 1), protocol = arg_int(a, 2);
	struct socket *s;
	int err = check_type(family, type);
	if (!err)
		err = create(family, type & SOCK_TYPE_MASK, protocol, &s);
	if (err)
		return err;
	struct file *f = socket_file(s, type & SOCK_NONBLOCK ? O_NONBLOCK : 0);
	return IS_ERR(f) ? PTR_ERR(f) : fd_publish(f, type & SOCK_CLOEXEC);
}

int64_t sys_socketpair(const struct sysargs *a)
{
	int family = arg_int(a, 0), type = arg_int(a, 1), protocol = arg_int(a, 2);
	uva_t out = arg_uva(a, 3);
	struct socket *s[2];
	int err = check_type(family, type);
	if (!err)
		err = family == AF_UNIX ? unix_socketpair(type & SOCK_TYPE_MASK, protocol, &s[0], &s[1])
		      : (family == AF_INET || family == AF_INET6) ? (type & SOCK_TYPE_MASK ? -EOPNOTSUPP : -ESOCKTNOSUPPORT)
		                                                : -EAFNOSUPPORT;
	if (err)
		return err;
	uint32_t flags = type & SOCK_NONBLOCK ? O_NONBLOCK : 0;
	struct file *f0 = socket_file(s[0], flags), *f1 = socket_file(s[1], flags);
	if (IS_ERR(f0) || IS_ERR(f1)) {
		if (!IS_ERR(f0))
			file_put(f0);
		if (!IS_ERR(f1))
			file_put(f1);
		return -ENFILE;
	}
	int fd[2] = {fd_reserve(0), -1};
	if (fd[0] >= 0)
		fd[1] = fd_reserve(0);
	err = fd[0] < 0 ? fd[0] : fd[1] < 0 ? fd[1] : copy_out(out, fd, sizeof(fd));
	if (err) {
		if (fd[0] >= 0)
			fd_release(fd[0]);
		if (fd[1] >= 0)
			fd_release(fd[1]);
		file_put(f0);
		file_put(f1);
		return err;
	}
	fd_install(fd[0], f0, type & SOCK_CLOEXEC);
	fd_install(fd[1], f1, type & SOCK_CLOEXEC);
	return 0;
}

int64_t sys_bind(const struct sysargs *a)
{
	struct file *f;
	struct socket *s = socket_get(arg_int(a, 0), &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	struct sockaddr_buf addr;
	int err = sockaddr_copy_in(&addr, arg_uva(a, 1), arg_int(a, 2));
	if (!err)
		err = s->ops->bind(s, &addr);
	file_put(f);
	return err;
}

int64_t sys_connect(const struct sysargs *a)
{
	struct file *f;
	struct socket *s = socket_get(arg_int(a, 0), &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	struct sockaddr_buf addr;
	int err = sockaddr_copy_in(&addr, arg_uva(a, 1), arg_int(a, 2));
	if (!err)
		err = addr.len < sizeof(uint16_t) ? -EINVAL
		                                  : s->ops->connect(s, &addr, f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
	file_put(f);
	return err;
}

int64_t sys_listen(const struct sysargs *a)
{
	struct file *f;
	struct socket *s = socket_get(arg_int(a, 0), &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	int backlog = arg_int(a, 1);
	if (backlog < 0 || backlog > SOMAXCONN)
		backlog = SOMAXCONN;
	int err = s->ops->listen(s, backlog);
	file_put(f);
	return err;
}

static int64_t do_accept(int fd, uva_t addr, uva_t len, int flags)
{
	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	struct file *f;
	struct socket *s = socket_get(fd, &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	/* The number first: without one the connection keeps waiting. */
	struct socket *n;
	struct file *nf = NULL;
	int newfd = fd_reserve(0);
	int64_t r = newfd < 0 ? newfd : s->ops->accept(s, f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0, &n);
	file_put(f);
	if (!r) {
		nf = socket_file(n, flags & SOCK_NONBLOCK ? O_NONBLOCK : 0);
		r = IS_ERR(nf) ? PTR_ERR(nf) : 0;
	}
	if (!r && addr.v) {
		struct sockaddr_buf name = {0};
		r = n->ops->getname(n, &name, NAME_ACCEPTED);
		if (r == -ENOTCONN)
			r = 0;
		if (!r)
			r = sockaddr_copy_out(addr, len, &name);
	}
	if (!r) {
		fd_install(newfd, nf, flags & SOCK_CLOEXEC);
		return newfd;
	}
	if (newfd >= 0)
		fd_release(newfd);
	if (nf && !IS_ERR(nf))
		file_put(nf);
	return r;
}

int64_t sys_accept(const struct sysargs *a)
{
	return do_accept(arg_int(a, 0), arg_uva(a, 1), arg_uva(a, 2), 0);
}

int64_t sys_accept4(const struct sysargs *a)
{
	return do_accept(arg_int(a, 0), arg_uva(a, 1), arg_uva(a, 2), arg_int(a, 3));
}

static int64_t get_name(const struct sysargs *a, int whose)
{
	struct file *f;
	struct socket *s = socket_get(arg_int(a, 0), &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	struct sockaddr_buf name = {0};
	int err = s->ops->getname(s, &name, whose);
	file_put(f);
	return err ? err : sockaddr_copy_out(arg_uva(a, 1), arg_uva(a, 2), &name);
}

int64_t sys_getsockname(const struct sysargs *a)
{
	return get_name(a, NAME_SELF);
}

int64_t sys_getpeername(const struct sysargs *a)
{
	return get_name(a, NAME_PEER);
}

int64_t sys_shutdown(const struct sysargs *a)
{
	struct file *f;
	struct socket *s = socket_get(arg_int(a, 0), &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	int how = arg_int(a, 1);
	int err = how < 0 || how > 2 ? -EINVAL : s->ops->shutdown(s, how);
	file_put(f);
	return err;
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

int64_t sys_setsockopt(const struct sysargs *a)
{
	int level = arg_int(a, 1), name = arg_int(a, 2), len = arg_int(a, 4);
	struct file *f;
	struct socket *s = socket_get(arg_int(a, 0), &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	uint8_t val[256] = {0};
	int err = len < 0 ? -EINVAL : 0;
	uint32_t n = err ? 0 : MIN((uint32_t)len, (uint32_t)sizeof(val));
	if (!err && n)
		err = copy_in(val, arg_uva(a, 3), n);
	if (!err) {
		err = s->ops->setsockopt ? s->ops->setsockopt(s, level, name, val, n) : -ENOPROTOOPT;
		if (err == -ENOPROTOOPT && level == SOL_SOCKET)
			err = sock_option_set(s, name, val, n);
	}
	file_put(f);
	return err;
}

int64_t sys_getsockopt(const struct sysargs *a)
{
	int level = arg_int(a, 1), name = arg_int(a, 2), room;
	struct file *f;
	struct socket *s = socket_get(arg_int(a, 0), &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	uint8_t val[256];
	uint32_t len = 0;
	int err = copy_in(&room, arg_uva(a, 4), sizeof(room));
	if (!err && room < 0)
		err = -EINVAL;
	if (!err) {
		len = MIN((uint32_t)room, (uint32_t)sizeof(val));
		err = s->ops->getsockopt ? s->ops->getsockopt(s, level, name, val, &len) : -ENOPROTOOPT;
		if (err == -ENOPROTOOPT && level == SOL_SOCKET)
			err = sock_option_get(s, name, val, &len);
	}
	file_put(f);
	if (!err && len)
		err = copy_out(arg_uva(a, 3), val, len);
	if (!err)
		err = copy_out(arg_uva(a, 4), &len, sizeof(len));
	return err;
}
