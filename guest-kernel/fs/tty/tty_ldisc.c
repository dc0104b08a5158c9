// SPDX-License-Identifier: Apache-2.0
/*
 * N_TTY: what happens to bytes between a terminal line and its readers and writers (termios(3)). Everything here runs
 * with tty->lock held and works on kernel buffers.
 *
 * Input sits in one ring. In canonical mode a line becomes readable when its end arrives; a bit per byte marks ends.
 * An end of file is a byte 0 with its bit set. Echoes that the driver cannot take wait in a small buffer of their own.
 * Not implemented: parity and framing marks (PARMRK doubles 0xff as it must), since no line of ours produces errors.
 */
#include "fs/tty/tty.h"

#include <asm/ioctls.h>

#include "lib/string.h"

#define MASK (TTY_BUF - 1)
#define EOF_MARK '\0'
#define DISABLED 0 /* _POSIX_VDISABLE */
#define THROTTLE_AT   (TTY_BUF - 128)
#define UNTHROTTLE_AT 128u

static bool lflag(const struct tty *t, uint32_t f) { return t->termios.c_lflag & f; }
static bool iflag(const struct tty *t, uint32_t f) { return t->termios.c_iflag & f; }
static bool oflag(const struct tty *t, uint32_t f) { return t->termios.c_oflag & f; }
static bool is_cc(const struct tty *t, int which, uint8_t c)
{
	return t->termios.c_cc[which] != DISABLED && t->termios.c_cc[which] == c;
}

static bool is_cntrl(uint8_t c) { return c < 32 || c == 127; }
static bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c >= 0x80;
}
/* The second and later bytes of a UTF-8 character. */
static bool is_cont(const struct tty *t, uint8_t c) { return iflag(t, IUTF8) && (c & 0xc0) == 0x80; }

static bool eol_at(const struct tty *t, uint32_t i) { return t->eol[(i & MASK) / 64] >> (i % 64) & 1; }
static void set_eol(struct tty *t, uint32_t i) { t->eol[(i & MASK) / 64] |= 1UL << (i % 64); }
static void clear_eol(struct tty *t, uint32_t i) { t->eol[(i & MASK) / 64] &= ~(1UL << (i % 64)); }
static uint8_t byte_at(const struct tty *t, uint32_t i) { return (uint8_t)t->buf[i & MASK]; }

/* ---- output ---- */
/* What output processing makes of c, into out (at most 8 bytes); moves the column. */
static uint32_t opost(struct tty *t, uint8_t c, char out[8])
{
	uint32_t n;
	switch (c) {
	case '\n':
		if (oflag(t, ONLRET))
			t->column = 0;
		if (oflag(t, ONLCR)) {
			t->canon_column = t->column = 0;
			out[0] = '\r';
			out[1] = '\n';
			return 2;
		}
		t->canon_column = t->column;
		break;
	case '\r':
		if (oflag(t, ONOCR) && !t->column)
			return 0;
		if (oflag(t, OCRNL)) {
			c = '\n';
			if (oflag(t, ONLRET))
				t->canon_column = t->column = 0;
			break;
		}
		t->canon_column = t->column = 0;
		break;
	case '\t':
		n = 8 - (t->column & 7);
		t->column += n;
		if ((t->termios.c_oflag & TABDLY) == XTABS) {
			memset(out, ' ', n);
			return n;
		}
		break;
	case '\b':
		if (t->column)
			t->column--;
		break;
	default:
		if (is_cntrl(c))
			break;
		if (oflag(t, OLCUC) && c >= 'a' && c <= 'z')
			c -= 32;
		if (!is_cont(t, c))
			t->column++;
	}
	out[0] = (char)c;
	return 1;
}

uint32_t ldisc_write(struct tty *t, const char *s, uint32_t n)
{
	char out[128];
	uint32_t done = 0, have = 0;
	if (t->stopped)
		return 0;
	ldisc_echo_flush(t);
	uint32_t room = t->driver->room(t);
	if (!oflag(t, OPOST)) {
		n = MIN(n, room);
		t->driver->put(t, s, n);
		return n;
	}
	/* 8 bytes are the most that one byte becomes. */
	while (done < n && room >= 8) {
		uint32_t k = opost(t, (uint8_t)s[done++], out + have);
		have += k;
		room -= k;
		if (have > sizeof(out) - 8) {
			t->driver->put(t, out, have);
			have = 0;
		}
	}
	if (have)
		t->driver->put(t, out, have);
	return done;
}

/* ---- echo ---- */
void ldisc_echo_flush(struct tty *t)
{
	if (!t->echo_len || t->stopped)
		return;
	uint32_t n = MIN(t->echo_len, t->driver->room(t));
	t->driver->put(t, t->echo, n);
	memmove(t->echo, t->echo + n, t->echo_len - n);
	t->echo_len -= n;
}

static void echo_bytes(struct tty *t, const char *s, uint32_t n)
{
	if (!t->stopped && !t->echo_len && t->driver->room(t) >= n) {
		t->driver->put(t, s, n);
		return;
	}
	n = MIN(n, TTY_ECHO - t->echo_len);
	memcpy(t->echo + t->echo_len, s, n);
	t->echo_len += n;
	ldisc_echo_flush(t);
}

/* One byte as output would show it. */
static void echo_raw(struct tty *t, uint8_t c)
{
	char out[8] = {(char)c};
	uint32_t n = oflag(t, OPOST) ? opost(t, c, out) : 1;
	echo_bytes(t, out, n);
}

static void echo_char(struct tty *t, uint8_t c)
{
	if (lflag(t, ECHOCTL) && is_cntrl(c) && c != '\t') {
		char s[2] = {'^', (char)(c ^ 0100)};
		t->column += 2;
		echo_bytes(t, s, 2);
	} else {
		echo_raw(t, c);
	}
}

static void echo_rubout(struct tty *t)
{
	echo_bytes(t, "\b \b", 3);
	if (t->column)
		t->column--;
}

static void finish_erasing(struct tty *t)
{
	if (t->erasing) {
		echo_raw(t, '/');
		t->erasing = false;
	}
}

/* Takes back the columns of a tab: they depend on what stands before it on the line. */
static void echo_erase_tab(struct tty *t)
{
	uint32_t columns = 0, i = t->head;
	bool after_tab = false;
	while (i != t->canon_head) {
		uint8_t c = byte_at(t, --i);
		if (c == '\t') {
			after_tab = true;
			break;
		}
		if (is_cntrl(c))
			columns += lflag(t, ECHOCTL) ? 2 : 0;
		else if (!is_cont(t, c))
			columns++;
	}
	if (!after_tab)
		columns += t->canon_column;
	for (uint32_t back = 8 - (columns & 7); back; back--) {
		echo_bytes(t, "\b", 1);
		if (t->column)
			t->column--;
	}
}

/* ---- erasing ---- */
static void erase_echo(struct tty *t, uint8_t c, uint32_t from, uint32_t count, bool one)
{
	if (lflag(t, ECHOPRT)) {
		if (!t->erasing) {
			echo_raw(t, '\\');
			t->erasing = true;
		}
		echo_char(t, c);
		for (uint32_t i = 1; i < count; i++)
			echo_raw(t, byte_at(t, from + i));
	} else if (one && !lflag(t, ECHOE)) {
		echo_char(t, t->termios.c_cc[VERASE]);
	} else if (c == '\t') {
		echo_erase_tab(t);
	} else {
		if (is_cntrl(c) && lflag(t, ECHOCTL))
			echo_rubout(t);
		if (!is_cntrl(c) || lflag(t, ECHOCTL))
			echo_rubout(t);
	}
}

/* The start of the character that ends at head. */
static uint32_t last_char(const struct tty *t)
{
	uint32_t i = t->head;
	do
		i--;
	while (i != t->canon_head && is_cont(t, byte_at(t, i)));
	return i;
}

static void erase_chars(struct tty *t, bool one, bool word)
{
	bool seen = false;
	while (t->head != t->canon_head) {
		uint32_t at = last_char(t);
		uint8_t c = byte_at(t, at);
		if (is_cont(t, c))
			break; /* a broken sequence */
		if (word) {
			if (is_alnum(c) || c == '_')
				seen = true;
			else if (seen)
				break;
		}
		uint32_t count = t->head - at;
		t->head = at;
		if (lflag(t, ECHO))
			erase_echo(t, c, at, count, one);
		if (one)
			break;
	}
	if (t->head == t->canon_head && lflag(t, ECHO))
		finish_erasing(t);
}

static void kill_line(struct tty *t)
{
	if (t->head == t->canon_head)
		return;
	if (lflag(t, ECHO) && lflag(t, ECHOK) && lflag(t, ECHOKE) && lflag(t, ECHOE)) {
		erase_chars(t, false, false);
		return;
	}
	t->head = t->canon_head;
	if (!lflag(t, ECHO))
		return;
	finish_erasing(t);
	echo_char(t, t->termios.c_cc[VKILL]);
	if (lflag(t, ECHOK))
		echo_raw(t, '\n');
}

/* ---- input ---- */
static bool put_byte(struct tty *t, uint8_t c)
{
	/* One place is kept for the end of a line. */
	if (t->head - t->tail >= TTY_BUF - 1) {
		if (iflag(t, IMAXBEL))
			echo_bytes(t, "\a", 1);
		return false;
	}
	clear_eol(t, t->head);
	t->buf[t->head++ & MASK] = (char)c;
	return true;
}

static void put_line_end(struct tty *t, uint8_t c)
{
	if (t->head - t->tail >= TTY_BUF)
		return;
	t->buf[t->head & MASK] = (char)c;
	set_eol(t, t->head);
	t->head++;
	t->canon_head = t->head;
	t->pending |= TTY_DO_READERS;
}

static void echo_input(struct tty *t, uint8_t c)
{
	if (!lflag(t, ECHO))
		return;
	finish_erasing(t);
	if (c == '\n') {
		echo_raw(t, '\n');
		return;
	}
	if (t->head == t->canon_head)
		t->canon_column = t->column;
	echo_char(t, c);
}

static void input_byte(struct tty *t, uint8_t c)
{
	bool full = t->head - t->tail >= TTY_BUF - 1;
	if (!full)
		echo_input(t, c);
	if (c == 0xff && iflag(t, PARMRK))
		put_byte(t, c);
	put_byte(t, c);
}

void tty_set_stopped(struct tty *t, bool stopped)
{
	if (t->stopped == stopped)
		return;
	t->stopped = stopped;
	if (t->driver->flow)
		t->driver->flow(t, stopped);
	if (!stopped) {
		ldisc_echo_flush(t);
		t->pending |= TTY_DO_WRITERS;
	}
}

void ldisc_flush_input(struct tty *t)
{
	t->head = t->canon_head = t->tail = 0;
	t->lnext = t->erasing = false;
	memset(t->eol, 0, sizeof(t->eol));
	if (t->is_pty) {
		if (t->packet)
			t->packet_status |= TIOCPKT_FLUSHREAD;
		t->pending |= TTY_DO_MASTER;
	}
	if (t->driver->input_room)
		t->driver->input_room(t);
}

static bool signal_char(struct tty *t, uint8_t c)
{
	uint32_t todo = is_cc(t, VINTR, c)   ? TTY_DO_SIGINT :
	                is_cc(t, VQUIT, c)   ? TTY_DO_SIGQUIT :
	                is_cc(t, VSUSP, c)   ? TTY_DO_SIGTSTP :
	                                       0;
	if (!todo)
		return false;
	t->pending |= todo;
	if (!lflag(t, NOFLSH)) {
		ldisc_flush_input(t);
		t->driver->flush_output(t);
		t->echo_len = 0;
	}
	if (iflag(t, IXON))
		tty_set_stopped(t, false);
	if (lflag(t, ECHO))
		echo_char(t, c);
	return true;
}

static bool flow_char(struct tty *t, uint8_t c)
{
	if (is_cc(t, VSTART, c)) {
		tty_set_stopped(t, false);
		return true;
	}
	if (is_cc(t, VSTOP, c)) {
		tty_set_stopped(t, true);
		return true;
	}
	return false;
}

static void reprint(struct tty *t, uint8_t c)
{
	finish_erasing(t);
	echo_char(t, c);
	echo_raw(t, '\n');
	for (uint32_t i = t->canon_head; i != t->head; i++)
		echo_char(t, byte_at(t, i));
}

/* The bytes that mean something in canonical mode; false: an ordinary one. */
static bool canonical_char(struct tty *t, uint8_t c)
{
	bool ext = lflag(t, IEXTEN);
	if (is_cc(t, VERASE, c)) {
		erase_chars(t, true, false);
	} else if (is_cc(t, VKILL, c)) {
		kill_line(t);
	} else if (ext && is_cc(t, VWERASE, c)) {
		erase_chars(t, false, true);
	} else if (ext && is_cc(t, VLNEXT, c)) {
		t->lnext = true;
		if (lflag(t, ECHO)) {
			finish_erasing(t);
			if (lflag(t, ECHOCTL))
				echo_bytes(t, "^\b", 2);
		}
	} else if (ext && lflag(t, ECHO) && is_cc(t, VREPRINT, c)) {
		reprint(t, c);
	} else if (c == '\n') {
		if (lflag(t, ECHO) || lflag(t, ECHONL)) {
			finish_erasing(t);
			echo_raw(t, '\n');
		}
		put_line_end(t, c);
	} else if (is_cc(t, VEOF, c)) {
		put_line_end(t, EOF_MARK);
	} else if (is_cc(t, VEOL, c) || (ext && is_cc(t, VEOL2, c))) {
		echo_input(t, c);
		put_line_end(t, c);
	} else {
		return false;
	}
	return true;
}

static void receive_char(struct tty *t, uint8_t c)
{
	if (iflag(t, ISTRIP))
		c &= 0x7f;
	if (iflag(t, IUCLC) && lflag(t, IEXTEN) && c >= 'A' && c <= 'Z')
		c += 32;
	if (lflag(t, EXTPROC)) {
		put_byte(t, c);
		return;
	}
	if (t->lnext) {
		t->lnext = false;
		input_byte(t, c);
		return;
	}
	if (iflag(t, IXON) && flow_char(t, c))
		return;
	if (lflag(t, ISIG) && signal_char(t, c))
		return;
	if (t->stopped && iflag(t, IXON) && iflag(t, IXANY))
		tty_set_stopped(t, false);
	if (c == '\r') {
		if (iflag(t, IGNCR))
			return;
		if (iflag(t, ICRNL))
			c = '\n';
	} else if (c == '\n' && iflag(t, INLCR)) {
		c = '\r';
	}
	if (lflag(t, ICANON) && canonical_char(t, c))
		return;
	input_byte(t, c);
}

/* IXOFF: ask the other side to pause, or to go on. */
static void throttle(struct tty *t)
{
	uint32_t count = t->head - t->tail;
	char c;
	if (!t->throttled && iflag(t, IXOFF) && count >= THROTTLE_AT) {
		t->throttled = true;
		c = (char)t->termios.c_cc[VSTOP];
	} else if (t->throttled && count <= UNTHROTTLE_AT) {
		t->throttled = false;
		c = (char)t->termios.c_cc[VSTART];
	} else {
		return;
	}
	if (c != DISABLED && t->driver->room(t))
		t->driver->put(t, &c, 1);
}

uint32_t ldisc_room(const struct tty *t)
{
	uint32_t used = t->head - t->tail;
	uint32_t per = iflag(t, PARMRK) ? 2 : 1;
	/* A line too long to fit never ends if nothing more is taken: bytes go on coming and are dropped. */
	if (lflag(t, ICANON) && t->canon_head == t->tail)
		return TTY_BUF;
	return used + per >= TTY_BUF ? 0 : (TTY_BUF - 1 - used) / per;
}

uint32_t ldisc_receive(struct tty *t, const char *s, uint32_t n)
{
	uint32_t done = 0;
	while (done < n && ldisc_room(t))
		receive_char(t, (uint8_t)s[done++]);
	if (ldisc_input_ready(t))
		t->pending |= TTY_DO_READERS;
	throttle(t);
	return done;
}

/* ---- reading ---- */
bool ldisc_input_ready(const struct tty *t)
{
	return lflag(t, ICANON) && !lflag(t, EXTPROC) ? t->canon_head != t->tail : t->head != t->tail;
}

uint32_t ldisc_input_count(const struct tty *t)
{
	if (!lflag(t, ICANON))
		return t->head - t->tail;
	uint32_t n = 0;
	for (uint32_t i = t->tail; i != t->canon_head; i++)
		if (!eol_at(t, i) || byte_at(t, i) != EOF_MARK)
			n++;
	return n;
}

static uint32_t take_line(struct tty *t, char *to, uint32_t n, bool *end)
{
	uint32_t done = 0;
	while (t->tail != t->canon_head) {
		bool eol = eol_at(t, t->tail);
		uint8_t c = byte_at(t, t->tail);
		bool eof = eol && c == EOF_MARK;
		/* A full buffer does not keep an end of file for the next read. */
		if (done == n && !eof)
			break;
		clear_eol(t, t->tail++);
		if (!eof)
			to[done++] = (char)c;
		if (eol) {
			*end = true;
			break;
		}
	}
	return done;
}

uint32_t ldisc_take(struct tty *t, char *to, uint32_t n, bool *end)
{
	uint32_t done = 0;
	*end = false;
	if (lflag(t, ICANON) && !lflag(t, EXTPROC)) {
		done = take_line(t, to, n, end);
	} else {
		while (done < n && t->tail != t->head)
			to[done++] = (char)byte_at(t, t->tail++);
		if (t->canon_head - t->tail > TTY_BUF)
			t->canon_head = t->tail;
	}
	throttle(t);
	if (t->is_pty)
		t->pending |= TTY_DO_MASTER;
	if (t->driver->input_room)
		t->driver->input_room(t);
	return done;
}

void ldisc_set_termios(struct tty *t, const struct termios2 *old)
{
	if ((old->c_lflag ^ t->termios.c_lflag) & (ICANON | EXTPROC)) {
		memset(t->eol, 0, sizeof(t->eol));
		if (!lflag(t, ICANON) || t->head == t->tail) {
			t->canon_head = t->tail;
		} else {
			/* What was typed ahead counts as a line. */
			set_eol(t, t->head - 1);
			t->canon_head = t->head;
		}
		t->lnext = false;
		t->pending |= TTY_DO_READERS | TTY_DO_MASTER;
	}
	if (!lflag(t, ICANON))
		t->erasing = false;
	if (!iflag(t, IXON) && (old->c_iflag & IXON))
		tty_set_stopped(t, false);
	t->pending |= TTY_DO_WRITERS;
}
