/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ring 3 touched a file window whose host file has become shorter. The platform cannot say where, so the sizes of all
 * mapped files are read again and entries beyond their ends dropped; the instruction then faults properly and gets its
 * SIGBUS from the file's fault handler. If nothing had changed, the signal is sent at once.
 */
#include "mm/mm_impl.h"
#include "signal/signal.h"

/* The first vma from addr on that shows a file through windows: a reference to the file and where to go on. */
static struct file *next_window_file(struct mm *mm, uint64_t *addr)
{
	struct file *f = NULL;

	rwsem_read_lock(&mm->lock);
	for (struct vma *v = vma_find(mm, *addr); v && !f; v = vma_next(v)) {
		*addr = v->end;
		if (v->file && v->ops && v->ops != &mapping_vm_ops && v->mapping)
			file_get(f = v->file);
	}
	rwsem_read_unlock(&mm->lock);
	return f;
}

void mm_handle_window_efault(void)
{
	struct mm *mm = current->mm;
	bool changed = false;
	uint64_t addr = 0;
	struct file *f, *last = NULL;

	while ((f = next_window_file(mm, &addr))) {
		struct kstat st;

		if (f != last && !vfs_getattr(&f->path, &st))
			changed |= mapping_unmap(&f->inode->mapping, PAGE_ALIGN(st.size) >> PAGE_SHIFT, UINT64_MAX, true);
		if (last)
			file_put(last);
		last = f;
	}
	if (last)
		file_put(last);
	if (!changed)
		signal_fault(SIGBUS, BUS_ADRERR, current->uc.trap_addr, 14, 0);
}
