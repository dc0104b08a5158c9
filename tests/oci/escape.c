/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of escapes run inside containers: lookups and changes below directories that the host swaps meanwhile. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int escaped(const char *how, const char *path)
{
	printf("ESCAPED: %s %s\n", how, path);
	return 1;
}

/* A file that should not be within reach says so. */
static int try_read(const char *path)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) > 0 && strstr(text, "HOST"))
		return escaped("read", path);
	close(fd);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* lookups DIR MS: everything one can do with names below DIR/d, for that long. What is made lands where the host looks. */
static int lookups(char **argv)
{
	int64_t end = now_ms() + atoi(argv[1]);
	char secret[256], deep[256], planted[256], dir[256], name[256];
	unsigned long n = 0;

	snprintf(secret, sizeof(secret), "%s/d/secret", argv[0]);
	snprintf(deep, sizeof(deep), "%s/d/sub/secret", argv[0]);
	snprintf(dir, sizeof(dir), "%s/d", argv[0]);
	for (; now_ms() < end; n++) {
		struct dirent *e;
		DIR *list;

		if (try_read(secret) || try_read(deep))
			return 1;
		snprintf(planted, sizeof(planted), "%s/d/planted%lu", argv[0], n % 4);
		close(open(planted, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
		chmod(planted, 0777);
		truncate(secret, 0);
		symlink("x", planted);
		snprintf(name, sizeof(name), "%s/d/plantdir", argv[0]);
		mkdir(name, 0777);
		rename(planted, name);
		rmdir(name);
		unlink(planted);
		list = opendir(dir);
		while (list && (e = readdir(list)))
			if (strcmp(e->d_name, "only-outside") == 0)
				return escaped("listed", dir);
		if (list)
			closedir(list);
	}
	printf("%lu rounds\n", n);
	return 0;
}

/* climb DIR: says so, waits for a line (the host moves DIR out of the mount meanwhile), and climbs. */
static int climb(char **argv)
{
	char up[512] = "", path[600], line[16];

	if (chdir(argv[0])) {
		perror(argv[0]);
		return 99;
	}
	puts("inside");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 99;
	for (int i = 0; i < 12; i++) {
		snprintf(path, sizeof(path), "%ssecret", up);
		if (try_read(path))
			return 1;
		strcat(up, "../");
	}
	for (int i = 0; i < 12; i++) {
		if (chdir(".."))
			break;
		if (try_read("secret") || try_read("etc/secret"))
			return 1;
	}
	puts("held");
	return 0;
}

/* connect PATH: to a unix socket; prints what comes of it. */
static int connect_to(char **argv)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", argv[0]);
	puts(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0 ? "connected" : strerrorname_np(errno));
	return 0;
}

/* fds: the descriptors that it has. */
static int fds(char **argv)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d))
			printf("%s ", e->d_name);
	puts("");
	return 0;
}

/* open PATH: the name of the error, or the type of what was opened. */
static int open_it(char **argv)
{
	int fd = open(argv[0], O_RDWR | O_NONBLOCK | O_CLOEXEC);

	puts(fd < 0 ? strerrorname_np(errno) : "opened");
	return 0;
}

/* ids: effective ids, for set-id copies of this program. */
static int ids(char **argv)
{
	printf("%d %d\n", geteuid(), getegid());
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		int (*run)(char **argv);
	} commands[] = {
		{"lookups", 2, lookups}, {"climb", 1, climb}, {"connect", 1, connect_to}, {"fds", 0, fds}, {"open", 1, open_it}, {"ids", 0, ids},
	};

	for (unsigned i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0 && argc == 2 + commands[i].args)
			return commands[i].run(argv + 2);
	fprintf(stderr, "escape: usage\n");
	return 99;
}
