/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "vmm/file_handles.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "oci/gofer/proto.h"
#include "vmm/file_mounts.h"

/* A number: INDEX_BITS of index, GENERATION_BITS of generation, below HC_NO_HANDLE. */
#define INDEX_BITS      20
#define GENERATION_BITS 10
#define GENERATION_MASK ((1u << GENERATION_BITS) - 1)
#define CHUNK_SIZE      1024
#define NR_CHUNKS       ((1u << INDEX_BITS) / CHUNK_SIZE)

#define FDS_RESERVE 256 /* descriptors that are not for files; a quarter of them where there are few */

#define HANDLE_OPEN (1u << 31)
#define HANDLE_REFS (HANDLE_OPEN - 1)

static struct {
	pthread_mutex_t lock;
	_Atomic(struct host_file *) chunk[NR_CHUNKS]; /* never freed or moved */
	uint32_t used;  /* protected by lock: entries ever handed out */
	uint32_t free;  /* protected by lock: list of free entries, REMOTE_NONE at its end */
} table = {.lock = PTHREAD_MUTEX_INITIALIZER, .free = REMOTE_NONE};

static struct host_file *entry(uint32_t i)
{
	struct host_file *c = atomic_load_explicit(&table.chunk[i / CHUNK_SIZE], memory_order_acquire);

	return c ? &c[i % CHUNK_SIZE] : NULL;
}

static _Atomic int fds_open;
static int fds_max = INT_MAX, fds_kept; /* immutable after file_fds_init */

void file_fds_count(int change)
{
	atomic_fetch_add_explicit(&fds_open, change, memory_order_relaxed);
}

void file_fds_init(void)
{
	struct rlimit r;
	int m = getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur > INT_MAX ? INT_MAX : (int)r.rlim_cur;

	int kept = m / 4 < FDS_RESERVE ? m / 4 : FDS_RESERVE;

	fds_max = m - kept;
	fds_kept = kept / 4;
}

bool file_fds_left(bool reserve)
{
	int max = reserve && fds_max < INT_MAX - fds_kept ? fds_max + fds_kept : fds_max;

	return atomic_load_explicit(&fds_open, memory_order_relaxed) < max;
}

static void release(int fd, uint32_t remote, struct gofer *gofer)
{
	if (fd >= 0) {
		close(fd);
		file_fds_count(-1);
	}
	if (remote != REMOTE_NONE)
		gofer_forget(gofer->fd, remote);
	gofer_put(gofer);
}

/* Index of an unused entry, or -1. */
static int64_t take_entry(void)
{
	uint32_t i = table.free, c;

	if (i != REMOTE_NONE) {
		table.free = entry(i)->next_free;
		return i;
	}
	i = table.used;
	c = i / CHUNK_SIZE;
	if (c == NR_CHUNKS)
		return -1;
	if (!table.chunk[c]) {
		struct host_file *fresh = calloc(CHUNK_SIZE, sizeof(*fresh));

		if (!fresh)
			return -1;
		atomic_store_explicit(&table.chunk[c], fresh, memory_order_release);
	}
	table.used++;
	return i;
}

int64_t file_handle_new(const struct host_file *init)
{
	struct host_file *h;
	int64_t i, number;

	if (init->fd >= 0)
		file_fds_count(1);
	pthread_mutex_lock(&table.lock);
	i = take_entry();
	if (i < 0) {
		pthread_mutex_unlock(&table.lock);
		release(init->fd, init->remote, init->gofer);
		return -ENFILE;
	}
	h = entry(i);
	h->index = i;
	h->generation = (h->generation + 1) & GENERATION_MASK;
	h->fd = init->fd;
	h->remote = init->remote;
	h->gofer = init->gofer;
	h->mount = init->mount;
	h->file_root = init->file_root;
	h->readonly = init->readonly;
	h->opened = init->opened;
	number = (int64_t)h->generation << INDEX_BITS | i;
	atomic_store_explicit(&h->state, (uint64_t)h->generation << 32 | HANDLE_OPEN | 1, memory_order_release);
	pthread_mutex_unlock(&table.lock);
	return number;
}

static struct host_file *lookup(uint64_t number, uint64_t *generation)
{
	if (number >> (INDEX_BITS + GENERATION_BITS))
		return NULL;
	*generation = number >> INDEX_BITS;
	return entry(number & ((1u << INDEX_BITS) - 1));
}

struct host_file *file_handle_get(uint64_t number)
{
	uint64_t generation, s;
	struct host_file *h = lookup(number, &generation);

	if (!h)
		return NULL;
	s = atomic_load(&h->state);
	do {
		if (s >> 32 != generation || !(s & HANDLE_OPEN) || (s & HANDLE_REFS) == HANDLE_REFS)
			return NULL;
	} while (!atomic_compare_exchange_weak(&h->state, &s, s + 1));
	return h;
}

void file_handle_put(struct host_file *h)
{
	struct gofer *gofer;
	uint32_t remote;
	int fd;

	if ((atomic_fetch_sub(&h->state, 1) & HANDLE_REFS) != 1)
		return;
	/* The last one of a handle that was closed: nobody can find it any more. */
	fd = h->fd;
	remote = h->remote;
	gofer = h->gofer;
	pthread_mutex_lock(&table.lock);
	h->next_free = table.free;
	table.free = h->index;
	pthread_mutex_unlock(&table.lock);
	release(fd, remote, gofer);
}

int file_handle_close(uint64_t number)
{
	uint64_t generation, s;
	struct host_file *h = lookup(number, &generation);

	if (!h)
		return -EBADF;
	s = atomic_load(&h->state);
	do {
		if (s >> 32 != generation || !(s & HANDLE_OPEN))
			return -EBADF;
	} while (!atomic_compare_exchange_weak(&h->state, &s, s & ~(uint64_t)HANDLE_OPEN));
	file_handle_put(h);
	return 0;
}
