/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared anonymous memory (MAP_SHARED | MAP_ANONYMOUS, shared /dev/zero): an object without a name whose pages live in
 * a mapping. Its size is fixed when it is made; a vma that mremap(2) grew past it gets SIGBUS there, as on Linux.
 */
#include "mm/mm_impl.h"

struct shm_anon {
	ref_t refs; /* one per vma */
	struct mapping mapping;
	uint64_t npages;
};

static void shm_open(struct vma *v)
{
	struct shm_anon *s = v->private;

	ref_get(&s->refs);
}

static void shm_close(struct vma *v)
{
	struct shm_anon *s = v->private;

	if (!ref_put(&s->refs))
		return;
	mapping_destroy(&s->mapping);
	kfree(s);
}

static int shm_fault(struct vma *v, uint64_t pgoff, bool write, struct vm_frame *out)
{
	struct shm_anon *s = v->private;

	if (pgoff >= s->npages)
		return -EFAULT;
	return mapping_vm_ops.fault(v, pgoff, write, out);
}

static const char *shm_name(struct vma *v)
{
	return "/dev/zero (deleted)";
}

static const struct vm_ops shm_anon_ops = {
	.fault = shm_fault,
	.open = shm_open,
	.close = shm_close,
	.name = shm_name,
};

bool vma_is_shared_anon(const struct vma *v)
{
	return v->ops == &shm_anon_ops;
}

int vma_make_shared_anon(struct vma *v)
{
	struct shm_anon *s = kzalloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	ref_init(&s->refs);
	mapping_init(&s->mapping, NULL);
	s->npages = vma_pages(v);
	v->pgoff = 0;
	v->private = s;
	v->mapping = &s->mapping;
	v->ops = &shm_anon_ops;
	return 0;
}

/* References for a caller that must leave mm->lock before it works on the object (MADV_REMOVE, mremap of size 0). */
void *shm_anon_get(struct vma *v)
{
	shm_open(v);
	return v->private;
}

void shm_anon_put(void *object)
{
	struct vma v = {.private = object};

	shm_close(&v);
}

void shm_anon_punch(void *object, uint64_t first, uint64_t last)
{
	struct shm_anon *s = object;

	mapping_truncate(&s->mapping, first, last);
}
