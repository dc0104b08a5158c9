/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker thread, started with the first request. Syncs of one sandbox run one after the other: a journal commit
 * serves all writers before it anyway.
 */
#define _GNU_SOURCE
#include "vmm/file_sync.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "abi/boot.h"
#include "vmm/hostcall.h"
#include "vmm/thread.h"

#define QUEUE_SIZE 256
#define STACK_SIZE 65536

struct job {
	struct host_file *h;
	bool datasync;
	uint32_t token;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct job job[QUEUE_SIZE]; /* protected by lock */
	unsigned head, count;       /* protected by lock */
	bool started;               /* protected by lock */
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

static void *worker(void *arg)
{
	for (;;) {
		struct job j;
		int r;

		pthread_mutex_lock(&queue.lock);
		while (!queue.count)
			pthread_cond_wait(&queue.more, &queue.lock);
		j = queue.job[queue.head];
		queue.head = (queue.head + 1) % QUEUE_SIZE;
		queue.count--;
		pthread_mutex_unlock(&queue.lock);
		r = j.datasync ? fdatasync(j.h->fd) : fsync(j.h->fd);
		r = r < 0 ? -errno : 0;
		file_handle_put(j.h);
		event_post(EV_DONE, j.token, r);
	}
	return NULL;
}

/* With every signal blocked: kicks are for vCPU threads. Called with the lock held. */
static int start_worker(void)
{
	sigset_t all;
	int err;

	sigfillset(&all);
	err = thread_start(worker, NULL, STACK_SIZE, &all);
	queue.started = !err;
	return err;
}

int file_sync_queue(struct host_file *h, bool datasync, uint32_t token)
{
	int err = 0;

	pthread_mutex_lock(&queue.lock);
	if (!queue.started)
		err = start_worker();
	if (!err && queue.count == QUEUE_SIZE)
		err = -EAGAIN;
	if (!err) {
		queue.job[(queue.head + queue.count++) % QUEUE_SIZE] = (struct job){h, datasync, token};
		pthread_cond_signal(&queue.more);
	}
	pthread_mutex_unlock(&queue.lock);
	if (err)
		file_handle_put(h);
	return err;
}
