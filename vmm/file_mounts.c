// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "vmm/file_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "vmm/events.h"
#include "vmm/file_handles.h"
#include "vmm/vmm_impl.h"

#define MOUNTS_MAX 1024

static struct {
	pthread_mutex_t lock;
	struct file_mount {
		uint32_t number;
		uint32_t flags;    /* VMM_MOUNT_* */
		uint32_t remote;   /* the gofer's own number of it */
		int fd;            /* or -1 */
		struct gofer *gofer; /* a reference; NULL: the entry is free */
	} mount[MOUNTS_MAX];
	unsigned used;     /* entries from here on were never used */
	uint32_t next;     /* number */
} mounts = { .lock = PTHREAD_MUTEX_INITIALIZER }; /* everything protected by lock */

void gofer_get(struct gofer *g)
{
	atomic_fetch_add(&g->refs, 1);
}

void gofer_put(struct gofer *g)
{
	if (!g || atomic_fetch_sub(&g->refs, 1) != 1)
		return;
	if (g->fd >= 0)
		close(g->fd);
	free(g);
}

/* Takes fd over. */
static struct gofer *gofer_new(int fd)
{
	struct gofer *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->fd = fd;
	atomic_init(&g->refs, 1);
	return g;
}

static struct file_mount *find(uint64_t number)
{
	for (unsigned i = 0; i < mounts.used; i++)
		if (mounts.mount[i].gofer && mounts.mount[i].number == number)
			return &mounts.mount[i];
	return NULL;
}

static struct file_mount *free_entry(void)
{
	for (unsigned i = 0; i < mounts.used; i++)
		if (!mounts.mount[i].gofer)
			return &mounts.mount[i];
	return mounts.used < MOUNTS_MAX ? &mounts.mount[mounts.used++] : NULL;
}

/* Caller holds the lock. */
static void drop(struct file_mount *m)
{
	struct gofer *g = m->gofer;

	if (m->fd >= 0) {
		close(m->fd);
		file_fds_count(-1);
	}
	m->gofer = NULL;
	gofer_put(g);
}

/* Takes fds over, and a reference on g for each mount. Caller holds the lock. */
static int64_t add(struct gofer *g, const int *fds, const uint32_t *flags, unsigned n)
{
	uint32_t first = mounts.next;

	for (unsigned i = 0; i < n; i++) {
		struct file_mount *m = mounts.next == UINT32_MAX ? NULL : free_entry();

		if (!m) {
			for (unsigned k = i; fds && k < n; k++)
				close(fds[k]);
			for (uint32_t k = first; k < mounts.next; k++)
				drop(find(k));
			return -ENFILE;
		}
		gofer_get(g);
		*m = (struct file_mount){ .number = mounts.next++, .flags = flags[i], .remote = i, .fd = fds ? fds[i] : -1,
			.gofer = g };
		if (fds)
			file_fds_count(1);
	}
	return first;
}

int64_t file_mounts_add(int fd, const int *fds, const uint32_t *flags, unsigned n)
{
	struct gofer *g = gofer_new(fd);
	int64_t r;

	if (!g) {
		close(fd);
		for (unsigned i = 0; fds && i < n; i++)
			close(fds[i]);
		return -ENOMEM;
	}
	pthread_mutex_lock(&mounts.lock);
	r = add(g, fds, flags, n);
	pthread_mutex_unlock(&mounts.lock);
	if (r >= 0 && events_watch_gofer(fd))
		vmm_log(LOG_WARNING, "the end of a gofer will not be noticed");
	gofer_put(g);
	return r;
}

int file_mounts_init(void)
{
	struct gofer *g = gofer_new(vmm.cfg.gofer_fd); /* never put: its end is the sandbox's */
	int64_t r;

	if (!g)
		return -ENOMEM;
	r = add(g, vmm.cfg.directfs ? vmm.cfg.mount_fd : NULL, vmm.cfg.mount_flags, vmm.cfg.nr_mounts);
	return r < 0 ? (int)r : 0;
}

int file_mount_root(uint64_t number, struct host_file *root)
{
	struct file_mount *m;
	int r = 0;

	pthread_mutex_lock(&mounts.lock);
	m = find(number);
	if (!m) {
		r = -EINVAL;
	} else {
		*root = (struct host_file){ .fd = -1, .remote = REMOTE_NONE, .mount = m->number,
			.readonly = m->flags & VMM_MOUNT_READONLY, .file_root = m->flags & VMM_MOUNT_FILE };
		if (m->fd >= 0) {
			root->fd = fcntl(m->fd, F_DUPFD_CLOEXEC, 3);
			r = root->fd < 0 ? -errno : 0;
		} else {
			root->remote = m->remote;
		}
		if (!r) {
			root->gofer = m->gofer;
			gofer_get(m->gofer);
		}
	}
	pthread_mutex_unlock(&mounts.lock);
	return r;
}

bool file_mount_exists(uint64_t number)
{
	bool found;

	pthread_mutex_lock(&mounts.lock);
	found = find(number);
	pthread_mutex_unlock(&mounts.lock);
	return found;
}

int file_mount_drop(uint64_t number)
{
	struct file_mount *m;
	int r = -EINVAL;

	pthread_mutex_lock(&mounts.lock);
	m = find(number);
	if (m) {
		drop(m);
		r = 0;
	}
	pthread_mutex_unlock(&mounts.lock);
	return r;
}
