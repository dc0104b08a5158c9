// SPDX-License-Identifier: Apache-2.0
/* Does the one wrong thing that its argument names, for the sanitizers to find; "none" does a lot of right ones. */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int shared;

static void *racer(void *arg)
{
	for (int i = 0; i < 1000; i++)
		shared++;
	return NULL;
}

static void *fair(void *arg)
{
	for (int i = 0; i < 1000; i++)
		__atomic_add_fetch(&shared, 1, __ATOMIC_SEQ_CST);
	free(malloc(1000));
	return NULL;
}

static void threads(void *(*fn)(void *))
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, fn, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

static void right(void)
{
	char *p = malloc(1 << 20);
	int fds[2], status;

	memset(p, 1, 1 << 20);
	threads(fair);
	if (pipe(fds) == 0 && fork() == 0) {
		(void)!write(fds[1], p, 100);
		_exit(7);
	}
	char buf[100];
	ssize_t n = read(fds[0], buf, sizeof(buf));
	wait(&status);
	void *m = mmap(NULL, 1 << 24, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	((char *)m)[12345] = 1;
	munmap(m, 1 << 24);
	fprintf(stderr, "right: %zd bytes, status %d, shared %d\n", n, WEXITSTATUS(status), shared);
	free(p);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "none";
	volatile int n = argc + 30;

	if (!strcmp(what, "heap")) {
		char *volatile p = malloc(10);
		p[n] = 1;
	} else if (!strcmp(what, "free")) {
		char *volatile p = malloc(10);
		free(p);
		return p[3];
	} else if (!strcmp(what, "stack")) {
		char a[10];
		memset(a, 0, sizeof(a));
		return a[n];
	} else if (!strcmp(what, "leak")) {
		char *volatile p = malloc(77);
		p = NULL;
	} else if (!strcmp(what, "overflow")) {
		volatile int big = INT_MAX;
		big += n;
	} else if (!strcmp(what, "shift")) {
		volatile int one = 1;
		one <<= n + 10;
	} else if (!strcmp(what, "uninit")) {
		int *volatile p = malloc(sizeof(int));
		if (*p)
			putchar('x');
	} else if (!strcmp(what, "race")) {
		threads(racer);
	} else if (!strcmp(what, "null")) {
		*(volatile int *volatile)NULL = 1;
	} else {
		right();
	}
	return 0;
}
