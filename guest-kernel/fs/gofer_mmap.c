// SPDX-License-Identifier: Apache-2.0
/*
 * Mappings of host files. The host maps the file itself into file windows (guest-physical space without RAM), in
 * chunks of one size per inode, on first fault; page tables then name the window's frames, so every sandbox shares the
 * host's page cache. Windows stay while the inode is cached and are dropped, oldest first, when there are many or
 * the host refuses more.
 *
 * A file that the host cannot map (ENODEV) is read into pages of the inode's mapping instead; written pages go back at
 * fsync(2), msync(2) and when the last mapping goes. Such copies are not kept coherent with read(2) and write(2).
 */
#include "fs/gofer.h"

#include "lib/log.h"
#include "lib/string.h"

#define CHUNK_MIN_PAGES 16UL  /* 64 KiB */
#define CHUNK_MAX_PAGES 512UL /* 2 MiB */
#define IDLE_CHUNKS_MAX 2048u

/* What page->private says of a copied page. */
#define COPY_FILLED 1u
#define COPY_DIRTY  2u

static struct {
	spinlock_t lock;
	struct list_node idle; /* gofer_inode.window_link: windows but no vmas, oldest first; lock */
	uint32_t idle_chunks;  /* lock */
} windows = {SPINLOCK_INIT, LIST_INIT(windows.idle), 0};

static void idle_add(struct gofer_inode *gi)
{
	spin_lock(&windows.lock);
	if (list_empty(&gi->window_link)) {
		list_add_tail(&gi->window_link, &windows.idle);
		windows.idle_chunks += gi->nr_chunks;
	}
	spin_unlock(&windows.lock);
}

static void idle_remove(struct gofer_inode *gi)
{
	spin_lock(&windows.lock);
	if (!list_empty(&gi->window_link)) {
		list_del(&gi->window_link);
		windows.idle_chunks -= MIN(gi->nr_chunks, windows.idle_chunks);
	}
	spin_unlock(&windows.lock);
}

/* No page table names the windows any more; map_lock held, or the inode has no other users. */
static void drop_chunks(struct gofer_inode *gi)
{
	struct rb_node *n;
	idle_remove(gi);
	while ((n = rb_first(&gi->chunks))) {
		struct gofer_chunk *c = rb_entry(n, struct gofer_chunk, node);
		rb_erase(&gi->chunks, n);
		hostcall2(HC_FS_UNMAP, c->pa.v, c->npages << PAGE_SHIFT);
		filewin_free(c->pa, c->npages);
		kfree(c);
	}
	gi->nr_chunks = 0;
	gi->chunk_pages = 0;
}

/* Gives back the windows of the inode that was idle longest; false when there is none. except may be locked. */
static bool drop_oldest(const struct gofer_inode *except)
{
	struct gofer_inode *victim = NULL, *gi;
	spin_lock(&windows.lock);
	list_for_each_entry(gi, &windows.idle, window_link) {
		if (gi != except && ref_get_unless_zero(&gi->inode->refs)) {
			victim = gi;
			break;
		}
	}
	spin_unlock(&windows.lock);
	if (!victim)
		return false;
	bool dropped = false;
	if (mutex_trylock(&victim->map_lock)) {
		if (!victim->maps) {
			drop_chunks(victim);
			dropped = true;
		}
		mutex_unlock(&victim->map_lock);
	}
	inode_put(victim->inode);
	return dropped;
}

static struct gofer_chunk *chunk_find(struct gofer_inode *gi, uint64_t first)
{
	struct rb_node *n = gi->chunks.node;
	while (n) {
		struct gofer_chunk *c = rb_entry(n, struct gofer_chunk, node);
		if (first == c->first)
			return c;
		n = first < c->first ? n->left : n->right;
	}
	return NULL;
}

static void chunk_insert(struct gofer_inode *gi, struct gofer_chunk *c)
{
	struct rb_node **link = &gi->chunks.node, *parent = NULL;
	while (*link) {
		parent = *link;
		link = c->first < rb_entry(parent, struct gofer_chunk, node)->first ? &parent->left : &parent->right;
	}
	rb_link(&c->node, parent, link);
	rb_insert_fixup(&gi->chunks, &c->node);
	gi->nr_chunks++;
}

/* Has the host map the chunk's part of the file at its window; map_lock held. */
static int chunk_map(struct gofer_inode *gi, struct gofer_chunk *c, bool write)
{
	struct gofer_handle *h = write && gi->map_rw ? gofer_handle_get(gi->map_rw) : gofer_handle_open(gi, O_RDONLY);
	if (IS_ERR(h))
		return PTR_ERR(h);
	int64_t r;
	do {
		r = GOFER_FD_CALL(hostcall5(HC_FS_MAP, h->h, c->first << PAGE_SHIFT, c->npages << PAGE_SHIFT, c->pa.v, write));
	} while ((r == -ENOMEM || r == -ENFILE) && drop_oldest(gi));
	if (write && gi->map_rw)
		gofer_handle_put(h);
	else
		gofer_handle_release(gi, h);
	if (r >= 0)
		c->write = write;
	return r < 0 ? (int)r : 0;
}

static uint64_t choose_chunk(uint64_t size)
{
	uint64_t pages = CHUNK_MIN_PAGES;
	while (pages < CHUNK_MAX_PAGES && pages << PAGE_SHIFT < size)
		pages <<= 1;
	return pages;
}

/* The chunk that holds page pgoff, mapped, writable if asked; map_lock held. */
static struct gofer_chunk *chunk_get(struct gofer_inode *gi, uint64_t pgoff, bool write)
{
	if (!gi->chunk_pages)
		gi->chunk_pages = choose_chunk(gi->inode->size);
	uint64_t first = ROUND_DOWN(pgoff, gi->chunk_pages);
	struct gofer_chunk *c = chunk_find(gi, first);
	if (c && (c->write || !write))
		return c;
	if (c) {
		/* The same pages again, writable: entries that exist stay right. */
		int r = chunk_map(gi, c, true);
		return r ? ERR_PTR(r) : c;
	}
	c = kzalloc(sizeof(*c));
	if (!c)
		return ERR_PTR(-ENOMEM);
	c->first = first;
	c->npages = gi->chunk_pages;
	do {
		c->pa = filewin_alloc(c->npages);
	} while (!c->pa.v && drop_oldest(gi));
	int r = c->pa.v ? chunk_map(gi, c, write) : -ENOMEM;
	if (r) {
		if (c->pa.v)
			filewin_free(c->pa, c->npages);
		kfree(c);
		return ERR_PTR(r);
	}
	chunk_insert(gi, c);
	return c;
}

/* ---- files that the host cannot map ---- */
static int copy_fill(struct gofer_inode *gi, struct page *page, uint64_t pgoff)
{
	struct gofer_handle *h = gofer_handle_open(gi, O_RDONLY);
	if (IS_ERR(h))
		return PTR_ERR(h);
	char *p = page_address(page);
	size_t have = 0;
	int64_t n = 0;
	while (have < PAGE_SIZE) {
		struct hc_iov iov = {(uint64_t)p + have, PAGE_SIZE - have};
		n = hostcall4(HC_FS_PREADV, h->h, &iov, 1, (pgoff << PAGE_SHIFT) + have);
		if (n <= 0)
			break;
		have += n;
	}
	gofer_handle_release(gi, h);
	return n < 0 ? -EIO : 0;
}

static int fault_copy(struct gofer_inode *gi, uint64_t pgoff, bool write, struct vm_frame *out)
{
	struct page *page = mapping_page(&gi->inode->mapping, pgoff, true);
	if (!page)
		return -ENOMEM;
	if (!(page->private & COPY_FILLED)) {
		int r = copy_fill(gi, page, pgoff);
		if (r) {
			page_put(page);
			return r;
		}
		page->private |= COPY_FILLED;
	}
	if (write)
		page->private |= COPY_DIRTY;
	out->pa = page_to_pa(page);
	out->page = page;
	out->npages = 1;
	out->writable = page->private & COPY_DIRTY;
	return 0;
}

/* Writes dirty copies back; they stay dirty while they may be mapped. map_lock held. */
static int copy_writeback(struct gofer_inode *gi)
{
	struct mapping *m = &gi->inode->mapping;
	int err = 0;
	for (uint64_t i = mapping_next(m, 0); i != UINT64_MAX && gi->map_rw; i = mapping_next(m, i + 1)) {
		uint64_t off = i << PAGE_SHIFT, size = READ_ONCE(gi->inode->size);
		struct page *page = off < size ? mapping_page(m, i, false) : NULL;
		if (!page)
			continue;
		if (page->private & COPY_DIRTY) {
			struct hc_iov iov = {(uint64_t)page_address(page), MIN(PAGE_SIZE, size - off)};
			int64_t r = hostcall4(HC_FS_PWRITEV, gi->map_rw->h, &iov, 1, off);
			if (r < 0)
				err = (int)r;
		}
		page_put(page);
	}
	return err;
}

int gofer_mmap_sync(struct gofer_inode *gi)
{
	if (!READ_ONCE(gi->map_copy))
		return 0;
	mutex_lock(&gi->map_lock);
	int r = copy_writeback(gi);
	mutex_unlock(&gi->map_lock);
	return r;
}

/* ---- vm_ops ---- */
static int fault_locked(struct gofer_inode *gi, uint64_t pgoff, bool write, uint64_t pages, struct vm_frame *out)
{
	if (gi->map_copy)
		return fault_copy(gi, pgoff, write, out);
	struct gofer_chunk *c = chunk_get(gi, pgoff, write);
	if (PTR_ERR(c) == -ENODEV && IS_ERR(c)) {
		gi->map_copy = true;
		return fault_copy(gi, pgoff, write, out);
	}
	if (IS_ERR(c))
		return PTR_ERR(c) == -ENOMEM ? -ENOMEM : -EIO;
	out->pa = pa(c->pa.v + ((pgoff - c->first) << PAGE_SHIFT));
	out->page = NULL;
	out->npages = (uint32_t)(MIN(c->first + c->npages, pages) - pgoff);
	out->before = (uint32_t)(pgoff - c->first);
	out->writable = c->write;
	return 0;
}

static int gofer_fault(struct vma *vma, uint64_t pgoff, bool write, struct vm_frame *out)
{
	struct inode *inode = vma->mapping->host;
	struct gofer_inode *gi = gofer_i(inode);
	uint64_t pages = (READ_ONCE(inode->size) + PAGE_SIZE - 1) >> PAGE_SHIFT;
	if (pgoff >= pages) {
		/* Also where nobody else should change the file: a signal is dear, being wrong about it dearer. */
		if (!gofer_refresh(inode))
			pages = (READ_ONCE(inode->size) + PAGE_SIZE - 1) >> PAGE_SHIFT;
		if (pgoff >= pages)
			return -EFAULT;
	}
	mutex_lock(&gi->map_lock);
	int r = fault_locked(gi, pgoff, write, pages, out);
	mutex_unlock(&gi->map_lock);
	return r;
}

bool gofer_mmap_peek(struct gofer_inode *gi, void *buf, size_t n, uint64_t off)
{
	uint64_t size = READ_ONCE(gi->inode->size);
	bool ok = false;
	if (off > size || n > size - off)
		return false;
	mutex_lock(&gi->map_lock);
	struct gofer_chunk *c = NULL;
	if (gi->chunk_pages)
		c = chunk_find(gi, ROUND_DOWN(off >> PAGE_SHIFT, gi->chunk_pages));
	if (c) {
		uint64_t in = off - (c->first << PAGE_SHIFT), room = (c->npages << PAGE_SHIFT) - in;
		ok = n <= room && !arch_copy_fault(buf, (char *)direct(c->pa) + in, n);
	}
	mutex_unlock(&gi->map_lock);
	return ok;
}

static void gofer_vma_open(struct vma *vma)
{
	struct gofer_inode *gi = gofer_i(vma->mapping->host);
	mutex_lock(&gi->map_lock);
	gi->maps++;
	mutex_unlock(&gi->map_lock);
}

/* The last vma is gone: no entry names the windows, they may be kept or dropped. */
static void last_unmap(struct gofer_inode *gi)
{
	if (gi->map_copy) {
		(void)!copy_writeback(gi);
		mapping_truncate(&gi->inode->mapping, 0, UINT64_MAX >> PAGE_SHIFT);
	}
	if (gi->map_rw) {
		/* A kept writable window would keep the file writable: the next mapper starts over. */
		drop_chunks(gi);
		gofer_handle_release(gi, gi->map_rw);
		gi->map_rw = NULL;
		gofer_mark_stale(gi->inode);
	} else if (gi->nr_chunks) {
		idle_add(gi);
	}
}

static void gofer_vma_close(struct vma *vma)
{
	struct gofer_inode *gi = gofer_i(vma->mapping->host);
	mutex_lock(&gi->map_lock);
	if (!--gi->maps)
		last_unmap(gi);
	mutex_unlock(&gi->map_lock);
	if (READ_ONCE(windows.idle_chunks) > IDLE_CHUNKS_MAX)
		drop_oldest(NULL);
}

static bool gofer_recheck(struct inode *inode)
{
	uint64_t old = READ_ONCE(inode->size);
	if (gofer_refresh(inode))
		return false;
	uint64_t size = READ_ONCE(inode->size);
	bool any = mapping_unmap(&inode->mapping, (size + PAGE_SIZE - 1) >> PAGE_SHIFT, UINT64_MAX >> PAGE_SHIFT, true);
	return any || size < old;
}

static const struct vm_ops gofer_vm_ops = {
	.fault = gofer_fault,
	.recheck = gofer_recheck,
	.open = gofer_vma_open,
	.close = gofer_vma_close,
};

int gofer_mmap(struct file *file, struct vma *vma)
{
	struct inode *inode = file->inode;
	struct gofer_inode *gi = gofer_i(inode);
	int r = 0;
	mutex_lock(&gi->map_lock);
	if ((vma->flags & VMA_SHARED) && (file->mode & FMODE_WRITE) && !gi->map_rw) {
		struct gofer_handle *h = gofer_handle_open(gi, O_RDWR);
		if (IS_ERR(h))
			r = PTR_ERR(h);
		else
			gi->map_rw = h;
	}
	if (!r) {
		gi->maps++;
		idle_remove(gi);
	}
	mutex_unlock(&gi->map_lock);
	if (r)
		return r;
	vma->ops = &gofer_vm_ops;
	vma->mapping = &inode->mapping;
	return 0;
}

void gofer_mmap_evict(struct gofer_inode *gi)
{
	drop_chunks(gi);
	if (gi->map_rw)
		gofer_handle_put(gi->map_rw);
	gi->map_rw = NULL;
}
