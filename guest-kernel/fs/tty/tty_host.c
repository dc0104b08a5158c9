// SPDX-License-Identifier: Apache-2.0
/*
 * The terminal that the container was started on. The host side is raw; editing, echo, signals and job control happen
 * in the Sentry, where the processes are. Descriptors that are the same host terminal share one struct tty.
 *
 * Input arrives by EV_IO in any context, so everything here works under spinlocks: non-blocking hostcalls and small
 * buffers. Output that the host does not take waits in the terminal's ring.
 */
#include "fs/tty/tty.h"

#include <asm/ioctls.h>
#include <linux/fs.h>

#include "fs/dev/chrdev.h"
#include "fs/hostio.h"
#include "fs/poll.h"
#include "lib/log.h"
#include "lib/string.h"
#include "task/task.h"
#include "time/timer.h"

#define CHUNK 256u
#define OUT_MASK (PTY_BUF - 1)
#define CLOSE_WAIT_NS 1000000000UL

struct host_tty {
	struct list_node link;  /* host_ttys.lock */
	struct tty *tty;        /* whose last reference frees this */
	struct hostio *io;
	struct termios saved;   /* the host's settings before ours */
	bool raw_by_us;         /* saved must be put back */
	bool in_pts;            /* it has a number of its own in /dev/pts */
	bool input_waits;       /* the line discipline was full; tty->lock */
};

static struct {
	spinlock_t lock;
	struct list_node list; /* lock */
} host_ttys = {.list = LIST_INIT(host_ttys.list)};

static struct host_tty *host_of(struct tty *t)
{
	return t->private;
}

/* ---- output; tty->lock held ---- */
static void push_output(struct tty *t)
{
	while (t->out_tail != t->out_head) {
		uint32_t at = t->out_tail & OUT_MASK;
		uint32_t n = MIN(t->out_head - t->out_tail, PTY_BUF - at);
		int64_t r = hostio_write_ram(host_of(t)->io, t->out + at, n);
		if (r == -EAGAIN) {
			hostio_arm(host_of(t)->io, EPOLLOUT);
			return;
		}
		/* A terminal that is gone takes everything; the hang-up arrives as an event. */
		t->out_tail += r > 0 ? (uint32_t)r : n;
	}
}

static uint32_t host_room(struct tty *t)
{
	return PTY_BUF - (t->out_head - t->out_tail);
}

static void host_put(struct tty *t, const char *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		t->out[t->out_head++ & OUT_MASK] = s[i];
	push_output(t);
}

static void host_flush_output(struct tty *t)
{
	t->out_tail = t->out_head;
	t->pending |= TTY_DO_WRITERS;
}

static bool host_output_empty(struct tty *t)
{
	return READ_ONCE(t->out_head) == READ_ONCE(t->out_tail);
}

/* ---- input; tty->lock held ---- */
/* Feeds the line discipline until the host has no more or it is full. false: the terminal is gone. */
static bool pull_input(struct tty *t)
{
	struct host_tty *ht = host_of(t);
	char buf[CHUNK];
	for (;;) {
		uint32_t room = MIN(ldisc_room(t), CHUNK);
		ht->input_waits = !room;
		if (!room)
			return true;
		int64_t n = hostio_read_ram(ht->io, buf, room);
		if (n == -EAGAIN) {
			hostio_arm(ht->io, EPOLLIN);
			return true;
		}
		if (n <= 0)
			return false;
		ldisc_receive(t, buf, (uint32_t)n);
	}
}

static void host_input_room(struct tty *t)
{
	struct host_tty *ht = host_of(t);
	if (ht->input_waits) {
		ht->input_waits = false;
		hostio_arm(ht->io, EPOLLIN);
	}
}

static void fetch_winsize(struct tty *t)
{
	struct tty_winsize ws;
	if (hostcall3(HC_IO_TTY, host_of(t)->io->io, TIOCGWINSZ, &ws) >= 0)
		tty_resize(t, &ws);
}

static void host_event(struct hostio *h, uint32_t events)
{
	spin_lock(&host_ttys.lock);
	struct host_tty *ht = h->private;
	struct tty *t = ht && ref_get_unless_zero(&ht->tty->refs) ? ht->tty : NULL;
	spin_unlock(&host_ttys.lock);
	bool alive = true;
	if (!t)
		return; /* it was closed a moment ago */
	tty_lock(t);
	if (events & EPOLLOUT) {
		push_output(t);
		ldisc_echo_flush(t);
		t->pending |= TTY_DO_WRITERS;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		alive = pull_input(t);
	tty_unlock(t);
	/* The host tells of a changed window size this way. */
	if (events & EPOLLPRI) {
		fetch_winsize(t);
		hostio_arm(h, EPOLLPRI);
	}
	if (!alive)
		tty_hangup(t);
	tty_put(t);
}

static void host_set_winsize(struct tty *t)
{
	struct tty_winsize ws;
	tty_lock(t);
	ws = t->winsize;
	tty_unlock(t);
	hostcall3(HC_IO_TTY, host_of(t)->io->io, TIOCSWINSZ, &ws);
}

/* What was written last may still wait for a slow reader: it gets a second. */
static void host_close(struct tty *t)
{
	uint64_t deadline = clock_monotonic() + CLOSE_WAIT_NS;
	tty_lock(t);
	push_output(t);
	tty_unlock(t);
	(void)!wait_event_common(&t->write_wait, host_output_empty(t), false, deadline);
}

static void host_free(struct tty *t)
{
	struct host_tty *ht = host_of(t);
	if (!ht)
		return;
	spin_lock(&host_ttys.lock);
	list_del(&ht->link);
	ht->io->private = NULL;
	spin_unlock(&host_ttys.lock);
	if (ht->in_pts)
		pty_disown(t);
	if (ht->raw_by_us)
		hostcall3(HC_IO_TTY, ht->io->io, TCSETS, &ht->saved);
	hostio_release(ht->io);
	kfree(ht);
}

static const struct tty_driver host_driver = {
	.free = host_free,
	.close = host_close,
	.room = host_room,
	.put = host_put,
	.flush_output = host_flush_output,
	.input_room = host_input_room,
	.set_winsize = host_set_winsize,
	.output_empty = host_output_empty,
};

/* ---- setting up ---- */
static void make_raw(struct host_tty *ht)
{
	struct termios raw = ht->saved;
	raw.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXOFF);
	raw.c_oflag &= ~OPOST;
	raw.c_lflag &= ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	raw.c_cflag = (raw.c_cflag & ~(CSIZE | PARENB)) | CS8;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	/* Whoever started us may have done it already, and will undo it. */
	if (!(ht->saved.c_lflag & (ICANON | ISIG | ECHO)))
		return;
	int64_t r = hostcall3(HC_IO_TTY, ht->io->io, TCSETS, &raw);
	ht->raw_by_us = r >= 0;
	if (r < 0)
		pr_warn("terminal: the host refuses raw mode: %d", (int)-r);
}

static struct host_tty *host_create(struct hostio *h)
{
	struct host_tty *ht = kzalloc(sizeof(*ht));
	if (!ht)
		return NULL;
	ht->io = h;
	int64_t r = hostcall3(HC_IO_TTY, h->io, TCGETS, &ht->saved);
	struct tty *t = r < 0 ? NULL : tty_alloc(&host_driver, TTYAUX_MAJOR, 1, "console");
	if (t)
		t->out = kmalloc(PTY_BUF);
	if (!t || !t->out) {
		tty_put(t);
		kfree(ht);
		return NULL;
	}
	t->private = ht;
	ht->tty = t;
	/* The user's settings (erase character, UTF-8 ...) go on to apply, in here. In raw mode only some mean anything. */
	if (ht->saved.c_lflag & ICANON) {
		memcpy(&t->termios, &ht->saved, sizeof(ht->saved));
	} else {
		t->termios.c_iflag |= ht->saved.c_iflag & IUTF8;
		for (int i = 0; i < NCCS; i++)
			if (i != VMIN && i != VTIME && ht->saved.c_cc[i])
				t->termios.c_cc[i] = ht->saved.c_cc[i];
	}
	spin_lock(&host_ttys.lock);
	list_add_tail(&ht->link, &host_ttys.list);
	h->private = ht;
	spin_unlock(&host_ttys.lock);
	WRITE_ONCE(h->on_event, host_event);
	return ht;
}

/* The terminal that h is one more descriptor of, with a reference, or NULL. */
static struct host_tty *host_find(struct hostio *h)
{
	struct host_tty *ht, *found = NULL;
	spin_lock(&host_ttys.lock);
	list_for_each_entry(ht, &host_ttys.list, link) {
		if (ht->io->host_dev == h->host_dev && ht->io->host_ino == h->host_ino && ref_get_unless_zero(&ht->tty->refs)) {
			found = ht;
			break;
		}
	}
	spin_unlock(&host_ttys.lock);
	return found;
}

static void host_start(struct host_tty *ht)
{
	make_raw(ht);
	fetch_winsize(ht->tty);
	hostio_arm(ht->io, EPOLLIN | EPOLLPRI);
}

static const struct file_ops host_inode_fops;

/* open(2) of /proc/self/fd/0. */
static int host_reopen(struct inode *inode, struct file *file)
{
	struct tty *t = inode->private;
	tty_get(t);
	return tty_file_open(t, file);
}

static const struct file_ops host_inode_fops = {.open = host_reopen};

static void unnamed_evict(struct inode *inode)
{
	tty_put(inode->private);
}

static const struct super_ops unnamed_ops = {.evict_inode = unnamed_evict};
static const struct fs_type unnamed_type = {.name = "hosttty", .nodev = true};

/* A file without a name in the container, when it has no /dev/console. */
static struct file *open_unnamed(struct tty *t)
{
	static struct super_block *sb; /* set once */
	struct inode *inode = super_once(&sb, &unnamed_type, &unnamed_ops, 0x686f7374) ? inode_alloc(sb) : NULL;
	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->mode = S_IFCHR | 0620;
	inode->nlink = 1;
	inode->uid = current->cred->fsuid;
	inode_touch(inode, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	tty_get(t);
	inode->rdev = MKDEV(t->major, t->minor);
	inode->private = t;
	inode->fops = &host_inode_fops;
	struct file *f = file_from_inode(inode, "/dev/console", &tty_fops, NULL, O_RDWR);
	if (!f) {
		inode_put(inode);
		return ERR_PTR(-ENOMEM);
	}
	tty_get(t);
	int r = tty_file_open(t, f);
	if (r) {
		f->ops = NULL;
		file_put(f);
		return ERR_PTR(r);
	}
	return f;
}

/* /dev/console of the container is the terminal of its first process. */
static void become_console(struct tty *t)
{
	struct container *c = current->proc->container;
	if (c->console || (c->init && c->init != current->proc))
		return;
	tty_get(t);
	c->console = t;
}

/* Those of further processes have names in /dev/pts, as runc gives them. */
static struct file *open_in_pts(struct host_tty *ht)
{
	struct path p;
	if (!ht->in_pts) {
		int r = pty_adopt(ht->tty);
		if (r == -ENOSPC)
			return ERR_PTR(r);
		ht->in_pts = true;
	}
	if (!ht->tty->inode || !devpts_path(ht->tty->minor, &p))
		return ERR_PTR(-ENXIO);
	struct file *f = vfs_open_path(&p, O_RDWR | O_NOCTTY);
	path_put(&p);
	return f;
}

struct file *tty_host_open(struct hostio *h)
{
	struct host_tty *ht = host_find(h);
	if (ht) {
		hostio_release(h); /* one descriptor of a terminal is enough */
	} else {
		ht = host_create(h);
		if (!ht) {
			hostio_release(h);
			return ERR_PTR(-ENOMEM);
		}
		host_start(ht);
	}
	struct tty *t = ht->tty;
	become_console(t);
	/* ttyname(3) wants to find the name it reads in /proc. */
	struct file *f = ERR_PTR(-ENXIO);
	if (current->proc->container->console == t)
		f = vfs_open(AT_FDCWD, "/dev/console", O_RDWR | O_NOCTTY, 0, LOOKUP_FOLLOW);
	else
		f = open_in_pts(ht);
	if (!IS_ERR(f) && !(tty_is_tty_file(f) && file_tty(f) == t)) {
		file_put(f);
		f = ERR_PTR(-ENXIO);
	}
	if (IS_ERR(f))
		f = open_unnamed(t);
	tty_put(t);
	return f;
}

struct tty *tty_host_console(void)
{
	struct tty *t = current->proc->container->console;
	if (t)
		tty_get(t);
	return t;
}

/* Some terminal after prev, whose reference goes, with a reference; NULL at the end. */
static struct tty *next_host_tty(struct tty *prev)
{
	struct tty *found = NULL;
	struct host_tty *ht;
	bool take = !prev;
	spin_lock(&host_ttys.lock);
	list_for_each_entry(ht, &host_ttys.list, link) {
		if (take && ref_get_unless_zero(&ht->tty->refs)) {
			found = ht->tty;
			break;
		}
		if (ht->tty == prev)
			take = true;
	}
	spin_unlock(&host_ttys.lock);
	tty_put(prev);
	return found;
}

bool tty_host_check_size(void)
{
	bool any = false;
	for (struct tty *t = next_host_tty(NULL); t; t = next_host_tty(t)) {
		fetch_winsize(t);
		any = true;
	}
	return any;
}

/* At the end of the sandbox: what was written last may still wait for a slow reader. */
static void drain_output(struct tty *t)
{
	for (int tries = 0; tries < 100; tries++) {
		tty_lock(t);
		push_output(t);
		tty_unlock(t);
		if (host_output_empty(t))
			return;
		hostcall1(HC_IDLE, clock_monotonic() + 10000000);
	}
}

void tty_host_restore(void)
{
	for (struct tty *t = next_host_tty(NULL); t; t = next_host_tty(t)) {
		struct host_tty *ht = host_of(t);
		drain_output(t);
		if (ht->raw_by_us)
			hostcall3(HC_IO_TTY, ht->io->io, TCSETSW, &ht->saved);
		ht->raw_by_us = false;
	}
}
