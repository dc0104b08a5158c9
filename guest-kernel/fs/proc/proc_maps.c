// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/maps, smaps, smaps_rollup, statm and mem. */
#include "fs/proc/proc.h"

#include "lib/string.h"

#define KIB(pages) ((unsigned long long)(pages) * (PAGE_SIZE / 1024))

/* One line as proc(5) "/proc/pid/maps": the name starts in column 74. Caller holds mm->lock. */
static void show_vma_line(struct seq *s, struct vma *v, char *buf)
{
	uint64_t dev = 0, ino = 0, off = 0;
	if (v->file) {
		dev = v->file->inode->sb->dev;
		ino = v->file->inode->ino;
		off = v->pgoff << PAGE_SHIFT;
	}
	size_t start = s->len;
	seq_printf(s, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", (unsigned long long)v->start,
	           (unsigned long long)v->end, v->prot & PROT_READ ? 'r' : '-', v->prot & PROT_WRITE ? 'w' : '-',
	           v->prot & PROT_EXEC ? 'x' : '-', v->flags & VMA_SHARED ? 's' : 'p', (unsigned long long)off,
	           DEV_MAJOR(dev), DEV_MINOR(dev), (unsigned long long)ino);
	const char *name = NULL;
	if (v->file) {
		char *p = path_name_unmarked(&v->file->path, buf, PATH_MAX_);
		name = IS_ERR(p) ? NULL : p;
	}
	if (!name)
		name = vma_name(v);
	if (name) {
		while (s->len - start < 73 && !s->failed)
			seq_puts(s, " ");
		seq_escape(s, name, "\n");
	}
	seq_puts(s, "\n");
}

struct totals {
	struct vma_stats st;
	uint64_t size, locked;
};

static void stats_add(struct totals *t, const struct vma_stats *a)
{
	t->st.rss += a->rss;
	t->st.anon += a->anon;
	t->st.shared_clean += a->shared_clean;
	t->st.shared_dirty += a->shared_dirty;
	t->st.private_clean += a->private_clean;
	t->st.private_dirty += a->private_dirty;
}

static void show_stats(struct seq *s, const struct vma_stats *a, uint64_t locked)
{
	uint64_t pss = a->private_clean + a->private_dirty + (a->shared_clean + a->shared_dirty) / 2;
	seq_printf(s, "Rss:            %8llu kB\nPss:            %8llu kB\n", KIB(a->rss), KIB(pss));
	seq_printf(s, "Shared_Clean:   %8llu kB\nShared_Dirty:   %8llu kB\n", KIB(a->shared_clean), KIB(a->shared_dirty));
	seq_printf(s, "Private_Clean:  %8llu kB\nPrivate_Dirty:  %8llu kB\n", KIB(a->private_clean), KIB(a->private_dirty));
	seq_printf(s, "Referenced:     %8llu kB\nAnonymous:      %8llu kB\nLazyFree:       %8llu kB\n", KIB(a->rss),
	           KIB(a->anon), 0ULL);
	seq_puts(s, "AnonHugePages:         0 kB\nShmemPmdMapped:        0 kB\nFilePmdMapped:         0 kB\n"
	            "Shared_Hugetlb:        0 kB\nPrivate_Hugetlb:       0 kB\nSwap:                  0 kB\n"
	            "SwapPss:               0 kB\n");
	seq_printf(s, "Locked:         %8llu kB\n", KIB(locked));
}

static void show_vm_flags(struct seq *s, const struct vma *v)
{
	seq_puts(s, "VmFlags:");
	if (v->prot & PROT_READ)
		seq_puts(s, " rd");
	if (v->prot & PROT_WRITE)
		seq_puts(s, " wr");
	if (v->prot & PROT_EXEC)
		seq_puts(s, " ex");
	/* as Linux: a shared mapping of a file that is not open for writing can never differ from a private one */
	if ((v->flags & (VMA_SHARED | VMA_MAYWRITE)) == (VMA_SHARED | VMA_MAYWRITE))
		seq_puts(s, " sh");
	seq_puts(s, v->flags & VMA_MAYREAD ? " mr" : "");
	seq_puts(s, v->flags & VMA_MAYWRITE ? " mw" : "");
	seq_puts(s, v->flags & VMA_MAYEXEC ? " me" : "");
	seq_puts(s, v->flags & VMA_SHARED ? " ms" : "");
	if (v->flags & VMA_GROWSDOWN)
		seq_puts(s, " gd");
	if (v->flags & VMA_LOCKED)
		seq_puts(s, " lo");
	if (v->flags & VMA_NORESERVE)
		seq_puts(s, " nr");
	if (v->flags & VMA_DONTFORK)
		seq_puts(s, " dc");
	if (v->flags & VMA_DONTDUMP)
		seq_puts(s, " dd");
	if (v->flags & VMA_WIPEONFORK)
		seq_puts(s, " wf");
	seq_puts(s, " \n");
}

enum maps_kind { MAPS, SMAPS, ROLLUP };

static int show_all(struct seq *s, struct task *task, enum maps_kind kind)
{
	/* Also if the file was opened when another program ran. */
	struct mm *mm = proc_access_mm(task);
	if (!mm || IS_ERR(mm))
		return mm ? PTR_ERR(mm) : 0;
	char *buf = kmalloc(PATH_MAX_);
	if (!buf) {
		mm_put(mm);
		return -ENOMEM;
	}
	struct totals total = {0};
	uint64_t first = 0, last = 0;
	rwsem_read_lock(&mm->lock);
	for (struct vma *v = vma_find(mm, 0); v; v = vma_next(v)) {
		if (!last)
			first = v->start;
		last = v->end;
		if (kind != ROLLUP)
			show_vma_line(s, v, buf);
		if (kind == MAPS)
			continue;
		struct vma_stats st = {0};
		vma_stats(v, &st);
		stats_add(&total, &st);
		uint64_t locked = v->flags & VMA_LOCKED ? st.rss : 0;
		total.locked += locked;
		if (kind == SMAPS) {
			seq_printf(s, "Size:           %8llu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n",
			           (unsigned long long)(v->end - v->start) >> 10);
			show_stats(s, &st, locked);
			seq_puts(s, "THPeligible:    0\n");
			show_vm_flags(s, v);
		}
	}
	rwsem_read_unlock(&mm->lock);
	if (kind == ROLLUP) {
		seq_printf(s, "%08llx-%08llx ---p 00000000 00:00 0                          [rollup]\n", (unsigned long long)first,
		           (unsigned long long)last);
		show_stats(s, &total.st, total.locked);
	}
	kfree(buf);
	mm_put(mm);
	return 0;
}

int proc_show_maps(struct seq *s, const struct pseudo_ref *ref)
{
	return show_all(s, ref->task, MAPS);
}

int proc_show_smaps(struct seq *s, const struct pseudo_ref *ref)
{
	return show_all(s, ref->task, SMAPS);
}

int proc_show_smaps_rollup(struct seq *s, const struct pseudo_ref *ref)
{
	return show_all(s, ref->task, ROLLUP);
}

int proc_show_statm(struct seq *s, const struct pseudo_ref *ref)
{
	struct mm *mm = proc_task_mm(ref->task);
	if (!mm) {
		seq_puts(s, "0 0 0 0 0 0 0\n");
		return 0;
	}
	int64_t rss = mm->rss_anon + mm->rss_file + mm->rss_shmem;
	seq_printf(s, "%llu %lld %lld %llu 0 %llu 0\n", (unsigned long long)mm->total_vm, (long long)rss,
	           (long long)(mm->rss_file + mm->rss_shmem), (unsigned long long)mm->exec_vm,
	           (unsigned long long)(mm->data_vm + mm->stack_vm));
	mm_put(mm);
	return 0;
}

/* ---- mem: the memory of another process, by address ---- */

static int mem_open(struct inode *inode, struct file *file)
{
	struct task *t = pseudo_ref_of(inode)->task;
	struct mm *mm = proc_access_mm(t);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	if (mm) {
		mm_hold(mm);
		mm_put(mm);
	}
	file->private = mm;
	return 0;
}

static void mem_release(struct file *file)
{
	if (file->private)
		mm_release(file->private);
}

/* Moves bytes page by page through a bounce page. */
static ssize_t_ mem_move(struct file *file, struct iter *it, uint64_t *pos, bool write)
{
	struct mm *mm = file->private;
	if (!mm || !mm_get_live(mm))
		return 0;
	char *page = kmalloc(PAGE_SIZE);
	if (!page) {
		mm_put(mm);
		return -ENOMEM;
	}
	ssize_t_ done = 0, err = 0;
	while (it->count) {
		size_t n = MIN(it->count, PAGE_SIZE - (*pos & (PAGE_SIZE - 1)));
		ssize_t_ got;
		if (write) {
			if (iter_copy_from(it, page, n) != n) {
				err = -EFAULT;
				break;
			}
			got = mm_copy_out(mm, *pos, page, n, true);
		} else {
			got = mm_copy_in(mm, page, *pos, n, true);
			if (got > 0 && iter_copy_to(it, page, (size_t)got) != (size_t)got)
				got = -EFAULT;
		}
		if (got <= 0) {
			err = -EIO;
			break;
		}
		*pos += (uint64_t)got;
		done += got;
		if ((size_t)got < n)
			break;
	}
	kfree(page);
	mm_put(mm);
	return done ? done : err;
}

static ssize_t_ mem_read(struct file *file, struct iter *to, uint64_t *pos)
{
	return mem_move(file, to, pos, false);
}

static ssize_t_ mem_write(struct file *file, struct iter *from, uint64_t *pos)
{
	return mem_move(file, from, pos, true);
}

static int64_t mem_llseek(struct file *file, int64_t off, int whence)
{
	if (whence == 1)
		off += (int64_t)file->pos;
	else if (whence != 0)
		return -EINVAL;
	file->pos = (uint64_t)off;
	return off;
}

const struct file_ops proc_mem_fops = {
	.open = mem_open, .release = mem_release, .read = mem_read, .write = mem_write, .llseek = mem_llseek};
