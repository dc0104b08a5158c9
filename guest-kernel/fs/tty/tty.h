/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals (termios(3), tty_ioctl(4), pty(7)): the terminal, its line discipline N_TTY, job control.
 *
 * Locks: tty_mutex (sleeping: open and close, pty numbers) > tasklist_lock (session, pgrp; process->tty) > tty->lock
 * (spinlock: everything of the line discipline, both directions). Output and input work is done under tty->lock
 * on kernel buffers; signals and wake-ups that follow from it are collected and happen after it was dropped
 * (tty_unlock).
 */
#ifndef FS_TTY_TTY_H
#define FS_TTY_TTY_H

#include <asm/termbits.h>

#include "fs/vfs.h"

struct tty;
struct process;
struct hostio;

struct tty_winsize {
	uint16_t row, col, xpixel, ypixel;
};

#define TTY_BUF  4096u /* of input, power of two; MAX_CANON is one less */
#define PTY_BUF  8192u /* from a slave to its master, power of two */
#define PTY_IN   16384u /* from a master to its slave, power of two */
#define PTY_IN_LIMIT 8448u /* of that, as much as Linux holds */
#define PTY_MAX  4096
#define TTY_ECHO 512u

/* Where output goes. All run with tty->lock held and must not sleep. */
struct tty_driver {
	uint32_t (*room)(struct tty *t);                          /* bytes that put takes now */
	void (*put)(struct tty *t, const char *s, uint32_t n);    /* n <= room */
	void (*flush_output)(struct tty *t);                      /* discard what is not out yet */
	void (*flow)(struct tty *t, bool stopped);                /* output was stopped or started; may be NULL */
	void (*input_room)(struct tty *t);                        /* a reader made room; may be NULL */
	void (*set_termios)(struct tty *t);                       /* without tty->lock; may be NULL */
	void (*set_winsize)(struct tty *t);                       /* without tty->lock; may be NULL */
	void (*free)(struct tty *t);                              /* last reference; may be NULL */
	bool (*output_empty)(struct tty *t);                      /* nothing on its way out */
	void (*close)(struct tty *t);                             /* the last file was closed; may sleep, may be NULL */
};

struct tty {
	ref_t refs;
	const struct tty_driver *driver;
	uint32_t major, minor;
	char name[16];              /* "pts/0", "console" */
	struct inode *inode;        /* devpts: a reference; or NULL */
	void *private;              /* of the driver */

	spinlock_t lock;
	struct termios2 termios;    /* lock */
	struct tty_winsize winsize; /* lock */

	/* Input, lock: buf[tail..canon_head) can be read in canonical mode, [tail..head) otherwise. A set bit in eol
	 * ends a line after that byte (a byte 0 with __DISABLED meaning end of file). */
	char buf[TTY_BUF];
	uint64_t eol[TTY_BUF / 64];
	uint32_t head, canon_head, tail; /* free running */
	bool lnext;                 /* the next byte is literal */
	bool erasing;               /* between \ and / of ECHOPRT */
	bool throttled;             /* IXOFF sent STOP */
	uint32_t column, canon_column;
	char echo[TTY_ECHO];        /* echoed while output was stopped or full */
	uint32_t echo_len;

	/* Output, lock. */
	bool stopped;               /* by XOFF or TCOOFF */

	struct wait_queue read_wait, write_wait;
	struct mutex read_lock, write_lock; /* one reader, one writer at a time */

	/* Job control; tasklist_lock. A session that has the terminal holds a reference. */
	int session, pgrp;

	/* pty; lock. */
	bool is_pty;
	bool packet;                /* TIOCPKT on the master */
	uint8_t packet_status;      /* TIOCPKT_* not yet read */
	bool locked;                /* TIOCSPTLCK */
	bool master_open, slave_opened;
	uint32_t slaves;            /* open slave files */
	char *out;                  /* PTY_BUF ring: what the master reads */
	uint32_t out_head, out_tail;
	char *in;                   /* PTY_IN ring: written by the master, not yet taken by the line discipline */
	uint32_t in_head, in_tail;
	bool feeding;               /* the ring is being handed over, further up the stack */
	struct wait_queue master_wait;

	bool exclusive;             /* TIOCEXCL */
	uint32_t hangups;           /* counts; a file opened before the last one is dead */
	uint32_t pending;           /* lock: TTY_DO_* */
};

/* ---- tty.c ---- */
/* A terminal with default settings and one reference, or NULL. */
struct tty *tty_alloc(const struct tty_driver *driver, uint32_t major, uint32_t minor, const char *name);
static inline void tty_get(struct tty *t) { ref_get(&t->refs); }
void tty_put(struct tty *t);
/* Finishes the open of a terminal: file->private (takes over the caller's reference), operations, controlling terminal
 * unless O_NOCTTY. */
int tty_file_open(struct tty *t, struct file *file);
extern const struct file_ops tty_fops;
static inline struct tty *file_tty(const struct file *f) { return f->private; }
/* Is f a slave or host terminal (not a pty master)? Also for TIOCSCTTY and /proc. */
bool tty_is_tty_file(const struct file *f);
/* The terminal is gone for all who have it open: reads end, writes fail, the session gets SIGHUP and SIGCONT. */
void tty_hangup(struct tty *t);
/* /dev/tty and /dev/console. */
int tty_open_current(struct inode *inode, struct file *file);
int tty_open_console(struct inode *inode, struct file *file);

/* What must happen once tty->lock is dropped. */
#define TTY_DO_SIGINT   1u
#define TTY_DO_SIGQUIT  2u
#define TTY_DO_SIGTSTP  4u
#define TTY_DO_READERS  8u
#define TTY_DO_WRITERS  16u
#define TTY_DO_MASTER   32u
void tty_lock(struct tty *t);
void tty_unlock(struct tty *t);

/* ---- tty_ldisc.c: N_TTY; all with tty->lock held ---- */
/* Input from the line. Returns how many bytes were taken (less when the buffer is full and nobody reads). */
uint32_t ldisc_receive(struct tty *t, const char *s, uint32_t n);
/* Output through opost and to the driver; bytes taken. */
uint32_t ldisc_write(struct tty *t, const char *s, uint32_t n);
/* Is a read possible? In canonical mode: a line or end of file. */
bool ldisc_input_ready(const struct tty *t);
/* Bytes for FIONREAD. */
uint32_t ldisc_input_count(const struct tty *t);
/* Takes up to n bytes of input. *eof_line: a line (or EOF) ended, return what was read. */
uint32_t ldisc_take(struct tty *t, char *to, uint32_t n, bool *end);
void ldisc_flush_input(struct tty *t);
/* The settings changed from old. */
void ldisc_set_termios(struct tty *t, const struct termios2 *old);
/* How much input would be taken now. */
uint32_t ldisc_room(const struct tty *t);
/* The driver has room again: echoes that waited go out. */
void ldisc_echo_flush(struct tty *t);
/* TCOOFF/TCOON and the STOP and START characters. */
void tty_set_stopped(struct tty *t, bool stopped);

/* ---- tty_ioctl.c ---- */
int64_t tty_ioctl(struct file *file, uint32_t cmd, uint64_t arg);
/* Those that a pty master shares with its slave: settings, window size, flush. -ENOIOCTLCMD: not one of them. */
int64_t tty_mode_ioctl(struct tty *t, struct file *file, uint32_t cmd, uint64_t arg);
/* Sets the window size. True: that changed it, and the foreground group got SIGWINCH. */
bool tty_resize(struct tty *t, const struct tty_winsize *ws);

/* ---- tty_job.c ---- */
/* The current process wants to read (SIGTTIN) or change (SIGTTOU) the terminal: 0, -EIO or -ERESTARTSYS. */
int tty_check_change(struct tty *t, int sig);
/* Makes t the controlling terminal of the current session; force as TIOCSCTTY's argument 1. */
int tty_set_controlling(struct tty *t, bool force);
int64_t tty_job_ioctl(struct tty *t, struct tty *ours, uint32_t cmd, uint64_t arg);
/* Sends to the foreground group. */
void tty_signal_pgrp(struct tty *t, int signo);
/* A session leader exits, or gives its terminal up: the session loses it. */
void tty_session_exit(struct process *p);
void tty_session_hangup(struct tty *t);
/* The terminal of an open file becomes the current session's (container start). */
void tty_become_controlling(struct file *file);

/* ---- pty.c ---- */
int pty_open_master(struct inode *inode, struct file *file);
int pty_open_slave(struct inode *inode, struct file *file);
/* The slave terminal of a number with a reference, or NULL. */
struct tty *pty_find(uint32_t index);
/* A terminal that is no pty gets a number and a name in /dev/pts, from now until its driver's free calls pty_disown, also
 * after a failure (-ENOMEM; -ENOSPC: nothing was done). */
int pty_adopt(struct tty *t);
void pty_disown(struct tty *t);
uint32_t pty_next(uint32_t from); /* lowest number in use >= from, or UINT32_MAX */

/* ---- devpts.c ---- */
extern const struct fs_type devpts_type;
/* The inode of a new slave, or NULL. */
struct inode *devpts_new_inode(uint32_t index);
/* The root of the devpts file system and a mount of it, for TIOCGPTPEER; false when there is none. */
bool devpts_path(uint32_t index, struct path *out);

/* ---- tty_host.c ---- */
/* A host terminal as the container's own: raw on the host side, its line discipline here. Takes h over. The first one of
 * a container is its /dev/console. */
struct file *tty_host_open(struct hostio *h);
/* Puts host terminals back as they were; called when the sandbox ends. */
void tty_host_restore(void);
/* Asks the host for the window sizes; true if there is a host terminal. */
bool tty_host_check_size(void);
/* The terminal behind /dev/console with a reference, or NULL. */
struct tty *tty_host_console(void);

#endif
