/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initial stack of a program (System V ABI, AMD64 supplement, 3.4.1), laid out as Linux does:
 *
 *   stack top   8 zero bytes, the file name (AT_EXECFN), environment strings, argument strings (lowest)
 *               platform string, 16 random bytes
 *   sp          argc, argv[], NULL, envp[], NULL, auxv
 *
 * Everything is written upwards through a page-sized buffer.
 */
#include <linux/auxvec.h>

#include "arch/vdso.h"
#include "boot/boot.h"
#include "lib/string.h"
#include "task/exec.h"
#include "task/random.h"
#include "task/user_ns.h"

#define STACK_RND_PAGES 0x3fffffUL
#define STACK_EXPAND    131072UL /* mapped below the strings from the start */
#define AUXV_MAX        25

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#define AT_RSEQ_ALIGN        28
#endif
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/* Sequential writes into the new address space. */
struct writer {
	struct mm *mm;
	uint64_t at;     /* user address of buf[0] */
	uint32_t n;
	int err;
	uint8_t *buf;    /* PAGE_SIZE bytes */
};

static void flush(struct writer *w)
{
	if (w->n && !w->err && mm_copy_out(w->mm, w->at, w->buf, w->n, true) != (ssize_t_)w->n)
		w->err = -EFAULT;
	w->at += w->n;
	w->n = 0;
}

static void seek(struct writer *w, uint64_t at)
{
	flush(w);
	w->at = at;
}

static void put(struct writer *w, const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n) {
		size_t step = MIN(n, (size_t)(PAGE_SIZE - w->n));
		memcpy(w->buf + w->n, b, step);
		w->n += (uint32_t)step;
		b += step;
		n -= step;
		if (w->n == PAGE_SIZE)
			flush(w);
	}
}

static void put_word(struct writer *w, uint64_t v)
{
	put(w, &v, sizeof(v));
}

static uint64_t strings_size(char **v, int n)
{
	uint64_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += strlen(v[i]) + 1;
	return sum;
}

static uint32_t cpuid_features(void)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return d;
}

uint64_t exec_arg_limit(void)
{
	uint64_t limit = rlimit_cur(RLIMIT_STACK) / 4;

	return MAX(MIN(limit, 6UL << 20), 131072UL);
}

static int map_stack(struct exec_image *x, struct mm *mm, uint64_t bytes)
{
	uint64_t rnd = current->personality & 0x0040000 ? 0 : (random_u64() & STACK_RND_PAGES) << PAGE_SHIFT;
	uint64_t top = USER_MAX - rnd;
	uint64_t size = ROUND_UP(bytes, PAGE_SIZE) + STACK_EXPAND;
	uint32_t prot = PROT_READ | PROT_WRITE | (x->stack_exec ? PROT_EXEC : 0);
	int64_t r = mm_mmap(mm, top - size, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN | MAP_STACK,
	                    NULL, 0);

	x->stack_top = top;
	return r < 0 ? (int)r : 0;
}

struct aux {
	uint64_t v[2 * AUXV_MAX];
	uint32_t n;
};

static void aux_add(struct aux *a, uint64_t key, uint64_t value)
{
	a->v[a->n++] = key;
	a->v[a->n++] = value;
}

static void fill_auxv(struct aux *a, const struct exec_image *x, struct mm *mm, const struct cred *c, bool secure)
{
	static uint32_t hwcap;

	if (!hwcap)
		hwcap = cpuid_features();
	if (mm->vdso_base)
		aux_add(a, AT_SYSINFO_EHDR, mm->vdso_base);
	aux_add(a, AT_MINSIGSTKSZ, ROUND_UP(boot.fpu_size + 1024, 16u));
	aux_add(a, AT_HWCAP, hwcap);
	aux_add(a, AT_PAGESZ, PAGE_SIZE);
	aux_add(a, AT_CLKTCK, 100);
	aux_add(a, AT_PHDR, x->phdr_addr);
	aux_add(a, AT_PHENT, sizeof(Elf64_Phdr));
	aux_add(a, AT_PHNUM, x->ehdr.e_phnum);
	aux_add(a, AT_BASE, x->interp_base);
	aux_add(a, AT_FLAGS, 0);
	aux_add(a, AT_ENTRY, x->program_entry);
	aux_add(a, AT_UID, kuid_out_ns(c->user_ns, c->uid));
	aux_add(a, AT_EUID, kuid_out_ns(c->user_ns, c->euid));
	aux_add(a, AT_GID, kgid_out_ns(c->user_ns, c->gid));
	aux_add(a, AT_EGID, kgid_out_ns(c->user_ns, c->egid));
	aux_add(a, AT_SECURE, secure);
	aux_add(a, AT_HWCAP2, boot.hwcap2);
	aux_add(a, AT_RSEQ_FEATURE_SIZE, 28);
	aux_add(a, AT_RSEQ_ALIGN, 32);
}

static void put_pointers(struct writer *w, char **v, int n, uint64_t at)
{
	for (int i = 0; i < n; i++) {
		put_word(w, at);
		at += strlen(v[i]) + 1;
	}
	put_word(w, 0);
}

static int write_stack(struct writer *w, const struct exec_args *a, struct exec_image *x, struct mm *mm,
                       const struct cred *cred, bool secure, uint64_t *sp)
{
	static const char platform[] = "x86_64";
	uint64_t name_size = strlen(a->filename) + 1;
	uint64_t name_at = x->stack_top - 8 - name_size;
	uint8_t random[16];
	struct aux aux = {.n = 0};

	mm->env_end = name_at;
	mm->env_start = name_at - strings_size(a->envp, a->envc);
	mm->arg_end = mm->env_start;
	mm->arg_start = mm->arg_end - strings_size(a->argv, a->argc);
	uint64_t p = mm->arg_start & ~15UL;
	if (!(current->personality & 0x0040000))
		p -= (random_u64() % 8192) & ~15UL;
	uint64_t platform_at = p = p - sizeof(platform);
	uint64_t random_at = p = (p - sizeof(random)) & ~15UL;

	fill_auxv(&aux, x, mm, cred, secure);
	aux_add(&aux, AT_RANDOM, random_at);
	aux_add(&aux, AT_EXECFN, name_at);
	aux_add(&aux, AT_PLATFORM, platform_at);
	aux_add(&aux, AT_NULL, 0);
	uint64_t words = 1 + (uint64_t)a->argc + 1 + (uint64_t)a->envc + 1 + aux.n;
	*sp = (p - words * 8) & ~15UL;

	random_bytes(random, sizeof(random));
	seek(w, *sp);
	put_word(w, (uint64_t)a->argc);
	put_pointers(w, a->argv, a->argc, mm->arg_start);
	put_pointers(w, a->envp, a->envc, mm->env_start);
	put(w, aux.v, aux.n * sizeof(uint64_t));
	seek(w, random_at);
	put(w, random, sizeof(random));
	seek(w, platform_at);
	put(w, platform, sizeof(platform));
	seek(w, mm->arg_start);
	for (int i = 0; i < a->argc; i++)
		put(w, a->argv[i], strlen(a->argv[i]) + 1);
	for (int i = 0; i < a->envc; i++)
		put(w, a->envp[i], strlen(a->envp[i]) + 1);
	put(w, a->filename, name_size);
	flush(w);
	memcpy(mm->auxv, aux.v, aux.n * sizeof(uint64_t));
	mm->nr_auxv = aux.n;
	mm->start_stack = *sp;
	return w->err;
}

int exec_stack_build(const struct exec_args *a, struct exec_image *x, struct mm *mm, const struct cred *cred, bool secure,
                     uint64_t *sp)
{
	uint64_t bytes = strings_size(a->argv, a->argc) + strings_size(a->envp, a->envc) + strlen(a->filename) + 1 +
	                 8 * ((uint64_t)a->argc + (uint64_t)a->envc + 2) + 16384;
	int err = map_stack(x, mm, bytes);

	if (err)
		return err;
	struct writer w = {.mm = mm, .buf = kmalloc(PAGE_SIZE)};
	if (!w.buf)
		return -ENOMEM;
	err = write_stack(&w, a, x, mm, cred, secure, sp);
	kfree(w.buf);
	return err;
}
