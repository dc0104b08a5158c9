/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ring 3 touched a file window whose host file has become shorter. The platform cannot say where, so the sizes of all
 * mapped files are read again and entries beyond their ends dropped; the instruction then faults properly and gets its
 * SIGBUS from the file's fault handler.
 *
 * If nothing was dropped, another task may have done it a moment ago, so the instruction is tried once more; failing
 * again (the host cannot read the file) it gets the signal here.
 */
#include "mm/mm_impl.h"
#include "signal/signal.h"

struct window_vma {
	struct file *file; /* a reference: keeps host alive */
	struct inode *host;
	const struct vm_ops *ops;
};

/* The first vma from addr on that shows a host file: false if there is none. Moves addr behind it. */
static bool next_window(struct mm *mm, uint64_t *addr, struct window_vma *w)
{
	bool found = false;

	rwsem_read_lock(&mm->lock);
	for (struct vma *v = vma_find(mm, *addr); v && !found; v = vma_next(v)) {
		*addr = v->end;
		if (!v->file || !v->ops || !v->ops->recheck)
			continue;
		file_get(v->file);
		*w = (struct window_vma){v->file, v->mapping->host, v->ops};
		found = true;
	}
	rwsem_read_unlock(&mm->lock);
	return found;
}

void mm_handle_window_efault(void)
{
	struct task *t = current;
	const struct inode *last = NULL;
	struct window_vma w;
	bool changed = false;
	uint64_t addr = 0;

	while (next_window(t->mm, &addr, &w)) {
		if (w.host != last)
			changed |= w.ops->recheck(w.host);
		last = w.host;
		file_put(w.file);
	}
	if (changed) {
		t->efault_rip = 0;
	} else if (t->efault_rip != t->uc.regs.rip) {
		t->efault_rip = t->uc.regs.rip;
	} else {
		t->efault_rip = 0;
		signal_fault(SIGBUS, BUS_ADRERR, t->uc.trap_addr, 14, 0);
	}
}
