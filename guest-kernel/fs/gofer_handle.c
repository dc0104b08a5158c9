// SPDX-License-Identifier: Apache-2.0
/*
 * Host handles of regular files and their cache.
 *
 * One read-only and one read-write handle per inode serve every open file of it, since a transfer always names its
 * offset. They stay open after the last close so that the next open costs no hostcall; the oldest idle ones are
 * closed when there are many, or when the host runs out of descriptors. Where others use the files too (shared mode),
 * a writable handle is not kept: it would make the host answer ETXTBSY to an exec there.
 */
#include "fs/gofer.h"

#include "lib/string.h"
#include "task/task.h"
#include "task/sched.h"

#define HANDLE_CACHE_MAX 1024

static struct {
	spinlock_t lock;
	struct list_node lru; /* gofer_inode.handle_link, oldest first; lock */
	uint32_t count;       /* lock */
} handle_cache = {SPINLOCK_INIT, LIST_INIT(handle_cache.lru), 0};

struct gofer_handle *gofer_handle_new(int64_t h)
{
	if (h < 0)
		return ERR_PTR(h);
	struct gofer_handle *gh = kmalloc(sizeof(*gh));
	if (!gh) {
		hostcall1(HC_FS_CLOSE, h);
		return ERR_PTR(-ENOMEM);
	}
	ref_init(&gh->refs);
	gh->h = (uint32_t)h;
	return gh;
}

void gofer_handle_put(struct gofer_handle *h)
{
	if (!h || !ref_put(&h->refs))
		return;
	hostcall1(HC_FS_CLOSE, h->h);
	kfree(h);
}

static struct gofer_handle **handle_slot(struct gofer_inode *gi, uint32_t accmode)
{
	return accmode == O_RDONLY ? &gi->rd : accmode == O_WRONLY ? &gi->wo : &gi->rw;
}

/* An open handle that serves accmode, with a reference, or NULL; gi->lock held. */
static struct gofer_handle *handle_find(struct gofer_inode *gi, uint32_t accmode)
{
	struct gofer_handle *h = NULL;
	if (accmode == O_RDONLY)
		h = gi->rd ? gi->rd : gi->rw;
	else if (accmode == O_WRONLY)
		h = gi->rw ? gi->rw : gi->wo;
	else
		h = gi->rw;
	return h ? gofer_handle_get(h) : NULL;
}

void gofer_handle_forget(struct gofer_inode *gi)
{
	struct gofer_handle *old[3];
	spin_lock(&gi->lock);
	old[0] = gi->rd;
	old[1] = gi->rw;
	old[2] = gi->wo;
	gi->rd = gi->rw = gi->wo = NULL;
	spin_unlock(&gi->lock);
	spin_lock(&handle_cache.lock);
	if (!list_empty(&gi->handle_link)) {
		list_del(&gi->handle_link);
		handle_cache.count--;
	}
	spin_unlock(&handle_cache.lock);
	for (int i = 0; i < 3; i++)
		gofer_handle_put(old[i]);
}

static bool unused(const struct gofer_handle *h) { return !h || h->refs.n == 1; }

/* Closes the handles of the oldest inode that no file uses; false when there is none among the first so many. */
static bool handle_drop_oldest(uint32_t tries)
{
	struct inode *victim = NULL;
	spin_lock(&handle_cache.lock);
	for (; tries && !victim && !list_empty(&handle_cache.lru); tries--) {
		struct gofer_inode *gi = list_first(&handle_cache.lru, struct gofer_inode, handle_link);
		bool idle = unused(gi->rd) && unused(gi->rw) && unused(gi->wo);
		list_move_tail(&gi->handle_link, &handle_cache.lru);
		if (idle && ref_get_unless_zero(&gi->inode->refs))
			victim = gi->inode;
	}
	spin_unlock(&handle_cache.lock);
	if (!victim)
		return false;
	gofer_handle_forget(gofer_i(victim));
	inode_put(victim);
	return true;
}

/* The inode's handles were just used. */
static void handle_touch(struct gofer_inode *gi)
{
	bool full = false;
	spin_lock(&handle_cache.lock);
	if (list_empty(&gi->handle_link)) {
		handle_cache.count++;
		list_add_tail(&gi->handle_link, &handle_cache.lru);
		full = handle_cache.count > HANDLE_CACHE_MAX;
	} else {
		list_move_tail(&gi->handle_link, &handle_cache.lru);
	}
	spin_unlock(&handle_cache.lock);
	if (full)
		handle_drop_oldest(16);
}

void gofer_handle_pressure(void)
{
	/* Half of those that are there; the busy ones among them go to the end of the list. */
	for (uint32_t n = READ_ONCE(handle_cache.count) / 2 + 64; n && handle_drop_oldest(n); n--)
		cond_resched();
	dcache_shrink(NULL, 256);
}

bool gofer_may_use_reserve(void)
{
	return current->proc->from_host;
}

static int64_t handle_open_host(struct gofer_inode *gi, uint32_t accmode, struct hc_attr *a)
{
	struct gofer_sb *gsb = gofer_s(gi->inode->sb);
	struct gofer_target t;
	rwsem_read_lock(&gsb->names);
	int64_t r = gofer_target(gi, &t, GOFER_BY_NAME);
	if (!r) {
		r = GOFER_FD_CALL(hostcall6(HC_FS_OPEN, t.handle->h, t.name, t.len, accmode | O_NOFOLLOW | O_CLOEXEC, hc_reserve, a));
		gofer_handle_put(t.handle);
	}
	rwsem_read_unlock(&gsb->names);
	return r;
}

/* Shared mode: the name may mean another file than the inode by now. */
static int handle_verify(struct gofer_inode *gi, const struct hc_attr *a)
{
	if (!gofer_s(gi->inode->sb)->shared)
		return 0;
	if (a->ino != gi->host_ino || a->dev != gi->host_dev)
		return -ESTALE;
	gofer_set_attr(gi, a);
	return 0;
}

struct gofer_handle *gofer_handle_open(struct gofer_inode *gi, uint32_t accmode)
{
	spin_lock(&gi->lock);
	struct gofer_handle *h = handle_find(gi, accmode);
	spin_unlock(&gi->lock);
	if (h) {
		handle_touch(gi);
		return h;
	}
	/* A writer gets a handle that can read too, so that later files can share it; the host may refuse that. */
	uint32_t mode = accmode == O_WRONLY ? O_RDWR : accmode;
	struct hc_attr a;
	int64_t r = handle_open_host(gi, mode, &a);
	if ((r == -EACCES || r == -EPERM) && mode != accmode) {
		mode = accmode;
		r = handle_open_host(gi, mode, &a);
	}
	h = gofer_handle_new(r);
	if (IS_ERR(h))
		return h;
	int err = handle_verify(gi, &a);
	if (err) {
		gofer_handle_put(h);
		return ERR_PTR(err);
	}
	struct gofer_handle **slot = handle_slot(gi, mode);
	spin_lock(&gi->lock);
	if (!*slot)
		*slot = gofer_handle_get(h);
	spin_unlock(&gi->lock);
	handle_touch(gi);
	return h;
}

void gofer_handle_adopt(struct gofer_inode *gi, struct gofer_handle *h)
{
	spin_lock(&gi->lock);
	if (!gi->rw)
		gi->rw = gofer_handle_get(h);
	spin_unlock(&gi->lock);
	handle_touch(gi);
}

void gofer_handle_release(struct gofer_inode *gi, struct gofer_handle *h)
{
	struct gofer_handle *cached = NULL;
	if (gofer_s(gi->inode->sb)->shared) {
		spin_lock(&gi->lock);
		struct gofer_handle **slot = gi->rw == h ? &gi->rw : gi->wo == h ? &gi->wo : NULL;
		if (slot && h->refs.n == 2) { /* the cache and this file */
			cached = *slot;
			*slot = NULL;
		}
		spin_unlock(&gi->lock);
	}
	gofer_handle_put(cached);
	gofer_handle_put(h);
}
