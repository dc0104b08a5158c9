/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/exec_proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/control_client.h"
#include "oci/launch.h"
#include "oci/util.h"

#define REPLY_MAX    1024 /* of the answers that a proxy gets */
#define KILLED       (128 + SIGKILL)
#define PROXY_ARGS_MAX 8

struct error *exec_proxy_signals(bool foreground, int *fd)
{
	static const int stops[] = {SIGTSTP, SIGTTIN, SIGTTOU};
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, SIGCHLD);
	for (unsigned i = 0; foreground && i < sizeof(stops) / sizeof(stops[0]); i++)
		sigdelset(&set, stops[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	*fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *fd < 0 ? error_errno(errno, "signalfd") : NULL;
}

/* ---- running ---- */
static bool pass_on(int control, int signals, const char *container, uint32_t request)
{
	struct signalfd_siginfo si;
	struct error *e;
	struct tree t;

	if (read(signals, &si, sizeof(si)) != sizeof(si))
		return false;
	control_begin(&t, "signal", container);
	tree_u32(&t, "signo", si.ssi_signo);
	tree_u32(&t, "exec", request);
	e = control_send(control, &t, NULL, 0);
	free(t.buf);
	if (e) /* the sandbox is gone: that is seen by the reader */
		error_free(e);
	return !e;
}

/* One message. -1: it was the answer to a signal; else what to exit with. */
static int read_answer(int control)
{
	union {
		uint64_t align;
		char buf[REPLY_MAX];
	} u;
	ssize_t n = recv(control, u.buf, sizeof(u.buf), 0);
	uint32_t status;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return -1;
	if (!control_is_tree(u.buf, n))
		return KILLED;
	if (!fdt_getprop(u.buf, 0, "status", NULL))
		return -1;
	status = launch_u32(u.buf, 0, "status", 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int exec_proxy_run(int control, int signals, const char *container, uint32_t request)
{
	struct pollfd p[2] = {{.fd = control, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
	bool asked = false; /* a signal has not been answered: the next one waits */

	for (;;) {
		int status;

		p[1].fd = asked ? -1 : signals;
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents && !asked)
			asked = pass_on(control, signals, container, request);
		if (!p[0].revents)
			continue;
		status = read_answer(control);
		if (status >= 0)
			return status;
		asked = false;
	}
}

/* ---- a process of its own ---- */
static void keep_only(int control, int signals, int go)
{
	int max = go > control ? go : control;

	if (signals > max)
		max = signals;
	/* Standard streams too: whoever reads the other ends waits for the last writer. */
	for (int fd = 0; fd < max; fd++)
		if (fd != control && fd != signals && fd != go)
			close(fd);
	syscall(SYS_close_range, max + 1, ~0u, 0);
}

/* In place of runsc's own arguments, for whoever looks at the host's processes (docker top). */
static void show_args(char *const *args)
{
	char *area = program_invocation_name;
	size_t size = environ && *environ > area ? (size_t)(*environ - area) : strlen(area) + 1, n;

	if (size < 2)
		return;
	memset(area, 0, size);
	n = snprintf(area, size, "runsc-exec:");
	for (; *args && n + 2 < size; args++)
		n += snprintf(area + n, size - n, " %s", *args);
}

static void proxy_main(int control, int signals, int terminal, int go, const char *id, char *const *args)
{
	/* Both may be among the arguments of runsc. */
	char *container = xstrdup(id), **shown = xcalloc(PROXY_ARGS_MAX + 1, sizeof(*shown));
	uint32_t request;

	for (unsigned i = 0; i < PROXY_ARGS_MAX && args[i]; i++)
		shown[i] = xstrdup(args[i]);
	show_args(shown);

	setsid();
	if (terminal >= 0)
		ioctl(terminal, TIOCSCTTY, 0);
	prctl(PR_SET_NAME, "runsc-exec");
	if (chdir("/") < 0)
		_exit(KILLED);
	keep_only(control, signals, go);
	malloc_trim(0);
	if (read(go, &request, sizeof(request)) != sizeof(request))
		_exit(KILLED);
	close(go);
	_exit(exec_proxy_run(control, signals, container, request));
}

struct error *exec_proxy_fork(int control, int signals, int terminal, const char *container, char *const *args,
                              struct exec_proxy *p)
{
	int go[2];

	if (pipe2(go, O_CLOEXEC) < 0)
		return error_errno(errno, "pipe");
	p->pid = fork();
	if (p->pid == 0) {
		close(go[1]);
		proxy_main(control, signals, terminal, go[0], container, args);
	}
	close(go[0]);
	p->go = go[1];
	return p->pid < 0 ? error_errno(errno, "cannot make the process that stands for the one in the sandbox") : NULL;
}

struct error *exec_proxy_go(struct exec_proxy *p, uint32_t request)
{
	if (write(p->go, &request, sizeof(request)) != sizeof(request))
		return error_errno(errno, "the process that stands for the one in the sandbox has died");
	close(take_fd(&p->go));
	return NULL;
}
