/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/state.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "oci/control_client.h"
#include "oci/util.h"

#define ID_MAX 128
#define STATE_MAX (4u << 20)
#define KILL_TIMEOUT_MS 10000
#define CREATING_TRIES 2000 /* of 5 ms; a hook of the container's own creation would wait for itself */

static struct error *check_id(const char *id)
{
	if (!*id)
		return error_new("the container's ID is empty");
	if (strlen(id) > ID_MAX)
		return error_new("the container's ID is longer than %d bytes", ID_MAX);
	if (strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
		return error_new("\"%s\" is not a container ID", id);
	for (const char *p = id; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_+-.", *p))
			return error_new("\"%s\" is not a container ID: only letters, digits and _ + - . may occur", id);
	return NULL;
}

struct error *state_create(const char *root, const char *id, struct state *s)
{
	struct error *e = check_id(id);
	struct stat st = {0};
	int err;

	memset(s, 0, sizeof(*s));
	s->dir = -1;
	if (e)
		return e;
	err = mkdir_parents(root, 0711);
	if (err < 0)
		return error_errno(err, "--root: cannot make %s", root);
	/* Under /tmp anybody could have made it before us. */
	if (stat(root, &st) < 0 || (st.st_uid != geteuid() && st.st_uid != 0))
		return error_new("--root: %s belongs to uid %u", root, st.st_uid);
	s->id = xstrdup(id);
	s->path = xasprintf("%s/%s", root, id);
	if (mkdir(s->path, 0711) < 0) {
		if (errno == EEXIST)
			return error_new("a container with ID \"%s\" exists already (in %s)", id, root);
		return error_errno(errno, "--root: cannot make %s", s->path);
	}
	s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0 || flock(s->dir, LOCK_EX) < 0) {
		e = error_errno(errno, "cannot open %s", s->path);
		rmdir(s->path);
	}
	return e;
}

static struct error *open_dir(struct state *s, const char *id, bool locked)
{
	for (;;) {
		struct stat a, b;

		s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s->dir < 0 && errno == ENOENT)
			return error_new("container \"%s\" does not exist", id);
		if (s->dir < 0)
			return error_errno(errno, "cannot open %s", s->path);
		if (!locked)
			return NULL;
		if (flock(s->dir, LOCK_EX) < 0)
			return error_errno(errno, "cannot lock %s", s->path);
		/* It may have been deleted, and even made anew, while we waited. */
		if (fstat(s->dir, &a) == 0 && stat(s->path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev)
			return NULL;
		close(s->dir);
	}
}

static struct error *parse(struct state *s)
{
	struct json *j = xcalloc(1, sizeof(*j));
	char *file = xasprintf("%s/state.json", s->path);
	struct error *e;

	if (access(file, F_OK) < 0 && errno == ENOENT) {
		s->bundle = s->version = s->rootfs = s->created_at = s->platform = s->boot_id = "";
		s->cgroup_paths = xcalloc(1, sizeof(char *));
		return NULL;
	}
	e = json_load(j, file, STATE_MAX);
	if (e)
		return e;
	s->version = json_string(j, j->root, "ociVersion", true);
	s->bundle = json_string(j, j->root, "bundle", true);
	s->rootfs = json_string(j, j->root, "rootfs", true);
	s->created_at = json_string(j, j->root, "created", true);
	s->boot_id = json_string(j, j->root, "bootId", true);
	if (!s->boot_id)
		s->boot_id = "";
	s->created = json_bool(j, j->root, "isCreated", false);
	s->started = json_bool(j, j->root, "isStarted", false);
	s->hooks = json_object(j, j->root, "hooks", false);
	s->platform = json_string(j, j->root, "platform", true);
	s->pid = json_int(j, j->root, "sandboxPid", 0, 0, INT32_MAX);
	s->pid_start = json_u64(j, j->root, "sandboxStart", true);
	s->gofer_pid = json_int(j, j->root, "goferPid", 0, 0, INT32_MAX);
	s->gofer_start = json_u64(j, j->root, "goferStart", true);
	s->sandbox_id = json_string(j, j->root, "sandboxId", false);
	s->paused = json_bool(j, j->root, "paused", false);
	s->owner = json_int(j, j->root, "owner", 0, 0, UINT32_MAX);
	s->annotations = json_object(j, j->root, "annotations", false);
	s->cgroup = json_object(j, j->root, "cgroup", false);
	s->cgroup_paths = json_strings(j, j->root, "cgroupPaths", true, NULL);
	return json_error(j);
}

struct error *state_open(const char *root, const char *id, bool locked, struct state *s)
{
	struct error *e = check_id(id);

	memset(s, 0, sizeof(*s));
	s->dir = -1;
	s->boot_id = "";
	if (e)
		return e;
	s->id = xstrdup(id);
	s->path = xasprintf("%s/%s", root, id);
	e = open_dir(s, id, locked);
	if (!e)
		e = parse(s);
	/* Its creator holds the lock. */
	if (!e && !s->pid)
		s->abandoned = locked || flock(s->dir, LOCK_SH | LOCK_NB) == 0;
	if (!e && !locked && s->abandoned)
		flock(s->dir, LOCK_UN);
	return e;
}

struct error *state_open_created(const char *root, const char *id, struct state *s)
{
	const struct timespec step = {.tv_nsec = 5000000};
	struct error *e = state_open(root, id, false, s);

	for (int i = 0; !e && state_status(s) == STATE_CREATING && i < CREATING_TRIES; i++) {
		state_close(s);
		nanosleep(&step, NULL);
		e = state_open(root, id, false, s);
	}
	return e;
}

struct error *state_save(struct state *s)
{
	cJSON *o = cJSON_CreateObject();
	char *text;
	int fd, err;

	cJSON_AddStringToObject(o, "ociVersion", s->version);
	cJSON_AddStringToObject(o, "id", s->id);
	cJSON_AddStringToObject(o, "bundle", s->bundle);
	cJSON_AddStringToObject(o, "rootfs", s->rootfs);
	cJSON_AddStringToObject(o, "created", s->created_at);
	cJSON_AddStringToObject(o, "bootId", s->boot_id);
	cJSON_AddBoolToObject(o, "isCreated", s->created);
	cJSON_AddBoolToObject(o, "isStarted", s->started);
	if (s->hooks)
		cJSON_AddItemToObject(o, "hooks", cJSON_Duplicate(s->hooks, true));
	cJSON_AddStringToObject(o, "platform", s->platform);
	cJSON_AddNumberToObject(o, "sandboxPid", s->pid);
	cJSON_AddNumberToObject(o, "sandboxStart", s->pid_start);
	cJSON_AddNumberToObject(o, "goferPid", s->gofer_pid);
	cJSON_AddNumberToObject(o, "goferStart", s->gofer_start);
	cJSON_AddNumberToObject(o, "owner", s->owner);
	if (s->sandbox_id)
		cJSON_AddStringToObject(o, "sandboxId", s->sandbox_id);
	if (s->paused)
		cJSON_AddBoolToObject(o, "paused", true);
	if (s->annotations)
		cJSON_AddItemToObject(o, "annotations", cJSON_Duplicate(s->annotations, true));
	if (s->cgroup)
		cJSON_AddItemToObject(o, "cgroup", cJSON_Duplicate(s->cgroup, true));
	{
		cJSON *a = cJSON_AddArrayToObject(o, "cgroupPaths");

		for (unsigned i = 0; s->cgroup_paths && s->cgroup_paths[i]; i++)
			cJSON_AddItemToArray(a, cJSON_CreateString(s->cgroup_paths[i]));
	}
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	fd = text ? openat(s->dir, "state.json.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
	err = fd < 0 ? -errno : write_all(fd, text, strlen(text));
	if (fd >= 0)
		close(fd);
	free(text);
	if (!err && renameat(s->dir, "state.json.new", s->dir, "state.json") < 0)
		err = -errno;
	return err ? error_errno(err, "cannot write %s/state.json", s->path) : NULL;
}

void state_unlock(struct state *s)
{
	flock(s->dir, LOCK_UN);
}

static void empty_dir(int fd)
{
	DIR *d = fdopendir(dup(fd));
	struct dirent *ent;

	if (!d)
		return;
	rewinddir(d);
	while ((ent = readdir(d)))
		if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
			unlinkat(fd, ent->d_name, 0);
	closedir(d);
}

struct error *state_remove(struct state *s)
{
	static const char *const names[] = {"state.json", "state.json.new", CONTROL_SOCKET};
	struct stat a, b;

	/* By name, which needs no further descriptor; then whatever else there may be. */
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(s->dir, names[i], 0);
	/* Another container may have the name by now. */
	if (fstat(s->dir, &a) < 0 || stat(s->path, &b) < 0 || a.st_ino != b.st_ino || a.st_dev != b.st_dev)
		return NULL;
	if (rmdir(s->path) == 0 || errno == ENOENT)
		return NULL;
	empty_dir(s->dir);
	if (rmdir(s->path) < 0 && errno != ENOENT)
		return error_errno(errno, "cannot remove %s", s->path);
	return NULL;
}

void state_close(struct state *s)
{
	if (s->dir >= 0)
		close(s->dir);
	s->dir = -1;
}

/* Of one whose main thread has ended others may run still. */
uint64_t state_process_start(pid_t pid, bool ended)
{
	char path[64], *text, *p;
	unsigned long long start = 0;
	char st;

	if (pid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	text = read_file_at(AT_FDCWD, path, 4096, NULL);
	if (!text)
		return 0;
	p = strrchr(text, ')'); /* the name may contain anything */
	if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &st, &start) != 2 ||
	    (!ended && (st == 'Z' || st == 'X')))
		start = 0;
	free(text);
	return start;
}

const char *state_boot_id(void)
{
	static char *id;
	size_t len;

	if (!id)
		id = read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &len);
	if (id)
		id[strcspn(id, "\n")] = 0;
	return id ? id : "";
}

enum state_status state_status(const struct state *s)
{
	if (!s->pid)
		return s->abandoned ? STATE_STOPPED : STATE_CREATING;
	if (strcmp(s->boot_id, state_boot_id()) != 0 || !s->pid_start || state_process_start(s->pid, false) != s->pid_start)
		return STATE_STOPPED;
	if (s->paused)
		return STATE_PAUSED;
	return s->started ? STATE_RUNNING : s->created ? STATE_CREATED : STATE_CREATING;
}

const char *state_status_name(enum state_status st)
{
	static const char *const names[] = {
	    [STATE_CREATING] = "creating", [STATE_CREATED] = "created", [STATE_RUNNING] = "running",
	    [STATE_PAUSED] = "paused", [STATE_STOPPED] = "stopped",
	};

	return names[st];
}

cJSON *state_json(const struct state *s, enum state_status st)
{
	struct passwd *pw = getpwuid(s->owner);
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "ociVersion", s->version);
	cJSON_AddStringToObject(o, "id", s->id);
	cJSON_AddNumberToObject(o, "pid", st == STATE_STOPPED ? 0 : s->pid);
	cJSON_AddStringToObject(o, "status", state_status_name(st));
	cJSON_AddStringToObject(o, "bundle", s->bundle);
	cJSON_AddStringToObject(o, "rootfs", s->rootfs);
	cJSON_AddStringToObject(o, "created", s->created_at);
	if (s->annotations)
		cJSON_AddItemToObject(o, "annotations", cJSON_Duplicate(s->annotations, true));
	cJSON_AddStringToObject(o, "owner", pw ? pw->pw_name : "");
	return o;
}

static struct error *kill_process(pid_t pid, uint64_t start, const char *what)
{
	AUTO_FD pidfd = -1;
	struct pollfd p;

	if (!pid || !start)
		return NULL;
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	/* The start time is looked at with the pidfd in hand: from here on it can be no other process. One that is ending is
	 * waited for to the end, when it has left its cgroups, and all of its pid namespace is gone. */
	if (state_process_start(pid, true) != start)
		return NULL;
	if (pidfd < 0)
		return error_errno(errno, "cannot open the %s (pid %d)", what, pid);
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return error_errno(errno, "cannot kill the %s (pid %d)", what, pid);
	p = (struct pollfd){.fd = pidfd, .events = POLLIN};
	if (poll(&p, 1, KILL_TIMEOUT_MS) == 0)
		return error_new("the %s (pid %d) does not die", what, pid);
	return NULL;
}

struct error *state_kill_processes(const struct state *s)
{
	struct error *e;

	if (strcmp(s->boot_id, state_boot_id()) != 0)
		return NULL;
	e = kill_process(s->pid, s->pid_start, "sandbox");
	return e ? e : kill_process(s->gofer_pid, s->gofer_start, "gofer");
}
