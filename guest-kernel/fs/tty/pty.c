// SPDX-License-Identifier: Apache-2.0
/*
 * Pseudo-terminals (pty(7), pts(4)). One struct tty is both ends: its line discipline belongs to the slave; the master
 * writes into it and reads what it puts out from a ring.
 *
 * A number is taken from the open of the master until its last close. The table holds a reference on each terminal but
 * those that are no ptys and have a number only to be found in /dev/pts (pty_adopt).
 */
#include "fs/tty/tty.h"

#include <asm/ioctls.h>
#include <linux/fs.h>
#include <linux/tty.h>

#include "fs/dev/chrdev.h"
#include "fs/poll.h"
#include "lib/string.h"
#include "signal/signal.h"
#include "task/task.h"

#define CHUNK 512u
#define OUT_MASK (PTY_BUF - 1)

static struct {
	spinlock_t lock;
	struct tty *pty[PTY_MAX]; /* lock */
	uint32_t count;           /* lock */
} ptys;

/* ---- the driver: output of the slave goes into the ring ---- */
static uint32_t pty_room(struct tty *t)
{
	return t->master_open ? PTY_BUF - (t->out_head - t->out_tail) : PTY_BUF;
}

static void pty_put(struct tty *t, const char *s, uint32_t n)
{
	if (!t->master_open)
		return;
	for (uint32_t i = 0; i < n; i++)
		t->out[t->out_head++ & OUT_MASK] = s[i];
	t->pending |= TTY_DO_MASTER;
}

static void pty_flush_output(struct tty *t)
{
	t->out_tail = t->out_head;
	if (t->packet)
		t->packet_status |= TIOCPKT_FLUSHWRITE;
	t->pending |= TTY_DO_MASTER | TTY_DO_WRITERS;
}

static void pty_flow(struct tty *t, bool stopped)
{
	if (!t->packet)
		return;
	t->packet_status &= ~(TIOCPKT_STOP | TIOCPKT_START);
	t->packet_status |= stopped ? TIOCPKT_STOP : TIOCPKT_START;
	t->pending |= TTY_DO_MASTER;
}

/* Packet mode tells the master whether the slave does ^S/^Q itself. */
static void pty_set_termios(struct tty *t)
{
	tty_lock(t);
	if (t->packet) {
		bool stops = (t->termios.c_iflag & IXON) && t->termios.c_cc[VSTOP] == 19 && t->termios.c_cc[VSTART] == 17;
		t->packet_status &= ~(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
		t->packet_status |= stops ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP;
		if (t->termios.c_lflag & EXTPROC)
			t->packet_status |= TIOCPKT_IOCTL;
		t->pending |= TTY_DO_MASTER;
	}
	tty_unlock(t);
}

/* Hands what the master wrote to the line discipline, as far as that has room. tty->lock held. */
static void feed(struct tty *t)
{
	if (t->feeding)
		return; /* the line discipline makes room while it takes input: a flush by ^C */
	t->feeding = true;
	while (t->in_tail != t->in_head) {
		uint32_t at = t->in_tail & (PTY_IN - 1), n = MIN(t->in_head - t->in_tail, PTY_IN - at);
		n = ldisc_receive(t, t->in + at, n);
		if (!n)
			break;
		t->in_tail += n;
	}
	t->feeding = false;
}

static void pty_input_room(struct tty *t)
{
	feed(t);
	t->pending |= TTY_DO_MASTER;
}

static uint32_t in_room(const struct tty *t)
{
	uint32_t used = READ_ONCE(t->in_head) - READ_ONCE(t->in_tail);
	return used < PTY_IN_LIMIT ? PTY_IN_LIMIT - used : 0;
}

/* The master writes: bytes taken. tty->lock held. */
static uint32_t in_put(struct tty *t, const char *s, uint32_t n)
{
	n = MIN(n, in_room(t));
	for (uint32_t i = 0; i < n; i++)
		t->in[t->in_head++ & (PTY_IN - 1)] = s[i];
	feed(t);
	return n;
}

static void pty_free(struct tty *t)
{
	if (t->inode)
		inode_put(t->inode);
}

static bool pty_output_empty(struct tty *t)
{
	return t->out_head == t->out_tail;
}

static const struct tty_driver pty_driver = {
	.room = pty_room,
	.put = pty_put,
	.flush_output = pty_flush_output,
	.flow = pty_flow,
	.input_room = pty_input_room,
	.set_termios = pty_set_termios,
	.free = pty_free,
	.output_empty = pty_output_empty,
};

/* ---- numbers ---- */
struct tty *pty_find(uint32_t index)
{
	if (index >= PTY_MAX)
		return NULL;
	spin_lock(&ptys.lock);
	struct tty *t = ptys.pty[index];
	if (t && !ref_get_unless_zero(&t->refs))
		t = NULL; /* an adopted one, on its way out */
	spin_unlock(&ptys.lock);
	return t;
}

uint32_t pty_next(uint32_t from)
{
	uint32_t i;
	spin_lock(&ptys.lock);
	for (i = from; i < PTY_MAX && !ptys.pty[i]; i++)
		;
	spin_unlock(&ptys.lock);
	return i < PTY_MAX ? i : UINT32_MAX;
}

/* The lowest free number becomes t's. */
static int take_number(struct tty *t, bool hold)
{
	uint32_t i;
	spin_lock(&ptys.lock);
	for (i = 0; i < PTY_MAX && ptys.pty[i]; i++)
		;
	if (i < PTY_MAX) {
		t->minor = i;
		ptys.pty[i] = t;
		ptys.count++;
		if (hold)
			tty_get(t);
	}
	spin_unlock(&ptys.lock);
	return i < PTY_MAX ? 0 : -ENOSPC;
}

static int pty_register(struct tty *t)
{
	return take_number(t, true);
}

int pty_adopt(struct tty *t)
{
	int r = take_number(t, false);
	if (r)
		return r;
	t->major = PTY_SLAVE_MAJOR;
	snprintf(t->name, sizeof(t->name), "pts/%u", t->minor);
	t->inode = devpts_new_inode(t->minor);
	if (t->inode)
		WRITE_ONCE(t->master_open, true);
	return t->inode ? 0 : -ENOMEM;
}

void pty_disown(struct tty *t)
{
	spin_lock(&ptys.lock);
	ptys.pty[t->minor] = NULL;
	ptys.count--;
	spin_unlock(&ptys.lock);
	if (t->inode)
		inode_put(t->inode);
	t->inode = NULL;
}

static void pty_unregister(struct tty *t)
{
	spin_lock(&ptys.lock);
	ptys.pty[t->minor] = NULL;
	ptys.count--;
	spin_unlock(&ptys.lock);
	tty_put(t);
}

/* ---- master ---- */
static bool slave_gone(const struct tty *t)
{
	return READ_ONCE(t->slave_opened) && !READ_ONCE(t->slaves);
}

static bool master_readable(const struct tty *t)
{
	return READ_ONCE(t->out_head) != READ_ONCE(t->out_tail) || (t->packet && READ_ONCE(t->packet_status)) ||
	       slave_gone(t);
}

/* Takes what the slave put out; in packet mode behind a status byte. tty->lock held. */
static uint32_t master_take(struct tty *t, char *to, uint32_t n)
{
	uint32_t done = 0;
	if (t->packet) {
		if (t->packet_status) {
			to[0] = (char)t->packet_status;
			t->packet_status = 0;
			return 1;
		}
		if (t->out_head == t->out_tail)
			return 0;
		to[done++] = TIOCPKT_DATA;
	}
	while (done < n && t->out_tail != t->out_head)
		to[done++] = t->out[t->out_tail++ & OUT_MASK];
	if (done)
		ldisc_echo_flush(t);
	return done;
}

static ssize_t_ master_read(struct file *file, struct iter *to, uint64_t *pos)
{
	struct tty *t = file_tty(file);
	char buf[CHUNK];
	size_t done = 0;
	while (to->count) {
		tty_lock(t);
		uint32_t n = master_take(t, buf, MIN(to->count, CHUNK));
		if (n)
			t->pending |= TTY_DO_WRITERS;
		bool packet = t->packet;
		tty_unlock(t);
		if (n) {
			size_t copied = iter_copy_to(to, buf, n);
			done += copied;
			if (copied < n)
				return done ? (ssize_t_)done : -EFAULT;
			if (packet || n < CHUNK)
				break;
			continue;
		}
		if (done)
			break;
		if (slave_gone(t))
			return -EIO;
		if (READ_ONCE(file->flags) & O_NONBLOCK)
			return -EAGAIN;
		int r = wait_event_interruptible(&t->master_wait, master_readable(t));
		if (r)
			return r;
	}
	return done;
}

static ssize_t_ master_write(struct file *file, struct iter *from, uint64_t *pos)
{
	struct tty *t = file_tty(file);
	char buf[CHUNK];
	size_t done = 0;
	while (from->count) {
		uint32_t have = (uint32_t)iter_copy_from(from, buf, MIN(from->count, CHUNK));
		if (!have)
			return done ? (ssize_t_)done : -EFAULT;
		tty_lock(t);
		uint32_t n = in_put(t, buf, have);
		tty_unlock(t);
		if (n < have)
			iter_revert(from, have - n);
		done += n;
		if (n)
			continue;
		if (READ_ONCE(file->flags) & O_NONBLOCK)
			return done ? (ssize_t_)done : -EAGAIN;
		int r = wait_event_interruptible(&t->master_wait, in_room(t));
		if (r)
			return done ? (ssize_t_)done : r;
	}
	return done;
}

static uint32_t master_poll(struct file *file, struct poll_table *pt)
{
	struct tty *t = file_tty(file);
	uint32_t ev = 0;
	poll_wait(file, &t->master_wait, pt);
	tty_lock(t);
	if (t->out_head != t->out_tail)
		ev |= EPOLLIN | EPOLLRDNORM;
	if (t->packet && t->packet_status)
		ev |= EPOLLPRI | EPOLLIN | EPOLLRDNORM;
	if (in_room(t))
		ev |= EPOLLOUT | EPOLLWRNORM;
	if (slave_gone(t))
		ev |= EPOLLHUP;
	tty_unlock(t);
	return ev;
}

static void master_release(struct file *file)
{
	struct tty *t = file_tty(file);
	if (!t)
		return;
	tty_lock(t);
	t->master_open = false;
	t->out_tail = t->out_head;
	tty_unlock(t);
	tty_hangup(t);
	pty_unregister(t);
	tty_put(t);
}

/* TIOCGPTPEER: the slave as a descriptor, without its name (ioctl_tty(2)). */
static int64_t open_peer(struct tty *t, uint64_t flags)
{
	struct path p;
	if (!devpts_path(t->minor, &p))
		return -EIO;
	struct file *f = vfs_open_path(&p, (uint32_t)flags & (O_ACCMODE | O_NONBLOCK | O_NOCTTY));
	path_put(&p);
	if (IS_ERR(f))
		return PTR_ERR(f);
	return fd_publish(f, flags & O_CLOEXEC);
}

static int64_t signal_slave(struct tty *t, uint64_t signo)
{
	if (signo != SIGINT && signo != SIGQUIT && signo != SIGTSTP)
		return -EINVAL;
	tty_signal_pgrp(t, (int)signo);
	return 0;
}

static int64_t get_int(uint64_t arg, int32_t *v)
{
	return copy_in(v, uva(arg), sizeof(*v));
}

static int64_t put_int(uint64_t arg, int32_t v)
{
	return copy_out(uva(arg), &v, sizeof(v));
}

static void set_packet(struct tty *t, bool on)
{
	tty_lock(t);
	if (on && !t->packet)
		t->packet_status = 0;
	t->packet = on;
	tty_unlock(t);
}

/* TCFLSH on the master is about its own input, the slave's output; packet mode does not report it. */
static int64_t master_flush(struct tty *t, uint64_t what)
{
	if (what != TCIFLUSH && what != TCOFLUSH && what != TCIOFLUSH)
		return -EINVAL;
	tty_lock(t);
	if (what != TCOFLUSH) {
		t->out_tail = t->out_head;
		t->pending |= TTY_DO_WRITERS;
	}
	if (what != TCIFLUSH) {
		t->in_tail = t->in_head;
		t->pending |= TTY_DO_MASTER;
	}
	tty_unlock(t);
	return 0;
}

static int64_t master_ioctl(struct file *file, uint32_t cmd, uint64_t arg)
{
	struct tty *t = file_tty(file);
	int32_t v;
	int64_t r;
	switch (cmd) {
	case TIOCGPTN:
		return put_int(arg, (int32_t)t->minor);
	case TIOCSPTLCK:
	case TIOCPKT:
		r = get_int(arg, &v);
		if (r)
			return r;
		if (cmd == TIOCPKT)
			set_packet(t, v);
		else
			t->locked = v;
		return 0;
	case TIOCGPTLCK:
		return put_int(arg, t->locked);
	case TIOCGPKT:
		return put_int(arg, t->packet);
	case TIOCGPTPEER:
		return open_peer(t, arg);
	case TIOCSIG:
		return signal_slave(t, arg);
	case FIONREAD:
	case TIOCOUTQ:
		tty_lock(t);
		v = cmd == FIONREAD ? t->out_head - t->out_tail : 0;
		tty_unlock(t);
		return put_int(arg, v);
	case TCSBRK:
	case TCSBRKP:
		return 0;
	case TCFLSH:
		return master_flush(t, arg);
	default:
		r = tty_mode_ioctl(t, file, cmd, arg);
		if (r == -ENOIOCTLCMD)
			r = tty_job_ioctl(t, NULL, cmd, arg);
		return r == -ENOIOCTLCMD ? -ENOTTY : r;
	}
}

static const struct file_ops master_fops = {
	.release = master_release,
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
	.no_seek = true,
};

int pty_open_master(struct inode *inode, struct file *file)
{
	struct tty *t = tty_alloc(&pty_driver, PTY_SLAVE_MAJOR, 0, "");
	if (!t)
		return -ENOMEM;
	t->is_pty = true;
	t->locked = true;
	t->master_open = true;
	t->out = kmalloc(PTY_BUF);
	t->in = kmalloc(PTY_IN);
	int r = t->out && t->in ? pty_register(t) : -ENOMEM;
	if (r) {
		tty_put(t);
		return r;
	}
	snprintf(t->name, sizeof(t->name), "pts/%u", t->minor);
	t->inode = devpts_new_inode(t->minor);
	if (!t->inode) {
		pty_unregister(t);
		tty_put(t);
		return -ENOMEM;
	}
	file->private = t;
	file->ops = &master_fops;
	file->mode |= FMODE_STREAM;
	return 0;
}

/* ---- slave ---- */
int pty_open_slave(struct inode *inode, struct file *file)
{
	struct tty *t = pty_find(DEV_MINOR(inode->rdev));
	if (!t)
		return -EIO;
	if (t->locked || !READ_ONCE(t->master_open)) {
		tty_put(t);
		return -EIO;
	}
	int r = tty_file_open(t, file);
	/* A session leader without a terminal gets this one. */
	if (!r && !(file->flags & O_NOCTTY) && (file->mode & FMODE_READ))
		(void)!tty_set_controlling(t, false);
	return r;
}
