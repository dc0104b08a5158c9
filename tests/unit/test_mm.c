/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address spaces without a machine: rbtree and page cache against models, and a long random run of the mmap family,
 * faults and forks against a byte-per-page model of what each address should hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mm_env.h"
#include "mm/mm_impl.h"
#include "syscall/syscall.h"

static uint32_t seed = 12345;
static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static uint64_t backed_now(void)
{
	struct page_stats s;

	page_stats(&s);
	return s.total - s.free;
}

/* ---- rbtree ---- */
struct item {
	struct rb_node node;
	uint32_t key;
	bool in;
};

/* Black height, or -1 if a rule is broken. */
static int check_node(struct rb_node *n, struct rb_node *parent)
{
	if (!n)
		return 1;
	if (n->parent != parent || (n->red && ((n->left && n->left->red) || (n->right && n->right->red))))
		return -1;
	int l = check_node(n->left, n), r = check_node(n->right, n);
	return l < 0 || l != r ? -1 : l + !n->red;
}

static void test_rbtree(void **state)
{
	static struct item items[512];
	struct rb_root root = {NULL};
	unsigned count = 0;

	for (unsigned i = 0; i < 20000; i++) {
		struct item *it = &items[rnd(512)];

		it->key = it - items;
		if (it->in) {
			rb_erase(&root, &it->node);
			count--;
		} else {
			struct rb_node **link = &root.node, *parent = NULL;

			while (*link) {
				parent = *link;
				link = it->key < rb_entry(parent, struct item, node)->key ? &parent->left : &parent->right;
			}
			rb_link(&it->node, parent, link);
			rb_insert_fixup(&root, &it->node);
			count++;
		}
		it->in = !it->in;
		assert_true(check_node(root.node, NULL) > 0);
	}
	unsigned seen = 0;
	int64_t last = -1;
	for (struct rb_node *n = rb_first(&root); n; n = rb_next(n), seen++) {
		assert_true(rb_entry(n, struct item, node)->key > last);
		last = rb_entry(n, struct item, node)->key;
		assert_true(!rb_next(n) || rb_prev(rb_next(n)) == n);
	}
	assert_int_equal(seen, count);
}

/* ---- allocator ---- */
static void test_pages(void **state)
{
	static struct page *p[3000];
	uint64_t before = backed_now();
	struct page_stats s;

	for (unsigned round = 0; round < 20000; round++) {
		unsigned i = rnd(3000);

		if (p[i]) {
			memset(page_address(p[i]), 0xee, PAGE_SIZE << p[i]->order);
			page_put(p[i]);
			p[i] = NULL;
		} else {
			bool zero = rnd(2);
			unsigned order = rnd(8) ? 0 : rnd(5);

			p[i] = page_alloc(order, zero ? PAGE_ALLOC_ZERO : 0);
			assert_non_null(p[i]);
			assert_int_equal(page_to_pa(p[i]).v & ((PAGE_SIZE << order) - 1), 0);
			for (unsigned k = 0; zero && k < PAGE_SIZE << order; k += 512)
				assert_int_equal(((char *)page_address(p[i]))[k], 0);
		}
		if (round % 1000 == 0)
			page_reclaim_idle();
	}
	for (unsigned i = 0; i < 3000; i++)
		if (p[i])
			page_put(p[i]);
	assert_int_equal(backed_now(), before);
	page_reclaim_idle();
	page_reclaim_idle();
	page_stats(&s);
	assert_true(s.backed <= before + 256);
}

static void test_kmalloc(void **state)
{
	static char *p[2000];
	static size_t len[2000];
	struct page_stats s0, s1;

	page_stats(&s0);
	for (unsigned round = 0; round < 40000; round++) {
		unsigned i = rnd(2000);

		if (p[i]) {
			for (size_t k = 0; k < len[i]; k += 7)
				assert_int_equal((unsigned char)p[i][k], i & 255);
			if (rnd(4)) {
				kfree(p[i]);
				p[i] = NULL;
			} else {
				size_t n = rnd(5000) + 1;
				p[i] = krealloc(p[i], n);
				assert_non_null(p[i]);
				for (size_t k = 0; k < MIN(n, len[i]); k += 7)
					assert_int_equal((unsigned char)p[i][k], i & 255);
				len[i] = n;
				memset(p[i], i & 255, n);
			}
		} else {
			len[i] = rnd(20) ? rnd(3000) + 1 : rnd(40000) + 1;
			p[i] = kmalloc(len[i]);
			assert_non_null(p[i]);
			memset(p[i], i & 255, len[i]);
		}
	}
	for (unsigned i = 0; i < 2000; i++)
		kfree(p[i]);
	page_stats(&s1);
	assert_true(s1.slab <= s0.slab + 32); /* one empty slab per class may stay */
}

/* ---- page cache ---- */
static void test_mapping(void **state)
{
	static enum { NONE, UNTOUCHED, USED } model[5000];
	const uint64_t scale = 0x123457; /* spreads indexes over a deep tree */
	uint64_t before = backed_now();
	struct mapping m;

	mapping_init(&m, NULL);
	for (unsigned round = 0; round < 20000; round++) {
		unsigned i = rnd(5000);
		struct page *p;

		switch (rnd(10)) {
		case 0: {
			unsigned last = MIN(i + rnd(50), 4999u);
			mapping_truncate(&m, i * scale, last * scale);
			for (unsigned k = i; k <= last; k++)
				model[k] = NONE;
			break;
		}
		case 2:
			assert_int_equal(mapping_reserve(&m, i * scale), 0);
			model[i] = model[i] == NONE ? UNTOUCHED : USED;
			break;
		case 3: {
			unsigned last = MIN(i + rnd(500), 4999u);
			mapping_unreserve(&m, i * scale, last * scale);
			for (unsigned k = i; k <= last; k++)
				model[k] = model[k] == USED ? USED : NONE;
			break;
		}
		case 1: {
			uint64_t next = mapping_next(&m, i * scale);
			unsigned k = i;
			while (k < 5000 && !model[k])
				k++;
			assert_int_equal(next, k == 5000 ? UINT64_MAX : k * scale);
			break;
		}
		default:
			p = mapping_page(&m, i * scale, rnd(2));
			assert_true(p || !model[i]);
			if (p) {
				model[i] = USED;
				assert_int_equal(p->index, i * scale);
				page_put(p);
			}
		}
	}
	mapping_destroy(&m);
	assert_int_equal(m.nr_pages, 0);
	assert_true(backed_now() <= before + 2);
}

/* ---- address spaces ---- */
#define BASE   0x10000000UL
#define NPAGES 3000u
#define SPACES 3

/* What a page of the arena is: 0 unmapped; else protection + 1. */
struct model {
	struct mm *mm;
	uint8_t map[NPAGES];
	uint32_t value[NPAGES]; /* first word of the page */
	uint64_t shared[NPAGES]; /* identity of a shared page, 0 private */
};
static struct model space[SPACES];
#define SHARED_MAX 100000
static uint32_t shared_value[SHARED_MAX];
static uint64_t next_shared = 1;

static uint64_t at(unsigned page) { return BASE + (uint64_t)page * PAGE_SIZE; }

static uint32_t *value_of(struct model *s, unsigned i)
{
	return s->shared[i] ? &shared_value[s->shared[i]] : &s->value[i];
}

static void check_tree(struct mm *mm)
{
	uint64_t last = 0, pages = 0;
	unsigned n = 0;

	for (struct vma *v = vma_first(mm); v; v = vma_next(v), n++) {
		assert_true(v->start < v->end && v->start >= last);
		last = v->end;
		pages += vma_pages(v);
	}
	assert_int_equal(n, mm->nr_vmas);
	assert_int_equal(pages, mm->total_vm);
}

static void op_touch(struct model *s, unsigned i)
{
	bool write = rnd(2);
	uint32_t v = 0;
	int r;

	env_set_mm(s->mm);
	if (write) {
		v = seed;
		r = copy_out(uva(at(i)), &v, 4);
		assert_int_equal(r, s->map[i] && ((s->map[i] - 1) & PROT_WRITE) ? 0 : -EFAULT);
		if (!r)
			*value_of(s, i) = v;
	} else {
		r = copy_in(&v, uva(at(i)), 4);
		assert_int_equal(r, s->map[i] > 1 ? 0 : -EFAULT);
		if (!r)
			assert_int_equal(v, *value_of(s, i));
	}
}

static void op_map(struct model *s, unsigned i, unsigned n)
{
	bool shared = !rnd(4) && next_shared + n < SHARED_MAX;
	uint32_t prot = rnd(4);
	int64_t r = mm_mmap(s->mm, at(i), n * PAGE_SIZE, prot,
	                    MAP_FIXED | MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE) | (rnd(8) ? 0 : MAP_POPULATE) |
	                    (rnd(8) ? 0 : MAP_NORESERVE), NULL, 0);

	assert_int_equal(r, at(i));
	for (unsigned k = i; k < i + n; k++) {
		s->map[k] = prot + 1;
		s->value[k] = 0;
		s->shared[k] = shared ? next_shared++ : 0;
	}
}

static void op_unmap(struct model *s, unsigned i, unsigned n)
{
	assert_int_equal(mm_munmap(s->mm, at(i), n * PAGE_SIZE), 0);
	memset(&s->map[i], 0, n);
	memset(&s->shared[i], 0, n * sizeof(s->shared[0]));
}

static void op_protect(struct model *s, unsigned i, unsigned n)
{
	uint32_t prot = rnd(4);
	unsigned k = i;
	int r = mm_mprotect(s->mm, at(i), n * PAGE_SIZE, prot);

	for (; k < i + n && s->map[k]; k++)
		s->map[k] = prot + 1;
	assert_int_equal(r, k == i + n ? 0 : -ENOMEM);
}

static void op_dontneed(struct model *s, unsigned i, unsigned n)
{
	struct sysargs a = {{.rdi = at(i), .rsi = n * PAGE_SIZE, .rdx = MADV_DONTNEED}};
	bool hole = false;

	env_set_mm(s->mm);
	for (unsigned k = i; k < i + n; k++) {
		if (!s->map[k])
			hole = true;
		else if (!s->shared[k])
			s->value[k] = 0;
	}
	assert_int_equal(sys_madvise(&a), hole ? -ENOMEM : 0);
}

static void op_remap(struct model *s, unsigned i, unsigned n, unsigned to)
{
	struct sysargs a = {{.rdi = at(i), .rsi = n * PAGE_SIZE, .rdx = n * PAGE_SIZE, .r10 = MREMAP_MAYMOVE | MREMAP_FIXED,
	                     .r8 = at(to)}};
	struct vma *v;

	if (i + n > to && to + n > i)
		return;
	env_set_mm(s->mm);
	v = vma_find(s->mm, at(i));
	bool one = v && v->start <= at(i) && v->end >= at(i) + n * PAGE_SIZE;
	int64_t r = sys_mremap(&a);
	if (!one) {
		assert_int_equal(r, -EFAULT);
		return;
	}
	assert_int_equal(r, at(to));
	memcpy(&s->map[to], &s->map[i], n);
	memcpy(&s->value[to], &s->value[i], n * 4);
	memcpy(&s->shared[to], &s->shared[i], n * 8);
	memset(&s->map[i], 0, n);
	memset(&s->shared[i], 0, n * 8);
}

static void op_fork(struct model *s, struct model *d)
{
	if (s == d)
		return;
	if (d->mm)
		mm_put(d->mm);
	*d = *s;
	if (rnd(2))
		mm_get(s->mm); /* looks like a second thread: copy-on-write instead of copying */
	bool two = s->mm->users.n == 2;
	d->mm = mm_fork(s->mm);
	if (two)
		mm_put(s->mm);
	assert_non_null(d->mm);
}

static void test_random(void **state)
{
	uint64_t before = backed_now();

	for (unsigned i = 0; i < SPACES; i++) {
		space[i].mm = mm_create();
		assert_non_null(space[i].mm);
	}
	for (unsigned round = 0; round < 200000; round++) {
		struct model *s = &space[rnd(SPACES)];
		unsigned i = rnd(NPAGES), n = MIN(rnd(40) + 1, NPAGES - i), op = rnd(100);

		if (op < 70)
			op_touch(s, i);
		else if (op < 78)
			op_map(s, i, n);
		else if (op < 82)
			op_unmap(s, i, n);
		else if (op < 90)
			op_protect(s, i, n);
		else if (op < 94)
			op_dontneed(s, i, n);
		else if (op < 99)
			op_remap(s, i, n, rnd(NPAGES - n));
		else if (!rnd(10))
			op_fork(s, &space[rnd(SPACES)]);
		if (round % 64 == 0)
			check_tree(s->mm);
	}
	for (unsigned i = 0; i < SPACES; i++)
		mm_put(space[i].mm);
	env_set_mm(NULL);
	assert_int_equal(env_counts.spaces, 0);
	assert_true(backed_now() <= before + 40);
	assert_int_equal(page_counters.user, 0);
	assert_true(page_counters.page_tables == 0);
}

static void test_window(void **state)
{
	struct mm *mm = mm_create();
	const uint32_t fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
	uint64_t start = WINDOW_BASE - (1UL << 40), len = WINDOW_END + (1UL << 40) - start;
	uint64_t *pml4 = direct(mm->pml4);

	assert_int_equal(mm_mmap(mm, WINDOW_BASE, PAGE_SIZE, PROT_READ, fixed, NULL, 0), -ENOMEM);
	assert_int_equal(mm_mmap(mm, start, len, PROT_NONE, fixed, NULL, 0), start);
	assert_int_equal(mm_mprotect(mm, WINDOW_BASE, PAGE_SIZE, PROT_READ), -ENOMEM);
	assert_int_equal(mm_fault_in(mm, WINDOW_BASE, false), -EFAULT);
	assert_int_equal(mm_mprotect(mm, start, PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(mm_fault_in(mm, start, true), 0);
	assert_int_equal(mm_munmap(mm, start, len), 0);
	assert_int_equal(pml4[WINDOW_PML4_FIRST], 0x1003);
	assert_int_equal(mm->total_vm, 0);
	mm_put(mm);
}

static void check_hidden(struct mm *mm, uint64_t addr)
{
	uint64_t e = mmu_get(mm, addr);

	assert_true(e && !(e & PTE_P));
	assert_true(pte_pa(e).v && pte_pa(e).v < RAM_PA_END);
	assert_true((e & PTE_ADDR) > 1UL << 51);
}

/* An inaccessible page keeps its frame and what it holds, but its entry does not say where that is, whoever makes it. */
static void test_inaccessible(void **state)
{
	struct mm *mm = mm_create(), *child;
	uint64_t a = (uint64_t)mm_mmap(mm, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0), was;
	uint64_t b = (uint64_t)mm_mmap(mm, 0, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	char c = 'x';

	assert_int_equal(mm_copy_out(mm, a, &c, 1, false), 1);
	was = mmu_get(mm, a);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(mm_mprotect(mm, a, PAGE_SIZE, PROT_NONE), 0);
		check_hidden(mm, a);
		assert_int_equal(pte_pa(mmu_get(mm, a)).v, pte_pa(was).v);
	}
	assert_int_equal(mm_copy_in(mm, &c, b, 1, true), 1); /* a tracer reads */
	assert_int_equal(c, 0);
	check_hidden(mm, b);
	c = 'y';
	assert_int_equal(mm_copy_out(mm, b, &c, 1, true), 1); /* and writes */
	check_hidden(mm, b);
	child = mm_fork(mm);
	assert_non_null(child);
	check_hidden(child, a);
	check_hidden(child, b);
	mm_put(child);
	assert_int_equal(mm_mprotect(mm, a, PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(mm_mprotect(mm, b, PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(pte_pa(mmu_get(mm, a)).v, pte_pa(was).v);
	assert_int_equal(mm_copy_in(mm, &c, a, 1, false), 1);
	assert_int_equal(c, 'x');
	assert_int_equal(mm_copy_in(mm, &c, b, 1, false), 1);
	assert_int_equal(c, 'y');
	mm_put(mm);
}

/* 64 MiB touched in order take few faults. */
static void test_sequential(void **state)
{
	struct mm *mm = mm_create();
	int64_t a = mm_mmap(mm, 0, 64UL << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	unsigned faults = 0;

	assert_true(a > 0);
	for (uint64_t p = a; p < a + (64UL << 20); p += PAGE_SIZE) {
		if (mmu_get(mm, p) & PTE_W)
			continue;
		assert_int_equal(mm_fault_in(mm, p, true), 0);
		faults++;
	}
	assert_true(faults < 60);
	mm_put(mm);
}

static void test_stack(void **state)
{
	struct mm *mm = mm_create();
	uint64_t top = 0x7ff000000000;

	assert_int_equal(mm_mmap(mm, top - PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE,
	                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, NULL, 0), top - PAGE_SIZE);
	assert_int_equal(mm_fault_in(mm, top - (4UL << 20), true), 0);
	assert_int_equal(mm_fault_in(mm, top - (9UL << 20), true), -EFAULT);
	assert_int_equal(mm->stack_vm, 1024);
	mm_put(mm);
}

/* Windows of mixed sizes up to several slots: none crosses a slot, none overlaps, and all of the space comes back. */
static void test_file_windows(void **state)
{
	enum { COUNT = 600 };
	static pa_t at[COUNT];
	pa_t first = filewin_alloc(1);

	filewin_free(first, 1);
	for (int i = 0; i < COUNT; i++) {
		uint64_t pages = i % 3 ? 512 : 16, end;

		at[i] = filewin_alloc(pages);
		end = at[i].v + pages * PAGE_SIZE;
		assert_true(at[i].v >= FILEWIN_PA && end <= FILEWIN_PA_END);
		assert_int_equal(at[i].v / FILEWIN_SLOT_SIZE, (end - 1) / FILEWIN_SLOT_SIZE);
		for (int j = 0; j < i; j++)
			assert_true(at[j].v >= end || at[j].v + (j % 3 ? 512 : 16) * PAGE_SIZE <= at[i].v);
	}
	for (int i = 0; i < COUNT; i++)
		filewin_free(at[i], i % 3 ? 512 : 16);
	at[0] = filewin_alloc(1);
	assert_int_equal(at[0].v, first.v);
	filewin_free(at[0], 1);
	assert_int_equal(filewin_alloc((FILEWIN_SLOT_SIZE >> PAGE_SHIFT) + 1).v, 0);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rbtree), cmocka_unit_test(test_pages), cmocka_unit_test(test_kmalloc),
		cmocka_unit_test(test_mapping), cmocka_unit_test(test_window), cmocka_unit_test(test_inaccessible),
		cmocka_unit_test(test_sequential),
		cmocka_unit_test(test_stack), cmocka_unit_test(test_file_windows), cmocka_unit_test(test_random),
	};

	page_init(RAM_CHUNK_SIZE, ENV_RAM_LIMIT);
	mm_init();
	return cmocka_run_group_tests_name("mm", tests, NULL, NULL);
}

int main(void)
{
	return env_run(run);
}
