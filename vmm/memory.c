// SPDX-License-Identifier: Apache-2.0
/*
 * RAM and file windows in the window of the sandbox process.
 *
 * The whole window is reserved PROT_NONE first. RAM is one memfd mapped at DIRECT_BASE up to its limit; only the part
 * below ram_end exists for the platform and for hostcalls. File windows are carved out of the reservation by MAP_FIXED
 * mappings of host files and never given back to it except as fresh PROT_NONE.
 */
#define _GNU_SOURCE
#include "vmm/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include "vmm/file_windows.h"
#include "vmm/vmm_impl.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define FILEWIN_SLOTS ((FILEWIN_PA_END - FILEWIN_PA) / FILEWIN_SLOT_SIZE)

static struct {
	int fd;
	uint64_t limit;
	_Atomic uint64_t end;         /* grows only, under lock */
	pthread_mutex_t lock;         /* growth and file windows */
	bool slot_known[FILEWIN_SLOTS]; /* protected by lock */
} ram = { .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

static void *direct(uint64_t pa) { return (void *)(DIRECT_BASE + pa); }

static int reserve_window(void)
{
	void *p = mmap((void *)WINDOW_BASE, WINDOW_END - WINDOW_BASE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED && errno == EEXIST) {
		/* Sanitizers lay inaccessible reservations here; ours replaces them. */
		p = mmap((void *)WINDOW_BASE, WINDOW_END - WINDOW_BASE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	}
	if (p == MAP_FAILED) {
		int err = -errno;
		vmm_log(LOG_ERR, "cannot reserve the address range [%#lx, %#lx): %s (is RLIMIT_AS set?)", WINDOW_BASE,
			WINDOW_END, strerror(errno));
		return err;
	}
	return 0;
}

int memory_init(uint64_t limit)
{
	int rc = reserve_window();

	if (rc)
		return rc;
	if (limit < RAM_CHUNK_SIZE)
		limit = RAM_CHUNK_SIZE;
	if (limit > RAM_PA_END)
		limit = RAM_PA_END;
	limit = (limit + RAM_CHUNK_SIZE - 1) & ~(RAM_CHUNK_SIZE - 1);
	ram.limit = limit;
	ram.fd = memfd_create("runsc-ram", MFD_CLOEXEC);
	if (ram.fd < 0 || ftruncate(ram.fd, limit)) {
		rc = -errno;
		vmm_log(LOG_ERR, "cannot create %lu MiB of sandbox memory: %s", limit >> 20, strerror(errno));
		return rc;
	}
	if (mmap(direct(0), limit, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, ram.fd, 0) == MAP_FAILED) {
		rc = -errno;
		vmm_log(LOG_ERR, "cannot map %lu MiB of sandbox memory: %s", limit >> 20, strerror(errno));
		return rc;
	}
	madvise(direct(0), limit, MADV_DONTDUMP);
	atomic_store(&ram.end, RAM_CHUNK_SIZE);
	return 0;
}

int memory_ram_fd(void) { return ram.fd; }
uint64_t memory_ram_end(void) { return atomic_load_explicit(&ram.end, memory_order_acquire); }
uint64_t memory_ram_limit(void) { return ram.limit; }

int memory_attach_platform(void)
{
	return vmm.ops->add_memory(0, memory_ram_end());
}

void vmm_read_text(int fd, char *text, size_t size)
{
	struct iovec iov = { .iov_base = text, .iov_len = size - 1 };
	ssize_t n = fd < 0 ? -1 : preadv2(fd, &iov, 1, 0, 0); /* a call that the filter allows anyway */

	text[n > 0 ? n : 0] = 0;
}

static bool meminfo_kib(const char *text, const char *key, uint64_t *kib)
{
	const char *at = strstr(text, key);

	if (at)
		*kib = strtoull(at + strlen(key), NULL, 10);
	return at;
}

/* Where the host has run out, it would kill whole sandboxes. Better to refuse growth while a twentieth is left: the
 * Sentry then ends one process. */
static bool host_can_spare(uint64_t bytes)
{
	char text[512];
	uint64_t total, available;

	vmm_read_text(vmm.cfg.meminfo_fd, text, sizeof(text));
	if (!meminfo_kib(text, "MemTotal:", &total) || !meminfo_kib(text, "MemAvailable:", &available))
		return true;
	return available > total / 20 + bytes / 1024;
}

int64_t memory_grow(uint64_t bytes)
{
	uint64_t end;
	int64_t rc;

	if (!bytes || bytes & (RAM_CHUNK_SIZE - 1))
		return -EINVAL;
	pthread_mutex_lock(&ram.lock);
	end = memory_ram_end();
	if (bytes > ram.limit - end || !host_can_spare(bytes)) {
		rc = -ENOMEM;
	} else {
		rc = vmm.ops->add_memory(end, bytes);
		if (!rc) {
			atomic_store_explicit(&ram.end, end + bytes, memory_order_release);
			rc = end + bytes;
		}
	}
	pthread_mutex_unlock(&ram.lock);
	return rc;
}

/* Page-aligned and inside existing RAM? */
static bool ram_pages(uint64_t pa, uint64_t len)
{
	uint64_t end = memory_ram_end();

	return len && !((pa | len) & (PAGE_SIZE - 1)) && pa < end && len <= end - pa;
}

int memory_populate(uint64_t pa, uint64_t len)
{
	if (!ram_pages(pa, len))
		return -EINVAL;
	if (!madvise(direct(pa), len, MADV_POPULATE_WRITE))
		return 0;
	/* Kernels before 5.14: the pages come with their first touch instead. */
	return errno == EINVAL ? 0 : -errno;
}

int memory_reclaim(uint64_t pa, uint64_t len)
{
	if (!ram_pages(pa, len) || pa < BOOT_RESERVED_END)
		return -EINVAL;
	return madvise(direct(pa), len, MADV_REMOVE) ? -errno : 0;
}

int memory_guard(uint64_t pa, bool on)
{
	if (!ram_pages(pa, PAGE_SIZE))
		return -EINVAL;
	return mprotect(direct(pa), PAGE_SIZE, on ? PROT_NONE : PROT_READ | PROT_WRITE) ? -errno : 0;
}

/* ---- file windows ---------------------------------------------------------------------------------------- */

static bool window_pages(uint64_t pa, uint64_t len)
{
	return len && !((pa | len) & (PAGE_SIZE - 1)) && pa >= FILEWIN_PA && pa < FILEWIN_PA_END &&
	       len <= FILEWIN_SLOT_SIZE - (pa & (FILEWIN_SLOT_SIZE - 1));
}

/* The slot's first use makes it part of guest-physical space. Caller holds ram.lock. */
static int know_slot(uint64_t pa)
{
	unsigned slot = (pa - FILEWIN_PA) / FILEWIN_SLOT_SIZE;
	int rc = 0;

	if (!ram.slot_known[slot]) {
		rc = vmm.ops->add_memory(FILEWIN_PA + slot * FILEWIN_SLOT_SIZE, FILEWIN_SLOT_SIZE);
		ram.slot_known[slot] = !rc;
	}
	return rc;
}

int memory_file_map(uint64_t pa, uint64_t len, int fd, uint64_t offset, bool write)
{
	int prot = PROT_READ | (write ? PROT_WRITE : 0), rc;

	if (!window_pages(pa, len) || offset & (PAGE_SIZE - 1) || (int64_t)offset < 0 || (int64_t)(offset + len) < 0)
		return -EINVAL;
	pthread_mutex_lock(&ram.lock);
	rc = know_slot(pa);
	if (!rc && mmap(direct(pa), len, prot, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, offset) == MAP_FAILED)
		rc = -errno;
	if (!rc) {
		rc = file_windows_add(pa, len, fd, offset, prot);
		vmm.ops->memory_changed(pa, len);
	}
	pthread_mutex_unlock(&ram.lock);
	return rc;
}

int memory_file_unmap(uint64_t pa, uint64_t len)
{
	int rc = 0;

	if (!window_pages(pa, len))
		return -EINVAL;
	pthread_mutex_lock(&ram.lock);
	if (mmap(direct(pa), len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		rc = -errno;
	if (!rc) {
		rc = file_windows_remove(pa, len);
		vmm.ops->memory_changed(pa, len);
	}
	pthread_mutex_unlock(&ram.lock);
	return rc;
}

int vmm_memory_backing(uint64_t pa, int *fd, uint64_t *offset, uint64_t *len, int *prot)
{
	uint64_t end = memory_ram_end();
	int rc;

	if (pa < end) {
		*fd = ram.fd;
		*offset = pa;
		*len = end - pa;
		*prot = PROT_READ | PROT_WRITE | PROT_EXEC;
		return 0;
	}
	pthread_mutex_lock(&ram.lock);
	rc = file_windows_find(pa, fd, offset, len, prot);
	pthread_mutex_unlock(&ram.lock);
	return rc;
}

bool memory_is_ram(uint64_t addr, uint64_t len)
{
	uint64_t end = memory_ram_end();

	return addr >= DIRECT_BASE && addr - DIRECT_BASE <= end && len <= end - (addr - DIRECT_BASE);
}

bool memory_is_io(uint64_t addr, uint64_t len)
{
	const uint64_t first = DIRECT_BASE + FILEWIN_PA, last = DIRECT_BASE + FILEWIN_PA_END;

	return memory_is_ram(addr, len) || (addr >= first && addr <= last && len <= last - addr);
}
