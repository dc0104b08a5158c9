/* SPDX-License-Identifier: Apache-2.0 */
/* What a runsc does while its sandbox starts, and in the foreground until it ends: messages, signals, the status. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/control_client.h"
#include "oci/sandbox_impl.h"

#define STATUS_MAX 8192

/* What a foreground runsc passes on. */
static const int forwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH};

struct error *sandbox_watch_signals(struct sandbox *sb)
{
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(&set, forwarded[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sb->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return sb->signals < 0 ? error_errno(errno, "signalfd") : NULL;
}

static void forward_signal(struct sandbox *sb)
{
	struct signalfd_siginfo si;
	struct error *e = NULL;
	bool fatal;

	if (read(sb->signals, &si, sizeof(si)) != sizeof(si))
		return;
	fatal = si.ssi_signo == SIGINT || si.ssi_signo == SIGTERM || si.ssi_signo == SIGQUIT || si.ssi_signo == SIGHUP;
	/* The terminal is not the sandbox's controlling one, so the kernel tells only us. */
	if (si.ssi_signo == SIGWINCH) {
		if (sb->cfg->spec->terminal && !sb->cfg->console_socket)
			kill(sb->state.pid, SIGWINCH);
		return;
	}
	if (sb->ready)
		e = control_signal(sb->state.dir, sb->cfg->id, si.ssi_signo, 0, false);
	if (e)
		log_warn("cannot pass signal %u on: %s", si.ssi_signo, e->msg);
	if ((e || !sb->ready) && fatal) {
		sb->ended_by = si.ssi_signo;
		kill(sb->state.pid, SIGKILL);
	}
	error_free(e);
}

/* The next message of the status socket. Sets *closed at its end. */
static struct error *read_status(struct sandbox *sb, bool *closed)
{
	char buf[STATUS_MAX + 1];
	ssize_t n = recv(sb->status, buf, STATUS_MAX, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return NULL;
	if (n <= 0) {
		*closed = true;
		return NULL;
	}
	buf[n] = 0;
	if (n > 1 && buf[0] == 'E')
		return error_new("%s", buf + 1);
	if (n > 1 && buf[0] == 'W')
		log_warn("%s", buf + 1);
	else
		sb->ready = true;
	return NULL;
}

struct error *sandbox_watch(struct sandbox *sb, bool until_ready, bool *ended)
{
	struct pollfd p[3] = {
	    {.fd = sb->boot_pidfd, .events = POLLIN}, {.fd = sb->status, .events = POLLIN}, {.fd = sb->signals, .events = POLLIN}};

	while (!(until_ready && sb->ready)) {
		struct error *e = NULL;
		bool closed = false;

		if (poll(p, 3, -1) < 0 && errno != EINTR)
			return error_errno(errno, "poll");
		if (p[1].revents)
			e = read_status(sb, &closed);
		if (e)
			return e;
		if (closed)
			p[1].fd = -1;
		if (p[2].revents)
			forward_signal(sb);
		/* Last, and only when no message is left. */
		if (p[0].revents && (closed || p[1].fd < 0 || !p[1].revents)) {
			*ended = true;
			return NULL;
		}
	}
	return NULL;
}

struct error *sandbox_collect(struct sandbox *sb, int *status)
{
	int w;

	while (waitpid(sb->state.pid, &w, 0) < 0)
		if (errno != EINTR)
			return error_errno(errno, "waitpid");
	sb->state.pid = 0;
	if (!sb->ready && WIFSIGNALED(w))
		return error_new("the sandbox was killed by signal %d (%s) before the container started", WTERMSIG(w),
		                 strsignal(WTERMSIG(w)));
	if (!sb->ready)
		return error_new("the sandbox ended before the container started (status %d)", WEXITSTATUS(w));
	*status = WEXITSTATUS(w);
	/* The status of a container whose init was killed is one of a sandbox that exited. */
	if (WIFSIGNALED(w) && sb->ended_by) {
		*status = 128 + sb->ended_by; /* our own doing: the container became ready at that moment */
	} else if (WIFSIGNALED(w)) {
		struct error *e = error_new("container \"%s\": the sandbox was killed by signal %d (%s)", sb->cfg->id, WTERMSIG(w),
		                            strsignal(WTERMSIG(w)));

		log_error(e);
		error_free(e);
		*status = 128 + WTERMSIG(w);
	}
	return NULL;
}

