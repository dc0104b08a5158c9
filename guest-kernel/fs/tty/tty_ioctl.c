// SPDX-License-Identifier: Apache-2.0
/*
 * ioctl(2) on terminals (ioctl_tty(2)): settings, window size, flow, queues. Serial-line requests (modem bits, breaks)
 * succeed or fail as they do on a Linux pty.
 */
#include "fs/tty/tty.h"

#include <asm/ioctls.h>
#include <asm/termios.h>
#include <linux/fs.h>

#include "lib/string.h"
#include "signal/signal.h"
#include "task/task.h"

/* ---- settings ---- */
enum termios_format { FORMAT_TERMIO, FORMAT_TERMIOS, FORMAT_TERMIOS2 };

static int settings_out(struct tty *t, uint64_t arg, enum termios_format format)
{
	struct termios2 s;
	tty_lock(t);
	s = t->termios;
	tty_unlock(t);
	if (format == FORMAT_TERMIOS2)
		return copy_out_struct(uva(arg), &s);
	if (format == FORMAT_TERMIOS) /* a prefix of termios2 */
		return copy_out(uva(arg), &s, sizeof(struct termios));
	struct termio o = {
		.c_iflag = (uint16_t)s.c_iflag,
		.c_oflag = (uint16_t)s.c_oflag,
		.c_cflag = (uint16_t)s.c_cflag,
		.c_lflag = (uint16_t)s.c_lflag,
		.c_line = s.c_line,
	};
	memcpy(o.c_cc, s.c_cc, NCC);
	return copy_out_struct(uva(arg), &o);
}

static uint32_t merge16(uint32_t old, uint16_t low)
{
	return (old & 0xffff0000u) | low;
}

static int settings_in(struct tty *t, uint64_t arg, enum termios_format format, struct termios2 *s)
{
	struct termio o;
	*s = t->termios;
	if (format == FORMAT_TERMIOS2)
		return copy_in_struct(s, uva(arg));
	if (format == FORMAT_TERMIOS)
		return copy_in(s, uva(arg), sizeof(struct termios));
	if (copy_in_struct(&o, uva(arg)))
		return -EFAULT;
	s->c_iflag = merge16(s->c_iflag, o.c_iflag);
	s->c_oflag = merge16(s->c_oflag, o.c_oflag);
	s->c_cflag = merge16(s->c_cflag, o.c_cflag);
	s->c_lflag = merge16(s->c_lflag, o.c_lflag);
	s->c_line = o.c_line;
	memcpy(s->c_cc, o.c_cc, NCC);
	return 0;
}

static uint32_t speed_of(uint32_t cflag, uint32_t given)
{
	static const uint32_t low[] = {0,   50,   75,   110,  134,  150,  200,   300,
	                               600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
	static const uint32_t high[] = {0,      57600,   115200,  230400,  460800,  500000,  576000,  921600,
	                                1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000};
	uint32_t b = cflag & CBAUD;
	if (b == BOTHER)
		return given;
	return b & CBAUDEX ? high[b & 15] : low[b & 15];
}

/* Everything written is on its way to the other end (for ptys: nothing to wait for). */
static bool drained(struct tty *t)
{
	return !t->driver->output_empty || t->driver->output_empty(t) || (t->is_pty && !t->master_open);
}

static int drain(struct tty *t)
{
	return t->is_pty ? 0 : wait_event_interruptible(&t->write_wait, drained(t));
}

static void apply_settings(struct tty *t, const struct termios2 *s)
{
	tty_lock(t);
	struct termios2 old = t->termios;
	t->termios = *s;
	/* A pty has no line: eight bits, receiver on. */
	t->termios.c_cflag = (s->c_cflag & ~(CSIZE | PARENB)) | CS8 | CREAD;
	t->termios.c_ospeed = speed_of(s->c_cflag, s->c_ospeed);
	t->termios.c_ispeed = s->c_cflag & (CBAUD << IBSHIFT) ? speed_of(s->c_cflag >> IBSHIFT, s->c_ispeed) :
	                                                        t->termios.c_ospeed;
	ldisc_set_termios(t, &old);
	tty_unlock(t);
	if (t->driver->set_termios)
		t->driver->set_termios(t);
}

static int set_settings(struct tty *t, bool ours, uint64_t arg, enum termios_format format, bool wait, bool flush)
{
	struct termios2 s;
	int r = ours ? tty_check_change(t, SIGTTOU) : 0;
	if (!r)
		r = settings_in(t, arg, format, &s);
	if (!r && wait)
		r = drain(t);
	if (r)
		return r;
	if (flush) {
		tty_lock(t);
		ldisc_flush_input(t);
		tty_unlock(t);
	}
	apply_settings(t, &s);
	return 0;
}

/* ---- window size ---- */
bool tty_resize(struct tty *t, const struct tty_winsize *ws)
{
	tty_lock(t);
	bool changed = memcmp(&t->winsize, ws, sizeof(*ws)) != 0;
	t->winsize = *ws;
	tty_unlock(t);
	if (changed)
		tty_signal_pgrp(t, SIGWINCH);
	return changed;
}

static int64_t get_winsize(struct tty *t, uint64_t arg)
{
	struct tty_winsize ws;
	tty_lock(t);
	ws = t->winsize;
	tty_unlock(t);
	return copy_out_struct(uva(arg), &ws);
}

static int64_t set_winsize(struct tty *t, uint64_t arg)
{
	struct tty_winsize ws;
	if (copy_in_struct(&ws, uva(arg)))
		return -EFAULT;
	/* Readline sets what it has just read; the host's window may have a new size already, of which we are still to hear. */
	if (tty_resize(t, &ws) && t->driver->set_winsize)
		t->driver->set_winsize(t);
	return 0;
}

/* ---- queues and flow ---- */
static int64_t flush(struct tty *t, bool ours, uint64_t what)
{
	int r = ours ? tty_check_change(t, SIGTTOU) : 0;
	if (r)
		return r;
	if (what != TCIFLUSH && what != TCOFLUSH && what != TCIOFLUSH)
		return -EINVAL;
	tty_lock(t);
	if (what != TCOFLUSH)
		ldisc_flush_input(t);
	if (what != TCIFLUSH) {
		t->driver->flush_output(t);
		t->echo_len = 0;
		t->pending |= TTY_DO_WRITERS;
	}
	tty_unlock(t);
	return 0;
}

static int64_t flow(struct tty *t, bool ours, uint64_t what)
{
	int r = ours ? tty_check_change(t, SIGTTOU) : 0;
	if (r)
		return r;
	if (what > TCION)
		return -EINVAL;
	tty_lock(t);
	if (what == TCOOFF || what == TCOON) {
		tty_set_stopped(t, what == TCOOFF);
	} else {
		char c = (char)t->termios.c_cc[what == TCIOFF ? VSTOP : VSTART];
		if (c && t->driver->room(t))
			t->driver->put(t, &c, 1);
	}
	tty_unlock(t);
	return 0;
}

static int64_t put_int(uint64_t arg, int32_t v)
{
	return copy_out(uva(arg), &v, sizeof(v));
}

static int64_t mode_get(struct tty *t, uint32_t cmd, uint64_t arg)
{
	switch (cmd) {
	case TCGETS:
		return settings_out(t, arg, FORMAT_TERMIOS);
	case TCGETS2:
		return settings_out(t, arg, FORMAT_TERMIOS2);
	case TCGETA:
		return settings_out(t, arg, FORMAT_TERMIO);
	case TIOCGWINSZ:
		return get_winsize(t, arg);
	case TIOCGSOFTCAR:
		return put_int(arg, !!(t->termios.c_cflag & CLOCAL));
	case TIOCGETD:
		return put_int(arg, 0); /* N_TTY */
	case TIOCGEXCL:
		return put_int(arg, t->exclusive);
	default:
		return -ENOIOCTLCMD;
	}
}

int64_t tty_mode_ioctl(struct tty *t, struct file *file, uint32_t cmd, uint64_t arg)
{
	bool ours = tty_is_tty_file(file);
	int32_t v;
	switch (cmd) {
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_settings(t, ours, arg, FORMAT_TERMIOS, cmd != TCSETS, cmd == TCSETSF);
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return set_settings(t, ours, arg, FORMAT_TERMIOS2, cmd != TCSETS2, cmd == TCSETSF2);
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
		return set_settings(t, ours, arg, FORMAT_TERMIO, cmd != TCSETA, cmd == TCSETAF);
	case TIOCSWINSZ:
		return set_winsize(t, arg);
	case TCFLSH:
		return flush(t, ours, arg);
	case TCXONC:
		return flow(t, ours, arg);
	case TIOCSETD:
		if (copy_in(&v, uva(arg), sizeof(v)))
			return -EFAULT;
		return v == 0 ? 0 : -EINVAL;
	case TIOCEXCL:
	case TIOCNXCL:
		t->exclusive = cmd == TIOCEXCL;
		return 0;
	case TIOCSSOFTCAR:
		return copy_in(&v, uva(arg), sizeof(v));
	default:
		return mode_get(t, cmd, arg);
	}
}

int64_t tty_ioctl(struct file *file, uint32_t cmd, uint64_t arg)
{
	struct tty *t = file_tty(file);
	int64_t r = tty_mode_ioctl(t, file, cmd, arg);
	if (r == -ENOIOCTLCMD)
		r = tty_job_ioctl(t, t, cmd, arg);
	if (r != -ENOIOCTLCMD)
		return r;
	switch (cmd) {
	case FIONREAD:
		tty_lock(t);
		r = ldisc_input_count(t);
		tty_unlock(t);
		return put_int(arg, (int32_t)r);
	case TIOCOUTQ:
		tty_lock(t);
		r = t->out_head - t->out_tail;
		tty_unlock(t);
		return put_int(arg, (int32_t)r);
	case TCSBRK:
	case TCSBRKP:
		r = tty_check_change(t, SIGTTOU);
		return r ? r : drain(t); /* tcdrain(3) is TCSBRK with 1; there is no break to send */
	case TIOCSBRK:
	case TIOCCBRK:
		return 0;
	case TIOCSTI:
		/* Pushing input into a terminal is how a sandboxed program would escape from it. */
		return -EIO;
	case TIOCVHANGUP:
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		tty_hangup(t);
		return 0;
	case TIOCCONS:
		return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
	case TIOCGDEV:
		return put_int(arg, (int32_t)dev_encode(MKDEV(t->major, t->minor)));
	case TIOCMGET:
	case TIOCMSET:
	case TIOCMBIS:
	case TIOCMBIC:
		return -ENOTTY;
	default:
		return -ENOTTY;
	}
}
