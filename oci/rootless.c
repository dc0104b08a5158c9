/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/rootless.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/util.h"

#define SUBID_MAX (1u << 20)

struct range {
	unsigned long first, count;
};

/* The user's first range in /etc/subuid or /etc/subgid; named by name or number. */
static bool subordinate(const char *file, const char *name, uid_t uid, struct range *r)
{
	char *text = read_file_at(AT_FDCWD, file, SUBID_MAX, NULL), *save = NULL, number[16];

	snprintf(number, sizeof(number), "%u", uid);
	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line, ':');

		if (!colon)
			continue;
		*colon = 0;
		if ((strcmp(line, number) == 0 || (name && strcmp(line, name) == 0)) &&
		    sscanf(colon + 1, "%lu:%lu", &r->first, &r->count) == 2 && r->count) {
			free(text);
			return true;
		}
	}
	free(text);
	return false;
}

static bool run(char *const *argv)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && status == 0;
}

static bool map_with(const char *tool, pid_t pid, unsigned own, const struct range *r)
{
	char *argv[] = {(char *)tool, xasprintf("%d", pid), "0", xasprintf("%u", own), "1", "1", xasprintf("%lu", r->first),
	                xasprintf("%lu", r->count), NULL};

	return run(argv);
}

/* The helper stays outside: it waits until its parent is in the new namespace and has it mapped from here. Its status says
 * whether that was done. */
static void helper(int go, pid_t parent, uid_t uid, gid_t gid)
{
	struct passwd *pw = getpwuid(uid);
	const char *name = pw ? pw->pw_name : NULL;
	struct range uids, gids;
	char byte;

	if (!subordinate("/etc/subuid", name, uid, &uids) || !subordinate("/etc/subgid", name, uid, &gids))
		_exit(1);
	while (read(go, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(map_with("newuidmap", parent, uid, &uids) && map_with("newgidmap", parent, gid, &gids) ? 0 : 1);
}

/* What everybody may do: one's own id. */
static struct error *map_single(uid_t uid, gid_t gid)
{
	char map[64];
	int err = write_file_at(AT_FDCWD, "/proc/self/setgroups", "deny");

	snprintf(map, sizeof(map), "0 %u 1", gid);
	if (!err)
		err = write_file_at(AT_FDCWD, "/proc/self/gid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", uid);
	if (!err)
		err = write_file_at(AT_FDCWD, "/proc/self/uid_map", map);
	return err ? error_errno(err, "rootless: cannot map uid %u and gid %u", uid, gid) : NULL;
}

static struct error *no_namespace(int err)
{
	if (err == EPERM || err == ENOSPC || err == EUSERS)
		return error_new("rootless: this host does not let users make user namespaces (%s): see user.max_user_namespaces, "
		                 "kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns; or run as root",
		                 strerror(err));
	return error_errno(err, "rootless: cannot make a user namespace");
}

struct error *rootless_enter(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	struct error *e = NULL;
	int go[2], status = 1;
	pid_t pid;

	if (uid == 0)
		return NULL;
	if (pipe2(go, O_CLOEXEC) < 0)
		return error_errno(errno, "pipe");
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		helper(go[0], getppid(), uid, gid);
	}
	close(go[0]);
	if (pid < 0 || unshare(CLONE_NEWUSER) < 0)
		e = no_namespace(errno);
	/* Closing it is the word to go on; after a failure the helper finds nothing to map and ends all the same. */
	close(go[1]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!e && status) {
		log_debug("rootless: no subordinate ids (or no newuidmap and newgidmap): the container has one user");
		e = map_single(uid, gid);
	}
	if (!e && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		e = error_errno(errno, "rootless: cannot become root of the user namespace");
	return e;
}
