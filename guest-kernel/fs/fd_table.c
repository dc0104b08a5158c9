// SPDX-License-Identifier: Apache-2.0
/*
 * Descriptor tables.
 *
 * files->lock (spinlock) protects the arrays and bitmaps. While a table has one user (files->refs == 1), only the
 * current task can change it, so its lookups skip the lock, and a system call may use a file without taking a
 * reference (struct fdref): nobody can close it meanwhile. Others that look in (proc) hold a table reference and take
 * the lock.
 *
 * A number is free (bit clear in open), reserved (bit set, file NULL) or open.
 */
#include "fs/vfs.h"

#include <linux/close_range.h>
#include <linux/resource.h>

#include "fs/namei.h"
#include "fs/poll.h"
#include "lib/string.h"
#include "syscall/syscall.h"
#include "task/task.h"

#define FILES_INITIAL 64u
#define FILES_MAX (1u << 20)

struct files {
	ref_t refs;
	spinlock_t lock;
	uint32_t size;            /* numbers that the arrays hold, a multiple of 64; lock */
	uint32_t next;            /* no free number is below; lock */
	struct file **file;       /* lock */
	uint64_t *open, *cloexec; /* lock */
	struct file *file0[FILES_INITIAL];
	uint64_t bits0[2];
};

struct files *files_create(void)
{
	struct files *f = kzalloc(sizeof(*f));
	if (!f)
		return NULL;
	ref_init(&f->refs);
	spin_init(&f->lock);
	f->size = FILES_INITIAL;
	f->file = f->file0;
	f->open = &f->bits0[0];
	f->cloexec = &f->bits0[1];
	return f;
}

struct files *files_get(struct files *f)
{
	ref_get(&f->refs);
	return f;
}

static bool test_bit(const uint64_t *map, uint32_t n) { return map[n / 64] >> (n % 64) & 1; }
static void set_bit(uint64_t *map, uint32_t n) { map[n / 64] |= 1ULL << (n % 64); }
static void clear_bit(uint64_t *map, uint32_t n) { map[n / 64] &= ~(1ULL << (n % 64)); }

/* The arrays for size numbers in one block: files, then the two bitmaps. */
static struct file **arrays_alloc(uint32_t size) { return kzalloc(size * sizeof(struct file *) + 2 * (size / 8)); }

bool files_shared(const struct files *f) { return atomic_load(&f->refs.n) > 1; }

static void arrays_use(struct files *f, struct file **block, uint32_t size)
{
	f->file = block;
	f->open = (uint64_t *)(block + size);
	f->cloexec = f->open + size / 64;
	f->size = size;
}

/* Makes room for number n. 0, -EMFILE or -ENOMEM. */
static int files_grow(struct files *f, uint32_t n)
{
	if (n >= FILES_MAX)
		return -EMFILE;
	uint32_t size = FILES_INITIAL;
	while (size <= n)
		size *= 2;
	struct file **block = arrays_alloc(size);
	if (!block)
		return -ENOMEM;
	struct file **old = NULL;
	spin_lock(&f->lock);
	if (size > f->size) {
		uint32_t osize = f->size;
		uint64_t *oopen = f->open, *oclo = f->cloexec;
		old = f->file;
		arrays_use(f, block, size);
		memcpy(f->file, old, osize * sizeof(*old));
		memcpy(f->open, oopen, osize / 8);
		memcpy(f->cloexec, oclo, osize / 8);
		block = NULL;
	}
	spin_unlock(&f->lock);
	kfree(block);
	if (old != f->file0)
		kfree(old);
	return 0;
}

struct files *files_copy(struct files *o)
{
	struct files *f = files_create();
	if (!f)
		return NULL;
	for (;;) {
		spin_lock(&o->lock);
		uint32_t need = o->size;
		/* a table that once was large is copied only as far as it is used */
		while (need > FILES_INITIAL && o->open[need / 64 - 1] == 0)
			need -= 64;
		if (need <= f->size)
			break;
		spin_unlock(&o->lock);
		if (files_grow(f, need - 1)) {
			files_put(f);
			return NULL;
		}
	}
	uint32_t n = MIN(o->size, f->size);
	for (uint32_t w = 0; w < n / 64; w++) {
		f->cloexec[w] = o->cloexec[w];
		for (uint64_t bits = o->open[w]; bits; bits &= bits - 1) {
			uint32_t fd = w * 64 + __builtin_ctzll(bits);
			struct file *file = o->file[fd];
			if (!file)
				continue;
			file_get(file);
			f->file[fd] = file;
			set_bit(f->open, fd);
		}
	}
	f->next = 0;
	spin_unlock(&o->lock);
	return f;
}

/* close(2) of one descriptor whose file was just taken out of the table: what happens besides the put. */
static int file_close(struct file *file, struct files *owner)
{
	int r = 0;
	if (file->ops && file->ops->flush)
		r = file->ops->flush(file);
	if (file->inode->locks)
		locks_remove_posix(file, owner);
	file_put(file);
	return r;
}

void files_put(struct files *f)
{
	if (!f || !ref_put(&f->refs))
		return;
	for (uint32_t w = 0; w < f->size / 64; w++)
		for (uint64_t bits = f->open[w]; bits; bits &= bits - 1) {
			struct file *file = f->file[w * 64 + __builtin_ctzll(bits)];
			if (file)
				(void)file_close(file, f);
			cond_resched();
		}
	if (f->file != f->file0)
		kfree(f->file);
	kfree(f);
}

/* Takes fd out of the table: the file (the table's reference passes to the caller) or NULL. */
static struct file *take(struct files *f, uint32_t fd)
{
	struct file *file = NULL;
	spin_lock(&f->lock);
	if (fd < f->size && f->file[fd]) {
		file = f->file[fd];
		f->file[fd] = NULL;
		clear_bit(f->open, fd);
		clear_bit(f->cloexec, fd);
		if (fd < f->next)
			f->next = fd;
	}
	spin_unlock(&f->lock);
	return file;
}

void files_close_on_exec(struct files *f)
{
	for (uint32_t w = 0; w < f->size / 64; w++) {
		spin_lock(&f->lock);
		uint64_t bits = f->cloexec[w] & f->open[w];
		spin_unlock(&f->lock);
		for (; bits; bits &= bits - 1) {
			struct file *file = take(f, w * 64 + __builtin_ctzll(bits));
			if (file)
				(void)file_close(file, f);
		}
	}
}

static struct fdref borrow(int fd, uint32_t refuse_mode)
{
	struct files *f = current->files;
	struct fdref r = {NULL, false};
	if (unlikely(!f))
		return r;
	if (likely(atomic_load(&f->refs.n) == 1)) {
		if ((uint32_t)fd < f->size)
			r.file = f->file[fd];
		if (r.file && (r.file->mode & refuse_mode))
			r.file = NULL;
		return r;
	}
	spin_lock(&f->lock);
	if ((uint32_t)fd < f->size)
		r.file = f->file[fd];
	if (r.file && (r.file->mode & refuse_mode))
		r.file = NULL;
	if (r.file) {
		file_get(r.file);
		r.owned = true;
	}
	spin_unlock(&f->lock);
	return r;
}

struct fdref fdref_get(int fd) { return borrow(fd, FMODE_PATH); }
struct fdref fdref_get_path(int fd) { return borrow(fd, 0); }

static struct file *own(struct fdref r)
{
	if (r.file && !r.owned)
		file_get(r.file);
	return r.file;
}

struct file *fd_get(int fd) { return own(borrow(fd, FMODE_PATH)); }
struct file *fd_get_path(int fd) { return own(borrow(fd, 0)); }

struct file *files_lookup(struct files *f, int fd)
{
	struct file *file = NULL;
	spin_lock(&f->lock);
	if ((uint32_t)fd < f->size)
		file = f->file[fd];
	if (file)
		file_get(file);
	spin_unlock(&f->lock);
	return file;
}

int files_next_fd(struct files *f, int from)
{
	int r = -1;
	spin_lock(&f->lock);
	for (uint32_t fd = from < 0 ? 0 : from; fd < f->size; fd++) {
		if (!f->open[fd / 64]) {
			fd |= 63;
			continue;
		}
		if (f->file[fd]) {
			r = fd;
			break;
		}
	}
	spin_unlock(&f->lock);
	return r;
}

bool files_get_cloexec(struct files *f, int fd)
{
	spin_lock(&f->lock);
	bool r = (uint32_t)fd < f->size && test_bit(f->cloexec, fd);
	spin_unlock(&f->lock);
	return r;
}

/* Lowest free number >= min and < limit, now reserved; -EAGAIN: the table must grow to *need. lock held. */
static int reserve_locked(struct files *f, uint32_t min, uint32_t limit, uint32_t *need)
{
	uint32_t start = MAX(min, f->next), fd = f->size;
	for (uint32_t w = start / 64; w < f->size / 64; w++) {
		uint64_t used = f->open[w];
		if (w == start / 64)
			used |= (1ULL << (start % 64)) - 1;
		if (~used) {
			fd = w * 64 + __builtin_ctzll(~used);
			break;
		}
	}
	fd = MAX(fd, start);
	if (fd >= limit)
		return -EMFILE;
	if (fd >= f->size) {
		*need = fd;
		return -EAGAIN;
	}
	set_bit(f->open, fd);
	clear_bit(f->cloexec, fd);
	if (min <= f->next)
		f->next = fd + 1;
	return fd;
}

int fd_reserve(int min)
{
	struct files *f = current->files;
	uint64_t limit = rlimit_cur(RLIMIT_NOFILE);
	if (limit > FILES_MAX)
		limit = FILES_MAX;
	for (;;) {
		uint32_t need = 0;
		spin_lock(&f->lock);
		int r = reserve_locked(f, min, limit, &need);
		spin_unlock(&f->lock);
		if (r != -EAGAIN)
			return r;
		r = files_grow(f, need);
		if (r)
			return r;
	}
}

void fd_install(int fd, struct file *file, bool cloexec)
{
	struct files *f = current->files;
	spin_lock(&f->lock);
	f->file[fd] = file;
	if (cloexec)
		set_bit(f->cloexec, fd);
	spin_unlock(&f->lock);
}

void fd_release(int fd)
{
	struct files *f = current->files;
	spin_lock(&f->lock);
	clear_bit(f->open, fd);
	if ((uint32_t)fd < f->next)
		f->next = fd;
	spin_unlock(&f->lock);
}

int fd_publish(struct file *file, bool cloexec)
{
	int fd = fd_reserve(0);
	if (fd < 0)
		file_put(file);
	else
		fd_install(fd, file, cloexec);
	return fd;
}

/* ---- system calls ---- */
int64_t sys_close(const struct sysargs *a)
{
	uint32_t fd = arg_u32(a, 0);
	struct files *f = current->files;
	struct file *file = take(f, fd);
	if (!file)
		return -EBADF;
	int r = file_close(file, f);
	/* the descriptor is gone whatever happened: a restart would close another's */
	return r == -ERESTARTSYS || r == -ERESTARTNOINTR || r == -ERESTARTNOHAND ? -EINTR : r;
}

int64_t sys_close_range(const struct sysargs *a)
{
	uint32_t first = arg_u32(a, 0), last = arg_u32(a, 1), flags = arg_u32(a, 2);
	struct task *t = current;
	if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return -EINVAL;
	if (first > last)
		return -EINVAL;
	if ((flags & CLOSE_RANGE_UNSHARE) && atomic_load(&t->files->refs.n) > 1) {
		struct files *own_table = files_copy(t->files), *old = t->files;
		if (!own_table)
			return -ENOMEM;
		spin_lock(&t->lock);
		t->files = own_table;
		spin_unlock(&t->lock);
		files_put(old);
	}
	struct files *f = t->files;
	for (int fd = first > INT32_MAX ? -1 : files_next_fd(f, first); fd >= 0 && (uint32_t)fd <= last;
	     fd = files_next_fd(f, fd + 1)) {
		if (flags & CLOSE_RANGE_CLOEXEC) {
			spin_lock(&f->lock);
			set_bit(f->cloexec, fd);
			spin_unlock(&f->lock);
		} else {
			struct file *file = take(f, fd);
			if (file)
				(void)file_close(file, f);
		}
		cond_resched();
	}
	return 0;
}

/* F_DUPFD, dup: the lowest number >= min. */
int64_t fd_dup(int fd, uint64_t min, bool cloexec)
{
	struct file *file = fd_get_path(fd);
	if (!file)
		return -EBADF;
	if (min >= rlimit_cur(RLIMIT_NOFILE) || min > INT32_MAX) {
		file_put(file);
		return -EINVAL;
	}
	int r = fd_reserve(min);
	if (r < 0)
		file_put(file);
	else
		fd_install(r, file, cloexec);
	return r;
}

static int64_t dup_to(int oldfd, uint32_t newfd, bool cloexec)
{
	struct files *f = current->files;
	if (newfd >= rlimit_cur(RLIMIT_NOFILE))
		return -EBADF;
	struct file *file = fd_get_path(oldfd);
	if (!file)
		return -EBADF;
	if (newfd >= READ_ONCE(f->size)) {
		int r = files_grow(f, newfd);
		if (r) {
			file_put(file);
			return r;
		}
	}
	spin_lock(&f->lock);
	struct file *old = f->file[newfd];
	if (!old && test_bit(f->open, newfd)) {
		spin_unlock(&f->lock);
		file_put(file);
		return -EBUSY; /* reserved by an open in another thread */
	}
	f->file[newfd] = file;
	set_bit(f->open, newfd);
	if (cloexec)
		set_bit(f->cloexec, newfd);
	else
		clear_bit(f->cloexec, newfd);
	spin_unlock(&f->lock);
	if (old)
		(void)file_close(old, f);
	return newfd;
}

int64_t sys_dup(const struct sysargs *a)
{
	int64_t r = fd_dup(arg_int(a, 0), 0, false);
	return r == -EINVAL ? -EMFILE : r;
}

int64_t sys_dup2(const struct sysargs *a)
{
	int oldfd = arg_int(a, 0);
	uint32_t newfd = arg_u32(a, 1);
	if (newfd == (uint32_t)oldfd) {
		struct fdref r = fdref_get_path(oldfd);
		if (!r.file)
			return -EBADF;
		fdref_put(r);
		return newfd;
	}
	return dup_to(oldfd, newfd, false);
}

int64_t sys_dup3(const struct sysargs *a)
{
	int oldfd = arg_int(a, 0), flags = arg_int(a, 2);
	uint32_t newfd = arg_u32(a, 1);
	if (flags & ~O_CLOEXEC)
		return -EINVAL;
	if (newfd == (uint32_t)oldfd)
		return -EINVAL;
	return dup_to(oldfd, newfd, flags & O_CLOEXEC);
}

int fd_set_cloexec(int fd, bool on)
{
	struct files *f = current->files;
	int r = -EBADF;
	spin_lock(&f->lock);
	if ((uint32_t)fd < f->size && f->file[fd]) {
		if (on)
			set_bit(f->cloexec, fd);
		else
			clear_bit(f->cloexec, fd);
		r = 0;
	}
	spin_unlock(&f->lock);
	return r;
}
