/* SPDX-License-Identifier: Apache-2.0 */
/* File hostcalls on open files: they have a descriptor in this process, with and without directfs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/file_handles.h"
#include "vmm/file_sync.h"
#include "vmm/hostcall.h"
#include "vmm/memory.h"

#define APPEND (~0ull)

static struct host_file *opened(uint64_t number)
{
	struct host_file *h = file_handle_get(number);

	if (h && (!h->opened || h->fd < 0)) {
		file_handle_put(h);
		h = NULL;
	}
	return h;
}

/* Host vectors from the Sentry's; write: they may lie in file windows too, which only the kernel may touch. */
static int copy_vectors(uint64_t addr, uint64_t n, bool write, struct iovec *out)
{
	struct hc_iov iov[HC_IOV_MAX];

	if (n > HC_IOV_MAX)
		return -EINVAL;
	if (hc_copy_in(iov, addr, n * sizeof(iov[0])))
		return -EFAULT;
	for (uint64_t i = 0; i < n; i++) {
		out[i].iov_base = write ? hc_io_range(iov[i].addr, iov[i].len) : hc_ram_range(iov[i].addr, iov[i].len);
		out[i].iov_len = iov[i].len;
		if (!out[i].iov_base)
			return -EFAULT;
	}
	return 0;
}

int64_t hc_FS_PREADV(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct iovec iov[HC_IOV_MAX];
	struct host_file *h;
	int64_t r = copy_vectors(a[1], a[2], false, iov);

	if (r)
		return r;
	if ((int64_t)a[3] < 0)
		return -EINVAL;
	h = opened(a[0]);
	if (!h)
		return -EBADF;
	do
		r = preadv2(h->fd, iov, a[2], a[3], 0);
	while (r < 0 && errno == EINTR);
	r = r < 0 ? -errno : r;
	file_handle_put(h);
	return r;
}

int64_t hc_FS_PWRITEV(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct iovec iov[HC_IOV_MAX];
	struct host_file *h;
	int64_t r = copy_vectors(a[1], a[2], true, iov);

	if (r)
		return r;
	if ((int64_t)a[3] < 0 && a[3] != APPEND)
		return -EINVAL;
	h = opened(a[0]);
	if (!h)
		return -EBADF;
	do
		r = pwritev2(h->fd, iov, a[2], a[3] == APPEND ? 0 : a[3], a[3] == APPEND ? RWF_APPEND : 0);
	while (r < 0 && errno == EINTR);
	r = r < 0 ? -errno : r;
	file_handle_put(h);
	return r;
}

int64_t hc_FS_FSYNC(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct host_file *h = file_handle_get(a[0]);
	int64_t r;

	if (!h)
		return -EBADF;
	if (h->fd < 0 || !h->opened) {
		file_handle_put(h);
		/* A directory that the gofer holds: its changes are the gofer's, and complete for this host. */
		return -EINVAL;
	}
	if (a[2])
		return file_sync_queue(h, a[1] != 0, a[2]); /* takes the reference */
	r = a[1] ? fdatasync(h->fd) : fsync(h->fd);
	r = r < 0 ? -errno : 0;
	file_handle_put(h);
	return r;
}

int64_t hc_FS_LSEEK(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct host_file *h;
	int64_t r;

	/* Positions belong to the Sentry's open files; these ask about the file. */
	if (a[2] != SEEK_DATA && a[2] != SEEK_HOLE && a[2] != SEEK_END)
		return -EINVAL;
	h = opened(a[0]);
	if (!h)
		return -EBADF;
	r = lseek(h->fd, a[1], a[2]);
	r = r < 0 ? -errno : r;
	file_handle_put(h);
	return r;
}

int64_t hc_FS_MAP(struct vmm_vcpu *v, const uint64_t a[6])
{
	struct host_file *h = opened(a[0]);
	int64_t r;

	if (!h)
		return -EBADF;
	r = a[4] && h->readonly ? -EROFS : memory_file_map(a[3], a[2], h->fd, a[1], a[4] != 0);
	file_handle_put(h);
	return r;
}

int64_t hc_FS_UNMAP(struct vmm_vcpu *v, const uint64_t a[6])
{
	return memory_file_unmap(a[0], a[1]);
}
