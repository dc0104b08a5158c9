// SPDX-License-Identifier: Apache-2.0
#include "vmm/terminal.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved; /* written before raw_fd is set */
static _Atomic int raw_fd = -1;

void terminal_make_raw(int fd)
{
	struct termios raw;
	pid_t foreground;

	if (atomic_load(&raw_fd) >= 0 || tcgetattr(fd, &saved))
		return;
	/* A background job leaves the terminal alone. In a pid namespace of our own the group shows as 0. */
	foreground = tcgetpgrp(fd);
	if (foreground > 0 && foreground != getpgrp())
		return;
	raw = saved;
	cfmakeraw(&raw);
	atomic_store(&raw_fd, fd);
	if (tcsetattr(fd, TCSANOW, &raw))
		atomic_store(&raw_fd, -1);
}

void terminal_restore(void)
{
	int fd = atomic_exchange(&raw_fd, -1);

	if (fd >= 0)
		tcsetattr(fd, TCSADRAIN, &saved);
}
