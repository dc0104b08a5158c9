/* SPDX-License-Identifier: Apache-2.0 */
/* Pages that the kernel shows to applications: vDSO and its data. Shared, never merged, never written by them. */
#include "mm/mm_impl.h"

#define SPECIAL_MAX 16

struct special {
	ref_t refs; /* one per vma */
	const char *name;
	uint32_t npages;
	struct page *page[SPECIAL_MAX];
};

static int special_fault(struct vma *v, uint64_t pgoff, bool write, struct vm_frame *out)
{
	struct special *s = v->private;

	if (pgoff >= s->npages)
		return -EFAULT;
	page_get(s->page[pgoff]);
	*out = (struct vm_frame){.pa = page_to_pa(s->page[pgoff]), .page = s->page[pgoff], .npages = 1};
	return 0;
}

static void special_open(struct vma *v)
{
	struct special *s = v->private;

	ref_get(&s->refs);
}

static void special_close(struct vma *v)
{
	struct special *s = v->private;

	if (!ref_put(&s->refs))
		return;
	for (uint32_t i = 0; i < s->npages; i++)
		page_put(s->page[i]);
	kfree(s);
}

static const char *special_name(struct vma *v)
{
	struct special *s = v->private;

	return s->name;
}

static const struct vm_ops special_vm_ops = {
	.fault = special_fault,
	.open = special_open,
	.close = special_close,
	.name = special_name,
};

int64_t mm_map_special(struct mm *mm, uint64_t addr, struct page **pages, int npages, uint32_t prot, const char *name)
{
	uint64_t len = (uint64_t)npages * PAGE_SIZE;
	struct special *s;
	struct vma *v;
	int64_t r;

	if (npages <= 0 || npages > SPECIAL_MAX)
		return -EINVAL;
	s = kzalloc(sizeof(*s));
	v = vma_alloc(mm);
	if (!s || !v) {
		kfree(s);
		kfree(v);
		return -ENOMEM;
	}
	ref_init(&s->refs);
	s->name = name;
	s->npages = npages;
	for (int i = 0; i < npages; i++) {
		s->page[i] = pages[i];
		page_get(pages[i]);
	}
	v->private = s;
	v->ops = &special_vm_ops;
	v->prot = prot;
	v->flags = VMA_SPECIAL | VMA_MAYREAD | VMA_MAYEXEC | VMA_MAYWRITE;

	rwsem_write_lock(&mm->lock);
	r = mm_find_free(mm, addr, len, 0);
	if (r >= 0) {
		v->start = r;
		v->end = r + len;
		vma_insert(v);
	}
	rwsem_write_unlock(&mm->lock);
	if (r < 0)
		vma_free(v);
	return r;
}
