/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/control_client.h"

#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "abi/control.h"
#include "oci/container_fdt.h"
#include "oci/launch.h"
#include "oci/util.h"

/* A hostile sandbox may be silent; a start brings in a whole program. */
#define TIMEOUT_SECONDS 10
#define START_SECONDS   60
#define FDS_MAX         128

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
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 128) < 0)
		return error_errno(errno, "cannot make the control socket");
	*out = take_fd(&fd);
	return NULL;
}

struct error *control_connect(int dir, int *out)
{
	AUTO_FD fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};
	struct sockaddr_un sa;

	address(dir, &sa);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return error_errno(errno, "cannot connect to the sandbox");
	*out = take_fd(&fd);
	return NULL;
}

void control_begin(struct tree *t, const char *type, const char *id)
{
	tree_begin(t);
	tree_string(t, "type", type);
	tree_u32(t, "id", 0); /* the VMM numbers the messages */
	if (id)
		tree_string(t, "container", id);
}

struct error *control_send(int fd, struct tree *t, const int *fds, unsigned nfds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} c = {0};
	int len = tree_end(t);
	struct iovec iov = {.iov_base = t->buf, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (len == -E2BIG || len > CTL_MESSAGE_MAX)
		return error_new("the request is too long: %d KiB at most are supported", CTL_MESSAGE_MAX >> 10);
	if (len < 0)
		return error_errno(len, "control message");
	if (nfds > FDS_MAX)
		return error_new("%u descriptors are more than the %d that are supported", nfds, FDS_MAX);
	if (nfds) {
		m.msg_control = c.buf;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c.align.cmsg_level = SOL_SOCKET;
		c.align.cmsg_type = SCM_RIGHTS;
		c.align.cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(&c.align), fds, nfds * sizeof(int));
	}
	if (sendmsg(fd, &m, MSG_NOSIGNAL) != len)
		return error_errno(errno, "cannot write to the sandbox");
	return NULL;
}

/* libfdt 1.6 does not check old versions of the format well enough. */
bool control_is_tree(const void *p, ssize_t n)
{
	return n >= (ssize_t)sizeof(struct fdt_header) && fdt_version(p) >= 16 && !fdt_check_full(p, n);
}

static struct error *receive(int fd, int seconds, void *reply)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	const char *msg;
	ssize_t n;
	int err;

	while ((n = poll(&p, 1, seconds < 0 ? -1 : seconds * 1000)) < 0 && errno == EINTR)
		;
	if (n == 0)
		return error_new("the sandbox does not answer");
	n = recv(fd, reply, CTL_MESSAGE_MAX, 0);
	if (n < 0)
		return error_errno(errno, "cannot read from the sandbox");
	if (!control_is_tree(reply, n))
		return error_new("the sandbox is gone, or its answer is malformed");
	err = (int32_t)launch_u32(reply, 0, "error", 0);
	msg = launch_string(reply, 0, "message");
	if (err && msg && *msg)
		return error_new("%s", msg);
	return err ? error_errno(err, "the sandbox refuses") : NULL;
}

struct error *control_receive(int fd, int seconds, void **reply)
{
	void *buf = xcalloc(1, CTL_MESSAGE_MAX);
	struct error *e = receive(fd, seconds, buf);

	*reply = e ? NULL : buf;
	if (e)
		free(buf);
	return e;
}

struct error *control_call(int dir, struct tree *t, void **reply)
{
	AUTO_FD fd = -1;
	void *answer = NULL;
	struct error *e = control_connect(dir, &fd);

	if (!e)
		e = control_send(fd, t, NULL, 0);
	if (!e)
		e = control_receive(fd, TIMEOUT_SECONDS, &answer);
	if (reply)
		*reply = answer;
	else
		free(answer);
	return e;
}

struct error *control_signal(int dir, const char *id, int signo, pid_t pid, bool all)
{
	struct tree t;

	control_begin(&t, "signal", id);
	tree_u32(&t, "signo", signo);
	tree_u32(&t, "pid", pid);
	tree_u32(&t, "all", all);
	return control_call(dir, &t, NULL);
}

struct error *control_start(int dir, const char *id)
{
	AUTO_FD fd = -1;
	void *reply = NULL;
	struct error *e = control_connect(dir, &fd);
	struct tree t;

	control_begin(&t, "start", id);
	if (!e)
		e = control_send(fd, &t, NULL, 0);
	if (!e)
		e = control_receive(fd, START_SECONDS, &reply);
	free(reply);
	return e;
}

struct error *control_update(int dir, const char *id, const struct resources *r)
{
	struct tree t;

	control_begin(&t, "update", id);
	container_limits_write(&t, r);
	return control_call(dir, &t, NULL);
}

void control_await_end(int dir, const char *id)
{
	AUTO_FD fd = -1;
	void *reply = NULL;
	struct error *e = control_connect(dir, &fd);
	struct tree t;

	control_begin(&t, "wait", id);
	if (!e)
		e = control_send(fd, &t, NULL, 0);
	if (!e)
		e = control_receive(fd, TIMEOUT_SECONDS, &reply);
	free(reply);
	error_free(e); /* it, or its sandbox, is gone already */
}

int control_reopened(int fd)
{
	char path[32];
	struct stat st;
	int mode = fcntl(fd, F_GETFL), own = -1;

	if (fstat(fd, &st) == 0 && mode >= 0 && (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && major(st.st_rdev) != 1))) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		own = open(path, (mode & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	return own >= 0 ? own : fd;
}
