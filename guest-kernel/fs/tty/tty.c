// SPDX-License-Identifier: Apache-2.0
/*
 * Terminals as files: open, read, write, poll, hang-up; /dev/tty and /dev/console. The line discipline does the bytes,
 * tty_job.c the permission to read and write, the driver the other end.
 */
#include "fs/tty/tty.h"

#include <asm/ioctls.h>
#include <linux/fs.h>

#include "fs/dev/chrdev.h"
#include "fs/poll.h"
#include "lib/string.h"
#include "signal/signal.h"
#include "task/task.h"

#define CHUNK 512u
#define DECISECOND 100000000UL

static const struct termios2 default_termios = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = {[VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1, [VSTART] = 17,
	         [VSTOP] = 19, [VSUSP] = 26, [VREPRINT] = 18, [VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22},
	.c_ispeed = 38400,
	.c_ospeed = 38400,
};

struct tty *tty_alloc(const struct tty_driver *driver, uint32_t major, uint32_t minor, const char *name)
{
	struct tty *t = kzalloc(sizeof(*t));
	if (!t)
		return NULL;
	ref_init(&t->refs);
	t->driver = driver;
	t->major = major;
	t->minor = minor;
	strlcpy(t->name, name, sizeof(t->name));
	spin_init(&t->lock);
	t->termios = default_termios;
	wait_queue_init(&t->read_wait);
	wait_queue_init(&t->write_wait);
	wait_queue_init(&t->master_wait);
	mutex_init(&t->read_lock);
	mutex_init(&t->write_lock);
	return t;
}

void tty_put(struct tty *t)
{
	if (!t || !ref_put(&t->refs))
		return;
	if (t->driver->free)
		t->driver->free(t);
	kfree(t->out);
	kfree(t->in);
	kfree(t);
}

void tty_lock(struct tty *t)
{
	spin_lock(&t->lock);
}

void tty_unlock(struct tty *t)
{
	uint32_t todo = t->pending;
	t->pending = 0;
	spin_unlock(&t->lock);
	if (todo & TTY_DO_SIGINT)
		tty_signal_pgrp(t, SIGINT);
	if (todo & TTY_DO_SIGQUIT)
		tty_signal_pgrp(t, SIGQUIT);
	if (todo & TTY_DO_SIGTSTP)
		tty_signal_pgrp(t, SIGTSTP);
	if (todo & TTY_DO_READERS)
		wake_up_poll(&t->read_wait, EPOLLIN | EPOLLRDNORM);
	if (todo & TTY_DO_WRITERS)
		wake_up_poll(&t->write_wait, EPOLLOUT | EPOLLWRNORM);
	if (todo & TTY_DO_MASTER)
		wake_up_all(&t->master_wait);
}

static bool hung_up(const struct file *file)
{
	return file->seq != READ_ONCE(file_tty(file)->hangups);
}

/* The other end of a pty is closed. */
static bool other_closed(const struct tty *t)
{
	return t->is_pty && !READ_ONCE(t->master_open);
}

/* ---- read ---- */
struct read_rule {
	uint32_t minimum;
	uint64_t first_ns;  /* how long to wait for the first byte; DEADLINE_NEVER: for ever */
	uint64_t next_ns;   /* between bytes; 0: no limit */
};

static void read_rule(struct tty *t, struct read_rule *r)
{
	tty_lock(t);
	uint32_t vmin = t->termios.c_cc[VMIN], vtime = t->termios.c_cc[VTIME];
	*r = (struct read_rule){0, DEADLINE_NEVER, 0};
	if (!(t->termios.c_lflag & ICANON)) {
		if (vmin) {
			r->minimum = vmin;
			r->next_ns = vtime * DECISECOND;
		} else {
			r->minimum = 1;
			r->first_ns = vtime * DECISECOND;
		}
	}
	tty_unlock(t);
}

static bool read_possible(struct file *file)
{
	struct tty *t = file_tty(file);
	return READ_ONCE(t->canon_head) != READ_ONCE(t->tail) || ldisc_input_ready(t) || hung_up(file) || other_closed(t);
}

/* Waits for input: 1 there is some, 0 end or time out, or -errno. */
static int read_wait(struct file *file, uint64_t wait_ns)
{
	struct tty *t = file_tty(file);
	if (ldisc_input_ready(t))
		return 1;
	if (hung_up(file))
		return 0;
	if (other_closed(t))
		return -EIO;
	if (!wait_ns)
		return 0;
	if (READ_ONCE(file->flags) & O_NONBLOCK)
		return -EAGAIN;
	uint64_t deadline = wait_ns == DEADLINE_NEVER ? DEADLINE_NEVER : clock_monotonic() + wait_ns;
	int r = wait_event_interruptible_deadline(&t->read_wait, read_possible(file), deadline);
	if (r == -ETIMEDOUT)
		return 0;
	if (r)
		return r;
	return ldisc_input_ready(t) ? 1 : hung_up(file) ? 0 : other_closed(t) ? -EIO : 1;
}

static ssize_t_ read_locked(struct file *file, struct iter *to)
{
	struct tty *t = file_tty(file);
	struct read_rule rule;
	char buf[CHUNK];
	size_t done = 0;
	read_rule(t, &rule);
	uint64_t wait_ns = rule.first_ns;
	while (to->count) {
		int r = tty_check_change(t, SIGTTIN);
		if (!r)
			r = read_wait(file, wait_ns);
		if (r < 0)
			return done ? (ssize_t_)done : r;
		if (!r)
			break;
		bool end;
		tty_lock(t);
		bool canon = t->termios.c_lflag & ICANON;
		uint32_t n = ldisc_take(t, buf, MIN(to->count, CHUNK), &end);
		tty_unlock(t);
		size_t copied = iter_copy_to(to, buf, n);
		done += copied;
		if (copied < n)
			return done ? (ssize_t_)done : -EFAULT;
		if (canon) {
			/* One line at most; a long one comes in several chunks. */
			if (end || n < CHUNK || !ldisc_input_ready(t))
				break;
			continue;
		}
		if (done >= rule.minimum && !ldisc_input_ready(t))
			break;
		wait_ns = rule.next_ns ? rule.next_ns : done < rule.minimum ? DEADLINE_NEVER : 0;
	}
	return done;
}

static ssize_t_ tty_read(struct file *file, struct iter *to, uint64_t *pos)
{
	struct tty *t = file_tty(file);
	if (hung_up(file))
		return 0;
	if (!to->count)
		return 0;
	if (READ_ONCE(file->flags) & O_NONBLOCK) {
		if (!mutex_trylock(&t->read_lock))
			return -EAGAIN;
	} else if (mutex_lock_interruptible(&t->read_lock)) {
		return -ERESTARTSYS;
	}
	ssize_t_ n = read_locked(file, to);
	mutex_unlock(&t->read_lock);
	return n;
}

/* ---- write ---- */
static bool write_possible(struct file *file)
{
	struct tty *t = file_tty(file);
	return (!READ_ONCE(t->stopped) && t->driver->room(t) >= 8) || hung_up(file) || other_closed(t);
}

static ssize_t_ write_locked(struct file *file, struct iter *from)
{
	struct tty *t = file_tty(file);
	char buf[CHUNK];
	size_t done = 0;
	while (from->count) {
		if (hung_up(file) || other_closed(t))
			return done ? (ssize_t_)done : -EIO;
		uint32_t have = (uint32_t)iter_copy_from(from, buf, MIN(from->count, CHUNK));
		if (!have)
			return done ? (ssize_t_)done : -EFAULT;
		tty_lock(t);
		uint32_t n = ldisc_write(t, buf, have);
		tty_unlock(t);
		if (n < have)
			iter_revert(from, have - n);
		done += n;
		if (n == have)
			continue;
		if (READ_ONCE(file->flags) & O_NONBLOCK)
			return done ? (ssize_t_)done : -EAGAIN;
		int r = wait_event_interruptible(&t->write_wait, write_possible(file));
		if (r)
			return done ? (ssize_t_)done : r;
	}
	return done;
}

static ssize_t_ tty_write(struct file *file, struct iter *from, uint64_t *pos)
{
	struct tty *t = file_tty(file);
	if (hung_up(file))
		return -EIO;
	if (READ_ONCE(t->termios.c_lflag) & TOSTOP) {
		int r = tty_check_change(t, SIGTTOU);
		if (r)
			return r;
	}
	if (READ_ONCE(file->flags) & O_NONBLOCK) {
		if (!mutex_trylock(&t->write_lock))
			return -EAGAIN;
	} else if (mutex_lock_interruptible(&t->write_lock)) {
		return -ERESTARTSYS;
	}
	ssize_t_ n = write_locked(file, from);
	mutex_unlock(&t->write_lock);
	return n;
}

static uint32_t tty_poll(struct file *file, struct poll_table *pt)
{
	struct tty *t = file_tty(file);
	uint32_t ev = 0;
	poll_wait(file, &t->read_wait, pt);
	poll_wait(file, &t->write_wait, pt);
	if (hung_up(file))
		return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | EPOLLWRNORM;
	tty_lock(t);
	const struct termios2 *s = &t->termios;
	uint32_t need = s->c_lflag & ICANON || s->c_cc[VTIME] || !s->c_cc[VMIN] ? 1 : s->c_cc[VMIN];
	if (s->c_lflag & ICANON ? ldisc_input_ready(t) : t->head - t->tail >= need)
		ev |= EPOLLIN | EPOLLRDNORM;
	if (!t->stopped && t->driver->room(t) >= 8)
		ev |= EPOLLOUT | EPOLLWRNORM;
	if (other_closed(t))
		ev |= EPOLLHUP;
	tty_unlock(t);
	return ev;
}

/* ---- open and close ---- */
int tty_file_open(struct tty *t, struct file *file)
{
	if (t->exclusive && !capable(CAP_SYS_ADMIN)) {
		tty_put(t);
		return -EBUSY;
	}
	file->private = t;
	file->ops = &tty_fops;
	file->seq = READ_ONCE(t->hangups);
	file->mode |= FMODE_STREAM;
	tty_lock(t);
	t->slaves++;
	t->slave_opened = true;
	t->pending |= TTY_DO_MASTER;
	tty_unlock(t);
	return 0;
}

static void tty_release(struct file *file)
{
	struct tty *t = file_tty(file);
	if (!t)
		return;
	tty_lock(t);
	bool last = --t->slaves == 0;
	t->pending |= TTY_DO_MASTER;
	if (last)
		t->exclusive = false;
	tty_unlock(t);
	if (last && t->driver->close)
		t->driver->close(t);
	tty_put(t);
}

/* The open files stay open, dead: the master of a pty sees the other end closed only when the last of them is. */
void tty_hangup(struct tty *t)
{
	tty_lock(t);
	t->hangups++;
	ldisc_flush_input(t);
	tty_set_stopped(t, false);
	t->pending |= TTY_DO_READERS | TTY_DO_WRITERS | TTY_DO_MASTER;
	tty_unlock(t);
	tty_session_hangup(t);
	wake_up_all(&t->read_wait);
	wake_up_all(&t->write_wait);
}

int tty_open_current(struct inode *inode, struct file *file)
{
	spin_lock(&tasklist_lock);
	struct tty *t = current->proc->tty;
	if (t)
		tty_get(t);
	spin_unlock(&tasklist_lock);
	return t ? tty_file_open(t, file) : -ENXIO;
}

int tty_open_console(struct inode *inode, struct file *file)
{
	struct tty *t = tty_host_console();
	return t ? tty_file_open(t, file) : -ENODEV;
}

bool tty_is_tty_file(const struct file *f)
{
	return f->ops == &tty_fops;
}

static int64_t tty_file_ioctl(struct file *file, uint32_t cmd, uint64_t arg)
{
	if (hung_up(file))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	return tty_ioctl(file, cmd, arg);
}

const struct file_ops tty_fops = {
	.release = tty_release,
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_file_ioctl,
	.no_seek = true,
};
