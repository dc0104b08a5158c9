/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/util.h"

#define OUTPUT_SHOWN 1000 /* bytes of a failed hook's output that the error quotes */

const char *const hook_kinds[] = {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop", NULL};

/* ---- checking -------------------------------------------------------------------------------------------------------- */

static void check_hook(struct json *j, const cJSON *hook, const char *name)
{
	char *path = xasprintf("%s.path", name), *args = xasprintf("%s.args", name), *env = xasprintf("%s.env", name);
	char *timeout = xasprintf("%s.timeout", name);
	const char *program = json_string(j, hook, path, true);

	if (program && *program != '/')
		json_fail(j, path, "\"%s\" is not an absolute path", program);
	free(json_strings(j, hook, args, false, NULL));
	free(json_strings(j, hook, env, false, NULL));
	(void)json_int(j, hook, timeout, 1, 1, 1 << 30);
	free(path);
	free(args);
	free(env);
	free(timeout);
}

void hooks_check(struct json *j, const cJSON *hooks)
{
	for (const char *const *kind = hook_kinds; *kind; kind++) {
		char *name = xasprintf("hooks.%s", *kind);
		const cJSON *list = json_array(j, hooks, name, false), *hook;
		unsigned i = 0;

		cJSON_ArrayForEach(hook, list) {
			char *item = xasprintf("%s[%u]", name, i++);

			if (!cJSON_IsObject(hook))
				json_fail(j, item, "must be an object");
			check_hook(j, hook, item);
			free(item);
		}
		free(name);
	}
}

static const cJSON *hook_list(const cJSON *hooks, const char *kind)
{
	return hooks ? cJSON_GetObjectItemCaseSensitive(hooks, kind) : NULL;
}

bool hooks_any(const cJSON *hooks, const char *kind)
{
	const cJSON *list = hook_list(hooks, kind);

	return list && list->child;
}

/* ---- running --------------------------------------------------------------------------------------------------------- */

struct run {
	const struct state *state;
	const char *kind;
	pid_t mounts, rest; /* whose namespaces, or 0: ours */
	int input;          /* the state */
};

char **hooks_strings(const cJSON *hook, const char *key)
{
	const cJSON *a = cJSON_GetObjectItemCaseSensitive(hook, key), *item;
	unsigned n = 0;
	char **v = xcalloc((a ? cJSON_GetArraySize(a) : 0) + 2, sizeof(*v));

	cJSON_ArrayForEach(item, a)
		v[n++] = item->valuestring;
	return v;
}

static void enter(pid_t pid, const char *name)
{
	char *path = xasprintf("/proc/%d/ns/%s", pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, 0) < 0) {
		dprintf(STDERR_FILENO, "cannot enter %s: %s\n", path, strerror(errno));
		_exit(127);
	}
	close(fd);
}

static void child(const struct run *r, const cJSON *hook, int output)
{
	const char *path = cJSON_GetObjectItemCaseSensitive(hook, "path")->valuestring;
	char **args = hooks_strings(hook, "args"), **env = hooks_strings(hook, "env");
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (lseek(r->input, 0, SEEK_SET) < 0 || dup2(r->input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(127);
	/* The mount namespace last: the paths of the others are in ours. */
	if (r->rest) {
		enter(r->rest, "net");
		enter(r->rest, "ipc");
		enter(r->rest, "uts");
		enter(r->mounts, "mnt");
		/* As its owner is about to do: what the hook mounts is the container's. */
		if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
			_exit(127);
	}
	syscall(SYS_close_range, 3, ~0u, 0);
	if (!args[0])
		args[0] = (char *)path;
	/* Without an environment of its own a hook has runsc's, as with other runtimes. */
	execve(path, args, env[0] ? env : environ);
	dprintf(STDERR_FILENO, "cannot execute it: %s\n", strerror(errno));
	_exit(127);
}

/* What it wrote, on one line. */
static char *quote_output(int fd)
{
	char buf[OUTPUT_SHOWN + 1];
	ssize_t n = pread(fd, buf, OUTPUT_SHOWN, 0);

	n = n > 0 ? n : 0;
	while (n && (buf[n - 1] == '\n' || buf[n - 1] == ' '))
		n--;
	buf[n] = 0;
	for (char *p = buf; *p; p++)
		if (*p == '\n')
			*p = ';';
	return n ? xasprintf(": %s", buf) : xstrdup("");
}

/* Waits at most `seconds` (0: for ever); the wait status, or -ETIMEDOUT after killing it. */
static int await(pid_t pid, unsigned seconds)
{
	AUTO_FD pidfd = syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	bool late = false;
	int status;

	if (seconds && pidfd >= 0) {
		int n;

		while ((n = poll(&p, 1, seconds > 2000000 ? -1 : (int)seconds * 1000)) < 0 && errno == EINTR)
			;
		late = n == 0;
		if (late)
			kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return late ? -ETIMEDOUT : status;
}

struct error *hooks_result(const char *kind, unsigned number, const char *path, int status, int output)
{
	char *said;

	if (status == 0)
		return NULL;
	said = quote_output(output);
	if (WIFSIGNALED(status))
		return error_new("hooks.%s[%u]: %s was killed by signal %d%s", kind, number, path, WTERMSIG(status), said);
	return error_new("hooks.%s[%u]: %s failed with exit status %d%s", kind, number, path, WEXITSTATUS(status), said);
}

static struct error *run_one(const struct run *r, const cJSON *hook, unsigned number)
{
	const char *path = cJSON_GetObjectItemCaseSensitive(hook, "path")->valuestring;
	const cJSON *timeout = cJSON_GetObjectItemCaseSensitive(hook, "timeout");
	unsigned seconds = timeout ? timeout->valueint : 0;
	AUTO_FD output = memfd_create("output", MFD_CLOEXEC);
	pid_t pid;
	int status;

	pid = output < 0 ? -1 : fork();
	if (pid < 0)
		return error_errno(errno, "hooks.%s[%u]: %s", r->kind, number, path);
	if (pid == 0)
		child(r, hook, output);
	log_debug("hooks.%s[%u]: %s runs as process %d", r->kind, number, path, pid);
	status = await(pid, seconds);
	if (status == -ETIMEDOUT)
		return error_new("hooks.%s[%u]: %s timed out after %u s", r->kind, number, path, seconds);
	if (status < 0)
		return error_errno(status, "hooks.%s[%u]: %s", r->kind, number, path);
	return hooks_result(r->kind, number, path, status, output);
}

struct error *hooks_state_input(const struct state *s, enum state_status status, int *out)
{
	cJSON *j = state_json(s, status);
	char *text = cJSON_PrintUnformatted(j);
	AUTO_FD fd = memfd_create("state", MFD_CLOEXEC);
	int err = fd < 0 ? -errno : write_all(fd, text, strlen(text));

	cJSON_Delete(j);
	free(text);
	if (err < 0)
		return error_errno(err, "hooks: cannot write the state");
	*out = take_fd(&fd);
	return NULL;
}

/* With `warn`, failures are warnings. */
static struct error *run_list(struct run *r, enum state_status status, bool warn)
{
	const cJSON *list = hook_list(r->state->hooks, r->kind), *hook;
	struct error *e = NULL;
	unsigned i = 0;

	if (!list || !list->child)
		return NULL;
	e = hooks_state_input(r->state, status, &r->input);
	if (e)
		return e;
	cJSON_ArrayForEach(hook, list) {
		e = run_one(r, hook, i++);
		if (e && !warn)
			break;
		if (e)
			log_warn("%s", e->msg);
		error_free(e);
		e = NULL;
	}
	close(r->input);
	return e;
}

struct error *hooks_run(const struct state *s, const char *kind, enum state_status status)
{
	return run_list(&(struct run){.state = s, .kind = kind}, status, false);
}

struct error *hooks_run_inside(const struct state *s, const char *kind, enum state_status status, pid_t mounts, pid_t rest)
{
	return run_list(&(struct run){.state = s, .kind = kind, .mounts = mounts, .rest = rest}, status, false);
}

void hooks_run_all(const struct state *s, const char *kind, enum state_status status)
{
	struct error *e = run_list(&(struct run){.state = s, .kind = kind}, status, true);

	if (e)
		log_warn("%s", e->msg);
	error_free(e);
}
