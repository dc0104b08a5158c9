// SPDX-License-Identifier: Apache-2.0
#include "vmm/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/events.h"
#include "vmm/io.h"

enum { NONE, BUSY, SAVED };

static struct {
	_Atomic int state; /* fd, io and settings are written while it is BUSY and read once it is SAVED */
	int fd;
	unsigned io;
	struct termios settings;
	_Atomic bool resized;
} term;

void terminal_save(int fd, unsigned io)
{
	int none = NONE;

	if (!atomic_compare_exchange_strong(&term.state, &none, BUSY))
		return;
	if (tcgetattr(fd, &term.settings)) {
		atomic_store(&term.state, NONE);
		return;
	}
	term.fd = fd;
	term.io = io;
	atomic_store(&term.state, SAVED);
}

void terminal_restore(void)
{
	if (atomic_load(&term.state) == SAVED)
		tcsetattr(term.fd, TCSANOW, &term.settings);
}

static void on_resize(int sig)
{
	int saved = errno;

	atomic_store(&term.resized, true);
	events_wake();
	errno = saved;
}

int terminal_init(int fd)
{
	struct sigaction sa = { .sa_handler = on_resize, .sa_flags = SA_RESTART | SA_ONSTACK };

	if (fd < 0 || !isatty(fd))
		return 0;
	ioctl(fd, TIOCSCTTY, 0);
	return sigaction(SIGWINCH, &sa, NULL) ? -errno : 0;
}

void terminal_poll_resized(void)
{
	if (atomic_exchange(&term.resized, false) && atomic_load(&term.state) == SAVED)
		io_event(term.io, EPOLLPRI);
}
