/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of vmas of an address space: search, insert, split, merge, and the page counts that follow from it.
 * mm->lock is held for writing, or for reading by the searches. References to files are dropped only by vma_free,
 * without locks, because the last one may take inode mutexes, which come before mm->lock.
 */
#include "mm/mm_impl.h"

static struct vma *vma_of(struct rb_node *n)
{
	return n ? rb_entry(n, struct vma, node) : NULL;
}

struct vma *vma_find(struct mm *mm, uint64_t addr)
{
	struct rb_node *n = mm->vmas.node;
	struct vma *best = NULL;

	while (n) {
		struct vma *v = vma_of(n);

		if (v->end > addr) {
			best = v;
			if (v->start <= addr)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

struct vma *vma_first(struct mm *mm) { return vma_of(rb_first(&mm->vmas)); }
struct vma *vma_next(struct vma *v) { return vma_of(rb_next(&v->node)); }
struct vma *vma_prev(struct vma *v) { return vma_of(rb_prev(&v->node)); }

/* Adds (or with a negative count takes) pages of v to the totals of its mm. */
static void account(struct vma *v, int64_t pages)
{
	struct mm *mm = v->mm;

	mm->total_vm += pages;
	if (v->flags & VMA_LOCKED)
		mm->locked_vm += pages;
	if (v->flags & VMA_GROWSDOWN)
		mm->stack_vm += pages;
	else if (vma_is_data(v->prot, v->flags))
		mm->data_vm += pages;
	else if ((v->prot & PROT_EXEC) && !(v->prot & PROT_WRITE))
		mm->exec_vm += pages;
}

struct vma *vma_alloc(struct mm *mm)
{
	struct vma *v = kzalloc(sizeof(*v));

	if (!v)
		return NULL;
	v->mm = mm;
	list_init(&v->mapping_link);
	return v;
}

struct vma *vma_dup(const struct vma *v, struct mm *mm)
{
	struct vma *n = kmalloc(sizeof(*n));

	if (!n)
		return NULL;
	*n = *v;
	n->mm = mm;
	list_init(&n->mapping_link);
	n->writer = false;
	if (n->file)
		file_get(n->file);
	if (n->label)
		ref_get(&n->label->refs);
	return n;
}

void vma_free(struct vma *v)
{
	mapping_forget(v);
	if (v->ops && v->ops->close)
		v->ops->close(v);
	if (v->file)
		file_put(v->file);
	if (v->label && ref_put(&v->label->refs))
		kfree(v->label);
	kfree(v);
}

void vma_free_list(struct list_node *dead)
{
	struct vma *v, *tmp;

	list_for_each_entry_safe(v, tmp, dead, mapping_link) {
		list_del(&v->mapping_link);
		vma_free(v);
	}
}

void vma_insert(struct vma *v)
{
	struct rb_node **link = &v->mm->vmas.node, *parent = NULL;

	while (*link) {
		struct vma *o = vma_of(*link);

		parent = *link;
		BUG_ON(v->start < o->end && v->end > o->start);
		link = v->start < o->start ? &parent->left : &parent->right;
	}
	rb_link(&v->node, parent, link);
	rb_insert_fixup(&v->mm->vmas, &v->node);
	v->mm->nr_vmas++;
	account(v, vma_pages(v));
	mapping_link(v);
}

void vma_remove(struct vma *v)
{
	mapping_unlink(v);
	account(v, -(int64_t)vma_pages(v));
	rb_erase(&v->mm->vmas, &v->node);
	v->mm->nr_vmas--;
}

void vma_set_range(struct vma *v, uint64_t start, uint64_t end, uint64_t pgoff)
{
	account(v, -(int64_t)vma_pages(v));
	if (v->mapping)
		spin_lock(&v->mapping->lock);
	v->start = start;
	v->end = end;
	v->pgoff = pgoff;
	if (v->mapping)
		spin_unlock(&v->mapping->lock);
	account(v, vma_pages(v));
}

void vma_set_prot(struct vma *v, uint32_t prot, uint32_t flags)
{
	account(v, -(int64_t)vma_pages(v));
	v->prot = prot;
	v->flags = flags;
	account(v, vma_pages(v));
}

static int vma_split(struct vma *v, uint64_t addr)
{
	struct vma *n;
	uint64_t end = v->end, pgoff = vma_pgoff(v, addr);

	if (v->mm->nr_vmas >= MAX_MAP_COUNT)
		return -ENOMEM;
	n = vma_dup(v, v->mm);
	if (!n)
		return -ENOMEM;
	n->start = addr;
	n->end = end;
	n->pgoff = pgoff;
	/* The mapping lists the new part before the old one shrinks: mapping_unmap may see a page twice, but misses none. */
	mapping_link(n);
	vma_set_range(v, v->start, addr, v->pgoff);
	vma_insert(n);
	if (n->ops && n->ops->open)
		n->ops->open(n);
	return 0;
}

int vma_isolate(struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma *v = vma_find(mm, start);
	int r;

	if (v && v->start < start) {
		r = vma_split(v, start);
		if (r)
			return r;
	}
	v = vma_find(mm, end - 1);
	if (v && v->start < end && v->end > end)
		return vma_split(v, end);
	return 0;
}

/* a ends where b starts and nothing but the address tells them apart. */
static bool mergeable(const struct vma *a, const struct vma *b)
{
	if (a->end != b->start || a->prot != b->prot || a->flags != b->flags || a->file != b->file ||
	    a->mapping != b->mapping || a->ops != b->ops || a->private != b->private || (a->flags & VMA_SPECIAL) ||
	    (a->ops && a->ops->close))
		return false;
	if (a->label != b->label && !(a->label && b->label && !strcmp(a->label->text, b->label->text)))
		return false;
	return vma_is_private_anon(a) || a->pgoff + vma_pages(a) == b->pgoff;
}

static struct vma *absorb(struct vma *a, struct vma *b)
{
	uint64_t end = b->end;

	/* The mapping sees a grown before b goes, so that mapping_unmap misses no page. */
	if (a->mapping) {
		spin_lock(&a->mapping->lock);
		a->end = end;
		spin_unlock(&a->mapping->lock);
	}
	vma_remove(b);
	a->end = b->start;
	vma_set_range(a, a->start, end, a->pgoff);
	a->fault_next = b->fault_next;
	a->fault_window = b->fault_window;
	vma_free(b); /* a holds the same file and label: these are not the last references */
	return a;
}

struct vma *vma_merge(struct vma *v)
{
	struct vma *prev = vma_prev(v), *next = vma_next(v);

	if (prev && mergeable(prev, v))
		v = absorb(prev, v);
	if (next && mergeable(v, next))
		v = absorb(v, next);
	return v;
}

const char *vma_name(struct vma *v)
{
	if (v->ops && v->ops->name)
		return v->ops->name(v);
	if (v->file)
		return NULL;
	if (v->flags & VMA_HEAP)
		return "[heap]";
	if (v->start <= v->mm->start_stack && v->end >= v->mm->start_stack)
		return "[stack]";
	return v->label ? v->label->text : NULL;
}
