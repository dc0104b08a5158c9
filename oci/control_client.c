/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/control_client.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "abi/control.h"
#include "oci/launch.h"
#include "oci/tree.h"
#include "oci/util.h"

/* A hostile sandbox may be silent; a start brings in a whole program. */
#define TIMEOUT_SECONDS 5
#define START_SECONDS   60

/* Through /proc/self/fd, since the name of the directory may be longer than a socket address. */
static void address(int dir, struct sockaddr_un *sa)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET, dir);
}

struct error *control_listen(int dir, int *out)
{
	AUTO_FD fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa;

	address(dir, &sa);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 16) < 0)
		return error_errno(errno, "cannot make the control socket");
	*out = take_fd(&fd);
	return NULL;
}

static struct error *call(int dir, struct tree *t, unsigned seconds, char *reply, size_t reply_size)
{
	AUTO_FD fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct timeval timeout = {.tv_sec = seconds};
	struct sockaddr_un sa;
	const char *msg;
	ssize_t n;
	int len = tree_end(t), err;

	address(dir, &sa);
	if (len < 0)
		return error_errno(len, "control message");
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return error_errno(errno, "cannot connect to the sandbox");
	if (send(fd, t->buf, len, MSG_NOSIGNAL) != len)
		return error_errno(errno, "cannot write to the sandbox");
	n = recv(fd, reply, reply_size, 0);
	if (n < 0 && errno == EAGAIN)
		return error_new("the sandbox does not answer");
	if (n < 0)
		return error_errno(errno, "cannot read from the sandbox");
	/* libfdt 1.6 does not check old versions of the format well enough; a sandbox may be hostile. */
	if (n < (ssize_t)sizeof(struct fdt_header) || fdt_version(reply) < 16 || fdt_check_full(reply, n))
		return error_new("the sandbox is gone, or its answer is malformed");
	err = (int32_t)launch_u32(reply, 0, "error", 0);
	msg = launch_string(reply, 0, "message");
	if (err && msg && *msg)
		return error_new("%s", msg);
	return err ? error_errno(err, "the sandbox refuses") : NULL;
}

struct error *control_signal(int dir, int signo, pid_t pid, bool all)
{
	char *reply = xcalloc(1, CTL_MESSAGE_MAX);
	struct error *e;
	struct tree t;

	tree_begin(&t);
	tree_string(&t, "type", "signal");
	tree_u32(&t, "id", 0); /* the VMM numbers the messages */
	tree_u32(&t, "signo", signo);
	tree_u32(&t, "pid", pid);
	tree_u32(&t, "all", all);
	e = call(dir, &t, TIMEOUT_SECONDS, reply, CTL_MESSAGE_MAX);
	free(reply);
	return e;
}

struct error *control_start(int dir)
{
	char *reply = xcalloc(1, CTL_MESSAGE_MAX);
	struct error *e;
	struct tree t;

	tree_begin(&t);
	tree_string(&t, "type", "start");
	tree_u32(&t, "id", 0);
	e = call(dir, &t, START_SECONDS, reply, CTL_MESSAGE_MAX);
	free(reply);
	return e;
}
