/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of runsc's commands run inside containers where a shell would not do. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int segv(char **argv)
{
	*(volatile int *)8 = 1;
	return 0;
}

/* hog MIB: touches that much memory, says so and waits. */
static int hog(char **argv)
{
	size_t len = strtoul(argv[0], NULL, 0) << 20, chunk = 1 << 20;

	for (size_t done = 0; done < len; done += chunk) {
		char *p = mmap(NULL, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED) {
			printf("mmap: %s after %zu MiB\n", strerror(errno), done >> 20);
			return 3;
		}
		memset(p, 1, chunk);
	}
	puts("touched");
	fflush(stdout);
	pause();
	return 0;
}

/* pipes MIB: fills pipes until that much is in them, or it is refused. */
static int pipes(char **argv)
{
	size_t want = strtoul(argv[0], NULL, 0) << 20, done = 0;
	static char block[65536];
	int fd[2];

	while (done < want) {
		if (pipe(fd) < 0 || fcntl(fd[1], F_SETFL, O_NONBLOCK) < 0 || write(fd[1], block, sizeof(block)) < 0) {
			printf("%s after %zu MiB\n", strerror(errno), done >> 20);
			return 3;
		}
		done += sizeof(block);
	}
	puts("filled");
	return 0;
}

/* forks N: as many children as there may be, up to N; prints how many and the error, and waits for them. */
static int forks(char **argv)
{
	int max = atoi(argv[0]), n = 0, err = 0;
	pid_t pid = 1;

	while (n < max && (pid = fork()) > 0)
		n++;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	err = pid < 0 ? errno : 0;
	printf("%d %s\n", n, err ? strerrorname_np(err) : "all");
	fflush(stdout);
	signal(SIGTERM, SIG_IGN);
	kill(-1, SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}

static volatile char *mapped;

static void on_bus(int sig, siginfo_t *si, void *uc)
{
	static const char msg[] = "SIGBUS\n";

	(void)!write(1, msg, sizeof(msg) - 1);
	_exit(si->si_addr >= (void *)mapped && si->si_addr < (void *)(mapped + 16384) ? 0 : 4);
}

/* mapped FILE: maps four pages, says "ready", waits for a line of input, reads the last page. */
static int mapped_file(char **argv)
{
	struct sigaction sa = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
	int fd = open(argv[0], O_RDWR);
	char line[16];

	mapped = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	sigaction(SIGBUS, &sa, NULL);
	printf("ready %c%c\n", mapped[0], mapped[12288]);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 2;
	printf("read %d\n", mapped[12288]);
	return 5;
}

/* fill FILE: writes until an error, then says which. */
static int fill(char **argv)
{
	static char buf[65536];
	int fd = open(argv[0], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	size_t total = 0;

	if (fd < 0) {
		printf("open %s\n", strerrorname_np(errno));
		return 1;
	}
	for (;;) {
		ssize_t n = write(fd, buf, sizeof(buf));

		if (n < 0) {
			printf("%s after %zu\n", strerrorname_np(errno), total);
			return errno == ENOSPC ? 0 : 1;
		}
		total += n;
		if (total > 1u << 30)
			return 2;
	}
}

/* files DIR: uses files for ever, and ends when that fails. Says "ready" once it works. */
static int files(char **argv)
{
	char name[256];

	for (unsigned i = 0;; i++) {
		struct stat st;
		int fd;

		snprintf(name, sizeof(name), "%s/f%u", argv[0], i % 100);
		fd = open(name, O_RDWR | O_CREAT, 0644);
		if (fd < 0 || write(fd, "x", 1) != 1 || fstat(fd, &st) < 0 || close(fd) < 0 || stat(name, &st) < 0 || unlink(name) < 0) {
			printf("error %s\n", strerrorname_np(errno));
			return 9;
		}
		if (i == 100) {
			puts("ready");
			fflush(stdout);
		}
		usleep(1000);
	}
}

static void on_usr1(int sig)
{
	(void)!write(1, "answer\n", 7);
}

/* bomb: forks without end from a child, says "full" when that fails, and answers SIGUSR1. */
static int bomb(char **argv)
{
	signal(SIGUSR1, on_usr1);
	if (fork() == 0) {
		bool told = false;

		signal(SIGUSR1, SIG_DFL);
		for (;;)
			if (fork() < 0) {
				if (!told)
					(void)!write(1, "full\n", 5);
				told = true;
				usleep(1000);
			}
	}
	while (pause() < 0)
		;
	return 0;
}

/* exec FILE...: what comes of executing each: an errno, a signal or an exit status. */
static int exec_each(char **argv)
{
	for (; *argv; argv++) {
		int p[2], err = 0, w;
		pid_t pid;

		if (pipe2(p, O_CLOEXEC) < 0)
			return 1;
		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			char *args[] = {*argv, NULL}, *env[] = {NULL};

			alarm(5);
			execve(*argv, args, env);
			err = errno;
			(void)!write(p[1], &err, sizeof(err));
			_exit(1);
		}
		close(p[1]);
		if (read(p[0], &err, sizeof(err)) != sizeof(err))
			err = 0;
		close(p[0]);
		if (waitpid(pid, &w, 0) != pid)
			return 1;
		if (err)
			printf("%s errno %s\n", *argv, strerrorname_np(err));
		else if (WIFSIGNALED(w))
			printf("%s signal %d\n", *argv, WTERMSIG(w));
		else
			printf("%s status %d\n", *argv, WEXITSTATUS(w));
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		int (*run)(char **argv);
	} commands[] = {
		{"segv", 0, segv},   {"hog", 1, hog}, {"pipes", 1, pipes},   {"forks", 1, forks}, {"mapped", 1, mapped_file},
		{"fill", 1, fill}, {"files", 1, files}, {"exec", -1, exec_each}, {"bomb", 0, bomb},
	};

	for (unsigned i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0 && (argc == 2 + commands[i].args || commands[i].args < 0))
			return commands[i].run(argv + 2);
	fprintf(stderr, "helper: usage\n");
	return 99;
}
