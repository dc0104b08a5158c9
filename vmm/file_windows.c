// SPDX-License-Identifier: Apache-2.0
/*
 * A sorted array of mapped ranges over a table of files. Ranges never overlap; an insertion or removal cuts what it
 * touches. One descriptor per (file, access) is shared by all ranges of it.
 */
#define _GNU_SOURCE
#include "vmm/file_windows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "oci/gofer/fsops.h"
#include "vmm/file_handles.h"

struct backing {
	uint64_t dev, ino;
	int fd, prot;
	unsigned refs; /* 0: free */
};

struct range {
	uint64_t pa, len, offset;
	unsigned backing;
};

static bool enabled;
static struct backing *backings;
static unsigned nr_backings;
static struct range *ranges; /* by pa */
static unsigned nr_ranges, max_ranges;

void file_windows_enable(void) { enabled = true; }

static int backing_get(int fd, int prot)
{
	int free_slot = -1;
	struct hc_attr at;
	int rc = fsops_stat(fd, "", &at);

	if (rc)
		return rc;
	for (unsigned i = 0; i < nr_backings; i++) {
		struct backing *b = &backings[i];
		if (!b->refs) {
			free_slot = i;
		} else if (b->dev == at.dev && b->ino == at.ino && b->prot == prot) {
			b->refs++;
			return i;
		}
	}
	if (free_slot < 0) {
		struct backing *n = reallocarray(backings, nr_backings + 64, sizeof(*n));
		if (!n)
			return -ENOMEM;
		memset(n + nr_backings, 0, 64 * sizeof(*n));
		backings = n;
		free_slot = nr_backings;
		nr_backings += 64;
	}
	/* From the reserve too: a program that was opened must be able to run. */
	if (!file_fds_left(true))
		return -EMFILE;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	file_fds_count(1);
	backings[free_slot] = (struct backing){ at.dev, at.ino, fd, prot, 1 };
	return free_slot;
}

static void backing_put(unsigned i)
{
	if (--backings[i].refs)
		return;
	close(backings[i].fd);
	file_fds_count(-1);
}

/* Index of the first range that ends after pa. */
static unsigned lower_bound(uint64_t pa)
{
	unsigned lo = 0, hi = nr_ranges;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		if (ranges[mid].pa + ranges[mid].len <= pa)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int make_room(void)
{
	unsigned n = max_ranges ? 2 * max_ranges : 64;
	struct range *r;

	if (nr_ranges + 2 <= max_ranges)
		return 0;
	r = reallocarray(ranges, n, sizeof(*r));
	if (!r)
		return -ENOMEM;
	ranges = r;
	max_ranges = n;
	return 0;
}

static void insert_at(unsigned i, struct range r)
{
	memmove(&ranges[i + 1], &ranges[i], (nr_ranges - i) * sizeof(*ranges));
	ranges[i] = r;
	nr_ranges++;
}

static void delete_at(unsigned i)
{
	nr_ranges--;
	memmove(&ranges[i], &ranges[i + 1], (nr_ranges - i) * sizeof(*ranges));
}

int file_windows_remove(uint64_t pa, uint64_t len)
{
	uint64_t end = pa + len;
	unsigned i;

	if (!enabled)
		return 0;
	if (make_room())
		return -ENOMEM;
	i = lower_bound(pa);
	while (i < nr_ranges && ranges[i].pa < end) {
		struct range *r = &ranges[i];
		uint64_t r_end = r->pa + r->len;

		if (r->pa < pa && r_end > end) {
			struct range tail = { end, r_end - end, r->offset + (end - r->pa), r->backing };
			r->len = pa - r->pa;
			backings[tail.backing].refs++;
			insert_at(i + 1, tail);
			break;
		}
		if (r->pa < pa) {
			r->len = pa - r->pa;
			i++;
		} else if (r_end > end) {
			r->offset += end - r->pa;
			r->len = r_end - end;
			r->pa = end;
			break;
		} else {
			backing_put(r->backing);
			delete_at(i);
		}
	}
	return 0;
}

int file_windows_add(uint64_t pa, uint64_t len, int fd, uint64_t offset, int prot)
{
	int backing, rc;

	if (!enabled)
		return 0;
	rc = file_windows_remove(pa, len);
	if (!rc)
		rc = make_room();
	if (rc)
		return rc;
	backing = backing_get(fd, prot);
	if (backing < 0)
		return backing;
	insert_at(lower_bound(pa), (struct range){ pa, len, offset, backing });
	return 0;
}

int file_windows_find(uint64_t pa, int *fd, uint64_t *offset, uint64_t *len, int *prot)
{
	unsigned i = lower_bound(pa);
	const struct range *r = &ranges[i];

	if (i >= nr_ranges || r->pa > pa)
		return -EFAULT;
	*fd = backings[r->backing].fd;
	*offset = r->offset + (pa - r->pa);
	*len = r->len - (pa - r->pa);
	*prot = backings[r->backing].prot | PROT_EXEC;
	return 0;
}
