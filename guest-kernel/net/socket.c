// SPDX-License-Identifier: Apache-2.0
/* Socket files: read, write, poll and ioctl on a socket, and creation (see socket.h). */
#include "net/socket.h"

#include <asm/ioctls.h>

#include "fs/namei.h"
#include "lib/string.h"
#include "net/sys_socket.h"
#include "signal/signal.h"
#include "task/task.h"
#include "task/user_ns.h"

static const struct file_ops socket_fops;

/* Sockets' files stay while it is held. Before the locks of signals. */
static spinlock_t file_lock;

void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type, int protocol)
{
	s->ops = ops;
	s->family = family;
	s->type = type;
	s->protocol = protocol;
	s->net = net_ns_get(current->nsproxy->net);
	s->sndbuf = s->rcvbuf = 212992;
	s->rcvlowat = 1;
}

void socket_fini(struct socket *s)
{
	net_ns_put(s->net);
}

struct sock_cred sock_cred_current(bool effective)
{
	const struct cred *c = current->cred;

	return (struct sock_cred){pid_hold(current->proc->numbers), effective ? c->euid : c->uid, effective ? c->egid : c->gid};
}

struct sock_cred sock_cred_get(const struct sock_cred *c)
{
	pid_hold(c->pid);
	return *c;
}

void sock_cred_put(struct sock_cred *c)
{
	pid_put(c->pid);
	c->pid = NULL;
}

struct ucred sock_cred_out(const struct sock_cred *c)
{
	return (struct ucred){(uint32_t)pid_vnumber(c->pid), kuid_out(c->uid), kgid_out(c->gid)};
}

uint64_t socket_deadline(uint64_t timeout_ns)
{
	return timeout_ns ? clock_monotonic() + timeout_ns : DEADLINE_NEVER;
}

void scm_destroy(struct scm *scm)
{
	for (uint32_t i = 0; i < scm->nfiles; i++)
		file_put(scm->files[i]);
	kfree(scm->files);
	scm->files = NULL;
	scm->nfiles = 0;
	sock_cred_put(&scm->creds);
}

struct file *socket_file(struct socket *s, uint32_t flags)
{
	struct inode *inode = inode_anon(S_IFSOCK | 0777);
	if (!inode) {
		s->ops->release(s);
		return ERR_PTR(-ENFILE);
	}
	struct file *f = file_from_inode(inode, "socket:", &socket_fops, s, O_RDWR | flags);
	if (!f) {
		inode_put(inode);
		s->ops->release(s);
		return ERR_PTR(-ENFILE);
	}
	s->ino = inode->ino;
	spin_lock(&file_lock);
	s->file = f;
	spin_unlock(&file_lock);
	return f;
}

struct socket *file_socket(struct file *f)
{
	return f->ops == &socket_fops ? f->private : NULL;
}

void sock_put_cmsg(struct sock_msg *m, int level, int type, const void *data, size_t len)
{
	size_t left = m->control_room - m->control_len, n = MIN(sizeof(struct user_cmsghdr) + len, left);
	struct user_cmsghdr h = {n, level, type};
	if (n < sizeof(h)) {
		m->out_flags |= MSG_CTRUNC;
		return;
	}
	if (n < sizeof(h) + len)
		m->out_flags |= MSG_CTRUNC;
	uint8_t *at = m->control + m->control_len;
	size_t space = MIN(CMSG_ALIGN_(sizeof(h) + len), left);
	memset(at, 0, space);
	memcpy(at, &h, sizeof(h));
	memcpy(at + sizeof(h), data, n - sizeof(h));
	m->control_len += (uint32_t)space;
}

int sock_each_cmsg(const struct sock_msg *m, cmsg_fn fn, void *ctx)
{
	uint32_t off = 0;
	while (m->control_len - off >= sizeof(struct user_cmsghdr)) {
		struct user_cmsghdr h;
		memcpy(&h, m->control + off, sizeof(h));
		if (h.len < sizeof(h) || h.len > m->control_len - off)
			return -EINVAL;
		int err = fn(ctx, h.level, h.type, m->control + off + sizeof(h), h.len - sizeof(h));
		if (err)
			return err;
		off += (uint32_t)MIN(CMSG_ALIGN_(h.len), (uint64_t)(m->control_len - off));
	}
	return 0;
}

void socket_signal_urgent(struct socket *s)
{
	spin_lock(&file_lock);
	if (s->file && s->file->owner_pid)
		file_send_sigurg(s->file);
	spin_unlock(&file_lock);
}

static void sock_release(struct file *f)
{
	struct socket *s = f->private;
	spin_lock(&file_lock);
	s->file = NULL;
	spin_unlock(&file_lock);
	s->ops->release(s);
}

static ssize_t_ sock_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct socket *s = f->private;
	struct sock_msg m = {.iter = to, .flags = f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0};
	if (!to->count && s->type == SOCK_STREAM)
		return 0;
	return s->ops->recvmsg(s, &m);
}

static ssize_t_ sock_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct socket *s = f->private;
	struct sock_msg m = {.iter = from, .flags = f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0};
	ssize_t_ r = s->ops->sendmsg(s, &m);
	if (r == -EPIPE && s->type == SOCK_STREAM) {
		siginfo_t si;
		siginfo_user(&si, SIGPIPE, SI_USER);
		signal_send_task(current, &si);
	}
	return r;
}

static uint32_t sock_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->private;
	return s->ops->poll(s, f, pt);
}

static int64_t sock_ioctl(struct file *f, uint32_t cmd, uint64_t arg)
{
	struct socket *s = f->private;
	int owner;
	switch (cmd) {
	case FIOSETOWN:
	case SIOCSPGRP:
		if (copy_in(&owner, uva(arg), sizeof(owner)))
			return -EFAULT;
		return file_set_owner(f, owner);
	case FIOGETOWN:
	case SIOCGPGRP:
		owner = file_owner(f);
		return copy_out(uva(arg), &owner, sizeof(owner)) ? -EFAULT : 0;
	}
	if (net_dev_request(cmd))
		return net_dev_ioctl(s->net, cmd, arg);
	return s->ops->ioctl ? s->ops->ioctl(s, cmd, arg) : -ENOTTY;
}

static void sock_owner_set(struct file *f)
{
	struct socket *s = f->private;
	if (s->ops->owner_set)
		s->ops->owner_set(s);
}

static const struct file_ops socket_fops = {.release = sock_release, .read = sock_read, .write = sock_write,
                                            .poll = sock_poll, .ioctl = sock_ioctl, .owner_set = sock_owner_set, .no_seek = true};
