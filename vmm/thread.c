// SPDX-License-Identifier: Apache-2.0
/* libc would guard a stack with mprotect, which the list of system calls does without where it can. */
#define _GNU_SOURCE
#include "vmm/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include "abi/window.h"

static void *nothing(void *arg)
{
	return arg;
}

int thread_init(void)
{
	pthread_t thread;
	int rc = -pthread_create(&thread, NULL, nothing, NULL);

	return rc ? rc : -pthread_join(thread, NULL);
}

int thread_start(void *(*fn)(void *), void *arg, size_t stack, const sigset_t *blocked)
{
	uint8_t *p = mmap(NULL, stack + PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t old;
	int rc;

	if (p == MAP_FAILED)
		return -errno;
	if (mmap(p + PAGE_SIZE, stack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_FIXED, -1, 0) ==
	    MAP_FAILED) {
		rc = -errno;
		munmap(p, stack + PAGE_SIZE);
		return rc;
	}
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, p + PAGE_SIZE, stack);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, blocked, &old);
	rc = -pthread_create(&thread, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (rc)
		munmap(p, stack + PAGE_SIZE);
	return rc;
}
