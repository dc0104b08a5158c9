/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling the engine that the container ran out of memory. Engines watch the cgroup of the container's process for the
 * kernel's OOM killer (memory.oom_control on v1, memory.events on v2), which has nothing to do here: it is the Sentry that
 * kills, before the host's limit is reached. So the gofer gives the kernel a victim: it narrows the cgroup's limit to what
 * is in use, lets a child with the highest oom_score_adj eat until it is killed, and restores the limit.
 *
 * The kernel weighs oom_score_adj by the cgroup's limit, but what a process has mapped counts whole, and the sandbox maps
 * files of other cgroups too. So the child first maps one small piece of memory over and over until it outweighs the sandbox.
 * A stub process of the ptrace platform that has far more of files mapped than the sandbox could outweigh it still.
 *
 * All files are opened before the gofer confines itself: a gofer that is taken over could lift this one cgroup's limit,
 * but nothing else. Where they cannot be opened (no cgroups, rootless) there is no event.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/gofer/gofer.h"
#include "oci/util.h"

#define VALUE_MAX  64
#define PAGE       4096u
#define ROOM       (256u << 10) /* between what is in use and the narrowed limit */
#define PIECE      (2u << 20)   /* what the victim maps over and over */
#define MARGIN     (32u << 20)
#define WEIGHT_MAX (64ull << 30)
#define MORE       (4u << 20)   /* that the victim eats beyond what was in use: reclaim gives it the page cache first */
#define NARROW_TRIES 5
#define VICTIM_ADJ "1000"

static struct {
	int limit, usage, swap, score;
	const char *no_swap; /* what stops swapping, written to swap */
} oom = {.limit = -1, .usage = -1, .swap = -1, .score = -1};

static int open_in(const char *dir, const char *file, int flags)
{
	char *path = xasprintf("%s/%s", dir, file);
	int fd = open(path, flags | O_CLOEXEC);

	free(path);
	return fd;
}

void gofer_oom_prepare(const char *dir)
{
	if (!dir)
		return;
	oom.limit = open_in(dir, "memory.max", O_RDWR);
	oom.usage = open_in(dir, oom.limit >= 0 ? "memory.current" : "memory.usage_in_bytes", O_RDONLY);
	oom.swap = open_in(dir, oom.limit >= 0 ? "memory.swap.max" : "memory.swappiness", O_RDWR);
	oom.no_swap = "0";
	if (oom.limit < 0)
		oom.limit = open_in(dir, "memory.limit_in_bytes", O_RDWR);
	oom.score = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	if (oom.limit < 0 || oom.usage < 0 || oom.score < 0)
		log_debug("no OOM events: %s: %s", dir, strerror(errno));
}

unsigned gofer_oom_fds(int fds[GOFER_OOM_FDS])
{
	const int all[GOFER_OOM_FDS] = {oom.limit, oom.usage, oom.swap, oom.score};
	unsigned n = 0;

	for (unsigned i = 0; i < GOFER_OOM_FDS; i++)
		if (all[i] >= 0)
			fds[n++] = all[i];
	return n;
}

static bool get(int fd, char value[VALUE_MAX])
{
	ssize_t n = fd < 0 ? -1 : pread(fd, value, VALUE_MAX - 1, 0);

	if (n <= 0)
		return false;
	value[n] = 0;
	return true;
}

static bool put(int fd, const char *value)
{
	return fd >= 0 && pwrite(fd, value, strlen(value), 0) > 0;
}

/* What is in use grows while we look at it, and a limit below it is refused (v1). */
static bool narrow(void)
{
	char text[VALUE_MAX];

	for (unsigned i = 0; i < NARROW_TRIES; i++) {
		if (!get(oom.usage, text))
			return false;
		snprintf(text, sizeof(text), "%llu", strtoull(text, NULL, 10) + (uint64_t)ROOM * (i + 1));
		if (put(oom.limit, text))
			return true;
	}
	return false;
}

/* The words that parent and child share. */
enum { WAIT, READY, GO, NEVER };

/* Becomes the heaviest: pages that are mapped twice count twice, and cost no more than their page tables. */
static void gain_weight(size_t weight)
{
	char *piece = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (piece == MAP_FAILED)
		return;
	for (size_t i = 0; i < PIECE; i += PAGE)
		piece[i] = 1;
	for (size_t done = 0; done < weight; done += PIECE) {
		volatile char *again = mremap(piece, 0, PIECE, MREMAP_MAYMOVE);

		if (again == MAP_FAILED)
			return;
		for (size_t i = 0; i < PIECE; i += PAGE)
			(void)again[i];
	}
}

/* The child. It shares nothing with us but that word. */
static void eat(volatile uint32_t *go, size_t weight, size_t size)
{
	char *p;

	gain_weight(weight);
	*go = READY;
	while (*go == READY)
		syscall(SYS_sched_yield);
	p = *go == GO ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) : MAP_FAILED;
	for (size_t i = 0; p != MAP_FAILED && i < size; i += PAGE)
		p[i] = 1;
	syscall(SYS_exit_group, 0);
}

/* False: it was killed for its weight already, which serves as well. */
static bool wait_ready(long child, volatile uint32_t *go, int *status)
{
	while (*go == WAIT) {
		if (syscall(SYS_wait4, child, status, WNOHANG, NULL) == child)
			return false;
		syscall(SYS_sched_yield);
	}
	return true;
}

int64_t gofer_oom_event(uint64_t weight)
{
	char limit[VALUE_MAX], score[VALUE_MAX], swap[VALUE_MAX], usage[VALUE_MAX];
	volatile uint32_t *go;
	bool no_swap;
	long child;
	int status = 0;

	if (!get(oom.limit, limit) || !get(oom.score, score) || !get(oom.usage, usage))
		return -EOPNOTSUPP;
	go = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (go == MAP_FAILED)
		return -ENOMEM;
	/* The child inherits the score, and we are ourselves again before there is anything to be killed for. */
	child = put(oom.score, VICTIM_ADJ) ? syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : -1;
	if (child == 0)
		eat(go, (weight < WEIGHT_MAX ? weight : WEIGHT_MAX) + MARGIN, strtoull(usage, NULL, 10) + MORE);
	put(oom.score, score);
	if (child > 0 && wait_ready(child, go, &status)) {
		no_swap = get(oom.swap, swap) && put(oom.swap, oom.no_swap);
		*go = narrow() ? GO : NEVER;
		while (syscall(SYS_wait4, child, &status, 0, NULL) < 0 && errno == EINTR)
			;
		put(oom.limit, limit);
		if (no_swap)
			put(oom.swap, swap);
	}
	munmap((void *)go, 4096);
	return child > 0 && WIFSIGNALED(status) ? 0 : -EIO;
}
