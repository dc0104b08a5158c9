// SPDX-License-Identifier: Apache-2.0
/*
 * Linux's asynchronous I/O: io_setup(2), io_submit(2), io_getevents(2) and their relatives.
 *
 * A context is an unnamed file of the internal tmpfs that holds the ring of events, mapped into the application; the
 * context's number is the address of that mapping, so mremap(2) renames it and munmap(2) ends it. Applications may take
 * events out of the ring themselves by moving its head, which is therefore read anew and never trusted.
 *
 * Operations are done by io_submit itself, as Linux does with buffered files; what is submitted has completed. There
 * is no IOCB_CMD_POLL, and nothing is ever there to be cancelled.
 */
#include <linux/aio_abi.h>

#include "fs/eventfd.h"
#include "fs/namei.h"
#include "fs/poll.h"
#include "fs/poll_waits.h"
#include "fs/tmpfs.h"
#include "lib/string.h"
#include "mm/page.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/sched.h"
#include "task/task.h"
#include "time/timer.h"
#include "time/timespec.h"

#define RING_MAGIC 0xa10a10a1u
#define EVENTS_MAX 65536u /* fs.aio-max-nr, of one context */
#define PER_PAGE (PAGE_SIZE / sizeof(struct io_event))

/* The head of the first page; events follow, and fill the other pages. */
struct ring {
	uint32_t id, nr, head, tail, magic, compat_features, incompat_features, header_length;
};
_Static_assert(sizeof(struct ring) == sizeof(struct io_event), "events start in the second slot of the first page");

struct aio {
	struct mutex lock;      /* the ring */
	struct wait_queue wait;
	const struct mm *mm;    /* whose context it is; compared, not used */
	uint32_t nr, tail;      /* slots of the ring; where the next event goes */
	uint32_t npages;
	struct page **pages;    /* references */
};

static struct ring *ring_of(struct aio *x) { return page_address(x->pages[0]); }

static struct io_event *slot(struct aio *x, uint32_t i)
{
	i++; /* the header */
	return (struct io_event *)page_address(x->pages[i / PER_PAGE]) + i % PER_PAGE;
}

static uint32_t head_of(struct aio *x) { return READ_ONCE(ring_of(x)->head) % x->nr; }

static uint32_t ready(struct aio *x) { return (READ_ONCE(x->tail) + x->nr - head_of(x)) % x->nr; }

static void aio_free(struct aio *x)
{
	for (uint32_t i = 0; x->pages && i < x->npages; i++)
		if (x->pages[i])
			page_put(x->pages[i]);
	kfree(x->pages);
	kfree(x);
}

static void aio_release(struct file *f) { aio_free(f->private); }

static int aio_mmap(struct file *f, struct vma *vma)
{
	int r = tmpfs_file_ops.mmap(f, vma);
	vma->flags |= VMA_SPECIAL; /* does not grow */
	return r;
}

static const struct file_ops aio_ops = {.release = aio_release, .mmap = aio_mmap};

/* The context that is mapped at exactly this address, with a reference on its file, or NULL. */
static struct aio *context_get(uint64_t ctx, struct file **file)
{
	struct mm *mm = current->mm;
	uint32_t id;
	if (copy_in(&id, uva(ctx), sizeof(id)))
		return NULL;
	*file = NULL;
	rwsem_read_lock(&mm->lock);
	struct vma *v = vma_find(mm, ctx);
	if (v && v->start == ctx && v->file && v->file->ops == &aio_ops) {
		*file = v->file;
		file_get(*file);
	}
	rwsem_read_unlock(&mm->lock);
	struct aio *x = *file ? (*file)->private : NULL;
	if (x && x->mm == mm)
		return x;
	file_put(*file);
	return NULL;
}

/* ---- io_setup, io_destroy ---- */
static struct aio *aio_alloc(uint32_t wanted)
{
	struct aio *x = kzalloc(sizeof(*x));
	/* as Linux: room for those whose events each CPU might hold back, and one slot that tells full from empty */
	uint32_t slots = MAX(wanted, sched_nr_cpus() * 4) * 2 + 2;
	if (!x)
		return NULL;
	mutex_init(&x->lock);
	wait_queue_init(&x->wait);
	x->mm = current->mm;
	x->npages = (slots + 1 + PER_PAGE - 1) / PER_PAGE;
	x->nr = x->npages * PER_PAGE - 1;
	x->pages = kzalloc(x->npages * sizeof(x->pages[0]));
	if (!x->pages) {
		aio_free(x);
		return NULL;
	}
	return x;
}

static struct file *aio_file(struct aio *x)
{
	struct file *f = tmpfs_anon_file("/[aio]", x->npages * PAGE_SIZE, 0600, O_RDWR);
	if (IS_ERR(f)) {
		aio_free(x);
		return f;
	}
	f->ops = &aio_ops;
	f->private = x;
	for (uint32_t i = 0; i < x->npages; i++) {
		x->pages[i] = mapping_page(&f->inode->mapping, i, true);
		if (!x->pages[i]) {
			file_put(f);
			return ERR_PTR(-ENOMEM);
		}
	}
	*ring_of(x) = (struct ring){.nr = x->nr, .magic = RING_MAGIC, .compat_features = 1, .header_length = sizeof(struct ring)};
	return f;
}

int64_t sys_io_setup(const struct sysargs *a)
{
	uint32_t nr = arg_u32(a, 0);
	uva_t out = arg_uva(a, 1);
	uint64_t ctx;
	if (copy_in_struct(&ctx, out))
		return -EFAULT;
	if (ctx || !nr || nr > 0x10000000)
		return -EINVAL;
	if (nr > EVENTS_MAX)
		return -EAGAIN;
	struct aio *x = aio_alloc(nr);
	if (!x)
		return -ENOMEM;
	uint64_t size = (uint64_t)x->npages * PAGE_SIZE;
	struct file *f = aio_file(x);
	if (IS_ERR(f))
		return PTR_ERR(f);
	int64_t at = mm_mmap(current->mm, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	file_put(f);
	if (at < 0)
		return at;
	ctx = at;
	if (copy_out_struct(out, &ctx)) {
		(void)mm_munmap(current->mm, ctx, size);
		return -EFAULT;
	}
	return 0;
}

int64_t sys_io_destroy(const struct sysargs *a)
{
	struct file *f;
	struct aio *x = context_get(arg_u64(a, 0), &f);
	if (!x)
		return -EINVAL;
	int r = mm_munmap(current->mm, arg_u64(a, 0), (uint64_t)x->npages * PAGE_SIZE);
	file_put(f);
	return r;
}

/* ---- io_submit ---- */
static bool post(struct aio *x, const struct io_event *ev)
{
	mutex_lock(&x->lock);
	bool room = ready(x) < x->nr - 1;
	if (room) {
		*slot(x, x->tail) = *ev;
		uint32_t tail = (x->tail + 1) % x->nr;
		atomic_store(&ring_of(x)->tail, tail);
		WRITE_ONCE(x->tail, tail);
	}
	mutex_unlock(&x->lock);
	if (room)
		wake_up_all(&x->wait);
	return room;
}

struct request {
	struct iocb cb;
	struct iter it;
	struct uiovec fast[8], *vec;
	bool write, sync, vector;
};

/* What is wrong with the request itself is io_submit's error. */
static int prepare(struct request *q, struct file *f)
{
	const struct iocb *cb = &q->cb;
	switch (cb->aio_lio_opcode) {
	case IOCB_CMD_FSYNC:
	case IOCB_CMD_FDSYNC:
		q->sync = true;
		if (cb->aio_buf || cb->aio_offset || cb->aio_nbytes || cb->aio_rw_flags)
			return -EINVAL;
		return f->ops && f->ops->fsync ? 0 : -EINVAL;
	case IOCB_CMD_PREADV:
	case IOCB_CMD_PWRITEV:
		q->vector = true;
		/* fall through */
	case IOCB_CMD_PREAD:
	case IOCB_CMD_PWRITE:
		q->write = cb->aio_lio_opcode == IOCB_CMD_PWRITE || cb->aio_lio_opcode == IOCB_CMD_PWRITEV;
		break;
	default:
		return -EINVAL;
	}
	if (cb->aio_rw_flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND))
		return -EOPNOTSUPP;
	if (!(f->mode & (q->write ? FMODE_WRITE : FMODE_READ)))
		return -EBADF;
	if (!f->ops || (q->write ? !f->ops->write : !f->ops->read))
		return -EINVAL;
	if (q->vector) {
		int r = iter_import(&q->it, uva(cb->aio_buf), cb->aio_nbytes, !q->write, q->fast, &q->vec);
		if (r < 0)
			return r;
	} else {
		if (cb->aio_buf > USER_MAX || cb->aio_nbytes > USER_MAX - cb->aio_buf)
			return -EFAULT;
		iter_user(&q->it, uva(cb->aio_buf), cb->aio_nbytes, !q->write);
	}
	if (cb->aio_offset < 0)
		return -EINVAL;
	return rw_check_area(f, cb->aio_offset, q->it.count);
}

static int64_t perform(struct request *q, struct file *f)
{
	uint64_t pos = q->write && (q->cb.aio_rw_flags & RWF_APPEND) ? POS_APPEND : (uint64_t)q->cb.aio_offset;
	bool datasync = q->cb.aio_lio_opcode == IOCB_CMD_FDSYNC;
	int64_t n;
	if (q->sync)
		return f->ops->fsync(f, datasync);
	n = q->write ? vfs_write(f, &q->it, &pos) : vfs_read(f, &q->it, &pos);
	if (n > 0 && q->write && (q->cb.aio_rw_flags & (RWF_SYNC | RWF_DSYNC)) && f->ops->fsync) {
		int r = f->ops->fsync(f, !(q->cb.aio_rw_flags & RWF_SYNC));
		n = r ? r : n;
	}
	return n == -ERESTARTSYS ? -EINTR : n;
}

static int submit_with(struct aio *x, struct request *q, struct file *f, uva_t ucb)
{
	struct file *notify = NULL;
	int r = 0;
	if (q->cb.aio_flags & IOCB_FLAG_RESFD) {
		notify = fd_get(q->cb.aio_resfd);
		if (!notify)
			return -EBADF;
		if (!eventfd_is(notify))
			r = -EINVAL;
	}
	if (r == 0)
		r = prepare(q, f);
	if (r == 0) {
		struct io_event ev = {.data = q->cb.aio_data, .obj = ucb.v};
		ev.res = perform(q, f);
		(void)post(x, &ev); /* the caller has seen room, which only other submitters could have taken */
		if (notify)
			eventfd_signal(notify, 1);
	}
	if (q->vec)
		iter_free_vec(q->vec, q->fast);
	file_put(notify);
	return r;
}

static int submit_one(struct aio *x, struct request *q, uva_t ucb)
{
	static const uint32_t key = 0;
	memset(q, 0, sizeof(*q));
	if (copy_in_struct(&q->cb, ucb))
		return -EFAULT;
	if (q->cb.aio_reserved2 || (int64_t)q->cb.aio_nbytes < 0)
		return -EINVAL;
	if (q->cb.aio_flags & ~(uint32_t)(IOCB_FLAG_RESFD | IOCB_FLAG_IOPRIO))
		return -EINVAL;
	if (ready(x) >= x->nr - 1)
		return -EAGAIN;
	struct file *f = fd_get(q->cb.aio_fildes);
	if (!f)
		return -EBADF;
	int r = copy_out(uva_add(ucb, __builtin_offsetof(struct iocb, aio_key)), &key, sizeof(key));
	if (r == 0)
		r = submit_with(x, q, f, ucb);
	file_put(f);
	return r;
}

int64_t sys_io_submit(const struct sysargs *a)
{
	int64_t nr = arg_i64(a, 1), done = 0;
	uva_t list = arg_uva(a, 2);
	struct file *f;
	if (nr < 0)
		return -EINVAL;
	struct aio *x = context_get(arg_u64(a, 0), &f);
	if (!x)
		return -EINVAL;
	struct request *q = kmalloc(sizeof(*q));
	int r = q ? 0 : -ENOMEM;
	for (; r == 0 && done < MIN(nr, (int64_t)x->nr); done++) {
		uint64_t ucb;
		r = copy_in(&ucb, uva_add(list, done * sizeof(ucb)), sizeof(ucb));
		if (r == 0)
			r = submit_one(x, q, uva(ucb));
		if (r)
			break;
	}
	kfree(q);
	file_put(f);
	return done ? done : r;
}

int64_t sys_io_cancel(const struct sysargs *a)
{
	struct file *f;
	uint32_t key;
	if (copy_in(&key, uva_add(arg_uva(a, 1), __builtin_offsetof(struct iocb, aio_key)), sizeof(key)))
		return -EFAULT;
	if (key || !context_get(arg_u64(a, 0), &f))
		return -EINVAL;
	file_put(f);
	return -EINVAL; /* it has completed */
}

/* ---- io_getevents ---- */
/* Takes at most max events: how many, or -EFAULT. */
static int64_t take(struct aio *x, uva_t out, int64_t max)
{
	int64_t n = 0;
	mutex_lock(&x->lock);
	uint32_t head = head_of(x);
	for (; n < max && head != x->tail; n++) {
		struct io_event ev = *slot(x, head);
		if (copy_out(uva_add(out, n * sizeof(ev)), &ev, sizeof(ev))) {
			n = n ? n : -EFAULT;
			break;
		}
		head = (head + 1) % x->nr;
	}
	if (n > 0)
		atomic_store(&ring_of(x)->head, head);
	mutex_unlock(&x->lock);
	return n;
}

static int64_t get_events(uint64_t ctx, int64_t min, int64_t max, uva_t out, uint64_t deadline)
{
	struct file *f;
	int64_t done = 0, n = 0;
	struct aio *x = context_get(ctx, &f);
	if (!x)
		return -EINVAL;
	if (min < 0 || min > max) {
		file_put(f);
		return -EINVAL;
	}
	for (;;) {
		n = take(x, uva_add(out, done * sizeof(struct io_event)), max - done);
		if (n < 0)
			break;
		done += n;
		if (done >= min || deadline == 0)
			break;
		n = wait_event_interruptible_deadline(&x->wait, ready(x) > 0, deadline);
		if (n)
			break;
	}
	file_put(f);
	if (done)
		return done;
	return n == -ETIMEDOUT ? 0 : n == -ERESTARTSYS ? -EINTR : n;
}

static int get_deadline(uva_t t, uint64_t *deadline)
{
	uint64_t ns;
	*deadline = DEADLINE_NEVER;
	if (!t.v)
		return 0;
	int r = timespec_in(t, &ns);
	*deadline = ns ? deadline_after(ns) : 0;
	return r;
}

int64_t sys_io_getevents(const struct sysargs *a)
{
	uint64_t deadline;
	int r = get_deadline(arg_uva(a, 4), &deadline);
	return r ? r : get_events(arg_u64(a, 0), arg_i64(a, 1), arg_i64(a, 2), arg_uva(a, 3), deadline);
}

int64_t sys_io_pgetevents(const struct sysargs *a)
{
	struct {
		uint64_t mask, size;
	} m = {0, 0};
	uint64_t deadline;
	if (arg_u64(a, 5) && copy_in_struct(&m, arg_uva(a, 5)))
		return -EFAULT;
	int r = get_deadline(arg_uva(a, 4), &deadline);
	if (r == 0)
		r = poll_set_mask(uva(m.mask), m.size);
	return r ? r : get_events(arg_u64(a, 0), arg_i64(a, 1), arg_i64(a, 2), arg_uva(a, 3), deadline);
}
