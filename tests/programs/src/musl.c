// SPDX-License-Identifier: Apache-2.0
/* A C library other than glibc: threads, signals, directories, popen, time zones, posix_spawn. */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void *work(void *arg)
{
	long n = 0;

	for (long i = 0; i < 100000; i++)
		n += i % 7;
	return (void *)n;
}

static volatile sig_atomic_t got;
static void handler(int signo) { got = signo; }

int main(void)
{
	pthread_t t[8];
	long sum = 0;
	void *r;
	char line[100];
	pid_t pid;
	int status;
	char *args[] = {"sh", "-c", "exit 5", NULL};
	extern char **environ;

	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, work, NULL);
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], &r);
		sum += (long)r;
	}
	printf("sum %ld\n", sum);
	signal(SIGUSR2, handler);
	raise(SIGUSR2);
	printf("signal %d\n", got == SIGUSR2);
	FILE *p = popen("echo popen; exit 3", "r");
	printf("%s", fgets(line, sizeof(line), p));
	printf("pclose %d\n", WEXITSTATUS(pclose(p)));
	printf("spawn %d\n", posix_spawn(&pid, "/bin/sh", NULL, NULL, args, environ));
	waitpid(pid, &status, 0);
	printf("status %d\n", WEXITSTATUS(status));
	mkdir("d", 0755);
	for (int i = 0; i < 300; i++) {
		snprintf(line, sizeof(line), "d/%d", i);
		fclose(fopen(line, "w"));
	}
	DIR *d = opendir("d");
	int n = 0;
	while (readdir(d))
		n++;
	closedir(d);
	printf("entries %d\n", n);
	time_t zero = 0;
	printf("%s", asctime(gmtime(&zero)));
	void *big = malloc(50 << 20);
	memset(big, 1, 50 << 20);
	free(big);
	printf("%ld\n", sysconf(_SC_PAGESIZE));
	return 0;
}
