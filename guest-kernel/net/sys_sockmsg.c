// SPDX-License-Identifier: Apache-2.0
/* System calls that move messages: send, sendto, sendmsg, sendmmsg and the receiving side (send(2), recv(2), cmsg(3)). */
#include <linux/time_types.h>

#include "lib/string.h"
#include "net/sys_socket.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "task/user_ns.h"

#define CONTROL_MAX 20480 /* net.core.optmem_max */

/* Only streams tell by signal. */
static void raise_sigpipe(const struct socket *s, uint32_t flags)
{
	siginfo_t si;
	if (s->type != SOCK_STREAM || flags & MSG_NOSIGNAL)
		return;
	siginfo_user(&si, SIGPIPE, SI_USER);
	signal_send_task(current, &si);
}

static uint32_t message_flags(const struct file *f, uint32_t flags)
{
	return f->flags & O_NONBLOCK ? flags | MSG_DONTWAIT : flags;
}

/* ---- sending ------------------------------------------------------------------------------------------------------ */

static int scm_add_files(struct scm *scm, const uint8_t *data, size_t len)
{
	size_t n = len / sizeof(int);
	if (!n)
		return 0;
	if (scm->nfiles + n > SCM_MAX_FD)
		return -EINVAL;
	struct file **files = krealloc(scm->files, (scm->nfiles + n) * sizeof(*files));
	if (!files)
		return -ENOMEM;
	scm->files = files;
	for (size_t i = 0; i < n; i++) {
		int fd;
		memcpy(&fd, data + i * sizeof(int), sizeof(fd));
		struct file *f = fd_get_path(fd);
		if (!f)
			return -EBADF;
		scm->files[scm->nfiles++] = f;
	}
	return 0;
}

/* May the current task claim these ids (unix(7), SCM_CREDENTIALS)? */
static int scm_add_creds(struct scm *scm, const uint8_t *data, size_t len)
{
	struct ucred u;
	if (len != sizeof(u))
		return -EINVAL;
	memcpy(&u, data, sizeof(u));
	const struct cred *c = current->cred;
	uint32_t uid = kuid_in(u.uid), gid = kgid_in(u.gid);
	if (uid == NO_ID || gid == NO_ID)
		return -EINVAL;
	bool uid_ok = uid == c->uid || uid == c->euid || uid == c->suid || cred_own_capable(c, CAP_SETUID);
	bool gid_ok = gid == c->gid || gid == c->egid || gid == c->sgid || cred_own_capable(c, CAP_SETGID);
	bool self = (int)u.pid == current->proc->vpid;
	if (!uid_ok || !gid_ok || (!self && !ns_capable(current->proc->pid_ns->ns.user_ns, CAP_SYS_ADMIN)))
		return -EPERM;
	struct process *p = self ? current->proc : process_find_user((int)u.pid);
	if (!p)
		return -ESRCH;
	sock_cred_put(&scm->creds);
	scm->has_creds = true;
	scm->creds = (struct sock_cred){pid_hold(p->numbers), uid, gid};
	if (!self)
		process_put(p);
	return 0;
}

static int scm_parse(struct scm *scm, const uint8_t *buf, size_t len)
{
	size_t off = 0;
	while (len - off >= sizeof(struct user_cmsghdr)) {
		struct user_cmsghdr h;
		memcpy(&h, buf + off, sizeof(h));
		if (h.len < sizeof(h) || h.len > len - off)
			return -EINVAL;
		int err = 0;
		if (h.level == SOL_SOCKET) {
			if (h.type == SCM_RIGHTS)
				err = scm_add_files(scm, buf + off + sizeof(h), h.len - sizeof(h));
			else if (h.type == SCM_CREDENTIALS)
				err = scm_add_creds(scm, buf + off + sizeof(h), h.len - sizeof(h));
			else
				err = -EINVAL;
		}
		if (err)
			return err;
		size_t step = CMSG_ALIGN_(h.len);
		if (step > len - off)
			break;
		off += step;
	}
	return 0;
}

/* *out: a copy of it all, for the family. */
static int scm_copy_in(struct scm *scm, uva_t control, uint64_t len, uint8_t **out)
{
	if (len > CONTROL_MAX)
		return -ENOBUFS;
	uint8_t *buf = kmalloc(len);
	if (!buf)
		return -ENOBUFS;
	int err = copy_in(buf, control, len);
	if (!err)
		err = scm_parse(scm, buf, len);
	*out = buf;
	return err;
}

static ssize_t_ send_one(struct file *f, struct socket *s, const struct user_msghdr *h, uint32_t flags)
{
	struct sockaddr_buf addr;
	struct scm scm = {0};
	struct iter it;
	struct uiovec fast[8], *vec = NULL;
	uint8_t *control = NULL;
	ssize_t_ r = 0;
	if (h->name && h->namelen) {
		if (h->namelen < 0)
			return -EINVAL;
		r = sockaddr_copy_in(&addr, uva(h->name), MIN(h->namelen, SOCKADDR_MAX));
		if (r)
			return r;
	}
	if (h->iovlen > UIO_MAXIOV)
		return -EMSGSIZE;
	r = iter_import(&it, uva(h->iov), h->iovlen, false, fast, &vec);
	if (r < 0)
		return r;
	if (h->control && h->controllen)
		r = scm_copy_in(&scm, uva(h->control), h->controllen, &control);
	if (r >= 0) {
		struct sock_msg m = {.iter = &it, .addr = h->name && h->namelen ? &addr : NULL, .scm = &scm,
		                     .flags = message_flags(f, flags), .control = control,
		                     .control_len = control ? (uint32_t)h->controllen : 0};
		r = s->ops->sendmsg(s, &m);
	}
	scm_destroy(&scm);
	kfree(control);
	iter_free_vec(vec, fast);
	if (r == -EPIPE)
		raise_sigpipe(s, flags);
	return r;
}

int64_t sys_sendto(const struct sysargs *a)
{
	uint32_t flags = arg_u32(a, 3);
	struct file *f;
	struct socket *s = socket_get(arg_int(a, 0), &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	struct sockaddr_buf addr;
	bool named = arg_u64(a, 4) != 0 && arg_int(a, 5) != 0;
	int64_t r = named ? sockaddr_copy_in(&addr, arg_uva(a, 4), arg_int(a, 5)) : 0;
	if (!r) {
		struct iter it;
		iter_user(&it, arg_uva(a, 1), MIN(arg_u64(a, 2), RW_MAX), false);
		struct sock_msg m = {.iter = &it, .addr = named ? &addr : NULL, .flags = message_flags(f, flags)};
		r = s->ops->sendmsg(s, &m);
		if (r == -EPIPE)
			raise_sigpipe(s, flags);
	}
	file_put(f);
	return r;
}

int64_t sys_sendmsg(const struct sysargs *a)
{
	struct user_msghdr h;
	struct file *f;
	struct socket *s = socket_get(arg_int(a, 0), &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	int64_t r = copy_in_struct(&h, arg_uva(a, 1));
	if (!r)
		r = send_one(f, s, &h, arg_u32(a, 2));
	file_put(f);
	return r;
}

int64_t sys_sendmmsg(const struct sysargs *a)
{
	uva_t vec = arg_uva(a, 1);
	uint32_t n = MIN(arg_u32(a, 2), (uint32_t)UIO_MAXIOV), done = 0;
	struct file *f;
	struct socket *s = socket_get(arg_int(a, 0), &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	int64_t r = 0;
	while (done < n) {
		struct user_mmsghdr h;
		uva_t at = uva_add(vec, done * sizeof(h));
		r = copy_in_struct(&h, at);
		if (!r)
			r = send_one(f, s, &h.hdr, arg_u32(a, 3));
		if (r < 0)
			break;
		uint32_t len = (uint32_t)r;
		r = copy_out(uva_add(at, offsetof(struct user_mmsghdr, len)), &len, sizeof(len));
		if (r)
			break;
		done++;
	}
	file_put(f);
	return done ? done : r;
}

/* ---- receiving ---------------------------------------------------------------------------------------------------- */

/* Writes one control message; *off advances. False: no room (MSG_CTRUNC). */
static bool put_cmsg(uva_t control, uint64_t room, uint64_t *off, int type, const void *data, size_t len, int *err)
{
	if (room - *off < sizeof(struct user_cmsghdr))
		return false;
	size_t fit = MIN(len, (size_t)(room - *off - sizeof(struct user_cmsghdr)));
	struct user_cmsghdr h = {sizeof(h) + fit, SOL_SOCKET, type};
	*err = copy_out(uva_add(control, *off), &h, sizeof(h));
	if (!*err && fit)
		*err = copy_out(uva_add(control, *off + sizeof(h)), data, fit);
	*off = MIN(*off + CMSG_ALIGN_(sizeof(h) + fit), room);
	return fit == len;
}

/* Installs received files as descriptors, as many as fit. */
static bool put_files(struct scm *scm, uva_t control, uint64_t room, uint64_t *off, bool cloexec, int *err)
{
	uint64_t left = room - *off;
	uint32_t fit = left < sizeof(struct user_cmsghdr) + sizeof(int)
	                   ? 0
	                   : (uint32_t)MIN((left - sizeof(struct user_cmsghdr)) / sizeof(int), (uint64_t)scm->nfiles);
	int *fds = fit ? kmalloc(fit * sizeof(int)) : NULL;
	uint32_t n = 0;
	while (fds && n < fit) {
		int fd = fd_reserve(0);
		if (fd < 0)
			break;
		file_get(scm->files[n]);
		fd_install(fd, scm->files[n], cloexec);
		fds[n++] = fd;
	}
	if (n)
		put_cmsg(control, room, off, SCM_RIGHTS, fds, n * sizeof(int), err);
	kfree(fds);
	return n == scm->nfiles;
}

static ssize_t_ recv_one(struct file *f, struct socket *s, uva_t user_hdr, uint32_t flags, uint32_t add_flags)
{
	struct user_msghdr h;
	if (copy_in_struct(&h, user_hdr))
		return -EFAULT;
	if (h.namelen < 0 && h.name)
		return -EINVAL;
	if (h.iovlen > UIO_MAXIOV)
		return -EMSGSIZE;
	struct iter it;
	struct uiovec fast[8], *vec = NULL;
	ssize_t_ r = iter_import(&it, uva(h.iov), h.iovlen, true, fast, &vec);
	if (r < 0)
		return r;
	struct sockaddr_buf addr = {0};
	struct scm scm = {0};
	struct sock_msg m = {.iter = &it, .addr = &addr, .scm = &scm,
	                     .flags = message_flags(f, (flags & ~(uint32_t)MSG_CMSG_CLOEXEC) | add_flags)};
	uint64_t off = 0, room = h.control ? h.controllen : 0;
	if (room && s->family != AF_UNIX) {
		m.control_room = (uint32_t)MIN(room, (uint64_t)CONTROL_MAX);
		m.control = kmalloc(m.control_room);
		if (!m.control)
			m.control_room = 0;
	}
	r = s->ops->recvmsg(s, &m);
	iter_free_vec(vec, fast);
	if (r < 0) {
		kfree(m.control);
		return r;
	}
	int err = m.control_len ? copy_out(uva(h.control), m.control, m.control_len) : 0;
	off = m.control_len;
	kfree(m.control);
	uint32_t out = m.out_flags;
	struct ucred creds = sock_cred_out(&scm.creds);
	if (s->family == AF_NETLINK)
		creds = (struct ucred){0}; /* only the kernel sends */
	if (s->passcred && (s->family == AF_UNIX || s->family == AF_NETLINK) &&
	    !put_cmsg(uva(h.control), room, &off, SCM_CREDENTIALS, &creds, sizeof(creds), &err))
		out |= MSG_CTRUNC;
	if (!err && scm.nfiles && !put_files(&scm, uva(h.control), room, &off, flags & MSG_CMSG_CLOEXEC, &err))
		out |= MSG_CTRUNC;
	scm_destroy(&scm);
	if (flags & MSG_CMSG_CLOEXEC)
		out |= MSG_CMSG_CLOEXEC;
	if (!err && h.name) {
		uint32_t n = MIN((uint32_t)h.namelen, addr.len);
		if (n)
			err = copy_out(uva(h.name), addr.data, n);
		if (!err)
			err = copy_out(uva_add(user_hdr, offsetof(struct user_msghdr, namelen)), &addr.len, sizeof(int));
	}
	if (!err)
		err = copy_out(uva_add(user_hdr, offsetof(struct user_msghdr, flags)), &out, sizeof(out));
	if (!err)
		err = copy_out(uva_add(user_hdr, offsetof(struct user_msghdr, controllen)), &off, sizeof(off));
	return err ? err : r;
}

int64_t sys_recvfrom(const struct sysargs *a)
{
	struct file *f;
	struct socket *s = socket_get(arg_int(a, 0), &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	struct iter it;
	struct sockaddr_buf addr = {0};
	bool named = arg_u64(a, 4) != 0;
	iter_user(&it, arg_uva(a, 1), MIN(arg_u64(a, 2), RW_MAX), true);
	struct sock_msg m = {.iter = &it, .addr = named ? &addr : NULL, .flags = message_flags(f, arg_u32(a, 3))};
	int64_t r = s->ops->recvmsg(s, &m);
	file_put(f);
	if (r >= 0 && named) {
		int err = sockaddr_copy_out(arg_uva(a, 4), arg_uva(a, 5), &addr);
		if (err)
			return err;
	}
	return r;
}

int64_t sys_recvmsg(const struct sysargs *a)
{
	struct file *f;
	struct socket *s = socket_get(arg_int(a, 0), &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	int64_t r = recv_one(f, s, arg_uva(a, 1), arg_u32(a, 2), 0);
	file_put(f);
	return r;
}

int64_t sys_recvmmsg(const struct sysargs *a)
{
	uva_t vec = arg_uva(a, 1), timeout = arg_uva(a, 4);
	uint32_t n = MIN(arg_u32(a, 2), (uint32_t)UIO_MAXIOV), flags = arg_u32(a, 3), done = 0;
	uint64_t deadline = DEADLINE_NEVER;
	if (timeout.v) {
		struct __kernel_timespec ts;
		if (copy_in_struct(&ts, timeout))
			return -EFAULT;
		if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= 1000000000)
			return -EINVAL;
		deadline = clock_monotonic() + (uint64_t)MIN(ts.tv_sec, 9000000000L) * 1000000000 + (uint64_t)ts.tv_nsec;
	}
	struct file *f;
	struct socket *s = socket_get(arg_int(a, 0), &f);
	if (IS_ERR(s))
		return PTR_ERR(s);
	int64_t r = 0;
	while (done < n) {
		uint32_t add = done && flags & MSG_WAITFORONE ? MSG_DONTWAIT : 0;
		uva_t at = uva_add(vec, done * sizeof(struct user_mmsghdr));
		r = recv_one(f, s, at, flags & ~(uint32_t)MSG_WAITFORONE, add);
		if (r < 0)
			break;
		uint32_t len = (uint32_t)r;
		r = copy_out(uva_add(at, offsetof(struct user_mmsghdr, len)), &len, sizeof(len));
		if (r)
			break;
		done++;
		/* The timeout is looked at only between messages (recvmmsg(2), BUGS). */
		if (clock_monotonic() >= deadline)
			break;
	}
	file_put(f);
	return done ? done : r;
}
