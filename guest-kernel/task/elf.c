/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF programs (elf(5)): x86-64 executables, static, position-independent or with an interpreter, mapped where Linux
 * maps them. The headers are hostile: they are copied once and every sum is checked. What Linux refuses before it
 * commits to the new program is refused in elf_prepare with the same error; what it finds out later ends the process
 * (elf_load fails, the caller kills).
 */
#include "boot/boot.h"
#include "lib/log.h"
#include "lib/string.h"
#include "task/exec.h"
#include "task/random.h"

#define ET_DYN_BASE   (USER_MAX / 3 * 2 & ~(PAGE_SIZE - 1))
#define MMAP_RND_BITS 28
#define BRK_RND       0x02000000UL
#define PHDRS_MAX     65536u

/* ---- headers ---- */
static bool header_ok(const Elf64_Ehdr *e)
{
	return memcmp(e->e_ident, ELFMAG, SELFMAG) == 0 && (e->e_type == ET_EXEC || e->e_type == ET_DYN) &&
	       e->e_machine == EM_X86_64;
}

static int read_exact(struct file *f, const struct exec_head *h, void *buf, size_t n, uint64_t off)
{
	if (off > INT64_MAX - n)
		return -EINVAL;
	if (off + n <= h->n) {
		memcpy(buf, h->bytes + off, n);
		return 0;
	}
	ssize_t_ r = file_read_kernel(f, buf, n, off);
	if (r < 0)
		return (int)r;
	return (size_t)r == n ? 0 : -EIO;
}

static Elf64_Phdr *read_phdrs(struct file *f, const struct exec_head *h, const Elf64_Ehdr *e)
{
	size_t size = (size_t)e->e_phnum * sizeof(Elf64_Phdr);

	if (e->e_phentsize != sizeof(Elf64_Phdr) || size == 0 || size > PHDRS_MAX || e->e_phoff > INT64_MAX - size)
		return NULL;
	Elf64_Phdr *p = kmalloc(size);
	if (p && read_exact(f, h, p, size, e->e_phoff)) {
		kfree(p);
		return NULL;
	}
	return p;
}

/* The interpreter's name from PT_INTERP; kmalloc'ed or ERR_PTR. */
static char *read_interp_name(struct file *f, const struct exec_head *h, const Elf64_Phdr *ph)
{
	if (ph->p_filesz > PATH_MAX_ || ph->p_filesz < 2)
		return ERR_PTR(-ENOEXEC);
	char *name = kmalloc(ph->p_filesz);
	if (!name)
		return ERR_PTR(-ENOMEM);
	int err = read_exact(f, h, name, ph->p_filesz, ph->p_offset);
	if (!err && name[ph->p_filesz - 1] != 0)
		err = -ENOEXEC;
	if (err) {
		kfree(name);
		return ERR_PTR(err);
	}
	return name;
}

static int open_interp(struct exec_image *x, struct exec_head *h, const Elf64_Phdr *ph)
{
	char *name = read_interp_name(x->file, h, ph);

	if (IS_ERR(name))
		return PTR_ERR(name);
	/* The empty name is the working directory here, and no directory can be run. */
	struct file *f = *name ? exec_file_open(AT_FDCWD, name, LOOKUP_FOLLOW) : ERR_PTR(-EACCES);
	kfree(name);
	if (IS_ERR(f))
		return PTR_ERR(f);
	x->interp = f;
	int err = exec_read_head(f, h);
	if (!err)
		err = read_exact(f, h, &x->interp_ehdr, sizeof(x->interp_ehdr), 0);
	if (err)
		return err;
	if (!header_ok(&x->interp_ehdr))
		return -ELIBBAD;
	x->interp_phdrs = read_phdrs(f, h, &x->interp_ehdr);
	return x->interp_phdrs ? 0 : -ELIBBAD;
}

int exec_read_head(struct file *f, struct exec_head *h)
{
	memset(h, 0, sizeof(*h));
	ssize_t_ n = file_read_kernel(f, h->bytes, sizeof(h->bytes), 0);
	if (n < 0)
		return (int)n;
	h->n = (size_t)n;
	return 0;
}

int elf_prepare(struct exec_image *x, struct exec_head *h)
{
	memcpy(&x->ehdr, h->bytes, sizeof(x->ehdr));
	if (!header_ok(&x->ehdr) || !x->file->ops->mmap)
		return -ENOEXEC;
	x->phdrs = read_phdrs(x->file, h, &x->ehdr);
	if (!x->phdrs)
		return -ENOEXEC;
	for (int i = 0; i < x->ehdr.e_phnum; i++) {
		const Elf64_Phdr *ph = &x->phdrs[i];
		if (ph->p_type == PT_INTERP && !x->interp) {
			int err = open_interp(x, h, ph);
			if (err)
				return err;
		} else if (ph->p_type == PT_GNU_STACK) {
			x->stack_exec = ph->p_flags & PF_X;
		}
	}
	return 0;
}

void elf_release(struct exec_image *x)
{
	kfree(x->phdrs);
	kfree(x->interp_phdrs);
	x->phdrs = x->interp_phdrs = NULL;
	if (x->interp)
		exec_file_put(x->interp);
	x->interp = NULL;
}

/* ---- mapping ---- */
/* One ELF file being mapped: program or interpreter. */
struct elf_map {
	struct mm *mm;
	struct file *file;
	const Elf64_Ehdr *ehdr;
	const Elf64_Phdr *phdrs;
	uint64_t bias;
	uint64_t start_code, end_code, start_data, end_data, brk;
};

static uint32_t segment_prot(const Elf64_Phdr *ph)
{
	return (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
	       (ph->p_flags & PF_X ? PROT_EXEC : 0);
}

static int check_segment(const struct elf_map *m, const Elf64_Phdr *ph)
{
	uint64_t start = m->bias + ph->p_vaddr;

	/* As binfmt_elf.c: EINVAL for sizes that cannot be, ENOMEM for places outside the user's address space. */
	if (ph->p_filesz > ph->p_memsz || ph->p_memsz > USER_MAX || start >= USER_MAX || USER_MAX - ph->p_memsz < start)
		return -EINVAL;
	if (start < USER_MIN)
		return -EPERM;
	if (ph->p_filesz && ((ph->p_offset - start) & (PAGE_SIZE - 1)))
		return -EINVAL;
	if (ph->p_filesz && (ph->p_offset < (start & (PAGE_SIZE - 1)) || ph->p_offset > INT64_MAX - ph->p_filesz))
		return -EINVAL;
	return 0;
}

static int map_fixed(struct mm *mm, uint64_t start, uint64_t end, uint32_t prot, struct file *f, uint64_t off, bool replace)
{
	uint32_t flags = MAP_PRIVATE | (replace ? MAP_FIXED : MAP_FIXED_NOREPLACE) | (f ? 0 : MAP_ANONYMOUS);
	int64_t r;

	if (start >= end)
		return 0;
	r = mm_mmap(mm, start, end - start, prot, flags, f, off >> PAGE_SHIFT);
	return r < 0 ? (int)r : 0;
}

static int zero_range(struct mm *mm, uint64_t from, uint64_t n)
{
	static const uint8_t zeros[256];

	while (n) {
		size_t step = MIN(n, sizeof(zeros));
		ssize_t_ r = mm_copy_out(mm, from, zeros, step, true);
		if (r != (ssize_t_)step)
			return -EFAULT;
		from += step;
		n -= step;
	}
	return 0;
}

/* The first page of every segment and that of the first instruction are sure to be used, and here it costs no trap. */
static void touch(struct mm *mm, uint64_t addr, uint32_t prot)
{
	if (prot && mm_fault_in(mm, addr, prot & PROT_WRITE))
		pr_debug("exec: the page at %lx is not there", addr);
}

static int map_segment(struct elf_map *m, const Elf64_Phdr *ph, bool replace)
{
	int err = check_segment(m, ph);
	if (err)
		return err;
	uint64_t start = m->bias + ph->p_vaddr, page = ROUND_DOWN(start, PAGE_SIZE);
	uint64_t file_end = start + ph->p_filesz, mem_end = start + ph->p_memsz;
	uint64_t file_pages_end = ph->p_filesz ? ROUND_UP(file_end, PAGE_SIZE) : page;
	uint32_t prot = segment_prot(ph), bss_prot = PROT_READ | PROT_WRITE | (prot & PROT_EXEC); /* whatever it says */

	if (ph->p_filesz) {
		err = map_fixed(m->mm, page, file_pages_end, prot, m->file, ph->p_offset - (start - page), replace);
		if (!err && ph->p_memsz > ph->p_filesz && (prot & PROT_WRITE))
			err = zero_range(m->mm, file_end, MIN(file_pages_end, mem_end) - file_end);
		/* the rest of the last page, up to the page's end, is bss too */
		if (!err && mem_end > file_end && mem_end < file_pages_end && (prot & PROT_WRITE))
			err = zero_range(m->mm, mem_end, file_pages_end - mem_end);
	}
	if (!err)
		err = map_fixed(m->mm, file_pages_end, ROUND_UP(mem_end, PAGE_SIZE), bss_prot, NULL, 0, replace);
	if (err)
		return err;
	if (ph->p_filesz)
		touch(m->mm, page, prot);
	if (!m->start_code || start < m->start_code)
		m->start_code = start;
	if (start > m->start_data)
		m->start_data = start;
	if ((ph->p_flags & PF_X) && file_end > m->end_code)
		m->end_code = file_end;
	m->end_data = MAX(m->end_data, file_end);
	m->brk = MAX(m->brk, mem_end);
	return 0;
}

/* The span of all PT_LOAD segments: 0 if there is none or it makes no sense. */
static uint64_t total_span(const struct elf_map *m, uint64_t *first, uint64_t *align)
{
	uint64_t lo = UINT64_MAX, hi = 0;

	*align = PAGE_SIZE;
	for (int i = 0; i < m->ehdr->e_phnum; i++) {
		const Elf64_Phdr *ph = &m->phdrs[i];
		if (ph->p_type != PT_LOAD)
			continue;
		uint64_t end;
		if (__builtin_add_overflow(ph->p_vaddr, ph->p_memsz, &end) || end > USER_MAX)
			return 0;
		lo = MIN(lo, ROUND_DOWN(ph->p_vaddr, PAGE_SIZE));
		hi = MAX(hi, end);
		if (ph->p_align && (ph->p_align & (ph->p_align - 1)) == 0)
			*align = MAX(*align, ph->p_align);
	}
	*first = lo;
	return hi > lo ? hi - lo : 0;
}

/* Finds room for a position-independent file in the mmap area: its bias or -errno. */
static int64_t find_bias(struct elf_map *m, uint64_t span, uint64_t first, uint64_t align)
{
	uint64_t want = ROUND_UP(span, PAGE_SIZE) + (align > PAGE_SIZE ? align : 0);
	int64_t at = mm_mmap(m->mm, 0, want, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, NULL, 0);

	if (at < 0)
		return at;
	int err = mm_munmap(m->mm, (uint64_t)at, want); /* nobody else maps into this mm yet */
	if (err)
		return err;
	return (int64_t)(ROUND_UP((uint64_t)at, align) - first);
}

static int map_all(struct elf_map *m, bool fixed_first)
{
	bool mapped = false;

	for (int i = 0; i < m->ehdr->e_phnum; i++) {
		if (m->phdrs[i].p_type != PT_LOAD)
			continue;
		int err = map_segment(m, &m->phdrs[i], mapped || !fixed_first);
		if (err)
			return err;
		mapped = true;
	}
	return 0;
}

static uint64_t mmap_random(const struct mm *mm)
{
	if (current->personality & 0x0040000) /* ADDR_NO_RANDOMIZE */
		return 0;
	return (random_u64() & ((1UL << MMAP_RND_BITS) - 1)) << PAGE_SHIFT;
}

static int load_program(struct exec_image *x, struct mm *mm, struct elf_map *m)
{
	uint64_t first, align, span = total_span(m, &first, &align);

	if (!span)
		return -EINVAL;
	if (x->ehdr.e_type == ET_DYN && x->interp) {
		m->bias = ROUND_DOWN(ET_DYN_BASE + mmap_random(mm), align) - first;
	} else if (x->ehdr.e_type == ET_DYN) {
		int64_t bias = find_bias(m, span, first, align);
		if (bias < 0 && bias >= -4095)
			return (int)bias;
		m->bias = (uint64_t)bias;
	}
	int err = map_all(m, true);
	if (err)
		return err;
	x->program_entry = x->ehdr.e_entry + m->bias;
	for (int i = 0; i < x->ehdr.e_phnum; i++) {
		const Elf64_Phdr *ph = &x->phdrs[i];
		if (ph->p_type == PT_LOAD && ph->p_offset <= x->ehdr.e_phoff && x->ehdr.e_phoff < ph->p_offset + ph->p_filesz)
			x->phdr_addr = m->bias + ph->p_vaddr + (x->ehdr.e_phoff - ph->p_offset);
	}
	for (int i = 0; i < x->ehdr.e_phnum; i++)
		if (x->phdrs[i].p_type == PT_PHDR)
			x->phdr_addr = m->bias + x->phdrs[i].p_vaddr;
	return 0;
}

static int load_interp(struct exec_image *x, struct mm *mm)
{
	struct elf_map m = {.mm = mm, .file = x->interp, .ehdr = &x->interp_ehdr, .phdrs = x->interp_phdrs};
	uint64_t first, align, span = total_span(&m, &first, &align);

	if (!span)
		return -EINVAL;
	if (x->interp_ehdr.e_type == ET_DYN) {
		int64_t bias = find_bias(&m, span, first, align);
		if (bias < 0 && bias >= -4095)
			return (int)bias;
		m.bias = (uint64_t)bias;
	}
	int err = map_all(&m, true);
	if (err)
		return err;
	x->interp_base = m.bias;
	x->entry = m.bias + x->interp_ehdr.e_entry;
	return x->entry >= USER_MAX ? -EINVAL : 0;
}

/* Where mmap starts to search downwards: below the room that the stack may grow into. */
static void set_mmap_top(struct mm *mm)
{
	uint64_t gap = rlimit_cur(RLIMIT_STACK);
	uint64_t pad = (0x3fffffUL << PAGE_SHIFT) + (256UL << PAGE_SHIFT);

	gap = gap > UINT64_MAX - pad ? gap : gap + pad;
	gap = MIN(MAX(gap, 128UL << 20), USER_MAX / 6 * 5);
	mm->mmap_top = ROUND_DOWN(USER_MAX - gap - mmap_random(mm), PAGE_SIZE);
}

static void set_brk(struct exec_image *x, struct mm *mm, const struct elf_map *m)
{
	uint64_t brk = ROUND_UP(m->brk, PAGE_SIZE);

	if (!(current->personality & 0x0040000)) {
		if (x->ehdr.e_type == ET_DYN && !x->interp)
			brk = ET_DYN_BASE; /* not into the mmap area */
		brk = ROUND_UP(brk + random_u64() % BRK_RND, PAGE_SIZE);
	}
	mm->brk_start = mm->brk = brk;
}

int elf_load(struct exec_image *x, struct mm *mm)
{
	struct elf_map m = {.mm = mm, .file = x->file, .ehdr = &x->ehdr, .phdrs = x->phdrs};

	set_mmap_top(mm);
	int err = load_program(x, mm, &m);
	if (err)
		return err;
	x->entry = x->program_entry;
	if (x->interp)
		err = load_interp(x, mm);
	if (err)
		return err;
	mm->start_code = m.start_code;
	mm->end_code = m.end_code;
	mm->start_data = m.start_data;
	mm->end_data = m.end_data;
	set_brk(x, mm, &m);
	if (x->entry >= USER_MAX)
		return -EINVAL;
	touch(mm, x->entry, PROT_READ);
	return 0;
}
