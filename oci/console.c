/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "oci/util.h"

static struct {
	int fd; /* or -1 */
	struct termios saved;
} console = {.fd = -1};

struct error *console_save(int fd)
{
	/* Setting what is set is what stops a background job (SIGTTOU); then the shell's settings are others. */
	if (tcgetattr(fd, &console.saved) < 0 || tcsetattr(fd, TCSADRAIN, &console.saved) < 0 ||
	    tcgetattr(fd, &console.saved) < 0)
		return error_errno(errno, "cannot use the terminal");
	console.fd = fd;
	return NULL;
}

void console_restore(void)
{
	if (console.fd >= 0)
		tcsetattr(console.fd, TCSADRAIN, &console.saved);
	console.fd = -1;
}

static struct error *send_fd(const char *path, int fd, const char *name)
{
	AUTO_FD s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (char *)name, .iov_len = strlen(name)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	if (strlen(path) >= sizeof(sa.sun_path))
		return error_new("--console-socket: %s: the path is too long for a socket", path);
	strcpy(sa.sun_path, path);
	if (s < 0 || connect(s, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return error_errno(errno, "--console-socket: cannot connect to %s", path);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	if (sendmsg(s, &msg, MSG_NOSIGNAL) < 0)
		return error_errno(errno, "--console-socket: cannot send the terminal to %s", path);
	return NULL;
}

struct error *console_send_pty(const char *path, unsigned rows, unsigned columns, int *slave)
{
	AUTO_FD master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	AUTO_FD fd = -1;
	struct winsize size = {.ws_row = rows, .ws_col = columns};
	int unlock = 0;

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return error_errno(errno, "cannot make a pseudo-terminal");
	fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(errno, "cannot open the pseudo-terminal");
	if (rows || columns)
		ioctl(master, TIOCSWINSZ, &size);
	*slave = take_fd(&fd);
	return send_fd(path, master, "console");
}
